"""Loops of smoothing by lines: rows and columns of a plane solved at once, in halves of rows as in :mod:`_plane_rows`.

``chain`` holds, for lines along one axis, p = 1 / pivot and q = p · (coupling with the next cell of the line). With
those, g_j = r_j + q_{j−1} g_{j−1} and then x_j = p_j g_j + q_j x_{j+1}: one product and sum after the other along a
line. All columns of a half go row by row together; four rows go together cell by cell, since each waits for itself.
"""

from __future__ import annotations

import numpy as np

from neuralpde.linalg.jit import compiled
from neuralpde.linalg.multigrid._plane_pieces import closed, layer, part
from neuralpde.linalg.views import piece


@compiled
def chains(straight, diagonal, across, p, q):  # type: ignore[no-untyped-def]
    """p and q of lines along axis 0 (``across``) or axis 1, of which couplings that wrap around are no part."""
    rows, columns = diagonal.shape
    for i in range(rows):
        for j in range(columns):
            before = 0.0
            if across and i:
                before = straight[i - 1, j] * q[i - 1, j]
            if not across and j:
                before = straight[i, j - 1] * q[i, j - 1]
            left = diagonal[i, j] - before
            p[i, j] = 1.0 / left if left > 1e-7 * diagonal[i, j] else 0.0
            last = i == rows - 1 if across else j == columns - 1
            q[i, j] = 0.0 if last else p[i, j] * straight[i, j]


@compiled
def solve_rows(first, last, b, x, stencil, chain, parity, alone):  # type: ignore[no-untyped-def]
    """x of groups of four rows, every other one, from b and (unless ``alone``) the rows around them."""
    rows, size = x.shape[0], x.shape[2] - 2
    y = np.zeros((4, 2, size + 2), np.float32)
    for group in range(first, last):
        i = parity + 8 * group
        count = min(4, (rows - i + 1) // 2)
        for s in range(count):
            for half in range(2):
                _copy(part(y, s, half, 0, size), part(b, i + 2 * s, half, 0, size))
                if not alone:
                    _across(part(y, s, half, 0, size), x, i + 2 * s, half, stencil)
            if not alone:
                w = stencil[i + 2 * s, 0, 1, size]  # of the last column with the first, when their number is even
                y[s, 1, size] += w * x[i + 2 * s, 0, 1]
                y[s, 0, 1] += w * x[i + 2 * s, 1, size]
        if count == 4:
            _four_rows(y, x, i, chain)
        else:
            for s in range(count):
                _one_row(y, s, x, i + 2 * s, chain)
        for s in range(count):
            closed(x, i + 2 * s, 0)
            closed(x, i + 2 * s, 1)


@compiled
def _one_row(y, s, x, i, chain):  # type: ignore[no-untyped-def]
    size = x.shape[2] - 2
    y0, y1 = part(y, s, 0, 0, size), part(y, s, 1, 0, size)
    p0, p1, q0, q1 = _chain_of(chain, i, size)
    x0, x1 = part(x, i, 0, 0, size), part(x, i, 1, 0, size)
    g = q = np.float32(0.0)
    for k in range(size):
        g = y0[k] + q * g
        y0[k] = g
        g = y1[k] + q0[k] * g
        y1[k], q = g, q1[k]
    g = np.float32(0.0)
    for k in range(size - 1, -1, -1):
        g = p1[k] * y1[k] + q1[k] * g
        x1[k] = g
        g = p0[k] * y0[k] + q0[k] * g
        x0[k] = g


@compiled
def _chain_of(chain, i, size):  # type: ignore[no-untyped-def]
    """p of both halves of row i, then q."""
    return (
        layer(chain, i, 0, 0, 0, size),
        layer(chain, i, 0, 1, 0, size),
        layer(chain, i, 1, 0, 0, size),
        layer(chain, i, 1, 1, 0, size),
    )


@compiled
def _four_rows(y, x, i, chain):  # type: ignore[no-untyped-def]
    """As :func:`_one_row` for rows i, i + 2, i + 4 and i + 6: four sums that need not wait for each other."""
    size = x.shape[2] - 2
    a0, a1 = part(y, 0, 0, 0, size), part(y, 0, 1, 0, size)
    b0, b1 = part(y, 1, 0, 0, size), part(y, 1, 1, 0, size)
    c0, c1 = part(y, 2, 0, 0, size), part(y, 2, 1, 0, size)
    d0, d1 = part(y, 3, 0, 0, size), part(y, 3, 1, 0, size)
    pa0, pa1, qa0, qa1 = _chain_of(chain, i, size)
    pb0, pb1, qb0, qb1 = _chain_of(chain, i + 2, size)
    pc0, pc1, qc0, qc1 = _chain_of(chain, i + 4, size)
    pd0, pd1, qd0, qd1 = _chain_of(chain, i + 6, size)
    a = b = c = d = qa = qb = qc = qd = np.float32(0.0)
    for k in range(size):
        a, b, c, d = a0[k] + qa * a, b0[k] + qb * b, c0[k] + qc * c, d0[k] + qd * d
        a0[k], b0[k], c0[k], d0[k] = a, b, c, d
        a, b, c, d = a1[k] + qa0[k] * a, b1[k] + qb0[k] * b, c1[k] + qc0[k] * c, d1[k] + qd0[k] * d
        a1[k], b1[k], c1[k], d1[k] = a, b, c, d
        qa, qb, qc, qd = qa1[k], qb1[k], qc1[k], qd1[k]
    xa0, xa1 = part(x, i, 0, 0, size), part(x, i, 1, 0, size)
    xb0, xb1 = part(x, i + 2, 0, 0, size), part(x, i + 2, 1, 0, size)
    xc0, xc1 = part(x, i + 4, 0, 0, size), part(x, i + 4, 1, 0, size)
    xd0, xd1 = part(x, i + 6, 0, 0, size), part(x, i + 6, 1, 0, size)
    a = b = c = d = np.float32(0.0)
    for k in range(size - 1, -1, -1):
        a, b = pa1[k] * a1[k] + qa1[k] * a, pb1[k] * b1[k] + qb1[k] * b
        c, d = pc1[k] * c1[k] + qc1[k] * c, pd1[k] * d1[k] + qd1[k] * d
        xa1[k], xb1[k], xc1[k], xd1[k] = a, b, c, d
        a, b = pa0[k] * a0[k] + qa0[k] * a, pb0[k] * b0[k] + qb0[k] * b
        c, d = pc0[k] * c0[k] + qc0[k] * c, pd0[k] * d0[k] + qd0[k] * d
        xa0[k], xb0[k], xc0[k], xd0[k] = a, b, c, d


@compiled
def solve_columns(first, last, b, x, y, stencil, chain, half, alone):  # type: ignore[no-untyped-def]
    """x of columns 2 k + half, first ≤ k < last, from b and (unless ``alone``) the columns around them."""
    rows, size, n = x.shape[0], x.shape[2] - 2, last - first
    top = rows - 1
    for i in range(rows):
        out = piece(y, i * size + first, n)
        _copy(out, part(b, i, half, first, n))
        if not alone:
            _beside(out, x, i, half, stencil, first)
            if i == 0 or i == top:
                _add(out, layer(stencil, top, 1, half, first, n), part(x, top - i, half, first, n))
        if i:
            _add(out, layer(chain, i - 1, 1, half, first, n), piece(y, (i - 1) * size + first, n))
    for i in range(top, -1, -1):
        out, g, p = part(x, i, half, first, n), piece(y, i * size + first, n), layer(chain, i, 0, half, first, n)
        for k in range(n):
            out[k] = p[k] * g[k]
        if i < top:
            _add(out, layer(chain, i, 1, half, first, n), part(x, i + 1, half, first, n))
        if first == 0:
            x[i, half, size + 1] = out[0]
        if last == size:
            x[i, half, 0] = out[n - 1]


@compiled
def _copy(out, x):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] = x[k]


@compiled
def _add(out, w, x):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] += w[k] * x[k]


@compiled
def _add_two(out, wa, xa, wb, xb):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] += wa[k] * xa[k] + wb[k] * xb[k]


@compiled
def _across(out, x, i, half, stencil):  # type: ignore[no-untyped-def]
    """out += Σ w x over the neighbours in the rows before and after; five layers are those of nine points."""
    rows, n = x.shape[0], out.size
    below, above = (i - 1) % rows, (i + 1) % rows
    wa, wb = layer(stencil, i, 1, half, 0, n), layer(stencil, below, 1, half, 0, n)
    _add_two(out, wa, part(x, above, half, 0, n), wb, part(x, below, half, 0, n))
    if stencil.shape[1] == 5:
        _crosswise(out, x, i, half, stencil, 0)


@compiled
def _beside(out, x, i, half, stencil, first):  # type: ignore[no-untyped-def]
    """out += Σ w x over the neighbours in the columns before and after."""
    n, other = out.size, 1 - half
    left = first + half - 1
    wl, wr = layer(stencil, i, 0, other, left, n), layer(stencil, i, 0, half, first, n)
    _add_two(out, wl, part(x, i, other, left, n), wr, part(x, i, other, first + half, n))
    if stencil.shape[1] == 5:
        _crosswise(out, x, i, half, stencil, first)


@compiled
def _crosswise(out, x, i, half, stencil, first):  # type: ignore[no-untyped-def]
    """out += Σ w x over the four neighbours at corners."""
    n, rows, other = out.size, x.shape[0], 1 - half
    left, right, below, above = first + half - 1, first + half, (i - 1) % rows, (i + 1) % rows
    wl, wr = layer(stencil, i, 3, half, first, n), layer(stencil, i, 2, half, first, n)
    _add_two(out, wl, part(x, above, other, left, n), wr, part(x, above, other, right, n))
    wl, wr = layer(stencil, below, 2, other, left, n), layer(stencil, below, 3, other, right, n)
    _add_two(out, wl, part(x, below, other, left, n), wr, part(x, below, other, right, n))
