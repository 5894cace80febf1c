"""One level of a plane smoothed by lines: whole rows, whole columns or both are solved at once, every other one first.

Where couplings along one axis are much stronger than along the other, an error that is rough along the weak axis only
is smooth along the strong one; Gauss–Seidel by points leaves it, and coarse points of both axes do not see it. A sweep
by lines along the strong axis removes it. Before the coarse correction lines of odd number come first and rows before
columns; after it everything is the other way round, so that the cycle is symmetric.

Source: Trottenberg, Oosterlee and Schüller, Multigrid (2001), section 5.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpde.linalg.jit import compiled

Floats = NDArray[np.floating[Any]]


class LineLevel:
    """r → its coarse residual, and (r, coarse correction) → z.

    Args:
        stencil: couplings, float64, ``(2, n0, n1)`` or ``(4, n0, n1)``; see :mod:`_plane_transfers`.
        inverse: 1 / diagonal, 0 at isolated cells, ``(n0, n1)``.
        excess: row sums, ``(n0, n1)``.
        weights: of interpolation, ``(8, c0, c1)``.
        along: axes along which lines run: (0,), (1,) or both.
    """

    def __init__(
        self, stencil: Floats, inverse: Floats, excess: Floats, weights: Floats, along: tuple[int, ...]
    ) -> None:
        self.grid, self.coarse, self.along = inverse.shape, weights.shape[1:], along
        self._stencil = np.zeros((4, *self.grid), np.float32)
        self._stencil[: len(stencil)] = stencil
        self._excess, self._weights = excess.astype(np.float32), weights.astype(np.float32)
        diagonal = np.divide(1.0, inverse, out=np.zeros_like(inverse), where=inverse > 0.0)
        self._solid = np.flatnonzero(inverse == 0.0)
        self._pivots = {axis: np.zeros(self.grid, np.float32) for axis in along}
        if 1 in along:
            _row_pivots(stencil[0], diagonal, self._pivots[1])
        if 0 in along:
            _column_pivots(stencil[1], diagonal, self._pivots[0])

    @property
    def memory_bytes(self) -> int:
        arrays = (self._stencil, self._excess, self._weights, *self._pivots.values())
        return sum(array.nbytes for array in arrays)

    def down(self, r: Floats, scale: float) -> Floats:
        """Coarse residual, float32, after the first sweep for the right-hand side scale·r."""
        self._b = np.multiply(r, scale, dtype=np.float32, casting="same_kind")
        self._b.reshape(-1)[self._solid] = 0.0  # coarse points there may stand for cells of corridors
        self._x = np.zeros(self.grid, np.float32)
        self._sweep(self.along[::-1], 1)
        f = np.zeros(self.coarse, np.float32)
        _restrict(self.residual(self._b, self._x), self._weights, f)
        return f

    def up(self, r: Floats, scale: float, e: Floats, back: float, z: Floats) -> Floats:
        """z ← back · (the result of the first sweep, corrected by the coarse e, after the second sweep).

        Follows :meth:`down` with the same r.
        """
        _interpolate(e, self._weights, self._x)
        self._sweep(self.along, 0)
        np.multiply(self._x, back, out=z, casting="same_kind")
        return z

    def residual(self, r: Floats, z: Floats) -> Floats:
        """r − A z, from differences of z."""
        out = np.empty(self.grid, np.float32)
        _residual(r, z, self._stencil, self._excess, out)
        return out

    def _sweep(self, axes: tuple[int, ...], first: int) -> None:
        for axis in axes:
            solve = _solve_rows if axis == 1 else _solve_columns
            for parity in (first, 1 - first):
                solve(self._b, self._x, self._stencil, self._pivots[axis], parity)


@compiled
def _row_pivots(right, diagonal, pivots):  # type: ignore[no-untyped-def]
    """1 / pivots of the tridiagonal matrices of rows, without couplings that wrap around; 0 in solids."""
    rows, columns = diagonal.shape
    for i in range(rows):
        pivot = 0.0
        for j in range(columns):
            before = right[i, j - 1] if j else 0.0
            left = diagonal[i, j] - before * before * pivot
            pivot = 1.0 / left if left > 1e-7 * diagonal[i, j] else 0.0
            pivots[i, j] = pivot


@compiled
def _column_pivots(down, diagonal, pivots):  # type: ignore[no-untyped-def]
    rows, columns = diagonal.shape
    pivot = np.zeros(columns)
    for i in range(rows):
        for j in range(columns):
            before = down[i - 1, j] if i else 0.0
            left = diagonal[i, j] - before * before * pivot[j]
            pivot[j] = 1.0 / left if left > 1e-7 * diagonal[i, j] else 0.0
            pivots[i, j] = pivot[j]


@compiled
def _solve_rows(b, x, w, pivots, first):  # type: ignore[no-untyped-def]
    """x of every other row from b and the rows around it."""
    rows, columns = x.shape
    y = np.zeros(columns, np.float32)
    for i in range(first, rows, 2):
        lower, upper = (i - 1) % rows, (i + 1) % rows
        for j in range(columns):
            y[j] = b[i, j] + w[1, i, j] * x[upper, j] + w[1, lower, j] * x[lower, j]
        for j in range(columns - 1):
            y[j] += w[2, i, j] * x[upper, j + 1] + w[3, lower, j + 1] * x[lower, j + 1]
        for j in range(1, columns):
            y[j] += w[3, i, j] * x[upper, j - 1] + w[2, lower, j - 1] * x[lower, j - 1]
        last = columns - 1
        y[last] += w[2, i, last] * x[upper, 0] + w[3, lower, 0] * x[lower, 0] + w[0, i, last] * x[i, 0]
        y[0] += w[3, i, 0] * x[upper, last] + w[2, lower, last] * x[lower, last] + w[0, i, last] * x[i, last]
        y[0] *= pivots[i, 0]
        for j in range(1, columns):
            y[j] = pivots[i, j] * (y[j] + w[0, i, j - 1] * y[j - 1])
        x[i, last] = y[last]
        for j in range(last - 1, -1, -1):
            x[i, j] = y[j] + pivots[i, j] * w[0, i, j] * x[i, j + 1]


@compiled
def _solve_columns(b, x, w, pivots, first):  # type: ignore[no-untyped-def]
    """x of every other column from b and the columns around it."""
    rows, columns = x.shape
    top = rows - 1
    y = np.zeros(x.shape, np.float32)
    for i in range(rows):
        lower, upper = (i - 1) % rows, (i + 1) % rows
        for j in range(first, columns, 2):
            left, right = (j - 1 if j else columns - 1), (j + 1 if j + 1 < columns else 0)
            value = b[i, j] + w[0, i, j] * x[i, right] + w[0, i, left] * x[i, left]
            value += w[2, i, j] * x[upper, right] + w[3, i, j] * x[upper, left]
            value += w[2, lower, left] * x[lower, left] + w[3, lower, right] * x[lower, right]
            y[i, j] = value
        if i == 0 or i == top:
            other = top - i
            for j in range(first, columns, 2):
                y[i, j] += w[1, top, j] * x[other, j]
        if i:
            for j in range(first, columns, 2):
                y[i, j] += w[1, i - 1, j] * y[i - 1, j]
        for j in range(first, columns, 2):
            y[i, j] *= pivots[i, j]
    for j in range(first, columns, 2):
        x[top, j] = y[top, j]
    for i in range(top - 1, -1, -1):
        for j in range(first, columns, 2):
            x[i, j] = y[i, j] + pivots[i, j] * w[1, i, j] * x[i + 1, j]


@compiled
def _residual(r, x, w, excess, out):  # type: ignore[no-untyped-def]
    rows, columns = x.shape
    for i in range(rows):
        lower, upper = (i - 1) % rows, (i + 1) % rows
        for j in range(columns):
            left, right = (j - 1 if j else columns - 1), (j + 1 if j + 1 < columns else 0)
            u = x[i, j]
            value = r[i, j] - excess[i, j] * u
            value += w[0, i, j] * (x[i, right] - u) + w[0, i, left] * (x[i, left] - u)
            value += w[1, i, j] * (x[upper, j] - u) + w[1, lower, j] * (x[lower, j] - u)
            value += w[2, i, j] * (x[upper, right] - u) + w[3, i, j] * (x[upper, left] - u)
            value += w[2, lower, left] * (x[lower, left] - u) + w[3, lower, right] * (x[lower, right] - u)
            out[i, j] = value


@compiled
def _restrict(r, weights, f):  # type: ignore[no-untyped-def]
    """f = Pᵀ r."""
    rows, columns = r.shape
    coarse0, coarse1 = f.shape
    for a in range(coarse0):
        b = (a + 1) % coarse0
        for c in range(coarse1):
            d = (c + 1) % coarse1
            f[a, c] += r[2 * a, 2 * c]
            if 2 * c + 1 < columns:
                f[a, c] += weights[0, a, c] * r[2 * a, 2 * c + 1]
                f[a, d] += weights[1, a, c] * r[2 * a, 2 * c + 1]
            if 2 * a + 1 < rows:
                f[a, c] += weights[2, a, c] * r[2 * a + 1, 2 * c]
                f[b, c] += weights[3, a, c] * r[2 * a + 1, 2 * c]
            if 2 * c + 1 < columns and 2 * a + 1 < rows:
                value = r[2 * a + 1, 2 * c + 1]
                f[a, c] += weights[4, a, c] * value
                f[a, d] += weights[5, a, c] * value
                f[b, c] += weights[6, a, c] * value
                f[b, d] += weights[7, a, c] * value


@compiled
def _interpolate(e, weights, x):  # type: ignore[no-untyped-def]
    """x += P e."""
    rows, columns = x.shape
    coarse0, coarse1 = e.shape
    for a in range(coarse0):
        b = (a + 1) % coarse0
        for c in range(coarse1):
            d = (c + 1) % coarse1
            x[2 * a, 2 * c] += e[a, c]
            if 2 * c + 1 < columns:
                x[2 * a, 2 * c + 1] += weights[0, a, c] * e[a, c] + weights[1, a, c] * e[a, d]
            if 2 * a + 1 < rows:
                x[2 * a + 1, 2 * c] += weights[2, a, c] * e[a, c] + weights[3, a, c] * e[b, c]
            if 2 * c + 1 < columns and 2 * a + 1 < rows:
                value = weights[4, a, c] * e[a, c] + weights[5, a, c] * e[a, d]
                x[2 * a + 1, 2 * c + 1] += value + weights[6, a, c] * e[b, c] + weights[7, a, c] * e[b, d]
