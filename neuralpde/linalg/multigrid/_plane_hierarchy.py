"""The 2D hierarchy: levels with operator-dependent transfers and Galerkin operators, and one symmetric cycle."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from neuralpde.linalg.multigrid._plane_coefficients import evened, line_axes, wide_contrast
from neuralpde.linalg.multigrid._plane_four_colour import FourColourLevel
from neuralpde.linalg.multigrid._plane_galerkin import galerkin
from neuralpde.linalg.multigrid._plane_level_rows import interpolation_rows, level_rows
from neuralpde.linalg.multigrid._plane_lines import LineLevel
from neuralpde.linalg.multigrid._plane_operator_rows import inverse_diagonal
from neuralpde.linalg.multigrid._plane_red_black import RedBlackLevel
from neuralpde.linalg.multigrid._plane_rest import AlgebraicRest, ExactRest
from neuralpde.linalg.multigrid._plane_transfers import folded, transfers

Floats = NDArray[np.floating[Any]]
Level: TypeAlias = RedBlackLevel | FourColourLevel | LineLevel

COARSEST = 1_100
"""Most unknowns of a coarsest grid, which is solved exactly."""

TWICE = 5_000
"""Most unknowns of grids that a cycle visits twice where coefficients jump."""

SMALL, LEFT = 70_000, 0.001
"""The rest of a hierarchy is algebraic from the first cell without interpolation on up to that many cells, and from
that share of cells on where there are more: a cell of a small grid stands for many."""


class PlaneHierarchy:
    """r → one symmetric cycle from zero, for an M-matrix of a grid in the plane.

    Coarse grids have half the cells of each axis, down to a hundred unknowns. Where corridors run side by side more
    densely than coarse points, the rest of the hierarchy is algebraic. Where coefficients jump, small grids are visited
    twice (a W-cycle), which costs a tenth. Periodic axes of odd length get additional cells that change nothing.

    Args:
        weights: couplings with the next cell of each axis, float64 ``(n0, n1)`` each; last slices wrap around.
        excess: row sums, same shape.
        options: ``options.smoother`` is "points", "lines" or "auto".
        scale: a power of two that multiplies the operator.

    Attributes:
        levels: grids, the finest first.
    """

    def __init__(self, weights: list[Floats], excess: Floats, options: Any = None, scale: float = 1.0) -> None:
        self._smoother = getattr(options, "smoother", "auto")
        self.update(weights, excess, scale)

    def update(self, weights: list[Floats], excess: Floats, scale: float = 1.0) -> None:
        """Take other coefficients on the same grid."""
        self.levels: tuple[tuple[int, ...], ...] = ()
        self._smoothers: list[Level] = []
        self._cells: list[tuple[slice, ...] | None] = []
        axes = line_axes(weights, self._smoother)
        jumps, algebraic = wide_contrast(weights), False
        stencil: Floats | list[Floats] = [weights[1], weights[0]]
        if axes or excess.size <= COARSEST:
            stencil, excess, scale = np.stack([weights[1], weights[0]]) * scale, excess * scale, 1.0
        while excess.size > COARSEST:
            stencil, excess, cells = evened(stencil, excess)
            interpolation, left = transfers(stencil, excess, scale)
            self._cells.append(cells)
            few = 0.0 if excess.size <= SMALL else LEFT
            if self._smoothers and left > 0 and left > few * np.count_nonzero(inverse_diagonal(stencil, excess)):
                algebraic = True
                break
            self.levels += (excess.shape,)
            self._smoothers.append(_level(stencil, excess, interpolation, scale, axes))
            stencil, excess = folded(*galerkin(stencil, excess, interpolation, scale))
            scale = 1.0
            jumps = jumps or left > 0
        self._twice = TWICE if jumps else 0
        self.levels += (excess.shape,)
        rest = AlgebraicRest if algebraic else ExactRest
        self._rest = rest(np.asarray(stencil) * scale, excess * scale)

    def __call__(self, r: Floats, scale: float = 1.0, back: float = 1.0) -> Floats:
        """back · M (scale · r), of the shape and type of r, which is float32 or float64 on the grid."""
        return self._cycle(0, r, scale, back)

    @property
    def memory_bytes(self) -> int:
        """Of the arrays of all levels."""
        return sum(level.memory_bytes for level in self._smoothers) + self._rest.memory_bytes

    @property
    def operator_complexity(self) -> float:
        """Couplings of all levels over those of the finest."""
        points = [5 if number == 0 else 9 for number in range(len(self.levels))]
        entries = [count * rows * columns for count, (rows, columns) in zip(points, self.levels, strict=True)]
        return sum(entries) / entries[0]

    @property
    def cycle_bytes(self) -> int:
        """Bytes that one cycle for r in float64 must move: each level's sweep down and up reads its arrays and its
        right-hand side once each, and writes the coarse right-hand side or the result; visits are counted."""
        total, visits = 0, 1
        for number, level in enumerate(self._smoothers):
            rows, columns = self.levels[number]
            number_bytes = 8 if number == 0 else 4
            vectors = (
                number_bytes * 3 * rows * columns + 4 * 2 * self.levels[number + 1][0] * self.levels[number + 1][1]
            )
            total += visits * (2 * level.memory_bytes + vectors)
            visits *= 2 if self._is_twice(number + 1) else 1
        return total + visits * self._rest.memory_bytes

    def _is_twice(self, number: int) -> bool:
        rows, columns = self.levels[number]
        return 0 < number < len(self._smoothers) and rows * columns <= self._twice

    def _cycle(self, number: int, r: Floats, scale: float = 1.0, back: float = 1.0) -> Floats:
        cells = self._cells[number] if number < len(self._cells) else None
        if cells is None:
            return self._halving(number, r, scale, back)
        wide = np.zeros(self.levels[number], r.dtype)
        wide[cells] = r
        return np.ascontiguousarray(self._halving(number, wide, scale, back)[cells])

    def _halving(self, number: int, r: Floats, scale: float, back: float) -> Floats:
        if number == len(self._smoothers):
            return (back * self._rest(scale * r)).astype(r.dtype)
        level = self._smoothers[number]
        f = level.down(r, scale)
        e = self._cycle(number + 1, f)
        if self._is_twice(number + 1) and self._cells[number + 1] is None:
            below = self._smoothers[number + 1]
            assert not isinstance(below, RedBlackLevel)  # that is the finest one
            e = e + self._cycle(number + 1, below.residual(f, e))
        return level.up(r, scale, e, back, np.empty_like(r))


def _level(
    stencil: Floats | list[Floats], excess: Floats, weights: Floats, scale: float, axes: tuple[int, ...]
) -> Level:
    if axes:
        shares = weights[:, :8, 1:-1].transpose(1, 0, 2)
        return LineLevel(np.asarray(stencil), inverse_diagonal(stencil, excess), excess, shares, axes)
    rows = level_rows(stencil, excess, scale)
    if len(stencil) == 2:
        return RedBlackLevel(excess.shape, rows, interpolation_rows(weights, 4))
    return FourColourLevel(excess.shape, rows, interpolation_rows(weights, 0))
