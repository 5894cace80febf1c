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
    cosine_lattice,
    face_lattice,
    gauss_lattice,
    gauss_legendre,
    lattice,
    random_points,
    uniform_grid_quadrature,
)
from neuralpde.geometry._solids import Block, Bodies, Disc, LevelSet, Solid

__all__ = [
    "AXES",
    "Block",
    "Bodies",
    "Boundary",
    "BoundaryValue",
    "Box",
    "Condition",
    "Dirichlet",
    "Disc",
    "FreeSlip",
    "Grid",
    "LevelSet",
    "Neumann",
    "Outflow",
    "Periodic",
    "Quadrature",
    "Solid",
    "cosine_lattice",
    "face_lattice",
    "gauss_lattice",
    "gauss_legendre",
    "lattice",
    "random_points",
    "uniform_grid_quadrature",
]
