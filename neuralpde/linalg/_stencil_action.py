"""What a grid's weighted graph Laplacian does to fields: compiled loops on the CPU, shifted slices elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def compiled_action(
    grid: Sequence[int], weights: Sequence[np.ndarray], excess: np.ndarray, u: np.ndarray
) -> np.ndarray:
    """A u of shape ``grid``; contiguous arrays of shape ``grid``, all float32 or all float64."""
    from neuralpde.linalg._stencil_loops import plane_action, space_action
    from neuralpde.linalg.jit import in_slabs

    y = np.empty_like(u)
    if len(grid) == 3:
        in_slabs(space_action, grid[0], grid[1] * grid[2], u, *weights, excess, y)
        return y
    if len(grid) == 1:  # a plane of one row, whose rows are coupled to nothing
        u, y, excess, line = (part[None] for part in (u, y, excess, weights[0]))
        in_slabs(plane_action, 1, grid[0], u, np.zeros_like(line), line, excess, y)
        return y[0]
    in_slabs(plane_action, grid[0], grid[1], u, *weights, excess, y)
    return y


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
    return (x.requires_grad and torch.is_grad_enabled()) or torch.autograd.forward_ad.unpack_dual(x).tangent is not None
