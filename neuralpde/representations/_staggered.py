"""Array arithmetic of staggered grids: ghosts, averages, differences. Spatial axes come last, batches before them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def pad(u: Tensor, axis: int, lower: Tensor | None, upper: Tensor | None) -> Tensor:
    """u with one more layer at both ends of ``axis``; without layers it is periodic: the opposite ends' values."""
    n = u.shape[axis]
    if lower is None or upper is None:
        lower, upper = u.narrow(axis, n - 1, 1), u.narrow(axis, 0, 1)
    return torch.cat([lower, u, upper], dim=axis)


def average(u: Tensor, axis: int) -> Tensor:
    """Means of neighbours, one fewer than values."""
    n = u.shape[axis]
    return 0.5 * (u.narrow(axis, 0, n - 1) + u.narrow(axis, 1, n - 1))


def difference(u: Tensor, axis: int, h: float) -> Tensor:
    """Differences of neighbours over h, one fewer than values."""
    n = u.shape[axis]
    return (u.narrow(axis, 1, n - 1) - u.narrow(axis, 0, n - 1)) / h


def ends(u: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """The first and the last layer."""
    return u.narrow(axis, 0, 1), u.narrow(axis, u.shape[axis] - 1, 1)


def inside(u: Tensor, free: tuple[slice, ...]) -> Tensor:
    """The part of u that ``free`` cuts out of the spatial axes; a view."""
    index: tuple[Any, ...] = (Ellipsis, *free)
    return u[index]
