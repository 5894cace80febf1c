"""Bodies for tests of contact, and the depth of what an obstacle and a body share, found without the contact code."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde import FiniteElementField, Flux, MeshDomain, Solution
from neuralpde.geometry import ELEMENTS, Mesh, Solid
from neuralpde.problems import Elasticity, NeoHookean


def placed(
    kind: str, n: int, matrix: np.ndarray | float = 1.0, shift: tuple[float, ...] = (), **options: float
) -> Mesh:
    """The unit square or cube around 0, mapped by a matrix and shifted."""
    mesh = unit_mesh(kind, n, **options)
    points = mesh.points - 0.5
    points = points * matrix if np.isscalar(matrix) else points @ np.asarray(matrix).T
    return Mesh(points + np.array(shift or (0.0,) * mesh.dim), mesh.cells, kind, mesh.parts, mesh.tags)


def moving(mesh: Mesh, contact: tuple, **options: object) -> Elasticity:
    """A soft free body in motion."""
    defaults: dict = {"material": NeoHookean(1e5, 0.3), "density": 1000.0, "conditions": (Flux(0.0),)}
    return Elasticity(domain=MeshDomain(mesh), contact=contact, steady=False, **(defaults | options))


def displacements(run: Solution) -> list[Tensor]:
    """At all nodes at every saved time."""
    field = run.representation.displacement
    return [field.values(theta[: field.num_dofs], t) for t, theta in zip(run.times, run.states, strict=True)]


def velocities(run: Solution) -> list[Tensor]:
    """As :func:`displacements`."""
    field, skip = run.representation.velocity, run.representation.displacement.num_dofs
    return [field.values(theta[skip:], t) for t, theta in zip(run.times, run.states, strict=True)]


def skin(field: FiniteElementField, values: Tensor, count: int) -> Tensor:
    """Many points of the displaced boundary, by the basis functions of the elements, ``(n, d)``."""
    mesh, d = field.mesh, field.dim
    line = np.linspace(0, 1, count)
    corners = len(mesh.element.facets[0])
    flat = ELEMENTS[{2: "line", 3: "triangle", 4: "quad"}[corners]]
    s = line[:, None] if d == 2 else np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    s = s[s.sum(1) <= 1 + 1e-12] if corners == 3 else s
    out = []
    for number in np.unique(mesh.boundary[:, 1]):
        chosen = mesh.boundary[mesh.boundary[:, 1] == number, 0]
        xi = flat.values(s) @ np.asarray(mesh.element.nodes)[list(mesh.element.facets[number])]
        x = np.einsum("qg,egd->eqd", mesh.element.values(xi), mesh.points[mesh.cells[chosen]])
        basis = field.tables.basis(torch.from_numpy(xi))[0]
        u = torch.einsum("qk,ekd->eqd", basis, values[field.tables.dofs[torch.from_numpy(chosen)]])
        out.append((torch.from_numpy(x) + u).reshape(-1, d))
    return torch.cat(out)


def least_distance(run: Solution, solid: Solid, count: int = 33) -> float:
    """Of the whole displaced boundary from a solid at every saved time; negative: inside."""
    field = run.representation.displacement
    count = count if field.dim == 2 else 9
    return min(float(solid.distance(skin(field, values, count)).min()) for values in displacements(run))
