"""Flexible preconditioned conjugate gradients: one run of the recurrence."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neuralpde.linalg.cycle import Cycle, Steps
from neuralpde.linalg.descent import EnergyRule
from neuralpde.linalg.guard import Guard
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.vectors import Vectors
from neuralpde.linalg.watch import Watch
from neuralpde.types import Status


def cg(A: LinearOperator, guard: Guard, r: Tensor, tol: float, maxiter: int, watch: Watch) -> Steps:
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
        watch: told ‖r‖ once an iteration; may end the run.

    Returns:
        Steps, which give twice the energy gained so far, and in the end a :class:`Cycle` with status CONVERGED_RTOL,
        MAXITER, PRECONDITIONER_FAILED, INDEFINITE_PRECONDITIONER (rᵀz ≤ 0), INDEFINITE_MATRIX (pᵀq ≤ 0, or a step so
        long that A is singular along p), STAGNATED (a preconditioner of the user gains less than a tenth of what plain
        steepest descent would), BREAKDOWN (the residual explodes), NONSYMMETRIC_MATRIX, INCOMPATIBLE or NON_FINITE.

    Source: Notay, Flexible conjugate gradients, SIAM J. Sci. Comput. 22 (2000), algorithm FCG(1).
    """
    y = torch.zeros_like(r, dtype=torch.float64)
    z = guard.apply(r)
    if z is None:
        return Cycle(y, 0, Status.PRECONDITIONER_FAILED)
    r, p = r.clone(), z.to(r.dtype, copy=True)  # z may be r itself
    rule, vectors, q = EnergyRule(A, guard), Vectors(r), None
    rz = vectors.dot(r, p)
    longest = 1.0 / torch.finfo(r.dtype).eps  # ‖r‖ ≤ √cond(A) in theory: beyond this A is not symmetric
    for k in range(maxiter):
        q, pq = vectors.product(A, p, q)
        fault = rule.fault(rz, pq, r)
        if fault is not None:
            return Cycle(y, k, fault)
        alpha = rz / pq
        size = math.sqrt(vectors.step(y, r, p, q, alpha))
        rule.stepped(alpha, rz)
        watch.record(size)
        if size <= tol:
            return Cycle(y, k + 1, Status.CONVERGED_RTOL)
        if not size < longest:
            return Cycle(y, k + 1, Status.BREAKDOWN)
        if rule.lags(r):
            return Cycle(y, k + 1, Status.STAGNATED)
        verdict = watch.verdict(y, r)
        if verdict is not None:
            return Cycle(y, k + 1, verdict)
        yield rule.gained
        z = guard.apply(r)
        if z is None:
            return Cycle(y, k + 1, Status.PRECONDITIONER_FAILED)
        zq, rz = vectors.dots(z, q, r)
        vectors.direction(p, z, -zq / pq)
    return Cycle(y, maxiter, Status.MAXITER)
