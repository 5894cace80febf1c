"""The weak form of a problem in conservation form on finite elements: residuals, and their exact Jacobians."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.fields import Jet
from neuralpde.geometry import Condition, Flux, MeshDomain, Neumann, Robin
from neuralpde.problems import Problem
from neuralpde.representations import FiniteElementField, Tables, scatter
from neuralpde.types import UsageError

Density = Callable[[float, Tensor, Jet], tuple[Tensor, Tensor]]
"""(t, points, jet) → what multiplies φ_i ``(n, c)`` and ∇φ_i ``(n, c, d)`` under the integral."""


@dataclass(frozen=True)
class _Piece:
    """A part of the weak form: where it is integrated, and of what."""

    tables: Tables
    density: Density
    whole: bool  # over all elements, and not over some facets


class WeakForm:
    """R_i(t, u) = ∫ ∇φ_i·f + φ_i s dx − ∮ φ_i g dS of u_t + ∇·f = s, g the flux through the boundary.

    On parts of the boundary with :class:`Flux` g is given, with :class:`Robin` it is α(u − value), with
    :class:`Neumann` it is n·f of the gradient whose normal part is given; elsewhere it is n·f of u itself. f and s act
    point by point, so a backward pass per channel and direction gives their derivatives, and ∂R/∂u is exact.

    Args:
        problem: that states a flux.
        representation: the finite elements.

    Raises:
        UsageError: for a problem without a flux.
    """

    def __init__(self, problem: Problem, representation: FiniteElementField) -> None:
        if type(problem).flux is Problem.flux:
            raise UsageError(
                f"finite elements solve u_t + ∇·flux = source, and {problem.name} states no flux: define flux(self, t, "
                "x, u) and source(self, t, x, u), or use a GridField or a NeuralField."
            )
        self.problem, self.representation = problem, representation
        self.pieces = [_Piece(representation.quadrature_tables, self._inside, True), *self._boundary()]

    def _inside(self, t: float, x: Tensor, u: Jet) -> tuple[Tensor, Tensor]:
        return self.problem.source(t, x, u), self.problem.flux(t, x, u)

    def _boundary(self) -> list[_Piece]:
        r, pieces = self.representation, list[_Piece]()
        assert isinstance(r.domain, MeshDomain)
        held = r.boundary.table
        for face, facets in r.domain.sides.items():
            condition = held.get(face)
            if condition is None or isinstance(condition, Flux | Robin | Neumann):
                if isinstance(condition, Flux) and condition.value == 0.0:
                    continue
                degree = 2 * r.degree + r.mesh.element.order - 1
                for table in r.tables.facets(facets, degree):
                    pieces.append(_Piece(table, self._through(condition, table), False))
        return pieces

    def _through(self, condition: Condition | None, table: Tables) -> Density:
        assert table.normals is not None
        normals = table.normals.reshape(-1, table.normals.shape[-1])
        c = self.representation.channels

        def density(t: float, x: Tensor, u: Jet) -> tuple[Tensor, Tensor]:
            if isinstance(condition, Flux):
                g = condition.at(t, x, c)
            elif isinstance(condition, Robin):
                g = condition.coefficient * (u.value - condition.at(t, x, c))
            else:
                grad = u.grad
                if isinstance(condition, Neumann):
                    normal = (grad * normals[:, None]).sum(-1)
                    grad = grad + (condition.at(t, x, c) - normal)[..., None] * normals[:, None]
                g = (self.problem.flux(t, x, Jet(u.value, grad)) * normals[:, None]).sum(-1)
            return -g, torch.zeros_like(u.grad)

        return density

    def residual(self, t: float, values: Tensor) -> Tensor:
        """R at all nodes, ``(N, c)``, of nodal values ``(N, c)``."""
        total = torch.zeros_like(values)
        for piece in self.pieces:
            load, flux = self._at(piece, t, self._jet(piece, values))
            total = total + self._gathered(piece, load, flux)
        return total

    def linearised(self, t: float, values: Tensor) -> tuple[Tensor, list[Tensor]]:
        """R and, piece by piece, the derivatives of its densities, ``(e, q, c, 1 + d, c, 1 + d)``."""
        total, slopes = torch.zeros_like(values), []
        for piece in self.pieces:
            jet = self._jet(piece, values)
            with torch.enable_grad():
                u, grad = jet.value.detach().requires_grad_(), jet.grad.detach().requires_grad_()
                load, flux = self._at(piece, t, Jet(u, grad))
                both = torch.cat([load[..., None], flux], dim=-1)
                rows = [
                    _derivatives(both[:, a, m], u, grad) for a in range(both.shape[1]) for m in range(both.shape[2])
                ]
            n, c, width = both.shape
            slope = torch.stack(rows, dim=1).reshape(n, c, width, c, width)
            e, q = piece.tables.weights.shape
            slopes.append(slope.reshape(e, q, c, width, c, width))
            total = total + self._gathered(piece, load.detach(), flux.detach())
        return total, slopes

    def jacobian(self, slopes: list[Tensor]) -> sp.csr_matrix:
        """∂R/∂u ``(N c, N c)`` from the derivatives of the densities."""
        r, total = self.representation, None
        for piece, slope in zip(self.pieces, slopes, strict=True):
            blocks = element_matrices(piece.tables, slope)
            matrix = r.pattern.matrix(blocks) if piece.whole else r.pattern_of(piece.tables.dofs).matrix(blocks)
            total = matrix if total is None else total + matrix
        return total

    def _jet(self, piece: _Piece, values: Tensor) -> Jet:
        """u and ∇u at the points of a piece, flat over elements."""
        table = piece.tables
        local = values[table.dofs]
        u = table.values @ local
        grad = torch.einsum("eqkd,ekc->eqcd", table.gradients, local).expand(-1, u.shape[1], -1, -1)
        return Jet(u.flatten(0, 1), grad.flatten(0, 1))

    def _at(self, piece: _Piece, t: float, jet: Jet) -> tuple[Tensor, Tensor]:
        return piece.density(t, piece.tables.points.flatten(0, 1), jet)

    def _gathered(self, piece: _Piece, load: Tensor, flux: Tensor) -> Tensor:
        table = piece.tables
        e, q = table.weights.shape
        w = table.weights[..., None]
        local = table.values.transpose(1, 2) @ (w * load.reshape(e, q, -1))
        if piece.whole:
            weighted = w[..., None] * flux.reshape(e, q, *flux.shape[1:])
            if table.gradients.shape[1] == 1:
                weighted = weighted.sum(1, keepdim=True)
            local = local + torch.einsum("eqkd,eqcd->ekc", table.gradients, weighted)
        return scatter(table.dofs, local, self.representation.tables.num_nodes)


def _derivatives(row: Tensor, u: Tensor, grad: Tensor) -> Tensor:
    """∂row/∂(u, ∇u), ``(n, c, 1 + d)``."""
    if not row.requires_grad:
        return u.new_zeros(*u.shape, 1 + grad.shape[-1])
    by_value, by_grad = torch.autograd.grad(row.sum(), [u, grad], retain_graph=True, materialize_grads=True)
    return torch.cat([by_value[..., None], by_grad], dim=-1)


def element_matrices(table: Tables, slope: Tensor) -> Tensor:
    """Σ_q w B_iᵀ S B_j with B = (φ, ∇φ), ``(e, k c, k c)``, of S ``(e, q, c, 1 + d, c, 1 + d)``.

    Parts of S that are zero everywhere cost nothing; where ∇φ is constant, S is summed over the points first.
    """
    e, c = slope.shape[0], slope.shape[2]
    weighted = slope * table.weights[..., None, None, None, None]
    parts = {
        (a, b): weighted[:, :, :, rows, :, columns]
        for a, rows in (("v", slice(0, 1)), ("g", slice(1, None)))
        for b, columns in (("v", slice(0, 1)), ("g", slice(1, None)))
    }
    phi = {"v": table.values[..., None], "g": table.gradients}
    k = table.values.shape[-1]
    total = slope.new_zeros(e, k, c, k, c)
    for (a, b), part in parts.items():
        if not bool(part.any()):
            continue
        if a == b == "g" and table.gradients.shape[1] == 1:
            part = part.sum(1, keepdim=True)
        points = part.shape[1]
        left, right = (phi[s].expand(-1, points, -1, -1) for s in (a, b))
        # (e, q, c, m, c, n) with (e, q, k, n): the inner sum first
        inner = (
            torch.einsum("eqambn,xqjn->eqamjb", part, right)
            if right.shape[0] == 1
            else torch.einsum("eqambn,eqjn->eqamjb", part, right)
        )
        m = left.shape[-1]
        flat_left = left.permute(0, 2, 1, 3).reshape(left.shape[0], k, points * m)
        flat_inner = inner.permute(0, 1, 3, 2, 4, 5).reshape(e, points * m, c * k * c)
        total += (flat_left @ flat_inner).reshape(e, k, c, k, c)
    return total.reshape(e, k * c, k * c)
