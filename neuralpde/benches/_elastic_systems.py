"""Stiffness matrices of bodies on the repository's meshes, refined, as the library itself assembles them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from neuralpde.benches import _skfem
from neuralpde.benches.mesh_neural import mesh_file
from neuralpde.dynamics import FiniteElementDynamics, Newton
from neuralpde.dynamics._elliptic import elliptic_multigrid
from neuralpde.geometry import Dirichlet, Flux, Mesh, MeshDomain, read_mesh, repair_mesh
from neuralpde.linalg import Preconditioner
from neuralpde.problems import LinearElasticity
from neuralpde.representations import FiniteElementField

HELD = {"nafems_le1": True, "nafems_le10": True}
"""Meshes of a quarter of a body, held by symmetry on x = 0 and y = 0; others are clamped on x = 0."""


@dataclass(frozen=True)
class Setting:
    """Elements on one of the meshes.

    Args:
        mesh: its name.
        degree: of the elements.
        refinements: each halves every edge; curved elements become straight before.
    """

    mesh: str
    degree: int
    refinements: int


@dataclass(frozen=True)
class ElasticSystem:
    """K u = f on the free unknowns, node by node.

    Args:
        case: its name in the table.
        matrix: K, in blocks where no node is held in part.
        right: f of a body force, shape ``(n,)``.
        where: node and component of every unknown, ``(n, d + 1)``.
        whole: whether blocks of d unknowns belong to a node.
        multigrid: what the library takes for this problem.
    """

    case: str
    matrix: sp.csr_matrix | sp.bsr_matrix
    right: np.ndarray
    where: np.ndarray
    whole: bool
    multigrid: Preconditioner

    @property
    def dim(self) -> int:
        return self.where.shape[1] - 1


def refined(mesh: Mesh, times: int) -> Mesh:
    """Straight elements, every edge halved so many times; sides on the planes x = 0 and y = 0 are named x- and y-."""
    import skfem

    corners = mesh.cells[:, : mesh.element.corners]
    used, cells = np.unique(corners, return_inverse=True)
    make = skfem.MeshTri if mesh.dim == 2 else skfem.MeshTet
    made: Any = make(mesh.points[used].T.copy(), cells.reshape(corners.shape).T.copy()).refined(times)
    kind = "triangle" if mesh.dim == 2 else "tetra"
    bare = repair_mesh(Mesh(made.p.T.copy(), made.t.T.copy(), kind))
    middles = bare.points[bare.facet_nodes(bare.boundary)].mean(1)
    tags = {name: bare.boundary[np.abs(middles[:, axis]) < 1e-9] for axis, name in enumerate(("x-", "y-"))}
    return Mesh(bare.points, bare.cells, kind, tags={name: facets for name, facets in tags.items() if len(facets)})


def problem_of(setting: Setting) -> LinearElasticity:
    """The body, which carries a body force that bends it."""
    domain = MeshDomain(refined(read_mesh(mesh_file(setting.mesh)), setting.refinements))
    symmetric = (Dirichlet(0.0, "x-", components="x"), Dirichlet(0.0, "y-", components="y"))
    held = symmetric if HELD.get(setting.mesh) else (Dirichlet(0.0, "x-"),)
    if HELD.get(setting.mesh) and domain.dim == 3:  # nothing else keeps it from moving upwards
        held = (Dirichlet(0.0, "x-"), symmetric[1])
    force = (1.0,) * (domain.dim - 1) + (-1.0,)
    young, ratio = _skfem.YOUNG, _skfem.POISSON_RATIO
    return LinearElasticity(
        young=young, poisson_ratio=ratio, body_force=force, domain=domain, conditions=(*held, Flux(0.0))
    )


def system_of(setting: Setting) -> ElasticSystem:
    """A body's system."""
    problem = problem_of(setting)
    field = FiniteElementField.for_problem(problem, setting.degree)
    form = FiniteElementDynamics(problem, field, Newton()).form
    rest, jacobian = form.jacobian(0.0, field.values(field.initial(), 0.0))
    where = _skfem.places(field.nodes[field.free].numpy(), field.channels)
    if field.partly:
        where = where[~field.fixed[field.free].reshape(-1).numpy()]
    n = jacobian.shape[0]
    return ElasticSystem(
        case=f"{setting.mesh} {field.dim}D P{setting.degree}, {n} unknowns",
        matrix=-jacobian,
        right=field.free_part(rest).numpy(),
        where=where,
        whole=not field.partly,
        multigrid=elliptic_multigrid(problem, field),
    )
