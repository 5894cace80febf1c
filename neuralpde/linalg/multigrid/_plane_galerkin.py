"""Galerkin operators of coarse grids of a plane: Pᵀ A P for the layout and interpolation of :mod:`_plane_transfers`.

Every coarse row gathers what it is made of from the fine rows beside it, which wait in a ring: loops run along rows
with unit stride, and slabs of coarse rows share nothing that is written. Walls and ends are couplings of zero.

In one square with corners a, b (next column), c (next row), d, edges p (a–b), q (c–d), l (a–c), r (b–d), centre m of
diagonal D: at the centre A P = 0, and its star, eliminated, gives D P_ma P_mb − w_mp P_pa P_pb to the pair (a, b). A
coupling w of two edges gives −w (P_pa − P_la)(P_pb − P_lb). The edge between a and b itself gives
w_ap (1 − P_pa) P_pb + w_pb P_pa (1 − P_pb) − excess P_pa P_pb.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpde.linalg.jit import compiled, in_slabs
from neuralpde.linalg.multigrid._plane_operator_rows import layers_of, load, ring_of

Floats = NDArray[np.floating[Any]]


def galerkin(
    stencil: Floats | list[Floats], excess: Floats, weights: Floats, scale: float = 1.0
) -> tuple[Floats, Floats]:
    """Stencil ``(4, c0, c1)`` and excess ``(c0, c1)`` of Pᵀ A P, of which no digit is lost: the couplings come from
    faces and the excess from the defects, so that a singular operator stays singular and a weak link stays a link.

    Args:
        stencil: couplings, of two or four layers.
        excess: row sums; those of isolated cells have no part in it.
        weights: interpolation and its defects, as :func:`transfers` gives them.
        scale: a number that multiplies the operator.
    """
    layers, nine = layers_of(stencil, excess)
    grid = weights.shape[0], weights.shape[2] - 2
    coarse, sums = np.empty((4, *grid)), np.empty(grid)
    in_slabs(_coarse_rows, grid[0], 2 * excess.shape[1], layers, scale, nine, weights, coarse, sums)
    return coarse, sums


@compiled
def _coarse_rows(first, last, layers, scale, nine, weights, coarse, sums):  # type: ignore[no-untyped-def]
    count, size = weights.shape[0], weights.shape[2]
    ring = ring_of(layers, size)
    part, rest = np.zeros((2, 6, size)), np.zeros((3, size))
    below = load(ring, 2 * first - 3, layers, scale, nine)
    for t in range(first - 1, last):
        here, above = load(ring, 2 * t, layers, scale, nine), load(ring, 2 * t + 1, layers, scale, nine)
        z, a, b, now = (t - 1) % count, t % count, (t + 1) % count, t & 1
        _square(part, now, ring, here, above, weights, a, b)
        _upright(rest, now, ring, here, above, weights, a)
        if nine:
            _crossings(part, now, ring, here, above, weights, a, b)
            _upright_crossings(rest, now, ring, here, above, weights, a, b)
        if t >= first:
            _gather(coarse, a, part, now, ring, here, above, weights)
            _level(rest, ring, below, here, weights, z, a, nine)
            _row_sums(sums, a, rest, now, ring, below, here, weights, z, nine)
        below = above


@compiled
def _square(part, now, ring, here, above, weights, a, b):  # type: ignore[no-untyped-def]
    """Stars of the centres between coarse rows a and b, for the pairs ab, cd, ac, bd, ad and bc of each square."""
    for k in range(1, weights.shape[2] - 1):
        left, right = ring[above, 0, 0, k], ring[above, 0, 1, k]
        lower, upper = ring[here, 1, 1, k], ring[above, 1, 1, k]
        total = left + right + lower + upper + ring[above, 4, 1, k]
        total += ring[here, 2, 0, k] + ring[here, 3, 0, k + 1] + ring[above, 3, 1, k] + ring[above, 2, 1, k]
        ma, mb, mc, md = weights[a, 4, k], weights[a, 5, k], weights[a, 6, k], weights[a, 7, k]
        part[now, 0, k] = total * ma * mb - lower * weights[a, 0, k] * weights[a, 1, k]
        part[now, 1, k] = total * mc * md - upper * weights[b, 0, k] * weights[b, 1, k]
        part[now, 2, k] = total * ma * mc - left * weights[a, 2, k] * weights[a, 3, k]
        part[now, 3, k] = total * mb * md - right * weights[a, 2, k + 1] * weights[a, 3, k + 1]
        part[now, 4, k] = total * ma * md
        part[now, 5, k] = total * mb * mc


@compiled
def _crossings(part, now, ring, here, above, weights, a, b):  # type: ignore[no-untyped-def]
    """Couplings of edges: p–l, p–r, q–l, q–r."""
    for k in range(1, weights.shape[2] - 1):
        pa, pb, qc, qd = weights[a, 0, k], weights[a, 1, k], weights[b, 0, k], weights[b, 1, k]
        la, lc, rb, rd = weights[a, 2, k], weights[a, 3, k], weights[a, 2, k + 1], weights[a, 3, k + 1]
        pl, pr, ql, qr = ring[here, 3, 1, k], ring[here, 2, 1, k], ring[above, 2, 0, k], ring[above, 3, 0, k + 1]
        part[now, 0, k] -= pl * (pa - la) * pb + pr * pa * (pb - rb)
        part[now, 1, k] -= ql * (qc - lc) * qd + qr * qc * (qd - rd)
        part[now, 2, k] -= pl * (la - pa) * lc + ql * la * (lc - qc)
        part[now, 3, k] -= pr * (rb - pb) * rd + qr * rb * (rd - qd)
        part[now, 4, k] += pr * pa * rd + ql * la * qd
        part[now, 5, k] += pl * pb * lc + qr * rb * qc


@compiled
def _gather(coarse, a, part, now, ring, here, above, weights):  # type: ignore[no-untyped-def]
    """A coarse row: its edges themselves, and the squares on both sides."""
    size, before = weights.shape[2], 1 - now
    part[now, 3, 0], part[now, 5, 0] = part[now, 3, size - 2], part[now, 5, size - 2]
    for k in range(1, size - 1):
        u, v = weights[a, 0, k], weights[a, 1, k]
        own = ring[here, 0, 0, k] * (1.0 - u) * v + ring[here, 0, 1, k] * u * (1.0 - v) - ring[here, 4, 1, k] * u * v
        coarse[0, a, k - 1] = own + part[now, 0, k] + part[before, 1, k]
        coarse[2, a, k - 1] = part[now, 4, k]
    for k in range(1, size - 1):
        u, v = weights[a, 2, k], weights[a, 3, k]
        own = ring[here, 1, 0, k] * (1.0 - u) * v + ring[above, 1, 0, k] * u * (1.0 - v) - ring[above, 4, 0, k] * u * v
        coarse[1, a, k - 1] = own + part[now, 2, k] + part[now, 3, k - 1]
        coarse[3, a, k - 1] = part[now, 5, k - 1]


@compiled
def _upright(rest, now, ring, here, above, weights, a):  # type: ignore[no-untyped-def]
    """(A P 1)_i = excess (1 − q_i) + Σ w (q_j − q_i), of the defects q = 1 − P 1, at edges after coarse row a."""
    for k in range(1, weights.shape[2] - 1):
        own, left, right = weights[a, 9, k], weights[a, 10, k - 1], weights[a, 10, k]
        value = ring[above, 4, 0, k] * (1.0 - own) - (ring[here, 1, 0, k] + ring[above, 1, 0, k]) * own
        rest[now, k] = value + ring[above, 0, 1, k - 1] * (left - own) + ring[above, 0, 0, k] * (right - own)


@compiled
def _upright_crossings(rest, now, ring, here, above, weights, a, b):  # type: ignore[no-untyped-def]
    for k in range(1, weights.shape[2] - 1):
        own = weights[a, 9, k]
        value = ring[above, 2, 0, k] * (weights[b, 8, k] - own) + ring[above, 3, 0, k] * (weights[b, 8, k - 1] - own)
        value += ring[here, 2, 1, k - 1] * (weights[a, 8, k - 1] - own) + ring[here, 3, 1, k] * (weights[a, 8, k] - own)
        rest[now, k] += value


@compiled
def _level(rest, ring, below, here, weights, z, a, nine):  # type: ignore[no-untyped-def]
    """The same at the edges in coarse row a, which follows z."""
    size = weights.shape[2]
    for k in range(1, size - 1):
        own = weights[a, 8, k]
        value = ring[here, 4, 1, k] * (1.0 - own) - (ring[here, 0, 0, k] + ring[here, 0, 1, k]) * own
        value += ring[here, 1, 1, k] * (weights[a, 10, k] - own) + ring[below, 1, 1, k] * (weights[z, 10, k] - own)
        rest[2, k] = value
    if nine:
        for k in range(1, size - 1):
            own, more = weights[a, 8, k], weights[z, 9, k + 1]
            value = ring[here, 2, 1, k] * (weights[a, 9, k + 1] - own) + ring[here, 3, 1, k] * (weights[a, 9, k] - own)
            value += ring[below, 2, 0, k] * (weights[z, 9, k] - own) + ring[below, 3, 0, k + 1] * (more - own)
            rest[2, k] += value
    rest[2, 0] = rest[2, size - 2]


@compiled
def _row_sums(sums, a, rest, now, ring, below, here, weights, z, nine):  # type: ignore[no-untyped-def]
    """Row sums of Pᵀ A P: those of A P 1 at coarse points, and the shares of edges; at centres A P = 0.

    Isolated cells have no part in coarse grids: the points in a solid may stand for cells of a corridor there.
    """
    size, before = weights.shape[2], 1 - now
    for k in range(1, size - 1):
        w0, w1, w2, w3 = ring[here, 0, 0, k], ring[here, 0, 1, k - 1], ring[here, 1, 0, k], ring[below, 1, 0, k]
        size_of = abs(w0) + abs(w1) + abs(w2) + abs(w3) + abs(ring[here, 2, 0, k]) + abs(ring[here, 3, 0, k])
        size_of += abs(ring[below, 2, 1, k - 1]) + abs(ring[below, 3, 1, k])
        value = ring[here, 4, 0, k] if size_of > 0.0 else 0.0
        value += w0 * weights[a, 8, k] + w1 * weights[a, 8, k - 1] + w2 * weights[a, 9, k] + w3 * weights[z, 9, k]
        value += weights[a, 0, k] * rest[2, k] + weights[a, 1, k - 1] * rest[2, k - 1]
        sums[a, k - 1] = value + weights[a, 2, k] * rest[now, k] + weights[z, 3, k] * rest[before, k]
    if nine:
        for k in range(1, size - 1):
            value = ring[here, 2, 0, k] * weights[a, 10, k] + ring[here, 3, 0, k] * weights[a, 10, k - 1]
            value += ring[below, 2, 1, k - 1] * weights[z, 10, k - 1] + ring[below, 3, 1, k] * weights[z, 10, k]
            sums[a, k - 1] += value
