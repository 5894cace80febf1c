"""One level of a plane whose stencil has nine points: four-colour Gauss–Seidel fused with residual and transfers.

The sweep before the coarse correction starts from zero and goes through centres and vertical edges (odd rows), then
horizontal edges and coarse points (even rows); the one after it goes the other way round, so that the cycle is
symmetric. What the first leaves at coarse points is zero, and what the second finds there is not read. As with
red–black sweeps on the finest level, the values between the sweeps follow from r alone and are not kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpde.linalg.jit import compiled, in_slabs
from neuralpde.linalg.multigrid._plane_red_black import padded
from neuralpde.linalg.multigrid._plane_rows import halves, split, unsplit, wrap

Floats = NDArray[np.floating[Any]]


class FourColourLevel:
    """r → its coarse residual, and (r, coarse correction) → z.

    Args:
        stencil: couplings, float64, ``(4, n0, n1)``; see :mod:`_plane_transfers`.
        inverse: 1 / diagonal, 0 at isolated cells, ``(n0, n1)``.
        excess: row sums, ``(n0, n1)``.
        weights: of interpolation, ``(8, c0, c1)``.
    """

    def __init__(self, stencil: Floats, inverse: Floats, excess: Floats, weights: Floats) -> None:
        self.grid, self.coarse = inverse.shape, weights.shape[1:]
        self._stencil = halves(*stencil, inverse, excess)
        self._weights = padded(weights)

    @property
    def memory_bytes(self) -> int:
        return self._stencil.nbytes + self._weights.nbytes

    def down(self, r: Floats, scale: float) -> Floats:
        """Coarse residual, float32, after the first sweep for the right-hand side scale·r."""
        f = np.empty(self.coarse, np.float32)
        in_slabs(_down, self.coarse[0], 2 * self.grid[1], r, scale, f, self._stencil, self._weights)
        return f

    def up(self, r: Floats, scale: float, e: Floats, back: float, z: Floats) -> Floats:
        """z ← back · (the result of the first sweep, corrected by the coarse e, after the second sweep)."""
        sizes = (self.coarse[0], 2 * self.grid[1])
        in_slabs(_up, *sizes, r, scale, e, back, z, self._stencil, self._weights)
        return z

    def residual(self, r: Floats, z: Floats) -> Floats:
        """r − A z, float32: from differences of z, since sums of products w z forget what small couplings carry."""
        out = np.empty(self.grid, np.float32)
        in_slabs(_residual, self.grid[0], self.grid[1], r, z, out, self._stencil)
        return out


@compiled
def _residual(first, last, r, z, out, stencil):  # type: ignore[no-untyped-def]
    rows, size = stencil.shape[0], stencil.shape[3]
    x, total = np.zeros((4, 2, size), np.float32), np.zeros((2, size), np.float32)
    for t in range(first - 1, last + 1):
        split(z[t % rows], 1.0, x[t & 3])
        wrap(x[t & 3, 0])
        wrap(x[t & 3, 1])
        if t > first:
            split(r[t - 1], 1.0, total)
            _subtract(total[0, 1:-1], x, t - 1, 0, stencil)
            _subtract(total[1, 1:-1], x, t - 1, 1, stencil)
            unsplit(total, 1.0, out[t - 1])


@compiled
def _subtract(out, x, i, half, stencil):  # type: ignore[no-untyped-def]
    """out −= excess u_i + Σ w (u_i − u_j) in one half of row i."""
    size, rows, other = out.size, stencil.shape[0], 1 - half
    left, right = slice(half, half + size), slice(half + 1, half + 1 + size)
    here, before, row = stencil[i % rows], stencil[(i - 1) % rows], x[i & 3]
    u, excess = row[half, 1:-1], here[5, half, 1:-1]
    for k in range(size):
        out[k] -= excess[k] * u[k]
    _differences(out, u, here[0, other, left], row[other, left], here[0, half, 1:-1], row[other, right])
    above, below = x[(i + 1) & 3], x[(i - 1) & 3]
    _differences(out, u, here[3, half, 1:-1], above[other, left], here[2, half, 1:-1], above[other, right])
    _differences(out, u, before[2, other, left], below[other, left], before[3, other, right], below[other, right])
    _differences(out, u, here[1, half, 1:-1], above[half, 1:-1], before[1, half, 1:-1], below[half, 1:-1])


@compiled
def _differences(out, u, wl, xl, wr, xr):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] += wl[k] * (xl[k] - u[k]) + wr[k] * (xr[k] - u[k])


@compiled
def _down(first, last, r, scale, f, stencil, weights):  # type: ignore[no-untyped-def]
    rows, size, coarse = stencil.shape[0], stencil.shape[3], weights.shape[0]
    x, b = np.zeros((4, 2, size), np.float32), np.zeros((2, size), np.float32)
    edges, left = np.zeros(size, np.float32), np.zeros((2, 2, size), np.float32)
    for p in range(first - 2, last + 1):
        split(r[(2 * p + 1) % rows], scale, b)
        _odd_row_from_zero(x, 2 * p + 1, stencil, b)
        if p >= first - 1:
            split(r[(2 * p) % rows], scale, b)
            _sweep(x, 2 * p, 1, stencil, b[1], False)
            _sweep(x, 2 * p, 0, stencil, b[0], True)
        if p >= first:
            # What the first sweep leaves: couplings to colours swept later times their values.
            new = left[p & 1]
            _across(new[0, 1:-1], x, 2 * p - 1, 0, stencil)
            _across(new[1, 1:-1], x, 2 * p - 1, 1, stencil)
            _beside(new[1, 1:-1], x, 2 * p - 1, 1, stencil)
            wrap(new[1])
        if p >= first + 1:
            edges[:] = 0.0
            _beside(edges[1:-1], x, 2 * p - 2, 1, stencil)
            wrap(edges)
            i = p - 1
            _restrict(f[i], weights[i], weights[(i - 1) % coarse], edges, left[p & 1], left[1 - (p & 1)])


@compiled
def _up(first, last, r, scale, e, back, z, stencil, weights):  # type: ignore[no-untyped-def]
    rows, size, coarse = stencil.shape[0], stencil.shape[3], weights.shape[0]
    x, y = np.zeros((4, 2, size), np.float32), np.zeros((4, 2, size), np.float32)
    b = np.zeros((4, 2, size), np.float32)
    for p in range(first - 1, last + 1):
        i, above = p % coarse, (p + 1) % coarse
        odd, even = (2 * p + 1) & 3, (2 * p) & 3
        split(r[(2 * p + 1) % rows], scale, b[odd])
        _odd_row_from_zero(x, 2 * p + 1, stencil, b[odd])
        y[odd] = x[odd]
        _add_two(y[odd, 0, 1:-1], weights[i, 2, 1:-1], e[i], weights[i, 3, 1:-1], e[above])
        wrap(y[odd, 0])
        _add_between(y[odd, 1, 1:-1], weights[i, 4, 1:-1], weights[i, 5, 1:-1], e[i])
        _add_between(y[odd, 1, 1:-1], weights[i, 6, 1:-1], weights[i, 7, 1:-1], e[above])
        wrap(y[odd, 1])
        if p >= first:
            split(r[(2 * p) % rows], scale, b[even])
            _sweep(x, 2 * p, 1, stencil, b[even, 1], False)
            y[even, 1] = x[even, 1]
            _add_between(y[even, 1, 1:-1], weights[i, 0, 1:-1], weights[i, 1, 1:-1], e[i])
            wrap(y[even, 1])
            _sweep(y, 2 * p, 0, stencil, b[even, 0], True)
            _sweep(y, 2 * p, 1, stencil, b[even, 1], True)
        if p >= first + 1:
            unsplit(y[(2 * p - 2) & 3], back, z[2 * p - 2])
            if 2 * p - 1 < rows:
                before = (2 * p - 1) & 3
                _sweep(y, 2 * p - 1, 0, stencil, b[before, 0], True)
                _sweep(y, 2 * p - 1, 1, stencil, b[before, 1], True)
                unsplit(y[before], back, z[2 * p - 1])


@compiled
def _odd_row_from_zero(x, i, stencil, b):  # type: ignore[no-untyped-def]
    """Centres, then vertical edges of row i, of a sweep that starts from zero."""
    inverse, out = stencil[i % stencil.shape[0], 4], x[i & 3]
    for k in range(out.shape[1]):
        out[1, k] = inverse[1, k] * b[1, k]
    wrap(out[1])
    edges = out[0]
    edges[:] = 0.0
    _beside(edges[1:-1], x, i, 0, stencil)
    for k in range(edges.size):
        edges[k] = inverse[0, k] * (b[0, k] + edges[k])
    wrap(edges)


@compiled
def _sweep(x, i, half, stencil, r, beside):  # type: ignore[no-untyped-def]
    """x ← (r + Σ w x) / diagonal in one half of row i; without the other half of that row where that is still zero."""
    out, d = x[i & 3, half, 1:-1], stencil[i % stencil.shape[0], 4, half, 1:-1]
    _across(out, x, i, half, stencil)
    if beside:
        _beside(out, x, i, half, stencil)
    r = r[1:-1]
    for k in range(out.size):
        out[k] = d[k] * (r[k] + out[k])
    wrap(x[i & 3, half])


@compiled
def _beside(out, x, i, half, stencil):  # type: ignore[no-untyped-def]
    """out += Σ w x over both neighbours in the row."""
    size, here, row = out.size, stencil[i % stencil.shape[0], 0], x[i & 3, 1 - half]
    wl, xl = here[1 - half, half : half + size], row[half : half + size]
    wr, xr = here[half, 1:-1], row[half + 1 : half + 1 + size]
    for k in range(size):
        out[k] += wl[k] * xl[k] + wr[k] * xr[k]


@compiled
def _across(out, x, i, half, stencil):  # type: ignore[no-untyped-def]
    """out = Σ w x over the six neighbours in the rows before and after."""
    size, rows, other = out.size, stencil.shape[0], 1 - half
    left, right = slice(half, half + size), slice(half + 1, half + 1 + size)
    here, row = stencil[i % rows], x[(i + 1) & 3]
    _three(
        out,
        here[1, half, 1:-1],
        row[half, 1:-1],
        here[3, half, 1:-1],
        row[other, left],
        here[2, half, 1:-1],
        row[other, right],
    )
    before, row = stencil[(i - 1) % rows], x[(i - 1) & 3]
    _three_more(
        out,
        before[1, half, 1:-1],
        row[half, 1:-1],
        before[2, other, left],
        row[other, left],
        before[3, other, right],
        row[other, right],
    )


@compiled
def _three(out, w, x, wl, xl, wr, xr):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] = w[k] * x[k] + wl[k] * xl[k] + wr[k] * xr[k]


@compiled
def _three_more(out, w, x, wl, xl, wr, xr):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] += w[k] * x[k] + wl[k] * xl[k] + wr[k] * xr[k]


@compiled
def _restrict(f, here, below, edges, odd, before):  # type: ignore[no-untyped-def]
    """f = shares of horizontal edges of its row, and of vertical edges and centres of the rows after and before it."""
    size = f.size
    w0, w1, e0, e1 = here[0, 1:-1], here[1, :size], edges[1:-1], edges[:size]
    for k in range(size):
        f[k] = w0[k] * e0[k] + w1[k] * e1[k]
    _three_more(f, here[2, 1:-1], odd[0, 1:-1], here[4, 1:-1], odd[1, 1:-1], here[5, :size], odd[1, :size])
    _three_more(f, below[3, 1:-1], before[0, 1:-1], below[6, 1:-1], before[1, 1:-1], below[7, :size], before[1, :size])


@compiled
def _add_two(out, a, x, b, y):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] += a[k] * x[k] + b[k] * y[k]


@compiled
def _add_between(out, a, b, e):  # type: ignore[no-untyped-def]
    """out += a e + b (e of the next column, which wraps around)."""
    last = out.size - 1
    for k in range(last):
        out[k] += a[k] * e[k] + b[k] * e[k + 1]
    out[last] += a[last] * e[last] + b[last] * e[0]
