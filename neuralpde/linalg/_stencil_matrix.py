"""A grid's weighted graph Laplacian as a sparse matrix, and its connected components."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components


def stencil_matrix(weights: Sequence[np.ndarray], excess: np.ndarray) -> sp.csr_matrix:
    """The matrix ``(n, n)`` of ``weights`` and ``excess`` of the shape of a grid; sorted columns, no stored zeros."""
    faces = sp.csr_matrix(face_matrix(weights, excess))
    diagonal = excess.ravel() + np.asarray(faces.sum(axis=1)).ravel()
    matrix = sp.csr_matrix(sp.diags(diagonal) - faces)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix


def every_component_is_held(weights: Sequence[np.ndarray], excess: np.ndarray) -> bool:
    """Whether every set of cells that faces connect has a cell of positive row sum; entries are ≥ 0."""
    if (excess > 0.0).all():
        return True
    count, labels = connected_components(face_matrix(weights, excess), directed=False)
    held = np.zeros(count, dtype=bool)
    held[labels[excess.ravel() > 0.0]] = True
    return bool(held.all())


def face_matrix(weights: Sequence[np.ndarray], excess: np.ndarray) -> sp.coo_matrix:
    """The symmetric matrix of face weights; faces of an axis of length 1 join a cell with itself and are left out."""
    cells = np.arange(excess.size, dtype=np.int32 if excess.size < 2**31 else np.int64).reshape(excess.shape)
    here, there, values = [cells[:0].ravel()], [cells[:0].ravel()], [excess[:0].ravel()]
    for axis, weight in enumerate(weights):
        kept = weight != 0.0 if excess.shape[axis] > 1 else np.zeros_like(weight, dtype=bool)
        here.append(cells[kept])
        there.append(np.roll(cells, -1, axis)[kept])
        values.append(weight[kept])
    i, j, w = np.concatenate(here), np.concatenate(there), np.concatenate(values)
    return sp.coo_matrix((np.tile(w, 2), (np.concatenate([i, j]), np.concatenate([j, i]))), shape=(excess.size,) * 2)
