"""Where the rows of a level's arrays lie, as pieces that cost nothing to take; for layouts see :mod:`_plane_rows`."""

from __future__ import annotations

from neuralpde.linalg.jit import compiled
from neuralpde.linalg.views import fetch, piece


@compiled
def part(x, slot, half, shift, size):  # type: ignore[no-untyped-def]
    """Columns k + shift, 0 ≤ k < size, of one half of a row of a ring ``(slots, 2, K + 2)``."""
    return piece(x, (slot * 2 + half) * x.shape[2] + 1 + shift, size)


@compiled
def layer(stencil, i, number, half, shift, size):  # type: ignore[no-untyped-def]
    """Columns k + shift, 0 ≤ k < size, of one half of row i of a layer; ``(n0, layers, 2, K + 2)``."""
    return piece(stencil, ((i * stencil.shape[1] + number) * 2 + half) * stencil.shape[3] + 1 + shift, size)


@compiled
def weight(weights, i, number, shift, size):  # type: ignore[no-untyped-def]
    """Columns k + shift, 0 ≤ k < size, of row i of weights of interpolation ``(c0, m, c1 + 2)``."""
    return piece(weights, (i * weights.shape[1] + number) * weights.shape[2] + 1 + shift, size)


@compiled
def split_row(r, i, scale, ring, slot):  # type: ignore[no-untyped-def]
    """A row of r times a number, as halves of a row of a ring."""
    columns = r.shape[1]
    row, pairs = piece(r, i * columns, columns), columns // 2
    even, odd = part(ring, slot, 0, 0, pairs), part(ring, slot, 1, 0, pairs)
    for k in range(pairs):
        even[k] = row[2 * k] * scale
        odd[k] = row[2 * k + 1] * scale
    if columns % 2:
        ring[slot, 0, pairs + 1] = row[columns - 1] * scale


@compiled
def unsplit_row(ring, slot, scale, z, i):  # type: ignore[no-untyped-def]
    """Halves of a row of a ring times a number, as a row of z."""
    columns = z.shape[1]
    row, pairs = piece(z, i * columns, columns), columns // 2
    even, odd = part(ring, slot, 0, 0, pairs), part(ring, slot, 1, 0, pairs)
    for k in range(pairs):
        row[2 * k] = even[k] * scale
        row[2 * k + 1] = odd[k] * scale
    if columns % 2:
        row[columns - 1] = ring[slot, 0, pairs + 1] * scale


@compiled
def closed(x, slot, half):  # type: ignore[no-untyped-def]
    """Fill the columns −1 and K of one half of a row of a ring from its far ends."""
    size = x.shape[2]
    row = piece(x, (slot * 2 + half) * size, size)
    row[0], row[size - 1] = row[size - 2], row[1]


@compiled
def fetch_row(array, i):  # type: ignore[no-untyped-def]
    """Have row i of an array in a near cache soon; rows wrap around."""
    size, line = array.size // array.shape[0], 64 // array.itemsize
    start = (i % array.shape[0]) * size
    for k in range(start, start + size, line):
        fetch(array, k)
