"""The coarsest grid of a hierarchy in space, solved exactly by a Cholesky factor of a band.

A grid of 16³ cells costs 20 ms to factor and 0.3 ms to solve, less than the sweeps of the finest grid. Solving there,
not on the few cells that further coarsening would lead to, pays where walls and jumps leave coarser grids nothing to
hold on to: rooms of two cells, of which every other one has no coarse cell.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.sparse.csgraph import connected_components

from neuralpde.linalg.multigrid._space_layout import Floats, Layout, Triple

LARGEST_WORK = 4.0e8
"""Products of numbers that a factor may cost: 16³ cells."""


SHIFTS = (0.0, 1e-7, 1e-5, 1e-3, 1e-1)
"""Added to the unit diagonal of a scaled matrix until it has a factor."""


def is_coarsest(grid: Triple) -> bool:
    """Whether the factor of this grid's matrix is cheap."""
    cells = int(np.prod(grid))
    band = cells // max(grid) + min(grid) + 2
    return max(grid) <= 2 or cells * band**2 <= LARGEST_WORK


def matrix(layout: Layout, half: tuple[Triple, ...], w: Floats, excess: Floats) -> sp.csr_matrix:
    """A of a grid, cells in C order."""
    grid = layout.grid
    n = int(np.prod(grid))
    numbers = np.arange(n).reshape(grid)
    a = sp.csr_matrix((n, n))
    rows, columns, entries = [], [], []
    for number, d in enumerate(half):
        weights = layout.get(w[number]).reshape(-1).astype(np.float64)
        there = np.roll(numbers, tuple(-s for s in d), (0, 1, 2)).reshape(-1)
        kept = np.flatnonzero(weights)
        rows.append(kept)
        columns.append(there[kept])
        entries.append(weights[kept])
    i, j, value = np.concatenate(rows), np.concatenate(columns), np.concatenate(entries)
    a = sp.csr_matrix((np.concatenate([-value, -value]), (np.concatenate([i, j]), np.concatenate([j, i]))), (n, n))
    sums = np.bincount(i, value, n) + np.bincount(j, value, n) + layout.get(excess).reshape(-1)
    return (a + sp.diags(sums)).tocsr()


class BandedInverse:
    """r → A⁻¹ r, or A⁺ r on the parts where A is singular.

    Each part without excess is held at one cell, which changes nothing as long as r sums to zero there, and the
    constants are taken out of r and of the result: symmetric, and exact on what is left.

    Args:
        a: symmetric, positive semidefinite, with constants as its only null vectors.
        excess: row sums of a.
        points: where the unknowns are, ``(n, 3)``; they are numbered plane by plane.
        rings: lengths of periodic axes, 0 for others.
    """

    def __init__(
        self, a: sp.csr_matrix, excess: Floats, points: NDArray[Any], rings: tuple[int, ...] = (0, 0, 0)
    ) -> None:
        diagonal = a.diagonal()
        self._scale = np.where(diagonal > 0.0, 1.0 / np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0)), 0.0)
        self._constants(a, excess)
        scaled = (sp.diags(self._scale) @ a @ sp.diags(self._scale)).tocsr()
        self._order = _narrowest(scaled, points, rings)
        ordered = scaled[self._order][:, self._order].tocoo()
        lower = ordered.row >= ordered.col
        i, j, value = ordered.row[lower], ordered.col[lower], ordered.data[lower]
        band = np.zeros((int((i - j).max(initial=0)) + 1, a.shape[0]), order="F")
        band[i - j, j] = value
        held = np.zeros(a.shape[0])
        held[self._held] = 1.0
        held[diagonal <= 0.0] = 1.0
        band[0] += held[self._order]
        # Galerkin couplings kept in float32 may leave the smallest eigenvalues just below zero
        for shift in SHIFTS:
            band[0] += shift
            self._factor, failed = lapack.dpbtrf(band, lower=1)
            if not failed:
                break

    def _constants(self, a: sp.csr_matrix, excess: Floats) -> None:
        """Parts of the graph of A that no excess holds."""
        count, self._part = connected_components(a, directed=False)
        live = self._scale > 0.0
        free = np.bincount(self._part, excess * live, count) == 0.0
        free &= np.bincount(self._part, live, count) > 0
        self._part = np.where(free[self._part], np.cumsum(free)[self._part], 0)
        self._cells = np.maximum(np.bincount(self._part, minlength=int(free.sum()) + 1), 1)
        self._held = np.unique(self._part, return_index=True)[1][np.unique(self._part) > 0]

    def _without_constants(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        if not len(self._held):
            return x
        means = np.bincount(self._part, x, len(self._cells)) / self._cells
        means[0] = 0.0
        return np.asarray(x - means[self._part])

    def __call__(self, r: Floats) -> NDArray[np.float64]:
        b = self._without_constants(r.astype(np.float64))
        x = np.empty_like(b)
        x[self._order] = lapack.dpbtrs(self._factor, (self._scale * b)[self._order], lower=1)[0]
        return self._without_constants(self._scale * x)

    @property
    def nbytes(self) -> int:
        return int(self._factor.nbytes)


def _narrowest(a: sp.csr_matrix, points: NDArray[Any], rings: tuple[int, ...]) -> NDArray[np.intp]:
    """The order of the narrowest band: planes across one of the axes, those of a ring from both its ends.

    Cuthill and McKee's order goes by shells around a corner, which have three times as many cells as planes.
    """
    folded = [np.minimum(x, n - x) if n else x for x, n in zip(points.T, rings, strict=True)]
    entries = a.tocoo()
    best, least = np.arange(a.shape[0]), a.shape[0]
    for axis in range(3):
        second, third = (x for other, x in enumerate(points.T) if other != axis)
        order = np.lexsort((third, second, folded[axis]))
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        width = int(abs(place[entries.row] - place[entries.col]).max(initial=0))
        if width < least:
            best, least = order, width
    return best
