"""Ways to keep a field in a vector of numbers θ."""

from neuralpde.representations._assembly import SparsePattern, add, scatter
from neuralpde.representations._base import Projection, Representation
from neuralpde.representations._cell_field import CellField
from neuralpde.representations._coarser import linear_subspace
from neuralpde.representations._element_matrices import ElementMatrices, Parts
from neuralpde.representations._element_tables import ElementTables, Tables
from neuralpde.representations._face_velocity import FaceVelocity
from neuralpde.representations._finite_element import FiniteElementField
from neuralpde.representations._fit import FIRST_FIT
from neuralpde.representations._grid_field import KINDS, GridField
from neuralpde.representations._mac_grid import MacGrid
from neuralpde.representations._meeting_data import meeting_notes
from neuralpde.representations._motion import Motion
from neuralpde.representations._neural_field import NeuralField, TapedField
from neuralpde.representations._neural_flow import NeuralFlow
from neuralpde.representations._operators import chunks, restricted
from neuralpde.representations._pair_sums import PairSums
from neuralpde.representations._product import Product
from neuralpde.representations._spectral_grid import SpectralGrid
from neuralpde.representations._stream_function import StreamFunctionField
from neuralpde.representations._velocity_pressure import NeuralVelocityPressure

REPRESENTATIONS: dict[
    str,
    type[GridField]
    | type[NeuralField]
    | type[FiniteElementField]
    | type[MacGrid]
    | type[NeuralFlow]
    | type[NeuralVelocityPressure]
    | type[SpectralGrid],
] = {
    "grid": GridField,
    "neural_field": NeuralField,
    "finite_element": FiniteElementField,
    "mac_grid": MacGrid,
    "spectral_grid": SpectralGrid,
    "neural_flow": NeuralFlow,
    "neural_velocity_pressure": NeuralVelocityPressure,
}
"""Representations by their names in a case file."""

__all__ = [
    "FIRST_FIT",
    "KINDS",
    "REPRESENTATIONS",
    "CellField",
    "ElementMatrices",
    "ElementTables",
    "FaceVelocity",
    "FiniteElementField",
    "GridField",
    "MacGrid",
    "Motion",
    "NeuralField",
    "NeuralFlow",
    "NeuralVelocityPressure",
    "PairSums",
    "Parts",
    "Product",
    "Projection",
    "Representation",
    "SparsePattern",
    "SpectralGrid",
    "StreamFunctionField",
    "Tables",
    "TapedField",
    "add",
    "chunks",
    "linear_subspace",
    "meeting_notes",
    "restricted",
    "scatter",
]
