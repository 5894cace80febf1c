"""A product of two triangular inverses, the form that SSOR and incomplete Cholesky have in common."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuralpde.linalg.operators import LinearOperator

Floats = NDArray[np.floating[Any]]


class TriangularOperator(LinearOperator):
    """r → z = (E + U)⁻¹ S (E + L)⁻¹ r by two substitutions in compiled loops, on one core of the CPU in float64.

    Args:
        lower, upper: L and U, strictly triangular, ``(n, n)``; stored as they are, in float32 or float64.
        diagonal: E, shape ``(n,)``.
        middle: S, shape ``(n,)``; 1 by default.
        order: row i of the triangles belongs to unknown ``order[i]``; their own order by default.
        symmetric: whether U = Lᵀ.
        device: where r and z live.

    Source: Saad, Iterative Methods for Sparse Linear Systems (2003), section 10.2.

    Example:
        >>> strict = sp.csr_matrix([[0.0, 0.0], [1.0, 0.0]])
        >>> M = TriangularOperator(strict, strict.T.tocsr(), np.array([1.0, 2.0]))
        >>> (M @ torch.tensor([1.0, 5.0])).tolist()
        [0.0, 1.0]
    """

    def __init__(
        self,
        lower: sp.csr_matrix,
        upper: sp.csr_matrix,
        diagonal: Floats,
        *,
        middle: Floats | None = None,
        order: NDArray[np.int64] | None = None,
        symmetric: bool = True,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(lower.shape, symmetric=symmetric, positive_definite=symmetric, device=device)
        self._lower, self._upper, self._middle, self._order = _parts(lower), _parts(upper), middle, order
        self._stored = int(lower.nnz + upper.nnz)
        self._inverse = (1.0 / diagonal).astype(lower.dtype)

    @property
    def entries(self) -> int:
        """Numbers that one application reads."""
        return self._stored + 2 * self.shape[0]

    def matvec(self, x: Tensor) -> Tensor:
        from neuralpde.linalg._factor_loops import substitute, substitute_columns

        r = x.detach().cpu().to(torch.float64).numpy()
        r = r[self._order] if self._order is not None else r
        solve, z = substitute if r.ndim == 1 else substitute_columns, np.empty(r.shape)
        solve(*self._lower, self._inverse, np.ascontiguousarray(r), z, True)
        if self._middle is not None:
            z *= self._middle if r.ndim == 1 else self._middle[:, None]
        solve(*self._upper, self._inverse, z, z, False)
        if self._order is not None:
            placed = np.empty_like(z)
            placed[self._order] = z
            z = placed
        return torch.from_numpy(z).to(x)


def _parts(matrix: sp.csr_matrix) -> tuple[NDArray[np.uint32], NDArray[np.uint32], Floats]:
    """Pointers, columns and entries. Signed indices cost a test each, whether they count from the end, and with it the
    vector instructions: rows of 20 entries then take five times as long."""
    return matrix.indptr.astype(np.uint32), matrix.indices.astype(np.uint32), matrix.data
