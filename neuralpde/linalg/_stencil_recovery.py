"""The faces of a grid found again in a sparse matrix, or the reason why they are not there."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from neuralpde.linalg._stencil_poisson import mask_of, whole_numbers
from neuralpde.linalg.matrix import MatrixOperator, as_operator
from neuralpde.types import UsageError

_ROUNDING = 8.0
"""Units in the last place by which row sums and mirrored entries of assembled matrices differ."""


def recovered_parts(A: Any, shape: Sequence[int], mask: Any) -> tuple[list[np.ndarray], np.ndarray]:
    """Weights and row sums for :meth:`StencilOperator.from_csr`, which says what the arguments are."""
    grid = whole_numbers("shape", shape, least=0)
    known = mask_of(mask, grid)
    cells = np.empty(0, dtype=np.int64) if known is None else np.flatnonzero(known.cpu().numpy())
    unknowns = math.prod(grid) if known is None else cells.size
    matrix, eps = _matrix(A)
    _check_size(matrix, grid, unknowns, known is not None)
    forward, backward, excess, fault = _sorted(matrix, cells, grid, eps)
    if fault is not None and not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()  # duplicates off the stencil may cancel
        forward, backward, excess, fault = _sorted(matrix, cells, grid, eps)
    if fault is not None:
        raise UsageError(_off_stencil(matrix, cells, grid, eps, fault))
    _make_symmetric(grid, eps, forward, backward)
    if known is not None:
        excess[~known.cpu().numpy()] = 1.0
    return forward, excess


def _matrix(A: Any) -> tuple[sp.csr_matrix, float]:
    """A as CSR of float64, finite, and the size of its rounding errors."""
    if not sp.issparse(A):
        A = as_operator(A).to_csr()
    if np.issubdtype(A.dtype, np.complexfloating):
        MatrixOperator(A)  # refuses it
    short = A.dtype in (np.float16, np.float32)
    matrix = sp.csr_matrix(A).astype(np.float64, copy=False)
    if not np.isfinite(matrix.data.sum()) and not np.isfinite(matrix.data).all():
        raise UsageError(f"A holds {int((~np.isfinite(matrix.data)).sum())} NaN or Inf among its entries")
    return matrix, _ROUNDING * float(np.finfo(np.float32 if short else np.float64).eps)


def _check_size(matrix: sp.csr_matrix, grid: tuple[int, ...], unknowns: int, masked: bool) -> None:
    if matrix.shape == (unknowns, unknowns):
        return
    what = f"the mask of shape {grid} has {unknowns} unknown cells" if masked else f"a grid {grid} has {unknowns} cells"
    advice = "" if masked else "; where only some cells are unknowns, give mask=, True in those"
    raise UsageError(f"A has shape {matrix.shape}, but {what}{advice}")


def _sorted(
    matrix: sp.csr_matrix, cells: np.ndarray, grid: tuple[int, ...], eps: float
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray, tuple[int, int] | None]:
    from neuralpde.linalg._recovery_loops import sort_into_faces

    wide = max(matrix.nnz, math.prod(grid)) >= 2**31
    index = np.int64 if wide else np.int32  # one type of index for all callers, so that the loop is compiled once
    forward, backward = ([np.zeros(grid) for _ in grid] for _ in range(2))
    excess = np.zeros(grid)
    unused = [np.zeros(0)] * (3 - len(grid))
    rows, columns, cells = (part.astype(index, copy=False) for part in (matrix.indptr, matrix.indices, cells))
    faces = [tuple([*unused, *(part.reshape(-1) for part in parts)]) for parts in (forward, backward)]
    lifted = (1,) * (3 - len(grid)) + grid
    row, column = sort_into_faces(rows, columns, matrix.data, cells, lifted, eps, *faces, excess.reshape(-1))
    return forward, backward, excess, None if row < 0 else (int(row), int(column))


def _place(number: int, cells: np.ndarray, grid: tuple[int, ...]) -> tuple[int, ...]:
    """Cell of an unknown, by its indices."""
    cell = cells[number] if cells.size else number
    return tuple(int(k) for k in np.unravel_index(cell, grid))


def _off_stencil(
    matrix: sp.csr_matrix, cells: np.ndarray, grid: tuple[int, ...], eps: float, fault: tuple[int, int]
) -> str:
    row, column = fault
    here, there = _place(row, cells, grid), _place(column, cells, grid)
    text = (
        f"A is no operator of faces on a grid {grid}: row {row}, cell {here}, has an entry "
        f"{matrix[row, column]:.6g} in column {column}, cell {there}, with which it shares no face"
    )
    if not cells.size:
        for other in sorted(set(itertools.permutations(grid)) - {grid}):
            if _sorted(matrix, cells, other, eps)[3] is None:
                return f"{text}. It fits shape={other}: cells are numbered with the last axis fastest"
    near = all(min(abs(a - b), n - abs(a - b)) <= 1 for a, b, n in zip(here, there, grid, strict=True))
    advice = "a 9- or 27-point stencil" if near else "another grid or order of unknowns, or a coupling across the grid"
    return f"{text}. This looks like {advice}: M='amg' takes any sparse matrix"


def _make_symmetric(grid: tuple[int, ...], eps: float, forward: list[np.ndarray], backward: list[np.ndarray]) -> None:
    """Means of mirrored entries, in place of ``forward``, where they differ by rounding."""
    unequal = [axis for axis in range(len(grid)) if not np.array_equal(forward[axis], backward[axis])]
    if not unequal:
        return
    strongest = _strongest(forward, backward)
    for axis in unequal:
        _check_symmetric(grid, eps, axis, forward[axis], backward[axis], strongest)
        forward[axis] += backward[axis]
        forward[axis] *= 0.5


def _strongest(forward: list[np.ndarray], backward: list[np.ndarray]) -> np.ndarray:
    """Largest entry of each row off the diagonal.

    Not the diagonal: a penalty that holds a value makes it as large as one likes, and says nothing about the rounding
    of the others.
    """
    sizes = [abs(part) for part in forward]
    sizes += [abs(np.roll(part, 1, axis)) for axis, part in enumerate(backward)]
    return np.asarray(np.maximum.reduce(sizes))


def _check_symmetric(
    grid: tuple[int, ...], eps: float, axis: int, forward: np.ndarray, backward: np.ndarray, strongest: np.ndarray
) -> None:
    """Mirrored entries may differ by their own rounding, or by that of sums in both rows: the mean changes both."""
    of_sums = np.minimum(strongest, np.roll(strongest, -1, axis))
    scale = np.maximum(of_sums, np.maximum(abs(forward), abs(backward)))
    wrong = np.flatnonzero(abs(forward - backward) > eps * scale)
    if not wrong.size:
        return
    here = tuple(int(k) for k in np.unravel_index(wrong[0], grid))
    there = tuple((k + 1) % n if a == axis else k for a, (k, n) in enumerate(zip(here, grid, strict=True)))
    raise UsageError(
        f"A is not symmetric: cell {here} feels {there} with {0.0 - forward[here]:.6g}, but {there} feels {here} with "
        f"{0.0 - backward[here]:.6g}. Rows of Dirichlet values need their columns cleared too (move them to b), and "
        "rows of mirrored ghost cells need half of the weight"
    )
