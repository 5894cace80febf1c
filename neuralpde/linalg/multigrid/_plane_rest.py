"""The rest of a hierarchy where a plane's coarse points run out: algebraic multigrid, or an exact solve."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from neuralpde.linalg.algebraic_multigrid import AlgebraicMultigrid
from neuralpde.linalg.matrix import as_operator
from neuralpde.linalg.multigrid._space_coarsest import BandedInverse

Floats = NDArray[np.floating[Any]]


class ExactRest:
    """r → A⁺ r by a Cholesky factor of a band, for a few thousand unknowns."""

    def __init__(self, stencil: Floats, excess: Floats) -> None:
        points = np.indices((*excess.shape, 1)).reshape(3, -1).T
        around = (bool(stencil[1:, -1].any()), bool(stencil[0, :, -1].any()))
        rings = tuple(n if ring else 0 for n, ring in zip(excess.shape, around, strict=True))
        self._inverse = BandedInverse(sparse_matrix(stencil, excess), excess.reshape(-1), points, (*rings, 0))

    def __call__(self, r: Floats) -> Floats:
        return self._inverse(r.reshape(-1)).reshape(r.shape)

    @property
    def memory_bytes(self) -> int:
        return self._inverse.nbytes


class AlgebraicRest:
    """r → one algebraic cycle, where corridors are narrower than a coarse grid can tell apart."""

    def __init__(self, stencil: Floats, excess: Floats) -> None:
        matrix = sparse_matrix(stencil, excess)
        self._cycle = AlgebraicMultigrid().build(as_operator(matrix))
        self.memory_bytes = 4 * matrix.data.nbytes

    def __call__(self, r: Floats) -> Floats:
        z = self._cycle.matvec(torch.from_numpy(r.reshape(-1).astype(np.float64)))
        return np.asarray(z.numpy().astype(np.float32).reshape(r.shape))


def sparse_matrix(stencil: Floats, excess: Floats) -> sp.csr_matrix:
    """The matrix of a grid with couplings ``stencil (4, n0, n1)`` and row sums, wrapped around."""
    numbers = np.arange(excess.size, dtype=np.int32).reshape(excess.shape)
    rows, columns, values = [], [], []
    for layer, (down, right) in zip(stencil, ((0, 1), (1, 0), (1, 1), (1, -1)), strict=False):
        there = layer.nonzero()
        w, i = layer[there], numbers[there]
        j = numbers[(there[0] + down) % excess.shape[0], (there[1] + right) % excess.shape[1]]
        rows += [i, j, i, j]
        columns += [i, j, j, i]
        values += [w, w, -w, -w]
    rows.append(numbers.reshape(-1))
    columns.append(numbers.reshape(-1))
    values.append(excess.reshape(-1))
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return sp.coo_matrix(entries, shape=(excess.size, excess.size)).tocsr()
