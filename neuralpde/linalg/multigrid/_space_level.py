"""One grid of a hierarchy in space: its couplings, how it is smoothed, and how the next coarser one is made from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neuralpde.linalg.jit import in_slabs
from neuralpde.linalg.multigrid import _space_coarse, _space_fine, _space_setup
from neuralpde.linalg.multigrid._space_layout import NEIGHBOURS, NEIGHBOURS_27, Floats, Layout, Step, Triple
from neuralpde.linalg.multigrid._space_orphans import adopt
from neuralpde.linalg.multigrid._space_tables import (
    both,
    coupling,
    galerkin_product,
    interpolation_rows,
    kinds,
    parents,
    share_of,
    transfers,
)

ZERO: Triple = (0, 0, 0)


class SpaceLevel:
    """A grid, smoothed by Gauss–Seidel in two colours (the finest) or eight.

    Args:
        layout: of its arrays.
        finest: whether cells have 6 neighbours, not 26.

    Attributes:
        w: couplings, float32, one array of the layout for each half neighbour.
        excess: row sums, float64.
        whole: the same of the whole matrix, where cells of finer grids are coupled to this one: see ``Carried``.
        beside: those cells, and cells of this grid that coarser ones leave out; ``None`` where there are none.
    """

    def __init__(self, layout: Layout, finest: bool) -> None:
        self.layout, self.finest = layout, finest
        self.half = NEIGHBOURS if finest else NEIGHBOURS_27
        self.w, self.excess = layout.array(np.float32, len(self.half)), layout.array(np.float64)
        self.diagonal, self.inverse = layout.array(np.float64), layout.array()
        self.loops: Any = _space_fine if finest else _space_coarse
        self.step: Step | None = None
        self.whole = self.excess
        self.beside: Any = None
        self.solved: Floats = np.zeros(0)
        self.handed_up: Floats = np.zeros(0)

    def ready(self) -> None:
        """Diagonal and its inverse, once couplings and row sums are in place."""
        layout = self.layout
        layout.close(self.w)
        layout.close(self.excess)
        arguments = (layout.first, layout.plane, layout.row, layout.grid[1], layout.half)
        self._slabs(
            _space_setup.diagonal,
            *arguments,
            self.w.reshape(-1),
            self._shifts(),
            self.excess.reshape(-1),
            self.diagonal.reshape(-1),
        )
        layout.close(self.diagonal)
        with np.errstate(divide="ignore"):
            np.divide(1.0, self.diagonal, out=self.inverse, where=self.diagonal > 0.0, casting="unsafe")

    def strength(self) -> list[float]:
        """Of the coupling along each axis: Σ w δ² over all neighbours, as u = x has it."""
        sums = self.w.sum(axis=(1, 2, 3, 4), dtype=np.float64)
        return [float(sum(s * d[axis] ** 2 for s, d in zip(sums, self.half, strict=True))) for axis in range(3)]

    def _slabs(self, loop: Callable[..., Any], *arguments: Any) -> list[Any]:
        return in_slabs(loop, self.layout.grid[0], self.layout.grid[1] * self.layout.grid[2], *arguments)

    def _coarse_slabs(self, step: Step, loop: Callable[..., Any], *arguments: Any) -> list[Any]:
        return in_slabs(loop, step.grid[0], self.layout.size // step.grid[0], *arguments)

    def _shifts(self) -> Any:
        """Places of all couplings of even and of odd cells, from the cell itself."""
        layout, own = self.layout, self.layout.half + 2
        return np.array(
            [[coupling(layout, self.half, (0, 0, p), d) - p * own for d in both(self.half)] for p in range(2)]
        )

    def _cells(self) -> Any:
        """Places of all neighbours."""
        layout, own = self.layout, self.layout.half + 2
        return np.array([[layout.shift((d[0], d[1], d[2] + p)) - p * own for d in both(self.half)] for p in range(2)])

    def interpolate(self, step: Step, least: float) -> Floats:
        """P of operator-dependent interpolation; remembers 1 − P 1."""
        share = np.zeros((len(step.offsets), *step.shape), np.float32)
        lack = self.layout.array(np.float64)
        coupled = self.diagonal > self.whole
        self.orphans = 0
        corners = (slice(2, -2, step.factors[0]), slice(2, -2, step.factors[1]), 0, slice(1, -1))
        middle = share[step.number(ZERO)]
        middle[1:-1, 1:-1, 1:-1] = coupled[corners]
        step.close(middle)
        lack[corners] = ~coupled[corners]
        places = self._places(step)
        for count in range(4):
            self.layout.close(lack)
            for odd in kinds(step, count) if count else []:
                rows = interpolation_rows(step, self.finest, odd)
                arguments = (
                    self.w.reshape(-1),
                    self.whole.reshape(-1),
                    self.diagonal.reshape(-1),
                    lack.reshape(-1),
                    share.reshape(-1),
                )
                tables = (rows.links, rows.shifts, rows.terms, rows.outs, rows.own, least)
                orphans = self._coarse_slabs(step, _space_setup.interpolate, *places, *arguments, *tables)
                for a in parents(odd):
                    step.close(share[step.number(share_of(odd, a))], a)
                if sum(orphans):
                    self.orphans += sum(orphans)
                    adopt(step, odd, share, lack, coupled)
        self.layout.close(lack)
        self.lack, self.coupled = lack, coupled
        return share

    def _places(self, step: Step) -> tuple[Any, ...]:
        layout, (c0, c1, _) = self.layout, step.factors
        fine = (layout.first, c0 * layout.plane, c1 * layout.row)
        coarse = (step.first, step.shape[1] * step.shape[2], step.shape[2])
        return step.grid[1], step.grid[2], fine, coarse

    def next(self, layout: Layout) -> SpaceLevel:
        return SpaceLevel(layout, finest=False)

    def coarsen(self, factors: Triple, least: float = 0.0) -> SpaceLevel:
        """The next coarser grid, with the operator PᵀAP. Cells whose couplings to coarse cells are a smaller part of
        their diagonal than ``least`` are left out."""
        layout = self.layout
        step = self.step = Step(layout, factors)
        self.share = self.interpolate(step, least)
        coarser = self.next(Layout(step.grid, layout.periodic))
        held = self.lack.any() or self.excess.any()
        ones = self.residual_of_one(self.excess, self.lack) if held else layout.array(np.float64)
        product, there = galerkin_product(step, self.finest), coarser.layout
        target = (there.first, there.plane, there.row)
        arrays = (self.w.reshape(-1), self.diagonal.reshape(-1), ones.reshape(-1), self.share.reshape(-1))
        tables = (product.couplings, product.diagonals, product.sums, product.excess, product.windows)
        out = (coarser.w.reshape(len(NEIGHBOURS_27), -1), coarser.excess.reshape(-1))
        self._coarse_slabs(
            step,
            _space_setup.galerkin,
            *self._places(step)[:2],
            *self._places(step)[2:],
            target,
            *arrays,
            *tables,
            *out,
        )
        coarser.ready()
        self._prepare(step)
        return coarser

    def residual_of_one(self, excess: Floats, lack: Floats) -> Floats:
        """e (1 − t) − Σ w (t_i − t_j), float64."""
        layout, ones = self.layout, self.layout.array(np.float64)
        self._slabs(
            _space_setup.residual_of_one, layout.first, layout.plane, layout.row, layout.grid[1], layout.half,
            self.w.reshape(-1), self._shifts(), self._cells(), excess.reshape(-1), lack.reshape(-1), ones.reshape(-1),
        )  # fmt: skip
        layout.close(ones)
        return ones

    def _prepare(self, step: Step) -> None:
        """Work arrays and tables of the cycle."""
        layout, moves = self.layout, transfers(step)
        self.r, self.u, self.left = layout.array(), layout.array(), layout.array()
        self.coarse_r, self.coarse_z = np.zeros(step.shape, np.float32), np.zeros(step.shape, np.float32)
        places = (layout.first, layout.plane, layout.row, step.first, step.shape[1] * step.shape[2], step.shape[2])
        arguments = (self.layout.periodic, step.factors, (*places, step.grid[1], step.grid[2]), self.share.reshape(-1))
        colours = slice(0, 2) if self.loops is _space_fine else slice(2, 3)
        served = (moves.served[colours].copy(), moves.serves[colours].copy(), self.coarse_r.reshape(-1))
        self._down = (layout.half, self.w, self.inverse, self.r, self.u, self.left, *arguments, *served)
        self._up = (
            layout.half,
            self.w,
            self.inverse,
            self.r,
            self.u,
            self.left,
            *arguments,
            self.coarse_z.reshape(-1),
            moves.counts,
            moves.shifts,
        )

    def down(self, plain: Floats, pad: int) -> None:
        """Smooth from zero; ``coarse_r`` is then Pᵀ of the residual."""
        assert self.step is not None
        step, ring = self.step, self.layout.periodic[0]
        if self.finest and not ring and self.beside is None:
            self._coarse_slabs(step, self.loops.down, -1, plain, pad, *self._down)
            return
        for stage, array in enumerate((self.u, self.u, self.left)):
            self._slabs(self.loops.down, stage, plain, pad, *self._down)
            self._close_planes(array)
        self._coarse_slabs(step, self.loops.down, 3, plain, pad, *self._down)

    def up(self, plain: Floats, pad: int) -> None:
        """Add P ``coarse_z``, smooth, and write the result into ``plain``."""
        assert self.step is not None
        self.step.close(self.coarse_z)
        if self.finest and not self.layout.periodic[0] and self.beside is None:
            self._slabs(self.loops.up, -1, plain, pad, *self._up)
            return
        for stage in range(3):
            self._slabs(self.loops.up, stage, plain, pad, *self._up)
            if stage == 0:
                self._join()
            self._close_planes(self.u)

    def hand_down(self, asked: Floats) -> Floats:
        """Residuals of cells that go on as unknowns of their own, once :meth:`down` has smoothed."""
        return asked if self.beside is None else self.beside.down(asked, self.u, self.left)  # type: ignore[no-any-return]

    def _join(self) -> None:
        """Add their corrections."""
        if self.beside is not None:
            self.handed_up = self.beside.up(self.solved, self.r, self.u)
            self.layout.close(self.u)

    def _close_planes(self, array: Floats) -> None:
        if self.layout.periodic[0]:
            array[:2], array[-2:] = array[-4:-2].copy(), array[2:4].copy()

    @property
    def memory_bytes(self) -> int:
        return sum(array.nbytes for array in vars(self).values() if isinstance(array, np.ndarray))

    @property
    def cycle_bytes(self) -> int:
        """What smoothing and transfers must move at least, on the way down and up: see :class:`SpaceHierarchy`."""
        cells, n = int(np.prod(self.layout.grid)), len(self.half)
        assert self.step is not None
        used = len(self.step.offsets) // 2 if self.finest else len(self.step.offsets)
        coarse = (used + 1) * int(np.prod(self.step.grid))
        kept = 0 if self.finest else 2  # what the sweep down found is written, and read on the way up
        return 4 * (cells * (2 * (n + 1) + 3 + kept) + 2 * coarse)
