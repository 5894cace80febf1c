"""Compiled loops that interpolate and form coarse operators: sums of products of rows, by the tables of shifts.

They work on stretches of a plane that stay in the nearest cache. ``g`` and ``h`` are as in ``_space_rows``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neuralpde.linalg.jit import compiled

FOREIGN = 1e-3
"""Part of the couplings lumped into a neighbour that must be its own, for it to be of the same material."""

NEAR = 0.05
"""Part of the diagonal that couplings with such neighbours must be, for the others to be left out."""

STRETCH = 320
"""Numbers of a plane that are worked on at a time."""


@compiled
def diagonal(lo: int, hi: int, g: Any, kinds: Any, w: Any, shifts: Any, excess: Any, out: Any, inverse: Any) -> None:
    """a_i = e_i + Σ_δ W_δ,i + W_δ,i−δ and 1 / a_i. ``shifts[t]`` are the places of all couplings of kind t."""
    run = g[11]
    for i in range(lo, hi):
        for t in range(4):
            for s in range(g[9]):
                f = g[0] + i * g[1] + kinds[t] + s * g[10]
                a, e, y = out[f : f + run], excess[f : f + run], inverse[f : f + run]
                a[:] = e
                for n in range(0, shifts.shape[1], 2):
                    x = w[f + shifts[t, n] : f + shifts[t, n] + run]
                    z = w[f + shifts[t, n + 1] : f + shifts[t, n + 1] + run]
                    for k in range(run):
                        a[k] += np.float64(x[k]) + np.float64(z[k])
                for k in range(run):
                    y[k] = 1.0 / a[k] if a[k] > 0.0 else 0.0


@compiled
def interpolate(
    lo: int, hi: int, g: Any, h: Any, w: Any, excess: Any, diagonal: Any, lack: Any, share: Any,
    links: Any, shifts: Any, terms: Any, outs: Any, own: int, least: float,
) -> tuple[int, int]:  # fmt: skip
    """Rows of P for one kind of cells, from rows of cells that are odd along fewer axes.

    Returns how many cells with neighbours got nothing, and how many cells less than the whole of their constants.

    ``lack`` is 1 − P 1, found without the cancellation of that difference. Cells whose couplings to parents are less
    than ``least`` times their diagonal get nothing. Neighbours along the odd axes that a cell is hardly coupled with
    itself, only their neighbours are, have no say if others do: they may lie in another material. One that it is not
    coupled with at all has none, it may be in another room, behind a wall.
    """
    slots, count = shifts.shape[0], outs.shape[0]
    omega, own_links = np.zeros((slots, STRETCH)), np.zeros((slots, STRETCH))
    shared = np.zeros((count, STRETCH))
    near, total, short = np.empty(STRETCH), np.empty(STRETCH), np.empty(STRETCH)
    orphans, lacking = 0, 0
    end = h[5] * h[2] - 2
    parts = (end + STRETCH - 1) // STRETCH
    for part in range(lo * parts, hi * parts):
        i, start = part // parts, part % parts * STRETCH
        width = min(STRETCH, end - start)
        f, c = g[0] + h[3] * i * g[1] + start, h[0] + i * h[1] + start
        e, a = excess[f + own : f + own + width], diagonal[f + own : f + own + width]
        omega[:] = 0.0
        shared[:] = 0.0
        near[:] = 0.0
        for n in range(links.shape[0]):
            o, v = omega[links[n, 0]], own_links[links[n, 0]]
            x = w[f + links[n, 1] : f + links[n, 1] + width]
            for k in range(width):
                o[k] += x[k]
            if links[n, 2]:
                for k in range(width):
                    v[k] = x[k]
        for n in range(slots):
            o, v = omega[n], own_links[n]
            t = lack[f + shifts[n, 0] : f + shifts[n, 0] + width]
            for k in range(width):
                # a neighbour that no coarse cell serves (lack 1) has no say: else P 1 would be short of 1 here;
                # and only positive couplings have, or a cell may be worth more than all its parents
                y = o[k] if (t[k] < 1.0) & (o[k] > 0.0) else 0.0
                o[k] = y
                near[k] += y if v[k] > FOREIGN * y else 0.0
        for k in range(width):
            total[k] = e[k]
            short[k] = e[k]
        for n in range(slots):
            o, v = omega[n], own_links[n]
            t = lack[f + shifts[n, 0] : f + shifts[n, 0] + width]
            for k in range(width):
                y = o[k] if (v[k] != 0.0) & ((v[k] > FOREIGN * o[k]) | (near[k] <= NEAR * a[k])) else 0.0
                o[k] = y
                total[k] += y
                short[k] += y * t[k]
        for k in range(width):
            y = 1.0 / total[k] if total[k] > least * a[k] else 0.0
            short[k] = short[k] * y if y > 0.0 else 1.0
            total[k] = y
        for n in range(terms.shape[0]):
            s, o = shared[terms[n, 0]], omega[terms[n, 1]]
            x = share[c + terms[n, 2] : c + terms[n, 2] + width]
            for k in range(width):
                s[k] += o[k] * x[k]
        t = lack[f + own : f + own + width]
        for k in range(width):
            t[k] = short[k]
            lacking += 1 if (short[k] > 0.0) & (a[k] > 0.0) else 0
            short[k] = 0.0
        for n in range(count):
            s = shared[n]
            x = share[c + outs[n, 0] : c + outs[n, 0] + width]
            for k in range(width):
                y = s[k] * total[k]
                x[k] = y
                short[k] += y
        for k in range(width):
            if short[k] == 0.0:
                orphans += a[k] > e[k]
    return orphans, lacking


@compiled
def residual_of_one(
    lo: int, hi: int, g: Any, kinds: Any, w: Any, shifts: Any, cells: Any, excess: Any, lack: Any, out: Any
) -> None:
    """A P 1 = e (1 − t) − Σ w (t_i − t_j) with t = 1 − P 1."""
    run = g[11]
    for i in range(lo, hi):
        for kind in range(4):
            for s in range(g[9]):
                f = g[0] + i * g[1] + kinds[kind] + s * g[10]
                q, e, t = out[f : f + run], excess[f : f + run], lack[f : f + run]
                for k in range(run):
                    q[k] = e[k] * (1.0 - t[k])
                for n in range(shifts.shape[1]):
                    x = w[f + shifts[kind, n] : f + shifts[kind, n] + run]
                    y = lack[f + cells[kind, n] : f + cells[kind, n] + run]
                    for k in range(run):
                        q[k] -= x[k] * (t[k] - y[k])


@compiled
def galerkin(
    lo: int, hi: int, g: Any, h: Any, target: Any, w: Any, diagonal: Any, ones: Any, share: Any,
    ends: Any, couplings: Any, diagonals: Any, sums: Any, excesses: Any, out: Any, out_excess: Any,
) -> None:  # fmt: skip
    """Couplings and row sums of PᵀAP. In float64: weak couplings are small differences of strong ones.

    For one place q seen from the coarse cell after the other, v = −(A P_I) there is found, and goes into all sums that
    it is part of. ``ends[q]`` are the ends of q's rows in the three tables.
    """
    wide = h[2]
    rows = max(1, STRETCH // wide)
    v, made = np.empty(rows * wide), np.empty((14, rows * wide))
    for i in range(lo, hi):
        for j in range(0, h[5], rows):
            width = min(rows, h[5] - j) * wide - 2
            f, c = g[0] + h[3] * i * g[1] + j * wide, h[0] + i * h[1] + j * wide
            made[:] = 0.0
            for q in range(1, ends.shape[0]):
                v[:] = 0.0
                for n in range(ends[q - 1, 0], ends[q, 0]):
                    x = w[f + couplings[n, 0] : f + couplings[n, 0] + width]
                    s = share[c + couplings[n, 1] : c + couplings[n, 1] + width]
                    for k in range(width):
                        v[k] += np.float64(x[k]) * np.float64(s[k])
                for n in range(ends[q - 1, 1], ends[q, 1]):
                    a = diagonal[f + diagonals[n, 0] : f + diagonals[n, 0] + width]
                    s = share[c + diagonals[n, 1] : c + diagonals[n, 1] + width]
                    for k in range(width):
                        v[k] -= a[k] * s[k]
                for n in range(ends[q - 1, 2], ends[q, 2]):
                    y = made[sums[n, 0]]
                    s = share[c + sums[n, 1] : c + sums[n, 1] + width]
                    for k in range(width):
                        y[k] += v[k] * s[k]
            y = made[13]
            for n in range(excesses.shape[0]):
                a = ones[f + excesses[n, 0] : f + excesses[n, 0] + width]
                s = share[c + excesses[n, 1] : c + excesses[n, 1] + width]
                for k in range(width):
                    y[k] += a[k] * s[k]
            for b in range(j, min(j + rows, h[5])):
                t, p = target[0] + i * target[1] + (b % 2) * target[5] + (b // 2) * target[6], (b - j) * wide
                for n in range(14):
                    y = made[n, p : p + wide - 2]
                    for k in range(wide - 2):
                        place = t + (k % 2) * target[2] + k // 2
                        if n < 13:
                            out[n, place] = y[k]
                        else:
                            out_excess[place] = y[k]
