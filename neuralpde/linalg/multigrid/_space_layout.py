"""Where the numbers of a grid in space lie: plane by plane, in each plane its four kinds of cells after each other.

Kinds are (even row, even cell), (even, odd), (odd, even), (odd, odd). Cell (i, 2J + b, 2K + c) is at
``array[i + PAD, 2 b + c, J + 1, K + 1]``. All neighbours of the cells of one kind then lie at the same distances from
them, and one loop without gaps goes over all cells of a kind in a plane, as sweeps by colours and transfers to a grid
of half the size do; loops over single rows are too short for vector instructions. A grid whose rows are not to be
halved in number has two kinds of cells, even and odd ones, and rows in their order: cell (i, j, 2K + c) is at
``array[i + PAD, c, j + PAD, K + 1]``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
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
        paired: whether even and odd rows are kept apart, as halving the number of rows wants it.
    """

    grid: Triple
    periodic: tuple[bool, bool, bool] = (False, False, False)
    paired: bool = True

    @property
    def half(self) -> int:
        """Even cells of a row."""
        return (self.grid[2] + 1) // 2

    @property
    def width(self) -> int:
        """From a cell of a kind to that of the next row of the same kind (next row, where rows are in their order)."""
        return self.half + 2

    @property
    def rows(self) -> int:
        """Rows of a kind that hold cells, in one plane."""
        return (self.grid[1] + 1) // 2 if self.paired else self.grid[1]

    @property
    def margin(self) -> int:
        """Rows of a kind beyond each end: those of two rows of cells."""
        return PAD // 2 if self.paired else PAD

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.grid[0] + 2 * PAD, 4 if self.paired else 2, self.rows + 2 * self.margin, self.width

    @property
    def block(self) -> int:
        return self.shape[2] * self.width

    @property
    def plane(self) -> int:
        return self.shape[1] * self.block

    @cached_property
    def size(self) -> int:
        return int(np.prod(self.shape))

    @property
    def first(self) -> int:
        """Place of cell (0, 0, 0) in a flat array."""
        return PAD * self.plane + self.margin * self.width + 1

    def shift(self, d: tuple[int, ...]) -> int:
        """From the place of a cell with even last indices to that of its neighbour d cells away."""
        return int(self.places(d)) - self.first

    def places(self, x: Any) -> Any:
        """Where cells with indices x, three numbers or arrays, are in flat arrays."""
        row = 2 * (x[1] % 2) * self.block + (x[1] // 2) * self.width if self.paired else x[1] * self.width
        return self.first + x[0] * self.plane + row + (x[2] % 2) * self.block + x[2] // 2

    @cached_property
    def kinds(self) -> NDArray[np.int64]:
        """Places of the kinds of cells in a plane."""
        return np.array([self.shift((0, b, c)) for b in range(2) for c in range(2)])

    @cached_property
    def along(self) -> tuple[int, int]:
        """From an even row to the next (odd) one, and to the next even one."""
        return (2 * self.block, self.width) if self.paired else (self.width, 2 * self.width)

    @cached_property
    def strides(self) -> tuple[int, ...]:
        """What compiled loops need to know.

        0 first, 1 plane, 2 block, 3 blocks, 4 width, 5 to the odd row, 6 to the next even row, 7 rows of a block,
        8 even cells of a row; stretches of a kind of cells in a plane: 9 how many, 10 from one to the next, 11 length;
        12 planes.
        """
        rows = (self.grid[1] + 1) // 2
        stretches = (1, 0, rows * self.width - 2) if self.paired else (rows, 2 * self.width, self.half)
        sizes = (self.first, self.plane, self.block, self.shape[1], self.width, *self.along, self.rows, self.half)
        return (*sizes, *stretches, self.grid[0])

    def of_kind(self, array: NDArray[Any], odd: tuple[int, ...], factors: Triple) -> NDArray[Any]:
        """View of the cells factors · I + odd of an array, the last axis always halved."""
        block = 2 * odd[1] + odd[2] if self.paired else odd[2]
        rows = slice(self.margin, self.margin + self.rows)
        planes = (self.grid[0] + factors[0] - 1) // factors[0]
        return array[PAD + odd[0] :: factors[0], block, rows, 1:-1][:planes]

    def array(self, dtype: Any = np.float32, count: int | None = None) -> NDArray[Any]:
        """Zeros for one number of each cell, or for ``count`` of them."""
        return np.zeros(self.shape if count is None else (count, *self.shape), dtype)

    def _views(self, array: NDArray[Any]) -> Iterator[tuple[tuple[slice, ...], NDArray[Any]]]:
        """For each kind of cells, where they are in plain arrays and in those of this layout."""
        n0, n1, n2 = self.grid
        for b in range(self.shape[1] // 2):
            step = 2 if self.paired else 1
            for c in range(2):
                rows, cells = (n1 - b + step - 1) // step, (n2 - c + 1) // 2
                inner = array[PAD : PAD + n0, 2 * b + c, self.margin : self.margin + rows, 1 : 1 + cells]
                yield (slice(None), slice(b, None, step), slice(c, None, 2)), inner

    def put(self, plain: NDArray[Any], split: NDArray[Any]) -> None:
        """A plain array of shape ``grid`` into one of this layout, its copies included."""
        for cells, inner in self._views(split):
            inner[:] = plain[cells]
        self.close(split)

    def get(self, split: NDArray[Any]) -> NDArray[Any]:
        """The plain array of shape ``grid``."""
        plain = np.empty(self.grid, split.dtype)
        for cells, inner in self._views(split):
            plain[cells] = inner
        return plain

    def close(self, split: NDArray[Any]) -> None:
        """Copy the ends of periodic axes beyond the other end. The array's last four axes are those of this layout."""
        if self.periodic[2]:
            split[..., 0], split[..., -1] = split[..., -2].copy(), split[..., 1].copy()
        if self.periodic[1]:
            close_axis(split, split.ndim - 2, self.margin)
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

    @property
    def strides(self) -> tuple[int, ...]:
        """0 first, 1 plane, 2 row; 3 and 4: factors along the first two axes; 5 rows of the grid."""
        return (self.first, self.shape[1] * self.shape[2], self.shape[2], *self.factors[:2], self.grid[1])

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
