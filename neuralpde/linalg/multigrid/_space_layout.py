"""Where the numbers of a grid in space lie: rows along the last axis, first their even cells, then their odd ones.

Cell (i, j, 2k + p) is at ``array[i + PAD, j + PAD, p, k + 1]``. Neighbours of the even cells of a row are then odd
cells side by side, so that loops over every second cell, as red–black sweeps and transfers to a grid of half the size
are, read memory without gaps.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Triple = tuple[int, int, int]

PAD = 2
"""Planes and rows beyond each end: products of three sparse matrices look two cells far."""

NEIGHBOURS: tuple[Triple, ...] = ((0, 0, 1), (0, 1, 0), (1, 0, 0))
"""Half of the neighbours of a cell of the finest grid, the other half are their opposites."""

NEIGHBOURS_27: tuple[Triple, ...] = tuple(
    d for d in itertools.product((-1, 0, 1), (-1, 0, 1), (-1, 0, 1)) if d > (0, 0, 0)
)
"""The same of a coarse grid: 13 of 26."""


@dataclass(frozen=True)
class Layout:
    """Shapes and strides of the arrays of one grid.

    Args:
        grid: cells of each axis.
        periodic: which axes are closed to rings. Their cells beyond the ends are copies.
    """

    grid: Triple
    periodic: tuple[bool, bool, bool] = (False, False, False)

    @property
    def half(self) -> int:
        """Even cells of a row."""
        return (self.grid[2] + 1) // 2

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.grid[0] + 2 * PAD, self.grid[1] + 2 * PAD, 2, self.half + 2

    @cached_property
    def size(self) -> int:
        return int(np.prod(self.shape))

    @property
    def first(self) -> int:
        """Place of cell (0, 0, 0) in a flat array."""
        return PAD * self.plane + PAD * self.row + 1

    @property
    def row(self) -> int:
        return 2 * (self.half + 2)

    @property
    def plane(self) -> int:
        return self.shape[1] * self.row

    def shift(self, d: tuple[int, ...]) -> int:
        """From the place of a cell with even last index to that of its neighbour d cells away."""
        return d[0] * self.plane + d[1] * self.row + (d[2] % 2) * (self.half + 2) + d[2] // 2

    def array(self, dtype: Any = np.float32, count: int | None = None) -> NDArray[Any]:
        """Zeros for one number of each cell, or for ``count`` of them."""
        return np.zeros(self.shape if count is None else (count, *self.shape), dtype)

    def put(self, plain: NDArray[Any], split: NDArray[Any]) -> None:
        """A plain array of shape ``grid`` into one of this layout, its copies included."""
        n = self.grid[2]
        inner = split[PAD:-PAD, PAD:-PAD]
        inner[:, :, 0, 1 : 1 + self.half] = plain[:, :, 0::2]
        inner[:, :, 1, 1 : 1 + n // 2] = plain[:, :, 1::2]
        self.close(split)

    def get(self, split: NDArray[Any]) -> NDArray[Any]:
        """The plain array of shape ``grid``."""
        plain = np.empty(self.grid, split.dtype)
        inner = split[PAD:-PAD, PAD:-PAD]
        plain[:, :, 0::2] = inner[:, :, 0, 1 : 1 + self.half]
        plain[:, :, 1::2] = inner[:, :, 1, 1 : 1 + self.grid[2] // 2]
        return plain

    def close(self, split: NDArray[Any]) -> None:
        """Copy the ends of periodic axes beyond the other end. The array's last four axes are those of this layout."""
        if self.periodic[2]:
            split[..., 0], split[..., -1] = split[..., -2].copy(), split[..., 1].copy()
        if self.periodic[1]:
            close_axis(split, split.ndim - 3, PAD)
        if self.periodic[0]:
            close_axis(split, split.ndim - 4, PAD)


def close_axis(array: NDArray[Any], axis: int, pad: int) -> None:
    """Copy both ends of one axis into the ``pad`` entries beyond the other end."""
    view = np.moveaxis(array, axis, 0)
    count = len(view) - 2 * pad
    # a ring of one cell is its own neighbour on both sides
    view[:pad] = view[[pad + (k - pad) % count for k in range(pad)]]
    view[pad + count :] = view[[pad + k % count for k in range(pad)]]


@dataclass(frozen=True)
class Step:
    """From a grid to the next coarser one: coarse cell I is the fine cell ``factors`` · I.

    Args:
        fine: the layout of the fine grid.
        factors: 2 along axes that are coarsened, 1 along the others; the last axis always is coarsened.
    """

    fine: Layout
    factors: Triple

    @cached_property
    def grid(self) -> Triple:
        first, second, third = ((n + c - 1) // c for n, c in zip(self.fine.grid, self.factors, strict=True))
        return first, second, third

    @property
    def shape(self) -> Triple:
        """That of plain coarse arrays, with one cell beyond each end."""
        return self.grid[0] + 2, self.grid[1] + 2, self.grid[2] + 2

    @cached_property
    def offsets(self) -> tuple[Triple, ...]:
        """Fine cells that a coarse one may serve, from its own."""
        reach = [(-1, 0, 1) if c == 2 else (0,) for c in self.factors]
        return tuple(itertools.product(*reach))  # type: ignore[arg-type]

    def number(self, d: tuple[int, ...]) -> int:
        return self.offsets.index(tuple(d))  # type: ignore[arg-type]

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    def shift(self, d: tuple[int, ...]) -> int:
        """From the place of a coarse cell to that of its neighbour d cells away, in a flat plain array."""
        return (d[0] * self.shape[1] + d[1]) * self.shape[2] + d[2]

    @property
    def first(self) -> int:
        return self.shift((1, 1, 1))

    def close(self, plain: NDArray[Any], a: Triple | None = None) -> None:
        """Copies beyond the ends of periodic axes.

        Where ``a`` is 1, what loops wrote beyond the last cell belongs to the first one.
        """
        for axis, periodic in enumerate(self.fine.periodic):
            if periodic and a is not None and a[axis]:
                view = np.moveaxis(plain, plain.ndim - 3 + axis, 0)
                view[1] = view[-1]
        for axis, periodic in enumerate(self.fine.periodic):
            if periodic:
                close_axis(plain, plain.ndim - 3 + axis, 1)
