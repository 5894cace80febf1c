"""Sparse factors of A as its preconditioner: exact, and as good for matrices nearby."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse.linalg import SuperLU, splu
from torch import Tensor

from neuralpde.linalg.checked import checked_csr, looks_symmetric
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.preconditioners import Preconditioner
from neuralpde.linalg.symmetric_lu import positive_definite, symmetric_lu
from neuralpde.types import UsageError

LARGEST = 300_000
"""Unknowns up to which factors are made: in 2D they take seconds then, in 3D minutes and most of the memory."""


class Direct(Preconditioner):
    """M = A⁻¹ by sparse LU factors in float64 on the CPU.

    One iteration where A is the matrix of the factors; a few for those of a next step of Newton's or a march's, whose
    factors would cost as much as some twenty substitutions.

    Args:
        limit: most unknowns. 3D systems of more than 20,000 are faster with ``"amg"``, 2D ones of more than 300,000.

    Raises:
        UsageError: from ``build`` when A is not square, holds NaN, is singular, or has more unknowns than ``limit``.

    Source: Li, An overview of SuperLU, ACM Trans. Math. Softw. 31 (2005).

    Example:
        >>> from neuralpde.linalg import MatrixOperator
        >>> (Direct().build(MatrixOperator([[2.0, 0.0], [0.0, 4.0]])) @ torch.tensor([2.0, 2.0])).tolist()
        [1.0, 0.5]
    """

    def __init__(self, *, limit: int = LARGEST) -> None:
        self.limit = limit

    def build(self, A: LinearOperator) -> LinearOperator:
        if A.shape[0] > self.limit:
            raise UsageError(
                f"sparse factors of {A.shape[0]} unknowns may not fit into memory, and the limit is {self.limit}: "
                "take 'amg' or 'multigrid', or Direct(limit=...)"
            )
        csr = checked_csr(A, "a direct preconditioner")
        symmetric = looks_symmetric(A, csr)
        try:
            factors = symmetric_lu(csr) if symmetric else splu(csr.tocsc())
        except RuntimeError as error:
            raise UsageError(
                f"a direct preconditioner needs a regular matrix, and this one has none: {error}"
            ) from error
        return FactorOperator(factors, symmetric, A.device)


class FactorOperator(LinearOperator):
    """r → (L U)⁻¹ r; what :meth:`Direct.build` returns."""

    def __init__(self, factors: SuperLU, symmetric: bool, device: torch.device) -> None:
        definite = symmetric and positive_definite(factors)
        super().__init__(factors.shape, symmetric=symmetric, positive_definite=definite, device=device)
        self.factors = factors

    def matvec(self, x: Tensor) -> Tensor:
        return self._solve(x, "N")

    def rmatvec(self, x: Tensor) -> Tensor:
        return self._solve(x, "T")

    def _solve(self, x: Tensor, transposed: str) -> Tensor:
        r = x.detach().cpu().double().numpy()
        return torch.from_numpy(np.ascontiguousarray(self.factors.solve(r, transposed))).to(x)
