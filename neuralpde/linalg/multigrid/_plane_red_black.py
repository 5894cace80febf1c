"""One level of a plane whose stencil has five points: red–black Gauss–Seidel fused with residual and transfers.

A cell (i, j) is red where i + j is even: coarse points and centres of four of them. The sweep before the coarse
correction is red, then black, from zero; the one after it is black, then red. Two things follow. What the first leaves
at black cells is zero, so only residuals of red cells are restricted. What the second finds at black cells is not read,
so only red cells are corrected, and all values between the two sweeps follow from r alone: nothing but r, the faces and
the result passes through memory. Rows travel through rings of four, so slabs of rows share nothing that is written.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpde.linalg.jit import compiled, in_slabs
from neuralpde.linalg.multigrid._plane_pieces import closed, fetch_row, layer, part, split_row, unsplit_row, weight
from neuralpde.linalg.views import piece

Floats = NDArray[np.floating[Any]]


class RedBlackLevel:
    """r → its coarse residual, and (r, coarse correction) → z.

    Args:
        grid: cells of each axis.
        stencil: couplings with the next column and the next row, and 1 / diagonal; see :func:`level_rows`.
        centres: of interpolation; see :func:`interpolation_rows`.
    """

    def __init__(self, grid: tuple[int, ...], stencil: Floats, centres: Floats) -> None:
        self.grid, self.coarse = grid, (centres.shape[0], centres.shape[2] - 2)
        self._stencil, self._centres = stencil, centres

    @property
    def memory_bytes(self) -> int:
        return self._stencil.nbytes + self._centres.nbytes

    def down(self, r: Floats, scale: float) -> Floats:
        """Coarse residual, float32, after the first sweep for the right-hand side scale·r."""
        f = np.empty(self.coarse, np.float32)
        in_slabs(_down, self.coarse[0], 2 * self.grid[1], r, scale, f, self._stencil, self._centres)
        return f

    def up(self, r: Floats, scale: float, e: Floats, back: float, z: Floats) -> Floats:
        """z ← back · (the result of the first sweep, corrected by the coarse e, after the second sweep)."""
        sizes = (self.coarse[0], 2 * self.grid[1])
        in_slabs(_up, *sizes, r, scale, e, back, z, self._stencil, self._centres)
        return z


def padded(weights: Floats) -> Floats:
    """``(m, c0, c1)`` → ``(c0, m, c1 + 2)`` float32, with columns that wrap around."""
    count, rows, columns = weights.shape
    out = np.empty((rows, count, columns + 2), np.float32)
    out[:, :, 1:-1] = weights.transpose(1, 0, 2)
    out[:, :, 0], out[:, :, -1] = out[:, :, -2], out[:, :, 1]
    return out


@compiled
def _down(first, last, r, scale, f, stencil, centres):  # type: ignore[no-untyped-def]
    rows, size = stencil.shape[0], stencil.shape[3] - 2
    x, b = np.zeros((4, 2, size + 2), np.float32), np.zeros((2, 2, size + 2), np.float32)
    c, point = np.zeros((1, 2, size + 2), np.float32), np.zeros(size, np.float32)
    for t in range(2 * first - 3, 2 * last + 2):
        half = t & 1  # that of the red cells of row t and of the black ones of row t − 1
        fetch_row(r, t + 1)
        fetch_row(stencil, t + 1)
        split_row(r, t % rows, scale, b, half)
        _scaled(part(x, t & 3, half, 0, size), layer(stencil, t % rows, 2, half, 0, size), part(b, half, half, 0, size))
        closed(x, t & 3, half)
        if t >= 2 * first - 1:
            _sweep(x, t - 1, half, stencil, part(b, 1 - half, half, 0, size))
        if t >= 2 * first + 1 and half == 0:
            _around(piece(point, 0, size), x, t - 2, 0, stencil)
        if t >= 2 * first + 1 and half == 1:
            i = (t - 3) // 2
            _around(part(c, 0, i & 1, 0, size), x, t - 2, 1, stencil)
            closed(c, 0, i & 1)
            if i >= first:
                _restrict(piece(f, i * size, size), piece(point, 0, size), centres, i, c)


@compiled
def _up(first, last, r, scale, e, back, z, stencil, centres):  # type: ignore[no-untyped-def]
    rows, size, coarse = stencil.shape[0], stencil.shape[3] - 2, centres.shape[0]
    x, b = np.zeros((4, 2, size + 2), np.float32), np.zeros((4, 2, size + 2), np.float32)
    for t in range(2 * first - 2, 2 * last + 2):
        half, i = t & 1, (t // 2) % coarse
        fetch_row(r, t + 1)
        fetch_row(stencil, t + 1)
        split_row(r, t % rows, scale, b, t & 3)
        new = part(x, t & 3, half, 0, size)
        _scaled(new, layer(stencil, t % rows, 2, half, 0, size), part(b, t & 3, half, 0, size))
        if half == 0:
            _add(new, piece(e, i * size, size))
        else:
            _interpolate(new, centres, i, piece(e, i * size, size), piece(e, (i + 1) % coarse * size, size))
        closed(x, t & 3, half)
        if t >= 2 * first:
            _sweep(x, t - 1, half, stencil, part(b, (t - 1) & 3, half, 0, size))
        if t >= 2 * first + 2 and t - 2 < rows:
            _sweep(x, t - 2, half, stencil, part(b, (t - 2) & 3, half, 0, size))
            unsplit_row(x, (t - 2) & 3, back, z, t - 2)


@compiled
def _scaled(out, d, r):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] = d[k] * r[k]


@compiled
def _add(out, e):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] += e[k]


@compiled
def _sweep(x, i, half, stencil, r):  # type: ignore[no-untyped-def]
    """x ← (r + Σ w x) / diagonal in one half of row i; x is a ring of four rows."""
    size, rows = r.size, stencil.shape[0]
    out, d = part(x, i & 3, half, 0, size), layer(stencil, i % rows, 2, half, 0, size)
    _around(out, x, i, half, stencil)
    for k in range(size):
        out[k] = d[k] * (r[k] + out[k])
    closed(x, i & 3, half)


@compiled
def _around(out, x, i, half, stencil):  # type: ignore[no-untyped-def]
    """Σ w x over the four neighbours of the cells of one half of row i."""
    rows, size = stencil.shape[0], out.size
    here, above = i % rows, (i - 1) % rows
    _four(
        out,
        layer(stencil, above, 1, half, 0, size),
        part(x, (i - 1) & 3, half, 0, size),
        layer(stencil, here, 1, half, 0, size),
        part(x, (i + 1) & 3, half, 0, size),
        layer(stencil, here, 0, 1 - half, half - 1, size),
        part(x, i & 3, 1 - half, half - 1, size),
        layer(stencil, here, 0, half, 0, size),
        part(x, i & 3, 1 - half, half, size),
    )


@compiled
def _four(out, wu, xu, wd, xd, wl, xl, wr, xr):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] = wu[k] * xu[k] + wd[k] * xd[k] + wl[k] * xl[k] + wr[k] * xr[k]


@compiled
def _restrict(f, point, centres, i, c):  # type: ignore[no-untyped-def]
    """f = residuals of a row of coarse points, and the shares of centres of the fine rows after and before it."""
    size, before, here, there = f.size, (i - 1) % centres.shape[0], i & 1, 1 - (i & 1)
    a0, a1 = weight(centres, i, 0, 0, size), weight(centres, i, 1, -1, size)
    b2, b3 = weight(centres, before, 2, 0, size), weight(centres, before, 3, -1, size)
    c0, c1 = part(c, 0, here, 0, size), part(c, 0, here, -1, size)
    d0, d1 = part(c, 0, there, 0, size), part(c, 0, there, -1, size)
    for k in range(size):
        f[k] = point[k] + a0[k] * c0[k] + a1[k] * c1[k]
    for k in range(size):
        f[k] += b2[k] * d0[k] + b3[k] * d1[k]


@compiled
def _interpolate(out, centres, i, e, above):  # type: ignore[no-untyped-def]
    """out += values at centres from the coarse rows e (before them) and above (after them)."""
    size = out.size
    p0, p1 = weight(centres, i, 0, 0, size), weight(centres, i, 1, 0, size)
    p2, p3 = weight(centres, i, 2, 0, size), weight(centres, i, 3, 0, size)
    for k in range(size - 1):
        out[k] += p0[k] * e[k] + p1[k] * e[k + 1] + p2[k] * above[k] + p3[k] * above[k + 1]
    k = size - 1
    out[k] += p0[k] * e[k] + p1[k] * e[0] + p2[k] * above[k] + p3[k] * above[0]
