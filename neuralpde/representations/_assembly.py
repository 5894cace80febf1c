"""Sparse matrices from element matrices, on a pattern that is found once."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor


class SparsePattern:
    """Where the entries of element matrices go in a global sparse matrix.

    The places of all entries are found once; a matrix is then one scatter-add, the same to the last bit whenever it is
    made.

    Args:
        dofs: global numbers of the unknowns of every element, ``(e, k)``.
        size: of the matrix.
    """

    def __init__(self, dofs: Tensor, size: int) -> None:
        self.dofs, self.size = dofs, size

    @cached_property
    def _pairs(self) -> tuple[np.ndarray, np.ndarray]:
        numbers = self.dofs.cpu().numpy().astype(np.int32 if self.size < 2**31 else np.int64)
        k = numbers.shape[1]
        return np.repeat(numbers, k, axis=1).reshape(-1), np.tile(numbers, (1, k)).reshape(-1)

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray, Tensor]:
        """Row pointers, columns, and the place of every entry."""
        rows, columns = self._pairs
        keys, inverse = np.unique(rows.astype(np.int64) * self.size + columns, return_inverse=True)
        pointers = np.concatenate([[0], np.cumsum(np.bincount(keys // self.size, minlength=self.size))])
        return pointers, keys % self.size, torch.from_numpy(inverse.reshape(-1)).to(self.dofs.device)

    def matrix(self, elements: Tensor) -> sp.csr_matrix:
        """Σ of element matrices ``(e, k, k)``."""
        pointers, columns, places = self._places
        data = self.values(elements, places, len(columns))
        return sp.csr_matrix((data.cpu().numpy(), columns.copy(), pointers.copy()), shape=(self.size, self.size))

    @staticmethod
    def values(elements: Tensor, places: Tensor, count: int) -> Tensor:
        """The matrix's entries."""
        return elements.new_zeros(count).index_add_(0, places, elements.reshape(-1))


def scatter(dofs: Tensor, elements: Tensor, size: int) -> Tensor:
    """Σ of element vectors ``(e, k, …)`` into ``(size, …)``."""
    out = elements.new_zeros(size, *elements.shape[2:])
    return out.index_add_(0, dofs.reshape(-1), elements.reshape(-1, *elements.shape[2:]))
