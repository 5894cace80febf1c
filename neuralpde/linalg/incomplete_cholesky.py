"""Incomplete Cholesky factors as a preconditioner: of the pattern of A or by a threshold, plain or modified."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from scipy.sparse.csgraph import reverse_cuthill_mckee

from neuralpde.linalg.checked import checked_csr, positive_diagonal
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.preconditioners import Preconditioner
from neuralpde.linalg.triangular import TriangularOperator
from neuralpde.types import UsageError

MODIFIED = 0.99
"""Share of what is dropped that goes to the diagonal, for M-matrices. With all of it coefficients that jump by 1e4 take
ten times the iterations; 0.97, the usual choice for pressures, takes a tenth to a quarter more than 0.99 at 256²."""

ASYMMETRY = 1e-6
"""Of the largest entry, up to which A counts as symmetric: matrices are assembled in single precision, too. Factors are
those of its upper triangle, and M is symmetric in any case."""

FIRST_SHIFT = 1e-3
"""Of the diagonal, where a pivot is not positive; doubled until all are."""


class IncompleteCholesky(Preconditioner):
    """M = (G Gᵀ)⁻¹ with G Gᵀ ≈ A, where G is the Cholesky factor of A but for entries that are dropped.

    Symmetric positive definite for every symmetric A with a positive diagonal: where a pivot is not positive the
    factors are those of A + α diag(A), with α = 1e-3, 2e-3, … until they exist. Empty rows count as rows of the
    identity. Factors and substitutions run on one core of the CPU in compiled loops, whatever the device of A.

    Iterations for Poisson's equation grow like N on a grid of N cells along an axis for plain factors, and like √N for
    modified ones with ω = 1, which keep the row sums of A; with ω a little less they do so up to N of about 1/(1 − ω),
    and survive coefficients that jump. Unknowns should be numbered along the grid, not at random.

    Args:
        drop: ``None`` keeps the entries where A has some, IC(0). A number keeps those with g_ij² ≥ drop² s_ii s_jj,
            where S is what is left of A at that column; good values are 1e-3 to 1e-2, 0 gives the whole factor.
        fill: with ``drop``, most entries of a column as a multiple of those of A; the largest stay.
        modified: share ω of dropped entries that is added to the diagonal, from 0 (IC) to 1 (MIC). ``None`` is 0.99 for
            matrices without positive entries off the diagonal, and 0 for others.
        ordering: ``"natural"``, or ``"rcm"`` for that of Cuthill and McKee, reversed: for unknowns in no good order.
        single: keep factors in float32, which is half of the memory that a solve reads; sums are in float64.

    Raises:
        UsageError: for options out of range; from ``build`` when A is not square or not symmetric, holds NaN, or has a
            diagonal entry that is not positive in a row that is not empty.

    Source: Meijerink and van der Vorst, Math. Comput. 31 (1977); Gustafsson, BIT 18 (1978) (modified factors);
    Manteuffel, Math. Comput. 34 (1980) (shift); Saad, Iterative Methods for Sparse Linear Systems (2003), chapter 10.

    Example:
        >>> from neuralpde.linalg import MatrixOperator
        >>> M = IncompleteCholesky().build(MatrixOperator([[4.0, -2.0], [-2.0, 5.0]]))  # nothing to drop: exact
        >>> [round(z, 12) for z in (M @ torch.tensor([2.0, 3.0], dtype=torch.float64)).tolist()]
        [1.0, 1.0]
    """

    def __init__(
        self,
        *,
        drop: float | None = None,
        fill: float = 10.0,
        modified: float | None = None,
        ordering: str = "natural",
        single: bool = False,
    ) -> None:
        if drop is not None and not 0.0 <= drop < 1.0:
            raise UsageError(f"drop must be None or in [0, 1), got {drop}")
        if not fill >= 0.0:
            raise UsageError(f"fill must be ≥ 0, got {fill}")
        if modified is not None and not 0.0 <= modified <= 1.0:
            raise UsageError(f"modified must be None or in [0, 1], got {modified}")
        if ordering not in ("natural", "rcm"):
            raise UsageError(f"the orderings are 'natural' and 'rcm'; got {ordering!r}.")
        self.drop, self.fill, self.modified = drop, fill, modified
        self.ordering, self.single = ordering, single

    def build(self, A: LinearOperator) -> CholeskyFactors:
        csr = checked_csr(A, "incomplete Cholesky")
        if not A.symmetric and csr.nnz and abs(csr - csr.T).max() > ASYMMETRY * abs(csr).max():
            raise UsageError("incomplete Cholesky needs a symmetric matrix; for others take 'ssor' or 'jacobi'")
        root = np.sqrt(positive_diagonal(csr, "incomplete Cholesky"))
        order = None
        if self.ordering == "rcm":
            order = np.asarray(reverse_cuthill_mckee(csr, symmetric_mode=True), dtype=np.int64)
            csr, root = csr[order][:, order], root[order]
        upper = sp.triu(csr, 1, format="csr")
        upper.sort_indices()
        rows = np.repeat(np.arange(len(root)), np.diff(upper.indptr))
        upper.data /= root[rows] * root[upper.indices]
        factor, diagonal, shift = self._factor(upper, root)
        scaled = factor.multiply(root).tocsr() if factor.nnz else factor
        return CholeskyFactors(_cast(scaled, self.single), diagonal * root, shift, order, A.device)

    def _factor(
        self, upper: sp.csr_matrix, root: NDArray[np.float64]
    ) -> tuple[sp.csr_matrix, NDArray[np.float64], float]:
        """The strict part of Gᵀ, the diagonal of G, and the shift, for A with the diagonal 1."""
        from neuralpde.linalg._factor_loops import factorise

        modified = self.modified
        if modified is None:
            modified = MODIFIED if not (upper.data > 0.0).any() else 0.0
        shift, drop = 0.0, -1.0 if self.drop is None else self.drop
        columns, pointers = upper.indices.astype(np.int32), upper.indptr.astype(np.int64)
        while True:
            options = (shift, drop, self.fill, modified)
            failed, *parts, diagonal = factorise(pointers, columns, upper.data, root, *options)
            if failed < 0:
                starts, rows, entries = parts
                return sp.csr_matrix((entries, rows, starts), shape=upper.shape), diagonal, shift
            shift = max(2.0 * shift, FIRST_SHIFT)


class CholeskyFactors(TriangularOperator):
    """r → (G Gᵀ)⁻¹ r; what :meth:`IncompleteCholesky.build` returns.

    Args:
        upper: the strict upper triangle of Gᵀ.
        diagonal: of G.
        shift: α, what was added to the diagonal of A, over that diagonal; 0 where no pivot asked for it.
        order: of the unknowns.
        device: where r and z live.
    """

    def __init__(
        self,
        upper: sp.csr_matrix,
        diagonal: NDArray[np.float64],
        shift: float,
        order: NDArray[np.int64] | None,
        device: torch.device | str,
    ) -> None:
        super().__init__(upper.T.tocsr(), upper, diagonal, order=order, device=device)
        self.shift = shift


def _cast(matrix: sp.csr_matrix, single: bool) -> sp.csr_matrix:
    """With 32-bit indices, which the loops are compiled for, and in float32 where that is asked for."""
    matrix.indices, matrix.indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    return matrix.astype(np.float32) if single else matrix
