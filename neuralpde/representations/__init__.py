"""Ways to keep a field in a vector of numbers θ."""

from neuralpde.representations._base import Projection, Representation
from neuralpde.representations._grid_field import GridField
from neuralpde.representations._neural_field import NeuralField

__all__ = ["GridField", "NeuralField", "Projection", "Representation"]
