"""Why a solve failed: the reason behind the recurrence's own, and the sentence that an exception says."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neuralpde.linalg.cycle import finish, norm, true_residual
from neuralpde.linalg.guard import Guard
from neuralpde.linalg.methods import Method
from neuralpde.linalg.minres import minres
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.preconditioners import Identity
from neuralpde.linalg.refinement import FLOOR, Refinement, System, at_the_floor
from neuralpde.linalg.solution import LinearSolution
from neuralpde.linalg.watch import Watch
from neuralpde.types import Status

_UNCLEAR = (Status.INDEFINITE_MATRIX, Status.INDEFINITE_PRECONDITIONER, Status.BREAKDOWN, Status.STAGNATED)
_SECOND_OPINION = 1_000
_NOTHING = 1e-11
_ROUNDED = 1e-6


def final_reason(system: System, state: Refinement, b: Tensor, target: float) -> None:
    """Look behind a failure, once it is one.

    A recurrence that needs a symmetric A and broke down on another one failed because of that. One that broke down on a
    singular symmetric A may have had no solution to find. Then r = r_N + r_R with A r_N = 0: minimal residuals on
    A w = A r, which has a solution, come to w = r_R, and r_N = r − w is a part of b too. The status becomes
    INCOMPATIBLE, and x the one of least residual, from A x = b − r_N.
    """
    endless = state.status is Status.MAXITER and state.iterations > 2 * b.numel()  # exact ones end after n iterations
    if not (state.status in _UNCLEAR or endless) or not math.isfinite(state.size):
        return
    if state.status is Status.INDEFINITE_PRECONDITIONER:
        state.status = Status.BREAKDOWN  # the last one at work was the identity, which is definite
    facts = system.facts
    if system.method.symmetric and facts.asymmetric:
        state.status = Status.NONSYMMETRIC_MATRIX
    elif at_the_floor(system, state, norm(b)):
        state.status = Status.STAGNATED
        state.notes += () if FLOOR in state.notes else (FLOOR,)
    elif facts.annihilates(state.r):
        state.status = Status.INCOMPATIBLE
    elif not facts.asymmetric and not _clearly_indefinite(system, state):
        _second_opinion(system, state, b, target)


def _clearly_indefinite(system: System, state: Refinement) -> bool:
    """Whether the curvature along r itself is negative by more than rounding."""
    r = state.r / state.size
    product = system.A.matvec(r).to(r.dtype)
    return state.status is Status.INDEFINITE_MATRIX and float(r @ product) < -1e-8 * system.facts.norm


def _second_opinion(system: System, state: Refinement, b: Tensor, target: float) -> None:
    r = state.r / state.size
    w = _minimal(system, state, system.A.matvec(r).to(r.dtype))
    null = r - w
    if norm(null) * state.size <= target or not system.facts.annihilates(null):
        return
    x = _minimal(system, state, b - state.size * null)
    rest, size = true_residual(system.A, b, x)
    if size <= (1.0 + _ROUNDED) * state.size:
        state.x, state.r, state.size = x, rest, size
    state.status = Status.INCOMPATIBLE


def _minimal(system: System, state: Refinement, right: Tensor) -> Tensor:
    """A⁻¹ right, where right is in the range of A, as closely as a thousand steps of minimal residuals come."""
    scale, limit = norm(right), min(_SECOND_OPINION, 4 * right.numel() + 10)
    if scale == 0.0:
        return torch.zeros_like(right)
    watch, guard = Watch(system.facts, lambda size: None, b=1.0), Guard(Identity(), system.A)
    cycle = finish(minres(system.A, guard, right / scale, _NOTHING, limit, watch))
    state.iterations += cycle.iterations
    return scale * cycle.y


def sentence(method: Method, A: LinearOperator, solution: LinearSolution) -> str:
    """The first half of the sentence that an exception says; the status is the second."""
    notes = [*solution.notes]
    if method.symmetric and solution.status is not Status.NON_FINITE and not A.symmetric:
        notes.append("A is not known to be symmetric, which CG needs")
    if solution.status is Status.STAGNATED:
        notes.append(f"{A.dtype} cannot bring it lower: loosen rtol, raise restart, or A is close to singular")
    where = f"solve_linear ({method.name}, n = {A.shape[0]}) stopped at relative residual {solution.residual:.2e}"
    return "; ".join([f"{where} after {solution.iterations} iterations", *notes])
