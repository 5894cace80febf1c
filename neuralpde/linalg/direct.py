"""Direct solves: factorise once, then every cycle is a substitution that the caller refines."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.sparse.linalg import splu
from torch import Tensor

from neuralpde.linalg.cycle import Cycle, Kernel, Steps, at_once
from neuralpde.linalg.guard import Guard
from neuralpde.linalg.matrix import MatrixOperator
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.watch import Watch
from neuralpde.types import Status


def direct(A: LinearOperator) -> Kernel:
    """A kernel that solves A y = r by LU factors in float64.

    A dense :class:`MatrixOperator` is factorised by ``torch.linalg.lu_factor`` on its device, everything else by
    SuperLU on the CPU through ``A.to_csr()``.

    Returns:
        The kernel. When A is singular to the last bit its status is BREAKDOWN, when A holds NaN it is NON_FINITE.

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
    lu, pivots, info = torch.linalg.lu_factor_ex(matrix.to(torch.float64))
    if int(info) != 0:
        return Status.BREAKDOWN
    return lambda r: torch.linalg.lu_solve(lu, pivots, r[:, None])[:, 0]


def _sparse_factors(A: LinearOperator) -> Callable[[Tensor], Tensor] | Status:
    csc = A.to_csr().astype(np.float64).tocsc()
    if not np.isfinite(csc.data).all():
        return Status.NON_FINITE
    try:
        factors = splu(csc)
    except RuntimeError as error:
        if "singular" not in str(error):
            raise
        return Status.BREAKDOWN
    return lambda r: torch.from_numpy(factors.solve(r.cpu().numpy())).to(r.device)
