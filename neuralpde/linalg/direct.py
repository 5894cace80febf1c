"""Direct solves: factorise once, then every cycle is a substitution that the caller refines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import SuperLU, splu
from torch import Tensor

from neuralpde.linalg.cycle import Cycle, Kernel, Steps, at_once
from neuralpde.linalg.guard import Guard
from neuralpde.linalg.matrix import MatrixOperator
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.watch import Watch
from neuralpde.types import Status

_SHIFT = 1e-8


def direct(A: LinearOperator) -> Kernel:
    """A kernel that solves A y = r by LU factors in float64.

    A dense :class:`MatrixOperator` is factorised by ``torch.linalg.lu_factor`` on its device, everything else by
    SuperLU on the CPU through ``A.to_csr()``.

    Where A is singular to the last bit y = S A S r with S = (A + δ I)⁻¹, δ = 1e-8 max |a_ij|: parts of r in the range
    of A, with eigenvalues λ, go down to some 2 δ/λ of their size, and those in its null space stay out of y.

    Returns:
        The kernel. Its status is NON_FINITE when A holds NaN, and BREAKDOWN when A + δ I is singular too.

    Raises:
        UsageError: when A is too large for ``to_csr``.
    """
    dense = isinstance(A, MatrixOperator) and not A.is_sparse
    factors = _dense_factors(A.matrix) if dense and isinstance(A, MatrixOperator) else _sparse_factors(A)

    def kernel(A: LinearOperator, guard: Guard, r: Tensor, tol: float, maxiter: int, watch: Watch) -> Steps:
        r = r.to(torch.float64)
        if isinstance(factors, Status):
            return at_once(Cycle(torch.zeros_like(r), 0, factors))
        y = factors(r)
        # Near overflow the product below may be NaN; the caller sees that in the true residual.
        watch.record(float(torch.linalg.vector_norm(r - A.matvec(y).to(r.dtype))))
        return at_once(Cycle(y, 1, Status.CONVERGED_RTOL))

    return kernel


def _dense_factors(matrix: Tensor) -> Callable[[Tensor], Tensor] | Status:
    if not bool(torch.isfinite(matrix).all()):
        return Status.NON_FINITE
    wide = matrix.detach().to(torch.float64)
    lu, pivots, info = torch.linalg.lu_factor_ex(wide)
    if int(info) != 0:
        shift = _SHIFT * wide.abs().max() * torch.eye(len(wide), dtype=wide.dtype, device=wide.device)
        lu, pivots, failed = torch.linalg.lu_factor_ex(wide + shift)
        if int(failed) != 0:
            return Status.BREAKDOWN

    def substitute(r: Tensor) -> Tensor:
        return torch.linalg.lu_solve(lu, pivots, r[:, None])[:, 0]

    return substitute if int(info) == 0 else lambda r: substitute(wide @ substitute(r))


def _sparse_factors(A: LinearOperator) -> Callable[[Tensor], Tensor] | Status:
    csc = A.to_csr().astype(np.float64).tocsc()
    if not np.isfinite(csc.data).all():
        return Status.NON_FINITE
    exact = factors = _superlu(csc)
    if factors is None and csc.nnz:
        factors = _superlu(csc + _SHIFT * abs(csc).max() * sp.identity(csc.shape[0], format="csc"))
    if factors is None:
        return Status.BREAKDOWN

    def substitute(r: Tensor) -> Tensor:
        y = factors.solve(r.cpu().numpy())
        return torch.from_numpy(y if exact is not None else factors.solve(csc @ y)).to(r.device)

    return substitute


def _superlu(csc: sp.csc_matrix) -> SuperLU | None:
    """LU factors, or ``None`` where a pivot is exactly zero."""
    try:
        return splu(csc.tocsc())
    except RuntimeError as error:
        if "singular" not in str(error):
            raise
        return None
