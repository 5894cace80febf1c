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
from neuralpde.linalg.multigrid._space_rows import close_plane, merge_plane, prolong, restrict, split_plane


@compiled
def start_plane(i: int, g: Any, kinds: Any, inverse: Any, r: Any, u: Any) -> None:
    """Relax the red cells of a plane from zero: r / a."""
    run = g[11]
    for t in range(4):
        if (i + t // 2 + t) % 2 == 0:
            for s in range(g[9]):
                f = g[0] + i * g[1] + kinds[t] + s * g[10]
                o, a, b = u[f : f + run], inverse[f : f + run], r[f : f + run]
                for k in range(run):
                    o[k] = a[k] * b[k]


@compiled
def sweep_plane(
    i: int, colour: int, left: bool, g: Any, kinds: Any, at: Any, w: Any, inverse: Any, r: Any, u: Any, out: Any
) -> None:
    """(r + Σ w u) / a at the cells of one colour of a plane; with ``left`` only Σ w u."""
    run = g[11]
    for t in range(4):
        if (i + t // 2 + t) % 2 == colour:
            for s in range(g[9]):
                f = g[0] + i * g[1] + kinds[t] + s * g[10]
                w0, w1 = w[f + at[t, 0, 0] : f + at[t, 0, 0] + run], w[f + at[t, 1, 0] : f + at[t, 1, 0] + run]
                w2, w3 = w[f + at[t, 2, 0] : f + at[t, 2, 0] + run], w[f + at[t, 3, 0] : f + at[t, 3, 0] + run]
                w4, w5 = w[f + at[t, 4, 0] : f + at[t, 4, 0] + run], w[f + at[t, 5, 0] : f + at[t, 5, 0] + run]
                u0, u1 = u[f + at[t, 0, 1] : f + at[t, 0, 1] + run], u[f + at[t, 1, 1] : f + at[t, 1, 1] + run]
                u2, u3 = u[f + at[t, 2, 1] : f + at[t, 2, 1] + run], u[f + at[t, 3, 1] : f + at[t, 3, 1] + run]
                u4, u5 = u[f + at[t, 4, 1] : f + at[t, 4, 1] + run], u[f + at[t, 5, 1] : f + at[t, 5, 1] + run]
                o, a, b = out[f : f + run], inverse[f : f + run], r[f : f + run]
                if left:
                    for k in range(run):
                        x = w0[k] * u0[k] + w1[k] * u1[k] + w2[k] * u2[k]
                        o[k] = x + w3[k] * u3[k] + w4[k] * u4[k] + w5[k] * u5[k]
                else:
                    for k in range(run):
                        x = b[k] + w0[k] * u0[k] + w1[k] * u1[k] + w2[k] * u2[k]
                        o[k] = a[k] * (x + w3[k] * u3[k] + w4[k] * u4[k] + w5[k] * u5[k])


@compiled
def down(
    lo: int, hi: int, stage: int, box: Any, scale: Any, plain: Any,
    g: Any, h: Any, periodic: Any, kinds: Any, at: Any, lower: Any, w: Any, inverse: Any, r: Any, u: Any, left: Any,
    share: Any, served: Any, serves: Any, out: Any,
) -> None:  # fmt: skip
    """Smooth from zero, and give the residual to the coarse planes lo ≤ I < hi.

    ``stage`` −1 does all in one wave; 0, 1, 2, 3 do one thing on the fine (3: coarse) planes lo ≤ i < hi.
    """
    n, reach = g[12], h[3] - 1
    first, last, done = lo, hi - 1, lo
    if stage < 0:
        first, last = max(h[3] * lo - reach, 0), min(h[3] * (hi - 1) + reach, n - 1)
    ahead = 2 if stage < 0 else 0
    for t in range(first - ahead, last + 1 + ahead):
        if stage == 3:
            restrict(t, g, h, True, served, serves, share, left, out)
        if stage <= 0 and 0 <= t < n:
            split_plane(t, g, box, scale, plain, r)
            start_plane(t, g, kinds, inverse, r, u)
            close_plane(t, g, periodic, u)
        i = t - ahead // 2
        if stage == 1 or (stage < 0 and max(first - 1, 0) <= i <= min(last + 1, n - 1)):
            sweep_plane(i, 1, False, g, kinds, at, w, inverse, r, u, u)
            close_plane(i, g, periodic, u)
        i = t - ahead
        if stage == 2 or (stage < 0 and first <= i <= last):
            sweep_plane(i, 0, True, g, kinds, at, w, inverse, r, u, left)
            close_plane(i, g, periodic, left)
        while stage < 0 and done < hi and min(h[3] * done + reach, n - 1) <= i:
            restrict(done, g, h, True, served, serves, share, left, out)
            done += 1


@compiled
def up(
    lo: int, hi: int, stage: int, box: Any, scale: Any, plain: Any,
    g: Any, h: Any, periodic: Any, kinds: Any, at: Any, lower: Any, w: Any, inverse: Any, r: Any, u: Any, spare: Any,
    share: Any, coarse: Any, counts: Any, shifts: Any,
) -> None:  # fmt: skip
    """Correct from the coarse grid, smooth in reverse order, fine planes lo ≤ i < hi; ``stage`` as in :func:`down`."""
    n = g[12]
    ahead = 2 if stage < 0 else 0
    for x in range(lo - ahead, hi + ahead):
        if stage <= 0 and 0 <= x < n:
            # the red cells: what the first sweep gave them, r / a, and P e
            start_plane(x, g, kinds, inverse, r, u)
            for t in range(4):
                if (x + t // 2 + t) % 2 == 0:
                    prolong(x, t, g, h, counts, shifts, share, coarse, u, kinds)
            close_plane(x, g, periodic, u)
        i = x - ahead // 2
        if stage == 1 or (stage < 0 and max(lo - 1, 0) <= i <= min(hi, n - 1)):
            sweep_plane(i, 1, False, g, kinds, at, w, inverse, r, u, u)
            close_plane(i, g, periodic, u)
        i = x - ahead
        if stage == 2 or (stage < 0 and lo <= i < hi):
            sweep_plane(i, 0, False, g, kinds, at, w, inverse, r, u, spare)
            merge_plane(i, g, box, scale, spare, u, plain)
