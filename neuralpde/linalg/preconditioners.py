"""Preconditioners: objects that look at A once and return an operator that approximates A⁻¹."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from neuralpde.linalg.operators import LinearOperator
from neuralpde.types import UsageError


class Preconditioner(ABC):
    """Builds M ≈ A⁻¹ from A.

    ``variable`` is True when the action changes from call to call or is not linear in r (a network, an inner
    iteration). Every solver of this room accepts that; SciPy's do not.
    """

    variable: bool = False

    @abstractmethod
    def build(self, A: LinearOperator) -> LinearOperator:
        """The operator r → M r, of the shape of A. For conjugate gradients it must be symmetric positive definite."""


class DiagonalOperator(LinearOperator):
    """y = d ∘ x.

    Args:
        entries: d, shape ``(n,)``, float32 or float64.

    Example:
        >>> DiagonalOperator(torch.tensor([1.0, 2.0])) @ torch.ones(2)
        tensor([1., 2.])
    """

    def __init__(self, entries: Tensor) -> None:
        if entries.ndim != 1:
            raise UsageError(f"a diagonal has shape (n,), got {tuple(entries.shape)}")
        super().__init__(
            (entries.numel(), entries.numel()),
            symmetric=True,
            positive_definite=bool((entries > 0).all()),
            dtype=entries.dtype,
            device=entries.device,
        )
        self.entries = entries

    def matvec(self, x: Tensor) -> Tensor:
        return self.entries * x if x.ndim == 1 else self.entries[:, None] * x

    def diagonal(self) -> Tensor:
        return self.entries.clone()


class IdentityOperator(LinearOperator):
    """y = x.

    Example:
        >>> IdentityOperator(2) @ torch.tensor([1.0, 2.0])
        tensor([1., 2.])
    """

    def __init__(self, n: int, *, dtype: torch.dtype = torch.float64, device: torch.device | str = "cpu") -> None:
        super().__init__((n, n), symmetric=True, positive_definite=True, dtype=dtype, device=device)

    def matvec(self, x: Tensor) -> Tensor:
        return x

    def diagonal(self) -> Tensor:
        return torch.ones(self.shape[0], dtype=self.dtype, device=self.device)


class Identity(Preconditioner):
    """No preconditioning: M = I.

    Example:
        >>> Identity().build(DiagonalOperator(torch.ones(2))).shape
        (2, 2)
    """

    def build(self, A: LinearOperator) -> LinearOperator:
        return IdentityOperator(A.shape[0], dtype=A.dtype, device=A.device)


class Jacobi(Preconditioner):
    """The inverse of the diagonal: M = diag(A)⁻¹. A zero on the diagonal counts as 1.

    Source: Saad, Iterative Methods for Sparse Linear Systems (2003), section 10.2.

    Example:
        >>> Jacobi().build(DiagonalOperator(torch.tensor([2.0, 0.0]))).diagonal()
        tensor([0.5000, 1.0000])
    """

    def build(self, A: LinearOperator) -> LinearOperator:
        diagonal = A.diagonal().to(A.dtype)
        return DiagonalOperator(torch.where(diagonal == 0, torch.ones_like(diagonal), diagonal).reciprocal())
