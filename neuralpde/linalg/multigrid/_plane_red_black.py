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
from neuralpde.linalg.multigrid._plane_rows import halves, split, unsplit, wrap

Floats = NDArray[np.floating[Any]]


class RedBlackLevel:
    """r → its coarse residual, and (r, coarse correction) → z.

    Args:
        stencil: couplings with the next column and the next row, float64, ``(2, n0, n1)``; the last ones wrap around.
        inverse: 1 / diagonal, 0 at isolated cells, ``(n0, n1)``.
        weights: of interpolation, ``(8, c0, c1)``; see :mod:`_plane_transfers`.
    """

    def __init__(self, stencil: Floats, inverse: Floats, weights: Floats) -> None:
        self.grid, self.coarse = inverse.shape, weights.shape[1:]
        self._stencil = halves(*stencil, inverse)
        self._centres = padded(weights[4:])

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
    moved = weights.transpose(1, 0, 2)
    return np.concatenate([moved[..., -1:], moved, moved[..., :1]], axis=2).astype(np.float32)


@compiled
def _down(first, last, r, scale, f, stencil, centres):  # type: ignore[no-untyped-def]
    rows, size, coarse = stencil.shape[0], stencil.shape[3], centres.shape[0]
    x, b = np.zeros((4, 2, size), np.float32), np.zeros((2, 2, size), np.float32)
    c, point = np.zeros((2, size), np.float32), np.zeros(size - 2, np.float32)
    for t in range(2 * first - 3, 2 * last + 2):
        half = t & 1  # that of the red cells of row t and of the black ones of row t − 1
        split(r[t % rows], scale, b[half])
        _scaled(x[t & 3, half], stencil[t % rows, 2, half], b[half, half])
        wrap(x[t & 3, half])
        if t >= 2 * first - 1:
            _sweep(x, t - 1, half, stencil, b[1 - half, half])
        if t >= 2 * first + 1 and half == 0:
            _around(point, x, t - 2, 0, stencil)
        if t >= 2 * first + 1 and half == 1:
            i = (t - 3) // 2
            _around(c[i & 1, 1:-1], x, t - 2, 1, stencil)
            wrap(c[i & 1])
            if i >= first:
                _restrict(f[i], point, centres[i], centres[(i - 1) % coarse], c[i & 1], c[1 - (i & 1)])


@compiled
def _up(first, last, r, scale, e, back, z, stencil, centres):  # type: ignore[no-untyped-def]
    rows, size, coarse = stencil.shape[0], stencil.shape[3], centres.shape[0]
    x, b = np.zeros((4, 2, size), np.float32), np.zeros((4, 2, size), np.float32)
    for t in range(2 * first - 2, 2 * last + 2):
        half, i = t & 1, (t // 2) % coarse
        split(r[t % rows], scale, b[t & 3])
        _scaled(x[t & 3, half], stencil[t % rows, 2, half], b[t & 3, half])
        if half == 0:
            _add(x[t & 3, 0, 1:-1], e[i])
        else:
            _interpolate(x[t & 3, 1, 1:-1], centres[i], e[i], e[(i + 1) % coarse])
        wrap(x[t & 3, half])
        if t >= 2 * first:
            _sweep(x, t - 1, half, stencil, b[(t - 1) & 3, half])
        if t >= 2 * first + 2 and t - 2 < rows:
            _sweep(x, t - 2, half, stencil, b[(t - 2) & 3, half])
            unsplit(x[(t - 2) & 3], back, z[t - 2])


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
    out, d = x[i & 3, half, 1:-1], stencil[i % stencil.shape[0], 2, half, 1:-1]
    _around(out, x, i, half, stencil)
    r = r[1:-1]
    for k in range(out.size):
        out[k] = d[k] * (r[k] + out[k])
    wrap(x[i & 3, half])


@compiled
def _around(out, x, i, half, stencil):  # type: ignore[no-untyped-def]
    """Σ w x over the four neighbours of the cells of one half of row i."""
    rows, size = stencil.shape[0], out.size
    here, above = stencil[i % rows], stencil[(i - 1) % rows, 1, half, 1:-1]
    left, right, row = here[0, 1 - half], here[0, half, 1:-1], x[i & 3, 1 - half]
    _four(
        out,
        above,
        x[(i - 1) & 3, half, 1:-1],
        here[1, half, 1:-1],
        x[(i + 1) & 3, half, 1:-1],
        left[half : half + size],
        row[half : half + size],
        right,
        row[half + 1 : half + 1 + size],
    )


@compiled
def _four(out, wu, xu, wd, xd, wl, xl, wr, xr):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] = wu[k] * xu[k] + wd[k] * xd[k] + wl[k] * xl[k] + wr[k] * xr[k]


@compiled
def _restrict(f, point, above, below, c, before):  # type: ignore[no-untyped-def]
    """f = residuals of a row of coarse points, and the shares of centres of the fine rows after and before it."""
    size = f.size
    a0, a1, b2, b3 = above[0, 1:-1], above[1, :size], below[2, 1:-1], below[3, :size]
    c0, c1, d0, d1 = c[1:-1], c[:size], before[1:-1], before[:size]
    for k in range(size):
        f[k] = point[k] + a0[k] * c0[k] + a1[k] * c1[k]
    for k in range(size):
        f[k] += b2[k] * d0[k] + b3[k] * d1[k]


@compiled
def _interpolate(out, p, e, above):  # type: ignore[no-untyped-def]
    """out += values at centres from the coarse rows e (before them) and above (after them)."""
    size = out.size
    p0, p1, p2, p3 = p[0, 1:-1], p[1, 1:-1], p[2, 1:-1], p[3, 1:-1]
    for k in range(size - 1):
        out[k] += p0[k] * e[k] + p1[k] * e[k + 1] + p2[k] * above[k] + p3[k] * above[k + 1]
    k = size - 1
    out[k] += p0[k] * e[k] + p1[k] * e[0] + p2[k] * above[k] + p3[k] * above[0]
