"""Neural fields against the test functions of finite elements: weak residuals and their derivatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.dynamics._weak_form import Density, WeakForm, element_matrices
from neuralpde.dynamics._weak_terms import WeakTerm
from neuralpde.fields import Field, Jet
from neuralpde.geometry import MeshDomain
from neuralpde.linalg import eigenpairs
from neuralpde.problems import Problem
from neuralpde.representations import FiniteElementField, NeuralField, Tables, TapedField, restricted
from neuralpde.types import UsageError

NEEDS = frozenset({"value", "grad"})
ENOUGH = 2
"""Test functions for each weight from which elements of degree 1 are enough."""

FEWEST = 1.5
CHUNK = 16_000_000
"""Numbers at a time in the derivatives at the points of elements: bounds their memory."""


@dataclass(frozen=True)
class _Chunk:
    """Some quadrature points, and what integrates densities there against the free test functions."""

    x: Tensor
    density: Density
    inside: bool
    tests: sp.csr_matrix
    """φ_i w and ∂_m φ_i w at the points, ``(N, (1 + d) n)``; ``(N, n)`` on the boundary."""

    def against(self, densities: Tensor) -> np.ndarray:
        """Integrals ``(N, m)`` of densities ``((1 + d) n, m)``, or of the first n rows' against the φ_i alone."""
        return self.tests[:, : len(densities)] @ densities.cpu().numpy()


class WeakTests:
    """Functionals r_i = mass ∫ φ_i u − γ R_i(t, u) of neural fields u on the free test functions φ_i, see
    :class:`WeakForm` for R.

    Args:
        problem: that states its flux.
        representation: a neural field on a mesh's domain.
        degree: of the test functions, 1 or 2; None takes 1 where the mesh has two of those for each weight, else 2.

    Raises:
        UsageError: for fewer test functions than one and a half times the weights.
    """

    def __init__(self, problem: Problem, representation: NeuralField, degree: int | None) -> None:
        self.problem, self.representation = problem, representation
        self.space = self._test_functions(degree)
        self.form = WeakForm(problem, self.space)
        self._kept: dict[str | None, list[_Chunk]] = {}

    def _test_functions(self, degree: int | None) -> FiniteElementField:
        r = self.representation
        assert isinstance(r.domain, MeshDomain)
        made = [
            FiniteElementField(r.domain, r.conditions, r.channels, degree=k, dtype=r.dtype, device=r.device)
            for k in ((1, 2) if degree is None else (degree,))
        ]
        chosen = next((tests for tests in made if tests.num_dofs >= ENOUGH * r.num_dofs), made[-1])
        if chosen.num_dofs < FEWEST * r.num_dofs:
            raise UsageError(
                f"{chosen.num_dofs} test functions on this mesh cannot determine {r.num_dofs} weights; use a finer "
                f"mesh or a network of at most {int(chosen.num_dofs / FEWEST)} weights."
            )
        return chosen

    def chunks(self, part: str | None = None) -> list[_Chunk]:
        """All quadrature points, inside and on the boundary, of the whole problem or of the term of that name."""
        if part not in self._kept:
            form = self.form if part is None else WeakTerm(self.problem, self.space, part)
            whole, *edges = form.pieces
            inside = [replace(chunk, density=whole.density) for chunk in self._inside]
            self._kept[part] = inside + [
                chunk for piece in edges for chunk in self._parted(piece.tables, piece.density)
            ]
        return self._kept[part]

    @cached_property
    def _inside(self) -> list[_Chunk]:
        # no matrix is made of it: a rule for ∇φ·∇u of smooth u, with half of the points of one for φ_i φ_j in 3D
        tables = self.space.tables.interior(self.space.degree + self.space.mesh.element.order)
        return self._parted(tables, self.form.pieces[0].density, True)

    def _parted(self, tables: Tables, density: Density, inside: bool = False) -> list[_Chunk]:
        """Points of some elements at a time."""
        (e, q), width = tables.weights.shape, self.space.dim + 1
        step = max(1, CHUNK // (width * self.representation.num_dofs * q))
        out = []
        for start in range(0, e, step):
            some = restricted(tables, slice(start, start + step))
            out.append(_Chunk(some.points.flatten(0, 1), density, inside, self._integrals(some, inside)))
        return out

    def _integrals(self, tables: Tables, inside: bool) -> sp.csr_matrix:
        """What takes densities at the points, φ's and then ∇φ's, to functionals on the free test functions."""
        e, q = tables.weights.shape
        k = tables.dofs.shape[1]
        parts = [tables.values.expand(e, q, k)]
        if inside:
            parts += list(tables.gradients.expand(e, q, k, -1).unbind(-1))
        data = torch.stack([part * tables.weights[..., None] for part in parts])
        rows = tables.dofs[None, :, None].expand(len(parts), e, q, k)
        columns = torch.arange(len(parts) * e * q, device=rows.device).reshape(len(parts), e, q, 1).expand_as(rows)
        shape = (self.space.tables.num_nodes, len(parts) * e * q)
        values, i, j = (a.reshape(-1).cpu().numpy() for a in (data, rows, columns))
        return sp.csr_matrix((values.astype(np.float64), (i, j)), shape=shape)[self.space.free.cpu().numpy()]

    def _densities(self, chunk: _Chunk, t: float, field: Field, mass: float, gamma: float) -> Tensor:
        """What multiplies φ_i, and ∇φ_i, in mass ∫ φ_i u − γ R_i, ``(1 or 1 + d, n, c)``."""
        if not gamma:
            return mass * field.jet(chunk.x, frozenset({"value"})).value[None]
        u = field.jet(chunk.x, NEEDS)
        load, flux = chunk.density(t, chunk.x, Jet(u.value, u.grad))
        if not chunk.inside:
            return (-gamma * load)[None]
        return torch.stack([mass * u.value - gamma * load, *(-gamma * flux).unbind(-1)])

    def functional(self, field: Field, t: float, mass: float, gamma: float, part: str | None = None) -> np.ndarray:
        """mass ∫ φ_i u − γ R_i(t, u), ``(N, c)``, R the whole or that of a term."""
        total = np.zeros((len(self.space.free), self.representation.channels))
        for chunk in self.chunks(part):
            if gamma or chunk.inside:
                with torch.no_grad():
                    densities = self._densities(chunk, t, field, mass, gamma)
                total += chunk.against(densities.flatten(0, 1))
        return total * self.free

    @cached_property
    def free(self) -> np.ndarray:
        """1 for every unknown of the nodes with a free one that is free itself, 0 for one that is held, ``(N, c)``."""
        return (~self.space.fixed[self.space.free]).cpu().double().numpy()

    def values(self, function: Callable[[Tensor], Tensor]) -> np.ndarray:
        """∫ φ_i f of a function ``(n, d)`` → ``(n, c)``, ``(N, c)``."""
        return self.free * sum(chunk.against(function(chunk.x)) for chunk in self._inside)

    def derivatives(self, theta: Tensor, t: float, mass: float, gamma: float, part: str | None = None) -> np.ndarray:
        """∂ of that functional by θ, ``(N c, p)``."""
        r = self.representation
        total = np.zeros((len(self.space.free), r.channels, r.num_dofs))
        for chunk in self.chunks(part):
            if not (gamma or chunk.inside):
                continue
            field = r.taped(theta, t)
            with torch.enable_grad():
                numbers = [part.unbind(-1) for part in self._densities(chunk, t, field, mass, gamma)]
            for a in range(r.channels):
                total[:, a] += chunk.against(torch.cat([_gradients(field, part[a]) for part in numbers]))
        total *= self.free[..., None]
        return total.reshape(-1, r.num_dofs)

    def jacobian(self, theta: Tensor) -> sp.csr_matrix:
        """∂R/∂u between the free test functions about a steady field."""
        with torch.no_grad():
            values = self.representation.at(theta, 0.0)(self.space.nodes)
        return self.form.jacobian(0.0, values)[1].tocsr()

    def stiffness(self, t: float, theta: Tensor) -> sp.csr_matrix:
        """∫ ∇φ_i·κ ∇φ_j on all nodes with κ the symmetric positive part of −∂flux/∂∇u at this field; where some
        component is held nowhere, and constants have no gradient, with κ/L² ∫ φ_i φ_j added."""
        space = self.space
        with torch.no_grad():
            values = self.representation.at(theta, t)(space.nodes)
        _, slopes = self.form.linearised(t, values)
        inner = -slopes[0][..., 1:, :, 1:]
        kappa = _positive(inner.flatten(4, 5).flatten(2, 3))
        slope = torch.zeros_like(slopes[0])
        slope[..., 1:, :, 1:] = kappa.reshape(inner.shape)
        out = space.pattern.matrix(element_matrices(space.quadrature_tables, slope))
        if not bool(space.fixed.any(0).all()):
            mean = float(kappa.diagonal(dim1=-2, dim2=-1).mean()) or 1.0
            out = out + mean / max(space.domain.lengths) ** 2 * space.mass()
        return out.tocsr()

    def gram(self, matrix: sp.csr_matrix) -> sp.csr_matrix:
        """A matrix of all unknowns on the nodes with a free one; what is held there is coupled to nothing."""
        c, kept = self.space.channels, self.free.reshape(-1)
        numbers = (self.space.free.cpu().numpy()[:, None] * c + np.arange(c)).reshape(-1)
        out = matrix[numbers][:, numbers]
        if kept.all():
            return out
        cut = sp.diags(kept)
        return (cut @ out @ cut + sp.diags((1 - kept) * float(out.diagonal().mean()))).tocsr()


def _positive(matrices: Tensor) -> Tensor:
    """The symmetric parts ``(…, m, m)``, with eigenvalues at least 1e-6 of the largest of all."""
    symmetric = 0.5 * (matrices + matrices.mT)
    if not bool(torch.linalg.cholesky_ex(symmetric)[1].any()):
        return symmetric
    size, axes = (part.unflatten(0, matrices.shape[:-2]) for part in eigenpairs(symmetric.flatten(0, -3)))
    return (axes * size.clamp_min(1e-6 * float(size.abs().max()))[..., None, :]) @ axes.mT


def _gradients(field: TapedField, numbers: Tensor) -> Tensor:
    """∂ of numbers by θ, where they depend on it."""
    if not numbers.requires_grad:
        return numbers.new_zeros(len(numbers), field.representation.num_dofs)
    return field.gradients(numbers)
