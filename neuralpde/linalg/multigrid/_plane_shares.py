"""Shares of fine rows in coarse ones and of coarse rows in fine ones, row by row, in halves.

For weights of interpolation see :mod:`_plane_transfers`.
"""

from __future__ import annotations

from neuralpde.linalg.jit import compiled
from neuralpde.linalg.multigrid._plane_pieces import part, weight


@compiled
def add_three(out, w, x, wl, xl, wr, xr):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] += w[k] * x[k] + wl[k] * xl[k] + wr[k] * xr[k]


@compiled
def restrict_row(f, weights, i, before, edges, left, new):  # type: ignore[no-untyped-def]
    """f = shares of horizontal edges of its row, and of vertical edges and centres of the rows after and before it."""
    size = f.size
    w0, w1 = weight(weights, i, 0, 0, size), weight(weights, i, 1, -1, size)
    e0, e1 = part(edges, 0, 1, 0, size), part(edges, 0, 1, -1, size)
    for k in range(size):
        f[k] = w0[k] * e0[k] + w1[k] * e1[k]
    w0, w1, w2 = weight(weights, i, 2, 0, size), weight(weights, i, 4, 0, size), weight(weights, i, 5, -1, size)
    add_three(f, w0, part(left, new, 0, 0, size), w1, part(left, new, 1, 0, size), w2, part(left, new, 1, -1, size))
    w0, w1, i = weight(weights, before, 3, 0, size), weight(weights, before, 6, 0, size), 1 - new
    w2 = weight(weights, before, 7, -1, size)
    add_three(f, w0, part(left, i, 0, 0, size), w1, part(left, i, 1, 0, size), w2, part(left, i, 1, -1, size))


@compiled
def corrected(out, x, weights, i, a, here, b, above):  # type: ignore[no-untyped-def]
    """out = x, and what is interpolated to vertical edges."""
    wa, wb = weight(weights, i, a, 0, out.size), weight(weights, i, b, 0, out.size)
    for k in range(out.size):
        out[k] = x[k] + wa[k] * here[k] + wb[k] * above[k]


@compiled
def add_between(out, weights, i, number, e):  # type: ignore[no-untyped-def]
    """out += a e + b (e of the next column, which wraps around)."""
    last = out.size - 1
    a, b = weight(weights, i, number, 0, last + 1), weight(weights, i, number + 1, 0, last + 1)
    for k in range(last):
        out[k] += a[k] * e[k] + b[k] * e[k + 1]
    out[last] += a[last] * e[last] + b[last] * e[0]
