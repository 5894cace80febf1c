"""Preconditioned minimal residuals for symmetric matrices, definite or not: one run of the recurrence."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neuralpde.linalg.cycle import Cycle, Steps
from neuralpde.linalg.guard import Guard
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.watch import Watch
from neuralpde.types import Status


def minres(A: LinearOperator, guard: Guard, r: Tensor, tol: float, maxiter: int, watch: Watch) -> Steps:
    """Solve A y = r, from y = 0, for symmetric A, indefinite or singular if need be, and positive definite M.

    Lanczos' recurrence builds vectors v_j that are orthonormal in the inner product of M; Givens rotations keep the QR
    factors of the tridiagonal matrix, so that of all y in the Krylov space this one has the least rᵀM r. On a singular
    A it comes to a solution, or to the least residual where there is none.

    r itself is carried along with y, by three more vector passes an iteration: what is recorded is ‖r − A y‖₂ and not
    the M-norm of the textbook, and holds even where M is not what it should be.

    Args:
        A: shape ``(n, n)``, symmetric.
        guard: the preconditioner, linear, fixed, symmetric positive definite.
        r, tol, maxiter, watch: as in :func:`neuralpde.linalg.cg.cg`.

    Returns:
        Steps, which give −log ‖r‖, and in the end a :class:`Cycle` with status CONVERGED_RTOL, MAXITER, BREAKDOWN (the
        Krylov space is exhausted and holds no solution), INDEFINITE_PRECONDITIONER (vᵀM v < 0), PRECONDITIONER_FAILED,
        STAGNATED (a preconditioner of the user made no progress in 25 iterations), NONSYMMETRIC_MATRIX, INCOMPATIBLE or
        NON_FINITE.

    Source: Paige & Saunders, SIAM J. Numer. Anal. 12 (1975); with M: Elman, Silvester & Wathen, Finite Elements and
    Fast Iterative Solvers (2014), algorithm 4.1.
    """
    y = torch.zeros_like(r, dtype=torch.float64)
    r = r.clone()
    tiny = 10 * torch.finfo(r.dtype).eps
    v_old, v = torch.zeros_like(r), r.clone()
    w_old, w, Aw_old, Aw = (torch.zeros_like(r) for _ in range(4))
    z = guard.apply(v)
    if z is None:
        return Cycle(y, 0, Status.PRECONDITIONER_FAILED)
    z = z.to(r.dtype)
    square = float(torch.dot(z, v))
    if not square > 0.0:
        return Cycle(y, 0, Status.INDEFINITE_PRECONDITIONER)
    gamma_old, gamma = 1.0, math.sqrt(square)
    eta, c_old, c, s_old, s = gamma, 1.0, 1.0, 0.0, 0.0
    for k in range(maxiter):
        z = z / gamma
        Az = A.matvec(z).to(r.dtype)
        delta = float(torch.dot(Az, z))
        if not math.isfinite(delta):
            return Cycle(y, k, Status.NON_FINITE)
        v_new = Az - (delta / gamma) * v - (gamma / gamma_old) * v_old
        z_new = guard.apply(v_new)
        if z_new is None:
            return Cycle(y, k, Status.PRECONDITIONER_FAILED)
        z_new = z_new.to(r.dtype, copy=True)  # M may give the same buffer each time
        square = float(torch.dot(z_new, v_new))
        # What is left of A z by rounding alone is no new direction.
        rounding = (tiny * (abs(delta) + gamma)) ** 2
        if square < -rounding:
            return Cycle(y, k, Status.INDEFINITE_PRECONDITIONER)
        gamma_new = math.sqrt(square) if square > rounding else 0.0
        a0 = c * delta - c_old * s * gamma
        a1, a2, a3 = math.hypot(a0, gamma_new), s * delta + c_old * c * gamma, s_old * gamma
        if a1 <= tiny * (abs(delta) + gamma):
            return Cycle(y, k, Status.BREAKDOWN)
        w_old, w = w, (z - a3 * w_old - a2 * w) / a1
        Aw_old, Aw = Aw, (Az - a3 * Aw_old - a2 * Aw) / a1
        c_old, s_old, c, s = c, s, a0 / a1, gamma_new / a1
        y.add_(w, alpha=c * eta)
        r.sub_(Aw, alpha=c * eta)
        eta = -s * eta
        size = float(torch.linalg.vector_norm(r))
        watch.record(size)
        if size <= tol:
            return Cycle(y, k + 1, Status.CONVERGED_RTOL)
        if gamma_new == 0.0:
            return Cycle(y, k + 1, Status.BREAKDOWN)
        verdict = watch.verdict(y, r)
        if verdict is not None:
            return Cycle(y, k + 1, verdict)
        yield -math.log(max(size, 1e-300))
        v_old, v, z, gamma_old, gamma = v, v_new, z_new, gamma, gamma_new
    return Cycle(y, maxiter, Status.MAXITER)
