"""Solves of singular systems: the part of b that A reaches, and an x without a long constant."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

from neuralpde.linalg.cycle import true_residual
from neuralpde.linalg.refinement import FLOOR, Refinement, System, refine
from neuralpde.linalg.vectors import norm
from neuralpde.types import Status

_COUNTS = 0.1
_ROUNDED = 1e-15
_HOPELESS = (Status.NON_FINITE, Status.NONSYMMETRIC_MATRIX)


def refine_in_range(
    system: System,
    b: Tensor,
    scale: float,
    x: Tensor | None,
    target: float,
    maxiter: int,
    callback: Callable[[int, float], object] | None,
) -> Refinement:
    """:func:`neuralpde.linalg.refinement.refine`, also where A annihilates constants of components.

    With b = b_N + b_R, b_N the means of b on these components, no x brings ‖b − A x‖ below ‖b_N‖. Where that is above
    the target A x = b_R is solved to the same relative tolerance, and x is the one of least residual for b: the status
    is INCOMPATIBLE. Constants in x that are so long that their rounding errors end a solve are taken out once: a first
    guess may hold them, and recurrences gather them.

    Args:
        system, b, scale, x, target, maxiter, callback: as ``refine`` takes them.
    """
    facts, state = system.facts, None
    outside = facts.unreachable(b, target) if facts.constants_known else None
    if outside is None:
        state = refine(system, b, scale, x, target, maxiter, callback)
        if state.size <= target or state.status in _HOPELESS or _comes_closest(system, state):
            return state
        outside, x = facts.unreachable(b, target), _shortened(system, state, target)
        if outside is None and x is state.x:
            return state
    rest = b if outside is None else b - outside
    return solved_in_range(system, b, scale, (x, rest), target, maxiter, callback, state)


def _comes_closest(system: System, state: Refinement) -> bool:
    return state.status is Status.INCOMPATIBLE and system.facts.annihilates(state.r)


def _shortened(system: System, state: Refinement, target: float) -> Tensor:
    """x without its constants where the rounding errors of A x count; x itself elsewhere."""
    facts = system.facts
    if facts.floor(norm(state.x), 0.0) < _COUNTS * target or facts.constants is None or facts.asymmetric:
        return state.x
    return state.x - facts.constants.means(state.x)


def solved_in_range(
    system: System,
    b: Tensor,
    scale: float,
    start: tuple[Tensor | None, Tensor],
    target: float,
    maxiter: int,
    callback: Callable[[int, float], object] | None,
    before: Refinement | None,
) -> Refinement:
    """A x = b_R from ``start`` = (x, b_R), reported as a solve of A x = b that goes on from ``before``."""
    x, rest = start
    done = before.iterations if before is not None else 0
    lost, reached = norm(b - rest), norm(rest)
    history = before.history[:-1] if before is not None else []

    def seen(of_rest: float) -> float:
        return math.hypot(of_rest * reached, lost) / scale

    def record(iteration: int, residual: float) -> None:
        if callback is not None:
            callback(done + iteration, seen(residual))

    # What is left of a b that is constant are rounding errors.
    least = max(target * reached / scale, _ROUNDED * scale)
    state = refine(system, rest, reached or 1.0, x, least, maxiter - done, record)
    state.iterations += done
    state.history = history + [seen(residual) for residual in state.history]
    state.r, state.size = true_residual(system.A, b, state.x)
    state.history[-1] = state.size / scale
    if state.status.ok and lost > target:
        state.status = Status.INCOMPATIBLE
    elif state.status is Status.INCOMPATIBLE and not _comes_closest(system, state):
        state.status = Status.STAGNATED  # there is more in the null space than constants
    if before is not None:
        state.notes = tuple(note for note in before.notes if note != FLOOR) + state.notes
    return state
