"""What cannot be asked of the conditions and the equation of a flow, as sentences."""

from __future__ import annotations

from collections.abc import Sequence

from neuralpde.geometry import Boundary, Box, Dirichlet, FreeSlip, Outflow, Pressure
from neuralpde.problems import IncompressibleFlow, Problem
from neuralpde.types import UsageError

OWN = ("rhs", "momentum", "terms")
"""Methods of a flow that say how it moves."""


def check_conditions(problem: Problem) -> None:
    """Refuse conditions of a velocity where there is none, and velocities with too few or too many numbers.

    Raises:
        UsageError: naming the face, or the condition.
    """
    if not problem.algebraic:
        strange = [c for c in problem.conditions if isinstance(c, FreeSlip | Outflow)]
        if strange:
            raise UsageError(
                f"{type(strange[0]).__name__} is a condition of a flow's velocity; {problem.name} takes "
                f"{_possible(problem)}, and a face without a condition is open."
            )
        pressures = [c for c in problem.conditions if isinstance(c, Pressure)]
        if pressures and problem.evolving != problem.domain.dim:
            raise UsageError(
                f"{pressures[0]} presses on a solid, whose displacement has {problem.domain.dim} components here; "
                f"{problem.name} has {problem.evolving}: take Flux."
            )
        return
    c = problem.evolving
    for axis, side, condition in Boundary(problem.domain, problem.conditions).faces_with(Dirichlet):
        assert isinstance(condition, Dirichlet)
        face = problem.domain.faces[2 * axis + side]
        value, x = condition.value, problem.domain.face_lattice(face, 3).points
        if isinstance(value, Sequence) and len(value) != c:
            raise UsageError(f"the velocity on {face} needs {c} numbers; got {tuple(value)}.")
        if callable(value) and (got := tuple(condition.at(0.0, x, c).shape)) != (len(x), c):
            raise UsageError(f"the velocity on {face} must have shape (n, {c}); for n = {len(x)} points it has {got}.")


def _possible(problem: Problem) -> str:
    """Conditions of a problem that is no flow, in words."""
    names = ["Dirichlet", "Neumann"]
    if type(problem).flux is not Problem.flux:
        names += ["Flux", "Robin"]
    if isinstance(problem.domain, Box):
        names.append("Periodic")
    return f"{', '.join(names[:-1])} and {names[-1]}"


def check_standard_flow(problem: Problem, kind: str) -> None:
    """Refuse a flow whose equation is not that of :class:`IncompressibleFlow`, which representations have built in.

    Args:
        problem: with unknowns without a time derivative.
        kind: name of the representation.

    Raises:
        UsageError: naming what differs.
    """
    if not isinstance(problem, IncompressibleFlow):
        raise UsageError(
            f"a {kind} keeps subclasses of IncompressibleFlow; {problem.name} is none: derive it from that."
        )
    changed = [name for name in OWN if getattr(type(problem), name) is not getattr(IncompressibleFlow, name)]
    if changed:
        raise UsageError(
            f"a {kind} moves u_t + u·∇u = −∇p + νΔu alone, and {problem.name} has its own {' and '.join(changed)}."
        )
