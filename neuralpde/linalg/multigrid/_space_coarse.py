"""Compiled smoothing of coarse grids in space, whose cells are coupled to 26 others: Gauss–Seidel in eight colours.

Even planes come before odd ones, and in each plane the kinds of cells in their order; after the correction all of it in
reverse. From zero, cells of colours to come count nothing, and of the residual only they are left: sweep and residual
together read the couplings as one product with A does.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neuralpde.linalg.jit import compiled
from neuralpde.linalg.multigrid._space_rows import close_plane, merge_plane, prolong, restrict, split_plane


@compiled
def gather(f: int, run: int, at: Any, first: int, last: int, w: Any, u: Any, out: Any) -> None:
    """Add Σ w u over the neighbours first ≤ n < last of a kind of cells. Their number is even: d and −d."""
    for n in range(first, last, 2):
        a, b = w[f + at[n, 0] : f + at[n, 0] + run], u[f + at[n, 1] : f + at[n, 1] + run]
        c, d = w[f + at[n + 1, 0] : f + at[n + 1, 0] + run], u[f + at[n + 1, 1] : f + at[n + 1, 1] + run]
        for k in range(run):
            out[k] += a[k] * b[k] + c[k] * d[k]


@compiled
def relax(
    i: int, t: int, first: int, last: int, g: Any, kinds: Any, at: Any, w: Any, inverse: Any, r: Any, u: Any, sums: Any
) -> None:
    """(r + Σ w u) / a at one kind of cells of a plane, over some of their neighbours."""
    run = g[11]
    for s in range(g[9]):
        f = g[0] + i * g[1] + kinds[t] + s * g[10]
        a, b, o = inverse[f : f + run], r[f : f + run], u[f : f + run]
        sums[:] = b
        gather(f, run, at, first, last, w, u, sums)
        for k in range(run):
            o[k] = a[k] * sums[k]


@compiled
def down(
    lo: int, hi: int, stage: int, box: Any, scale: Any, plain: Any,
    g: Any, h: Any, periodic: Any, kinds: Any, at: Any, lower: Any, w: Any, inverse: Any, r: Any, u: Any, left: Any,
    share: Any, served: Any, serves: Any, out: Any,
) -> None:  # fmt: skip
    """Even planes, odd planes, residuals, coarse planes: one stage of smoothing from zero, on planes lo ≤ i < hi."""
    run = g[11]
    sums = np.empty(run, np.float32)
    for i in range(lo, hi):
        if stage == 0:
            split_plane(i, g, box, scale, plain, r)
        if stage < 2 and i % 2 == stage:
            for t in range(4):
                relax(i, t, 0, lower[4 * stage + t], g, kinds, at[4 * stage + t], w, inverse, r, u, sums)
                close_plane(i, g, periodic, u)
        if stage == 2:
            for t in range(4):
                c = 4 * (i % 2) + t
                for s in range(g[9]):
                    f = g[0] + i * g[1] + kinds[t] + s * g[10]
                    left[f : f + run] = 0.0
                    gather(f, run, at[c], lower[c], at.shape[1], w, u, left[f : f + run])
            close_plane(i, g, periodic, left)
        if stage == 3:
            restrict(i, g, h, False, served, serves, share, left, out)


@compiled
def up(
    lo: int, hi: int, stage: int, box: Any, scale: Any, plain: Any,
    g: Any, h: Any, periodic: Any, kinds: Any, at: Any, lower: Any, w: Any, inverse: Any, r: Any, u: Any, spare: Any,
    share: Any, coarse: Any, counts: Any, shifts: Any,
) -> None:  # fmt: skip
    """Correction, odd planes, even planes: one stage after the coarse grid, on planes lo ≤ i < hi."""
    sums = np.empty(g[11], np.float32)
    for i in range(lo, hi):
        if stage == 0:
            for t in range(4):
                prolong(i, t, g, h, counts, shifts, share, coarse, u, kinds)
            close_plane(i, g, periodic, u)
        elif i % 2 == stage % 2:
            for t in range(3, -1, -1):
                c = 4 * (i % 2) + t
                relax(i, t, 0, at.shape[1], g, kinds, at[c], w, inverse, r, u, sums)
                close_plane(i, g, periodic, u)
        if stage == 2:
            merge_plane(i, g, box, scale, u, u, plain)


@compiled
def sort(lo: int, hi: int, into: bool, box: Any, scale: Any, plain: Any, g: Any, split: Any) -> None:
    """A plain array into the layout, or out of it."""
    for i in range(lo, hi):
        if into:
            split_plane(i, g, box, scale, plain, split)
        else:
            merge_plane(i, g, box, scale, split, split, plain)
