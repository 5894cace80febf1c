"""A few lines about a solution: what was solved, how, how long it took, how wrong it is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from neuralpde.simulate._extremes import largest
from neuralpde.types import Status, UsageError

if TYPE_CHECKING:
    from neuralpde.simulate._solution import Solution


def summary(solution: Solution) -> str:
    """See :meth:`Solution.summary`."""
    r, iterations = solution.representation, sum(i.iterations for i in solution.infos)
    worst = max((i.residual for i in solution.infos), default=0.0)
    lines = [
        f"{solution.problem.name} on {type(r).__name__}: {r.num_dofs} dofs, {r.memory_bytes()} bytes ({r.dtype})",
        f"{_how_far(solution)}: {solution.status.meaning}{_how_steady(solution)}",
        f"{solution.setup_seconds:.2f} s set-up (initial fit {solution.fit_error:.1e}) + "
        f"{solution.solve_seconds:.2f} s solve, {iterations} linear solves, largest stage residual {worst:.1e}",
    ]
    try:
        errors = solution.errors(points=2001 if solution.problem.domain.dim == 1 else 101)
    except UsageError:
        lines.append("no exact solution to compare with")
    else:
        for unknown, e in errors.items():
            whose = f"error of {unknown}" if len(errors) > 1 else "error"
            lines.append(f"{whose}: " + ", ".join(f"{name} {_figure(value)}" for name, value in e.items()))
    lines += ["; ".join(found)] if (found := largest(solution)) else []
    return "\n".join([*lines, *(f"note: {note}" for note in solution.notes)])


def _how_far(solution: Solution) -> str:
    """What was done: the iterations of a steady solve, or the steps but for one that failed."""
    if solution.recipe.get("integrator") == "steady":
        return f"steady solve, {_counted(sum(i.iterations for i in solution.infos), 'iteration')}"
    done = sum(info.status.ok for info in solution.infos)
    return f"{_counted(done, 'step')} to t = {solution.last.t:g}" if done else f"no step from t = {solution.last.t:g}"


def _how_steady(solution: Solution) -> str:
    tolerance = solution.recipe.get("until_steady")
    if solution.status is not Status.STEADY or tolerance is None:
        return ""
    return f" (‖Δu‖ ≤ {tolerance:g} Δt ‖u‖)"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _figure(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2e}"
