"""Compiled action of the weighted graph Laplacian of a grid, in 2D and 3D; see :class:`StencilOperator`.

Each loop writes rows ``first ≤ i < last`` of y = A u for :func:`neuralpde.linalg.jit.in_slabs`, and returns their share
of u · y, which conjugate gradients want and which costs no further pass. The neighbour beyond an end is the cell at the
other end: the last slice of a weight couples the two, and is 0 where the axis is not periodic.

Weights and row sums are arrays times ``units``, one number each. Where they are whole multiples of one number, as on
uniform grids with masks, the arrays hold bytes: half of the memory traffic of the product is gone.
"""

from __future__ import annotations

from numpy import int32, ndarray, uint8, uint64

from neuralpde.linalg.jit import compiled
from neuralpde.linalg.views import piece


@compiled
def plane_action(
    first: int,
    last: int,
    u: ndarray,
    w0: ndarray,
    w1: ndarray,
    excess: ndarray,
    units: tuple[float, float, float],
    y: ndarray,
) -> float:
    """On rows of a plane; u and y are ``(n, m)`` of one type, weights and row sums of that or another one."""
    n, m = u.shape
    unit0, unit1, unit = u.dtype.type(units[0]), u.dtype.type(units[1]), u.dtype.type(units[2])
    energy = 0.0
    for i in range(first, last):
        before = (i - 1 if i > 0 else n - 1) * m
        after = (i + 1 if i < n - 1 else 0) * m
        row, up, down, out = piece(u, i * m, m), piece(u, before, m), piece(u, after, m), piece(y, i * m, m)
        e, a, a_up, s = piece(excess, i * m, m), piece(w0, i * m, m), piece(w0, before, m), piece(w1, i * m, m)
        total = u.dtype.type(0.0)
        for j in range(1, m - 1):
            c = row[j]
            value = (
                unit * (e[j] * c)
                + unit0 * (a[j] * (c - down[j]) + a_up[j] * (c - up[j]))
                + unit1 * (s[j] * (c - row[j + 1]) + s[j - 1] * (c - row[j - 1]))
            )
            out[j] = value
            total += value * c
        for j in range(0, m, max(m - 1, 1)):
            c = row[j]
            left = j - 1 if j > 0 else m - 1
            right = j + 1 if j < m - 1 else 0
            value = (
                unit * (e[j] * c)
                + unit0 * (a[j] * (c - down[j]) + a_up[j] * (c - up[j]))
                + unit1 * (s[j] * (c - row[right]) + s[left] * (c - row[left]))
            )
            out[j] = value
            total += value * c
        energy += total
    return energy


@compiled
def space_action(
    first: int,
    last: int,
    u: ndarray,
    w0: ndarray,
    w1: ndarray,
    w2: ndarray,
    excess: ndarray,
    units: tuple[float, float, float, float],
    y: ndarray,
) -> float:
    """On planes of a box; u and y are ``(n, m, l)`` of one type, weights and row sums of that or another one."""
    n, m, length = u.shape
    unit0, unit1, unit2 = u.dtype.type(units[0]), u.dtype.type(units[1]), u.dtype.type(units[2])
    unit = u.dtype.type(units[3])
    energy = 0.0
    for i in range(first, last):
        i_before = i - 1 if i > 0 else n - 1
        i_after = i + 1 if i < n - 1 else 0
        for j in range(m):
            here, j_before = (i * m + j) * length, (i * m + (j - 1 if j > 0 else m - 1)) * length
            above, below = (i_before * m + j) * length, (i_after * m + j) * length
            j_after = (i * m + (j + 1 if j < m - 1 else 0)) * length
            row, out, s = piece(u, here, length), piece(y, here, length), piece(w2, here, length)
            up, down = piece(u, above, length), piece(u, below, length)
            a, a_up = piece(w0, here, length), piece(w0, above, length)
            # Two loops over a row that stays in the nearest cache: one with twelve arrays is not vectorised.
            for k in range(length):
                c = row[k]
                out[k] = unit0 * (a[k] * (c - down[k]) + a_up[k] * (c - up[k]))
            front, back = piece(u, j_before, length), piece(u, j_after, length)
            b, b_front, e = piece(w1, here, length), piece(w1, j_before, length), piece(excess, here, length)
            total = u.dtype.type(0.0)
            for k in range(1, length - 1):
                c = row[k]
                value = (
                    out[k]
                    + unit * (e[k] * c)
                    + unit1 * (b[k] * (c - back[k]) + b_front[k] * (c - front[k]))
                    + unit2 * (s[k] * (c - row[k + 1]) + s[k - 1] * (c - row[k - 1]))
                )
                out[k] = value
                total += value * c
            for k in range(0, length, max(length - 1, 1)):
                c = row[k]
                left = k - 1 if k > 0 else length - 1
                right = k + 1 if k < length - 1 else 0
                value = (
                    out[k]
                    + unit * (e[k] * c)
                    + unit1 * (b[k] * (c - back[k]) + b_front[k] * (c - front[k]))
                    + unit2 * (s[k] * (c - row[right]) + s[left] * (c - row[left]))
                )
                out[k] = value
                total += value * c
            energy += total
    return energy


@compiled
def least_positive(first: int, last: int, bits: ndarray) -> uint64:
    """One less than the bits of the least positive one of numbers ``first ≤ i < last``, which come as their bits.

    Those of positive numbers are in the order of the numbers, those of negative ones above them, and 0 less 1 is above
    all. Minima of whole numbers use vector instructions, those of numbers that may be NaN do not.
    """
    bits, one = bits[first:last], uint64(1)
    least = uint64(0) - one
    for i in range(len(bits)):
        least = min(least, bits[i] - one)
    return least


@compiled
def as_bytes(first: int, last: int, values: ndarray, unit: float, out: ndarray) -> int:
    """``out`` ← values / unit as bytes, for ``first ≤ i < last``; how many of these are not exactly ``unit`` times
    their byte."""
    values, out, one_over = values[first:last], out[first:last], 1.0 / unit
    wrong = 0
    for i in range(len(values)):
        multiple = values[i] * one_over + 0.5
        multiple = multiple if multiple > 0.0 else 0.0
        whole = int32(multiple if multiple < 256.0 else 0.0)
        out[i] = uint8(whole)
        wrong += 1 if whole * unit != values[i] else 0
    return wrong
