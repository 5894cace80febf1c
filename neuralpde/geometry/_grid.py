"""Uniform vertex-centred grids on boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from typing import Any

import torch
from torch import Tensor

from neuralpde.geometry._domain import Box
from neuralpde.types import UsageError


def _node_counts(shape: Any, dim: int) -> tuple[int, ...]:
    counts = shape if isinstance(shape, Sequence) and not isinstance(shape, str) else (shape,) * dim
    try:
        return tuple(index(n) for n in counts)  # unlike int(), refuses 10.5 and "10"
    except TypeError:
        raise UsageError(
            "the shape of a grid is a whole number of nodes, or one per axis, for instance 64 or (64, 32); "
            f"got {shape!r}."
        ) from None


@dataclass(frozen=True)
class Grid:
    """Uniform grid of ``shape`` nodes on a box.

    A periodic axis has n nodes x_j = lower + j L/n (the last one before the upper end); any other axis has n nodes
    x_j = lower + j L/(n − 1), both ends included.

    Args:
        domain: the box.
        shape: number of nodes per axis; one number serves every axis.
        periodic: per axis, whether it is periodic.

    Raises:
        UsageError: if there are fewer than three nodes along an axis, a count is no whole number, or the lengths
            disagree.
    """

    domain: Box
    shape: tuple[int, ...]
    periodic: tuple[bool, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", _node_counts(self.shape, self.domain.dim))
        if len(self.shape) != self.domain.dim or len(self.periodic) != self.domain.dim:
            raise UsageError(
                f"a grid on a {self.domain.dim}D box needs {self.domain.dim} node counts; got {len(self.shape)}."
            )
        if min(self.shape) < 3:
            raise UsageError(f"a grid needs at least 3 nodes along each axis; got {self.shape}.")

    @property
    def spacing(self) -> tuple[float, ...]:
        """Distance of neighbouring nodes per axis."""
        return tuple(
            length / (n if periodic else n - 1)
            for length, n, periodic in zip(self.domain.lengths, self.shape, self.periodic, strict=True)
        )

    def axis(self, i: int, dtype: torch.dtype = torch.float64, device: torch.device | None = None) -> Tensor:
        """Node coordinates along axis i, ``(n_i,)``."""
        steps = torch.arange(self.shape[i], dtype=dtype, device=device)
        return self.domain.lower[i] + steps * self.spacing[i]

    def points(self, dtype: torch.dtype = torch.float64, device: torch.device | None = None) -> Tensor:
        """All nodes, ``(N, d)``, the last axis running fastest."""
        axes = [self.axis(i, dtype, device) for i in range(self.domain.dim)]
        return torch.stack([c.reshape(-1) for c in torch.meshgrid(*axes, indexing="ij")], dim=-1)

    def weights(self, dtype: torch.dtype = torch.float64, device: torch.device | None = None) -> Tensor:
        """Trapezoid weights of the nodes, ``(N,)``; they sum to the volume of the box."""
        out = torch.ones((), dtype=dtype, device=device)
        for n, h, periodic in zip(self.shape, self.spacing, self.periodic, strict=True):
            w = torch.full((n,), h, dtype=dtype, device=device)
            if not periodic:
                w[0] = w[-1] = h / 2
            out = out[..., None] * w
        return out.reshape(-1)
