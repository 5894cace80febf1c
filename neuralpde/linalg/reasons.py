"""Why a solve failed: the reason behind the recurrence's own."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neuralpde.linalg.compatibility import solved_in_range
from neuralpde.linalg.cycle import finish, true_residual
from neuralpde.linalg.guard import Guard
from neuralpde.linalg.minres import minres
from neuralpde.linalg.preconditioners import Identity
from neuralpde.linalg.refinement import FLOOR, Refinement, System, at_the_floor
from neuralpde.linalg.scaled import NEAR_ONE, in_range
from neuralpde.linalg.vectors import norm
from neuralpde.linalg.watch import Watch
from neuralpde.types import Status

_UNCLEAR = (Status.INDEFINITE_MATRIX, Status.INDEFINITE_PRECONDITIONER, Status.BREAKDOWN, Status.STAGNATED)
_SECOND_OPINION = 1_000
_NOTHING = 1e-7
_ROUNDED = 1e-6
_PASSES = 4
_COUNTS = 0.1
_LUCKY = 1.05
"""What rounding errors may take off the least residual where x is long."""


def final_reason(system: System, state: Refinement, b: Tensor, target: float, most: float = math.inf) -> None:
    """Look behind a failure, once it is one.

    A recurrence that needs a symmetric A and broke down on another one failed because of that. One that broke down on a
    singular symmetric A may have had no solution to find, or gathered a long null vector. Then r = r_N + r_R with
    A r_N = 0: minimal residuals on A w = A r, which has a solution, come to w = r_R, and r_N = r − w is a part of b
    too. The status becomes INCOMPATIBLE, and x the one of least residual, from A x = b − r_N.

    Args:
        system, state: of the solve that ended.
        b: right-hand side ``(n,)``.
        target: ‖r‖ to come to.
        most: iterations that the caller allows in all.
    """
    # Exact ones end after n iterations, and factors of a regular matrix after a few corrections.
    endless = state.status is Status.MAXITER and (system.method.name == "direct" or state.iterations > 2 * b.numel())
    if not (state.status in _UNCLEAR or endless) or not math.isfinite(state.size):
        return
    if state.status is Status.INDEFINITE_PRECONDITIONER:
        state.status = Status.BREAKDOWN  # the last one at work was the identity, which is definite
    facts = system.facts
    floor = at_the_floor(system, state, norm(b))
    if system.method.symmetric and facts.asymmetric:
        state.status = Status.NONSYMMETRIC_MATRIX
    elif facts.annihilates(state.r):
        state.status = Status.INCOMPATIBLE
    elif (
        not facts.asymmetric and not _clearly_indefinite(system, state) and not (floor and not _is_null(system, state))
    ):
        _second_opinion(system, state, b, target, most)
    if floor and state.status is not Status.NONSYMMETRIC_MATRIX and state.status is not Status.INCOMPATIBLE:
        state.status = Status.STAGNATED
        state.notes += () if FLOOR in state.notes else (FLOOR,)


def _is_null(system: System, state: Refinement) -> bool:
    """Whether x is long for the null vector that it holds, and for nothing else."""
    return system.facts.annihilates(state.x)


def _clearly_indefinite(system: System, state: Refinement) -> bool:
    """Whether the curvature along r itself is negative by more than rounding."""
    r = state.r / state.size
    product = system.A.matvec(r).to(r.dtype)
    return state.status is Status.INDEFINITE_MATRIX and float(r @ product) < -1e-8 * system.facts.norm


def _second_opinion(system: System, state: Refinement, b: Tensor, target: float, most: float) -> None:
    # The rounding errors of A x for an x that ran off along a null vector are in the null space too.
    long = system.facts.floor(norm(state.x), 0.0) > _COUNTS * target
    x = torch.zeros_like(b) if long else state.x
    null = _null_part(system, state, b if long else state.r, most)
    if norm(null) <= target or not system.facts.annihilates(null):
        return
    limit = int(min(state.iterations + _SECOND_OPINION, most))
    found = solved_in_range(system, b, norm(b), (x, b - null), target, limit, None, state)
    state.iterations, state.notes, state.history = found.iterations, found.notes, found.history
    if found.status is not Status.INCOMPATIBLE:  # factors of a singular matrix, for one, are of no use
        x = _minimal(system, state, b - null, most)
        found.x, (found.r, found.size) = x, true_residual(system.A, b, x)
    if found.size <= (_LUCKY if long else 1.0 + _ROUNDED) * state.size:
        state.x, state.r, state.size, state.status = found.x, found.r, found.size, Status.INCOMPATIBLE
    state.history[-1] = state.size / norm(b)


def _null_part(system: System, state: Refinement, r: Tensor, most: float) -> Tensor:
    """r_N of r = r_N + A w, by minimal residuals; what they leave of A w is small against r, so they go on from it."""
    null = r
    for _ in range(_PASSES):
        null = null - _minimal(system, state, system.A.matvec(null).to(null.dtype), most)
        if norm(null) == 0.0 or system.facts.annihilates(null):
            break
    return null


def _minimal(system: System, state: Refinement, right: Tensor, most: float) -> Tensor:
    """A⁻¹ right, where right is in the range of A, as closely as a thousand steps of minimal residuals come."""
    scale, limit = norm(right), int(min(_SECOND_OPINION, 4 * right.numel() + 10, most - state.iterations))
    if scale == 0.0 or limit <= 0:
        return torch.zeros_like(right)
    watch, guard = Watch(system.facts, lambda size: None, b=1.0), Guard(Identity(), system.A)
    cycle = finish(in_range(minres, system.A, NEAR_ONE)(system.A, guard, right / scale, _NOTHING, limit, watch))
    state.iterations += cycle.iterations
    return scale * cycle.y
