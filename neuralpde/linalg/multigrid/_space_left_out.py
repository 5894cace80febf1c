"""Cells that no coarse cell can serve: they join the unknowns of the coarsest grid themselves.

Between walls one cell apart, and in strong layers one cell thick, every other cell has only parents beyond the wall.
They are few; on the way to coarser grids each stays an unknown of its own. The matrix on a coarse grid is then
[P E]ᵀ A [P E] with E their columns of the identity: what couples E to the grid, Eᵀ A P, goes from grid to grid as a
sparse matrix, and the coarsest grid and all E are solved for together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neuralpde.linalg.multigrid._space_coarsest import matrix
from neuralpde.linalg.multigrid._space_layout import Floats, Layout, Step
from neuralpde.linalg.multigrid._space_tables import both, minus, parents, share_of

MOST = 2500
"""Cells that may join, or the factor costs more than it saves."""

Cells = NDArray[np.intp]


@dataclass(frozen=True)
class Carried:
    """Cells of finer grids that go on as unknowns of their own, seen from one grid.

    Args:
        beside: what couples them to the grid, ``(k, cells)``, cells in C order.
        corner: what couples them to each other, ``(k, k)``.
        sums: row sums of the whole matrix in their rows, ``(k,)``.
        points: where they are, in cells of this grid, ``(k, 3)``.
    """

    beside: sp.csr_matrix
    corner: sp.csr_matrix
    sums: NDArray[np.float64]
    points: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.sums)


def none_carried(layout: Layout) -> Carried:
    cells = int(np.prod(layout.grid))
    return Carried(sp.csr_matrix((0, cells)), sp.csr_matrix((0, 0)), np.zeros(0), np.zeros((0, 3)))


def left_out(level: Any) -> Cells:
    """Numbers, in C order, of cells with neighbours but without a share of any coarse cell."""
    return np.flatnonzero((level.layout.get(level.lack) == 1.0) & level.layout.get(level.coupled))


def couplings(level: Any, cells: Cells) -> sp.csr_matrix:
    """Rows of A of these cells, ``(k, all cells)``."""
    layout, grid = level.layout, np.array(level.layout.grid)[:, None]
    x = np.array(np.unravel_index(cells, layout.grid))
    w = level.w.reshape(len(level.half), -1)
    rows, columns, entries = [np.arange(len(cells))], [cells], [level.diagonal.reshape(-1)[layout.places(x)]]
    for d in both(level.half):
        there = (x + np.array(d)[:, None]) % grid
        held, number = (x, level.half.index(d)) if d in level.half else (there, level.half.index(minus(d)))
        value = w[number, layout.places(held)].astype(np.float64)
        kept = np.flatnonzero(value)
        rows.append(kept)
        columns.append(np.ravel_multi_index(tuple(there[:, kept]), layout.grid))
        entries.append(-value[kept])
    return _sparse(rows, columns, entries, (len(cells), int(np.prod(grid))))


def interpolation(step: Step, share: Floats, cells: Cells) -> sp.csr_matrix:
    """Rows of P of these cells, ``(k, coarse cells)``."""
    x, factors = np.array(np.unravel_index(cells, step.fine.grid)), np.array(step.factors)[:, None]
    coarse = np.array(step.grid)[:, None]
    rows, columns, entries = [], [], []
    for odd in {tuple(int(k) for k in kind) for kind in (x % factors).T}:
        of_kind = np.flatnonzero((x % factors == np.array(odd)[:, None]).all(0))
        for a in parents(odd):  # type: ignore[arg-type]
            there = (x[:, of_kind] // factors + np.array(a)[:, None]) % coarse
            value = share[step.number(share_of(odd, a)), there[0] + 1, there[1] + 1, there[2] + 1]
            rows.append(of_kind)
            columns.append(np.ravel_multi_index(tuple(there), step.grid))
            entries.append(value.astype(np.float64))
    return _sparse(rows, columns, entries, (len(cells), int(np.prod(step.grid))))


def _sparse(rows: list[Any], columns: list[Any], entries: list[Any], shape: tuple[int, int]) -> sp.csr_matrix:
    if not rows:
        return sp.csr_matrix(shape)
    made = sp.csr_matrix((np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns))), shape)
    made.eliminate_zeros()
    return made


def carry(carried: Carried, level: Any, coarser: Any, cells: Cells) -> Carried:
    """What is carried to the coarser grid when these cells are left out on the way; sets its row sums."""
    whole = sp.vstack([carried.beside, couplings(level, cells)]).tocsr()
    served = np.unique(whole.indices)
    old, corner = carried.beside[:, cells], whole[len(carried) :][:, cells]
    sums, short = _row_sums(level, coarser, cells)
    return Carried(
        (whole[:, served] @ interpolation(level.step, level.share, served)).tocsr(),
        sp.bmat([[carried.corner, old], [old.T, corner]]).tocsr() if len(carried) else corner,
        np.concatenate([carried.sums - carried.beside @ short, sums[cells]]),
        np.concatenate([carried.points, np.stack(np.unravel_index(cells, level.layout.grid), axis=1)])
        / np.array(level.step.factors),
    )


def _row_sums(level: Any, coarser: Any, cells: Cells) -> tuple[Floats, Floats]:
    """A [P E] 1 = A (1 − t) and t, found without cancellation: they are zero where nothing holds the constants."""
    layout, step = level.layout, level.step
    short = layout.get(level.lack).reshape(-1) * layout.get(level.coupled).reshape(-1)
    short[cells] = 0.0
    t = layout.array(np.float64)
    layout.put(short.reshape(layout.grid), t)
    ones = layout.get(level.residual_of_one(level.whole, t) + (level.whole - level.excess) * t)
    coarse = np.zeros(step.grid)
    for part, o in zip(level.share, step.offsets, strict=True):
        beside = np.roll(ones, [-k for k in o], (0, 1, 2))[tuple(slice(None, None, c) for c in step.factors)]
        coarse += part[1:-1, 1:-1, 1:-1] * beside
    coarser.whole = coarser.layout.array(np.float64)
    coarser.layout.put(coarse, coarser.whole)
    return ones.reshape(-1), short


def joined(carried: Carried, level: Any) -> tuple[sp.csr_matrix, Floats, NDArray[Any]]:
    """The matrix of a grid and all that is carried to it, its row sums, and where the unknowns are."""
    layout = level.layout
    a, points = matrix(layout, level.half, level.w, level.excess), np.indices(layout.grid).reshape(3, -1).T
    sums = layout.get(level.whole).reshape(-1)
    if not len(carried):
        return a, sums, points
    whole = sp.bmat([[a, carried.beside.T], [carried.beside, carried.corner]]).tocsr()
    return whole, np.concatenate([sums, carried.sums]), np.concatenate([points, carried.points])


class Beside:
    """The cells that leave a grid, and those carried past it, in its part of the cycle.

    Args:
        layout: of the grid's arrays.
        carried: what is carried to it.
        cells: that it leaves out of interpolation.
    """

    def __init__(self, layout: Layout, carried: Carried, cells: Cells) -> None:
        served = np.unique(carried.beside.indices)
        self.cells, self.served, self.count = cells, served, len(carried)
        self.leaving, self._at = (layout.places(np.unravel_index(k, layout.grid)) for k in (cells, served))
        self.couplings = carried.beside[:, served].tocsr()

    def __len__(self) -> int:
        return self.count + len(self.cells)

    def down(self, asked: NDArray[np.float64], u: Floats, left: Floats) -> NDArray[np.float64]:
        """Residuals of all of them after the grid was smoothed to u."""
        return np.concatenate([asked - self.couplings @ u.reshape(-1)[self._at], left.reshape(-1)[self.leaving]])

    def up(self, solved: NDArray[np.float64], r: Floats, u: Floats) -> NDArray[np.float64]:
        """Add their corrections to the grid's right-hand side and to u, once P e was; those of finer grids."""
        r.reshape(-1)[self._at] -= self.couplings.T @ solved[: self.count]
        u.reshape(-1)[self.leaving] += solved[self.count :]
        return solved[: self.count]
