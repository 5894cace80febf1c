"""b − A x with the rounding errors of all products and sums carried along, as if in twice the digits of float64."""

from __future__ import annotations

import numba

# Not `jit.compiled`: where sums may be reordered and products joined with them, the errors below are optimised away.
_exactly = numba.njit(nogil=True, cache=True)

_SPLIT = 134217729.0  # 2^27 + 1


@_exactly
def _less_product(total, error, a, x):  # type: ignore[no-untyped-def]
    """total + error − a x as such a pair."""
    product = a * x
    upper_a, upper_x = _SPLIT * a, _SPLIT * x
    upper_a, upper_x = upper_a - (upper_a - a), upper_x - (upper_x - x)
    lower_a, lower_x = a - upper_a, x - upper_x
    lost = lower_a * lower_x - (((product - upper_a * upper_x) - lower_a * upper_x) - upper_a * lower_x)
    new = total - product
    part = new - total
    return new, error - lost + ((total - (new - part)) - (product + part))


@_exactly
def of_rows(indptr, indices, data, x, b):  # type: ignore[no-untyped-def]
    """b − A x of compressed sparse rows."""
    r = b.copy()
    for i in range(r.size):
        total, error = r[i], 0.0
        for k in range(indptr[i], indptr[i + 1]):
            total, error = _less_product(total, error, float(data[k]), x[indices[k]])
        r[i] = total + error
    return r


@_exactly
def of_entries(matrix, x, b):  # type: ignore[no-untyped-def]
    """b − A x of a dense matrix."""
    r = b.copy()
    for i in range(r.size):
        total, error = r[i], 0.0
        for k in range(x.size):
            total, error = _less_product(total, error, float(matrix[i, k]), x[k])
        r[i] = total + error
    return r
