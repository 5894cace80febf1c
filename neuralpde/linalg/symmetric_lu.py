"""Sparse LU factors of symmetric matrices, and whether these are positive definite."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import SuperLU, splu

PIVOT = 1e-13
"""Least pivot over the largest one of a matrix that counts as positive definite."""


def symmetric_lu(matrix: sp.spmatrix) -> SuperLU:
    """LU factors of a sparse matrix with a symmetric pattern, in float64.

    An ordering for A + Aᵀ with pivots on the diagonal, where these are not tiny, has half of the fill of one for
    general matrices.

    Raises:
        RuntimeError: SuperLU's, where the matrix is singular.
    """
    return splu(
        matrix.tocsc().astype(np.float64),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.01,
        options={"SymmetricMode": True},
    )


def positive_definite(factors: SuperLU) -> bool:
    """Whether the symmetric matrix of :func:`symmetric_lu` is positive definite, by Sylvester's law of inertia: all of
    its pivots are positive, and stood on the diagonal."""
    pivoted = not np.array_equal(factors.perm_r, factors.perm_c)
    pivots = factors.U.diagonal()
    return not pivoted and bool((pivots > PIVOT * pivots.max()).all())
