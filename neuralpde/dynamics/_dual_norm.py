"""The norm of linear functionals: how large a weak residual is, measured as large as the error behind it."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import splu
from torch import Tensor

from neuralpde.types import UsageError


class DualNorm:
    """|r|² = rᵀ G⁻¹ r of functionals r on the space whose Gram matrix is G, by G = L D Lᵀ: r ↦ D^(-1/2) L⁻¹ r.

    With the stiffness matrix for G it is the H⁻¹ norm: |r| is then the energy norm of the error's projection, and a
    least-squares problem for r is conditioned as one for the error in that norm.

    Args:
        gram: symmetric positive definite, ``(N, N)``.

    Raises:
        UsageError: if it is not positive definite.

    Source: Rojas, Maczuga, Muñoz-Matute, Pardo & Paszyński, Robust variational physics-informed neural networks,
    Comput. Methods Appl. Mech. Engrg. 425 (2024).
    """

    def __init__(self, gram: sp.csr_matrix) -> None:
        options = {"SymmetricMode": True}
        found = splu(gram.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
        pivots = found.U.diagonal()
        if not (pivots > 0).all() or not np.array_equal(found.perm_r, found.perm_c):
            raise UsageError("the norm of weak residuals needs a positive definite matrix; this one is not.")
        self._order, self._root = found.perm_r, np.sqrt(pivots)
        # triangular solves with many right-hand sides: SuperLU's own on L are those of splu(L)
        self._lower = splu(found.L.tocsc(), permc_spec="NATURAL", diag_pivot_thresh=0.0, options=options)

    def whiten(self, functionals: np.ndarray) -> Tensor:
        """D^(-1/2) L⁻¹ of the columns of ``(N, m)``: their Euclidean norms are the dual norms."""
        ordered = np.empty_like(functionals)
        ordered[self._order] = functionals
        return torch.from_numpy(self._lower.solve(ordered) / self._root[:, None])
