"""Why a solve failed: the reason behind the recurrence's own, and the sentence that an exception says."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import Tensor

from neuralpde.linalg.cycle import finish, norm, true_residual
from neuralpde.linalg.guard import Guard
from neuralpde.linalg.minres import minres
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.preconditioners import Identity
from neuralpde.linalg.solution import LinearSolution
from neuralpde.linalg.watch import Watch
from neuralpde.types import Status

if TYPE_CHECKING:
    from neuralpde.linalg.methods import Method
    from neuralpde.linalg.refinement import Refinement, System

_UNCLEAR = (Status.INDEFINITE_MATRIX, Status.BREAKDOWN, Status.STAGNATED)
_SECOND_OPINION = 1_000


def final_reason(system: System, b: Tensor, state: Refinement, target: float) -> None:
    """Look behind a failure, once it is one.

    A recurrence that needs a symmetric A and broke down on another one failed because of that. One that broke down on a
    singular A may have had no solution to find: minimal residuals go on from x, and where they end at Aᵀ r = 0 with
    r ≠ 0 x becomes that least-squares solution, and the status INCOMPATIBLE.
    """
    if state.status not in _UNCLEAR or not math.isfinite(state.size):
        return
    facts = system.facts
    if system.method.symmetric and facts.asymmetric:
        state.status = Status.NONSYMMETRIC_MATRIX
    elif facts.annihilates(state.r):
        state.status = Status.INCOMPATIBLE
    elif not facts.asymmetric and not _clearly_indefinite(system, state):
        _second_opinion(system, b, state, target)


def _clearly_indefinite(system: System, state: Refinement) -> bool:
    """Whether the curvature along r itself is negative by more than rounding."""
    r = state.r / state.size
    product = system.A.matvec(r).to(r.dtype)
    return state.status is Status.INDEFINITE_MATRIX and float(r @ product) < -1e-8 * system.facts.norm


def _second_opinion(system: System, b: Tensor, state: Refinement, target: float) -> None:
    watch = Watch(system.facts, lambda size: None, x=norm(state.x) / state.size, b=norm(b) / state.size)
    guard, limit = Guard(Identity(), system.A), min(_SECOND_OPINION, 4 * b.numel() + 10)
    steps = minres(system.A, guard, state.r / state.size, target / state.size, limit, watch)
    cycle = finish(steps)
    x = state.x + state.size * cycle.y
    r, size = true_residual(system.A, b, x)
    if size <= state.size and size > target and system.facts.annihilates(r):
        state.x, state.r, state.size, state.status = x, r, size, Status.INCOMPATIBLE
        state.iterations += cycle.iterations


def sentence(method: Method, A: LinearOperator, solution: LinearSolution) -> str:
    """The first half of the sentence that an exception says; the status is the second."""
    notes = [*solution.notes]
    if method.symmetric and solution.status is not Status.NON_FINITE and not A.symmetric:
        notes.append("A is not known to be symmetric, which CG needs")
    if solution.status is Status.STAGNATED:
        notes.append(f"{A.dtype} cannot bring it lower: loosen rtol, raise restart, or A is close to singular")
    where = f"solve_linear ({method.name}, n = {A.shape[0]}) stopped at relative residual {solution.residual:.2e}"
    return "; ".join([f"{where} after {solution.iterations} iterations", *notes])
