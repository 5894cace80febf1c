"""Linear operators: what every solver, preconditioner and representation means by "a matrix"."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from types import ModuleType
from typing import Any, overload

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.types import UsageError

MAX_IDENTITY_SIZE = 5_000
"""Largest n for which :meth:`LinearOperator.to_csr` applies the operator to identity columns."""

_BLOCK = 128


class LinearOperator(ABC):
    """A linear map y = A x, known by its action.

    Args:
        shape: ``(rows, columns)``.
        symmetric: A = Aᵀ in the Euclidean inner product.
        positive_definite: xᵀA x > 0 for x ≠ 0. A claim: solvers still check what they meet.
        dtype: float32 or float64, the precision in which A is cheap to apply.
        device: where A lives.

    A subclass writes :meth:`matvec`. It is called with x in ``dtype``, and with x in float64 too, because convergence
    is judged there: compute in the dtype of x where possible, otherwise cast.

    ``A + B``, ``A - B``, ``A @ B``, ``2.0 * A``, ``A / 2.0``, ``-A`` and ``A.T`` are operators again; B may be a matrix
    of any kind that :func:`as_operator` takes.
    """

    __array_ufunc__ = None  # NumPy leaves array @ A and number * A to this class

    def __init__(
        self,
        shape: tuple[int, int],
        *,
        symmetric: bool = False,
        positive_definite: bool = False,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> None:
        if len(shape) != 2 or min(shape) < 0:
            raise UsageError(f"an operator needs shape (rows, columns), got {tuple(shape)}")
        if dtype not in (torch.float32, torch.float64):
            raise UsageError(f"an operator works in torch.float32 or torch.float64, got {dtype}")
        self.shape = (int(shape[0]), int(shape[1]))
        self.dtype = dtype
        self.device = _numbered(torch.device(device))
        self._symmetric = symmetric
        self._positive_definite = positive_definite

    @property
    def symmetric(self) -> bool:
        """True when A = Aᵀ."""
        return self._symmetric

    @property
    def positive_definite(self) -> bool:
        """True when xᵀA x > 0 for x ≠ 0, as far as is known."""
        return self._positive_definite

    @abstractmethod
    def matvec(self, x: Tensor) -> Tensor:
        """A x, for x of shape ``(columns,)`` or ``(columns, b)``."""

    def rmatvec(self, x: Tensor) -> Tensor:
        """Aᵀ x, for x of shape ``(rows,)`` or ``(rows, b)``.

        Raises:
            UsageError: when A is not symmetric and its class gives no transpose.
        """
        if self.symmetric:
            return self.matvec(x)
        raise UsageError(f"{type(self).__name__} has no transpose: give rmatvec, or symmetric=True if A = Aᵀ")

    def diagonal(self) -> Tensor:
        """Diagonal of A, shape ``(min(rows, columns),)``.

        Raises:
            UsageError: when A is too large to be found column by column (see :meth:`to_csr`).
        """
        return torch.from_numpy(self.to_csr().diagonal().copy()).to(self.device, self.dtype)

    def to_csr(self) -> sp.csr_matrix:
        """A as a SciPy CSR matrix; by default A is applied to the columns of the identity.

        Raises:
            UsageError: above ``MAX_IDENTITY_SIZE`` columns.
        """
        n = self.shape[1]
        if n > MAX_IDENTITY_SIZE:
            raise UsageError(
                f"{type(self).__name__} with {n} columns would be applied {n} times to find its entries; "
                f"the limit is {MAX_IDENTITY_SIZE}: override to_csr, or pass the matrix itself"
            )
        blocks = []
        for start in range(0, n, _BLOCK):
            stop = min(start + _BLOCK, n)
            columns = torch.zeros(n, stop - start, dtype=self.dtype, device=self.device)
            columns[torch.arange(start, stop), torch.arange(stop - start)] = 1.0
            blocks.append(sp.csc_matrix(self.matvec(columns).detach().cpu().numpy()))
        return sp.csr_matrix(sp.hstack(blocks)) if blocks else sp.csr_matrix(self.shape)

    @property
    def T(self) -> LinearOperator:
        """Aᵀ, which is A itself where A is symmetric."""
        from neuralpde.linalg.transposed import TransposedOperator  # which imports this file

        return self if self.symmetric else TransposedOperator(self)

    @overload
    def __matmul__(self, other: Tensor) -> Tensor: ...
    @overload
    def __matmul__(self, other: np.ndarray) -> np.ndarray: ...
    @overload
    def __matmul__(self, other: LinearOperator | sp.spmatrix | sp.sparray) -> LinearOperator: ...
    def __matmul__(self, other: Any) -> Any:
        """A x for a tensor or a NumPy array x, ``(columns,)`` or ``(columns, b)``, of the kind that came; the product
        A B for an operator or a sparse matrix B."""
        if isinstance(other, Tensor) and other.layout is torch.strided:
            self.check_operand(other, self.shape[1])
            return self.matvec(other)
        if isinstance(other, np.ndarray):
            array = np.ascontiguousarray(other if other.dtype in (np.float32, np.float64) else other.astype(np.float64))
            return (self @ torch.tensor(array, device=self.device)).detach().cpu().numpy()
        return _algebra().ProductOperator([self, _operator(other)])

    def __rmatmul__(self, other: Any) -> LinearOperator:
        return _algebra().ProductOperator([_operator(other), self])

    def merged(self, other: LinearOperator) -> LinearOperator | None:
        """A + B as one operator of the kind of A, where there is one; ``None`` leaves them as two parts."""
        return None

    def __add__(self, other: Any) -> LinearOperator:
        other = _operator(other)
        one = self.merged(other) or other.merged(self)
        return one or _algebra().SumOperator([self, other])

    def __radd__(self, other: Any) -> LinearOperator:
        return self + _operator(other)

    def __sub__(self, other: Any) -> LinearOperator:
        return self + -1.0 * _operator(other)

    def __rsub__(self, other: Any) -> LinearOperator:
        return -1.0 * self + other

    def __neg__(self) -> LinearOperator:
        return -1.0 * self

    def __mul__(self, factor: Any) -> LinearOperator:
        value = _algebra().number(factor)
        return NotImplemented if value is None else _algebra().ScaledOperator(value, self)

    def __rmul__(self, factor: Any) -> LinearOperator:
        return self.__mul__(factor)

    def __truediv__(self, divisor: Any) -> LinearOperator:
        value = _algebra().number(divisor)
        return NotImplemented if value is None else self * (1.0 / value)

    def check_operand(self, x: Tensor, size: int) -> None:
        """Raise :class:`UsageError`, naming both shapes, unless x is ``(size,)`` or ``(size, b)``."""
        if x.ndim not in (1, 2) or x.shape[0] != size:
            raise UsageError(f"operator of shape {self.shape} cannot be applied to x of shape {tuple(x.shape)}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape}, dtype={self.dtype}, device='{self.device}')"


def _algebra() -> ModuleType:
    from neuralpde.linalg import algebra  # which is made of operators, and so imports this file

    return algebra


def _operator(other: Any) -> LinearOperator:
    from neuralpde.linalg.matrix import as_operator

    return as_operator(other)


def _tensor(values: Any) -> Tensor:
    from neuralpde.linalg.matrix import as_tensor

    try:
        return as_tensor(values)
    except UsageError as error:
        raise UsageError(f"the function of an operator returned no vector: {error}") from error


def _numbered(device: torch.device) -> torch.device:
    """Tensors on "cuda" say "cuda:0", which torch holds to be another device than "cuda"."""
    if device.type == "cpu" or device.index is not None:
        return device
    try:
        return torch.empty(0, device=device).device
    except (AssertionError, RuntimeError) as error:
        raise UsageError(f"an operator was asked for on {str(device)!r}, which cannot be used here: {error}") from error


class CallableOperator(LinearOperator):
    """A linear map given by functions of a vector, or of many at once.

    Args:
        shape: ``(rows, columns)``.
        matvec: x ``(columns,)`` → A x ``(rows,)``; called with x in ``dtype``, one column at a time. What is no tensor
            is made one.
        rmatvec: x ``(rows,)`` → Aᵀ x ``(columns,)``.
        diagonal: the diagonal of A, or a function that returns it.
        block: the functions take ``(n, b)`` as well as ``(n,)``, and are given many columns at once.
        symmetric, positive_definite, dtype, device: see :class:`LinearOperator`.

    Raises:
        UsageError: when a function returns a wrong shape.

    Example:
        >>> A = CallableOperator((2, 2), lambda x: 3.0 * x, symmetric=True)
        >>> A @ torch.ones(2, dtype=torch.float64)
        tensor([3., 3.], dtype=torch.float64)
    """

    def __init__(
        self,
        shape: tuple[int, int],
        matvec: Callable[[Tensor], Tensor],
        rmatvec: Callable[[Tensor], Tensor] | None = None,
        diagonal: Tensor | Callable[[], Tensor] | None = None,
        symmetric: bool = False,
        positive_definite: bool = False,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
        block: bool = False,
    ) -> None:
        super().__init__(shape, symmetric=symmetric, positive_definite=positive_definite, dtype=dtype, device=device)
        self._block = block
        self._matvec = matvec
        self._rmatvec = rmatvec
        self._diagonal = diagonal

    def matvec(self, x: Tensor) -> Tensor:
        return self._apply(self._matvec, x, self.shape[0])

    def rmatvec(self, x: Tensor) -> Tensor:
        if self._rmatvec is None:
            return super().rmatvec(x)
        return self._apply(self._rmatvec, x, self.shape[1])

    def diagonal(self) -> Tensor:
        if self._diagonal is None:
            return super().diagonal()
        return self._diagonal() if callable(self._diagonal) else self._diagonal

    def _apply(self, function: Callable[[Tensor], Tensor], x: Tensor, size: int) -> Tensor:
        x = x.to(self.dtype)
        if x.ndim == 2 and not self._block:
            columns = [self._apply(function, column, size) for column in x.unbind(1)]
            return torch.stack(columns, dim=1) if columns else x.new_zeros(size, 0)
        y = function(x)
        if not isinstance(y, Tensor):  # the function works in NumPy, or on lists
            y = _tensor(y).to(self.device)
        expected = (size, *x.shape[1:])
        if tuple(y.shape) != expected:
            raise UsageError(
                f"the function of an operator of shape {self.shape} returned shape {tuple(y.shape)}, "
                f"expected {expected}"
            )
        return y
