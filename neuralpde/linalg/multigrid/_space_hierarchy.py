"""Multigrid on grids in space: from face weights to one symmetric cycle."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from neuralpde.linalg.multigrid._space_coarsest import BandedInverse, is_coarsest, matrix
from neuralpde.linalg.multigrid._space_layout import Floats, Layout, Step, Triple
from neuralpde.linalg.multigrid._space_left_out import MOST, joined, left_out, places
from neuralpde.linalg.multigrid._space_level import SpaceLevel
from neuralpde.linalg.multigrid._space_lines import LineLevel, line_axes
from neuralpde.linalg.multigrid._space_rings import Rings

ALONG = 0.25
"""An axis is coarsened when its mean coupling is at least this part of the largest."""


class SpaceHierarchy:
    """Levels of a grid in space, and one symmetric V-cycle over them from zero.

    The finest grid is smoothed by Gauss–Seidel in two colours, the coarser ones in eight; interpolation comes from the
    operator itself, in which coarse operators are Galerkin's, of 27 points. Solids and walls are where weights are 0.

    Args:
        weights: three arrays of shape ``grid``: couplings of each cell to the next along that axis. What the last cells
            of an axis hold couples them to the first ones.
        excess: row sums of A, shape ``grid``.
        options: the :class:`GeometricMultigrid` that asks, or None.

    Source: Dendy, Two multigrid methods for three-dimensional problems with discontinuous and anisotropic coefficients,
    SIAM J. Sci. Stat. Comput. 8 (1987).
    """

    def __init__(self, weights: list[Floats], excess: Floats, options: Any = None) -> None:
        self._smoother = getattr(options, "smoother", "auto")
        self.update(weights, excess)

    def update(self, weights: list[Floats], excess: Floats) -> None:
        """Take other coefficients on the same grid."""
        self._order = _order(weights)
        weights = [np.transpose(weights[axis], self._order) for axis in self._order]
        excess = np.transpose(excess, self._order)
        rings = self._rings = Rings(weights, excess)
        axes = {"points": (), "lines": (0, 1, 2)}.get(self._smoother)
        axes = line_axes(weights) if axes is None else axes
        layout = Layout(rings.grid, rings.periodic)
        level = LineLevel(layout, True, axes) if axes else SpaceLevel(layout, finest=True)
        self.scale = max(float(excess.max(initial=0.0)), *(float(w.max(initial=0.0)) for w in weights)) or 1.0
        weights, excess = rings.extended(weights, excess)
        for number, axis in enumerate((2, 1, 0)):
            level.layout.put(weights[axis] / self.scale, level.w[number])
        level.layout.put(excess / self.scale, level.excess)
        level.ready()
        self._levels = [level]
        self._right, self._solved = np.zeros(rings.grid, np.float32), np.zeros(rings.grid, np.float32)
        while not is_coarsest(level.layout.grid):
            factors = _factors(level, axes)
            level = self._next(level, factors)
            self._levels.append(level)
        layout = level.layout
        if len(self._levels) > 1 and len(self._left_out):
            before = self._levels[-2]
            before.joining = places(before.layout, self._left_out)
            a, sums, points = joined(before, level, self._left_out)
        else:
            a, sums = matrix(layout, level.half, level.w, level.excess), layout.get(level.excess).reshape(-1)
            points = np.asarray(np.indices(layout.grid).reshape(3, -1).T)
        around = tuple(n if ring else 0 for n, ring in zip(layout.grid, layout.periodic, strict=True))
        self._inverse = BandedInverse(a, sums, points, around)

    def _next(self, level: SpaceLevel, factors: Triple) -> SpaceLevel:
        """The next level; if it is the coarsest, the cells that it cannot serve are noted, to join it."""
        self._left_out = np.zeros(0, np.intp)
        last = is_coarsest(Step(level.layout, factors).grid)
        coarser = level.coarsen(factors, last and not isinstance(level, LineLevel))
        if last:
            self._left_out = left_out(level.layout, level.lack, level.coupled)
            if len(self._left_out) > MOST:
                coarser = level.coarsen(factors)
                self._left_out = left_out(level.layout, level.lack, level.coupled)
                if len(self._left_out) > MOST:
                    self._left_out = self._left_out[:0]
        return coarser

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
        # one pass each way, and into arrays that are kept: fresh pages of memory cost as much as a sweep
        given = self._rings.out_of(self._right)
        np.multiply(np.transpose(r, self._order), scale / self.scale, out=given, casting="unsafe")
        self._cycle(0, self._right, self._solved, 0)
        z = np.transpose(self._rings.out_of(self._solved), np.argsort(self._order))
        return np.multiply(z, back, dtype=r.dtype, order="C")

    def _cycle(self, number: int, r: Floats, z: Floats, pad: int) -> None:
        if number == len(self._levels) - 1:
            inner = (slice(pad, -pad or None),) * 3
            b = r[inner].reshape(-1)
            if number and len(self._levels[-2].joining):
                before = self._levels[-2]
                solved = self._inverse(np.concatenate([b, before.left.reshape(-1)[before.joining]]))
                before.joined = solved[len(b) :].astype(np.float32)
                z[inner] = solved[: len(b)].reshape(z[inner].shape)
            else:
                z[inner] = self._inverse(b).reshape(z[inner].shape)
            return
        level = self._levels[number]
        level.down(r, pad)
        self._cycle(number + 1, level.coarse_r, level.coarse_z, 1)
        level.up(z, pad)


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
