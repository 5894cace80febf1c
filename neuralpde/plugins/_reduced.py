"""The system that is solved in place of the one in a script: fixed unknowns moved to b, diagonals made positive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neuralpde.linalg import LinearOperator
from neuralpde.plugins._cells import Cells, as_kinds
from neuralpde.plugins._matrix import Signs, fixed_unknowns, scaled, signs, without_columns

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
    """

    operator: LinearOperator
    signs: Signs
    fixed: NDArray[np.intp]
    pivots: Floats
    taken: sp.csr_matrix | None

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
    csr, taken = without_columns(csr, fixed) if fixed.size else (csr, None)
    s = signs(csr)
    with as_kinds():
        return Reduced(cells.operator(scaled(csr, s)), s, fixed, pivots, taken)
