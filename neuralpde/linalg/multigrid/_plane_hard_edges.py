"""Interpolation at edges of a plane that their coarse points hold weakly or not at all: corridors, and layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpde.linalg.jit import compiled
from neuralpde.linalg.multigrid._plane_edges import held_by, level_sums, upright_sums
from neuralpde.linalg.multigrid._plane_operator_rows import load, ring_of

Floats = NDArray[np.floating[Any]]


@compiled
def _is_coupled(i, j, layers, nine):  # type: ignore[no-untyped-def]
    """Whether a cell has any neighbour."""
    right, down, up_right, up_left = layers[:4]
    found = right[i, j] != 0.0 or right[i, j - 1] != 0.0 or down[i, j] != 0.0 or down[i - 1, j] != 0.0
    if nine:
        found = found or up_right[i, j] != 0.0 or up_right[i - 1, j - 1] != 0.0
        found = found or up_left[i, j] != 0.0 or up_left[i - 1, (j + 1) % right.shape[1]] != 0.0
    return found


@compiled
def adopt(layers, nine, weights):  # type: ignore[no-untyped-def]
    """Edges without coupling to their coarse points take over one of these that lies in a solid, each at most one.

    They are the cells of a corridor of one cell between coarse rows. Its centres are interpolated from its edges by the
    usual formula, and the coarse grid has a corridor again.
    """
    rows, columns = layers[0].shape
    coarse0, coarse1 = weights.shape[0], weights.shape[2] - 2
    taken = np.zeros((coarse0, coarse1), np.bool_)
    left = 0
    for kind in range(2):
        for i in range(kind, rows, 2):
            for j in range(1 - kind, columns, 2):
                a, c = i // 2, j // 2
                held = weights[a, 2 * kind, c + 1] + weights[a, 2 * kind + 1, c + 1] > 0.0
                if held or not _is_coupled(i, j, layers, nine):
                    continue
                left += 1
                for end in range(2):
                    b, d = (a + end * kind) % coarse0, (c + end * (1 - kind)) % coarse1
                    if not taken[b, d] and not _is_coupled(2 * b, 2 * d, layers, nine):
                        taken[b, d] = True
                        weights[a, 2 * kind + end, c + 1], weights[a, 8 + kind, c + 1] = 1.0, 0.0
                        left -= 1
                        break
    return left


@compiled
def follow(layers, scale, nine, theta, weights):  # type: ignore[no-untyped-def]
    """Interpolation at edges that hold to their coarse points weakly, from those of the centres beside them."""
    coarse0, size = weights.shape[0], weights.shape[2]
    ring, sums = ring_of(layers, size), np.zeros((6, size))
    below = load(ring, -1, layers, scale, nine)
    for a in range(coarse0):
        here, above, z = load(ring, 2 * a, layers, scale, nine), load(ring, 2 * a + 1, layers, scale, nine), a - 1
        level_sums(sums, ring, below, here, nine)
        for k in range(1, size - 1):
            left, right = sums[0, k], sums[1, k]
            if left + right < theta * sums[2, k]:
                upper, lower = ring[here, 1, 1, k], ring[below, 1, 1, k]
                left += upper * weights[a, 4, k] + lower * weights[z, 6, k]
                right += upper * weights[a, 5, k] + lower * weights[z, 7, k]
                weights[a, 0, k], weights[a, 1, k], weights[a, 8, k] = held_by(left, right, sums[3, k])
        upright_sums(sums, ring, here, above, nine)
        for k in range(1, size - 1):
            lower, upper = sums[0, k], sums[1, k]
            if lower + upper < theta * sums[2, k]:
                left, right = ring[above, 0, 1, k - 1], ring[above, 0, 0, k]
                lower += right * weights[a, 4, k] + left * weights[a, 5, k - 1]
                upper += right * weights[a, 6, k] + left * weights[a, 7, k - 1]
                weights[a, 2, k], weights[a, 3, k], weights[a, 9, k] = held_by(lower, upper, sums[3, k])
        below = above
    return 0
