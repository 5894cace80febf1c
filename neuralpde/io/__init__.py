"""Files: runs in HDF5."""

from neuralpde.io._hdf5 import load_arrays, save_arrays

__all__ = ["load_arrays", "save_arrays"]
