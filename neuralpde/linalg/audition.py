"""The first iterations under a preconditioner of the user, beside the classical one that would replace it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor

from neuralpde.linalg.cycle import Cycle, Kernel, Steps, finish
from neuralpde.linalg.guard import Guard
from neuralpde.linalg.operators import CallableOperator, LinearOperator
from neuralpde.linalg.sentences import meaning
from neuralpde.linalg.watch import Watch
from neuralpde.types import Status

LENGTH = 6
"""Iterations of an audition: what a useless preconditioner can cost."""

_CLOSE, _TAIL, _LAZY, _HALF = 1.1, 2, 0.9, 0.5


@dataclass(eq=False)
class _Runner:
    """One of two recurrences: its gains after each step, and how it ended."""

    steps: Steps
    sizes: list[float]
    gains: list[float] = field(default_factory=lambda: [0.0])
    end: Cycle | None = None

    def advance(self) -> None:
        if self.end is None:
            try:
                self.gains.append(next(self.steps))
            except StopIteration as stop:
                self.end = stop.value

    def tail(self, k: int) -> float:
        """What the last steps up to step k gained."""
        return self.gains[k] - self.gains[max(k - _TAIL, 0)]


def needed(guard: Guard, A: LinearOperator, maxiter: int) -> bool:
    """Whether ``guard`` is on trial: its preconditioner may be anything, and the classical one is at hand."""
    return guard.variable and not guard.fault and maxiter >= 2 * LENGTH and _has_diagonal(A)


def _has_diagonal(A: LinearOperator) -> bool:
    """Whether the diagonal costs little: a function alone would be applied to all columns of the identity."""
    known = any(getattr(type(A), name) is not getattr(LinearOperator, name) for name in ("diagonal", "to_csr"))
    return known and not (isinstance(A, CallableOperator) and A._diagonal is None)


def audition(
    kernel: Kernel, A: LinearOperator, pair: tuple[Guard, Guard], r: Tensor, tol: float, maxiter: int, watch: Watch
) -> tuple[Cycle, int, str]:
    """Run the recurrence with a preconditioner of the user; for six iterations another one runs beside it.

    Both start from the same r. Where the user's fails or gains less than the classical one, the latter goes on from
    where it is, so that no more than these iterations are lost, and no direction of the Krylov space. What is gained is
    energy for conjugate gradients and −log ‖r‖ for the others.

    Args:
        kernel, A, r, tol, maxiter, watch: as a kernel takes them.
        pair: the user's preconditioner and the classical one.

    Returns:
        The cycle of the winner, iterations of the loser that were lost, and why the user's was dropped (or "").
    """
    other = watch.beside()
    pair[0].forget()
    star = _Runner(kernel(A, pair[0], r, tol, maxiter, watch), watch.sizes)
    understudy = _Runner(kernel(A, pair[1], r.clone(), tol, maxiter - LENGTH, other), other.sizes)
    for _ in range(LENGTH):
        star.advance()
        if star.end is not None and star.end.status is Status.CONVERGED_RTOL:
            return star.end, 0, ""
        understudy.advance()
        if star.end is not None or understudy.end is not None:
            break
    why = _why_dropped(star, understudy, pair)
    if not why:
        return star.end or finish(star.steps), 0, ""
    lost = star.end.iterations if star.end is not None else len(star.gains) - 1
    watch.take_over(other)
    return understudy.end or finish(understudy.steps), lost, why


def _why_dropped(star: _Runner, understudy: _Runner, pair: tuple[Guard, Guard]) -> str:
    """Why the user's preconditioner is worse than the classical one, or an empty string."""
    other = pair[1].name.lower()
    if understudy.end is not None and understudy.end.status is not Status.CONVERGED_RTOL:
        return ""  # the classical one is of no use here
    k = min(len(star.gains), len(understudy.gains)) - 1
    gained, rival = star.gains[k], understudy.gains[k]
    if star.end is not None:
        # It comes back in the note; work that was far better than the other's is kept.
        ahead = gained > _CLOSE * rival and k > 0
        return "" if ahead else pair[0].fault or meaning(star.end.status)
    if understudy.end is not None:
        return f"{other} converged before it"
    if star.sizes[-1] < _HALF * understudy.sizes[-1]:
        return ""  # where both gained nearly all of the energy the residual tells what is left
    if gained < rival / _CLOSE:
        return f"its first {k} iterations gained {_share(gained, rival)} of what {other} gains in as many"
    if gained < _CLOSE * rival and pair[0].changed():
        return pair[0].fault or "it answers the same residual by another direction than before"
    if gained < _CLOSE * rival and star.tail(k) < _LAZY * understudy.tail(k):
        return f"its last {_TAIL} of {k} iterations gained less than {other} does in as many"
    return ""


def _share(gained: float, rival: float) -> str:
    share = gained / rival if rival > 0.0 and math.isfinite(gained) else 0.0
    return f"{100 * max(share, 0.0):.2g} %"
