"""Where an equation lives: domains, boundary conditions, grids, quadrature."""

from neuralpde.geometry._boundary import Boundary
from neuralpde.geometry._conditions import (
    BoundaryValue,
    Condition,
    Dirichlet,
    Flux,
    FreeSlip,
    Neumann,
    Outflow,
    Periodic,
    PointLoad,
    Pressure,
    Robin,
)
from neuralpde.geometry._corners import Corner, singular_corners
from neuralpde.geometry._domain import AXES, Box, Domain
from neuralpde.geometry._elements import ELEMENTS, Element
from neuralpde.geometry._facets import facet_quadrature, facet_rule
from neuralpde.geometry._grid import Grid
from neuralpde.geometry._meetings import Meeting, contradictions
from neuralpde.geometry._mesh import Mesh
from neuralpde.geometry._mesh_checks import Defect, MeshError, check_mesh, defects
from neuralpde.geometry._mesh_domain import MeshDomain
from neuralpde.geometry._mesh_file import MeshReader, read_mesh
from neuralpde.geometry._mesh_repair import repair_mesh
from neuralpde.geometry._point_sets import with_points
from neuralpde.geometry._potentials import FacetPotential, chunks, facet_normals, facet_potential
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
from neuralpde.geometry._rates import ValueRate, rate_conditions, rate_of
from neuralpde.geometry._smooth_distance import NearPoints, ScalarJet, SmoothDistance
from neuralpde.geometry._solids import Block, Bodies, Disc, HalfSpace, LevelSet, SignedDistance, Solid
from neuralpde.geometry._values import SameEverywhere, at_points, is_number, plain_numbers, prescribed

__all__ = [
    "AXES",
    "ELEMENTS",
    "Block",
    "Bodies",
    "Boundary",
    "BoundaryValue",
    "Box",
    "Condition",
    "Corner",
    "Defect",
    "Dirichlet",
    "Disc",
    "Domain",
    "Element",
    "FacetPotential",
    "Flux",
    "FreeSlip",
    "Grid",
    "HalfSpace",
    "LevelSet",
    "Meeting",
    "Mesh",
    "MeshDomain",
    "MeshError",
    "MeshReader",
    "NearPoints",
    "Neumann",
    "Outflow",
    "Periodic",
    "PointLoad",
    "Pressure",
    "Quadrature",
    "Robin",
    "SameEverywhere",
    "ScalarJet",
    "SignedDistance",
    "SmoothDistance",
    "Solid",
    "ValueRate",
    "at_points",
    "check_mesh",
    "chunks",
    "contradictions",
    "cosine_lattice",
    "defects",
    "face_lattice",
    "facet_normals",
    "facet_potential",
    "facet_quadrature",
    "facet_rule",
    "gauss_lattice",
    "gauss_legendre",
    "is_number",
    "lattice",
    "plain_numbers",
    "prescribed",
    "random_points",
    "rate_conditions",
    "rate_of",
    "read_mesh",
    "repair_mesh",
    "singular_corners",
    "uniform_grid_quadrature",
    "with_points",
]
