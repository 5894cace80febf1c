"""Preconditioners: objects that look at A once and return an operator that approximates A⁻¹."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
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


class BlockDiagonalOperator(LinearOperator):
    """y = D x with square blocks on the diagonal: each holds unknowns that follow each other.

    Args:
        blocks: shape ``(n / b, b, b)``, float32 or float64.
        symmetric, positive_definite: of every block.

    Example:
        >>> (BlockDiagonalOperator(torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])) @ torch.tensor([1.0, 2.0])).tolist()
        [2.0, 1.0]
    """

    def __init__(self, blocks: Tensor, *, symmetric: bool = False, positive_definite: bool = False) -> None:
        if blocks.ndim != 3 or blocks.shape[1] != blocks.shape[2]:
            raise UsageError(f"blocks have shape (n / b, b, b), got {tuple(blocks.shape)}")
        n = blocks.shape[0] * blocks.shape[1]
        super().__init__(
            (n, n),
            symmetric=symmetric,
            positive_definite=positive_definite,
            dtype=blocks.dtype,
            device=blocks.device,
        )
        self.blocks = blocks

    def matvec(self, x: Tensor) -> Tensor:
        dtype = torch.promote_types(self.dtype, x.dtype)
        rows = x.to(dtype).reshape(self.blocks.shape[0], self.blocks.shape[1], -1)
        return torch.bmm(self.blocks.to(dtype), rows).reshape(x.shape)

    def diagonal(self) -> Tensor:
        return self.blocks.diagonal(dim1=1, dim2=2).reshape(-1).clone()


class Jacobi(Preconditioner):
    """The inverse of the diagonal: M = diag(A)⁻¹. A zero on the diagonal counts as 1.

    Args:
        block: unknowns of a node, which follow each other: M is then the inverse of the diagonal blocks of A. A block
            that has none is replaced by its diagonal.

    Raises:
        UsageError: for ``block`` below 1; from ``build`` when n is no multiple of it.

    Source: Saad, Iterative Methods for Sparse Linear Systems (2003), section 10.2.

    Example:
        >>> Jacobi().build(DiagonalOperator(torch.tensor([2.0, 0.0]))).diagonal()
        tensor([0.5000, 1.0000])
    """

    def __init__(self, block: int = 1) -> None:
        if block < 1:
            raise UsageError(f"block must be ≥ 1, got {block}")
        self.block = block

    def build(self, A: LinearOperator) -> LinearOperator:
        diagonal = A.diagonal().to(A.dtype)
        inverse = torch.where(diagonal == 0, torch.ones_like(diagonal), diagonal).reciprocal()
        return DiagonalOperator(inverse) if self.block == 1 else _block_inverses(A, self.block, inverse)


def _block_inverses(A: LinearOperator, b: int, inverse: Tensor) -> BlockDiagonalOperator:
    if A.shape[0] % b:
        raise UsageError(f"blocks of {b} unknowns do not divide the {A.shape[0]} of A")
    coo = A.to_csr().tocoo()
    inside = coo.row // b == coo.col // b
    row, column = coo.row[inside], coo.col[inside]
    blocks = np.zeros((A.shape[0] // b, b, b))
    np.add.at(blocks, (row // b, row % b, column % b), coo.data[inside].astype(np.float64))
    found, info = torch.linalg.inv_ex(torch.from_numpy(blocks))
    ok = (info == 0) & torch.isfinite(found).all(-1).all(-1)
    made = torch.where(ok[:, None, None], found, torch.diag_embed(inverse.cpu().double().reshape(-1, b)))
    symmetric = bool(A.symmetric)
    if symmetric:
        made = 0.5 * (made + made.mT)
    definite = symmetric and bool((torch.linalg.eigvalsh(made) > 0.0).all())
    return BlockDiagonalOperator(made.to(A.device, A.dtype), symmetric=symmetric, positive_definite=definite)
