"""Face weights and row sums of −div(k grad p) on a grid of cells, by finite volumes."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuralpde.linalg.matrix import as_tensor, real_dtype
from neuralpde.types import UsageError

KINDS = ("wall", "open", "periodic")


def poisson_parts(
    grid: Sequence[int], spacing: float | Sequence[float], mask: Any, coefficient: Any, boundary: Any, reaction: Any
) -> tuple[list[Tensor], Tensor]:
    """Weights and row sums for :meth:`StencilOperator.poisson`, which says what the arguments are."""
    cells = whole_numbers("grid", grid)
    steps = _spacing(spacing, len(cells))
    sides = sides_of(boundary, len(cells))
    fluid = mask_of(mask, cells)
    excess = torch.zeros(cells, dtype=torch.float64) + _numbers("reaction", reaction)
    weights = []
    for axis, (step, (low, high)) in enumerate(zip(steps, sides, strict=True)):
        inner, first, last = _face_coefficients(coefficient, cells, axis, fluid)
        weights.append((inner if low == "periodic" else _without_last(inner, axis)) / step**2)
        # p = 0 on the face, half a cell away: a flux of k p / (h/2) over h.
        for kind, values, place in ((low, first, 0), (high, last, cells[axis] - 1)):
            if kind == "open":
                excess = excess + _on_slice(2.0 * values / step**2, axis, place, cells)
    if fluid is not None:
        excess = torch.where(fluid, excess, torch.ones((), dtype=torch.float64))
    return weights, excess


def sides_of(boundary: Any, dim: int) -> list[tuple[str, str]]:
    """(low, high) for each axis, from one word, a word an axis, or a pair an axis.

    Raises:
        UsageError: for other words, a wrong number of axes, or an axis that is periodic at one end only.

    Example:
        >>> sides_of(("periodic", ("wall", "open")), 2)
        [('periodic', 'periodic'), ('wall', 'open')]
    """
    given = [boundary] * dim if isinstance(boundary, str) else list(boundary)
    pairs = [(side, side) if isinstance(side, str) else tuple(side) for side in given]
    if len(pairs) != dim or any(len(pair) != 2 or not set(pair) <= set(KINDS) for pair in pairs):
        raise UsageError(
            f"boundary is one of {', '.join(map(repr, KINDS))}, or for each of the {dim} axes one of them or a pair "
            f"(low, high); got {boundary!r}"
        )
    if any((low == "periodic") != (high == "periodic") for low, high in pairs):
        raise UsageError(f"an axis is periodic at both ends or at none, got boundary={boundary!r}")
    return pairs


def whole_numbers(name: str, cells: Any, least: int = 1) -> tuple[int, ...]:
    """The numbers of cells of 1, 2 or 3 axes.

    Raises:
        UsageError: for anything else, such as one number, a text or fractions.

    Example:
        >>> whole_numbers("shape", [6, 4])
        (6, 4)
    """
    try:
        grid = tuple(operator.index(n) for n in cells)
    except TypeError:
        grid = ()
    if not 1 <= len(grid) <= 3 or min(grid) < least:
        raise UsageError(
            f"{name} is a tuple with the number of cells of each of 1, 2 or 3 axes, whole numbers ≥ {least} such as "
            f"(128, 64), got {cells!r}"
        )
    return grid


def _spacing(spacing: float | Sequence[float], dim: int) -> list[float]:
    try:
        steps = [float(spacing)] * dim if np.ndim(spacing) == 0 else [float(step) for step in spacing]  # type: ignore[arg-type, union-attr]
    except (TypeError, ValueError):
        steps = []
    if len(steps) != dim or not all(0.0 < step < float("inf") for step in steps):
        raise UsageError(f"spacing is a positive length, or one for each of the {dim} axes, got {spacing!r}")
    return steps


def mask_of(mask: Any, cells: tuple[int, ...]) -> Tensor | None:
    """A boolean tensor of the shape of the grid; ``None`` stays.

    Raises:
        UsageError: for other types and shapes.
    """
    if mask is None:
        return None
    fluid = as_tensor(mask)
    if fluid.dtype is not torch.bool or tuple(fluid.shape) != cells:
        raise UsageError(
            f"mask is boolean, of the shape of the grid, {cells}, and True in the cells where p is unknown; "
            f"got {fluid.dtype} of shape {tuple(fluid.shape)}"
        )
    return fluid


def _numbers(name: str, values: Any) -> Tensor:
    numbers = as_tensor(values)
    real_dtype(numbers.dtype)  # refuses complex numbers
    numbers = numbers.to(torch.float64)
    if not bool(torch.isfinite(numbers).all()):
        raise UsageError(f"{name} holds NaN or Inf")
    return numbers


def _face_coefficients(
    coefficient: Any, cells: tuple[int, ...], axis: int, fluid: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    """k on the face beyond each cell along ``axis``, shape ``cells``, and on the first and the last face's slices.

    The face beyond the last cell is the one around a periodic axis. Faces at cells outside of the mask have 0.
    """
    for part in coefficient if isinstance(coefficient, list | tuple) else [coefficient]:
        if bool((_numbers("coefficient", part) < 0.0).any()):
            raise UsageError("coefficient is a conductivity k ≥ 0, but some of it is negative; div(k grad p) is −A")
    if isinstance(coefficient, list | tuple):
        inner, first, last = _given_faces(coefficient, cells, axis)
    else:
        inner, first, last = _mean_faces(coefficient, cells, axis)
    if fluid is not None:
        inner = inner * (fluid & fluid.roll(-1, axis))
        first, last = first * fluid.select(axis, 0), last * fluid.select(axis, -1)
    return inner, first, last


def _given_faces(faces: Sequence[Any], cells: tuple[int, ...], axis: int) -> tuple[Tensor, Tensor, Tensor]:
    expected = tuple(n + (a == axis) for a, n in enumerate(cells))
    if len(faces) != len(cells):
        raise UsageError(f"coefficients of faces are {len(cells)} arrays, one for each axis; got {len(faces)}")
    k = _numbers("coefficient", faces[axis])
    if tuple(k.shape) != expected:
        raise UsageError(
            f"coefficient[{axis}] has shape {tuple(k.shape)}; faces normal to axis {axis} of a grid {cells}, "
            f"those at both ends included, have shape {expected}"
        )
    return k.narrow(axis, 1, cells[axis]), k.select(axis, 0), k.select(axis, -1)


def _mean_faces(coefficient: Any, cells: tuple[int, ...], axis: int) -> tuple[Tensor, Tensor, Tensor]:
    k = _numbers("coefficient", coefficient)
    if k.ndim == 0:
        k = k.expand(cells)
    if tuple(k.shape) != cells:
        raise UsageError(
            f"coefficient has shape {tuple(k.shape)}; give a number, an array of the shape of the grid, {cells}, "
            "or a tuple with one array of faces for each axis"
        )
    after = k.roll(-1, axis)
    total = k + after
    mean = torch.where(total == 0, torch.zeros_like(total), 2.0 * k * after / torch.where(total == 0, 1.0, total))
    return mean, k.select(axis, 0), k.select(axis, -1)


def _without_last(field: Tensor, axis: int) -> Tensor:
    kept = torch.ones(field.shape[axis], dtype=field.dtype)
    kept[-1] = 0.0
    return field * kept.reshape([-1 if a == axis else 1 for a in range(field.ndim)])


def _on_slice(values: Tensor, axis: int, place: int, cells: tuple[int, ...]) -> Tensor:
    """A field that holds ``values`` on one slice and is 0 elsewhere."""
    chosen = torch.zeros(cells[axis], dtype=values.dtype)
    chosen[place] = 1.0
    return values.unsqueeze(axis) * chosen.reshape([-1 if a == axis else 1 for a in range(len(cells))])
