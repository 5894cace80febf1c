"""A problem on finite elements: Galerkin's method."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import SuperLU, splu
from torch import Tensor

from neuralpde.dynamics._terms import whole_only
from neuralpde.dynamics._weak_form import WeakForm
from neuralpde.integrators import Blend, Dynamics, Stage, State, Terms
from neuralpde.linalg import MatrixOperator, solve_linear
from neuralpde.problems import Problem
from neuralpde.representations import FiniteElementField
from neuralpde.types import NotConvergedError, Status, UsageError

SOLVERS = ("auto", "direct", "cg", "gmres")
DIRECT = {2: 300_000, 3: 15_000}
"""Unknowns up to which sparse LU is the faster choice, by dimension."""

SYMMETRY = 1e-10


@dataclass(frozen=True)
class FiniteElementNewton:
    """Newton's method of implicit stages and steady problems on finite elements.

    Args:
        linear: ``"direct"`` (sparse LU, kept while the matrix stays the same), ``"cg"`` or ``"gmres"`` (with algebraic
            multigrid), or ``"auto"``: LU for small problems, else CG where the matrix is symmetric, else GMRES.
        rtol: stop when the residual is below rtol times the first one.
        linear_rtol: tolerance of the Krylov methods.
        maxiter: most iterations.
    """

    linear: str = "auto"
    rtol: float = 1e-11
    linear_rtol: float = 1e-11
    maxiter: int = 25

    def __post_init__(self) -> None:
        if self.linear not in SOLVERS:
            raise UsageError(f"the linear solvers of finite elements are {', '.join(SOLVERS)}; got {self.linear!r}.")


class FiniteElementDynamics(Dynamics):
    """M θ̇ = R(t, θ) with the mass matrix M and the weak residual R, see :class:`WeakForm`.

    A slope is R at all nodes. Boundary data that move in time enter through M as their own values at both ends of a
    stage. A steady problem solves R = 0.

    Args:
        problem: that states its flux.
        representation: the finite elements.
        newton: options of implicit stages and steady problems.
    """

    def __init__(
        self, problem: Problem, representation: FiniteElementField, newton: FiniteElementNewton | None = None
    ) -> None:
        self.problem, self.representation = problem, representation
        self.newton = newton or FiniteElementNewton()
        self.parts = problem.terms()
        self.form = WeakForm(problem, representation)
        self._kept: tuple[float, float, list[Tensor], sp.csr_matrix, SuperLU | None] | None = None

    @cached_property
    def mass(self) -> sp.csr_matrix:
        """M of all unknowns."""
        return self.representation.mass()

    def slope(self, t: float, theta: Tensor, part: str | None = None) -> Tensor:
        whole_only(part)
        return self.form.residual(t, self.representation.values(theta, t))

    def explicit(self, base: State, terms: Terms, t: float, guess: Tensor | None = None) -> Stage:
        return self._newton(self._target(base, terms), 1.0, 0.0, t, base.theta if guess is None else guess)

    def implicit(
        self, base: State, terms: Terms, gamma: float, t: float, guess: Tensor | None = None, part: str | None = None
    ) -> Stage:
        whole_only(part)
        return self._newton(self._target(base, terms), 1.0, gamma, t, base.theta if guess is None else guess)

    def steady(self, guess: Tensor) -> Stage:
        """θ with R(0, θ) = 0."""
        zero = torch.zeros(self.representation.tables.num_nodes, self.representation.channels, dtype=guess.dtype)
        return self._newton(zero.to(guess.device), 0.0, 1.0, 0.0, guess)

    def flow(
        self,
        part: int,
        base: State | Blend,
        dt: float,
        guess: Tensor | None = None,
        carrier: State | Blend | None = None,
    ) -> Stage:
        raise UsageError("finite elements have no flows of single terms; use RK4, SDIRK4 or ImplicitMidpoint.")

    @property
    def flows(self) -> tuple[bool, ...]:
        return (False,) * len(self.parts)

    def _target(self, base: State, terms: Terms) -> Tensor:
        """M u_base + Σ c_j R_j at all nodes."""
        total = self._weighed(self.representation.values(base.theta, base.t))
        for c, slope in terms:
            total = total + c * slope
        return total

    def _weighed(self, values: Tensor) -> Tensor:
        product = self.mass @ values.reshape(-1).cpu().numpy()
        return torch.as_tensor(product, dtype=values.dtype, device=values.device).reshape(values.shape)

    def _newton(self, target: Tensor, mass: float, gamma: float, t: float, theta: Tensor) -> Stage:
        """Solve mass·M u − γ R(t, u) = target on the free nodes."""
        r, options = self.representation, self.newton
        first = scale = math.inf
        for iteration in range(options.maxiter + 1):
            values = r.values(theta, t)
            rest, slopes = self.form.linearised(t, values) if gamma else (torch.zeros_like(values), [])
            inertia = self._weighed(values) if mass else torch.zeros_like(values)
            g = (mass * inertia - gamma * rest - target)[r.free].reshape(-1)
            size = float(g.norm())
            if not math.isfinite(size):
                return Stage(theta, Status.NON_FINITE, size, iteration)
            if iteration == 0:
                first = size
                scale = max(first, float(target[r.free].norm()), float((mass * inertia)[r.free].norm()))
            if size <= options.rtol * scale or size <= 1e-300:
                return Stage(theta, Status.CONVERGED_RTOL, size, iteration)
            if iteration == options.maxiter:
                break
            try:
                step = self._solve(mass, gamma, slopes, g)
            except NotConvergedError as error:
                status = getattr(error.result, "status", Status.SINGULAR_MATRIX)
                return Stage(theta, status, size, iteration)
            theta = theta - step
        # rounding keeps large systems above any tolerance: what no longer falls has converged there
        if size <= 1e-9 * scale:
            return Stage(theta, Status.CONVERGED_ATOL, size, options.maxiter)
        return Stage(theta, Status.MAXITER, size, options.maxiter)

    def _solve(self, mass: float, gamma: float, slopes: list[Tensor], g: Tensor) -> Tensor:
        """(mass·M − γ ∂R/∂u)⁻¹ g on the free unknowns."""
        kept = self._kept
        same = (
            kept is not None
            and kept[:2] == (mass, gamma)
            and all(torch.equal(a, b) for a, b in zip(kept[2], slopes, strict=True))
        )
        if not same:
            free = self.representation.free_dofs
            whole = mass * self.mass if mass else None
            if gamma:
                jacobian = self.form.jacobian(slopes)
                whole = -gamma * jacobian if whole is None else whole - gamma * jacobian
            assert whole is not None
            matrix = whole[free][:, free]
            self._refuse_singular(matrix, mass)
            kept = (mass, gamma, slopes, matrix, self._factors(matrix))
            self._kept = kept
        assert kept is not None
        matrix, factors = kept[3], kept[4]
        if factors is not None:
            return torch.as_tensor(factors.solve(g.cpu().double().numpy()), dtype=g.dtype, device=g.device)
        symmetric = abs(matrix - matrix.T).max() <= SYMMETRY * abs(matrix).max()
        solver = {"auto": "cg" if symmetric else "gmres"}.get(self.newton.linear, self.newton.linear)
        if solver == "cg" and not symmetric:
            raise UsageError("linear='cg' needs a symmetric matrix; use linear='gmres' or linear='direct'.")
        operator = MatrixOperator(matrix, symmetric=symmetric, positive_definite=solver == "cg")
        found = solve_linear(operator, g, solver=solver, M="amg", rtol=self.newton.linear_rtol)
        return found.x.to(g)

    def _factors(self, matrix: sp.csr_matrix) -> SuperLU | None:
        small = matrix.shape[0] <= DIRECT.get(self.representation.dim, 0)
        if self.newton.linear == "direct" or (self.newton.linear == "auto" and small):
            try:
                # the pattern is symmetric: an ordering for A + Aᵀ with pivots on the diagonal halves the fill
                return splu(
                    matrix.tocsc(),
                    permc_spec="MMD_AT_PLUS_A",
                    diag_pivot_thresh=0.01,
                    options={"SymmetricMode": True},
                )
            except RuntimeError as error:
                raise NotConvergedError(f"{Status.SINGULAR_MATRIX.sentence()}.") from error
        return None

    def _refuse_singular(self, matrix: sp.csr_matrix, mass: float) -> None:
        """A constant on a part that nothing holds is in the null space of a steady problem's matrix."""
        if mass or not matrix.shape[0]:
            return
        count, part = connected_components(matrix, directed=False)
        size = abs(matrix).max()
        sums = np.abs(matrix @ np.ones(matrix.shape[0]))
        for number in range(count):
            if sums[part == number].max() <= 1e-12 * size:
                name = self.problem.name
                raise UsageError(
                    f"{name} with these conditions fixes u only up to a constant"
                    + (" on a part of the mesh that nothing else joins" if count > 1 else "")
                    + ": give u on a part of the boundary (Dirichlet), or an exchange (Robin)."
                )
