"""Eigenvalues of many small symmetric matrices."""

from __future__ import annotations

import numpy as np
import scipy.linalg
import torch
from torch import Tensor

SLACK = 1e-12
"""Share of its largest entry by which a matrix may miss being positive definite and is left as it is."""


def eigenpairs(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues ``(n, k)`` in rising order and eigenvectors ``(n, k, k)``, in columns, of symmetric matrices.

    Each matrix is scaled to entries of size 1 first. Where LAPACK's divide and conquer does not converge, its QR
    iteration takes over, matrix by matrix. Of a matrix that is not finite all eigenvalues are NaN, and the
    eigenvectors are those of zero: nothing is raised.

    Args:
        matrices: ``(n, k, k)``.
    """
    size = matrices.abs().amax((-1, -2))
    finite = size.isfinite()
    scale = torch.where(finite & (size > 0), size, 1.0)
    scaled = torch.where(finite[:, None, None], matrices / scale[:, None, None], 0.0)
    try:
        values, vectors = torch.linalg.eigh(scaled)
    except torch.linalg.LinAlgError:
        values, vectors = _one_by_one(scaled)
    return torch.where(finite, scale, torch.nan)[:, None] * values, vectors


def _one_by_one(matrices: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues and eigenvectors by QR iteration."""
    found = [scipy.linalg.eigh(matrix, driver="ev") for matrix in matrices.cpu().double().numpy()]
    values, vectors = (np.stack(part) for part in zip(*found, strict=True))
    return torch.from_numpy(values).to(matrices), torch.from_numpy(vectors).to(matrices)


def positive_part(matrices: Tensor) -> Tensor:
    """The nearest positive semi-definite matrices to the symmetric parts of some: negative eigenvalues become zero.

    Most are definite, which Cholesky's factorisation tells at a fraction of the cost of their eigenvalues. Matrices
    that are not finite become NaN as a whole.

    Args:
        matrices: ``(…, k, k)``.

    Source: Higham, Linear Algebra Appl. 103 (1988).
    """
    k = matrices.shape[-1]
    flat = matrices.reshape(-1, k, k)
    flat = 0.5 * (flat + flat.mT)
    size = flat.diagonal(dim1=-2, dim2=-1).abs().amax(-1)
    slack = SLACK * size[:, None, None] * torch.eye(k, dtype=flat.dtype, device=flat.device)
    bad = torch.nonzero(torch.linalg.cholesky_ex(flat + slack).info)[:, 0]
    if len(bad):
        values, vectors = eigenpairs(flat[bad])
        flat = flat.index_copy(0, bad, (vectors * values.clamp(min=0)[:, None]) @ vectors.mT)
    return flat.reshape(matrices.shape)
