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
from neuralpde.linalg.multigrid._plane_pieces import closed, layer, part, split_row, unsplit_row
from neuralpde.linalg.multigrid._plane_shares import add_between, add_three, corrected, restrict_row
from neuralpde.linalg.views import piece

Floats = NDArray[np.floating[Any]]


class FourColourLevel:
    """r → its coarse residual, and (r, coarse correction) → z.

    Args:
        grid: cells of each axis.
        stencil: couplings, 1 / diagonal and excess; see :func:`level_rows`.
        weights: of interpolation; see :func:`interpolation_rows`.
    """

    def __init__(self, grid: tuple[int, ...], stencil: Floats, weights: Floats) -> None:
        self.grid, self.coarse = grid, (weights.shape[0], weights.shape[2] - 2)
        self._stencil, self._weights = stencil, weights

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
    rows, size = stencil.shape[0], stencil.shape[3] - 2
    x, total = np.zeros((4, 2, size + 2), np.float32), np.zeros((1, 2, size + 2), np.float32)
    for t in range(first - 1, last + 1):
        split_row(z, t % rows, 1.0, x, t & 3)
        closed(x, t & 3, 0)
        closed(x, t & 3, 1)
        if t > first:
            split_row(r, t - 1, 1.0, total, 0)
            _subtract(part(total, 0, 0, 0, size), x, t - 1, 0, stencil)
            _subtract(part(total, 0, 1, 0, size), x, t - 1, 1, stencil)
            unsplit_row(total, 0, 1.0, out, t - 1)


@compiled
def _subtract(out, x, i, half, stencil):  # type: ignore[no-untyped-def]
    """out −= excess u_i + Σ w (u_i − u_j) in one half of row i."""
    size, other, left = out.size, 1 - half, half - 1
    here, before = i % stencil.shape[0], (i - 1) % stencil.shape[0]
    u, excess = part(x, i & 3, half, 0, size), layer(stencil, here, 5, half, 0, size)
    for k in range(size):
        out[k] -= excess[k] * u[k]
    wl, wr = layer(stencil, here, 0, other, left, size), layer(stencil, here, 0, half, 0, size)
    _differences(out, u, wl, part(x, i & 3, other, left, size), wr, part(x, i & 3, other, half, size))
    above, below = (i + 1) & 3, (i - 1) & 3
    wl, wr = layer(stencil, here, 3, half, 0, size), layer(stencil, here, 2, half, 0, size)
    _differences(out, u, wl, part(x, above, other, left, size), wr, part(x, above, other, half, size))
    wl, wr = layer(stencil, before, 2, other, left, size), layer(stencil, before, 3, other, half, size)
    _differences(out, u, wl, part(x, below, other, left, size), wr, part(x, below, other, half, size))
    wl, wr = layer(stencil, here, 1, half, 0, size), layer(stencil, before, 1, half, 0, size)
    _differences(out, u, wl, part(x, above, half, 0, size), wr, part(x, below, half, 0, size))


@compiled
def _differences(out, u, wl, xl, wr, xr):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] += wl[k] * (xl[k] - u[k]) + wr[k] * (xr[k] - u[k])


@compiled
def _down(first, last, r, scale, f, stencil, weights):  # type: ignore[no-untyped-def]
    rows, size, coarse = stencil.shape[0], stencil.shape[3] - 2, weights.shape[0]
    x, b = np.zeros((4, 2, size + 2), np.float32), np.zeros((1, 2, size + 2), np.float32)
    edges, left = np.zeros((1, 2, size + 2), np.float32), np.zeros((2, 2, size + 2), np.float32)
    for p in range(first - 2, last + 1):
        split_row(r, (2 * p + 1) % rows, scale, b, 0)
        _odd_row_from_zero(x, 2 * p + 1, stencil, b, 0)
        if p >= first - 1:
            split_row(r, (2 * p) % rows, scale, b, 0)
            _sweep(x, 2 * p, 1, stencil, b, 0, False)
            _sweep(x, 2 * p, 0, stencil, b, 0, True)
        if p >= first:
            # What the first sweep leaves: couplings to colours swept later times their values.
            _across(part(left, p & 1, 0, 0, size), x, 2 * p - 1, 0, stencil)
            _across(part(left, p & 1, 1, 0, size), x, 2 * p - 1, 1, stencil)
            _beside(part(left, p & 1, 1, 0, size), x, 2 * p - 1, 1, stencil)
            closed(left, p & 1, 1)
        if p >= first + 1:
            _fill(part(edges, 0, 1, 0, size), 0.0)
            _beside(part(edges, 0, 1, 0, size), x, 2 * p - 2, 1, stencil)
            closed(edges, 0, 1)
            restrict_row(piece(f, (p - 1) * size, size), weights, p - 1, (p - 2) % coarse, edges, left, p & 1)


@compiled
def _up(first, last, r, scale, e, back, z, stencil, weights):  # type: ignore[no-untyped-def]
    rows, size, coarse = stencil.shape[0], stencil.shape[3] - 2, weights.shape[0]
    x, y = np.zeros((4, 2, size + 2), np.float32), np.zeros((4, 2, size + 2), np.float32)
    b = np.zeros((4, 2, size + 2), np.float32)
    for p in range(first - 1, last + 1):
        i, odd, even = p % coarse, (2 * p + 1) & 3, (2 * p) & 3
        here, above = piece(e, i * size, size), piece(e, (p + 1) % coarse * size, size)
        split_row(r, (2 * p + 1) % rows, scale, b, odd)
        _odd_row_from_zero(x, 2 * p + 1, stencil, b, odd)
        # Numbers of one row pass from x to y before the second sweep: those of x are still to be read.
        corrected(part(y, odd, 0, 0, size), part(x, odd, 0, 0, size), weights, i, 2, here, 3, above)
        closed(y, odd, 0)
        _copy(part(y, odd, 1, 0, size), part(x, odd, 1, 0, size))
        add_between(part(y, odd, 1, 0, size), weights, i, 4, here)
        add_between(part(y, odd, 1, 0, size), weights, i, 6, above)
        closed(y, odd, 1)
        if p >= first:
            split_row(r, (2 * p) % rows, scale, b, even)
            _sweep(x, 2 * p, 1, stencil, b, even, False)
            _copy(part(y, even, 1, 0, size), part(x, even, 1, 0, size))
            add_between(part(y, even, 1, 0, size), weights, i, 0, here)
            closed(y, even, 1)
            _sweep(y, 2 * p, 0, stencil, b, even, True)
            _sweep(y, 2 * p, 1, stencil, b, even, True)
        if p >= first + 1:
            unsplit_row(y, (2 * p - 2) & 3, back, z, 2 * p - 2)
            if 2 * p - 1 < rows:
                before = (2 * p - 1) & 3
                _sweep(y, 2 * p - 1, 0, stencil, b, before, True)
                _sweep(y, 2 * p - 1, 1, stencil, b, before, True)
                unsplit_row(y, before, back, z, 2 * p - 1)


@compiled
def _odd_row_from_zero(x, i, stencil, b, slot):  # type: ignore[no-untyped-def]
    """Centres, then vertical edges of row i, of a sweep that starts from zero."""
    size, here = x.shape[2] - 2, i % stencil.shape[0]
    centres, edges = part(x, i & 3, 1, 0, size), part(x, i & 3, 0, 0, size)
    d, r = layer(stencil, here, 4, 1, 0, size), part(b, slot, 1, 0, size)
    for k in range(size):
        centres[k] = d[k] * r[k]
    closed(x, i & 3, 1)
    _fill(edges, 0.0)
    _beside(edges, x, i, 0, stencil)
    _finish(edges, layer(stencil, here, 4, 0, 0, size), part(b, slot, 0, 0, size))
    closed(x, i & 3, 0)


@compiled
def _sweep(x, i, half, stencil, b, slot, beside):  # type: ignore[no-untyped-def]
    """x ← (r + Σ w x) / diagonal in one half of row i; without the other half of that row where that is still zero."""
    size = x.shape[2] - 2
    out = part(x, i & 3, half, 0, size)
    _across(out, x, i, half, stencil)
    if beside:
        _beside(out, x, i, half, stencil)
    _finish(out, layer(stencil, i % stencil.shape[0], 4, half, 0, size), part(b, slot, half, 0, size))
    closed(x, i & 3, half)


@compiled
def _finish(out, d, r):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] = d[k] * (r[k] + out[k])


@compiled
def _fill(out, value):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] = value


@compiled
def _copy(out, x):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] = x[k]


@compiled
def _beside(out, x, i, half, stencil):  # type: ignore[no-untyped-def]
    """out += Σ w x over both neighbours in the row."""
    size, here = out.size, i % stencil.shape[0]
    wl, xl = layer(stencil, here, 0, 1 - half, half - 1, size), part(x, i & 3, 1 - half, half - 1, size)
    wr, xr = layer(stencil, here, 0, half, 0, size), part(x, i & 3, 1 - half, half, size)
    for k in range(size):
        out[k] += wl[k] * xl[k] + wr[k] * xr[k]


@compiled
def _across(out, x, i, half, stencil):  # type: ignore[no-untyped-def]
    """out = Σ w x over the six neighbours in the rows before and after."""
    size, other, left = out.size, 1 - half, half - 1
    here, above = i % stencil.shape[0], (i + 1) & 3
    w, xw = layer(stencil, here, 1, half, 0, size), part(x, above, half, 0, size)
    wl, xl = layer(stencil, here, 3, half, 0, size), part(x, above, other, left, size)
    wr, xr = layer(stencil, here, 2, half, 0, size), part(x, above, other, half, size)
    for k in range(size):
        out[k] = w[k] * xw[k] + wl[k] * xl[k] + wr[k] * xr[k]
    here, below = (i - 1) % stencil.shape[0], (i - 1) & 3
    w, xw = layer(stencil, here, 1, half, 0, size), part(x, below, half, 0, size)
    wl, xl = layer(stencil, here, 2, other, left, size), part(x, below, other, left, size)
    wr, xr = layer(stencil, here, 3, other, half, size), part(x, below, other, half, size)
    add_three(out, w, xw, wl, xl, wr, xr)
