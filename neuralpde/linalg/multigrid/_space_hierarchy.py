"""Multigrid on grids in space: from face weights to one symmetric cycle."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neuralpde.linalg.multigrid._space_coarsest import BandedInverse, is_coarsest
from neuralpde.linalg.multigrid._space_layout import Floats, Layout, Triple
from neuralpde.linalg.multigrid._space_left_out import MOST, Beside, Carried, carry, joined, left_out, none_carried
from neuralpde.linalg.multigrid._space_level import Plain, SpaceLevel
from neuralpde.linalg.multigrid._space_lines import LineLevel, line_axes
from neuralpde.linalg.multigrid._space_rings import Rings

ALONG = 0.25
"""An axis is coarsened when its mean coupling is at least this part of the largest."""

LEAST = 0.05
"""Cells of coarse grids whose couplings to still coarser cells are a smaller part of their diagonal are left out."""

NOTHING = np.zeros(0)


class SpaceHierarchy:
    """Levels of a grid in space, and one symmetric V-cycle over them from zero.

    The finest grid is smoothed by Gauss–Seidel in two colours, the coarser ones in eight; interpolation comes from the
    operator itself, in which coarse operators are Galerkin's, of 27 points. Solids and walls are where weights are 0.

    Args:
        weights: three arrays of shape ``grid``: couplings of each cell to the next along that axis. What the last cells
            of an axis hold couples them to the first ones.
        excess: row sums of A, shape ``grid``.
        options: the :class:`GeometricMultigrid` that asks, or None.
        scale: a factor of all of them.

    Source: Dendy, Two multigrid methods for three-dimensional problems with discontinuous and anisotropic coefficients,
    SIAM J. Sci. Stat. Comput. 8 (1987).
    """

    def __init__(self, weights: list[Floats], excess: Floats, options: Any = None, scale: float = 1.0) -> None:
        self._smoother = getattr(options, "smoother", "auto")
        self._levels: list[SpaceLevel] = []
        self.update(weights, excess, scale)

    def update(self, weights: list[Floats], excess: Floats, scale: float = 1.0) -> None:
        """Take other coefficients on the same grid, in the memory of the old ones."""
        self._order = _order(weights)
        weights = [np.transpose(weights[axis], self._order) for axis in self._order]
        excess = np.transpose(excess, self._order)
        rings = self._rings = Rings(weights, excess)
        axes = {"points": (), "lines": (0, 1, 2)}.get(self._smoother)
        axes = line_axes(weights) if axes is None else axes
        level = self._first(Layout(rings.grid, rings.periodic), axes)
        level.take(*rings.extended(weights, excess), scale)
        self._levels = [level]
        carried = none_carried(level.layout)
        while not is_coarsest(level.layout.grid):
            coarser, carried = self._next(level, _factors(level, axes), carried)
            self._levels.append(coarser)
            level = coarser
        a, sums, points = joined(carried, level)
        layout = level.layout
        around = tuple(n if ring else 0 for n, ring in zip(layout.grid, layout.periodic, strict=True))
        self._inverse = BandedInverse(a, sums, points, around)

    def _first(self, layout: Layout, axes: tuple[int, ...]) -> SpaceLevel:
        """The finest level: the old one where it will do."""
        level = self._levels[0] if self._levels else None
        if level is not None and level.layout == layout and getattr(level, "axes", ()) == axes:
            level.renew()
            return level
        return LineLevel(layout, True, axes) if axes else SpaceLevel(layout, finest=True)

    def _next(self, level: SpaceLevel, factors: Triple, carried: Carried) -> tuple[SpaceLevel, Carried]:
        """The next level, and what goes on to it beside its grid."""
        cells = np.zeros(0, np.intp)
        for least in (0.0,) if level.finest or isinstance(level, LineLevel) else (LEAST, 0.0):
            coarser = level.coarsen(factors, least)
            cells = left_out(level) if level.orphans else cells[:0]
            if len(carried) + len(cells) <= MOST:
                break
        else:
            cells = cells[:0]
        if len(carried) + len(cells):
            level.beside = Beside(level.layout, carried, cells)
            carried = carry(carried, level, coarser, cells)
        else:
            carried = none_carried(coarser.layout)
        return coarser, carried

    @property
    def levels(self) -> tuple[Triple, ...]:
        return tuple(level.layout.grid for level in self._levels)

    @property
    def memory_bytes(self) -> int:
        """Of all arrays of all levels."""
        return sum(level.memory_bytes for level in self._levels) + self._inverse.nbytes

    @property
    def operator_complexity(self) -> float:
        """Couplings of all levels over those of the finest."""
        return sum(level.w.size for level in self._levels) / self._levels[0].w.size

    @property
    def cycle_bytes(self) -> int:
        """What one cycle must move at least.

        Each level reads couplings, inverse diagonal, right-hand side and the shares of P that it uses once on the way
        down and once on the way up, and writes a right-hand side (down) and a correction (up) once.
        """
        return sum(level.cycle_bytes for level in self._levels[:-1]) + self._inverse.nbytes

    def __call__(self, r: Floats, scale: float = 1.0, back: float = 1.0) -> Floats:
        """back · M (scale · r), in the shape and dtype of r."""
        grid, order = self._rings.given, self._order
        strides = tuple(int(np.prod(r.shape[axis + 1 :])) for axis in order)
        box, z = (0, *strides, *grid), np.empty(r.shape, r.dtype)
        there, here = np.ascontiguousarray(r).reshape(-1), z.reshape(-1)
        self._cycle(0, (box, r.dtype.type(scale), there), (box, r.dtype.type(back), here), NOTHING)
        return z

    def _cycle(self, number: int, r: Plain, z: Plain, asked: Floats) -> Floats:
        """z = M r on one grid, and the corrections of what is carried to it."""
        if number == len(self._levels) - 1:
            return self._exactly(r, z, asked)
        level = self._levels[number]
        level.down(r)
        level.solved = self._cycle(number + 1, *level.coarse, level.hand_down(asked))
        level.up(z)
        return level.handed_up

    def _exactly(self, r: Plain, z: Plain, asked: Floats) -> Floats:
        """The same on the coarsest grid."""
        given, out = np.zeros(self._levels[-1].layout.grid), _window(z)
        there = _window(r)
        given[tuple(slice(n) for n in there.shape)] = r[1] * there
        solved = self._inverse(np.concatenate([given.reshape(-1), asked]))
        out[:] = z[1] * solved[: given.size].reshape(given.shape)[tuple(slice(n) for n in out.shape)]
        return solved[given.size :]


def _window(plain: Plain) -> Floats:
    """View of a plain array, its axes in the order of the levels."""
    (start, *strides), _, flat = (plain[0][:4], *plain[1:])
    size = flat.itemsize
    return np.lib.stride_tricks.as_strided(flat[start:], plain[0][4:], [size * s for s in strides])


def _order(weights: list[Floats]) -> Triple:
    """The axes as the levels work on them: last the one that couples most, along which all grids are coarsened."""
    grid = weights[0].shape
    strength = [float(w.mean()) if n > 2 else 0.0 for w, n in zip(weights, grid, strict=True)]
    if strength[2] >= ALONG * max(strength) and grid[2] >= ALONG * max(grid):
        return 0, 1, 2
    first, second, third = sorted(range(3), key=lambda axis: (round(math.log(strength[axis] + 1e-300, 4)), grid[axis]))
    return first, second, third


def _factors(level: SpaceLevel, axes: tuple[int, ...]) -> Triple:
    """2 along axes to coarsen: the last one, those of lines, and those that couple nearly as much as any other."""
    grid = level.layout.grid
    strength = level.strength()
    largest = max((strength[a] for a in range(3) if grid[a] > 2 and a not in axes), default=0.0)
    first, second = (2 if grid[a] > 2 and (a in axes or strength[a] >= ALONG * largest) else 1 for a in range(2))
    return first, second, 2
