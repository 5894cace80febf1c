"""Operators that hold their entries, and the one place that turns what users have into an operator."""

from __future__ import annotations

import warnings
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import LinearOperator as ScipyOperator
from torch import Tensor

from neuralpde.linalg.arrays import as_array
from neuralpde.linalg.operators import CallableOperator, LinearOperator
from neuralpde.types import UsageError


class MatrixOperator(LinearOperator):
    """A matrix with stored entries: dense, or compressed sparse rows.

    Args:
        matrix: torch tensor (dense, COO, CSR, …), NumPy array, or SciPy sparse matrix, shape ``(rows, columns)``; it is
            copied, so that a later write into it changes nothing here. Integers become float64, float16 becomes
            float32. Gradients flow to a tensor that wants them, to its stored entries where it is sparse. (Give
            entries that want them as COO: a CSR tensor made of them is one whose gradient torch forms as a dense
            matrix.)
        symmetric: ``None`` looks at the entries when somebody asks: |a_ij − a_ji| ≤ 8 ε √(s_i s_j), with s_i the
            largest entry of row and column i, is rounding.
        positive_definite: a claim, see :class:`LinearOperator`.
        device: where to put the entries; ``None`` leaves them where they are.

    Raises:
        UsageError: for complex entries or a shape that is not two-dimensional.

    Example:
        >>> A = MatrixOperator([[2.0, -1.0], [-1.0, 2.0]])
        >>> A.symmetric, A.diagonal().tolist()
        (True, [2.0, 2.0])
    """

    def __init__(
        self,
        matrix: Any,
        *,
        symmetric: bool | None = None,
        positive_definite: bool = False,
        device: torch.device | str | None = None,
    ) -> None:
        entries = _to_tensor(matrix)
        if device is not None:
            entries = entries.to(device)
        super().__init__(
            (entries.shape[0], entries.shape[1]),
            positive_definite=positive_definite,
            dtype=entries.dtype,
            device=entries.device,
        )
        self.matrix = entries
        self._claimed_symmetric = symmetric
        self._transposed: Tensor | None = None

    @property
    def is_sparse(self) -> bool:
        """True when the entries are stored as CSR."""
        return self.matrix.layout is not torch.strided

    @property
    def symmetric(self) -> bool:
        if self._claimed_symmetric is None:
            self._claimed_symmetric = self.shape[0] == self.shape[1] and self._looks_symmetric()
        return self._claimed_symmetric

    def matvec(self, x: Tensor) -> Tensor:
        if self.is_sparse and self.matrix.requires_grad and torch.is_grad_enabled():
            return self._gathered(x, self._row_numbers, self.matrix.col_indices(), self.shape[0])
        return _product(self.matrix, x)

    def rmatvec(self, x: Tensor) -> Tensor:
        if not self.is_sparse:
            return _product(self.matrix.T, x)
        if self.matrix.requires_grad and torch.is_grad_enabled():
            return self._gathered(x, self.matrix.col_indices(), self._row_numbers, self.shape[1])
        if self._transposed is None:  # torch multiplies by a transposed CSR 30 times slower than by a CSR
            self._transposed = _csr_tensor(self.to_csr().T.tocsr()).to(self.device)
        return _product(self._transposed, x)

    @cached_property
    def _row_numbers(self) -> Tensor:
        lengths = self.matrix.crow_indices().diff()
        return torch.arange(self.shape[0], device=self.device).repeat_interleave(lengths)

    def _gathered(self, x: Tensor, into: Tensor, of: Tensor, size: int) -> Tensor:
        """Products with stored entries alone: the gradient of torch's own is a dense matrix."""
        values = self.matrix.values()
        terms = x[of] * values.reshape(-1, *[1] * (x.ndim - 1))
        return terms.new_zeros(size, *x.shape[1:]).index_add(0, into, terms)

    def diagonal(self) -> Tensor:
        if not self.is_sparse:
            return self.matrix.diagonal().clone()
        return super().diagonal()

    def to_csr(self) -> sp.csr_matrix:
        if not self.is_sparse:
            return sp.csr_matrix(self.matrix.detach().cpu().numpy())
        crow, col = self.matrix.crow_indices(), self.matrix.col_indices()
        values = self.matrix.values().detach()
        return sp.csr_matrix((values.cpu().numpy(), col.cpu().numpy(), crow.cpu().numpy()), shape=self.shape)

    def _looks_symmetric(self) -> bool:
        tolerance = 8 * torch.finfo(self.dtype).eps
        if self.shape[0] == 0:
            return True
        if not self.is_sparse:
            matrix = self.matrix.detach()
            size = matrix.abs().amax(dim=1).maximum(matrix.abs().amax(dim=0)).sqrt()
            return bool(((matrix - matrix.T).abs() <= tolerance * size[:, None] * size).all())
        csr = self.to_csr()
        gap, entries = abs(csr - csr.T).tocoo(), abs(csr)
        if gap.nnz == 0:
            return True
        size = np.sqrt(np.maximum(entries.max(axis=0).toarray(), entries.max(axis=1).toarray().T)[0])
        return bool((gap.data <= tolerance * size[gap.row] * size[gap.col]).all())


def as_operator(A: Any) -> LinearOperator:
    """An operator from an operator, a matrix of any kind, or a SciPy ``LinearOperator``.

    Raises:
        UsageError: for anything else; the sentence names the type that came.

    Example:
        >>> as_operator(torch.eye(3)).shape
        (3, 3)
    """
    if isinstance(A, LinearOperator):
        return A
    if isinstance(A, ScipyOperator):
        return _from_scipy_operator(A)
    if isinstance(A, Tensor | np.ndarray | list | tuple) or sp.issparse(A):
        return MatrixOperator(A)
    raise UsageError(
        f"expected a LinearOperator, a torch or NumPy matrix or a SciPy sparse matrix, got {type(A).__name__}; "
        "wrap a function in CallableOperator(shape, function)"
    )


def _from_scipy_operator(A: ScipyOperator) -> CallableOperator:
    """A SciPy operator (pyamg's ``aspreconditioner()`` gives one); working in NumPy, in float64, on columns at once."""

    def forward(x: Tensor) -> Tensor:
        y = A.matvec(x.cpu().numpy()) if x.ndim == 1 else A.matmat(x.cpu().numpy())
        return torch.from_numpy(np.array(y, dtype=np.float64)).to(x.device)

    def transposed(x: Tensor) -> Tensor:
        y = A.rmatvec(x.cpu().numpy()) if x.ndim == 1 else A.rmatmat(x.cpu().numpy())
        return torch.from_numpy(np.array(y, dtype=np.float64)).to(x.device)

    if np.issubdtype(A.dtype, np.complexfloating):
        raise UsageError(_COMPLEX)
    return CallableOperator((int(A.shape[0]), int(A.shape[1])), forward, transposed, block=True)


_COMPLEX = "complex matrices are not supported: solve the real system [[Re A, -Im A], [Im A, Re A]]"


def real_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype in which numbers of ``dtype`` are computed with: float32 for short floats, float64 for the rest."""
    if dtype.is_complex:
        raise UsageError(_COMPLEX)
    short = (torch.float16, torch.bfloat16, torch.float32)
    return torch.float32 if dtype in short else torch.float64


def as_tensor(values: Any) -> Tensor:
    """A tensor from a tensor, an array of any library, a list of numbers or of tensors, as :func:`as_array` says.

    Raises:
        UsageError: for what holds no numbers.
    """
    if isinstance(values, Tensor) or hasattr(values, "__cuda_array_interface__"):
        return torch.as_tensor(values)
    if isinstance(values, list | tuple) and values and all(isinstance(value, Tensor) for value in values):
        try:
            return torch.stack(values)
        except RuntimeError as error:
            raise UsageError(f"a list of tensors is an array where all have one shape: {error}") from error
    return torch.as_tensor(as_array(values))


def _to_tensor(matrix: Any) -> Tensor:
    if sp.issparse(matrix):
        if np.issubdtype(matrix.dtype, np.complexfloating):
            raise UsageError(_COMPLEX)
        return _csr_tensor(sp.csr_matrix(matrix))
    given = as_tensor(matrix)
    if given.ndim != 2:
        raise UsageError(f"a matrix has two dimensions, got shape {tuple(given.shape)}")
    tensor = given.to(real_dtype(given.dtype))
    # What was set up for a matrix holds for its entries of that moment: those of the caller may change.
    tensor = tensor.clone() if tensor is given else tensor
    if tensor.layout is torch.strided or tensor.layout is torch.sparse_csr:
        return tensor
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        # torch knows no way from sparse blocks to rows but this one.
        blocks = tensor.layout in (torch.sparse_bsr, torch.sparse_bsc)
        return (tensor.to_sparse() if blocks else tensor).to_sparse_csr()


def _csr_tensor(csr: sp.csr_matrix) -> Tensor:
    if not csr.has_canonical_format:
        csr = csr.copy()  # it may share its arrays with the caller's matrix
        csr.sum_duplicates()
    short = csr.dtype.kind == "f" and csr.dtype.itemsize <= 4
    values = torch.from_numpy(csr.data.astype(np.float32 if short else np.float64))
    # 64-bit indices: torch's product with several columns is 2.5 times slower with 32-bit ones.
    indices = (torch.from_numpy(csr.indptr.astype(np.int64)), torch.from_numpy(csr.indices.astype(np.int64)))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(*indices, values, csr.shape, check_invariants=False)


def _product(matrix: Tensor, x: Tensor) -> Tensor:
    dtype = torch.promote_types(matrix.dtype, x.dtype)
    return matrix.to(dtype) @ x.to(dtype)
