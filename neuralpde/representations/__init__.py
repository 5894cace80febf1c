"""Ways to keep a field in a vector of numbers θ."""

from neuralpde.representations._base import Projection, Representation
from neuralpde.representations._grid_field import KINDS, GridField
from neuralpde.representations._neural_field import FIRST_FIT, NeuralField

REPRESENTATIONS: dict[str, type[GridField] | type[NeuralField]] = {"grid": GridField, "neural_field": NeuralField}
"""Representations by their names in a case file."""

__all__ = ["FIRST_FIT", "KINDS", "REPRESENTATIONS", "GridField", "NeuralField", "Projection", "Representation"]
