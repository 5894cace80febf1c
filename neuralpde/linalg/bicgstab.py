"""Stabilised biconjugate gradients for non-symmetric matrices: one run of the recurrence."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neuralpde.linalg.cycle import Cycle, Steps
from neuralpde.linalg.guard import Guard
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.watch import Watch
from neuralpde.types import Status


def bicgstab(A: LinearOperator, guard: Guard, r: Tensor, tol: float, maxiter: int, watch: Watch) -> Steps:
    """Solve A y = r, from y = 0, for any square A, with eight vectors whatever the number of iterations.

    An iteration takes two products with A and two with M::

        p̂ = M p,  v = A p̂,  α = ρ / r̂ᵀv,  s = r − α v,   ŝ = M s,  t = A ŝ,  ω = tᵀs / tᵀt
        y ← y + α p̂ + ω ŝ,   r ← s − ω t,   β = (ρ_new / ρ)(α / ω),   p ← r + β (p − ω v)

    M stands on the right, so r stays the residual of A y = r for any M. Nothing is minimised over more than one step,
    so ‖r‖ may jump; where ρ = r̂ᵀr vanishes the recurrence starts again from r.

    Args:
        A, guard, r, tol, maxiter, watch: as in :func:`neuralpde.linalg.cg.cg`; M may be indefinite.

    Returns:
        Steps, which give −log of the least ‖r‖, and in the end a :class:`Cycle` with status CONVERGED_RTOL, MAXITER,
        BREAKDOWN (r̂ᵀv, ω or tᵀt vanishes: A is singular, or skew, for which GMRES is the method),
        PRECONDITIONER_FAILED, INCOMPATIBLE or NON_FINITE.

    Source: van der Vorst, SIAM J. Sci. Stat. Comput. 13 (1992); Saad, Iterative Methods for Sparse Linear Systems
    (2003), algorithm 7.7, preconditioned from the right.
    """
    y = torch.zeros_like(r, dtype=torch.float64)
    eps = torch.finfo(r.dtype).eps
    r = r.clone()
    shadow, p, rho = r.clone(), r.clone(), float(torch.dot(r, r))
    least = math.sqrt(rho)
    for k in range(maxiter):
        p_hat = guard.apply(p)
        if p_hat is None:
            return Cycle(y, k, Status.PRECONDITIONER_FAILED)
        p_hat = p_hat.to(r.dtype, copy=True)  # M may give the same buffer each time
        v = A.matvec(p_hat).to(r.dtype)
        sigma, length = float(torch.dot(shadow, v)), float(torch.linalg.vector_norm(v))
        if not math.isfinite(sigma):
            return Cycle(y, k, Status.NON_FINITE)
        if abs(sigma) <= eps * length * float(torch.linalg.vector_norm(shadow)):
            return Cycle(y, k, Status.BREAKDOWN)
        alpha = rho / sigma
        s = r - alpha * v
        half = float(torch.linalg.vector_norm(s))
        if half <= tol:
            watch.record(half)
            return Cycle(y.add_(p_hat, alpha=alpha), k + 1, Status.CONVERGED_RTOL)
        s_hat = guard.apply(s)
        if s_hat is None:
            return Cycle(y, k, Status.PRECONDITIONER_FAILED)
        s_hat = s_hat.to(r.dtype)
        t = A.matvec(s_hat).to(r.dtype)
        tt, ts = float(torch.dot(t, t)), float(torch.dot(t, s))
        if not (math.isfinite(tt) and math.isfinite(ts)):
            return Cycle(y, k, Status.NON_FINITE)
        omega = ts / tt if tt > 0.0 else 0.0
        y.add_(p_hat, alpha=alpha).add_(s_hat, alpha=omega)
        r = s - omega * t
        size = float(torch.linalg.vector_norm(r))
        watch.record(size)
        if size <= tol:
            return Cycle(y, k + 1, Status.CONVERGED_RTOL)
        if not size < 1.0 / eps or abs(ts) <= eps * math.sqrt(tt) * half:
            return Cycle(y, k + 1, Status.BREAKDOWN)
        verdict = watch.verdict(y, r)
        if verdict is not None:
            return Cycle(y, k + 1, verdict)
        least = min(least, size)
        yield -math.log(max(least, 1e-300))
        rho, rho_old = float(torch.dot(shadow, r)), rho
        if abs(rho) <= eps**0.75 * size * float(torch.linalg.vector_norm(shadow)):
            shadow, p, rho = r.clone(), r.clone(), size**2
        else:
            p = r + (rho / rho_old) * (alpha / omega) * (p - omega * v)
    return Cycle(y, maxiter, Status.MAXITER)
