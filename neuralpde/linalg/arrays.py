"""Arrays of other libraries as those that torch takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from neuralpde.types import UsageError


def as_array(values: Any) -> np.ndarray:
    """A NumPy array that torch can share: of native byte order, at most double precision, C order, writable.

    Python's numbers keep their double precision, which torch would cut to single. Sparse matrices become dense, and
    objects that are numbers, such as fractions, become floats.

    Raises:
        UsageError: for what holds no numbers, rows of different lengths, or masked entries.

    Example:
        >>> as_array(np.array([1, 2], dtype=">f8")).dtype
        dtype('float64')
    """
    try:
        array = values.toarray() if sp.issparse(values) else np.asanyarray(values)
    except (ValueError, TypeError) as error:
        if isinstance(values, list | tuple):
            raise UsageError("a list of rows is a matrix where all rows have the same length") from error
        raise UsageError(f"expected an array of numbers, got {type(values).__name__}: {error}") from error
    if np.ma.is_masked(array):
        raise UsageError("expected an array of numbers, got one with masked entries: fill them, or drop their rows")
    if array.dtype.kind not in "biufc":
        array = _numbers(array, values)
    widest = {"f": 8, "c": 16}.get(array.dtype.kind, 8)
    dtype = np.dtype(f"{array.dtype.kind}{min(array.dtype.itemsize, widest)}").newbyteorder("=")
    return np.require(array, dtype=dtype, requirements=["C", "W"])


def _numbers(array: np.ndarray, values: Any) -> np.ndarray:
    if array.dtype.kind == "O" and array.ndim:
        for number in (float, complex):
            try:
                return np.array([number(entry) for entry in array.flat]).reshape(array.shape)
            except (TypeError, ValueError):
                continue
    what = type(values).__name__ if array.ndim == 0 else f"one of dtype {array.dtype}"
    raise UsageError(f"expected an array of numbers, got {what}")
