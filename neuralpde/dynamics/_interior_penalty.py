"""Stabilised advection on finite elements: jumps of the gradient across facets are penalised."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.dynamics._weak_form import WeakForm
from neuralpde.fields import Jet
from neuralpde.geometry import Mesh, MeshDomain
from neuralpde.problems import Problem
from neuralpde.representations import FiniteElementField, Tables
from neuralpde.types import UsageError


@dataclass(frozen=True)
class InteriorPenalty:
    """Takes Σ_F γ/k^{7/2} h_F² ∮_F |a·n| [∂_n u] [∂_n φ] from the weak form, over all facets between two elements.

    Galerkin's method lets a field oscillate all over the domain where a layer is thinner than an element, |a| h > 2κ.
    The exact solution has no jumps, so that the order in space stays; the penalty is linear in u, symmetric, keeps
    every balance of fluxes, and needs nothing of the time derivative. Oscillations are left in a few elements about the
    layer. Facets between different parts of the mesh, where a coefficient may jump, are left out.

    Args:
        strength: γ > 0; 0.02 to 0.1 are good values.

    Raises:
        UsageError: for a strength that is not positive.

    Source: Burman & Hansbo, Comput. Methods Appl. Mech. Eng. 193 (2004); Burman & Ern, Math. Comp. 76 (2007), for the
    power of the degree k.
    """

    strength: float = 0.05

    def __post_init__(self) -> None:
        if not self.strength > 0:
            raise UsageError(f"the strength of an interior penalty must be positive; got {self.strength}.")


class PenalisedForm(WeakForm):
    """The weak form with an interior penalty: R − S u.

    Args:
        problem: whose flux is linear in u.
        representation: the finite elements.
        penalty: how strong.

    Raises:
        UsageError: for a flux that is not linear in u.
    """

    def __init__(self, problem: Problem, representation: FiniteElementField, penalty: InteriorPenalty) -> None:
        super().__init__(problem, representation)
        if advection(problem, 0.0, problem.domain.some_points(8).to(representation.nodes)) is None:
            raise UsageError(
                f"an interior penalty needs a flux that is linear in u, and that of {problem.name} is not: use a finer "
                "mesh."
            )
        self.penalty = penalty

    @cached_property
    def matrix(self) -> sp.csr_matrix:
        """S of all unknowns, ``(N c, N c)``."""
        return penalty_matrix(self.problem, self.representation, self.penalty.strength)

    @cached_property
    def _free_matrix(self) -> sp.csr_matrix:
        free = self.representation.free_dofs
        return self.matrix[free][:, free]

    def _taken(self, values: Tensor) -> Tensor:
        product = self.matrix @ values.reshape(-1).cpu().numpy()
        return torch.as_tensor(product, dtype=values.dtype, device=values.device).reshape(values.shape)

    def residual(self, t: float, values: Tensor) -> Tensor:
        return super().residual(t, values) - self._taken(values)

    def jacobian(self, t: float, values: Tensor, rest: bool = True) -> tuple[Tensor, sp.csr_matrix | sp.bsr_matrix]:
        found, matrix = super().jacobian(t, values, rest)
        return found - self._taken(values), sp.csr_matrix(matrix) - self._free_matrix


def advection(problem: Problem, t: float, x: Tensor) -> Tensor | None:
    """∂f/∂u of a flux that is linear in u, every unknown by itself, ``(n, c, d)``; None of another flux."""
    shape = (len(x), problem.channels, x.shape[1])
    fluxes = [problem.flux(t, x, Jet(x.new_full(shape[:2], u), x.new_zeros(shape))) for u in (0.0, 1.0, -2.0)]
    slope = fluxes[1] - fluxes[0]
    size = float(slope.abs().max())
    return slope if float((fluxes[2] - fluxes[0] + 2 * slope).abs().max()) <= 1e-9 * max(size, 1e-300) else None


def peclet_number(problem: Problem, representation: FiniteElementField) -> float:
    """The largest |a| h / 2κk over all elements at t = 0, with h the d-th root of their volume and k their degree.

    0 for a flux that is not linear in u, and infinite where nothing diffuses.
    """
    table, d = representation.quadrature_tables, representation.dim
    x = table.points[:, 0].contiguous()
    a = advection(problem, 0.0, x)
    if a is None or not bool(a.any()):
        return 0.0
    zero = Jet(x.new_zeros(a.shape[:2]), x.new_zeros(a.shape))
    rest, spread = problem.flux(0.0, x, zero), torch.zeros_like(a[..., 0])
    for i in range(d):
        slope = torch.zeros_like(a)
        slope[..., i] = 1.0
        spread = spread - (problem.flux(0.0, x, Jet(zero.value, slope)) - rest)[..., i] / d
    h = table.weights.sum(1).abs()[:, None] ** (1 / d)
    return float((a.norm(dim=-1) * h / (2 * representation.degree * spread).clamp_min(1e-300)).max())


def penalty_matrix(problem: Problem, r: FiniteElementField, strength: float) -> sp.csr_matrix:
    """Σ_F γ/k^{7/2} h_F² ∮_F |a·n| [∂_n φ_i] [∂_n φ_j], ``(N c, N c)``."""
    first, second = neighbours(r.mesh)
    size, total = len(r.nodes), None
    for number in np.unique(first[:, 1]):
        chosen = first[:, 1] == number
        (table,) = r.tables.facets(first[chosen], r.quadrature_degree)
        jumps, dofs = _jumps(r, table, second[chosen, 0])
        area = table.weights.sum(1, keepdim=True)
        assert table.normals is not None
        a = advection(problem, 0.0, table.points.flatten(0, 1))
        assert a is not None
        through = (a.reshape(*table.weights.shape, *a.shape[1:]) * table.normals[:, :, None]).sum(-1).abs()
        weights = strength / r.degree**3.5 * table.weights * area ** (2 / (r.dim - 1))
        blocks = torch.einsum("eqc,eqi,eqj->ceij", weights[..., None] * through, jumps, jumps)
        rows, columns = (np.broadcast_to(m, blocks.shape[1:]).reshape(-1) for m in (dofs[:, :, None], dofs[:, None]))
        for channel, block in enumerate(blocks):
            place = (rows * r.channels + channel, columns * r.channels + channel)
            data = block.reshape(-1).cpu().numpy()
            matrix = sp.csr_matrix((data, place), shape=(size * r.channels, size * r.channels))
            total = matrix if total is None else total + matrix
    return sp.csr_matrix((size * r.channels,) * 2) if total is None else total


def neighbours(mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """Facets ``(n, 2)`` as both of their elements have them, of facets between elements of the same parts."""
    inverse, _, counts = mesh.shared_facets
    order, ends = np.argsort(inverse, kind="stable"), np.cumsum(counts)
    twice = np.flatnonzero(counts == 2)
    owners = mesh.facets[1]
    first, second = (owners[order[ends[twice] - k]] for k in (2, 1))
    inside = np.zeros((len(mesh.cells), len(mesh.parts)), dtype=bool)
    for column, ids in enumerate(mesh.parts.values()):
        inside[ids, column] = True
    same = (inside[first[:, 0]] == inside[second[:, 0]]).all(1)
    return first[same], second[same]


def _jumps(r: FiniteElementField, table: Tables, other: np.ndarray) -> tuple[Tensor, np.ndarray]:
    """[∂_n φ] of the basis functions on both sides of facets, ``(e, q, 2k)``, and their numbers ``(e, 2k)``."""
    assert table.normals is not None and isinstance(r.domain, MeshDomain)
    here = torch.einsum("eqkd,eqd->eqk", table.gradients.expand(-1, table.normals.shape[1], -1, -1), table.normals)
    e, q, d = table.points.shape
    element = np.repeat(other, q)
    xi = r.domain.locator.reference(element, table.points.reshape(-1, d).cpu().double().numpy())
    _, slopes = r.tables.basis(torch.as_tensor(xi, dtype=r.dtype, device=r.device))
    jacobians = np.einsum("nkd,nka->nda", r.mesh.points[r.mesh.cells[element]], r.mesh.element.gradients(xi))
    inverse = torch.as_tensor(np.linalg.inv(jacobians), dtype=r.dtype, device=r.device)
    there = torch.einsum("nka,nad,nd->nk", slopes, inverse, table.normals.reshape(-1, d)).reshape(e, q, -1)
    dofs = torch.cat([table.dofs, r.tables.dofs[torch.from_numpy(other).to(r.device)]], dim=1)
    return torch.cat([here, -there], dim=-1), dofs.cpu().numpy()
