"""Compiled smoothing by lines: whole lines of cells along one axis at once, four colours of lines after each other.

A line's tridiagonal matrix T is eliminated once: pivots p_i = a_i − w_{i−1}² / p_{i−1}, of which the inverses are kept.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neuralpde.linalg.jit import compiled
from neuralpde.linalg.multigrid._space_rows import merge_row, split_row


@compiled
def gather(f: int, p: int, half: int, r: Any, u: Any, w: Any, shifts: Any, cells: Any, out: Any) -> None:
    """r + Σ w u over the neighbours of the tables, at every second cell of a row."""
    x = r[f : f + half]
    for k in range(half):
        out[k] = x[k]
    for n in range(shifts.shape[1]):
        a = w[f + shifts[p, n] : f + shifts[p, n] + half]
        b = u[f + cells[p, n] : f + cells[p, n] + half]
        for k in range(half):
            out[k] += a[k] * b[k]


@compiled
def pivots(
    lo: int, hi: int, first: int, across: int, along: int, count: int, half: int, w: Any, diagonal: Any, out: Any
) -> None:
    """Inverse pivots of lines along one of the first two axes; ``w`` couples each cell to the next along it."""
    last = np.empty(half)
    for o in range(lo, hi):
        for p in range(2):
            last[:] = 0.0
            for i in range(count):
                f = first + o * across + i * along + p * (half + 2)
                a, x, y = diagonal[f : f + half], w[f - along : f - along + half], out[f : f + half]
                for k in range(half):
                    c = np.float64(x[k]) if i else 0.0
                    d = a[k] - c * c * last[k]
                    last[k] = 1.0 / d if d > 1e-7 * a[k] else 0.0
                    y[k] = last[k]


@compiled
def pivots_of_rows(
    lo: int, hi: int, first: int, plane: int, row: int, rows: int, n: int, half: int, w: Any, diagonal: Any, out: Any
) -> None:
    """Inverse pivots of lines along the last axis."""
    for i in range(lo, hi):
        for j in range(rows):
            f = first + i * plane + j * row
            last, before = 0.0, 0.0
            for k in range(n):
                place = f + (k % 2) * (half + 2) + k // 2
                d = diagonal[place] - before * before * last
                last = 1.0 / d if d > 1e-7 * diagonal[place] else 0.0
                out[place] = last
                before = np.float64(w[place])


@compiled
def relax_lines(
    lo: int, hi: int, colour: int, first: int, across: int, along: int, count: int, half: int, ring: bool,
    r: Any, u: Any, w: Any, links: Any, inverse: Any, shifts: Any, cells: Any,
) -> None:  # fmt: skip
    """Solve T u = r + Σ w u on lines along one of the first two axes; a colour is (parity across, parity of k)."""
    p = colour % 2
    for o in range(lo, hi):
        if o % 2 == colour // 2:
            for i in range(count):
                f = first + o * across + i * along + p * (half + 2)
                y = u[f : f + half]
                gather(f, p, half, r, u, w, shifts, cells, y)
                before, x = links[f - along : f - along + half], u[f - along : f - along + half]
                if i or ring:
                    for k in range(half):
                        y[k] += before[k] * x[k]
                if ring and i == count - 1:
                    after, x = links[f : f + half], u[f + along : f + along + half]
                    for k in range(half):
                        y[k] += after[k] * x[k]
                g = inverse[f : f + half]
                for k in range(half):
                    y[k] *= g[k]
            for i in range(count - 2, -1, -1):
                f = first + o * across + i * along + p * (half + 2)
                y, x, g, after = (
                    u[f : f + half],
                    u[f + along : f + along + half],
                    inverse[f : f + half],
                    links[f : f + half],
                )
                for k in range(half):
                    y[k] += g[k] * after[k] * x[k]


@compiled
def relax_rows(
    lo: int, hi: int, colour: int, first: int, plane: int, row: int, rows: int, n: int, half: int, ring: bool,
    r: Any, u: Any, w: Any, links: Any, inverse: Any, shifts: Any, cells: Any,
) -> None:  # fmt: skip
    """The same on lines along the last axis; colours are (parity of i, parity of j)."""
    jump = half + 2
    for i in range(lo, hi):
        if i % 2 == colour // 2:
            for j in range(colour % 2, rows, 2):
                f = first + i * plane + j * row
                begin, end = u[f], u[f + ((n - 1) % 2) * jump + (n - 1) // 2]
                for p in range(2):
                    g = f + p * jump
                    gather(g, p, half, r, u, w, shifts, cells, u[g : g + half])
                tail = f + ((n - 1) % 2) * jump + (n - 1) // 2
                if ring:
                    u[f] += links[tail] * end
                    u[tail] += links[tail] * begin
                last = np.float32(0.0)
                for k in range(n):
                    place = f + (k % 2) * jump + k // 2
                    last = (u[place] + last) * inverse[place]
                    u[place] = last
                    last *= links[place]
                last = u[tail]
                for k in range(n - 2, -1, -1):
                    place = f + (k % 2) * jump + k // 2
                    last = u[place] + inverse[place] * links[place] * last
                    u[place] = last


@compiled
def residual(
    lo: int,
    hi: int,
    first: int,
    plane: int,
    row: int,
    rows: int,
    half: int,
    r: Any,
    u: Any,
    w: Any,
    excess: Any,
    shifts: Any,
    cells: Any,
    out: Any,
) -> None:
    """r − A u, from differences of neighbours."""
    for i in range(lo, hi):
        for j in range(rows):
            for p in range(2):
                f = first + i * plane + j * row + p * (half + 2)
                x, y, z, e = r[f : f + half], u[f : f + half], out[f : f + half], excess[f : f + half]
                for k in range(half):
                    z[k] = x[k] - e[k] * y[k]
                for n in range(shifts.shape[1]):
                    a = w[f + shifts[p, n] : f + shifts[p, n] + half]
                    b = u[f + cells[p, n] : f + cells[p, n] + half]
                    for k in range(half):
                        z[k] += a[k] * (b[k] - y[k])


@compiled
def sort_rows(lo: int, hi: int, into: bool, plain: Any, pad: int, m: int, split: Any) -> None:
    """A plain array into the layout, or out of it."""
    n = plain.shape[2] - 2 * pad
    for i in range(lo, hi):
        for j in range(split.shape[1] - 4):
            row = plain[i + pad, j + pad, pad : pad + n]
            even, odd = split[i + 2, j + 2, 0, 1 : 1 + m], split[i + 2, j + 2, 1, 1 : 1 + m]
            if into:
                split_row(row, even, odd, n)
            else:
                merge_row(even, odd, row, n)
