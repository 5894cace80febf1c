"""Problem × representation: how θ moves."""

from __future__ import annotations

from typing import Any

from neuralpde.dynamics._discrete import DiscreteDynamics, Newton
from neuralpde.dynamics._function_space import FunctionSpaceDynamics
from neuralpde.dynamics._galerkin import GalerkinDynamics
from neuralpde.problems import Problem, check_problem
from neuralpde.representations import GridField, NeuralField, Representation
from neuralpde.types import UsageError

METHODS = {
    "discrete": (DiscreteDynamics, GridField),
    "function_space": (FunctionSpaceDynamics, NeuralField),
    "galerkin": (GalerkinDynamics, NeuralField),
}
"""Ways to move θ, by name, and the representation that each serves."""


def make_dynamics(problem: Problem, representation: Representation, method: str = "auto", **options: Any) -> Any:
    """The dynamics of a problem on a representation.

    Args:
        problem: what is true.
        representation: where its field is kept.
        method: ``"discrete"`` (grids), ``"function_space"`` or ``"galerkin"`` (neural fields); ``"auto"`` takes the
            first that fits.
        options: passed to the dynamics.

    Raises:
        UsageError: for a pair that does not work together, with what to use instead.
    """
    check_problem(problem)
    fitting = [name for name, (_, kind) in METHODS.items() if isinstance(representation, kind)]
    if method == "auto" and fitting:
        method = fitting[0]
    if method not in METHODS:
        raise UsageError(f"the methods of a dynamics are {', '.join(METHODS)}; got {method!r}.")
    if method not in fitting:
        kind = type(representation).__name__
        raise UsageError(f"method={method!r} does not serve a {kind}; use {' or '.join(map(repr, fitting))}.")
    if representation.domain != problem.domain or representation.channels != problem.channels:
        raise UsageError(
            f"the representation lives on {representation.domain} with {representation.channels} channel(s), the "
            f"problem on {problem.domain} with {problem.channels}; "
            f"build it with {type(representation).__name__}.for_problem(problem)."
        )
    return METHODS[method][0](problem, representation, **options)


__all__ = [
    "METHODS",
    "DiscreteDynamics",
    "FunctionSpaceDynamics",
    "GalerkinDynamics",
    "Newton",
    "make_dynamics",
]
