"""Cubic interpolation of arrays on staggered lattices: one stencil serves many fields and whole batches of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from neuralpde.representations._staggered import ends

WIDTH = 4
"""Values along an axis that a cubic goes through."""

Stencil = tuple[Tensor, tuple[Tensor, ...]]
"""Index of the first of the four values along an axis, and their weights, each ``(n,)``."""


@dataclass(frozen=True)
class CubicAxis:
    """One axis of a lattice whose values have been continued by :func:`continued`.

    Args:
        cells: along the axis.
        periodic: whether it is periodic.
        centred: values in the midpoints of the cells, else at their ends.
    """

    cells: int
    periodic: bool
    centred: bool

    @property
    def size(self) -> int:
        """Values along the axis, those of the continuation included."""
        return self.cells + (3 if self.periodic else 2 if self.centred else 1)

    def stencil(self, s: Tensor) -> Stencil:
        """Where and how to interpolate at positions ``(n,)`` counted in cells from the lower end.

        Off a periodic axis they are clamped to the domain.
        """
        if self.periodic:
            s = s - 0.5 if self.centred else s
            cell = torch.floor(s)
            # the value before the first one is the continuation's: the stencil of cell j begins at index j
            first = cell.remainder(self.cells)
        else:
            s = s.clamp(0, self.cells)
            s = s + 0.5 if self.centred else s
            cell = torch.floor(s).clamp(1, self.size - 3)
            first = cell - 1
        # of a velocity that is not finite neither: its weights say so, its index must exist
        return first.long().clamp(0, self.size - WIDTH), _weights(s - cell)


def _weights(t: Tensor) -> tuple[Tensor, ...]:
    """Of the cubic through the values at −1, 0, 1 and 2."""
    below, above, far = t + 1, t - 1, t - 2
    inner, outer = t * below, above * far
    return -t * outer / 6, below * outer / 2, -inner * far / 2, inner * above / 6


def cubic(values: Tensor, sizes: Sequence[int], stencils: Sequence[Stencil], start: Tensor | int = 0) -> Tensor:
    """The tensor-product cubic, ``(n,)``.

    Gathers 4^d values one after the other, each for all points by the same index into a shifted view, and adds them up
    axis by axis: no array of indices or values is larger than the points.

    Args:
        values: flat; one or more lattices in a row.
        sizes: values per axis.
        stencils: per axis.
        start: where each point's lattice begins.
    """
    index, strides, stride = start, list[int](), 1
    for size, (first, _) in zip(reversed(sizes), reversed(stencils), strict=True):
        index, strides, stride = index + stride * first, [stride, *strides], stride * size
    assert isinstance(index, Tensor)
    return _sum(values, index, strides, [weights for _, weights in stencils])


def _sum(values: Tensor, index: Tensor, strides: Sequence[int], weights: Sequence[tuple[Tensor, ...]]) -> Tensor:
    parts = []
    for k in range(WIDTH):
        shifted = values[k * strides[0] :]
        parts.append(_sum(shifted, index, strides[1:], weights[1:]) if strides[1:] else shifted.index_select(0, index))
    total = weights[0][0] * parts[0]
    for weight, part in zip(weights[0][1:], parts[1:], strict=True):
        total = torch.addcmul(total, weight, part)
    return total


def continued(u: Tensor, axis: int, lower: Tensor | None = None, upper: Tensor | None = None) -> Tensor:
    """u with the layers beyond the ends of ``axis`` that stencils reach; without ``lower`` and ``upper`` periodic."""
    if lower is None or upper is None:
        n = u.shape[axis]
        return torch.cat([u.narrow(axis, n - 1, 1), u, u.narrow(axis, 0, 2)], dim=axis)
    return torch.cat([lower, u, upper], dim=axis)


def through_wall(u: Tensor, axis: int, side: int, wall: Tensor | float) -> Tensor:
    """The layer half a cell beyond the wall, on the cubic through the wall's value and three layers of midpoints.

    Stencils that hold this layer then have the wall's value as a node: exact on the wall, of fourth order beside it.
    The 2g − u of the difference operators lies on the straight line through one layer, and a cubic over it misses g.
    """
    n = u.shape[axis]
    one, two, three = (u.narrow(axis, n - 1 - k if side else k, 1) for k in range(3))
    return (16 * wall - 15 * one + 5 * two - three) / 5


def from_inside(u: Tensor, axis: int, side: int) -> Tensor:
    """The layer beyond an end on the parabola through the last three layers."""
    n = u.shape[axis]
    one, two, three = (u.narrow(axis, n - 1 - k if side else k, 1) for k in range(3))
    return 3 * (one - two) + three


def evenly(u: Tensor, axis: int, side: int) -> Tensor:
    """The layer beyond an end across which a field is even."""
    return ends(u, axis)[side]
