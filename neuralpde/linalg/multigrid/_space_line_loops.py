"""Compiled smoothing by lines: whole lines of cells along one axis at once, four colours of lines after each other.

A line's tridiagonal matrix T is eliminated once: pivots p_i = a_i − w_{i−1}² / p_{i−1}, of which the inverses are kept.
No line is coupled to another of its colour, so that the right-hand sides of all lines of a colour in a plane are summed
in long loops, as in sweeps by points, before any line is solved. On lines along the first axis a step of elimination
goes over a whole kind of cells in a plane, along the second over a row; those along the last axis are eliminated
several at a time, since each step of one waits for the step before.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neuralpde.linalg.jit import compiled
from neuralpde.linalg.multigrid._space_rows import close_plane
from neuralpde.linalg.views import piece

BESIDE = 16
"""Lines along the last axis that are eliminated at the same time."""


@compiled
def invert(f: int, b: int, size: int, begins: bool, w: Any, diagonal: Any, out: Any) -> None:
    """Inverse pivots of cells f …, from those at b … before them on their lines. Cells without a pivot have 0."""
    a, v = piece(diagonal, f, size), piece(out, f, size)
    if begins:
        for k in range(size):
            v[k] = 1.0 / a[k] if a[k] > 0.0 else 0.0
    else:
        x, y = piece(w, b, size), piece(out, b, size)
        for k in range(size):
            c = np.float64(x[k])
            d = a[k] - c * c * y[k]
            v[k] = 1.0 / d if d > 1e-7 * a[k] else 0.0


@compiled
def pivots(lo: int, hi: int, g: Any, kinds: Any, planes: int, w: Any, diagonal: Any, out: Any) -> None:
    """Inverse pivots of lines along the first axis, in rows lo ≤ j < hi of each kind of cells; ``w`` couples each cell
    to the next along its line."""
    stretches, jump, run = stretches_of(lo, hi, g)
    for t in range(4):
        for s in range(stretches):
            for i in range(planes):
                f = g[0] + i * g[1] + kinds[t] + lo * jump + s * jump
                invert(f, f - g[1], run, i == 0, w, diagonal, out)


@compiled
def stretches_of(lo: int, hi: int, g: Any) -> tuple[int, int, int]:
    """Rows lo ≤ j < hi of a kind of cells in a plane: how many stretches, how far apart these are, their length."""
    return (hi - lo, g[10], g[8]) if g[10] else (1, g[4], (hi - lo) * g[4] - 2)


@compiled
def row(i: int, j: int, g: Any) -> int:
    """Place of the first cell of row j in plane i."""
    return g[0] + i * g[1] + (j % 2) * g[5] + (j // 2) * g[6]


@compiled
def pivots_of_rows(lo: int, hi: int, along: int, g: Any, rows: int, n: int, w: Any, diagonal: Any, out: Any) -> None:
    """The same of lines along the second or the last axis, in planes lo ≤ i < hi."""
    for i in range(lo, hi):
        for j in range(rows):
            f = row(i, j, g)
            if along == 1:
                for p in range(2):
                    invert(f + p * g[2], row(i, j - 1, g) + p * g[2], g[8], j == 0, w, diagonal, out)
            else:
                before, link = 0.0, 0.0
                for k in range(n):
                    here = f + (k % 2) * g[2] + k // 2
                    d = diagonal[here] - link * link * before
                    before = 1.0 / d if d > 1e-7 * diagonal[here] else 0.0
                    out[here], link = before, np.float64(w[here])


@compiled
def given(f: int, run: int, at: Any, r: Any, u: Any, w: Any, inverse: Any, sums: Any) -> None:
    """(r + Σ w u) / p at a stretch of cells of one kind: the sum is over neighbours on other lines, p is the pivot."""
    sums[:run] = piece(r, f, run)
    for n in range(0, at.shape[0], 4):
        w0, w1 = piece(w, f + at[n, 0], run), piece(w, f + at[n + 1, 0], run)
        w2, w3 = piece(w, f + at[n + 2, 0], run), piece(w, f + at[n + 3, 0], run)
        u0, u1 = piece(u, f + at[n, 1], run), piece(u, f + at[n + 1, 1], run)
        u2, u3 = piece(u, f + at[n + 2, 1], run), piece(u, f + at[n + 3, 1], run)
        for k in range(run):
            sums[k] += w0[k] * u0[k] + w1[k] * u1[k] + w2[k] * u2[k] + w3[k] * u3[k]
    y, v = piece(u, f, run), piece(inverse, f, run)
    for k in range(run):
        y[k] = v[k] * sums[k]


@compiled
def follow(f: int, b: int, link: int, size: int, u: Any, x: Any, links: Any, inverse: Any) -> None:
    """Add w x / p to u: what x gives to its neighbours f … on their lines, coupled by the weights from ``link``."""
    y, z, c, v = piece(u, f, size), piece(x, b, size), piece(links, link, size), piece(inverse, f, size)
    for k in range(size):
        y[k] += v[k] * c[k] * z[k]


@compiled
def relax(
    lo: int, hi: int, t: int, g: Any, kinds: Any, planes: int, ring: bool,
    at: Any, r: Any, u: Any, w: Any, links: Any, inverse: Any,
) -> None:  # fmt: skip
    """Solve T u = r + Σ w u on all lines along the first axis of one kind t of cells, in its rows lo ≤ j < hi."""
    stretches, jump, run = stretches_of(lo, hi, g)
    sums = np.empty(run, np.float32)
    for s in range(stretches):
        begin = g[0] + kinds[t] + (lo + s) * jump
        for i in range(planes):
            f = begin + i * g[1]
            given(f, run, at[t], r, u, w, inverse, sums)
            if i or ring:
                follow(f, f - g[1], f - g[1], run, u, u, links, inverse)
            if ring and i == planes - 1:
                follow(f, f + g[1], f, run, u, u, links, inverse)
        for i in range(planes - 2, -1, -1):
            f = begin + i * g[1]
            follow(f, f + g[1], f, run, u, u, links, inverse)


@compiled
def relax_rows(
    lo: int, hi: int, stage: int, along: int, back: bool, g: Any, kinds: Any, rows: int, n: int, periodic: Any,
    at: Any, r: Any, u: Any, w: Any, links: Any, inverse: Any,
) -> None:  # fmt: skip
    """The same along the second or last axis, in planes lo ≤ i < hi: even planes and then odd ones, or ``back``.

    Stage 0 is one wave through the planes, so that coefficients are read from memory once; of the planes that come
    second it leaves out those at the ends of the slab, for stage 1. Where the first axis is a ring, stages 2 and 3 are
    the planes that come first and second.
    """
    sums, ends = np.empty(g[11], np.float32), np.empty((2, max(rows, g[8])), np.float32)
    given_and_places = (along, back, g, kinds, rows, n, periodic, at, r, u, w, links, inverse, sums, ends)
    for x in range(lo, hi + 1):
        if stage != 1 and stage != 3 and x < hi and x % 2 == back:
            relax_plane(x, *given_and_places)
        i = x - 1
        inside = i >= lo and (i > lo or i == 0) and (i + 1 < hi or i + 1 == g[12])
        if stage != 2 and i >= lo and i % 2 != back and (stage == 3 or inside == (stage == 0)):
            relax_plane(i, *given_and_places)


@compiled
def relax_plane(
    i: int, along: int, back: bool, g: Any, kinds: Any, rows: int, n: int, periodic: Any,
    at: Any, r: Any, u: Any, w: Any, links: Any, inverse: Any, sums: Any, ends: Any,
) -> None:  # fmt: skip
    """Even lines of a plane and then odd ones, or ``back``."""
    for step in range(2):
        odd = 1 - step if back else step
        if periodic[along]:
            keep_ends(i, along, odd, g, rows, n, u, ends)
        for m in range(2):
            t = 2 * m + odd if along == 1 else 2 * odd + m
            for s in range(g[9]):
                given(g[0] + i * g[1] + kinds[t] + s * g[10], g[11], at[t], r, u, w, inverse, sums)
        if along == 1:
            eliminate_across(i, odd, g, rows, periodic[1], u, ends, links, inverse)
        else:
            eliminate_along(i, odd, g, rows, n, periodic[2], u, ends, links, inverse)
        close_plane(i, g, periodic, u)


@compiled
def keep_ends(i: int, along: int, odd: int, g: Any, rows: int, n: int, u: Any, ends: Any) -> None:
    """The numbers at the first and the last cell of the lines of a colour in a plane."""
    if along == 1:
        for end, j in enumerate((0, rows - 1)):
            ends[end, : g[8]] = piece(u, row(i, j, g) + odd * g[2], g[8])
    else:
        for j in range(odd, rows, 2):
            f = row(i, j, g)
            ends[0, j], ends[1, j] = u[f], u[f + ((n - 1) % 2) * g[2] + (n - 1) // 2]


@compiled
def eliminate_across(
    i: int, odd: int, g: Any, rows: int, ring: bool, u: Any, ends: Any, links: Any, inverse: Any
) -> None:
    """Forward and backward elimination on lines along the second axis, at even or odd cells of the rows of a plane."""
    half, aside = g[8], odd * g[2]
    last = row(i, rows - 1, g) + aside
    if ring:
        follow(row(i, 0, g) + aside, ends.shape[1], last, half, u, ends, links, inverse)
        follow(last, 0, last, half, u, ends, links, inverse)
    for j in range(1, rows):
        b = row(i, j - 1, g) + aside
        follow(row(i, j, g) + aside, b, b, half, u, u, links, inverse)
    for j in range(rows - 2, -1, -1):
        f = row(i, j, g) + aside
        follow(f, row(i, j + 1, g) + aside, f, half, u, u, links, inverse)


@compiled
def eliminate_along(
    i: int, odd: int, g: Any, rows: int, n: int, ring: bool, u: Any, ends: Any, links: Any, inverse: Any
) -> None:
    """The same on lines along the last axis: even or odd rows of a plane."""
    for first in range(odd, rows, 2 * BESIDE):
        begin, end = row(i, first, g), min(rows, first + 2 * BESIDE)
        count = (end - first + 1) // 2
        if ring:
            tail = ((n - 1) % 2) * g[2] + (n - 1) // 2
            for q in range(count):
                head = begin + q * g[6]
                u[head] += inverse[head] * links[head + tail] * ends[1, first + 2 * q]
                u[head + tail] += inverse[head + tail] * links[head + tail] * ends[0, first + 2 * q]
        for k in range(1, n):
            f, b = begin + (k % 2) * g[2] + k // 2, begin + ((k - 1) % 2) * g[2] + (k - 1) // 2
            for q in range(count):
                u[f + q * g[6]] += inverse[f + q * g[6]] * links[b + q * g[6]] * u[b + q * g[6]]
        for k in range(n - 2, -1, -1):
            f, a = begin + (k % 2) * g[2] + k // 2, begin + ((k + 1) % 2) * g[2] + (k + 1) // 2
            for q in range(count):
                u[f + q * g[6]] += inverse[f + q * g[6]] * links[f + q * g[6]] * u[a + q * g[6]]


@compiled
def residual(
    lo: int, hi: int, g: Any, kinds: Any, r: Any, u: Any, w: Any, excess: Any, shifts: Any, cells: Any, out: Any
) -> None:
    """r − A u, from differences of neighbours."""
    run = g[11]
    for i in range(lo, hi):
        for t in range(4):
            for s in range(g[9]):
                f = g[0] + i * g[1] + kinds[t] + s * g[10]
                x, y, z, e = piece(r, f, run), piece(u, f, run), piece(out, f, run), piece(excess, f, run)
                for k in range(run):
                    z[k] = x[k] - e[k] * y[k]
                for n in range(0, shifts.shape[1], 2):
                    a, b = piece(w, f + shifts[t, n], run), piece(u, f + cells[t, n], run)
                    c, d = piece(w, f + shifts[t, n + 1], run), piece(u, f + cells[t, n + 1], run)
                    for k in range(run):
                        z[k] += a[k] * (b[k] - y[k]) + c[k] * (d[k] - y[k])
