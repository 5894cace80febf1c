"""The range of a grid's coefficients, in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpde.linalg.jit import compiled, in_slabs

Floats = NDArray[np.floating[Any]]


def extent(values: Floats) -> tuple[float, float, float]:
    """Smallest entry, largest, and smallest of those above 0 (inf where none is), of float64.

    Bits of floats that are not negative, read as integers, are in the order of the floats, and integers have
    instructions for the extremes of vectors. Where there are signs, NumPy looks again.
    """
    if not values.size:
        return 0.0, 0.0, np.inf
    bits = np.ascontiguousarray(values, np.float64).reshape(-1).view(np.int64)
    low, high, positive = zip(*in_slabs(_extent, bits.size, 1, bits), strict=True)
    if min(low) < 0:
        above = values[values > 0.0]
        return float(values.min(initial=0.0)), float(values.max(initial=0.0)), float(above.min(initial=np.inf))
    smallest = np.array([min(positive)], np.uint64) + np.uint64(1)  # 0 where nothing is above 0
    ends = np.array([min(low), max(high)]).view(np.float64)
    return float(ends[0]), float(ends[1]), float(smallest.view(np.float64)[0]) or np.inf


@compiled
def _extent(first, last, bits):  # type: ignore[no-untyped-def]
    """Least and greatest, and the least but 0, less 1: what is 0 wraps around to the greatest number there is."""
    low, high, positive = bits[first], bits[first], np.uint64(bits[first] - 1)
    for i in range(first, last):
        low, high = min(low, bits[i]), max(high, bits[i])
        positive = min(positive, np.uint64(bits[i] - 1))
    return low, high, positive
