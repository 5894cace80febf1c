"""What a grid's weighted graph Laplacian does to fields: compiled loops on the CPU, shifted slices elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def compiled_action(weights: Sequence[np.ndarray], excess: np.ndarray, u: np.ndarray, y: np.ndarray) -> float:
    """y = A u, and u · y; contiguous arrays of the shape of the grid, all float32 or all float64."""
    from neuralpde.linalg._stencil_loops import plane_action, space_action
    from neuralpde.linalg.jit import in_slabs

    if u.ndim == 1:  # a plane of one row, which has no neighbours
        u, y, excess, line = u[None], y[None], excess[None], weights[0][None]
        weights = (np.zeros_like(line), line)
    loop, rows = (plane_action if u.ndim == 2 else space_action), u.shape[0]
    return float(sum(in_slabs(loop, rows, u.size // max(rows, 1), u, *weights, excess, y)))


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
