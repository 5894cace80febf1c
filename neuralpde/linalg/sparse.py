"""A sparse matrix of SciPy's as it is: in rows or blocks of rows, without a copy."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.linalg.operators import LinearOperator

LARGEST_BLOCK = 4
"""Rows of blocks, up to which MKL multiplies with them faster than with numbers."""


def product_with(matrix: sp.csr_matrix | sp.bsr_matrix) -> Callable[[Tensor], Tensor]:
    """x → A x for tensors of the type of A, ``(n,)`` or ``(n, k)``, on the CPU, with the threads of torch.

    Where torch has MKL its kernels take half of the time of SciPy's, and several threads; else the product is SciPy's.
    Entries are shared, but those of blocks that MKL has no kernel for, which are multiplied in rows.

    Args:
        matrix: CSR or BSR, of float32 or float64.
    """
    if not (torch.backends.mkl.is_available() and matrix.nnz):
        return lambda x: torch.from_numpy(np.asarray(matrix @ x.numpy()))
    if matrix.format != "csr" and (matrix.blocksize[0] != matrix.blocksize[1] or matrix.blocksize[0] > LARGEST_BLOCK):
        matrix = matrix.tocsr()
    make = torch.sparse_csr_tensor if matrix.format == "csr" else torch.sparse_bsr_tensor
    rows, columns, entries = (torch.from_numpy(part) for part in (matrix.indptr, matrix.indices, matrix.data))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse (CSR|BSR) tensor support is in beta")
        shared = make(rows, columns, entries, matrix.shape, check_invariants=False)
    return lambda x: shared @ x


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

    @cached_property
    def _product(self) -> Callable[[Tensor], Tensor]:
        return product_with(self.matrix.astype(np.float64, copy=False))

    def matvec(self, x: Tensor) -> Tensor:
        return self._product(x.detach().cpu().double())

    def rmatvec(self, x: Tensor) -> Tensor:
        return torch.from_numpy(np.asarray(self.matrix.T @ x.detach().cpu().double().numpy()))

    @cached_property
    def _rows(self) -> sp.csr_matrix:
        rows = self.matrix.tocsr()
        rows.sort_indices()
        return rows

    def to_csr(self) -> sp.csr_matrix:
        return self._rows
