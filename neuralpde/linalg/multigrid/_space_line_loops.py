"""Compiled smoothing by lines: whole lines of cells along one axis at once, four colours of lines after each other.

A line's tridiagonal matrix T is eliminated once: pivots p_i = a_i − w_{i−1}² / p_{i−1}, of which the inverses are kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neuralpde.linalg.jit import compiled


@compiled
def gather(f: int, half: int, r: Any, u: Any, w: Any, shifts: Any, cells: Any, out: Any) -> None:
    """r + Σ w u over the neighbours of the tables, at every second cell of a row."""
    out[:] = r[f : f + half]
    for n in range(shifts.shape[0]):
        a = w[f + shifts[n] : f + shifts[n] + half]
        b = u[f + cells[n] : f + cells[n] + half]
        for k in range(half):
            out[k] += a[k] * b[k]


@compiled
def place(g: Any, axis: int, o: int, t: int, p: int) -> int:
    """Of cell t of the lines along one of the first two axes, o across, even (0) or odd ones along the last axis."""
    i, j = (t, o) if axis == 0 else (o, t)
    return g[0] + i * g[1] + (j % 2) * g[5] + (j // 2) * g[6] + p * g[2]


@compiled
def pivots(lo: int, hi: int, g: Any, axis: int, count: int, w: Any, diagonal: Any, out: Any) -> None:
    """Inverse pivots of lines along one of the first two axes; ``w`` couples each cell to the next along it."""
    half = g[8]
    last = np.empty(half)
    for o in range(lo, hi):
        for p in range(2):
            last[:] = 0.0
            for i in range(count):
                f, b = place(g, axis, o, i, p), place(g, axis, o, i - 1, p)
                a, x, y = diagonal[f : f + half], w[b : b + half], out[f : f + half]
                for k in range(half):
                    c = np.float64(x[k]) if i else 0.0
                    d = a[k] - c * c * last[k]
                    last[k] = 1.0 / d if d > 1e-7 * a[k] else 0.0
                    y[k] = last[k]


@compiled
def pivots_of_rows(lo: int, hi: int, g: Any, rows: int, n: int, w: Any, diagonal: Any, out: Any) -> None:
    """Inverse pivots of lines along the last axis."""
    for i in range(lo, hi):
        for j in range(rows):
            f = place(g, 1, i, j, 0)
            last, before = 0.0, 0.0
            for k in range(n):
                here = f + (k % 2) * g[2] + k // 2
                d = diagonal[here] - before * before * last
                last = 1.0 / d if d > 1e-7 * diagonal[here] else 0.0
                out[here] = last
                before = np.float64(w[here])


@compiled
def relax_lines(
    lo: int, hi: int, colour: int, g: Any, axis: int, count: int, ring: bool,
    r: Any, u: Any, w: Any, links: Any, inverse: Any, shifts: Any, cells: Any,
) -> None:  # fmt: skip
    """Solve T u = r + Σ w u on lines along one of the first two axes; a colour is (parity across, parity of k)."""
    p, half = colour % 2, g[8]
    for o in range(lo, hi):
        if o % 2 == colour // 2:
            for t in range(count):
                f, b, a = place(g, axis, o, t, p), place(g, axis, o, t - 1, p), place(g, axis, o, t + 1, p)
                kind = 2 * ((o if axis == 0 else t) % 2) + p
                y = u[f : f + half]
                gather(f, half, r, u, w, shifts[kind], cells[kind], y)
                if t or ring:
                    before, x = links[b : b + half], u[b : b + half]
                    for k in range(half):
                        y[k] += before[k] * x[k]
                if ring and t == count - 1:
                    after, x = links[f : f + half], u[a : a + half]
                    for k in range(half):
                        y[k] += after[k] * x[k]
                v = inverse[f : f + half]
                for k in range(half):
                    y[k] *= v[k]
            for t in range(count - 2, -1, -1):
                f, a = place(g, axis, o, t, p), place(g, axis, o, t + 1, p)
                y, x, v, after = u[f : f + half], u[a : a + half], inverse[f : f + half], links[f : f + half]
                for k in range(half):
                    y[k] += v[k] * after[k] * x[k]


@compiled
def relax_rows(
    lo: int, hi: int, colour: int, g: Any, rows: int, n: int, ring: bool,
    r: Any, u: Any, w: Any, links: Any, inverse: Any, shifts: Any, cells: Any,
) -> None:  # fmt: skip
    """The same on lines along the last axis; colours are (parity of i, parity of j)."""
    jump, half = g[2], g[8]
    for i in range(lo, hi):
        if i % 2 == colour // 2:
            for j in range(colour % 2, rows, 2):
                f = place(g, 1, i, j, 0)
                tail = f + ((n - 1) % 2) * jump + (n - 1) // 2
                begin, end = u[f], u[tail]
                for p in range(2):
                    a, kind = f + p * jump, 2 * (j % 2) + p
                    gather(a, half, r, u, w, shifts[kind], cells[kind], u[a : a + half])
                if ring:
                    u[f] += links[tail] * end
                    u[tail] += links[tail] * begin
                last = np.float32(0.0)
                for k in range(n):
                    here = f + (k % 2) * jump + k // 2
                    last = (u[here] + last) * inverse[here]
                    u[here] = last
                    last *= links[here]
                last = u[tail]
                for k in range(n - 2, -1, -1):
                    here = f + (k % 2) * jump + k // 2
                    last = u[here] + inverse[here] * links[here] * last
                    u[here] = last


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
                x, y, z, e = r[f : f + run], u[f : f + run], out[f : f + run], excess[f : f + run]
                for k in range(run):
                    z[k] = x[k] - e[k] * y[k]
                for n in range(shifts.shape[1]):
                    a = w[f + shifts[t, n] : f + shifts[t, n] + run]
                    b = u[f + cells[t, n] : f + cells[t, n] + run]
                    for k in range(run):
                        z[k] += a[k] * (b[k] - y[k])
