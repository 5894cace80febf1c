"""Ways to keep a field in a vector of numbers θ."""

from neuralpde.representations._base import Projection, Representation
from neuralpde.representations._cell_field import CellField
from neuralpde.representations._face_velocity import FaceVelocity
from neuralpde.representations._grid_field import KINDS, GridField
from neuralpde.representations._mac_grid import MacGrid
from neuralpde.representations._neural_field import FIRST_FIT, NeuralField
from neuralpde.representations._product import Product

REPRESENTATIONS: dict[str, type[GridField] | type[NeuralField] | type[MacGrid]] = {
    "grid": GridField,
    "neural_field": NeuralField,
    "mac_grid": MacGrid,
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
    "Product",
    "Projection",
    "Representation",
]
