"""Operator-dependent interpolation on a plane, from which the Galerkin operators of coarse grids follow.

Coarse points are the cells of even row and column. A grid's operator is ``(A u)_i = excess_i u_i + Σ w_ij (u_i − u_j)``
over at most eight neighbours, stored as ``stencil (4, n0, n1)``: the couplings of cell (i, j) with (i, j+1), (i+1, j),
(i+1, j+1) and (i+1, j−1). Indices wrap around; couplings across a wall are zero. A grid of five points has two layers.

Interpolation ``weights (c0, 11, c1 + 2)``, of the cells beside coarse point (I, J), [I, layer, J + 1], at fine
(2I, 2J): layers 0, 1 at the edge (2I, 2J+1) from (I, J) and (I, J+1); 2, 3 at the edge (2I+1, 2J) from (I, J) and
(I+1, J); 4…7 at the centre (2I+1, 2J+1) from (I, J), (I, J+1), (I+1, J), (I+1, J+1). Layers 8, 9, 10 are the defects
1 − Σ weights of both edges and the centre: 0, and not rounding, wherever the excess is zero. The first and the last
column repeat the far ends.

Source: Alcouffe, Brandt, Dendy and Painter, SIAM J. Sci. Stat. Comput. 2 (1981) 430; Dendy, J. Comput. Phys. 48 (1982)
366 (interpolation by lumped stencils at edges and full ones at centres, Galerkin coarse operators).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpde.linalg.jit import compiled, in_slabs
from neuralpde.linalg.multigrid._plane_edges import level_sums, share, upright_sums
from neuralpde.linalg.multigrid._plane_hard_edges import adopt, follow
from neuralpde.linalg.multigrid._plane_operator_rows import layers_of, load, ring_of

Floats = NDArray[np.floating[Any]]

WEAK = 0.03
"""Share of an edge's couplings along it in those across, below which it follows the centres beside it."""


def transfers(stencil: Floats | list[Floats], excess: Floats, scale: float = 1.0) -> tuple[Floats, int]:
    """Interpolation with its defects, and the number of edges left without.

    Edges left without interpolation are those of more corridors side by side than there are coarse points.

    Args:
        stencil: couplings, of two or four layers.
        excess: row sums.
        scale: a number that multiplies the operator.
    """
    layers, nine = layers_of(stencil, excess)
    weights = np.empty(((excess.shape[0] + 1) // 2, 11, (excess.shape[1] + 1) // 2 + 2))

    def sweep(given: bool) -> Any:
        rows, width = len(weights), 2 * excess.shape[1]
        return np.sum(in_slabs(_rows, rows, width, layers, scale, nine, WEAK, weights, given), axis=0)

    orphans, weak = sweep(False)
    left = 0
    if orphans:
        left = int(adopt(layers, nine, weights))
        _close(weights)
        sweep(True)
    if weak:
        follow(layers, scale, nine, WEAK, weights)
        _close(weights)
        sweep(True)
    return weights, left


def _close(weights: Floats) -> None:
    weights[:, :, 0], weights[:, :, -1] = weights[:, :, -2], weights[:, :, 1]


@compiled
def _rows(first, last, layers, scale, nine, theta, weights, given):  # type: ignore[no-untyped-def]
    """Interpolation at edges, unless it is given, and centres; how many edges have couplings, but none to the coarse
    points beside them, and how many hold to these weakly."""
    count, size = weights.shape[0], weights.shape[2]
    ring, along, sums = ring_of(layers, size), np.zeros((2, 3, size)), np.zeros((6, size))
    below = load(ring, 2 * first - 1, layers, scale, nine)
    orphans, weak, earlier = 0, 0, below
    for a in range(first, last + 1):
        here, above = load(ring, 2 * a, layers, scale, nine), load(ring, 2 * a + 1, layers, scale, nine)
        now = a & 1
        if given:
            for number, layer in enumerate((0, 1, 8)):
                for k in range(size):
                    along[now, number, k] = weights[a % count, layer, k]
        else:
            level_sums(sums, ring, below, here, nine)
            lost, few = share(along, now, (0, 1, 2), sums, theta)
            if a < last:
                orphans, weak = orphans + lost, weak + few
                for number, layer in enumerate((0, 1, 8)):
                    for k in range(size):
                        weights[a, layer, k] = along[now, number, k]
                upright_sums(sums, ring, here, above, nine)
                lost, few = share(weights, a, (2, 3, 9), sums, theta)
                orphans, weak = orphans + lost, weak + few
        if a > first:
            _centres(weights, a - 1, along, now, ring, earlier, below, nine)
        earlier, below = here, above
    return orphans, weak


@compiled
def _centres(weights, a, along, now, ring, here, above, nine):  # type: ignore[no-untyped-def]
    """Interpolation at the centres after coarse row a, from the edges around them."""
    size, before = weights.shape[2], 1 - now
    for k in range(1, size - 1):
        left, right = ring[above, 0, 0, k], ring[above, 0, 1, k]
        lower, upper = ring[here, 1, 1, k], ring[above, 1, 1, k]
        weights[a, 4, k] = lower * along[before, 0, k] + left * weights[a, 2, k]
        weights[a, 5, k] = lower * along[before, 1, k] + right * weights[a, 2, k + 1]
        weights[a, 6, k] = upper * along[now, 0, k] + left * weights[a, 3, k]
        weights[a, 7, k] = upper * along[now, 1, k] + right * weights[a, 3, k + 1]
        lost = lower * along[before, 2, k] + upper * along[now, 2, k]
        weights[a, 10, k] = ring[above, 4, 1, k] + lost + left * weights[a, 9, k] + right * weights[a, 9, k + 1]
    if nine:
        for k in range(1, size - 1):
            weights[a, 4, k] += ring[here, 2, 0, k]
            weights[a, 5, k] += ring[here, 3, 0, k + 1]
            weights[a, 6, k] += ring[above, 3, 1, k]
            weights[a, 7, k] += ring[above, 2, 1, k]
    for k in range(1, size - 1):
        total = ring[above, 0, 0, k] + ring[above, 0, 1, k] + ring[here, 1, 1, k] + ring[above, 1, 1, k]
        total += ring[here, 2, 0, k] + ring[here, 3, 0, k + 1] + ring[above, 3, 1, k] + ring[above, 2, 1, k]
        total += ring[above, 4, 1, k]
        share = 1.0 / max(total, 1e-300) if total > 0.0 else 0.0
        for layer in (4, 5, 6, 7):
            weights[a, layer, k] *= share
        weights[a, 10, k] = weights[a, 10, k] * share if total > 0.0 else 1.0
    for layer in (4, 5, 6, 7, 10):
        weights[a, layer, 0], weights[a, layer, size - 1] = weights[a, layer, size - 2], weights[a, layer, 1]


def folded(stencil: Floats, excess: Floats) -> tuple[Floats, Floats]:
    """The same operator without couplings of cells with themselves, which axes of one cell have that were periodic."""
    right, down, up_right, up_left = stencil
    if excess.shape[0] == 1:
        right += up_right + np.roll(up_left, -1, 1)
        down[:] = up_right[:] = up_left[:] = 0.0
    if excess.shape[1] == 1:
        down += up_right + up_left
        right[:] = up_right[:] = up_left[:] = 0.0
    return stencil, excess
