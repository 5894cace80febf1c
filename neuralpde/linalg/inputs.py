"""What callers pass to a solve, checked: vectors, tolerances, counts."""

from __future__ import annotations

import math
import operator
from typing import Any

import torch
from torch import Tensor

from neuralpde.linalg.matrix import as_tensor
from neuralpde.types import UsageError


def as_vector(name: str, value: Any, n: int, device: torch.device) -> Tensor:
    """``(n,)`` or ``(n, k)`` in float64, complex128 where it is complex, with its gradient; sparse becomes dense.

    Raises:
        UsageError: for another shape, what holds no numbers, or a tensor on another device than A.

    Example:
        >>> as_vector("b", [1, 2], 2, torch.device("cpu"))
        tensor([1., 2.], dtype=torch.float64)
    """
    if isinstance(value, Tensor) and value.device != device:
        raise UsageError(f"{name} is on {value.device}, but A is on {device}: move one of them")
    try:
        vector = as_tensor(value)
    except UsageError as error:
        raise UsageError(f"{name} must be (n,) or (n, k) numbers, n = {n}: {error}") from error
    if vector.ndim not in (1, 2) or vector.shape[0] != n:
        raise UsageError(
            f"{name} has shape {tuple(vector.shape)}, but A has shape ({n}, {n}): {name} must be (n,) or (n, k)"
        )
    vector = vector if vector.layout is torch.strided else vector.to_dense()
    return vector.to(device, torch.complex128 if vector.is_complex() else torch.float64)


def as_tolerance(name: str, value: Any) -> float:
    """A finite number ≥ 0.

    Raises:
        UsageError: for anything else.
    """
    try:
        number = math.nan if isinstance(value, str) else float(value)
    except (TypeError, ValueError, RuntimeError):
        number = math.nan
    if not (math.isfinite(number) and number >= 0.0):
        raise UsageError(f"{name} must be a finite number ≥ 0, got {value!r}")
    return number


def as_count(name: str, value: Any, least: int) -> int:
    """A whole number, at least ``least``.

    Raises:
        UsageError: for anything else.
    """
    try:
        number = operator.index(value)
    except TypeError as error:
        raise UsageError(f"{name} must be a whole number ≥ {least}, got {value!r}") from error
    if number < least:
        raise UsageError(f"{name} must be ≥ {least}, got {number}")
    return number
