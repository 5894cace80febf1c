"""Compiled smoothing of the finest grid: red–black sweeps from zero before, and in reverse order after the coarse grid.

Each sweep is a wave through the planes of its slab: while plane i + 1 is relaxed in red, plane i follows in black and
plane i − 1 leaves its residual, so that the coefficients are read from memory once. What a slab needs of the planes of
its neighbours it computes itself, the same numbers that they find. After a sweep from zero the residual vanishes on
black cells, and on red ones it is Σ w u over black neighbours: no difference of large numbers. The sweep after the
correction begins with black cells, which only see red ones: the correction is needed at red cells alone.
"""

from __future__ import annotations

from typing import Any

from neuralpde.linalg.jit import compiled
from neuralpde.linalg.multigrid._space_rows import merge_row, prolong_row, restrict_row, split_row

RED, BLACK = 0, 1


@compiled
def around(i: int, j: int, p: int, m: int, w: Any, u: Any, out: Any) -> None:
    """Σ w u over the six neighbours of every second cell of a row."""
    a, b = w[2, i, j, p, 1 : 1 + m], w[2, i - 1, j, p, 1 : 1 + m]
    c, d = w[1, i, j, p, 1 : 1 + m], w[1, i, j - 1, p, 1 : 1 + m]
    e, f = w[0, i, j, p, 1 : 1 + m], w[0, i, j, 1 - p, p : p + m]
    ua, ub = u[i + 1, j, p, 1 : 1 + m], u[i - 1, j, p, 1 : 1 + m]
    uc, ud = u[i, j + 1, p, 1 : 1 + m], u[i, j - 1, p, 1 : 1 + m]
    ue, uf = u[i, j, 1 - p, p + 1 : p + 1 + m], u[i, j, 1 - p, p : p + m]
    for k in range(m):
        out[k] = a[k] * ua[k] + b[k] * ub[k] + c[k] * uc[k] + d[k] * ud[k] + e[k] * ue[k] + f[k] * uf[k]


@compiled
def relax(i: int, j: int, p: int, m: int, w: Any, inverse: Any, r: Any, u: Any, out: Any) -> None:
    """(r + Σ w u) / a at every second cell of a row."""
    a, b = w[2, i, j, p, 1 : 1 + m], w[2, i - 1, j, p, 1 : 1 + m]
    c, d = w[1, i, j, p, 1 : 1 + m], w[1, i, j - 1, p, 1 : 1 + m]
    e, f = w[0, i, j, p, 1 : 1 + m], w[0, i, j, 1 - p, p : p + m]
    ua, ub = u[i + 1, j, p, 1 : 1 + m], u[i - 1, j, p, 1 : 1 + m]
    uc, ud = u[i, j + 1, p, 1 : 1 + m], u[i, j - 1, p, 1 : 1 + m]
    ue, uf = u[i, j, 1 - p, p + 1 : p + 1 + m], u[i, j, 1 - p, p : p + m]
    g, h = inverse[i, j, p, 1 : 1 + m], r[i, j, p, 1 : 1 + m]
    for k in range(m):
        s = a[k] * ua[k] + b[k] * ub[k] + c[k] * uc[k] + d[k] * ud[k] + e[k] * ue[k] + f[k] * uf[k]
        out[k] = g[k] * (h[k] + s)


@compiled
def close_rows(i: int, u: Any, m: int, periodic: Any) -> None:
    """Copies beyond the ends of the rows of a plane, and of its first and last rows."""
    last = u.shape[1] - 3
    if periodic[2]:
        for j in range(2, last + 1):
            for p in range(2):
                u[i, j, p, 0] = u[i, j, p, m]
                u[i, j, p, m + 1] = u[i, j, p, 1]
    if periodic[1]:
        u[i, 1] = u[i, last]
        u[i, last + 1] = u[i, 2]


@compiled
def start_plane(i: int, plain: Any, pad: int, m: int, inverse: Any, r: Any, u: Any, periodic: Any) -> None:
    """Sort the right-hand side of a plane, and relax its red cells from zero: r / a."""
    n = plain.shape[2] - 2 * pad
    for j in range(2, u.shape[1] - 2):
        row = plain[i - 2 + pad, j - 2 + pad, pad : pad + n]
        split_row(row, r[i, j, 0, 1 : 1 + m], r[i, j, 1, 1 : 1 + m], n)
        p = (i + j) & 1
        g, h, o = inverse[i, j, p, 1 : 1 + m], r[i, j, p, 1 : 1 + m], u[i, j, p, 1 : 1 + m]
        for k in range(m):
            o[k] = g[k] * h[k]
    close_rows(i, u, m, periodic)


@compiled
def black_plane(i: int, m: int, w: Any, inverse: Any, r: Any, u: Any, periodic: Any) -> None:
    """Relax the black cells of a plane."""
    for j in range(2, u.shape[1] - 2):
        p = (i + j + 1) & 1
        relax(i, j, p, m, w, inverse, r, u, u[i, j, p, 1 : 1 + m])
    close_rows(i, u, m, periodic)


@compiled
def residual_plane(i: int, m: int, w: Any, u: Any, left: Any, periodic: Any) -> None:
    """What is left at the red cells of a plane."""
    for j in range(2, u.shape[1] - 2):
        p = (i + j) & 1
        around(i, j, p, m, w, u, left[i, j, p, 1 : 1 + m])
    close_rows(i, left, m, periodic)


@compiled
def restrict_plane(i: int, factors: Any, place: Any, share: Any, left: Any, counts: Any, shifts: Any, out: Any) -> None:
    """Pᵀ of what is left at red cells, on a plane of coarse cells."""
    for j in range(place[6]):
        f = place[0] + factors[0] * i * place[1] + factors[1] * j * place[2]
        c = place[3] + i * place[4] + j * place[5]
        colour = (factors[0] * i + factors[1] * j) & 1
        restrict_row(f, c, place[7], share, left, counts[colour], shifts[colour], out)


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
    """Smooth from zero, and give the residual to the coarse planes lo ≤ I < hi.

    ``stage`` −1 does all in one wave; 0, 1, 2, 3 do one thing on the fine (3: coarse) planes lo ≤ i < hi.
    """
    n, reach = u.shape[0] - 4, factors[0] - 1
    if stage == 0:
        for i in range(lo, hi):
            start_plane(i + 2, plain, pad, m, inverse, r, u, periodic)
    elif stage == 1:
        for i in range(lo, hi):
            black_plane(i + 2, m, w, inverse, r, u, periodic)
    elif stage == 2:
        for i in range(lo, hi):
            residual_plane(i + 2, m, w, u, left, periodic)
    elif stage == 3:
        for i in range(lo, hi):
            restrict_plane(i, factors, place, share, left.reshape(-1), counts, shifts, out)
    else:
        flat = left.reshape(-1)
        first, last = max(factors[0] * lo - reach, 0), min(factors[0] * (hi - 1) + reach, n - 1)
        done = lo
        for t in range(first - 2, last + 3):
            if 0 <= t < n:
                start_plane(t + 2, plain, pad, m, inverse, r, u, periodic)
            if max(first - 1, 0) <= t - 1 < n and t - 1 <= last + 1:
                black_plane(t + 1, m, w, inverse, r, u, periodic)
            if first <= t - 2 <= last:
                residual_plane(t, m, w, u, left, periodic)
                while done < hi and min(factors[0] * done + reach, n - 1) <= t - 2:
                    restrict_plane(done, factors, place, share, flat, counts, shifts, out)
                    done += 1


@compiled
def correct_plane(
    i: int,
    m: int,
    inverse: Any,
    r: Any,
    u: Any,
    periodic: Any,
    factors: Any,
    place: Any,
    share: Any,
    coarse: Any,
    counts: Any,
    shifts: Any,
) -> None:
    """The red cells of a plane: what the first sweep gave them, r / a, and the coarse correction P e."""
    x = i - 2
    odd = x % factors[0]
    for j in range(2, u.shape[1] - 2):
        y = j - 2
        p = (i + j) & 1
        g, h, o = inverse[i, j, p, 1 : 1 + m], r[i, j, p, 1 : 1 + m], u[i, j, p, 1 : 1 + m]
        for k in range(m):
            o[k] = g[k] * h[k]
        c = place[3] + (x // factors[0]) * place[4] + (y // factors[1]) * place[5]
        prolong_row(c, 4 * odd + 2 * (y % factors[1]) + p, place[7], share, coarse, counts, shifts, o)
    close_rows(i, u, m, periodic)


@compiled
def finish_plane(i: int, m: int, w: Any, inverse: Any, r: Any, u: Any, spare: Any, plain: Any, pad: int) -> None:
    """Relax the red cells of a plane, and put all of it in order."""
    n = plain.shape[2] - 2 * pad
    for j in range(2, u.shape[1] - 2):
        p = (i + j) & 1
        red, black = spare[i, j, p, 1 : 1 + m], u[i, j, 1 - p, 1 : 1 + m]
        relax(i, j, p, m, w, inverse, r, u, red)
        row = plain[i - 2 + pad, j - 2 + pad, pad : pad + n]
        if p == 0:
            merge_row(red, black, row, n)
        else:
            merge_row(black, red, row, n)


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
    """Correct from the coarse grid, smooth in reverse order, fine planes lo ≤ i < hi; ``stage`` as in :func:`down`."""
    n = u.shape[0] - 4
    if stage == 0:
        for i in range(lo, hi):
            correct_plane(i + 2, m, inverse, r, u, periodic, factors, place, share, coarse, counts, shifts)
    elif stage == 1:
        for i in range(lo, hi):
            black_plane(i + 2, m, w, inverse, r, u, periodic)
    elif stage == 2:
        for i in range(lo, hi):
            finish_plane(i + 2, m, w, inverse, r, u, spare, plain, pad)
    else:
        for t in range(lo - 2, hi + 2):
            if 0 <= t < n:
                correct_plane(t + 2, m, inverse, r, u, periodic, factors, place, share, coarse, counts, shifts)
            if max(lo - 1, 0) <= t - 1 < n and t - 1 <= hi:
                black_plane(t + 1, m, w, inverse, r, u, periodic)
            if lo <= t - 2 < hi:
                finish_plane(t, m, w, inverse, r, u, spare, plain, pad)
