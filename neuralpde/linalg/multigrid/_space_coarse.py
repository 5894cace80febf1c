"""Compiled smoothing of coarse grids in space, whose cells are coupled to 26 others: Gauss–Seidel in eight colours.

Rows come in the order (even plane, even row), (even, odd), (odd, even), (odd, odd), in each row the even cells before
the odd ones, after the correction all of it in reverse. From zero, cells of colours to come count nothing, and of the
residual only they are left: sweep and residual together read the couplings as one product with A does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neuralpde.linalg.jit import compiled
from neuralpde.linalg.multigrid._space_fine import close_rows
from neuralpde.linalg.multigrid._space_rows import merge_row, prolong_row, restrict_row, split_row


@compiled
def add_pair(i: int, j: int, di: int, dj: int, c: int, m: int, w: Any, u: Any, even: Any, odd: Any) -> None:
    """Add Σ w u over the rows (di, dj) away on both sides; c is the number of the coupling (di, dj, 0)."""
    a, b = i + di, j + dj
    w0, w1, w2 = w[c, i, j, 0, 1 : 1 + m], w[c + 1, i, j, 0, 1 : 1 + m], w[c - 1, i, j, 0, 1 : 1 + m]
    u0, u1, u2 = u[a, b, 0, 1 : 1 + m], u[a, b, 1, 1 : 1 + m], u[a, b, 1, 0:m]
    x0, x1, x2 = w[c, i, j, 1, 1 : 1 + m], w[c + 1, i, j, 1, 1 : 1 + m], w[c - 1, i, j, 1, 1 : 1 + m]
    y3 = u[a, b, 0, 2 : 2 + m]
    for k in range(m):
        even[k] += w0[k] * u0[k] + w1[k] * u1[k] + w2[k] * u2[k]
        odd[k] += x0[k] * u1[k] + x1[k] * y3[k] + x2[k] * u0[k]
    a, b = i - di, j - dj
    w0, w1, w2 = w[c, a, b, 0, 1 : 1 + m], w[c - 1, a, b, 1, 1 : 1 + m], w[c + 1, a, b, 1, 0:m]
    u0, u1, u2 = u[a, b, 0, 1 : 1 + m], u[a, b, 1, 1 : 1 + m], u[a, b, 1, 0:m]
    x0, x1, x2 = w[c, a, b, 1, 1 : 1 + m], w[c - 1, a, b, 0, 2 : 2 + m], w[c + 1, a, b, 0, 1 : 1 + m]
    y3 = u[a, b, 0, 2 : 2 + m]
    for k in range(m):
        even[k] += w0[k] * u0[k] + w1[k] * u1[k] + w2[k] * u2[k]
        odd[k] += x0[k] * u1[k] + x1[k] * y3[k] + x2[k] * u0[k]


@compiled
def add_rows(i: int, j: int, same: bool, other: bool, m: int, w: Any, u: Any, even: Any, odd: Any) -> None:
    """Add Σ w u over the neighbouring rows of the same plane, and of the planes beside it."""
    if same:
        add_pair(i, j, 0, 1, 2, m, w, u, even, odd)
    if other:
        add_pair(i, j, 1, -1, 5, m, w, u, even, odd)
        add_pair(i, j, 1, 0, 8, m, w, u, even, odd)
        add_pair(i, j, 1, 1, 11, m, w, u, even, odd)


@compiled
def relax_even(i: int, j: int, m: int, w: Any, inverse: Any, u: Any, even: Any) -> None:
    a, b = w[0, i, j, 0, 1 : 1 + m], w[0, i, j, 1, 0:m]
    x, y = u[i, j, 1, 1 : 1 + m], u[i, j, 1, 0:m]
    g, o = inverse[i, j, 0, 1 : 1 + m], u[i, j, 0, 1 : 1 + m]
    for k in range(m):
        o[k] = g[k] * (even[k] + a[k] * x[k] + b[k] * y[k])


@compiled
def relax_odd(i: int, j: int, m: int, w: Any, inverse: Any, u: Any, odd: Any) -> None:
    a, b = w[0, i, j, 1, 1 : 1 + m], w[0, i, j, 0, 1 : 1 + m]
    x, y = u[i, j, 0, 2 : 2 + m], u[i, j, 0, 1 : 1 + m]
    g, o = inverse[i, j, 1, 1 : 1 + m], u[i, j, 1, 1 : 1 + m]
    for k in range(m):
        o[k] = g[k] * (odd[k] + a[k] * x[k] + b[k] * y[k])


@compiled
def close_row(i: int, j: int, m: int, u: Any, periodic: Any) -> None:
    if periodic[2]:
        for p in range(2):
            u[i, j, p, 0] = u[i, j, p, m]
            u[i, j, p, m + 1] = u[i, j, p, 1]


@compiled
def forward_rows(
    i: int, parity: int, m: int, w: Any, inverse: Any, r: Any, u: Any, even: Any, odd: Any, periodic: Any
) -> None:
    """Relax the even (parity 0) or the odd rows of a plane for the first time."""
    for j in range(2 + parity, u.shape[1] - 2, 2):
        even[:] = r[i, j, 0, 1 : 1 + m]
        odd[:] = r[i, j, 1, 1 : 1 + m]
        add_rows(i, j, parity == 1, i % 2 == 1, m, w, u, even, odd)
        g, o = inverse[i, j, 0, 1 : 1 + m], u[i, j, 0, 1 : 1 + m]
        for k in range(m):
            o[k] = g[k] * even[k]
        close_row(i, j, m, u, periodic)
        relax_odd(i, j, m, w, inverse, u, odd)
    close_rows(i, u, m, periodic)


@compiled
def backward_rows(
    i: int, parity: int, m: int, w: Any, inverse: Any, r: Any, u: Any, even: Any, odd: Any, periodic: Any
) -> None:
    """Relax the even or the odd rows of a plane in reverse order."""
    for j in range(2 + parity, u.shape[1] - 2, 2):
        even[:] = r[i, j, 0, 1 : 1 + m]
        odd[:] = r[i, j, 1, 1 : 1 + m]
        add_rows(i, j, True, True, m, w, u, even, odd)
        relax_odd(i, j, m, w, inverse, u, odd)
        close_row(i, j, m, u, periodic)
        relax_even(i, j, m, w, inverse, u, even)
    close_rows(i, u, m, periodic)


@compiled
def residual_plane(i: int, m: int, w: Any, u: Any, left: Any, even: Any, odd: Any, periodic: Any) -> None:
    """What colours to come have changed since each cell was relaxed."""
    for j in range(2, u.shape[1] - 2):
        even[:] = 0.0
        odd[:] = 0.0
        add_rows(i, j, j % 2 == 0, i % 2 == 0, m, w, u, even, odd)
        a, b = w[0, i, j, 0, 1 : 1 + m], w[0, i, j, 1, 0:m]
        x, y = u[i, j, 1, 1 : 1 + m], u[i, j, 1, 0:m]
        s, t = left[i, j, 0, 1 : 1 + m], left[i, j, 1, 1 : 1 + m]
        for k in range(m):
            s[k] = even[k] + a[k] * x[k] + b[k] * y[k]
            t[k] = odd[k]
    close_rows(i, left, m, periodic)


@compiled
def down(
    lo: int,
    hi: int,
    stage: int,
    plain: Any,
    pad: int,
    m: int,
    w: Any,
    inverse: Any,
    r: Any,
    u: Any,
    left: Any,
    periodic: Any,
    factors: Any,
    place: Any,
    share: Any,
    counts: Any,
    shifts: Any,
    out: Any,
) -> None:
    """Even planes, odd planes, residuals, coarse planes: one stage of smoothing from zero, on planes lo ≤ i < hi."""
    even, odd = np.empty(m, np.float32), np.empty(m, np.float32)
    n = plain.shape[2] - 2 * pad
    for i in range(lo + 2, hi + 2):
        if stage == 0:
            for j in range(2, u.shape[1] - 2):
                row = plain[i - 2 + pad, j - 2 + pad, pad : pad + n]
                split_row(row, r[i, j, 0, 1 : 1 + m], r[i, j, 1, 1 : 1 + m], n)
        if stage < 2 and i % 2 == stage:
            forward_rows(i, 0, m, w, inverse, r, u, even, odd, periodic)
            forward_rows(i, 1, m, w, inverse, r, u, even, odd, periodic)
        if stage == 2:
            residual_plane(i, m, w, u, left, even, odd, periodic)
    if stage == 3:
        flat = left.reshape(-1)
        for i in range(lo, hi):
            for j in range(place[6]):
                f = place[0] + factors[0] * i * place[1] + factors[1] * j * place[2]
                c = place[3] + i * place[4] + j * place[5]
                restrict_row(f, c, place[7], share, flat, counts[0], shifts[0], out)


@compiled
def correct_plane(
    i: int, m: int, u: Any, periodic: Any, factors: Any, place: Any, share: Any, coarse: Any, counts: Any, shifts: Any
) -> None:
    """Add the coarse correction P e to a plane."""
    x = i - 2
    for j in range(2, u.shape[1] - 2):
        y = j - 2
        c = place[3] + (x // factors[0]) * place[4] + (y // factors[1]) * place[5]
        kind = 4 * (x % factors[0]) + 2 * (y % factors[1])
        for p in range(2):
            prolong_row(c, kind + p, place[7], share, coarse, counts, shifts, u[i, j, p, 1 : 1 + m])
    close_rows(i, u, m, periodic)


@compiled
def up(
    lo: int,
    hi: int,
    stage: int,
    plain: Any,
    pad: int,
    m: int,
    w: Any,
    inverse: Any,
    r: Any,
    u: Any,
    spare: Any,
    periodic: Any,
    factors: Any,
    place: Any,
    share: Any,
    coarse: Any,
    counts: Any,
    shifts: Any,
) -> None:
    """Correction, odd planes, even planes: one stage after the coarse grid, on planes lo ≤ i < hi."""
    even, odd = np.empty(m, np.float32), np.empty(m, np.float32)
    n = plain.shape[2] - 2 * pad
    for i in range(lo + 2, hi + 2):
        if stage == 0:
            correct_plane(i, m, u, periodic, factors, place, share, coarse, counts, shifts)
        elif i % 2 == stage % 2:
            backward_rows(i, 1, m, w, inverse, r, u, even, odd, periodic)
            backward_rows(i, 0, m, w, inverse, r, u, even, odd, periodic)
        if stage == 2:
            for j in range(2, u.shape[1] - 2):
                row = plain[i - 2 + pad, j - 2 + pad, pad : pad + n]
                merge_row(u[i, j, 0, 1 : 1 + m], u[i, j, 1, 1 : 1 + m], row, n)
