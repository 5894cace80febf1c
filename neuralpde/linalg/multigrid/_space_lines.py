"""Grids in space where the strong coupling changes its axis from region to region: smoothed by lines along each."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuralpde.linalg.jit import in_slabs
from neuralpde.linalg.multigrid import _space_coarse, _space_line_loops
from neuralpde.linalg.multigrid._extent import extent
from neuralpde.linalg.multigrid._space_layout import Floats, Layout, Step, Triple
from neuralpde.linalg.multigrid._space_level import Plain, SpaceLevel
from neuralpde.linalg.multigrid._space_tables import around, both

RATIO = 5.0
"""A cell calls for lines along the axis that couples it this many times as strongly as another axis does."""

SHARE = 0.02
"""Part of all cells that must call for lines along an axis."""


def line_axes(weights: list[Floats]) -> tuple[int, ...]:
    """Axes along which lines are needed: those of strong coupling, if it is not the same set of axes everywhere."""
    ranges = [extent(w) for w in weights]
    if 2.0 * max(high for _, high, _ in ranges) <= RATIO * min(least for _, _, least in ranges):
        return ()  # no cell is coupled so unevenly
    sums = [w + np.roll(w, 1, axis) for axis, w in enumerate(weights)]
    # an axis without coupling, as between two walls, asks for nothing
    weakest = np.min([np.where(s > 0.0, s, np.inf) for s in sums], axis=0)
    strong = [s > RATIO * weakest for s in sums]
    live = max(1, int(np.isfinite(weakest).sum()))
    counts = [int(s.sum()) for s in strong]
    axes = tuple(axis for axis, count in enumerate(counts) if count > SHARE * live)
    uneven = [axis for axis in axes if any(int((strong[other] & ~strong[axis]).sum()) > SHARE * live for other in axes)]
    # one strong axis everywhere: lines along it leave both others to full coarsening; two are left to semicoarsening
    return axes if uneven or (len(axes) == 1 and counts[axes[0]] > 0.5 * live) else ()


class LineLevel(SpaceLevel):
    """A grid smoothed by lines along some axes, before the correction in their order, after it in reverse.

    Args:
        layout, finest: see :class:`SpaceLevel`.
        axes: along which lines are solved.
    """

    def __init__(self, layout: Layout, finest: bool, axes: tuple[int, ...]) -> None:
        super().__init__(layout, finest)
        self.axes = axes

    def next(self, layout: Layout) -> SpaceLevel:
        return LineLevel(layout, False, self.axes)

    def _prepare(self, step: Step) -> None:
        super()._prepare(step)
        layout = self.layout
        neighbours, everywhere = both(self.half), around(layout, self.finest)
        self._pivots, self._tables = {}, {}
        for axis in self.axes:
            unit: Triple = (int(axis == 0), int(axis == 1), int(axis == 2))
            aside = [n for n, d in enumerate(neighbours) if d not in (unit, (-unit[0], -unit[1], -unit[2]))]
            self._tables[axis] = np.stack([everywhere.shifts[:, aside], everywhere.cells[:, aside]], axis=2)
            links, inverse = self.w[self.half.index(unit)].reshape(-1), layout.array().reshape(-1)
            arguments = (links, self.diagonal.reshape(-1), inverse)
            if axis == 0:
                self._across(_space_line_loops.pivots, layout.strides, layout.kinds, layout.grid[0], *arguments)
            else:
                self._slabs(_space_line_loops.pivots_of_rows, axis, layout.strides, *layout.grid[1:], *arguments)
            self._pivots[axis] = (links, inverse)

    def _across(self, loop: Any, *arguments: Any) -> None:
        """A loop in slabs of rows, through all planes."""
        rows = (self.layout.grid[1] + 1) // 2
        in_slabs(loop, rows, self.layout.size // rows, *arguments)

    def _sweep(self, backwards: bool) -> None:
        layout, loops = self.layout, _space_line_loops
        flat = [array.reshape(-1) for array in (self.r, self.u, self.w)]
        for axis in reversed(self.axes) if backwards else self.axes:
            arrays = (self._tables[axis], *flat, *self._pivots[axis])
            if axis == 0:
                for kind in range(3, -1, -1) if backwards else range(4):
                    places = (kind, layout.strides, layout.kinds, layout.grid[0], layout.periodic[0])
                    self._across(loops.relax, *places, *arrays)
                    layout.close(self.u)
            else:
                sizes = (layout.strides, layout.kinds, *layout.grid[1:], layout.periodic)
                for stage in (2, 3) if layout.periodic[0] else (0, 1):
                    self._slabs(loops.relax_rows, stage, axis, backwards, *sizes, *arrays)
                    self._close_planes(self.u)

    def down(self, plain: Plain) -> None:
        assert self.step is not None
        layout, tables = self.layout, around(self.layout, self.finest)
        self._slabs(_space_coarse.sort, True, *plain, layout.strides, self.r.reshape(-1))
        self.u[:] = 0.0
        self._sweep(False)
        flat = [array.reshape(-1) for array in (self.r, self.u, self.w, self.excess)]
        places = (layout.strides, layout.kinds)
        self._slabs(_space_line_loops.residual, *places, *flat, tables.shifts, tables.cells, self.left.reshape(-1))
        layout.close(self.left)
        self._restrict()

    def up(self, plain: Plain) -> None:
        assert self.step is not None
        self.step.close(self.coarse_z)
        self._prolong()
        self._join()
        self.layout.close(self.u)
        self._sweep(True)
        self._slabs(_space_coarse.sort, False, *plain, self.layout.strides, self.u.reshape(-1))

    def _restrict(self) -> None:
        """The stages of the loops for points do transfers only; they take the plain array of the coarse grid."""
        assert self.step is not None
        self._coarse_slabs(self.step, _space_coarse.down, 3, *self.coarse[0], *self._down)

    def _prolong(self) -> None:
        self._slabs(_space_coarse.up, 0, *self.coarse[1], *self._up)
