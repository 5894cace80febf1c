"""The system that is solved in place of the one in a script: fixed unknowns moved to b, diagonals made positive."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neuralpde.linalg import LinearOperator, LinearSolution
from neuralpde.linalg.prepare import Limits, PreparedSolver
from neuralpde.plugins._cells import Cells, as_kinds
from neuralpde.plugins._matrix import Signs, fixed_unknowns, scaled, signs, without_columns
from neuralpde.types import Status

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Reduced:
    """diag(s) (A − T) x = s (b − T x_F), where T are the columns of the unknowns F that rows of A fix.

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

    def right(self, b: Floats, known: Floats) -> Floats:
        """s (b − T x_F)."""
        moved = b if self.taken is None else b - self.taken @ known
        return np.asarray((self.signs * moved.T).T)


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


def solved_around_fixed(
    parts: tuple[PreparedSolver, Cells, Reduced], b: Floats, x0: Floats | None, limits: Limits
) -> LinearSolution:
    """A x = b where rows of A fix unknowns: these are known, and solved for are the others, with 0 in their place.

    The residual of what is left is that of A x = b then, whose fixed rows hold but for rounding.

    Args:
        parts: the solver of the reduced system, its cells, the system.
        b, x0: ``(n,)``.
        limits: rtol, atol, maxiter, of A x = b.
    """
    (prepared, cells, system), (rtol, atol, maxiter) = parts, limits
    scale, known = float(np.linalg.norm(b)), system.known(b)
    rest, start = system.right(b, known), None
    rest[system.fixed] = 0.0
    if x0 is not None:
        first = x0.copy()
        first[system.fixed] = 0.0
        start = cells.spread(first)
    target = max(rtol * scale, atol)
    right = cells.spread(rest)
    found = prepared.solve(right, x0=start, rtol=0.0, atol=target, maxiter=maxiter, raise_on_failure=False)
    x = cells.gather(found.x)
    x[system.fixed] = known[system.fixed]
    size, unit = float(np.linalg.norm(b - system.entries @ x)), scale or 1.0
    status = _judged(size, rtol * scale, target) if found.status.ok else found.status
    ratio = (float(np.linalg.norm(rest)) or 1.0) / unit
    history = (*(ratio * residual for residual in found.history[:-1]), size / unit)
    return replace(found, x=cells.spread(x), status=status, residual=size / unit, history=history)


def _judged(size: float, relative: float, target: float) -> Status:
    """A solve that claims to be done, by the residual of the system as it was given."""
    if size > target:
        return Status.STAGNATED  # by rounding errors of A x alone
    return Status.CONVERGED_RTOL if size <= relative else Status.CONVERGED_ATOL
