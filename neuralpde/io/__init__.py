"""Files: runs and linear systems in HDF5, fields for ParaView, tables in CSV."""

from neuralpde.io._csv import load_table, save_table
from neuralpde.io._hdf5 import load_arrays, save_arrays
from neuralpde.io._systems import load_systems, save_systems, systems_metadata
from neuralpde.io._vtk import save_pvd, save_vti, save_vtu

__all__ = [
    "load_arrays",
    "load_systems",
    "load_table",
    "save_arrays",
    "save_pvd",
    "save_systems",
    "save_table",
    "save_vti",
    "save_vtu",
    "systems_metadata",
]
