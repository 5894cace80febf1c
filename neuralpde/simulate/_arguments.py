"""Mistakes in the arguments of simulate and solve, as sentences."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import math
from collections.abc import Mapping
from typing import Any, get_args, get_type_hints

import torch
from torch import Tensor

from neuralpde.dynamics import METHODS, methods_for
from neuralpde.geometry import Boundary
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


def check_guess(guess: object, representation: Representation) -> None:
    """Refuse a start that is no θ of the representation.

    Raises:
        UsageError: that says how to make one.
    """
    p = representation.num_dofs
    if guess is not None and (not isinstance(guess, Tensor) or guess.shape != (p,)):
        got = f"a tensor {tuple(guess.shape)}" if isinstance(guess, Tensor) else _named(guess)
        raise UsageError(
            f"a guess or a start is θ, a tensor ({p},), such as solution.last.theta or "
            f"representation.project(function).theta; got {got}."
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


def check_initial(problem: Problem, representation: Representation) -> None:
    """Refuse initial values that are not numbers where the representation looks.

    Raises:
        UsageError: with the first such point.
    """
    x = representation.quadrature().points
    bad = ~torch.isfinite(problem.initial(x)).all(dim=-1)
    if bool(bad.any()):
        unknown = next(iter(problem.unknowns))
        raise UsageError(
            f"the initial {unknown} of {problem.name} is NaN or infinite at {int(bad.sum())} of {len(x)} points, first "
            f"at {x[bad][0].tolist()}."
        )


def start_notes(problem: Problem, representation: Representation) -> tuple[str, ...]:
    """Sentences about supports of a moving body that hold it elsewhere than where it starts.

    Such a support jumps at t = 0, which sends a shock through the body that no mesh resolves.
    """
    if problem.time_order != 2 or "displacement" not in problem.unknowns:
        return ()
    boundary, d, notes = Boundary(problem.domain, problem.conditions), problem.evolving, list[str]()
    for name, condition in boundary.essential:
        x, columns = boundary.places(name, POINTS), list(condition.held(d))
        x = x.to(representation.device, representation.dtype)
        jump = (condition.at(0.0, x, d) - problem.initial(x)[:, :d])[:, columns].detach().abs()
        if float(jump.max()) > JUMP * max(problem.domain.lengths):
            notes.append(
                f"at t = 0 {name} is held {float(jump.max()):.3g} m away from where the body starts: it jumps there, "
                "and the shock is as sharp as the mesh and the steps; start from that place, or move it smoothly"
            )
    return tuple(notes)


def as_number(name: str, value: Any) -> float:
    """A number given as such, of whatever kind.

    Raises:
        UsageError: for text, truth values, and what has no value.
    """
    if not isinstance(value, bool | str | bytes):
        try:
            return float(value)
        except (TypeError, ValueError):
            pass
        except OverflowError:
            raise UsageError(f"{name} must be finite; got a whole number beyond all floats.") from None
    raise UsageError(f"{name} must be a number; got {_named(value)}.")


def check_options(
    problem: Problem, representation: Representation, method: str | type, options: Mapping[str, Any]
) -> None:
    """Refuse options that the dynamics does not have; methods that do not serve are left to ``make_dynamics``.

    Raises:
        UsageError: with the options that there are.
    """
    fitting = {name: METHODS[name][0] for name in methods_for(problem, representation)}
    auto = next(iter(fitting.values()), None)
    made = method if isinstance(method, type) else auto if method == "auto" else fitting.get(method)
    if made is None or not issubclass(made, tuple(made for made, _ in METHODS.values())):
        return
    parameters = list(inspect.signature(made).parameters.values())[2:]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    known = [p.name for p in parameters]
    for name in options:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            meant = f" Did you mean {close[0]!r}?" if close else ""
            offered = f"has the options {', '.join(known)}" if known else "has no options"
            raise UsageError(f"{made.__name__} {offered}; got {name!r}.{meant}")
    _check_kinds(made, options)


def _check_kinds(made: type, options: Mapping[str, Any]) -> None:
    """Refuse an option of another class than that of its parameter, such as a dict for a :class:`Newton`."""
    kinds = get_type_hints(made.__init__)  # type: ignore[misc]
    for name, value in options.items():
        wanted = get_args(kinds.get(name)) or (kinds.get(name),)
        own = [kind for kind in wanted if dataclasses.is_dataclass(kind)]
        if not own or not all(isinstance(kind, type) for kind in wanted):
            continue
        if not isinstance(value, tuple(wanted)):  # type: ignore[arg-type]
            asked = " or ".join(f"{kind.__name__}(...)" for kind in own)  # type: ignore[union-attr]
            raise UsageError(f"{name} is {asked}, made with the options that it should have; got {value!r}.")


POINTS = 20
"""Points of a support that are looked at."""

JUMP = 1e-6
"""A displacement that is a jump, as a share of the body's length."""

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
        kept = f"{_count(steps // save_every + 1)} states of {state} bytes"
        raise UsageError(
            f"{_count(steps)} steps with save_every={save_every} keep {kept}, more than {MOST_SAVED // 2**30} GiB in "
            f"memory; use save_every={_count(enough)} or more."
        )


def _count(n: int) -> str:
    """A whole number, shortened where it is beyond counting."""
    return str(n) if n < 10**12 else f"{n:.1e}"


def _named(thing: object) -> str:
    """How a mistaken argument is called in a sentence."""
    if isinstance(thing, type):
        return f"the class {thing.__name__}; call it"
    if callable(thing):
        return f"the function {getattr(thing, '__name__', thing)!s}; call it"
    return f"{type(thing).__name__} {thing!r}" if isinstance(thing, str | int | float) else type(thing).__name__
