"""Vectors of elastic bodies, as people give them."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from neuralpde.geometry import SameEverywhere, is_number, plain_numbers, prescribed
from neuralpde.types import UsageError

UNITS = {"body_force": "N/m³", "gravity": "m/s²", "start": "m", "start_velocity": "m/s"}


def body_vector(name: str, value: object, d: int) -> tuple[float, ...] | Callable[..., Tensor] | None:
    """A vector as a body keeps it: a tuple of d numbers, a function, :class:`SameEverywhere`, or None.

    Args:
        name: of the body's field.
        value: what came; lists, arrays and tensors become tuples, those that require a gradient keep it.
        d: number of space dimensions.

    Raises:
        UsageError: for other than d finite numbers.
    """
    if value is None or callable(value):
        return value
    plain = plain_numbers(value)
    if isinstance(plain, tuple) and len(plain) != d:
        raise UsageError(f"{name} in {d}D has {d} components; got {plain}.")
    if not isinstance(plain, tuple) or not all(map(is_number, plain)):
        down = (*(0.0,) * (d - 1), -9.81)
        raise UsageError(f"{name} in {d}D is {d} finite numbers ({UNITS[name]}), such as {down}; got {plain!r}.")
    kept = prescribed(value, name)
    return kept if isinstance(kept, SameEverywhere) else plain
