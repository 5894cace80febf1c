"""What the sweeps of a plane's level read, in float32, written in one pass from its operator in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpde.linalg.jit import compiled, in_slabs
from neuralpde.linalg.multigrid._plane_operator_rows import layers_of, load, ring_of

Floats = NDArray[np.floating[Any]]


def level_rows(stencil: Floats | list[Floats], excess: Floats, scale: float = 1.0) -> Floats:
    """Layers of the operator times a number, ``(n0, layers, 2, K + 2)`` with K = ⌈n1/2⌉: [i, l, h, k + 1] is layer l at
    row i, column 2k + h. The columns 0 and K + 1 repeat the far ends, so that k ± 1 wraps around.

    Three layers from five points: couplings with the next column and row, and 1 / diagonal, which is 0 where the
    diagonal is 0. Six from nine: couplings of all four directions, 1 / diagonal, and excess.
    """
    layers, nine = layers_of(stencil, excess)
    rows, columns = excess.shape
    out = np.empty((rows, 6 if nine else 3, 2, (columns + 1) // 2 + 2), np.float32)
    in_slabs(_level_rows, rows, columns, layers, scale, nine, out)
    return out


def interpolation_rows(weights: Floats, first: int) -> Floats:
    """Layers of interpolation from the first one on, without the defects, ``(c0, 8 − first, c1 + 2)``."""
    rows, _, size = weights.shape
    out = np.empty((rows, 8 - first, size), np.float32)
    in_slabs(_interpolation_rows, rows, 4 * size, weights, first, out)
    return out


@compiled
def _level_rows(first, last, layers, scale, nine, out):  # type: ignore[no-untyped-def]
    size = out.shape[3]
    ring, totals = ring_of(layers, size), np.zeros((2, size))
    below = load(ring, first - 1, layers, scale, nine)
    for i in range(first, last):
        here = load(ring, i, layers, scale, nine)
        for k in range(1, size - 1):
            even = ring[here, 4, 0, k] + ring[here, 1, 0, k] + ring[below, 1, 0, k]
            odd = ring[here, 4, 1, k] + ring[here, 1, 1, k] + ring[below, 1, 1, k]
            totals[0, k] = even + ring[here, 0, 0, k] + ring[here, 0, 1, k - 1]
            totals[1, k] = odd + ring[here, 0, 0, k] + ring[here, 0, 1, k]
        if nine:
            for k in range(1, size - 1):
                totals[0, k] += (
                    ring[here, 2, 0, k] + ring[here, 3, 0, k] + ring[below, 2, 1, k - 1] + ring[below, 3, 1, k]
                )
                totals[1, k] += (
                    ring[here, 2, 1, k] + ring[here, 3, 1, k] + ring[below, 2, 0, k] + ring[below, 3, 0, k + 1]
                )
        inverse = 4 if nine else 2
        for half in range(2):
            for k in range(size):
                out[i, 0, half, k], out[i, 1, half, k] = ring[here, 0, half, k], ring[here, 1, half, k]
            for k in range(1, size - 1):
                total = totals[half, k]
                out[i, inverse, half, k] = 1.0 / max(total, 1e-30) if total > 0.0 else 0.0
            out[i, inverse, half, 0] = out[i, inverse, half, size - 2]
            out[i, inverse, half, size - 1] = out[i, inverse, half, 1]
            if nine:
                for k in range(size):
                    out[i, 2, half, k], out[i, 3, half, k] = ring[here, 2, half, k], ring[here, 3, half, k]
                    out[i, 5, half, k] = ring[here, 4, half, k]
        below = here


@compiled
def _interpolation_rows(first, last, weights, layer, out):  # type: ignore[no-untyped-def]
    for a in range(first, last):
        for number in range(out.shape[1]):
            for k in range(out.shape[2]):
                out[a, number, k] = weights[a, layer + number, k]
