"""Terms of a problem, and the fields of states, as every dynamics needs them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor

from neuralpde.fields import Field, FieldSum, Jet
from neuralpde.integrators import Blend, Dynamics, Stage, State
from neuralpde.problems import Problem, Term
from neuralpde.representations import Representation
from neuralpde.types import UsageError

TermFlow: TypeAlias = Callable[[float, Field, Tensor, float], Tensor]
"""(t, u, x, dt) → values at x after a term has acted for dt on the field u."""


def chosen_rhs(problem: Problem, part: str | None) -> Callable[[float, Tensor, Jet], Tensor]:
    """The right-hand side of the whole problem, or of the term of that name.

    Raises:
        UsageError: for a name that no term has.
    """
    return problem.rhs if part is None else named_term(problem, part).rhs


def named_term(problem: Problem, name: str) -> Term:
    """The term of that name.

    Raises:
        UsageError: for a name that no term has.
    """
    for term in problem.terms():
        if term.name == name:
            return term
    known = ", ".join(repr(term.name) for term in problem.terms())
    raise UsageError(f"the terms of {problem.name} are {known}; got {name!r}.")


def whole_only(part: str | None) -> None:
    """Refuse an implicit stage of one term where only those of the whole are there.

    Raises:
        UsageError: that says what to use instead.
    """
    if part is not None:
        raise UsageError(f"this dynamics has implicit stages of the whole equation, not of {part!r}; use SDIRK4.")


def term_flow(term: Term, carrier: State | Blend | None) -> TermFlow:
    """The flow of a term that nothing else carries.

    Raises:
        UsageError: where there is none.
    """
    if term.flow is None:
        raise UsageError(f"the term {term.name!r} has no flow; use RK4 or ImplicitMidpoint.")
    if carrier is not None:
        raise UsageError(f"the term {term.name!r} carries itself; use LieSplitting.")
    return term.flow


def stepped_flow(
    dynamics: Dynamics,
    term: Term,
    base: State | Blend,
    dt: float,
    guess: Tensor | None,
    carrier: State | Blend | None,
) -> Stage:
    """The flow of a term that has none of its own, by one step of an implicit method.

    Two diagonally implicit stages with γ = 1 − 1/√2: order 2, L-stable and stiffly accurate.

    Source: Alexander, SIAM J. Numer. Anal. 14 (1977).

    Raises:
        UsageError: for a term that states no flux, a blend of states, or another carrier.
    """
    if term.flux is None:
        raise UsageError(f"the term {term.name!r} has no flow; use RK4 or ImplicitMidpoint.")
    if carrier is not None or not isinstance(base, State):
        raise UsageError(f"the term {term.name!r} carries itself; use LieSplitting.")
    gamma = 1 - 1 / math.sqrt(2)
    middle = base.t + gamma * dt
    first = dynamics.implicit(base, (), gamma * dt, middle, None, term.name)
    if not first.status.ok:
        return first
    known = ((1 - gamma) * dt, dynamics.slope(middle, first.theta, term.name))
    second = dynamics.implicit(base, (known,), gamma * dt, base.t + dt, guess, term.name)
    residual = max(first.residual, second.residual)
    return Stage(second.theta, second.status, residual, first.iterations + second.iterations)


def field_of(representation: Representation, base: State | Blend) -> Field:
    """The field of a state, or of a blend of states."""
    if isinstance(base, State):
        return representation.at(base.theta, base.t)
    weights = [c for c, _ in base.parts]
    return FieldSum(weights, [representation.at(state.theta, state.t) for _, state in base.parts])
