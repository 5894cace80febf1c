"""Operators made of operators: sums, products and multiples, each applied part by part."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.preconditioners import DiagonalOperator, IdentityOperator
from neuralpde.linalg.transposed import TransposedOperator
from neuralpde.types import UsageError


class SumOperator(LinearOperator):
    """y = A₁ x + A₂ x + …, which is what ``A + B`` makes.

    Args:
        parts: operators of one shape on one device; sums among them are opened.

    Raises:
        UsageError: for none, or for parts whose shapes or devices differ.

    Example:
        >>> from neuralpde.linalg import IdentityOperator, MatrixOperator
        >>> A = MatrixOperator([[0.0, 1.0], [1.0, 0.0]]) + IdentityOperator(2)
        >>> (A @ torch.tensor([1.0, 3.0])).tolist()
        [4.0, 4.0]
    """

    def __init__(self, parts: Sequence[LinearOperator]) -> None:
        self.parts = _opened(parts, SumOperator)
        for part in self.parts:
            if part.shape != self.parts[0].shape:
                raise UsageError(f"operators of shapes {self.parts[0].shape} and {part.shape} cannot be added")
        super().__init__(
            self.parts[0].shape,
            symmetric=all(part.symmetric for part in self.parts),
            dtype=_dtype(self.parts),
            device=_device(self.parts),
        )

    @property
    def positive_definite(self) -> bool:
        return all(part.positive_definite for part in self.parts)

    def matvec(self, x: Tensor) -> Tensor:
        return functools.reduce(torch.add, (part.matvec(x) for part in self.parts))

    def rmatvec(self, x: Tensor) -> Tensor:
        return functools.reduce(torch.add, (part.rmatvec(x) for part in self.parts))

    def diagonal(self) -> Tensor:
        return functools.reduce(torch.add, (part.diagonal() for part in self.parts))

    def to_csr(self) -> sp.csr_matrix:
        return sp.csr_matrix(functools.reduce(lambda total, part: total + part, (part.to_csr() for part in self.parts)))


class ProductOperator(LinearOperator):
    """y = A₁ A₂ … x, the last one first, which is what ``A @ B`` makes.

    Symmetry is seen where the factors read the same from behind: Bᵀ B, Bᵀ D B with a symmetric D, S S.

    Args:
        parts: operators on one device, each with as many columns as the next one has rows; products are opened.
        symmetric, positive_definite: claims, see :class:`LinearOperator`; ``None`` looks at the factors.

    Raises:
        UsageError: for none, or for parts whose shapes do not fit or whose devices differ.

    Example:
        >>> from neuralpde.linalg import MatrixOperator
        >>> B = MatrixOperator([[1.0, 1.0], [0.0, 1.0]])
        >>> (B.T @ B).symmetric, ((B.T @ B) @ torch.tensor([1.0, 0.0])).tolist()
        (True, [1.0, 1.0])
    """

    def __init__(
        self, parts: Sequence[LinearOperator], *, symmetric: bool | None = None, positive_definite: bool = False
    ) -> None:
        self.parts = _opened(parts, ProductOperator)
        for left, right in zip(self.parts, self.parts[1:], strict=False):
            if left.shape[1] != right.shape[0]:
                raise UsageError(
                    f"operators of shapes {left.shape} and {right.shape} cannot be multiplied: "
                    f"the left one needs {right.shape[0]} columns"
                )
        super().__init__(
            (self.parts[0].shape[0], self.parts[-1].shape[1]),
            positive_definite=positive_definite,
            dtype=_dtype(self.parts),
            device=_device(self.parts),
        )
        self._claimed_symmetric = symmetric

    @property
    def symmetric(self) -> bool:
        if self._claimed_symmetric is None:
            pairs = zip(self.parts, reversed(self.parts), strict=True)
            self._claimed_symmetric = all(_are_transposes(left, right) for left, right in pairs)
        return self._claimed_symmetric

    def matvec(self, x: Tensor) -> Tensor:
        return functools.reduce(lambda y, part: part.matvec(y), reversed(self.parts), x)

    def rmatvec(self, x: Tensor) -> Tensor:
        return functools.reduce(lambda y, part: part.rmatvec(y), self.parts, x)

    def to_csr(self) -> sp.csr_matrix:
        return sp.csr_matrix(functools.reduce(lambda total, part: total @ part, (part.to_csr() for part in self.parts)))


class ScaledOperator(LinearOperator):
    """y = c A x, which is what ``c * A`` makes.

    Args:
        factor: c, a number, or a tensor of one, through which gradients flow.
        operator: A.

    Example:
        >>> from neuralpde.linalg import IdentityOperator
        >>> (-2.0 * IdentityOperator(2)).diagonal()
        tensor([-2., -2.], dtype=torch.float64)
    """

    def __init__(self, factor: float | Tensor, operator: LinearOperator) -> None:
        super().__init__(operator.shape, dtype=operator.dtype, device=operator.device)
        self.factor = factor
        self.operator = operator

    @property
    def symmetric(self) -> bool:
        return self.operator.symmetric

    @property
    def positive_definite(self) -> bool:
        return float(self.factor) > 0.0 and self.operator.positive_definite

    def matvec(self, x: Tensor) -> Tensor:
        return self.factor * self.operator.matvec(x)

    def rmatvec(self, x: Tensor) -> Tensor:
        return self.factor * self.operator.rmatvec(x)

    def diagonal(self) -> Tensor:
        return self.factor * self.operator.diagonal()

    def to_csr(self) -> sp.csr_matrix:
        return sp.csr_matrix(float(self.factor) * self.operator.to_csr())


def number(value: Any) -> float | Tensor | None:
    """A real factor as it came, tensors of one number included; ``None`` for everything else."""
    if isinstance(value, Tensor):
        return value.reshape(()) if value.numel() == 1 and value.ndim == 0 and not value.is_complex() else None
    if hasattr(value, "ndim") and value.ndim != 0:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def diagonal_entries(operator: Any) -> Tensor | None:
    """Diagonal ``(n,)`` of an operator that is nothing else, multiples included; ``None`` for other operators."""
    if isinstance(operator, ScaledOperator):
        entries = diagonal_entries(operator.operator)
        return None if entries is None else operator.factor * entries
    return operator.diagonal() if isinstance(operator, DiagonalOperator | IdentityOperator) else None


def _opened(parts: Sequence[LinearOperator], kind: type[SumOperator] | type[ProductOperator]) -> list[LinearOperator]:
    if not parts:
        raise UsageError(f"{kind.__name__} needs at least one operator")
    return [inner for part in parts for inner in (part.parts if isinstance(part, kind) else [part])]


def _dtype(parts: Sequence[LinearOperator]) -> torch.dtype:
    return functools.reduce(torch.promote_types, (part.dtype for part in parts))


def _device(parts: Sequence[LinearOperator]) -> torch.device:
    for part in parts:
        if part.device != parts[0].device:
            raise UsageError(f"operators on {parts[0].device} and {part.device} cannot be combined: move one of them")
    return parts[0].device


def _are_transposes(left: LinearOperator, right: LinearOperator) -> bool:
    if left is right:
        return left.symmetric
    if isinstance(left, TransposedOperator):
        return left.operator is right
    return isinstance(right, TransposedOperator) and right.operator is left
