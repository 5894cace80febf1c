"""The loop around every kernel: true residual, correction, and a replacement for a preconditioner that fails."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from neuralpde.linalg.cycle import Kernel, norm, true_residual
from neuralpde.linalg.guard import Guard
from neuralpde.linalg.operators import LinearOperator
from neuralpde.types import Status

_CUT_OFF = (
    Status.MAXITER,
    Status.STAGNATED,
    Status.PRECONDITIONER_FAILED,
    Status.INDEFINITE_PRECONDITIONER,
)
_CLAIM_KEPT = 0.5
_CYCLE_GAIN = 0.999


@dataclass(eq=False)
class Refinement:
    """Where the iteration stands: x and r ``(n,)`` in float64, r = b − A x as computed from x, size = ‖r‖."""

    x: Tensor
    r: Tensor
    size: float
    history: list[float]
    status: Status = Status.MAXITER
    iterations: int = 0
    notes: tuple[str, ...] = ()


def refine(
    A: LinearOperator,
    b: Tensor,
    x: Tensor,
    kernel: Kernel,
    chain: Iterator[Guard],
    target: float,
    maxiter: int,
    callback: Callable[[int, float], object] | None,
) -> Refinement:
    """Repeat x ← x + y with A y ≈ r = b − A x until ‖r‖, computed in float64 from x itself, is at most ``target``.

    The kernel runs in the dtype of A on r / ‖r‖, so that float32 recurrences and tiny right-hand sides lose nothing.
    What a kernel claims is never believed: when r disagrees it is started again from r, and when that has not helped
    twice the status is STAGNATED. A failure under a user's preconditioner costs that preconditioner, not the solve.

    Source: Higham, Accuracy and Stability of Numerical Algorithms (2002), chapter 12 (iterative refinement).
    """
    r, size = true_residual(A, b, x)
    scale = norm(b)
    state = Refinement(x, r, size, [size / scale])
    guard, poor = next(chain), 0
    # A recurrence drifts from the truth as it goes down; below this reduction it is not worth following.
    deepest = torch.finfo(A.dtype).eps ** 0.7

    def record(reduction: float) -> None:
        state.history.append(reduction * state.size / scale)
        if callback is not None:
            callback(len(state.history) - 1, state.history[-1])

    while math.isfinite(state.size) and state.size > target and state.iterations < maxiter:
        tol = max(0.99 * target / state.size, deepest)
        direction = (state.r / state.size).to(A.dtype)
        cycle = kernel(A, guard, direction, tol, maxiter - state.iterations, record)
        before = state.size
        _accept(A, b, state, cycle.y, cycle.status, target)
        state.iterations += cycle.iterations
        if cycle.iterations:
            state.history[-1] = state.size / scale
        kept = _CLAIM_KEPT if cycle.status is Status.CONVERGED_RTOL else _CYCLE_GAIN
        poor = poor + 1 if state.size > kept * before else 0
        failure = _failure(cycle.status, poor)
        if failure is None or state.size <= target:
            continue
        successor = next(chain, None)
        if successor is None:
            state.status = failure
            return state
        why = guard.fault or failure.meaning
        state.notes += (f"preconditioner {guard.name} was dropped at iteration {state.iterations}: {why}",)
        guard, poor = successor, 0
    state.status = _final_status(state.size, target)
    return state


def _accept(A: LinearOperator, b: Tensor, state: Refinement, y: Tensor, status: Status, target: float) -> None:
    """Add the correction unless it is unusable.

    A run that was cut off is kept even if ‖r‖ grew, because CG lowers the A-norm of the error and not ‖r‖. A run that
    found A unfit must lower ‖r‖. A claim that does not even halve ‖r‖ is rounding noise, as in LU factors of a singular
    A, where x is 1e15 times too long and ‖r‖ is smaller by luck.
    """
    trial = state.x + state.size * y
    r, size = true_residual(A, b, trial)
    if status in _CUT_OFF:
        better = math.isfinite(size)
    else:
        better = size < (_CLAIM_KEPT if status is Status.CONVERGED_RTOL else 1.0) * state.size
    if better or size <= target:
        state.x, state.r, state.size = trial, r, size


def _failure(status: Status, poor: int) -> Status | None:
    if status not in (Status.CONVERGED_RTOL, Status.MAXITER):
        return status
    return Status.STAGNATED if poor >= 2 else None


def _final_status(size: float, target: float) -> Status:
    if not math.isfinite(size):
        return Status.NON_FINITE
    return Status.CONVERGED_RTOL if size <= target else Status.MAXITER
