"""V- and W-cycles on a hierarchy of PyAMG's, with half of its work and, in single precision, half of its memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Level:
    """A = L + D + U of one level, and the way to the next.

    Args:
        lower, upper: L and U, with D in both for a matrix of numbers, and without it for one of blocks.
        diagonal: D ``(n,)`` of numbers, or the inverses ``(n, b, b)`` of its blocks.
        prolongation, restriction: P and R.
    """

    lower: sp.spmatrix
    upper: sp.spmatrix
    diagonal: Floats
    prolongation: sp.spmatrix
    restriction: sp.spmatrix

    @property
    def rows(self) -> int:
        return len(self.diagonal)

    def beyond(self, part: sp.spmatrix, x: Floats) -> Floats:
        """L x or U x."""
        return part @ x - self.diagonal * x if self.diagonal.ndim == 1 else part @ x

    def substitute(self, part: sp.spmatrix, b: Floats, forwards: bool) -> Floats:
        """(D + L)⁻¹ b or (D + U)⁻¹ b."""
        from pyamg import amg_core

        x, n = np.zeros_like(b), self.rows
        sweep = (0, n, 1) if forwards else (n - 1, -1, -1)
        if self.diagonal.ndim == 1:
            amg_core.gauss_seidel(part.indptr, part.indices, part.data, x, b, *sweep)
        else:
            size = self.diagonal.shape[-1]
            blocks = (part.data.reshape(-1), x, b, self.diagonal.reshape(-1))
            amg_core.block_gauss_seidel(part.indptr, part.indices, *blocks, *sweep, size)
        return x


class GaussSeidelCycle:
    """r → one cycle from x = 0, with a sweep forwards before each coarse correction and one backwards after it.

    The sweeps are substitutions with the two halves of A = L + D + U, and what they leave is known from the halves: a
    sweep from x to y, (D + L) y = b − U x, leaves the residual U (x − y). Sweeps and residual together read A twice,
    where PyAMG's cycle reads it three times, and twice more for norms of residuals that nobody asks for.

    Args:
        levels: of PyAMG's, finest first, with Gauss–Seidel sweeps of numbers or blocks in mind.
        cycle: ``"V"`` or ``"W"``.
        dtype: of all work. In float32 the cycle reads half the memory, and its rounding, which is far below its error,
            is another preconditioner's: judge the residual in float64.
    """

    def __init__(self, levels: list[Any], cycle: str, dtype: type[np.floating[Any]] = np.float64) -> None:
        self.visits, self.dtype = {"V": 1, "W": 2}[cycle], dtype
        self.levels = [_level(level, dtype) for level in levels[:-1]]
        self._coarsest = dense_inverse(levels[-1].A.toarray()).astype(dtype)

    def __call__(self, r: NDArray[np.float64]) -> NDArray[np.float64]:
        largest = float(np.abs(r).max(initial=0.0))
        if largest == 0.0 or not np.isfinite(largest):
            return np.zeros_like(r) if largest == 0.0 else np.full_like(r, np.nan)
        return largest * self._cycle(0, (r / largest).astype(self.dtype), None).astype(np.float64)

    def _cycle(self, number: int, b: Floats, x: Floats | None) -> Floats:
        if number == len(self.levels):
            return np.asarray(self._coarsest @ b)
        level = self.levels[number]
        before = None if x is None else level.beyond(level.upper, x)
        y = level.substitute(level.lower, b if before is None else b - before, True)
        left = level.beyond(level.upper, y)
        coarse_b = level.restriction @ (-left if before is None else before - left)
        coarse_x = self._cycle(number + 1, coarse_b, None)
        if number + 1 < len(self.levels):
            for _ in range(1, self.visits):
                coarse_x = self._cycle(number + 1, coarse_b, coarse_x)
        y += level.prolongation @ coarse_x
        return level.substitute(level.upper, b - level.beyond(level.lower, y), False)


def _level(level: Any, dtype: type[np.floating[Any]]) -> Level:
    from pyamg.util.utils import get_block_diag

    a, ways = level.A, (cast(level.P, dtype), cast(level.R, dtype))
    if a.format != "bsr" or a.blocksize == (1, 1):
        a = a.tocsr()
        return Level(_part(a, np.less_equal, dtype), _part(a, np.greater_equal, dtype), _diagonal(a, dtype), *ways)
    inverses = get_block_diag(a, blocksize=a.blocksize[0], inv_flag=True).astype(dtype)
    return Level(_part(a, np.less, dtype), _part(a, np.greater, dtype), inverses, *ways)


def cast(a: sp.spmatrix, dtype: type[np.floating[Any]]) -> sp.spmatrix:
    """A sparse matrix in another precision, without SciPy's search for duplicates, a loop over rows in Python."""
    if a.format != "bsr" or a.blocksize == (1, 1):
        return a.tocsr().astype(dtype)
    return type(a)((a.data.astype(dtype), a.indices, a.indptr), shape=a.shape)


def _diagonal(a: sp.csr_matrix, dtype: type[np.floating[Any]]) -> Floats:
    return np.asarray(a.diagonal()).astype(dtype)


def _part(a: sp.csr_matrix | sp.bsr_matrix, which: np.ufunc, dtype: type[np.floating[Any]]) -> sp.spmatrix:
    """The entries (or blocks) of a matrix whose columns and rows compare so."""
    counts = np.diff(a.indptr)
    chosen = which(a.indices, np.repeat(np.arange(len(counts), dtype=a.indices.dtype), counts))
    pointers = np.concatenate([[0], np.cumsum(chosen, dtype=a.indptr.dtype)])[a.indptr].astype(a.indptr.dtype)
    return type(a)((a.data[chosen].astype(dtype), a.indices[chosen], pointers), shape=a.shape)


def dense_inverse(a: NDArray[np.float64]) -> NDArray[np.float64]:
    """That of a coarsest matrix, or its pseudoinverse where it is singular."""
    if np.allclose(a, a.T, rtol=0.0, atol=1e-12 * np.abs(a).max(initial=0.0)):
        try:
            factor = scipy.linalg.cho_factor(a)
        except np.linalg.LinAlgError:
            return np.asarray(scipy.linalg.pinvh(a))
        pivots = np.diag(factor[0])
        if pivots.min() > 1e-6 * pivots.max():
            return np.asarray(scipy.linalg.cho_solve(factor, np.eye(len(a))))
        return np.asarray(scipy.linalg.pinvh(a))
    return np.asarray(scipy.linalg.pinv(a))
