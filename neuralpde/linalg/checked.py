"""What preconditioners that look at the entries of a matrix ask of it."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neuralpde.linalg.matrix import MatrixOperator
from neuralpde.linalg.operators import LinearOperator
from neuralpde.types import UsageError


def checked_csr(A: LinearOperator, name: str) -> sp.csr_matrix:
    """A as a canonical float64 matrix without stored zeros; the operator's own entries stay as they are.

    Args:
        A: shape ``(n, n)``.
        name: of the preconditioner, for messages.

    Raises:
        UsageError: when A is not square, or holds NaN or Inf.
    """
    if A.shape[0] != A.shape[1]:
        raise UsageError(f"{name} needs a square matrix, got shape {A.shape}")
    csr = sp.csr_matrix(A.to_csr(), dtype=np.float64)
    if not csr.has_canonical_format or not csr.data.all():  # what follows may not change the operator's own entries
        csr = csr.copy()
    bad = int((~np.isfinite(csr.data)).sum())
    if bad:
        raise UsageError(f"{name} got a matrix with {bad} NaN or Inf among {csr.nnz} entries")
    csr.sum_duplicates()
    csr.eliminate_zeros()
    return csr


def refuse_diagonal(diagonal: NDArray[np.float64], coupled: NDArray[np.int64], name: str) -> None:
    """Refuse a diagonal that is not positive in the rows ``coupled``.

    Raises:
        UsageError: which names the worst entry.
    """
    if (diagonal[coupled] <= 0.0).any():
        row = int(coupled[np.argmin(diagonal[coupled])])
        raise UsageError(
            f"{name} needs a positive diagonal, but entry {row} is {diagonal[row]:.3g}; "
            "pass −A and −b if A is negative definite (a Laplacian instead of −Δ)"
        )


def positive_diagonal(csr: sp.csr_matrix, name: str) -> NDArray[np.float64]:
    """The diagonal, with 1 in empty rows.

    Raises:
        UsageError: when it is not positive in another row.
    """
    diagonal = np.asarray(csr.diagonal())
    diagonal[np.diff(csr.indptr) == 0] = 1.0
    refuse_diagonal(diagonal, np.arange(len(diagonal)), name)
    return diagonal


def looks_symmetric(A: LinearOperator, csr: sp.csr_matrix) -> bool:
    """Whether A = Aᵀ, by its claim or by its entries."""
    return bool(A.symmetric or MatrixOperator(csr).symmetric)
