"""What statuses mean to who solves A x = b, and the exception that says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuralpde.types import NonFiniteError, NotConvergedError, Status

if TYPE_CHECKING:
    from neuralpde.linalg.methods import Method
    from neuralpde.linalg.operators import LinearOperator
    from neuralpde.linalg.solution import LinearSolution

# Statuses are shared by all rooms, and what some of them advise is about fields and time steps.
_MEANINGS = {Status.STAGNATED: "the residual goes down no further"}
_REMEDIES = {
    Status.MAXITER: "raise maxiter, loosen rtol, or use a stronger preconditioner",
    Status.NON_FINITE: "check A, b, x0 and M for NaN, Inf and numbers near the ends of their range",
}


def meaning(status: Status) -> str:
    """What it means for A x = b.

    Example:
        >>> meaning(Status.STAGNATED)
        'the residual goes down no further'
    """
    return _MEANINGS.get(status, status.meaning)


def remedy(status: Status, method: Method, A: LinearOperator) -> str:
    """What to do about it."""
    if status is Status.STAGNATED:
        restart = "raise restart, " if method.name in ("gmres", "fgmres") else ""
        return f"{A.dtype} cannot bring it lower: loosen rtol, {restart}scale A, or see whether it is close to singular"
    return _REMEDIES.get(status, status.remedy)


def raise_failed(method: Method, A: LinearOperator, solution: LinearSolution, prefix: str = "") -> None:
    """Raise the exception that belongs to a bad status; do nothing for a good one.

    Raises:
        NonFiniteError: for NON_FINITE.
        NotConvergedError: for every other bad status.
    """
    status = solution.status
    if status.ok:
        return
    notes = [*solution.notes]
    if method.symmetric and status is not Status.NON_FINITE and not A.symmetric:
        notes.append("A is not known to be symmetric, which CG needs")
    where = f"{prefix}solve_linear ({method.name}, n = {A.shape[0]}) stopped at relative residual "
    what = "; ".join([f"{where}{solution.residual:.2e} after {solution.iterations} iterations", *notes])
    kind = NonFiniteError if status.blew_up else NotConvergedError
    raise kind(f"{what}: {meaning(status)}; {remedy(status, method, A)}.", solution)
