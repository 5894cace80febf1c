"""The transpose of an operator, as an operator."""

from __future__ import annotations

import scipy.sparse as sp
from torch import Tensor

from neuralpde.linalg.operators import LinearOperator


class TransposedOperator(LinearOperator):
    """y = Aᵀ x, which is what ``A.T`` makes.

    Args:
        operator: A, which needs ``rmatvec``.

    Example:
        >>> from neuralpde.linalg import MatrixOperator
        >>> import torch
        >>> (MatrixOperator([[1.0, 2.0, 3.0]]).T @ torch.ones(1)).tolist()
        [1.0, 2.0, 3.0]
    """

    def __init__(self, operator: LinearOperator) -> None:
        super().__init__((operator.shape[1], operator.shape[0]), dtype=operator.dtype, device=operator.device)
        self.operator = operator

    @property
    def symmetric(self) -> bool:
        return self.operator.symmetric

    @property
    def positive_definite(self) -> bool:
        return self.operator.positive_definite

    @property
    def T(self) -> LinearOperator:
        return self.operator

    def matvec(self, x: Tensor) -> Tensor:
        return self.operator.rmatvec(x)

    def rmatvec(self, x: Tensor) -> Tensor:
        return self.operator.matvec(x)

    def diagonal(self) -> Tensor:
        return self.operator.diagonal()

    def to_csr(self) -> sp.csr_matrix:
        return sp.csr_matrix(self.operator.to_csr().T)
