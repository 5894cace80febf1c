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
    around,
    galerkin_product,
    interpolation_rows,
    kinds,
    parents,
    share_of,
    transfers,
)

ZERO: Triple = (0, 0, 0)

Plain = tuple[tuple[int, ...], Any, Floats]
"""A plain array and how to read it: (place, strides and cells of each axis), a factor, the flat array."""


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

    # written anew for each set of coefficients, see _kept
    share: Floats
    lack: Floats
    r: Floats
    u: Floats
    left: Floats
    coarse_r: Floats
    coarse_z: Floats

    def __init__(self, layout: Layout, finest: bool) -> None:
        self.layout, self.finest = layout, finest
        self.half = NEIGHBOURS if finest else NEIGHBOURS_27
        self.w, self.excess = layout.array(np.float32, len(self.half)), layout.array(np.float64)
        self.diagonal, self.inverse = layout.array(np.float64), layout.array()
        self.loops: Any = _space_fine if finest else _space_coarse
        self.step: Step | None = None
        self.coarser: SpaceLevel | None = None
        self.renew()

    def renew(self) -> None:
        """Forget what belongs to old coefficients; arrays stay, to be written again."""
        self.whole = self.excess
        self.beside: Any = None
        self.solved: Floats = np.zeros(0)
        self.handed_up: Floats = np.zeros(0)

    def _kept(self, name: str, shape: tuple[int, ...], dtype: Any = np.float32, clear: bool = False) -> Floats:
        """The array of that name, of zeros when it is new. Loops write the same entries of it each time."""
        array: Any = getattr(self, name, None)
        if array is not None and clear:
            array[...] = 0.0
        if array is None or array.shape != shape:
            array = np.zeros(shape, dtype)
            setattr(self, name, array)
        return array  # type: ignore[no-any-return]

    def take(self, weights: list[Floats], excess: Floats, scale: float) -> None:
        """Coefficients of the finest grid, times a factor."""
        layout, (n0, n1, n2) = self.layout, self.layout.grid
        for number, axis in enumerate((2, 1, 0)):
            flat, strides = _flat(weights[axis])
            box = (0, *strides, n0, n1, n2)
            self._slabs(_space_coarse.sort, True, box, scale, flat, layout.strides, self.w[number].reshape(-1))
        if excess.any():
            layout.put(excess * scale, self.excess)
        else:
            self.excess[:] = 0.0
        self.ready()

    def ready(self) -> None:
        """Diagonal and its inverse, once couplings and row sums are in place."""
        layout = self.layout
        layout.close(self.w)
        layout.close(self.excess)
        flat = (array.reshape(-1) for array in (self.excess, self.diagonal, self.inverse))
        shifts = around(layout, self.finest).shifts
        self._slabs(_space_setup.diagonal, layout.strides, layout.kinds, self.w.reshape(-1), shifts, *flat)
        layout.close(self.diagonal)
        layout.close(self.inverse)

    def strength(self) -> list[float]:
        """Of the coupling along each axis: Σ w δ² over all neighbours, as u = x has it."""
        sums = self.w.sum(axis=(1, 2, 3, 4), dtype=np.float64)
        return [float(sum(s * d[axis] ** 2 for s, d in zip(sums, self.half, strict=True))) for axis in range(3)]

    def _slabs(self, loop: Callable[..., Any], *arguments: Any) -> list[Any]:
        return in_slabs(loop, self.layout.grid[0], self.layout.grid[1] * self.layout.grid[2], *arguments)

    def _coarse_slabs(self, step: Step, loop: Callable[..., Any], *arguments: Any) -> list[Any]:
        return in_slabs(loop, step.grid[0], self.layout.size // step.grid[0], *arguments)

    def interpolate(self, step: Step, least: float) -> None:
        """P of operator-dependent interpolation, and 1 − P 1: ``share`` and ``lack``."""
        layout = self.layout
        share = self._kept("share", (len(step.offsets), *step.shape), clear=True)
        lack = self._kept("lack", layout.shape, np.float64)
        coupled = self.diagonal > self.whole
        self.orphans, self.lacking = 0, 0
        corners = layout.of_kind(coupled, ZERO, step.factors)
        middle = share[step.number(ZERO)]
        middle[1:-1, 1:-1, 1:-1] = corners
        step.close(middle)
        layout.of_kind(lack, ZERO, step.factors)[:] = ~corners
        arrays = [part.reshape(-1) for part in (self.w, self.whole, self.diagonal, lack, share)]
        for count in range(4):
            layout.close(lack)
            for odd in kinds(step, count) if count else []:
                rows = interpolation_rows(step, self.finest, odd)
                tables = (rows.links, rows.shifts, rows.terms, rows.outs, rows.own, least)
                loop = _space_setup.interpolate
                found = self._coarse_slabs(step, loop, layout.strides, step.strides, *arrays, *tables)
                orphans, lacking = (sum(part) for part in zip(*found, strict=True))
                self.lacking += lacking
                for a in parents(odd):
                    step.close(share[step.number(share_of(odd, a))], a)
                if orphans:
                    self.orphans += orphans
                    adopt(step, odd, share, lack, coupled)
        layout.close(lack)
        self.coupled = coupled

    def next(self, layout: Layout) -> SpaceLevel:
        return SpaceLevel(layout, finest=False)

    def _next(self, layout: Layout) -> SpaceLevel:
        """The same, the old one where it will do."""
        if self.coarser is None or self.coarser.layout != layout:
            self.coarser = self.next(layout)
        self.coarser.renew()
        return self.coarser

    def coarsen(self, factors: Triple, least: float = 0.0) -> SpaceLevel:
        """The next coarser grid, with the operator PᵀAP. Cells whose couplings to coarse cells are a smaller part of
        their diagonal than ``least`` are left out."""
        if self.layout.paired != (factors[1] == 2):
            self._lay_out(Layout(self.layout.grid, self.layout.periodic, factors[1] == 2))
        layout = self.layout
        step = self.step = Step(layout, factors)
        self.interpolate(step, least)
        coarser = self._next(Layout(step.grid, layout.periodic))
        held = bool(self.lacking or self.excess.any())
        ones = self.residual_of_one(self.excess, self.lack) if held else self.excess
        product = galerkin_product(step, self.finest)
        arrays = (self.w.reshape(-1), self.diagonal.reshape(-1), ones.reshape(-1), self.share.reshape(-1))
        excess = product.excess[: None if held else 0]
        tables = (product.ends, product.couplings, product.diagonals, product.sums, excess)
        out = (coarser.w.reshape(len(NEIGHBOURS_27), -1), coarser.excess.reshape(-1))
        strides = (layout.strides, step.strides, coarser.layout.strides)
        self._coarse_slabs(step, _space_setup.galerkin, *strides, *arrays, *tables, *out)
        coarser.ready()
        self._prepare(step)
        return coarser

    def _lay_out(self, layout: Layout) -> None:
        """Move to another layout of the same grid: one whose rows stay, or are to be halved in number."""
        w = layout.array(np.float32, len(self.half))
        excess, whole = layout.array(np.float64), layout.array(np.float64)
        for old, new in zip((*self.w, self.excess, self.whole), (*w, excess, whole), strict=True):
            layout.put(self.layout.get(old), new)
        self.whole = excess if self.whole is self.excess else whole
        self.layout, self.w, self.excess = layout, w, excess
        self.diagonal, self.inverse = layout.array(np.float64), layout.array()
        self.ready()

    def residual_of_one(self, excess: Floats, lack: Floats) -> Floats:
        """e (1 − t) − Σ w (t_i − t_j), float64."""
        layout, ones = self.layout, self._kept("ones", self.layout.shape, np.float64)
        tables = around(layout, self.finest)
        given = (layout.strides, layout.kinds, self.w.reshape(-1), tables.shifts, tables.cells)
        flat = (excess.reshape(-1), lack.reshape(-1), ones.reshape(-1))
        self._slabs(_space_setup.residual_of_one, *given, *flat)
        layout.close(ones)
        return ones

    def _prepare(self, step: Step) -> None:
        """Work arrays and tables of the cycle."""
        layout, moves, tables = self.layout, transfers(step), around(self.layout, self.finest)
        for name in ("r", "u", "left"):
            self._kept(name, layout.shape)
        for name in ("coarse_r", "coarse_z"):
            self._kept(name, step.shape)
        places = (layout.strides, step.strides, layout.periodic, layout.kinds, tables.colours, tables.lower)
        arrays = [part.reshape(-1) for part in (self.w, self.inverse, self.r, self.u, self.left, self.share)]
        box = (step.first, *(int(n) for n in np.array(self.coarse_r.strides) // 4), *step.grid)
        one = np.float32(1.0)
        self.coarse = (box, one, self.coarse_r.reshape(-1)), (box, one, self.coarse_z.reshape(-1))
        self._down = (*places, *arrays, moves.served, moves.serves, self.coarse_r.reshape(-1))
        self._up = (*places, *arrays, self.coarse_z.reshape(-1), moves.counts, moves.shifts)

    def down(self, plain: Plain) -> None:
        """Smooth from zero; ``coarse_r`` is then Pᵀ of the residual."""
        assert self.step is not None
        step = self.step
        if self._in_one_wave:
            self._coarse_slabs(step, self.loops.down, -1, *plain, *self._down)
            return
        for stage, array in enumerate((self.u, self.u, self.left)):
            self._slabs(self.loops.down, stage, *plain, *self._down)
            self._close_planes(array)
        self._coarse_slabs(step, self.loops.down, 3, *plain, *self._down)

    def up(self, plain: Plain) -> None:
        """Add P ``coarse_z``, smooth, and write the result into ``plain``."""
        assert self.step is not None
        self.step.close(self.coarse_z)
        if self._in_one_wave:
            self._slabs(self.loops.up, -1, *plain, *self._up)
            return
        for stage in range(3):
            self._slabs(self.loops.up, stage, *plain, *self._up)
            if stage == 0:
                self._join()
            self._close_planes(self.u)

    @property
    def _in_one_wave(self) -> bool:
        return self.finest and not self.layout.periodic[0] and self.beside is None

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


def _flat(array: Floats) -> tuple[Floats, tuple[int, ...]]:
    """An array in the order of its memory, and its strides there."""
    order = np.argsort([-s for s in array.strides], kind="stable")
    if not array.transpose(order).flags.c_contiguous:
        array = np.ascontiguousarray(array)
    return array.ravel(order="K"), tuple(s // array.itemsize for s in array.strides)
