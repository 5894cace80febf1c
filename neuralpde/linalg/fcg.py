"""Flexible conjugate gradients with a memory of several directions: one run of the recurrence."""

from __future__ import annotations

import math
from collections import deque

import torch
from torch import Tensor

from neuralpde.linalg.cycle import Cycle, Steps
from neuralpde.linalg.descent import EnergyRule
from neuralpde.linalg.guard import Guard
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.vectors import Vectors
from neuralpde.linalg.watch import Watch
from neuralpde.types import Status


def fcg(
    A: LinearOperator, guard: Guard, r: Tensor, tol: float, maxiter: int, watch: Watch, *, directions: int = 2
) -> Steps:
    """Solve A y = r, from y = 0, for symmetric positive definite A and an M that may be anything: FCG(m).

    Each new direction is made conjugate to the last m ones, not to the last one alone as in :func:`cg`, which is
    FCG(1)::

        z = M r,   p = z − Σ_i (zᵀq_i / p_iᵀq_i) p_i,   q = A p,   α = rᵀp / pᵀq,   y ← y + α p,   r ← r − α q

    With a linear M all m give the same directions in exact arithmetic; with a network or an inner iteration in the
    place of M a longer memory saves iterations. The deep conjugate directions method (DCDM) is FCG(2) with a network.

    Args:
        A, guard, r, tol, maxiter, watch: as in :func:`neuralpde.linalg.cg.cg`.
        directions: m; memory is 2 m vectors.

    Returns:
        Steps as those of :func:`neuralpde.linalg.cg.cg`, with the same statuses.

    Source: Notay, Flexible conjugate gradients, SIAM J. Sci. Comput. 22 (2000), truncated; Kaneda et al., A deep
    conjugate direction method for iteratively solving linear systems, ICML 2023.
    """
    y = torch.zeros_like(r, dtype=torch.float64)
    r = r.clone()
    rule, vectors = EnergyRule(A, guard), Vectors(r)
    kept: deque[tuple[Tensor, Tensor, float]] = deque(maxlen=directions)
    longest = 1.0 / torch.finfo(r.dtype).eps
    for k in range(maxiter):
        z = guard.apply(r)
        if z is None:
            return Cycle(y, k, Status.PRECONDITIONER_FAILED)
        p = z.to(r.dtype, copy=True)
        # Modified Gram–Schmidt: the kept directions are conjugate to one another.
        for old, image, square in kept:
            p.sub_(old, alpha=vectors.dot(p, image) / square)
        q, pq = vectors.product(A, p, None)
        rp = vectors.dot(r, p)
        fault = rule.fault(rp, pq, r)
        if fault is not None:
            return Cycle(y, k, fault)
        size = math.sqrt(vectors.step(y, r, p, q, rp / pq))
        rule.stepped(rp / pq, rp)
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
        kept.append((p, q.clone() if q is p else q, pq))
        yield rule.gained
    return Cycle(y, maxiter, Status.MAXITER)
