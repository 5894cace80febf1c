"""Linear systems to solve: pressure equations of fluids around solids, seeded, in 2D and 3D."""

from neuralpde.systems._families import FAMILIES, MOVING, SPLITS, VERSION, frames, pressure_system
from neuralpde.systems._pressure_system import PressureSystem

__all__ = ["FAMILIES", "MOVING", "SPLITS", "VERSION", "PressureSystem", "frames", "pressure_system"]
