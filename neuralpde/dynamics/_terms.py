"""Terms of a problem, and the fields of states, as every dynamics needs them."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from neuralpde.fields import Field, FieldSum, Jet
from neuralpde.integrators import Blend, State
from neuralpde.problems import Problem, Term
from neuralpde.representations import Representation
from neuralpde.types import UsageError


def chosen_rhs(problem: Problem, part: str | None) -> Callable[[float, Tensor, Jet], Tensor]:
    """The right-hand side of the whole problem, or of the term of that name.

    Raises:
        UsageError: for a name that no term has.
    """
    if part is None:
        return problem.rhs
    for term in problem.terms():
        if term.name == part:
            return term.rhs
    known = ", ".join(repr(term.name) for term in problem.terms())
    raise UsageError(f"the terms of {problem.name} are {known}; got {part!r}.")


def whole_only(part: str | None) -> None:
    """Refuse an implicit stage of one term where only those of the whole are there.

    Raises:
        UsageError: that says what to use instead.
    """
    if part is not None:
        raise UsageError(f"this dynamics has implicit stages of the whole equation, not of {part!r}; use SDIRK4.")


def term_flow(term: Term, carrier: State | Blend | None) -> Callable[[float, Field, Tensor, float], Tensor]:
    """The flow of a term that nothing else carries.

    Raises:
        UsageError: where there is none.
    """
    if term.flow is None:
        raise UsageError(f"the term {term.name!r} has no flow; use RK4 or ImplicitMidpoint.")
    if carrier is not None:
        raise UsageError(f"the term {term.name!r} carries itself; use LieSplitting.")
    return term.flow


def field_of(representation: Representation, base: State | Blend) -> Field:
    """The field of a state, or of a blend of states."""
    if isinstance(base, State):
        return representation.at(base.theta, base.t)
    weights = [c for c, _ in base.parts]
    return FieldSum(weights, [representation.at(state.theta, state.t) for _, state in base.parts])
