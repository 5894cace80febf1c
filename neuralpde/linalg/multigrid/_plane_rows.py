"""Rows of a plane held as their even and their odd columns: loops over one colour then have unit stride."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpde.linalg.jit import compiled

Floats = NDArray[np.floating[Any]]


def halves(*layers: Floats) -> Floats:
    """Arrays of a grid (n0, n1), as ``(n0, layers, 2, K + 2)`` float32 with K = ⌈n1/2⌉: [i, l, h, k+1] is layer l at
    row i, column 2k + h. The columns 0 and K + 1 repeat the far ends, so that k ± 1 wraps around."""
    rows, columns = layers[0].shape
    out = np.zeros((rows, len(layers), 2, (columns + 1) // 2 + 2), np.float32)
    for number, layer in enumerate(layers):
        _halves(out, number, np.ascontiguousarray(layer))
    return out


@compiled
def _halves(out, layer, values):  # type: ignore[no-untyped-def]
    for i in range(values.shape[0]):
        split(values[i], 1.0, out[i, layer])
        wrap(out[i, layer, 0])
        wrap(out[i, layer, 1])


@compiled
def split(row, scale, out):  # type: ignore[no-untyped-def]
    """A row times a number, as halves."""
    even, odd = out[0], out[1]
    for k in range(row.size // 2):
        even[k + 1] = row[2 * k] * scale
        odd[k + 1] = row[2 * k + 1] * scale
    if row.size % 2:
        even[row.size // 2 + 1] = row[row.size - 1] * scale


@compiled
def unsplit(halves, scale, row):  # type: ignore[no-untyped-def]
    """Halves times a number, as a row."""
    even, odd = halves[0], halves[1]
    for k in range(row.size // 2):
        row[2 * k] = even[k + 1] * scale
        row[2 * k + 1] = odd[k + 1] * scale
    if row.size % 2:
        row[row.size - 1] = even[row.size // 2 + 1] * scale


@compiled
def wrap(row):  # type: ignore[no-untyped-def]
    """Fill the columns −1 and K of a half of a row from its far ends."""
    row[0], row[-1] = row[row.size - 2], row[1]
