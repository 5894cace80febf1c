"""How a run of a study ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neuralpde.integrators import INTEGRATORS
from neuralpde.simulate import Solution
from neuralpde.types import Status


@dataclass(frozen=True)
class Outcome:
    """How one run ended.

    Args:
        name: of the run.
        status: of its solution, or of the failure that left none.
        solution: None where not even one step was done.
        seconds: building the representation, beyond what the solution counts.
        message: the failure's sentence, or nothing.
        error: what was raised that is no failure of convergence (an equation's own mistake, for instance).
    """

    name: str
    status: Status
    solution: Solution | None
    seconds: float = 0.0
    message: str = ""
    error: Exception | None = None

    @property
    def word(self) -> str:
        """How it ended, for a table."""
        return "failed" if self.error is not None else self.status.name.lower().replace("_", " ")


def integrator_name(outcome: Outcome) -> str | None:
    """The integrator of a run by its name in a case file; None for a steady problem and where nothing was solved."""
    recipe = outcome.solution.recipe if outcome.solution is not None else {}
    if "dt" not in recipe:
        return None
    known = {repr(make()): name for name, make in INTEGRATORS.items()}
    return known.get(recipe["integrator"], recipe["integrator"])


def failure(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The outcome that decides how the whole ended: an interruption, else the first failure."""
    bad = [o for o in outcomes if not o.status.ok]
    stopped = [o for o in bad if o.status is Status.INTERRUPTED and o.error is None]
    return next(iter(stopped or bad), None)
