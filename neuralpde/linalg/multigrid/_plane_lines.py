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

from neuralpde.linalg.jit import in_slabs
from neuralpde.linalg.multigrid._plane_line_loops import chains, solve_columns, solve_rows
from neuralpde.linalg.multigrid._plane_line_transfers import (
    interpolate,
    residual_rows,
    restrict,
    split_rows,
    unsplit_rows,
)
from neuralpde.linalg.multigrid._plane_rows import halves

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
        self._stencil = halves(*stencil, excess)
        self._weights = _padded(weights)
        solid = inverse == 0.0
        self._there = halves((~solid).astype(np.float32))[:, 0] if solid.any() else None
        diagonal = np.divide(1.0, inverse, out=np.zeros_like(inverse), where=~solid)
        self._chains = {axis: _chain(stencil[1 - axis], diagonal, axis == 0) for axis in along}
        self._b, self._x, self._y = (np.zeros(self._shape, np.float32) for _ in range(3))

    @property
    def _shape(self) -> tuple[int, int, int]:
        return self.grid[0], 2, self._stencil.shape[3]

    @property
    def memory_bytes(self) -> int:
        arrays = (self._stencil, self._weights, *self._chains.values())
        return sum(array.nbytes for array in arrays)

    def down(self, r: Floats, scale: float) -> Floats:
        """Coarse residual, float32, after the first sweep for the right-hand side scale·r."""
        in_slabs(split_rows, *self._size, r, scale, self._b)
        if self._there is not None:
            self._b *= self._there  # coarse points in solids may stand for cells of corridors
        self._x[:] = 0.0
        self._sweep(self.along[::-1], 1, from_zero=True)
        f = np.empty(self.coarse, np.float32)
        sizes = (self.coarse[0], 2 * self.grid[1])
        in_slabs(restrict, *sizes, self._b, self._x, f, self._stencil, self._weights)
        return f

    def up(self, r: Floats, scale: float, e: Floats, back: float, z: Floats) -> Floats:
        """z ← back · (the result of the first sweep, corrected by the coarse e, after the second sweep).

        Follows :meth:`down` with the same r.
        """
        in_slabs(interpolate, self.coarse[0], 2 * self.grid[1], e, self._weights, self._x)
        self._sweep(self.along, 0)
        in_slabs(unsplit_rows, *self._size, self._x, back, z)
        return z

    def residual(self, r: Floats, z: Floats) -> Floats:
        """r − A z, from differences of z."""
        x, out = np.zeros(self._shape, np.float32), np.empty(self.grid, np.float32)
        in_slabs(split_rows, *self._size, z, 1.0, x)
        in_slabs(residual_rows, *self._size, r, x, out, self._stencil)
        return out

    @property
    def _size(self) -> tuple[int, int]:
        return self.grid[0], self.grid[1]

    def _sweep(self, axes: tuple[int, ...], first: int, from_zero: bool = False) -> None:
        for axis in axes:
            for parity in (first, 1 - first):
                self._solve(axis, parity, from_zero)
                from_zero = False

    def _solve(self, axis: int, parity: int, alone: bool) -> None:
        """Lines of one parity; ``alone`` where all other values are zero."""
        rows, columns = self.grid
        system, chain = (self._b, self._x), self._chains[axis]
        if axis == 1:
            groups = ((rows + 1 - parity) // 2 + 3) // 4
            in_slabs(solve_rows, groups, 4 * columns, *system, self._stencil, chain, parity, alone)
        else:
            width = self._stencil.shape[3] - 2
            in_slabs(solve_columns, width, rows, *system, self._y, self._stencil, chain, parity, alone)


def _padded(weights: Floats) -> Floats:
    """``(m, c0, c1)`` → ``(c0, m, c1 + 2)`` float32, with columns that wrap around."""
    count, rows, columns = weights.shape
    out = np.empty((rows, count, columns + 2), np.float32)
    out[:, :, 1:-1] = weights.transpose(1, 0, 2)
    out[:, :, 0], out[:, :, -1] = out[:, :, -2], out[:, :, 1]
    return out


def _chain(straight: Floats, diagonal: Floats, across: bool) -> Floats:
    p, q = np.empty_like(diagonal), np.empty_like(diagonal)
    chains(straight, diagonal, across, p, q)
    return halves(p, q)
