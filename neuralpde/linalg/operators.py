"""Linear operators: what every solver, preconditioner and representation means by "a matrix"."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

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
    """

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
        self.device = torch.device(device)
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

    def __matmul__(self, x: Tensor) -> Tensor:
        self.check_operand(x, self.shape[1])
        return self.matvec(x)

    def check_operand(self, x: Tensor, size: int) -> None:
        """Raise :class:`UsageError`, naming both shapes, unless x is ``(size,)`` or ``(size, b)``."""
        if x.ndim not in (1, 2) or x.shape[0] != size:
            raise UsageError(f"operator of shape {self.shape} cannot be applied to x of shape {tuple(x.shape)}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(shape={self.shape}, dtype={self.dtype}, device='{self.device}')"


class CallableOperator(LinearOperator):
    """A linear map given by functions of one vector.

    Args:
        shape: ``(rows, columns)``.
        matvec: x ``(columns,)`` → A x ``(rows,)``; called with x in ``dtype``, one column at a time.
        rmatvec: x ``(rows,)`` → Aᵀ x ``(columns,)``.
        diagonal: the diagonal of A, or a function that returns it.
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
    ) -> None:
        super().__init__(shape, symmetric=symmetric, positive_definite=positive_definite, dtype=dtype, device=device)
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
        if x.ndim == 2:
            columns = [self._apply(function, column, size) for column in x.unbind(1)]
            return torch.stack(columns, dim=1) if columns else x.new_zeros(size, 0)
        y = function(x)
        if tuple(y.shape) != (size,):
            raise UsageError(
                f"the function of an operator of shape {self.shape} returned shape {tuple(y.shape)}, expected ({size},)"
            )
        return y
