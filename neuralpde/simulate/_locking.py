"""Where linear elements are far too stiff."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from neuralpde.problems import ElasticBody, Material, Problem
from neuralpde.representations import FiniteElementField, Motion, Representation

MOST_RATIO = 49.0
"""λ/μ from which on linear elements lock: ν = 0.49."""

LOOKS = 200
"""Elements in which a material is looked at."""


def locking_notes(problem: Problem, representation: Representation) -> tuple[str, ...]:
    """A sentence where linear elements of a nearly incompressible body lock, else nothing.

    An element of degree 1 has as many conditions on its volume as it has freedom, or more: if all of them hold, it
    hardly moves. Quads and hexahedra have one condition each if the mean of their dilatation counts, triangles and
    tetrahedra have no more than that anyway. λ and μ are those of small strains, A_1122 and A_1212 of A = ∂P/∂F at
    F = I.

    Source: Hughes, The Finite Element Method (1987), section 4.3.
    """
    field = representation.displacement if isinstance(representation, Motion) else representation
    if not isinstance(problem, ElasticBody) or not isinstance(field, FiniteElementField) or field.degree > 1:
        return ()
    simplex = field.mesh.element.shape in ("triangle", "tetrahedron")
    if field.dilatation == "mean" and not simplex:
        return ()
    ratio = float(_ratios(problem.material, _centres(field)).max())
    if not ratio >= MOST_RATIO:
        return ()
    remedy = "degree=2, dilatation='mean'" if simplex else "dilatation='mean', or degree=2 with it"
    return (
        f"elements of degree 1 lock where a body is nearly incompressible, and λ/μ reaches {ratio:.3g} here (Poisson's "
        f"ratio {ratio / (2 * (1 + ratio)):.4g}): it moves far less than it should; use {remedy}",
    )


def _centres(field: FiniteElementField) -> Tensor:
    """Centres of some elements, of every part of the mesh, ``(n, d)``."""
    mesh = field.mesh
    some = [ids[:: len(ids) // LOOKS + 1] for ids in (np.arange(len(mesh.cells)), *mesh.parts.values())]
    centres = mesh.points[mesh.cells[np.unique(np.concatenate(some))]].mean(1)
    return torch.as_tensor(centres, dtype=field.dtype, device=field.device)


@torch.enable_grad()  # type: ignore[untyped-decorator]
def _ratios(material: Material, x: Tensor) -> Tensor:
    """λ/μ at points, ``(n,)``."""
    rest = x.new_zeros(len(x), x.shape[1], x.shape[1]).requires_grad_()
    stress = material.stress(x, rest)
    (bulk,) = torch.autograd.grad(stress[:, 0, 0].sum(), rest, retain_graph=True)
    (shear,) = torch.autograd.grad(stress[:, 0, 1].sum(), rest)
    return bulk[:, 1, 1] / shear[:, 0, 1]
