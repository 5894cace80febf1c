"""Rows of a plane's operator as the set-up reads them: split into even and odd columns, with ends that wrap around."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from neuralpde.linalg.jit import compiled, in_slabs

Floats = NDArray[np.floating[Any]]
Layers: TypeAlias = tuple[Floats, Floats, Floats, Floats, Floats]


def layers_of(stencil: Floats | list[Floats], excess: Floats) -> tuple[Layers, bool]:
    """Couplings and row sums for the compiled loops, and whether there are nine points: two layers stand in for the
    diagonal ones, which nobody reads, where there are five."""
    right, down, *diagonal = (np.ascontiguousarray(layer) for layer in stencil)
    up_right, up_left = diagonal or (right, right)
    return (right, down, up_right, up_left, np.ascontiguousarray(excess)), bool(diagonal)


@compiled
def ring_of(layers, size):  # type: ignore[no-untyped-def]
    """Room for four rows: [t & 3, layer, h, k + 1] is layer 0…3 of couplings or 4 of row sums at column 2k + h."""
    return np.zeros((4, len(layers), 2, size))


@compiled
def load(ring, t, layers, scale, nine):  # type: ignore[no-untyped-def]
    """Put row t, which wraps around, times a number into the ring, and say where. A last row of even number is followed
    by a row of zeros."""
    rows, place = layers[0].shape[0], t & 3
    t %= rows + rows % 2
    if t == rows:
        ring[place] = 0.0
        return place
    _split(ring, place, 0, layers[0], t, scale)
    _split(ring, place, 1, layers[1], t, scale)
    if nine:
        _split(ring, place, 2, layers[2], t, scale)
        _split(ring, place, 3, layers[3], t, scale)
    _split(ring, place, 4, layers[4], t, scale)
    return place


@compiled
def _split(ring, place, layer, values, t, scale):  # type: ignore[no-untyped-def]
    columns, last = values.shape[1], ring.shape[3] - 1
    for k in range(columns // 2):
        ring[place, layer, 0, k + 1] = values[t, 2 * k] * scale
        ring[place, layer, 1, k + 1] = values[t, 2 * k + 1] * scale
    if columns % 2:
        ring[place, layer, 0, last - 1] = values[t, columns - 1] * scale
        ring[place, layer, 1, last - 1] = 0.0
    for half in range(2):
        ring[place, layer, half, 0] = ring[place, layer, half, last - 1]
        ring[place, layer, half, last] = ring[place, layer, half, 1]


def inverse_diagonal(stencil: Floats | list[Floats], excess: Floats, scale: float = 1.0) -> Floats:
    """1 / diagonal of a number times the operator, 0 where it is 0."""
    layers, nine = layers_of(stencil, excess)
    inverse = np.empty(excess.shape)
    in_slabs(_inverse_rows, *excess.shape, layers, scale, nine, inverse)
    return inverse


@compiled
def _inverse_rows(first, last, layers, scale, nine, inverse):  # type: ignore[no-untyped-def]
    right, down, up_right, up_left, excess = layers
    columns = excess.shape[1]
    for i in range(first, last):
        z = (i if i else excess.shape[0]) - 1
        for j in range(1, columns):
            inverse[i, j] = excess[i, j] + right[i, j] + right[i, j - 1] + down[i, j] + down[z, j]
        inverse[i, 0] = excess[i, 0] + right[i, 0] + right[i, columns - 1] + down[i, 0] + down[z, 0]
        if nine:
            for j in range(1, columns):
                inverse[i, j] += up_right[i, j] + up_left[i, j] + up_right[z, j - 1]
            for j in range(columns - 1):
                inverse[i, j] += up_left[z, j + 1]
            inverse[i, 0] += up_right[i, 0] + up_left[i, 0] + up_right[z, columns - 1]
            inverse[i, columns - 1] += up_left[z, 0]
        for j in range(columns):
            total = inverse[i, j] * scale
            inverse[i, j] = 1.0 / max(total, 1e-30) if total > 0.0 else 0.0
