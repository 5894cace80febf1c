"""Flexible preconditioned conjugate gradients: one run of the recurrence."""

from __future__ import annotations

import math

from torch import Tensor

from neuralpde.linalg.cycle import Cycle, Steps
from neuralpde.linalg.descent import Descent
from neuralpde.linalg.guard import Guard
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.vectors import copied
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
        r: right-hand side of norm 1, shape ``(n,)``, in the dtype of the recurrence; it becomes
            the residual of y.
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
    run = Descent(A, guard, r, tol, watch)
    vectors, zq, pq = run.vectors, 0.0, 1.0
    p: Tensor | None = None
    q: Tensor | None = None
    while run.steps < maxiter:
        z = guard.apply(r, look=False)
        if z is None:
            return Cycle(run.y, run.steps, Status.PRECONDITIONER_FAILED)
        if p is None or q is None:
            p = copied(z, r.dtype)  # z may be r itself
            rz = vectors.dot(r, p)
        else:
            zq, rz = vectors.dots(z, q, r)
            vectors.direction(p, z, -zq / pq)
        if not math.isfinite(zq + rz) and guard.finds_fault(z):
            return Cycle(run.y, run.steps, Status.PRECONDITIONER_FAILED)
        q, pq = vectors.product(A, p, q)
        end = run.step(p, q, rz, pq)
        if end is not None:
            return Cycle(run.y, run.steps, end)
        yield run.gained
    return Cycle(run.y, run.steps, Status.MAXITER)
