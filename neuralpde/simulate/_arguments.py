"""Mistakes in the arguments of simulate and solve, as sentences."""

from __future__ import annotations

import math

from neuralpde.integrators import INTEGRATORS, Integrator, State
from neuralpde.problems import Problem
from neuralpde.representations import Representation
from neuralpde.types import UsageError


def check_parts(problem: object, representation: object) -> None:
    """Refuse what is not a problem on a representation.

    Raises:
        UsageError: naming what came.
    """
    if not isinstance(problem, Problem):
        raise UsageError(f"the problem must be an instance such as Heat(); got {_named(problem)}.")
    if not isinstance(representation, Representation):
        raise UsageError(
            f"the representation must be an instance such as GridField.for_problem(problem, 64); "
            f"got {_named(representation)}."
        )


def check_march(integrator: object, restart: object, representation: Representation, save_every: int, t: float) -> None:
    """Refuse an integrator, a restart or a plan that cannot be marched.

    Raises:
        UsageError: naming what was expected and what came.
    """
    if not isinstance(integrator, Integrator):
        known = ", ".join(make().__repr__() for make in INTEGRATORS.values())
        raise UsageError(f"the integrator must be one of {known}; got {_named(integrator)}.")
    if restart is not None and not isinstance(restart, State):
        raise UsageError(f"restart must be a State such as solution.last; got {_named(restart)}.")
    if isinstance(restart, State) and restart.theta.numel() != representation.num_dofs:
        raise UsageError(
            f"the restart has {restart.theta.numel()} dofs and the representation {representation.num_dofs}; "
            "restart on the representation that the run was made with."
        )
    if not isinstance(save_every, int) or save_every < 1:
        raise UsageError(f"save_every must be a whole number of at least 1; got {save_every!r}.")
    if not math.isfinite(t):
        raise UsageError(f"t_end must be finite; got {t}.")


MOST_SAVED = 4 * 2**30
"""Bytes of saved states that a run may keep in memory."""


def check_saved(representation: Representation, steps: int, save_every: int) -> None:
    """Refuse to keep more states than memory should hold, before the first step.

    Raises:
        UsageError: with the smallest ``save_every`` that fits.
    """
    state = representation.num_dofs * representation.dtype.itemsize
    if (steps // save_every + 1) * state > MOST_SAVED:
        enough = -(-steps * state // MOST_SAVED) + 1
        raise UsageError(
            f"{steps} steps with save_every={save_every} keep {steps // save_every + 1} states of {state} bytes, more "
            f"than {MOST_SAVED // 2**30} GiB in memory; use save_every={enough} or more."
        )


def _named(thing: object) -> str:
    """How a mistaken argument is called in a sentence."""
    if isinstance(thing, type):
        return f"the class {thing.__name__}; call it"
    if callable(thing):
        return f"the function {getattr(thing, '__name__', thing)!s}; call it"
    return f"{type(thing).__name__} {thing!r}" if isinstance(thing, str | int | float) else type(thing).__name__
