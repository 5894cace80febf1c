"""What lines leave, and how it goes to the coarse grid and back; in halves of rows as in :mod:`_plane_rows`."""

from __future__ import annotations

import numpy as np

from neuralpde.linalg.jit import compiled
from neuralpde.linalg.multigrid._plane_pieces import closed, layer, part, split_row, unsplit_row
from neuralpde.linalg.multigrid._plane_shares import add_between, corrected, restrict_row
from neuralpde.linalg.views import piece


@compiled
def split_rows(first, last, r, scale, x):  # type: ignore[no-untyped-def]
    for i in range(first, last):
        split_row(r, i, scale, x, i)
        closed(x, i, 0)
        closed(x, i, 1)


@compiled
def unsplit_rows(first, last, x, scale, z):  # type: ignore[no-untyped-def]
    for i in range(first, last):
        unsplit_row(x, i, scale, z, i)


@compiled
def residual_rows(first, last, r, x, out, stencil):  # type: ignore[no-untyped-def]
    """out = r − A x for plain r and out."""
    left = np.zeros((1, 2, x.shape[2]), np.float32)
    for i in range(first, last):
        split_row(r, i, 1.0, left, 0)
        _subtract(part(left, 0, 0, 0, x.shape[2] - 2), x, i, 0, stencil)
        _subtract(part(left, 0, 1, 0, x.shape[2] - 2), x, i, 1, stencil)
        unsplit_row(left, 0, 1.0, out, i)


@compiled
def restrict(first, last, b, x, f, stencil, weights):  # type: ignore[no-untyped-def]
    """f = Pᵀ (b − A x)."""
    rows, size = x.shape[0], x.shape[2] - 2
    odd, even = np.zeros((2, 2, size + 2), np.float32), np.zeros((1, 2, size + 2), np.float32)
    for p in range(first - 1, last):
        _leave(odd, p & 1, b, x, (2 * p + 1) % rows, stencil)
        if p >= first:
            _leave(even, 0, b, x, 2 * p, stencil)
            here, points = piece(f, p * size, size), part(even, 0, 0, 0, size)
            restrict_row(here, weights, p, (p - 1) % weights.shape[0], even, odd, p & 1)
            for k in range(size):
                here[k] += points[k]


@compiled
def _leave(out, slot, b, x, i, stencil):  # type: ignore[no-untyped-def]
    """Row i of b − A x."""
    size = x.shape[2] - 2
    for half in range(2):
        left, r = part(out, slot, half, 0, size), part(b, i, half, 0, size)
        for k in range(size):
            left[k] = r[k]
        _subtract(left, x, i, half, stencil)
    closed(out, slot, 1)


@compiled
def _subtract(out, x, i, half, stencil):  # type: ignore[no-untyped-def]
    """out −= excess u_i + Σ w (u_i − u_j): differences, since sums of w u forget what small couplings carry."""
    size, rows, other, left = out.size, x.shape[0], 1 - half, half - 1
    below, above = (i - 1) % rows, (i + 1) % rows
    u, excess = part(x, i, half, 0, size), layer(stencil, i, stencil.shape[1] - 1, half, 0, size)
    for k in range(size):
        out[k] -= excess[k] * u[k]
    wl, wr = layer(stencil, i, 0, other, left, size), layer(stencil, i, 0, half, 0, size)
    _differences(out, u, wl, part(x, i, other, left, size), wr, part(x, i, other, half, size))
    wl, wr = layer(stencil, i, 1, half, 0, size), layer(stencil, below, 1, half, 0, size)
    _differences(out, u, wl, part(x, above, half, 0, size), wr, part(x, below, half, 0, size))
    if stencil.shape[1] == 5:
        wl, wr = layer(stencil, i, 3, half, 0, size), layer(stencil, i, 2, half, 0, size)
        _differences(out, u, wl, part(x, above, other, left, size), wr, part(x, above, other, half, size))
        wl, wr = layer(stencil, below, 2, other, left, size), layer(stencil, below, 3, other, half, size)
        _differences(out, u, wl, part(x, below, other, left, size), wr, part(x, below, other, half, size))


@compiled
def _differences(out, u, wl, xl, wr, xr):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] += wl[k] * (xl[k] - u[k]) + wr[k] * (xr[k] - u[k])


@compiled
def interpolate(first, last, e, weights, x):  # type: ignore[no-untyped-def]
    """x += P e."""
    rows, size = x.shape[0], x.shape[2] - 2
    for i in range(first, last):
        here, above = piece(e, i * size, size), piece(e, (i + 1) % weights.shape[0] * size, size)
        points = part(x, 2 * i, 0, 0, size)
        for k in range(size):
            points[k] += here[k]
        add_between(part(x, 2 * i, 1, 0, size), weights, i, 0, here)
        closed(x, 2 * i, 0)
        closed(x, 2 * i, 1)
        if 2 * i + 1 < rows:
            edges, centres = part(x, 2 * i + 1, 0, 0, size), part(x, 2 * i + 1, 1, 0, size)
            corrected(edges, edges, weights, i, 2, here, 3, above)
            add_between(centres, weights, i, 4, here)
            add_between(centres, weights, i, 6, above)
            closed(x, 2 * i + 1, 0)
            closed(x, 2 * i + 1, 1)
