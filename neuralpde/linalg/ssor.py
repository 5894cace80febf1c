"""Symmetric successive over-relaxation as a preconditioner."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from neuralpde.linalg.checked import checked_csr, looks_symmetric, positive_diagonal
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.preconditioners import Preconditioner
from neuralpde.linalg.triangular import TriangularOperator
from neuralpde.types import UsageError


class SSOR(Preconditioner):
    """M = ω (2 − ω) (D + ωU)⁻¹ D (D + ωL)⁻¹ with A = L + D + U: a sweep forwards and one backwards.

    For symmetric A with a positive diagonal M is symmetric positive definite; other A serve GMRES. Empty rows count as
    rows of the identity. It works on one core of the CPU, whatever the device of A, and keeps a copy of A.

    Args:
        omega: relaxation, between 0 and 2. 1 is symmetric Gauss–Seidel, never far from the best; on a grid of N cells
            along an axis the best is near 2 / (1 + 2 sin(π / 2N)), and takes O(√N) iterations of CG where ω = 1
            takes O(N).
        single: keep entries in float32, which is half of the memory that a sweep reads; sums are in float64.

    Raises:
        UsageError: for omega outside (0, 2); from ``build`` when A is not square, holds NaN, or has a diagonal entry
            that is not positive in a row that is not empty.

    Source: Saad, Iterative Methods for Sparse Linear Systems (2003), section 10.2; Axelsson, Iterative Solution Methods
    (1994), section 7.4.

    Example:
        >>> import torch
        >>> from neuralpde.linalg import MatrixOperator
        >>> M = SSOR().build(MatrixOperator([[2.0, -1.0], [-1.0, 2.0]]))
        >>> (M @ torch.tensor([2.0, 0.0])).tolist()
        [1.25, 0.5]
    """

    def __init__(self, omega: float = 1.0, *, single: bool = False) -> None:
        if not 0.0 < omega < 2.0:
            raise UsageError(f"SSOR needs 0 < omega < 2, got {omega}")
        self.omega, self.single = float(omega), single

    def build(self, A: LinearOperator) -> LinearOperator:
        csr = checked_csr(A, "SSOR")
        diagonal = positive_diagonal(csr, "SSOR")
        scaled = self.omega * csr
        if self.single:
            scaled = scaled.astype(np.float32)
        return TriangularOperator(
            sp.tril(scaled, -1, format="csr"),
            sp.triu(scaled, 1, format="csr"),
            diagonal,
            middle=self.omega * (2.0 - self.omega) * diagonal,
            symmetric=looks_symmetric(A, csr),
            device=A.device,
        )
