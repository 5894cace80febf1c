"""What a matrix from somebody's script is: its entries, its sign, and the unknowns that its rows fix."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neuralpde.types import UsageError

Signs = float | NDArray[np.float64]
"""One sign for all rows, or one for each."""


def entries(A: Any) -> sp.csr_matrix:
    """A as a square float64 matrix in canonical CSR form without stored zeros; A itself stays as it is.

    Args:
        A: SciPy sparse matrix or array of any format, or a dense NumPy array; booleans, integers or real floats.

    Raises:
        UsageError: for anything else, a matrix that is not square, complex entries, NaN or Inf.
    """
    if not (sp.issparse(A) or isinstance(A, np.ndarray)):
        raise UsageError(
            f"A must be a SciPy sparse matrix or a NumPy array, got {type(A).__name__}: its entries are needed, so "
            "assemble the matrix, for instance with scipy.sparse.diags or kron"
        )
    if A.ndim != 2 or A.shape[0] != A.shape[1]:
        raise UsageError(f"A must be square, one row and one column for each unknown, but it has shape {A.shape}")
    if not (np.issubdtype(A.dtype, np.number) or A.dtype == bool) or np.issubdtype(A.dtype, np.complexfloating):
        raise UsageError(
            f"A must hold real numbers, but its dtype is {A.dtype}; for complex numbers solve the real system "
            "[[Re A, -Im A], [Im A, Re A]]"
        )
    csr = sp.csr_matrix(A if sp.issparse(A) else A.astype(np.float64))
    csr = csr.astype(np.float64)  # a copy: what follows may change it
    csr.sum_duplicates()
    csr.eliminate_zeros()
    bad = int((~np.isfinite(csr.data)).sum())
    if bad:
        raise UsageError(f"A holds {bad} NaN or Inf among {csr.nnz} entries: look at how it was assembled")
    return csr


def signs(csr: sp.csr_matrix) -> Signs:
    """s with diag(s) A of positive diagonal, where A falls into definite parts; 1 where A has it as it is.

    A Laplacian with −4 on its diagonal, as most scripts write it, has s = −1. Solid cells, whose rows hold a diagonal
    alone, may have the other sign: no entry joins them with the rest, so diag(s) A is as symmetric as A. Where one
    does, the signs of the diagonal say nothing about A and 1 is returned.
    """
    diagonal = csr.diagonal()
    negative = diagonal < 0.0
    if not negative.any():
        return 1.0
    if negative.all():
        return -1.0
    s = np.where(negative, -1.0, 1.0)
    return s if np.array_equal(s[csr.indices], np.repeat(s, np.diff(csr.indptr))) else 1.0


def scaled(csr: sp.csr_matrix, s: Signs) -> sp.csr_matrix:
    """diag(s) A."""
    if isinstance(s, float):
        return csr if s == 1.0 else -csr
    return sp.csr_matrix((csr.data * np.repeat(s, np.diff(csr.indptr)), csr.indices, csr.indptr), shape=csr.shape)


def fixed_unknowns(csr: sp.csr_matrix) -> NDArray[np.intp]:
    """Rows with nothing but a diagonal, whose columns other rows still use: a_ii x_i = b_i gives x_i at once.

    Scripts write them to hold a pressure (``A[0] = 0``, ``A[0, 0] = 1``) or the values on a boundary. They make A
    non-symmetric.
    """
    lone = (np.diff(csr.indptr) == 1) & (csr.diagonal() != 0.0)
    used = np.bincount(csr.indices, minlength=csr.shape[0]) > 1
    return np.flatnonzero(lone & used)


def without_columns(csr: sp.csr_matrix, fixed: NDArray[np.intp]) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """A with zeros in the columns of ``fixed`` but for their diagonal, and what was taken out: A = first + second."""
    chosen = np.zeros(csr.shape[0], dtype=bool)
    chosen[fixed] = True
    rows = np.repeat(np.arange(csr.shape[0]), np.diff(csr.indptr))
    out = chosen[csr.indices] & (rows != csr.indices)
    kept, taken = csr.copy(), csr.copy()
    kept.data[out], taken.data[~out] = 0.0, 0.0
    kept.eliminate_zeros()
    taken.eliminate_zeros()
    return kept, taken


def likely_grid(csr: sp.csr_matrix) -> tuple[int, ...] | None:
    """The grid whose 3-, 5- or 7-point stencil has the diagonals of A, if there is one."""
    n = csr.shape[0]
    rows = np.repeat(np.arange(n), np.diff(csr.indptr))
    steps = [int(step) for step in np.unique(np.abs(csr.indices - rows)) if step]
    if not steps or steps[0] != 1 or len(steps) > 3:
        return None
    lengths = [*steps, n]
    if any(long % short for short, long in pairwise(lengths)):
        return None
    return tuple(long // short for short, long in pairwise(lengths))[::-1]


def refuse_fixed(csr: sp.csr_matrix) -> None:
    """Refuse rows that fix an unknown whose column is still in use.

    Raises:
        UsageError: which says how to write them.
    """
    fixed = fixed_unknowns(csr)
    if fixed.size:
        i = int(fixed[0])
        more = f" (and {fixed.size - 1} more)" if fixed.size > 1 else ""
        raise UsageError(
            f"row {i} of A{more} fixes an unknown: it holds its diagonal alone, but column {i} is still in use, so A "
            f"is not symmetric. Move the known value to the right-hand side: b -= A[:, {i}] * value, b[{i}] = value, "
            f"and set column {i} to 0 but for the diagonal; or call neuralpde.plugins.scipy.solve(A, b, shape=...), "
            "which does that for you. A pressure need not be fixed at all: pure Neumann problems are welcome"
        )
