"""Sparse matrices on the free unknowns of nodes that have held ones beside them."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from torch import Tensor

from neuralpde.representations._assembly import SparsePattern


class CutPattern(SparsePattern):
    """The pattern of c × c blocks, of which matrices keep the rows and columns of free unknowns alone.

    Which entries these are, and where they go, is found once: a matrix then costs a gather more than one of whole
    blocks, and is compressed by rows.

    Args:
        dofs, size, channels: as of :class:`SparsePattern`, of the nodes that have a free unknown.
        kept: whether each of their ``N c`` unknowns is free.
    """

    def __init__(self, dofs: Tensor, size: int, channels: int, kept: Tensor) -> None:
        super().__init__(dofs, size, channels)
        self.kept = kept.cpu().numpy()

    @cached_property
    def _cut(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Place of every kept entry among those of the blocks, columns and row pointers."""
        pointers, columns, _ = self._found
        c, n = self.channels, self.size * self.channels
        numbers = np.arange(1, len(columns) * c * c + 1, dtype=np.int64).reshape(-1, c, c)
        whole = sp.bsr_matrix((numbers, columns, pointers), shape=(n, n)).tocsr()
        cut = whole[self.kept][:, self.kept]
        cut.sort_indices()
        return cut.data - 1, cut.indices.astype(np.int32), cut.indptr.astype(np.int32)

    def of_blocks(self, blocks: NDArray[np.floating[Any]]) -> sp.csr_matrix:
        """The matrix ``(p, p)`` of the blocks."""
        places, columns, pointers = self._cut
        data = blocks.reshape(-1)[places]
        return sp.csr_matrix((data, columns.copy(), pointers.copy()), shape=(len(pointers) - 1,) * 2)
