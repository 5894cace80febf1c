"""Compiled search for the faces of a grid in the rows of a sparse matrix."""

from __future__ import annotations

from numpy import ndarray

from neuralpde.linalg.jit import compiled


@compiled
def sort_into_faces(
    rows: ndarray,
    columns: ndarray,
    values: ndarray,
    cells: ndarray,
    grid: tuple[int, int, int],
    eps: float,
    forward: tuple[ndarray, ndarray, ndarray],
    backward: tuple[ndarray, ndarray, ndarray],
    excess: ndarray,
) -> tuple[int, int]:
    """Adds entry (i, j) of the matrix, negated, to the face between cells i and j; row sums go to ``excess``.

    Args:
        rows, columns, values: of CSR; duplicates add up.
        cells: cell of each row and column; empty when they are the same.
        grid: cells of three axes; an axis of length 1 has no faces, and its arrays are not touched.
        eps: sums below this times the row's sizes, and entries off the stencil below this times the row's largest one
            off the diagonal (a penalty there may be as large as one likes), are rounding, and count as 0.
        forward, backward: per axis, flat: at face f = (i, next of i) the entries (i, j) and (j, i).
        excess: flat.

    Returns:
        (−1, −1), or the row and the column of the first entry that belongs to no face.
    """
    n0, n1, n2 = grid
    plane = n1 * n2
    (f0, f1, f2), (b0, b1, b2) = forward, backward
    masked = cells.size > 0
    for row in range(rows.size - 1):
        i = cells[row] if masked else row
        c2, above = i % n2, i // n2
        c1, c0 = above % n1, above // n1
        total, size = 0.0, 0.0
        for k in range(rows[row], rows[row + 1]):
            v = values[k]
            column = columns[k]
            j = cells[column] if masked else column
            d = j - i
            if v == 0.0:
                continue
            if d == 0:
                pass
            elif d == 1 and c2 < n2 - 1:
                f2[i] -= v
            elif d == -1 and c2 > 0:
                b2[j] -= v
            elif d == n2 and c1 < n1 - 1:
                f1[i] -= v
            elif d == -n2 and c1 > 0:
                b1[j] -= v
            elif d == plane and c0 < n0 - 1:
                f0[i] -= v
            elif d == -plane and c0 > 0:
                b0[j] -= v
            elif d == 1 - n2 and c2 == n2 - 1 and n2 > 2:
                f2[i] -= v
            elif d == n2 - 1 and c2 == 0 and n2 > 2:
                b2[j] -= v
            elif d == n2 - plane and c1 == n1 - 1 and n1 > 2:
                f1[i] -= v
            elif d == plane - n2 and c1 == 0 and n1 > 2:
                b1[j] -= v
            elif d == plane * (1 - n0) and c0 == n0 - 1 and n0 > 2:
                f0[i] -= v
            elif d == plane * (n0 - 1) and c0 == 0 and n0 > 2:
                b0[j] -= v
            else:
                largest = 0.0
                for other in range(rows[row], rows[row + 1]):
                    if columns[other] != row:
                        largest = max(largest, abs(values[other]))
                if abs(v) > eps * largest:
                    return row, column
                continue
            total += v
            size += abs(v)
        if abs(total) > eps * size:
            excess[i] = total
    return -1, -1
