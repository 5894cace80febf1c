"""Ways to keep a field in a vector of numbers θ."""

from neuralpde.representations._base import Projection, Representation
from neuralpde.representations._cell_field import CellField
from neuralpde.representations._face_velocity import FaceVelocity
from neuralpde.representations._fit import FIRST_FIT
from neuralpde.representations._grid_field import KINDS, GridField
from neuralpde.representations._mac_grid import MacGrid
from neuralpde.representations._neural_field import NeuralField
from neuralpde.representations._neural_flow import NeuralFlow
from neuralpde.representations._product import Product
from neuralpde.representations._spectral_grid import SpectralGrid
from neuralpde.representations._stream_function import StreamFunctionField

REPRESENTATIONS: dict[
    str, type[GridField] | type[NeuralField] | type[MacGrid] | type[NeuralFlow] | type[SpectralGrid]
] = {
    "grid": GridField,
    "neural_field": NeuralField,
    "mac_grid": MacGrid,
    "spectral_grid": SpectralGrid,
    "neural_flow": NeuralFlow,
}
"""Representations by their names in a case file."""

__all__ = [
    "FIRST_FIT",
    "KINDS",
    "REPRESENTATIONS",
    "CellField",
    "FaceVelocity",
    "GridField",
    "MacGrid",
    "NeuralField",
    "NeuralFlow",
    "Product",
    "Projection",
    "Representation",
    "SpectralGrid",
    "StreamFunctionField",
]
