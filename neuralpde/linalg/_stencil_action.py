"""What a grid's weighted graph Laplacian does to fields: compiled loops on the CPU, shifted slices elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

Arrays: TypeAlias = tuple[list[np.ndarray], tuple[float, ...]]
"""Weights of each axis and row sums, and the number that each of them is to be multiplied by."""

_SAMPLE = 4096
_NONE = 2**63 - 1
"""Bits above those of all positive numbers."""


def compiled_action(parts: Arrays, u: np.ndarray, y: np.ndarray) -> float:
    """y = A u, and u · y; contiguous arrays of the shape of the grid, u and y both float32 or both float64."""
    from neuralpde.linalg._stencil_loops import plane_action, space_action
    from neuralpde.linalg.jit import in_slabs

    arrays, units = parts
    if u.ndim == 1:  # a plane of one row, which has no neighbours
        u, y, line, excess = u[None], y[None], arrays[0][None], arrays[1][None]
        arrays, units = [np.zeros_like(line), line, excess], (1.0, *units)
    loop, rows = (plane_action if u.ndim == 2 else space_action), u.shape[0]
    return float(sum(in_slabs(loop, rows, u.size // max(rows, 1), u, *arrays, units, y)))


def in_bytes(arrays: Sequence[np.ndarray]) -> Arrays | None:
    """Arrays of whole numbers 0 … 255 and their units, where each array is exactly such a multiple of one number."""
    found = [_in_bytes(array) for array in arrays]
    kept = [pair for pair in found if pair is not None]
    return ([pair[0] for pair in kept], tuple(pair[1] for pair in kept)) if len(kept) == len(found) else None


def _in_bytes(array: np.ndarray) -> tuple[np.ndarray, float] | None:
    from neuralpde.linalg._stencil_loops import as_bytes, least_positive
    from neuralpde.linalg.jit import in_slabs

    values, out = array.reshape(-1), np.empty(array.size, np.uint8)
    least = min(in_slabs(least_positive, array.size, 1, values.view(np.uint64)))
    unit = float(np.array(least + 1, np.uint64).view(np.float64)) if least < _NONE else 1.0
    # Most arrays that are none show it at once.
    if as_bytes(0, min(_SAMPLE, array.size), values, unit, out) or any(
        in_slabs(as_bytes, array.size, 1, values, unit, out)
    ):
        return None
    return out.reshape(array.shape), unit


def sliced_action(weights: Sequence[Tensor], excess: Tensor, u: Tensor) -> Tensor:
    """A u of shape ``(*grid, *more)`` in plain torch, on any device, differentiable in everything."""
    more = u.ndim - excess.ndim
    y = _spread(excess, more) * u
    for axis, weight in enumerate(weights):
        flux = _spread(weight, more) * (u - u.roll(-1, axis))
        y = y + flux - flux.roll(1, axis)
    return y


def _spread(field: Tensor, more: int) -> Tensor:
    return field.reshape(*field.shape, *([1] * more))


def stencil_diagonal(weights: Sequence[Tensor], excess: Tensor) -> Tensor:
    """Diagonal of A, shape ``grid``. A cell that is its own neighbour, on an axis of length 1, adds nothing."""
    diagonal = excess
    for axis, weight in enumerate(weights):
        if weight.shape[axis] > 1:
            diagonal = diagonal + weight + weight.roll(1, axis)
    return diagonal


def wants_gradient(x: Tensor) -> bool:
    """Whether derivatives with respect to x are followed, backwards or forwards."""
    if x.requires_grad and torch.is_grad_enabled():
        return True
    return torch.autograd.forward_ad.unpack_dual(x).tangent is not None
