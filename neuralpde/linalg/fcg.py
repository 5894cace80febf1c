"""Flexible conjugate gradients with a memory of several directions: one run of the recurrence."""

from __future__ import annotations

from collections import deque

from torch import Tensor

from neuralpde.linalg.cycle import Cycle, Steps
from neuralpde.linalg.descent import Descent
from neuralpde.linalg.guard import Guard
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.vectors import copied
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
    run = Descent(A, guard, r, tol, watch)
    vectors = run.vectors
    kept: deque[tuple[Tensor, Tensor, float]] = deque(maxlen=directions)
    while run.steps < maxiter:
        z = guard.apply(r)
        if z is None:
            return Cycle(run.y, run.steps, Status.PRECONDITIONER_FAILED)
        p = copied(z, r.dtype)
        # Modified Gram–Schmidt: the kept directions are conjugate to one another.
        for old, image, square in kept:
            vectors.add(p, old, -vectors.dot(p, image) / square)
        q, pq = vectors.product(A, p, None)
        end = run.step(p, q, vectors.dot(r, p), pq)
        if end is not None:
            return Cycle(run.y, run.steps, end)
        kept.append((p, q.clone() if q is p else q, pq))
        yield run.gained
    return Cycle(run.y, run.steps, Status.MAXITER)
