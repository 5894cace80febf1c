"""Flexible preconditioned conjugate gradients: one run of the recurrence."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neuralpde.linalg.cycle import Cycle, Record
from neuralpde.linalg.guard import Guard
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.vectors import Vectors
from neuralpde.types import Status

_WINDOW = 25
_PROGRESS = 0.1


def cg(A: LinearOperator, guard: Guard, r: Tensor, tol: float, maxiter: int, record: Record) -> Cycle:
    """Solve A y = r, from y = 0, for symmetric positive definite A.

    With z = M r and q = A p, each iteration takes the exact line search along p, which lowers the A-norm of the error
    for any p at all::

        α = rᵀz / pᵀq,   y ← y + α p,   r ← r − α q,   β = −zᵀq / pᵀq,   p ← z + β p

    This β equals the Polak–Ribière form zᵀ(r − r_old) / (rᵀz)_old. It keeps pᵀA p_old = 0 when M changes between calls
    or is not linear; the Fletcher–Reeves β of SciPy and PyAMG does not, and stalls.

    Args:
        A: shape ``(n, n)``.
        guard: the preconditioner.
        r: right-hand side of norm 1, shape ``(n,)``, in the dtype of the recurrence; not changed.
        tol: stop when the recurrence's ‖r‖ is at most this.
        maxiter: most iterations.
        record: called with ‖r‖ once an iteration.

    Returns:
        A :class:`Cycle` with status CONVERGED_RTOL, MAXITER, PRECONDITIONER_FAILED, INDEFINITE_PRECONDITIONER
        (rᵀz ≤ 0), INDEFINITE_MATRIX (pᵀq ≤ 0, or a step so long that A is singular along p), STAGNATED (a
        preconditioner of the user gains less than a tenth of what plain steepest descent would), BREAKDOWN (the
        residual explodes: A is not symmetric) or NON_FINITE.

    Source: Notay, Flexible conjugate gradients, SIAM J. Sci. Comput. 22 (2000), algorithm FCG(1).
    """
    y = torch.zeros_like(r, dtype=torch.float64)
    z = guard.apply(r)
    if z is None:
        return Cycle(y, 0, Status.PRECONDITIONER_FAILED)
    r, p = r.clone(), z.to(r.dtype, copy=True)  # z may be r itself
    vectors, q = Vectors(r), None
    rz = vectors.dot(r, p)
    steepest, gained = 0.0, 0.0
    longest = 1.0 / torch.finfo(r.dtype).eps  # ‖r‖ ≤ √cond(A) in theory: beyond this A is not symmetric
    for k in range(maxiter):
        q, pq = vectors.product(A, p, q)
        fault = _fault(rz, pq, steepest, r)
        if fault is not None:
            return Cycle(y, k, fault)
        alpha = rz / pq
        steepest = max(steepest, 1.0 / alpha)
        size = math.sqrt(vectors.step(y, r, p, q, alpha))
        record(size)
        if size <= tol:
            return Cycle(y, k + 1, Status.CONVERGED_RTOL)
        if not size < longest:
            return Cycle(y, k + 1, Status.BREAKDOWN)
        gained += alpha * rz
        if (k + 1) % _WINDOW == 0 and not guard.classical:
            if gained / _WINDOW < _PROGRESS * _steepest_descent_gain(A, r):
                return Cycle(y, k + 1, Status.STAGNATED)
            gained = 0.0
        z = guard.apply(r)
        if z is None:
            return Cycle(y, k + 1, Status.PRECONDITIONER_FAILED)
        zq, rz = vectors.dots(z, q, r)
        vectors.direction(p, z, -zq / pq)
    return Cycle(y, maxiter, Status.MAXITER)


def _fault(rz: float, pq: float, steepest: float, r: Tensor) -> Status | None:
    """What forbids the step α = rz / pq, if anything."""
    if not (math.isfinite(rz) and math.isfinite(pq)):
        return Status.NON_FINITE
    if rz <= 0.0:
        return Status.INDEFINITE_PRECONDITIONER
    # 1/α lies between the extreme eigenvalues of M A. One that is smaller than rounding against an earlier one means
    # that p is a null vector of A: a positive pᵀq is then noise, and the step would be of size 1/eps.
    floor = torch.finfo(r.dtype).eps / math.sqrt(r.numel()) * steepest * rz
    return Status.INDEFINITE_MATRIX if pq <= floor else None


def _steepest_descent_gain(A: LinearOperator, r: Tensor) -> float:
    """Twice the energy that one step along r itself would gain: (rᵀr)² / rᵀA r."""
    curvature = float(torch.dot(r, A.matvec(r).to(r.dtype)))
    return float(torch.dot(r, r)) ** 2 / curvature if curvature > 0.0 else 0.0
