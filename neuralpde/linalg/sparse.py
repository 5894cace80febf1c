"""A sparse matrix of SciPy's as it is: in rows or blocks of rows, without a copy."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.linalg.operators import LinearOperator


class SparseOperator(LinearOperator):
    """x → A x in float64 on the CPU.

    Blocks of rows store one index a block: a product with them reads 40 % less than one with numbers in 2D, and half in
    3D. :class:`MatrixOperator` holds matrices of torch on any device instead.

    Args:
        matrix: CSR or BSR, ``(rows, columns)``; its entries are shared and must not change.
        symmetric: whether A = Aᵀ.
        positive_definite: a claim, see :class:`LinearOperator`.

    Example:
        >>> SparseOperator(sp.csr_matrix([[2.0, 0.0], [0.0, 3.0]])) @ torch.ones(2, dtype=torch.float64)
        tensor([2., 3.], dtype=torch.float64)
    """

    def __init__(
        self, matrix: sp.csr_matrix | sp.bsr_matrix, *, symmetric: bool = False, positive_definite: bool = False
    ) -> None:
        super().__init__(matrix.shape, symmetric=symmetric, positive_definite=positive_definite)
        self.matrix = matrix

    def matvec(self, x: Tensor) -> Tensor:
        return torch.from_numpy(np.asarray(self.matrix @ x.detach().cpu().double().numpy()))

    def rmatvec(self, x: Tensor) -> Tensor:
        return torch.from_numpy(np.asarray(self.matrix.T @ x.detach().cpu().double().numpy()))

    @cached_property
    def _rows(self) -> sp.csr_matrix:
        rows = self.matrix.tocsr()
        rows.sort_indices()
        return rows

    def to_csr(self) -> sp.csr_matrix:
        return self._rows
