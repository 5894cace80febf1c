"""Linear systems of finite elements: (mass·M − γ ∂R/∂u) δ = g on the free unknowns."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import SuperLU
from torch import Tensor

from neuralpde.dynamics._kept_preconditioner import PATIENCE, KeptFactors, KeptPreconditioner
from neuralpde.dynamics._newton import Newton
from neuralpde.linalg import (
    AlgebraicMultigrid,
    LinearOperator,
    Preconditioner,
    SparseOperator,
    positive_definite,
    solve_linear,
    symmetric_lu,
)
from neuralpde.types import NotConvergedError, Status, UsageError

DIRECT = {2: 300_000, 3: 15_000}
"""Unknowns up to which sparse LU is the faster choice for a matrix that is solved with many times, by dimension."""

DIRECT_ONCE = {2: 50_000, 3: 5_000}
"""The same for one that is solved with once."""

NEARBY = {2: 5_000, 3: 2_000}
"""Unknowns from which on factors of an earlier matrix are worth keeping; new ones of smaller matrices take no time."""

SYMMETRY = 1e-10

ROUNDINGS = 50
"""Of the entries of a matrix, up to which it is symmetric."""

LEAST = 1e-13
"""Relative residual below which Krylov methods are not asked to go: rounding."""


@dataclass(frozen=True)
class Iteration:
    """A matrix and how it is solved with.

    Args:
        operator: the matrix.
        solver: ``"cg"`` or ``"gmres"``.
        M: the preconditioner, built.
    """

    operator: SparseOperator
    solver: str
    M: LinearOperator | str


class FiniteElementSystems:
    """Solves with sparse LU, or with CG or GMRES and algebraic multigrid.

    Args:
        name: of the problem.
        dim: number of space dimensions.
        options: of Newton's method.
        multigrid: makes the one that suits the problem.

    Raises:
        UsageError: for ``linear="fast"``.
    """

    def __init__(
        self, name: str, dim: int, options: Newton, multigrid: Callable[[], Preconditioner] = AlgebraicMultigrid
    ) -> None:
        if options.linear == "fast":
            raise UsageError("linear='fast' is for grids; finite elements take 'auto', 'direct', 'cg' or 'gmres'.")
        self.name, self.dim, self.options = name, dim, options
        self.multigrid = multigrid
        self.kept = KeptPreconditioner(multigrid)
        self.old = KeptFactors()

    def factors(
        self, matrix: sp.csr_matrix | sp.bsr_matrix, once: bool = False, near: bool = False
    ) -> SuperLU | Iteration:
        """LU of a matrix, or a Krylov method with multigrid, in double precision.

        Args:
            matrix: in blocks where a node has several unknowns.
            once: whether it will hardly be solved with again.
            near: whether it is symmetric, and near to the last one that was called so: with ``linear="auto"`` factors
                of that one may then serve CG. CG itself tells where the matrix is not positive definite.

        Raises:
            UsageError: for CG where the matrix is not symmetric.
            NotConvergedError: for a matrix that is singular or not finite.
        """
        if not np.isfinite(matrix.data).all():
            raise NotConvergedError(f"{Status.NON_FINITE.sentence()}.")
        small = matrix.shape[0] <= (DIRECT_ONCE if once else DIRECT).get(self.dim, 0)
        if not (self.options.linear == "direct" or (self.options.linear == "auto" and small)):
            return self._iteration(matrix, once, near)
        if not (near and self.options.linear == "auto" and matrix.shape[0] >= NEARBY.get(self.dim, math.inf)):
            return self._factors(matrix)
        if self.old.serve(matrix.shape) and self.old.operator is not None:
            whole = SparseOperator(matrix.astype(np.float64, copy=False), symmetric=True, positive_definite=True)
            return Iteration(whole, "cg", self.old.operator)
        found = self._factors(matrix)
        self.old.keep(found)
        return found

    def _factors(self, matrix: sp.csr_matrix | sp.bsr_matrix) -> SuperLU:
        try:
            return symmetric_lu(matrix)
        except RuntimeError as error:
            raise NotConvergedError(f"{Status.SINGULAR_MATRIX.sentence()}.") from error

    def iterates(self, matrix: sp.csr_matrix | sp.bsr_matrix) -> bool:
        """Whether a matrix that is solved with once is solved with by a Krylov method."""
        small = matrix.shape[0] <= DIRECT_ONCE.get(self.dim, 0)
        return not (self.options.linear == "direct" or (self.options.linear == "auto" and small))

    def _iteration(self, matrix: sp.csr_matrix | sp.bsr_matrix, once: bool, symmetric: bool) -> Iteration:
        symmetry = max(SYMMETRY, ROUNDINGS * np.finfo(matrix.dtype).eps)
        matrix = matrix.astype(np.float64, copy=False)
        symmetric = symmetric or _is_symmetric(matrix, symmetry)
        solver = {"auto": "cg" if symmetric else "gmres"}.get(self.options.linear, self.options.linear)
        if solver == "cg" and not symmetric:
            raise UsageError("linear='cg' needs a symmetric matrix; use linear='gmres' or linear='direct'.")
        operator = SparseOperator(matrix, symmetric=symmetric, positive_definite=solver == "cg")
        try:
            return Iteration(operator, solver, self.kept.build(operator) if once else self.multigrid().build(operator))
        except UsageError:  # a diagonal that is not positive
            return Iteration(operator, solver, "jacobi")

    def solve(self, factors: SuperLU | Iteration, g: Tensor, rtol: float = 1.0, inexact: bool = False) -> Tensor:
        """matrix⁻¹ g.

        Args:
            factors: of the matrix.
            g: the right-hand side.
            rtol: relative residual that a Krylov method tries to reach, where it is below ``linear_rtol``.
            inexact: reach ``rtol`` alone, above ``linear_rtol`` as well.

        Raises:
            NotConvergedError: where a Krylov method fails.
        """
        if isinstance(factors, SuperLU):
            return torch.as_tensor(factors.solve(g.cpu().double().numpy()), dtype=g.dtype, device=g.device)
        tolerance = max(rtol, LEAST) if inexact else min(self.options.linear_rtol, max(rtol, LEAST))
        if factors.M is self.old.operator:
            return self._nearby(factors.operator, g, tolerance)
        try:
            return self._krylov(factors, g, tolerance)
        except NotConvergedError as error:  # it may have come down to its own rounding
            if error.result is not None and error.result.residual <= max(tolerance, self.options.linear_rtol):
                return error.result.x.to(g)
            if factors.M is not self.kept.latest or not self.kept.drop():
                raise
        return self._krylov(replace(factors, M=self.kept.build(factors.operator)), g, tolerance)

    def _nearby(self, operator: SparseOperator, g: Tensor, rtol: float) -> Tensor:
        """By CG with the factors of an earlier matrix, or by new ones where that takes as long."""
        right = g.cpu().double()
        found = solve_linear(
            operator, right, M=self.old.operator, rtol=rtol, maxiter=2 * PATIENCE, raise_on_failure=False
        )
        if found.status.ok:
            self.old.note(found.iterations)
            return found.x.to(g)
        made = self._factors(operator.matrix)
        self.old.keep(made)
        if not positive_definite(made):
            raise NotConvergedError(f"{Status.INDEFINITE_MATRIX.sentence()}.")
        return torch.from_numpy(made.solve(right.numpy())).to(g)

    def _krylov(self, made: Iteration, g: Tensor, rtol: float) -> Tensor:
        right = g.to(made.operator.device, torch.float64)
        found = solve_linear(made.operator, right, solver=made.solver, M=made.M, rtol=rtol)
        if made.M is self.kept.latest:
            self.kept.note(found.iterations, rtol)
        return found.x.to(g)


def _is_symmetric(matrix: sp.csr_matrix | sp.bsr_matrix, tolerance: float) -> bool:
    """Whether yᵀAx is xᵀAy: a copy of the transpose would cost as much as some cycles of multigrid."""
    x, y = np.random.default_rng(0).standard_normal((2, matrix.shape[0]))
    product = matrix @ x
    return bool(abs(y @ product - x @ (matrix @ y)) <= tolerance * np.linalg.norm(product))
