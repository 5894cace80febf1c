"""The loop around every kernel: true residual, correction, and a replacement for a preconditioner that fails."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from neuralpde.linalg.audition import audition, needed
from neuralpde.linalg.cycle import Cycle, Kernel, finish, true_residual
from neuralpde.linalg.facts import MatrixFacts
from neuralpde.linalg.guard import Guards
from neuralpde.linalg.methods import Method
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.sentences import meaning
from neuralpde.linalg.stencil_operator import StencilOperator
from neuralpde.linalg.vectors import divided, norm, plus, zeros
from neuralpde.linalg.watch import WINDOW, Watch
from neuralpde.types import Status

_CUT_OFF = (
    Status.MAXITER,
    Status.STAGNATED,
    Status.PRECONDITIONER_FAILED,
    Status.INDEFINITE_PRECONDITIONER,
)
_OF_THE_MATRIX = (Status.NONSYMMETRIC_MATRIX, Status.INCOMPATIBLE)
"""Failures that no other preconditioner cures."""

_OF_THE_GUARD = (Status.PRECONDITIONER_FAILED, Status.INDEFINITE_PRECONDITIONER)
_CLAIM_KEPT = 0.5
_CYCLE_GAIN = 0.999
_ROUNDED = 1e-3
FLOOR = "the residual is at the rounding error of A x itself, about ε ‖A‖ ‖x‖: no iteration in float64 can lower it"


@dataclass(eq=False)
class System:
    """One A with all that was made for it: recurrence, preconditioners in the order of their turns, facts."""

    A: LinearOperator
    method: Method
    kernel: Kernel
    guards: Guards
    facts: MatrixFacts


@dataclass(eq=False)
class Refinement:
    """Where the iteration stands: x and r ``(n,)`` in float64, r = b − A x as computed from x, size = ‖r‖,
    length = ‖x‖."""

    x: Tensor
    r: Tensor
    size: float
    history: list[float]
    status: Status = Status.MAXITER
    iterations: int = 0
    notes: tuple[str, ...] = ()
    turn: int = 0
    dtype: torch.dtype = torch.float64
    length: float = 0.0


def refine(
    system: System,
    b: Tensor,
    scale: float,
    x: Tensor | None,
    target: float,
    maxiter: int,
    callback: Callable[[int, float], object] | None,
) -> Refinement:
    """Repeat x ← x + y with A y ≈ r = b − A x until ‖r‖, computed in float64 from x itself, is at most ``target``.

    The kernel runs in the dtype of A on r / ‖r‖, so that float32 recurrences and tiny right-hand sides lose nothing;
    where float32 gains nothing any more it goes on in float64.
    What a kernel claims is never believed: when r disagrees it is started again from r, and when that has not helped
    twice the status is STAGNATED. A failure under a user's preconditioner costs that preconditioner, not the solve.

    Args:
        system: what was made for A.
        b: right-hand side ``(n,)``, and ``scale`` its norm.
        x: first guess ``(n,)``; ``None`` is 0.
        target: ‖r‖ to come to.
        maxiter: most iterations.
        callback: see :func:`neuralpde.linalg.solve_linear`.

    Source: Higham, Accuracy and Stability of Numerical Algorithms (2002), chapter 12 (iterative refinement).
    """
    state = _start(system, b, scale, x)
    poor = 0

    def record(reduction: float) -> None:
        state.history.append(reduction * state.size / scale)
        if callback is not None:
            callback(len(state.history) - 1, state.history[-1])

    while math.isfinite(state.size) and state.size > target and state.iterations < maxiter:
        # A recurrence drifts from the truth as it goes down; below this reduction it is not worth following.
        tol = max(0.99 * target / state.size, torch.finfo(state.dtype).eps ** 0.7)
        lengths = (state.length / state.size, scale / state.size)
        watch = Watch(system.facts, record, symmetric=system.method.symmetric, x=lengths[0], b=lengths[1], target=tol)
        turn, before, seen = state.turn, state.size, len(state.history)
        cycle = _run(system, state, tol, maxiter - state.iterations, watch)
        _accept(system, b, state, cycle, target)
        state.iterations += cycle.iterations
        if len(state.history) > seen:
            state.history[-1] = state.size / scale
        if state.turn > turn:
            poor = 0
        kept = _CLAIM_KEPT if cycle.status is Status.CONVERGED_RTOL else _CYCLE_GAIN
        poor = poor + 1 if state.size > kept * before else 0
        failure = _failure(cycle.status, poor)
        if failure is Status.BREAKDOWN and not system.method.energy and state.size <= _CLAIM_KEPT * before:
            failure = None  # a recurrence that starts again from here has another space
        if state.size <= target:
            break
        if poor and at_the_floor(system, state, scale):
            state.status, state.notes = Status.STAGNATED, (*state.notes, FLOOR)
            return state
        if state.dtype is torch.float32 and (poor or failure is not None) and failure not in _OF_THE_GUARD:
            state.dtype, poor = torch.float64, 0
            state.notes += (f"float32 made no progress at iteration {state.iterations}: float64 took over",)
            continue
        if (failure is not None or len(watch.sizes) >= WINDOW) and system.facts.unreachable(
            state.r, target
        ) is not None:
            failure = Status.INCOMPATIBLE
        if failure is None:
            continue
        if failure is not Status.NON_FINITE and system.facts.annihilates(state.r):
            failure = Status.INCOMPATIBLE
        if failure in _OF_THE_MATRIX or not _next_turn(system, state, failure):
            state.status = failure
            return state
        poor = 0
    state.status = _final_status(state.size, target)
    return state


def _start(system: System, b: Tensor, scale: float, x: Tensor | None) -> Refinement:
    A = system.A
    dtype = torch.float64 if system.method.wide else A.dtype
    if x is None and isinstance(A, StencilOperator):  # its entries are finite; other products with 0 may hold NaN
        return Refinement(zeros(b), b, norm(b), [norm(b) / scale], dtype=dtype)
    x = zeros(b) if x is None else x
    r, size = true_residual(A, b, x)
    return Refinement(x, r, size, [size / scale], dtype=dtype, length=norm(x))


def at_the_floor(system: System, state: Refinement, scale: float) -> bool:
    """Whether ‖r‖ is at the rounding error of b − A x, ‖b‖ = ``scale``, or little above it, where recurrences end."""
    # Of an x that ran off along a null vector this says nothing.
    return state.size <= 4.0 * system.facts.floor(state.length, scale) < 0.1 * scale


def _run(system: System, state: Refinement, tol: float, maxiter: int, watch: Watch) -> Cycle:
    """One run of the kernel on r / ‖r‖, under the preconditioner whose turn it is, or beside its replacement."""
    A, guard = system.A, system.guards[state.turn]
    direction = divided(state.r, state.size, state.dtype)
    if not (state.iterations == 0 and needed(guard, A, maxiter) and not system.guards[state.turn + 1].fault):
        return finish(system.kernel(A, guard, direction, tol, maxiter, watch))
    pair = (guard, system.guards[state.turn + 1])
    cycle, lost, why = audition(system.kernel, A, pair, direction, tol, maxiter, watch)
    if why:
        state.iterations += lost
        state.turn += 1
        state.notes += (f"preconditioner {guard.name} was dropped at iteration {lost}: {why}",)
    return cycle


def _next_turn(system: System, state: Refinement, failure: Status) -> bool:
    """Drop the preconditioner at work; False when it was the last one."""
    if state.turn + 1 >= len(system.guards):
        return False
    guard = system.guards[state.turn]
    why = guard.fault or meaning(failure)
    state.notes += (f"preconditioner {guard.name} was dropped at iteration {state.iterations}: {why}",)
    state.turn += 1
    return True


def _accept(system: System, b: Tensor, state: Refinement, cycle: Cycle, target: float) -> None:
    """Add the correction unless it is unusable.

    A run that was cut off is kept even if ‖r‖ grew where it lowers the A-norm of the error and not ‖r‖, unless x became
    so long that its rounding errors count, as along a null vector of A. A run that found A unfit must lower ‖r‖. A
    claim that does not even halve ‖r‖ is rounding noise, as in LU factors of a singular A, where x is 1e15 times too
    long and ‖r‖ is smaller by luck.
    """
    trial, length = plus(state.x, cycle.y, state.size)
    r, size = true_residual(system.A, b, trial)
    if cycle.status in _CUT_OFF and system.method.energy and state.size < size < math.inf:
        better = system.facts.floor(length, 0.0) < _ROUNDED * state.size
    else:
        better = size < (_CLAIM_KEPT if cycle.status is Status.CONVERGED_RTOL else 1.0) * state.size
    if (better or size <= target) and math.isfinite(length):
        state.x, state.r, state.size, state.length = trial, r, size, length


def _failure(status: Status, poor: int) -> Status | None:
    if status not in (Status.CONVERGED_RTOL, Status.MAXITER):
        return status
    return Status.STAGNATED if poor >= 2 else None


def _final_status(size: float, target: float) -> Status:
    if not math.isfinite(size):
        return Status.NON_FINITE
    return Status.CONVERGED_RTOL if size <= target else Status.MAXITER
