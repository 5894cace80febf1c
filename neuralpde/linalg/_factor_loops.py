"""Compiled loops over the rows of sparse factors: incomplete Cholesky and substitutions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpde.linalg.jit import compiled

Array = NDArray[Any]


@compiled
def substitute(
    pointers: Array, columns: Array, entries: Array, inverse: Array, b: Array, x: Array, forwards: bool
) -> None:
    """x_i = inverse_i (b_i − Σ_j t_ij x_j) for all rows of a strict triangle t in turn; x may be b."""
    n = len(inverse)
    for step in range(n):
        i = step if forwards else n - 1 - step
        total = b[i]
        for p in range(pointers[i], pointers[i + 1]):
            total -= entries[p] * x[columns[p]]
        x[i] = inverse[i] * total


@compiled
def substitute_columns(
    pointers: Array, columns: Array, entries: Array, inverse: Array, b: Array, x: Array, forwards: bool
) -> None:
    """The same for b and x of shape ``(n, k)``."""
    n, k = b.shape
    for step in range(n):
        i = step if forwards else n - 1 - step
        for c in range(k):
            x[i, c] = b[i, c]
        for p in range(pointers[i], pointers[i + 1]):
            j, entry = columns[p], entries[p]
            for c in range(k):
                x[i, c] -= entry * x[j, c]
        for c in range(k):
            x[i, c] *= inverse[i]


@compiled
def _grown(old: Array, size: int) -> Array:
    """A longer array that begins with the old one."""
    made = np.empty(size, old.dtype)
    made[: len(old)] = old
    return made


@compiled
def factorise(
    pointers: Array,
    columns: Array,
    entries: Array,
    root: Array,
    shift: float,
    drop: float,
    fill: float,
    modified: float,
) -> tuple[int, Array, Array, Array, Array]:
    """G with G Gᵀ ≈ A + shift I for a symmetric A of unit diagonal, column by column from the left.

    Column k of what is left of A is w = A_k − Σ_j<k g_kj G_j. Entries of w that are dropped are added to both of their
    diagonals, times ``modified``, so that A x stays what it is for x = root; the others are divided by the root of the
    pivot.

    Args:
        pointers, columns, entries: the strict upper triangle of A by rows, columns ascending.
        root: x, shape ``(n,)``.
        shift: added to the diagonal.
        drop: entries with |w_i| < drop √(w_k w_i) are dropped; below 0, all entries where A has none.
        fill: most entries of a column, as a multiple of those of A in it, one more in any case.
        modified: 0 for incomplete, 1 for modified incomplete factors.

    Returns:
        The column whose pivot is not positive, or −1; the strict triangle of Gᵀ by rows; and the diagonal of G.
    """
    n = len(pointers) - 1
    diagonal = np.full(n, 1.0 + shift)
    out_pointers = np.zeros(n + 1, np.int64)
    room = len(columns) + n
    out_rows, out = np.empty(room, np.int32), np.empty(room, np.float64)
    # Columns j whose next row is k wait in a list: head[k], link[head[k]], ...; place[j] is where that row is stored.
    head, link, place = np.full(n, -1, np.int64), np.full(n, -1, np.int64), np.zeros(n, np.int64)
    w, touched, known = np.zeros(n), np.full(n, -1, np.int64), np.empty(n, np.int32)
    for k in range(n):
        first, last = pointers[k], pointers[k + 1]
        count = last - first
        for p in range(first, last):
            i = columns[p]
            w[i], touched[i], known[p - first] = entries[p], k, i
        own, lost, j = count, 0.0, head[k]
        while j >= 0:
            following, p, end = link[j], place[j], out_pointers[j + 1]
            g = out[p]
            for q in range(p + 1, end):
                i = out_rows[q]
                if touched[i] == k:
                    w[i] -= g * out[q]
                elif drop >= 0.0:
                    touched[i], w[i], known[count] = k, -g * out[q], i
                    count += 1
                else:
                    lost -= g * out[q] * root[i]
                    diagonal[i] -= modified * g * out[q] * root[k] / root[i]
            if p + 1 < end:
                place[j], i = p + 1, out_rows[p + 1]
                link[j], head[i] = head[i], j
            j = following
        if drop >= 0.0:
            most, kept = int(fill * own) + 1, 0
            for m in range(count):
                i = known[m]
                if w[i] * w[i] >= drop * drop * max(diagonal[k], 0.0) * max(diagonal[i], 0.0) and w[i] != 0.0:
                    known[m], known[kept] = known[kept], i
                    kept += 1
            if kept > most:
                sizes = np.empty(kept)
                for m in range(kept):
                    sizes[m] = -abs(w[known[m]])
                by_size = known[:kept][np.argsort(sizes)]
                known[:kept] = by_size
                kept = most
            for m in range(kept, count):
                i = known[m]
                lost += w[i] * root[i]
                diagonal[i] += modified * w[i] * root[k] / root[i]
            known[:kept] = np.sort(known[:kept])
            count = kept
        pivot = diagonal[k] + modified * lost / root[k]
        if not pivot > 1e-10:
            # The last row of a singular part couples to nothing more: any pivot serves there.
            if count > 0 or pivot < -1e-10 or np.isnan(pivot):
                return k, out_pointers, out_rows, out, diagonal
            pivot = 1.0
        length = np.sqrt(pivot)
        diagonal[k] = length
        start = out_pointers[k]
        if start + count > room:
            room = 2 * room + count
            out_rows, out = _grown(out_rows, room), _grown(out, room)
        for m in range(count):
            i = known[m]
            g = w[i] / length
            out_rows[start + m], out[start + m] = i, g
            diagonal[i] -= g * g
        out_pointers[k + 1] = start + count
        if count > 0:
            place[k], i = start, known[0]
            link[k], head[i] = head[i], k
    return -1, out_pointers, out_rows[: out_pointers[n]], out[: out_pointers[n]], diagonal
