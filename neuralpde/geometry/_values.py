"""Values that conditions prescribe: numbers, one for each component, or functions of time and points."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TypeAlias, TypeGuard

import numpy as np
import torch
from torch import Tensor

from neuralpde.types import UsageError

BoundaryValue: TypeAlias = float | tuple[float, ...] | Callable[[float, Tensor], Tensor]
"""A number, one number per channel, or a function of time and points ``(n, d)`` that returns ``(n, c)``."""


@dataclass(frozen=True, eq=False, repr=False)
class SameEverywhere:
    """A tensor that may require a gradient as a prescribed value: the same at all points and times.

    Args:
        numbers: one number, or one for each component, ``(c,)``.
    """

    numbers: Tensor

    def __repr__(self) -> str:
        return repr(self.numbers)

    def __call__(self, t: float, x: Tensor) -> Tensor:
        return self.numbers.to(x).reshape(1, -1).expand(len(x), -1)


def plain_numbers(value: object) -> object:
    """Arrays and tensors as a number or a tuple of numbers, a list as a tuple, anything else as it is."""
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list):
        value = tuple(value)
    if isinstance(value, tuple):
        single = (v for v in value if isinstance(v, Tensor | np.ndarray | np.generic))
        return tuple(map(plain_numbers, value)) if any(True for _ in single) else value
    return value


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a finite real number, and no truth value."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def prescribed(value: object, what: str) -> BoundaryValue:
    """A value as a condition keeps it: a number, a tuple of numbers, or a function of t and points.

    Lists, arrays and tensors become tuples; tensors that require a gradient become functions, which keep it.

    Args:
        value: what came.
        what: the condition's name, for messages.

    Raises:
        UsageError: for numbers that are not finite, anything else, or a function that does not take t and x.
    """
    if callable(value):
        _check_takes(value, what)
        return value  # type: ignore[return-value]
    parts = value if isinstance(value, list | tuple) else (value,)
    if any(isinstance(v, Tensor) and v.requires_grad for v in parts):
        tensor = value if isinstance(value, Tensor) else torch.stack([torch.as_tensor(v) for v in parts])
        if tensor.ndim < 2:
            return SameEverywhere(tensor)
    plain = plain_numbers(value)
    if is_number(plain) or (isinstance(plain, tuple) and plain and all(map(is_number, plain))):
        return plain  # type: ignore[return-value]
    raise UsageError(
        f"the value of {what} is a finite number, one for each component such as (0.0, -1.0), or a function of t and "
        f"points (n, d) that returns a tensor (n, c); got {value!r}."
    )


def _check_takes(function: Callable[..., object], what: str) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # of what is not written in Python
        return
    try:
        signature.bind(0.0, None)
    except TypeError:
        raise UsageError(
            f"the value of {what} as a function takes the time and points, such as lambda t, x: 0.1 * x; the one given "
            f"takes {signature}."
        ) from None


def at_points(out: object, x: Tensor, widths: Sequence[int], what: str) -> Tensor:
    """What a function gave at points ``(n, d)`` as a matrix with n rows; a column where it gave ``(n,)``.

    Args:
        out: what the function gave.
        x: the points.
        widths: numbers of columns that serve.
        what: whose function it is, for messages.

    Raises:
        UsageError: that says what it must return, and what it did.
    """
    n, wanted = len(x), f"{what} as a function of {len(x)} points must return a tensor ({len(x)}, {widths[-1]})"
    if not isinstance(out, Tensor):
        fill = "; for one number everywhere: torch.full_like(x[:, :1], number)" if is_number(out) else ""
        raise UsageError(f"{wanted}, one row for each point; it returned {_kind(out)}{fill}.")
    matrix = out[:, None] if out.ndim == 1 and len(out) == n else out
    if matrix.ndim != 2 or len(matrix) != n or matrix.shape[1] not in widths:
        rows = "; add .expand(len(x), -1) for the same row everywhere" if out.shape == (widths[-1],) else ""
        raise UsageError(f"{wanted}, one row for each point; it returned {tuple(out.shape)}{rows}.")
    return matrix


def _kind(out: object) -> str:
    if isinstance(out, np.ndarray):
        return f"a NumPy array {out.shape} (torch.from_numpy makes a tensor of it)"
    return f"the number {out}" if is_number(out) else f"a {type(out).__name__}"
