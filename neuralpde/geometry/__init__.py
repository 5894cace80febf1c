"""Where an equation lives: domains, boundary conditions, grids, quadrature."""

from neuralpde.geometry._conditions import (
    Boundary,
    BoundaryValue,
    Condition,
    Dirichlet,
    FreeSlip,
    Neumann,
    Outflow,
    Periodic,
)
from neuralpde.geometry._domain import AXES, Box
from neuralpde.geometry._grid import Grid
from neuralpde.geometry._quadrature import (
    Quadrature,
    face_lattice,
    gauss_legendre,
    lattice,
    random_points,
    uniform_grid_quadrature,
)

__all__ = [
    "AXES",
    "Boundary",
    "BoundaryValue",
    "Box",
    "Condition",
    "Dirichlet",
    "FreeSlip",
    "Grid",
    "Neumann",
    "Outflow",
    "Periodic",
    "Quadrature",
    "face_lattice",
    "gauss_legendre",
    "lattice",
    "random_points",
    "uniform_grid_quadrature",
]
