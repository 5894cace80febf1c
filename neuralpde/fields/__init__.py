"""Fields and their jets (value and derivatives at points)."""

from neuralpde.fields._field import Field, FunctionField
from neuralpde.fields._jet import NEEDS, Jet, autodiff_jet, check_needs, constant_jet

__all__ = ["NEEDS", "Field", "FunctionField", "Jet", "autodiff_jet", "check_needs", "constant_jet"]
