"""Preconditioners that keep the unknowns of a node together, where some of them are held."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.linalg import LinearOperator, Preconditioner, SparseOperator


class NodeBlocks(Preconditioner):
    """M ≈ A⁻¹ on free unknowns from a preconditioner that wants blocks of c unknowns for every node.

    Rows of the identity, with the size of A's diagonal, stand in for unknowns that are held: blocks stay whole, the
    components of a node go into one aggregate, and what is held is coupled to nothing.

    Args:
        inner: of the matrix in blocks.
        kept: whether each of the ``n c`` unknowns of the nodes is free; A has these, in this order.
    """

    def __init__(self, inner: Preconditioner, kept: Tensor) -> None:
        self.inner, self.kept = inner, kept.cpu()

    def build(self, A: LinearOperator) -> LinearOperator:
        whole = self._whole(A.to_csr())
        made = SparseOperator(whole, symmetric=A.symmetric, positive_definite=A.positive_definite)
        return _Cut(self.inner.build(made), self.kept)

    def _whole(self, matrix: sp.csr_matrix) -> sp.csr_matrix:
        kept = self.kept.numpy()
        place = np.flatnonzero(kept)
        size = float(np.median(np.abs(matrix.diagonal()))) or 1.0
        counts = np.ones(len(kept), dtype=np.int64)
        counts[place] = np.diff(matrix.indptr)
        mine = np.repeat(kept, counts)
        columns, data = np.empty(len(mine), dtype=np.int64), np.full(len(mine), size)
        columns[mine], columns[~mine] = place[matrix.indices], np.flatnonzero(~kept)
        data[mine] = matrix.data
        pointers = np.concatenate([[0], np.cumsum(counts)])
        return sp.csr_matrix((data, columns.astype(np.int32), pointers.astype(np.int32)), shape=(len(kept),) * 2)


class _Cut(LinearOperator):
    """x → the kept part of M x, with zeros put in."""

    def __init__(self, inner: LinearOperator, kept: Tensor) -> None:
        n, definite = int(kept.sum()), inner.positive_definite
        super().__init__((n, n), symmetric=inner.symmetric, positive_definite=definite, device=inner.device)
        self.inner, self.kept = inner, kept.to(inner.device)

    def matvec(self, x: Tensor) -> Tensor:
        whole = torch.zeros(len(self.kept), *x.shape[1:], dtype=x.dtype, device=x.device)
        whole[self.kept] = x
        return self.inner.matvec(whole)[self.kept]
