"""The system that is solved in place of the one in a script: fixed unknowns moved to b, diagonals made positive."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from neuralpde.linalg import LinearOperator, LinearSolution, MatrixOperator
from neuralpde.linalg.prepare import Limits, PreparedSolver
from neuralpde.linalg.proof import compensated, rounding_counts
from neuralpde.linalg.refinement import FLOOR
from neuralpde.linalg.vectors import norm
from neuralpde.plugins._cells import Cells, as_kinds
from neuralpde.plugins._matrix import Signs, fixed_unknowns, scaled, signs, without_columns
from neuralpde.types import Status

Floats = NDArray[np.float64]

_PASSES = 4
_CLEARLY = 0.5
"""Of the tolerance: what is solved for again must reach it with the rounding errors on top."""


@dataclass(frozen=True, eq=False)
class Reduced:
    """diag(s) (A − T) (x − x_F) = s (b − T x_F), and 0 in the rows F.

    Rows of A fix the unknowns F, whose values are x_F; T are their columns in the other rows.

    Args:
        operator: diag(s) (A − T), on the cells of the grid where there is one.
        signs: s.
        fixed: the unknowns F.
        pivots: their diagonal entries.
        taken: T.
        entries: A.
    """

    operator: LinearOperator
    signs: Signs
    fixed: NDArray[np.intp]
    pivots: Floats
    taken: sp.csr_matrix | None
    entries: sp.csr_matrix

    def known(self, b: Floats) -> Floats:
        """x_F = b_F / a_FF, and 0 elsewhere."""
        known = np.zeros_like(b)
        known[self.fixed] = (b[self.fixed].T / self.pivots).T
        return known

    def right(self, b: Floats, known: Floats | None = None) -> Floats:
        """s (b − T x_F), with 0 in the rows of F."""
        moved = b if self.taken is None or known is None else b - self.taken @ known
        return self.unfixed(np.asarray((self.signs * moved.T).T))

    def unfixed(self, x: Floats) -> Floats:
        """x with 0 in the place of the unknowns that rows fix."""
        if not self.fixed.size:
            return x
        rest = x.copy()
        rest[self.fixed] = 0.0
        return rest

    @property
    def is_given(self) -> bool:
        """Whether the operator has the very entries of A, but for signs."""
        return not self.fixed.size and isinstance(self.operator, MatrixOperator)

    def residual(self, b: Floats, x: Floats) -> tuple[Floats, float]:
        """r = b − A x of the matrix that was given, and ‖r‖; with compensated sums where rounding errors count."""
        A = self.entries
        r = b - A @ x
        size, length = norm(torch.from_numpy(r)), norm(torch.from_numpy(x))
        if 0.0 < size < math.inf and rounding_counts(A.nnz / A.shape[0], self._largest, length, size):
            better = compensated(A, x, b)
            exact = norm(torch.from_numpy(better))
            if math.isfinite(exact):
                return better, exact
        return r, size

    @cached_property
    def _largest(self) -> float:
        return float(abs(self.entries.data).max()) if self.entries.nnz else 0.0


def reduced(csr: sp.csr_matrix, cells: Cells) -> Reduced:
    """The matrix without the columns of fixed unknowns, of positive diagonal where it is definite.

    Raises:
        UsageError: when it does not fit the grid.
    """
    fixed = fixed_unknowns(csr)
    pivots = csr.diagonal()[fixed]
    given = csr
    csr, taken = without_columns(csr, fixed) if fixed.size else (csr, None)
    s = signs(csr)
    with as_kinds():
        return Reduced(cells.operator(scaled(csr, s)), s, fixed, pivots, taken, given)


def solved_as_given(
    parts: tuple[PreparedSolver, Cells, Reduced], b: Floats, x0: Floats | None, limits: Limits
) -> LinearSolution:
    """A x = b by the system in its place, judged by the residual of the matrix that was given.

    The two differ by the columns of the unknowns that rows of A fix, which are known. On a grid they also differ by
    rounding errors: what a row holds beyond its weights has those of a sum, and two mirrored entries have one mean.
    Where ‖A‖ ‖x‖ is large beside ‖b‖ these count, and what they leave of b is solved for again.

    Args:
        parts: the solver of the system in place, its cells, the system.
        b, x0: ``(n,)``.
        limits: rtol, atol, maxiter, of A x = b.
    """
    (prepared, cells, system), (rtol, atol, maxiter) = parts, limits
    scale, known = norm(torch.from_numpy(b)), system.known(b)
    target = max(rtol * scale, atol)
    rest = system.right(b, known)
    if system.fixed.size and math.isfinite(scale):  # else ‖rest‖ = ‖b‖
        limits = (0.0, target, maxiter)
    start = None if x0 is None else cells.spread(system.unfixed(x0))
    found = prepared.solve(cells.spread(rest), x0=start, **_named(limits))
    x = known + system.unfixed(cells.gather(found.x))
    r, size = system.residual(b, x)
    history = [residual * (norm(torch.from_numpy(rest)) or 1.0) for residual in found.history]
    history[-1], iterations = size, found.iterations
    for _ in range(_PASSES if found.status.ok and size > target else 0):
        left = None if maxiter is None else maxiter - iterations
        more = prepared.solve(cells.spread(system.right(r)), **_named((0.0, _CLEARLY * target, left)))
        trial = x + system.unfixed(cells.gather(more.x))
        less, reached = system.residual(b, trial)
        history += [residual * size for residual in more.history[1:]]
        iterations += more.iterations
        if reached < size:
            x, r, size = trial, less, reached
        history[-1] = size
        if size <= target:
            break
    unit, status, notes = scale or 1.0, found.status, found.notes
    if status.ok:
        status = _judged(size, rtol * scale, target)
        notes += () if status.ok else (FLOOR,)
    return replace(
        found,
        x=cells.spread(x),
        status=status,
        iterations=iterations,
        residual=size / unit,
        history=tuple(residual / unit for residual in history),
        notes=notes,
    )


def _named(limits: Limits) -> dict[str, Any]:
    rtol, atol, maxiter = limits
    return {"rtol": rtol, "atol": atol, "maxiter": maxiter, "raise_on_failure": False}


def _judged(size: float, relative: float, target: float) -> Status:
    """A solve that claims to be done, by the residual of the matrix that was given."""
    if size > target:
        return Status.STAGNATED  # by rounding errors of A x alone
    return Status.CONVERGED_RTOL if size <= relative else Status.CONVERGED_ATOL
