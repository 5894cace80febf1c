"""Compiled action of the weighted graph Laplacian of a grid, in 2D and 3D; see :class:`StencilOperator`.

Each loop writes rows ``first ≤ i < last`` of y = A u for :func:`neuralpde.linalg.jit.in_slabs`, and returns their share
of u · y, which conjugate gradients want and which costs no further pass. The neighbour beyond an end is the cell at the
other end: the last slice of a weight couples the two, and is 0 where the axis is not periodic.
"""

from __future__ import annotations

from numpy import ndarray

from neuralpde.linalg.jit import compiled


@compiled
def plane_action(first: int, last: int, u: ndarray, w0: ndarray, w1: ndarray, excess: ndarray, y: ndarray) -> float:
    """On rows of a plane; all arrays ``(n, m)`` of one type."""
    n, m = u.shape
    energy = 0.0
    for i in range(first, last):
        before = i - 1 if i > 0 else n - 1
        after = i + 1 if i < n - 1 else 0
        row, up, down, out = u[i], u[before], u[after], y[i]
        e, a, a_up, s = excess[i], w0[i], w0[before], w1[i]
        total = u.dtype.type(0.0)
        for j in range(1, m - 1):
            c = row[j]
            value = (
                e[j] * c
                + a[j] * (c - down[j])
                + a_up[j] * (c - up[j])
                + s[j] * (c - row[j + 1])
                + s[j - 1] * (c - row[j - 1])
            )
            out[j] = value
            total += value * c
        for j in range(0, m, max(m - 1, 1)):
            c = row[j]
            left = j - 1 if j > 0 else m - 1
            right = j + 1 if j < m - 1 else 0
            value = (
                e[j] * c
                + a[j] * (c - down[j])
                + a_up[j] * (c - up[j])
                + s[j] * (c - row[right])
                + s[left] * (c - row[left])
            )
            out[j] = value
            total += value * c
        energy += total
    return energy


@compiled
def space_action(
    first: int, last: int, u: ndarray, w0: ndarray, w1: ndarray, w2: ndarray, excess: ndarray, y: ndarray
) -> float:
    """On planes of a box; all arrays ``(n, m, l)`` of one type."""
    n, m, length = u.shape
    energy = 0.0
    for i in range(first, last):
        i_before = i - 1 if i > 0 else n - 1
        i_after = i + 1 if i < n - 1 else 0
        for j in range(m):
            j_before = j - 1 if j > 0 else m - 1
            j_after = j + 1 if j < m - 1 else 0
            row, out, s = u[i, j], y[i, j], w2[i, j]
            up, down, a, a_up = u[i_before, j], u[i_after, j], w0[i, j], w0[i_before, j]
            # Two loops over a row that stays in the nearest cache: one with twelve arrays is not vectorised.
            for k in range(length):
                c = row[k]
                out[k] = a[k] * (c - down[k]) + a_up[k] * (c - up[k])
            front, back, b, b_front, e = u[i, j_before], u[i, j_after], w1[i, j], w1[i, j_before], excess[i, j]
            total = u.dtype.type(0.0)
            for k in range(1, length - 1):
                c = row[k]
                value = (
                    out[k]
                    + e[k] * c
                    + b[k] * (c - back[k])
                    + b_front[k] * (c - front[k])
                    + s[k] * (c - row[k + 1])
                    + s[k - 1] * (c - row[k - 1])
                )
                out[k] = value
                total += value * c
            for k in range(0, length, max(length - 1, 1)):
                c = row[k]
                left = k - 1 if k > 0 else length - 1
                right = k + 1 if k < length - 1 else 0
                value = (
                    out[k]
                    + e[k] * c
                    + b[k] * (c - back[k])
                    + b_front[k] * (c - front[k])
                    + s[k] * (c - row[right])
                    + s[left] * (c - row[left])
                )
                out[k] = value
                total += value * c
            energy += total
    return energy
