"""Fields and their jets (value and derivatives at points)."""

from neuralpde.fields._field import Field, FunctionField
from neuralpde.fields._jet import NEEDS, Jet, autodiff_jet, check_needs, constant_jet
from neuralpde.fields._point_memory import PointMemory
from neuralpde.fields._sum import FieldSum

__all__ = [
    "NEEDS",
    "Field",
    "FieldSum",
    "FunctionField",
    "Jet",
    "PointMemory",
    "autodiff_jet",
    "check_needs",
    "constant_jet",
]
