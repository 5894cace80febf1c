"""Cells that no cell of the coarsest grid can serve: they join its unknowns themselves.

Between walls one cell apart, and in strong layers one cell thick, every other cell has only parents beyond the wall. On
the last grid but one they are few; each becomes an unknown of the coarsest matrix, [P E]ᵀ A [P E] with E their columns
of the identity.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neuralpde.linalg.multigrid._space_coarsest import matrix
from neuralpde.linalg.multigrid._space_layout import Floats, Layout, Step

MOST = 2500
"""Cells that may join, or the factor costs more than it saves."""


def left_out(layout: Layout, lack: Floats, coupled: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Numbers, in C order, of cells with neighbours but without a share of any coarse cell."""
    return np.flatnonzero((layout.get(lack) == 1.0) & layout.get(coupled))


def places(layout: Layout, cells: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where these cells are in flat arrays of the layout."""
    everywhere = np.arange(layout.size).reshape(layout.shape)
    return np.asarray(layout.get(everywhere).reshape(-1)[cells])


def interpolation(step: Step, share: Floats) -> sp.csr_matrix:
    """P as a matrix, cells in C order."""
    fine, coarse = step.fine.grid, np.indices(step.grid).reshape(3, -1)
    rows, columns, entries = [], [], []
    for part, o in zip(share, step.offsets, strict=True):
        value = part[1:-1, 1:-1, 1:-1].reshape(-1)
        kept = np.flatnonzero(value)
        x = [(c * i[kept] + s) % n for c, i, s, n in zip(step.factors, coarse, o, fine, strict=True)]
        rows.append(np.ravel_multi_index(x, fine))
        columns.append(kept)
        entries.append(value[kept].astype(np.float64))
    shape = (int(np.prod(fine)), coarse.shape[1])
    return sp.csr_matrix((np.concatenate(entries), (np.concatenate(rows), np.concatenate(columns))), shape)


def joined(level: Any, coarsest: Any, cells: NDArray[np.intp]) -> tuple[sp.csr_matrix, Floats, NDArray[Any]]:
    """The coarsest matrix with these cells of the level before, its row sums, and where the unknowns are."""
    layout, below, step = level.layout, coarsest.layout, level.step
    a = matrix(layout, level.half, level.w, level.excess)
    p = interpolation(step, level.share)
    beside = a[cells] @ p
    corner = matrix(below, coarsest.half, coarsest.w, coarsest.excess)
    whole = sp.bmat([[corner, beside.T], [beside, a[cells][:, cells]]]).tocsr()
    # row sums without cancellation: A 1 of [P E] 1 = 1 − t
    lack, excess = layout.get(level.lack).reshape(-1).copy(), layout.get(level.excess).reshape(-1)
    lack[cells] = 0.0
    lack[a.diagonal() <= 0.0] = 0.0
    ones = excess - a @ lack if lack.any() else excess
    sums = np.concatenate([p.T @ ones, ones[cells]])
    at = np.stack(np.unravel_index(cells, layout.grid), axis=1) / np.array(step.factors)
    return whole, sums, np.concatenate([np.indices(below.grid).reshape(3, -1).T, at])
