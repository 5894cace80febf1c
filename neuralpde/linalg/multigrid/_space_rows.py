"""Compiled loops that all grids in space share: sorting of planes by kinds of cells, their ends, and transfers.

``g`` are the :attr:`Layout.strides` of the fine grid, ``h`` the :attr:`Step.strides` to the coarse one, and ``box``
says where a plain array is: its first cell, its three strides, and how many cells it has along each axis.
"""

from __future__ import annotations

from typing import Any

from neuralpde.linalg.jit import compiled


@compiled
def split_plane(i: int, g: Any, box: Any, scale: Any, plain: Any, split: Any) -> None:
    """Plane i of scale · plain, sorted by kinds of cells."""
    if i >= box[4]:
        return
    pairs, step = box[6] // 2, box[3]
    for j in range(box[5]):
        a, f = box[0] + i * box[1] + j * box[2], g[0] + i * g[1] + (j % 2) * g[5] + (j // 2) * g[6]
        even, odd = split[f : f + pairs], split[f + g[2] : f + g[2] + pairs]
        if step == 1:
            row = plain[a : a + 2 * pairs]
            for k in range(pairs):
                even[k] = scale * row[2 * k]
                odd[k] = scale * row[2 * k + 1]
        else:
            for k in range(pairs):
                even[k] = scale * plain[a + 2 * k * step]
                odd[k] = scale * plain[a + (2 * k + 1) * step]
        if box[6] % 2:
            split[f + pairs] = scale * plain[a + 2 * pairs * step]


@compiled
def merge_plane(i: int, g: Any, box: Any, scale: Any, first: Any, second: Any, plain: Any) -> None:
    """Plane i of scale · (first at cells with i + j + k even, second at the others), cells in their order."""
    if i >= box[4]:
        return
    pairs, step = box[6] // 2, box[3]
    for j in range(box[5]):
        a, f = box[0] + i * box[1] + j * box[2], g[0] + i * g[1] + (j % 2) * g[5] + (j // 2) * g[6]
        x, y = (first, second) if (i + j) % 2 == 0 else (second, first)
        even, odd = x[f : f + pairs], y[f + g[2] : f + g[2] + pairs]
        if step == 1:
            row = plain[a : a + 2 * pairs]
            for k in range(pairs):
                row[2 * k] = scale * even[k]
                row[2 * k + 1] = scale * odd[k]
        else:
            for k in range(pairs):
                plain[a + 2 * k * step] = scale * even[k]
                plain[a + (2 * k + 1) * step] = scale * odd[k]
        if box[6] % 2:
            plain[a + 2 * pairs * step] = scale * x[f + pairs]


@compiled
def close_plane(i: int, g: Any, periodic: Any, u: Any) -> None:
    """Copies beyond the ends of the rows of a plane, and of its first and last rows."""
    width, rows, half = g[4], g[7], g[8]
    for b in range(g[3]):
        f = g[0] + i * g[1] + b * g[2]
        if periodic[2]:
            for j in range(rows):
                u[f + j * width - 1] = u[f + j * width + half - 1]
                u[f + j * width + half] = u[f + j * width]
        if periodic[1]:
            for k in range(f - 1, f + width - 1):
                u[k - width] = u[k + (rows - 1) * width]
                u[k + rows * width] = u[k]


@compiled
def prolong(
    i: int, t: int, g: Any, h: Any, counts: Any, shifts: Any, share: Any, coarse: Any, u: Any, kinds: Any
) -> None:
    """Add P e to the cells of kind t = 2 b + c in plane i."""
    kind = 4 * (i % h[3]) + (t if h[4] == 2 else t % 2)
    run = g[11]
    for s in range(g[9]):
        f = g[0] + i * g[1] + kinds[t] + s * g[10]
        p = h[0] + (i // h[3]) * h[1] + (0 if h[4] == 2 else t // 2 * h[2]) + s * g[10]
        out = u[f : f + run]
        for n in range(counts[kind]):
            x = share[p + shifts[kind, n, 0] : p + shifts[kind, n, 0] + run]
            e = coarse[p + shifts[kind, n, 1] : p + shifts[kind, n, 1] + run]
            for k in range(run):
                out[k] += x[k] * e[k]


@compiled
def restrict(i: int, g: Any, h: Any, colours: bool, counts: Any, shifts: Any, share: Any, left: Any, out: Any) -> None:
    """Pᵀ of what is left, at coarse plane i; with ``colours`` only cells with an even sum of indices have anything."""
    stretches, run = (1, h[5] * h[2] - 2) if h[4] == 2 else (h[5], g[8])
    for j in range(stretches):
        f, p = g[0] + h[3] * i * g[1] + j * h[2], h[0] + i * h[1] + j * h[2]
        colour = (h[3] * i + h[4] * j) % 2 if colours else 2
        y = out[p : p + run]
        y[:] = 0.0
        for n in range(counts[colour]):
            x = share[p + shifts[colour, n, 1] : p + shifts[colour, n, 1] + run]
            r = left[f + shifts[colour, n, 0] : f + shifts[colour, n, 0] + run]
            for k in range(run):
                y[k] += x[k] * r[k]
