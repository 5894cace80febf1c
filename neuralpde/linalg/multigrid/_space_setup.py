"""Compiled loops that interpolate and form coarse operators: sums of products of rows, by the tables of shifts."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuralpde.linalg.jit import compiled

FOREIGN = 1e-3
"""Part of the couplings lumped into a neighbour that must be its own, for it to be of the same material."""

NEAR = 0.05
"""Part of the diagonal that couplings with such neighbours must be, for the others to be left out."""


@compiled
def diagonal(
    lo: int, hi: int, first: int, plane: int, row: int, rows: int, half: int, w: Any, shifts: Any, excess: Any, out: Any
) -> None:
    """a_i = e_i + Σ_δ W_δ,i + W_δ,i−δ. ``shifts[p]`` are the places of all couplings of even (0) and odd cells."""
    for i in range(lo, hi):
        for j in range(rows):
            for p in range(2):
                f = first + i * plane + j * row + p * (half + 2)
                a = out[f : f + half]
                e = excess[f : f + half]
                for k in range(half):
                    a[k] = e[k]
                for n in range(shifts.shape[1]):
                    x = w[f + shifts[p, n] : f + shifts[p, n] + half]
                    for k in range(half):
                        a[k] += x[k]


@compiled
def interpolate(
    lo: int, hi: int, rows: int, width: int, fine: Any, coarse: Any,
    w: Any, excess: Any, diagonal: Any, lack: Any, share: Any,
    links: Any, shifts: Any, terms: Any, outs: Any, own: int, least: float,
) -> int:  # fmt: skip
    """Rows of P for one kind of cells, from rows of cells that are odd along fewer axes; how many cells got nothing.

    ``lack`` is 1 − P 1, found without the cancellation of that difference. Cells whose couplings to parents are less
    than ``least`` times their diagonal get nothing. Neighbours along the odd axes that a cell is not itself coupled
    with, only their neighbours are, have no say if others do: they may lie in another material.
    """
    slots, count = shifts.shape[0], outs.shape[0]
    omega = np.empty((slots, width))
    shared = np.empty((count, width))
    own_links, near = np.empty((slots, width)), np.empty(width)
    total, short = np.empty(width), np.empty(width)
    orphans = 0
    for i in range(lo, hi):
        for j in range(rows):
            f = fine[0] + i * fine[1] + j * fine[2]
            c = coarse[0] + i * coarse[1] + j * coarse[2]
            e = excess[f + own : f + own + width]
            for k in range(width):
                total[k] = e[k]
                short[k] = e[k]
            omega[:] = 0.0
            shared[:] = 0.0
            for n in range(links.shape[0]):
                o = omega[links[n, 0]]
                x = w[f + links[n, 1] : f + links[n, 1] + width]
                for k in range(width):
                    o[k] += x[k]
                if links[n, 2]:
                    o = own_links[links[n, 0]]
                    for k in range(width):
                        o[k] = x[k]
            near[:] = 0.0
            for n in range(slots):
                o, x = omega[n], own_links[n]
                t = lack[f + shifts[n, 0] : f + shifts[n, 0] + width]
                for k in range(width):
                    # a neighbour that no coarse cell serves (lack 1) has no say: else P 1 would be short of 1 here;
                    # and only positive couplings have, or a cell may be worth more than all its parents
                    o[k] = o[k] if t[k] < 1.0 and o[k] > 0.0 else 0.0
                    near[k] += o[k] if x[k] > FOREIGN * o[k] else 0.0
            a = diagonal[f + own : f + own + width]
            for n in range(slots):
                o, x = omega[n], own_links[n]
                t = lack[f + shifts[n, 0] : f + shifts[n, 0] + width]
                for k in range(width):
                    o[k] = o[k] if x[k] > FOREIGN * o[k] or near[k] <= NEAR * a[k] else 0.0
                    total[k] += o[k]
                    short[k] += o[k] * t[k]
            for k in range(width):
                positive = total[k] > least * a[k]
                total[k] = 1.0 / total[k] if positive else 0.0
                short[k] = short[k] * total[k] if positive else 1.0
            for n in range(terms.shape[0]):
                s, o = shared[terms[n, 0]], omega[terms[n, 1]]
                x = share[c + terms[n, 2] : c + terms[n, 2] + width]
                for k in range(width):
                    s[k] += o[k] * x[k]
            t = lack[f + own : f + own + width]
            for k in range(width):
                t[k] = short[k]
                short[k] = 0.0
            for n in range(count):
                s = shared[n]
                x = share[c + outs[n, 0] : c + outs[n, 0] + width]
                for k in range(width):
                    x[k] = s[k] * total[k]
                    short[k] += s[k] * total[k]
            for k in range(width):
                orphans += short[k] == 0.0 and a[k] > e[k]
    return orphans


@compiled
def residual_of_one(
    lo: int,
    hi: int,
    first: int,
    plane: int,
    row: int,
    rows: int,
    half: int,
    w: Any,
    shifts: Any,
    cells: Any,
    excess: Any,
    lack: Any,
    out: Any,
) -> None:
    """A P 1 = e (1 − t) − Σ w (t_i − t_j) with t = 1 − P 1."""
    for i in range(lo, hi):
        for j in range(rows):
            for p in range(2):
                f = first + i * plane + j * row + p * (half + 2)
                q, e, t = out[f : f + half], excess[f : f + half], lack[f : f + half]
                for k in range(half):
                    q[k] = e[k] * (1.0 - t[k])
                for n in range(shifts.shape[1]):
                    x = w[f + shifts[p, n] : f + shifts[p, n] + half]
                    s = lack[f + cells[p, n] : f + cells[p, n] + half]
                    for k in range(half):
                        q[k] -= x[k] * (t[k] - s[k])


@compiled
def galerkin(
    lo: int, hi: int, rows: int, width: int, fine: Any, coarse: Any, target: Any,
    w: Any, diagonal: Any, ones: Any, share: Any,
    couplings: Any, diagonals: Any, sums: Any, excesses: Any, windows: int, out: Any, out_excess: Any,
) -> None:  # fmt: skip
    """Couplings and row sums of PᵀAP. In float64: weak couplings are small differences of strong ones."""
    v = np.empty((windows, width))
    made = np.empty((13, width))
    left = np.empty(width)
    half = (width + 1) // 2
    for i in range(lo, hi):
        for j in range(rows):
            f = fine[0] + i * fine[1] + j * fine[2]
            c = coarse[0] + i * coarse[1] + j * coarse[2]
            v[:] = 0.0
            made[:] = 0.0
            left[:] = 0.0
            for n in range(diagonals.shape[0]):
                y = v[diagonals[n, 0]]
                x = diagonal[f + diagonals[n, 1] : f + diagonals[n, 1] + width]
                s = share[c + diagonals[n, 2] : c + diagonals[n, 2] + width]
                for k in range(width):
                    y[k] += x[k] * s[k]
            for n in range(couplings.shape[0]):
                y = v[couplings[n, 0]]
                z = w[f + couplings[n, 1] : f + couplings[n, 1] + width]
                s = share[c + couplings[n, 2] : c + couplings[n, 2] + width]
                for k in range(width):
                    y[k] -= np.float64(z[k]) * np.float64(s[k])
            for n in range(sums.shape[0]):
                y, x = made[sums[n, 0]], v[sums[n, 1]]
                s = share[c + sums[n, 2] : c + sums[n, 2] + width]
                for k in range(width):
                    y[k] -= x[k] * s[k]
            for n in range(excesses.shape[0]):
                x = ones[f + excesses[n, 0] : f + excesses[n, 0] + width]
                s = share[c + excesses[n, 1] : c + excesses[n, 1] + width]
                for k in range(width):
                    left[k] += x[k] * s[k]
            g = target[0] + i * target[1] + j * target[2]
            for n in range(13):
                y = made[n]
                even, odd = out[n, g : g + half], out[n, g + half + 2 : g + 2 * half + 2]
                for k in range(width // 2):
                    even[k] = y[2 * k]
                    odd[k] = y[2 * k + 1]
                if width % 2:
                    even[half - 1] = y[width - 1]
            even, odd = out_excess[g : g + half], out_excess[g + half + 2 : g + 2 * half + 2]
            for k in range(width // 2):
                even[k] = left[2 * k]
                odd[k] = left[2 * k + 1]
            if width % 2:
                even[half - 1] = left[width - 1]
