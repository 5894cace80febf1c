"""March a problem through time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from neuralpde.dynamics import ForceRecord, make_dynamics
from neuralpde.integrators import Integrator, State, StepInfo
from neuralpde.problems import Problem
from neuralpde.representations import FIRST_FIT, Projection, Representation
from neuralpde.simulate._arguments import (
    as_number,
    check_initial,
    check_march,
    check_options,
    check_parts,
    check_saved,
    start_notes,
)
from neuralpde.simulate._energies import EnergyRecorder
from neuralpde.simulate._energy_growth import energy_notes
from neuralpde.simulate._evolving import EvolvingValues
from neuralpde.simulate._growth import GrowthGuard
from neuralpde.simulate._locking import locking_notes
from neuralpde.simulate._problem_data import first_difference, problem_data
from neuralpde.simulate._rest import RestTest
from neuralpde.simulate._solution import Solution
from neuralpde.simulate._stability import check_step
from neuralpde.types import Status, UsageError, raise_for

Progress = Callable[[int, int, State, StepInfo], bool | None]
"""(step, steps, state, info) → False to stop after this step."""


MOST_STEPS = 1e15
"""With more steps than this the times of two steps in a row are no longer told apart."""


def _plan(dt: float, t_start: float, t_end: float) -> tuple[int, int, float, float]:
    """Equal steps that reach t_end, none longer than dt: (steps done before, steps in all, their length, their origin).

    A start that lies on the steps of a run from t = 0 goes on with those very steps: a restarted run then repeats the
    uninterrupted one bit by bit, where steps measured out anew would differ by rounding.
    """
    if not dt > 0:
        raise UsageError(f"dt must be positive; got {dt}.")
    if not t_end > t_start:
        raise UsageError(f"t_end must lie after the start t = {t_start:g}; got {t_end:g}.")
    if t_end - t_start > MOST_STEPS * dt:
        raise UsageError(f"dt = {dt:g} is below the rounding of t_end = {t_end:g}; use a longer step.")
    for origin in (0.0, t_start):
        steps = max(1, int(-(-(t_end - origin) // (dt * (1 + 1e-12)))))
        length = (t_end - origin) / steps
        done = round((t_start - origin) / length)
        if abs(origin + done * length - t_start) <= 1e-9 * length:
            break
    return done, steps, length, origin


ZERO = 1e-2
"""Size of a field that is zero everywhere, as a share of the random field that its fit starts from."""


def _fit_status(problem: Problem, representation: Representation, projection: Projection, accept: float) -> Status:
    """Bad where the initial field misses the initial values by more than ``accept`` of their root mean square.

    Values that are zero everywhere have no size of their own, and a fit comes to them only as near as its iterations
    last: it has found them where it leaves 1e-4 (``accept`` × ``ZERO``) of what it started from.
    """
    if not projection.iterations:  # the closest field there is, found at once: a coarse mesh is no failure
        return projection.status
    x = representation.quadrature().points
    size = _root_mean_square(problem.initial(x))
    if size == 0:
        size = ZERO * _root_mean_square(representation.at(representation.initial())(x))
    if projection.error <= accept * size:
        return Status.COMPLETED
    if projection.status is Status.MAXITER:
        return Status.UNFINISHED_FIT
    return Status.STAGNATED if projection.status.ok else projection.status


def _root_mean_square(values: Tensor) -> float:
    return float(values.detach().square().mean().sqrt())


def _record(record: ForceRecord, dynamics: Any) -> None:
    """Let a record of forces work on the dynamics of this very run."""
    if record.dynamics is not None:
        theirs, mine = record.dynamics.problem, dynamics.problem
        other = first_difference(problem_data(theirs), problem_data(mine))
        if type(theirs) is not type(mine):
            other = ("problem", theirs.name, mine.name)
        if other is not None:
            raise UsageError(
                f"the ForceRecord is of another flow: its {other[0]} is {other[1]}, here it is {other[2]}; leave its "
                "dynamics out, simulate gives it its own."
            )
    record.attach(dynamics)


@torch.no_grad()
def simulate(
    problem: Problem,
    representation: Representation,
    integrator: Integrator,
    *,
    dt: float,
    t_end: float,
    save_every: int = 1,
    method: str | type = "auto",
    initial_fit: dict[str, Any] | None = None,
    restart: State | None = None,
    progress: Progress | None = None,
    growth_limit: float | None = 1e6,
    until_steady: float | None = None,
    raise_on_failure: bool = True,
    **options: Any,
) -> Solution:
    """Solve u_t = F(t, u) from t = 0 (or a restart's time) to ``t_end``; of a body ρ ü = −∂Π/∂u − C u̇.

    Args:
        problem: that moves: with ``time_order`` 1, or 2 (a body).
        representation: where the field is kept.
        integrator: how it is stepped.
        dt: longest step; the last time is met exactly by equal steps.
        t_end: last time.
        save_every: keep every that many steps (the first and last states are always kept).
        method: see :func:`neuralpde.dynamics.make_dynamics`.
        initial_fit: options of the initial projection.
        restart: a :class:`State` to go on from, such as ``solution.last``.
        progress: called after every step; may return False to stop. A :class:`~neuralpde.dynamics.ForceRecord` keeps
            drag, lift and probes of a flow past a solid.
        growth_limit: a run whose field grows beyond that many times its problem's scale is unstable, and ends there;
            the scale is the largest of 1, |u| at the start, boundary data, and |F| at the start times the length
            of the run. Raise it, or lift it by None, for a solution that does grow so far. A flow that nothing drives
            is unstable where its kinetic energy grows by 1 %; see :class:`GrowthGuard`.
        until_steady: end before ``t_end`` where the field has come to rest, ‖uⁿ⁺¹ − uⁿ‖ ≤ until_steady · dt ‖uⁿ⁺¹‖ in
            the root mean square of what moves by itself (a flow's velocity); the status is then ``STEADY``. 1e-6 is a
            good value. For data that do not move in time; see :class:`RestTest`.
        raise_on_failure: raise when a step fails, instead of returning what there is.
        options: passed to the dynamics (``newton=``, ``fit=``, ``points=``, …).

    Raises:
        UsageError: for a steady problem, a non-positive dt, or parts that do not fit together.
        NonFiniteError: when NaN appears, or the field outgrows ``growth_limit``.
        NotConvergedError: when a step fails; the exception's ``result`` is the solution so far.

    Example:
        >>> from neuralpde import GridField, Heat, RK4, simulate
        >>> heat = Heat()
        >>> run = simulate(heat, GridField.for_problem(heat, 32, order="fourier"), RK4(), dt=1e-3, t_end=0.1)
        >>> run.error()["rel_l2"] < 1e-7
        True
    """
    check_parts(problem, representation)
    dt, t_end = as_number("dt", dt), as_number("t_end", t_end)
    check_march(integrator, restart, representation, save_every, t_end)
    if problem.time_order == 0:
        raise UsageError(f"{problem.name} is steady: use solve(problem, representation).")
    begin = time.perf_counter()
    check_options(problem, representation, method, options)
    dynamics = make_dynamics(problem, representation, method, **options)
    dynamics.check_march()
    if isinstance(progress, ForceRecord):
        _record(progress, dynamics)
    integrator.check(dynamics)
    done, steps, length, origin = _plan(dt, restart.t if restart else 0.0, t_end)
    check_saved(representation, steps - done, save_every)
    state, fit_error, status = restart, 0.0, Status.COMPLETED
    if state is not None:  # what a multi-step method remembers belongs to the run before
        state = replace(state, memory=())
    else:
        check_initial(problem, representation)
        projection = representation.project(problem.initial, **(initial_fit or {}))
        state, fit_error = State(0.0, projection.theta), projection.error
        accept = (initial_fit or {}).get("options", FIRST_FIT).accept
        status = _fit_status(problem, representation, projection, accept)
        if dynamics.constrained:
            allowed, values = dynamics.constrain(state, 0.0).theta, EvolvingValues(problem, representation)
            removed = _root_mean_square(values(allowed, 0.0) - values(state.theta, 0.0))
            state, fit_error = State(0.0, allowed), math.hypot(fit_error, removed)
    times, states, infos = [state.t], [dynamics.complete(state.t, state.theta)], list[StepInfo]()
    guard = GrowthGuard(problem, representation, dynamics, state, t_end, growth_limit)
    started = () if restart else start_notes(problem, representation)
    unstable = check_step(integrator, dynamics, state, length, steps - done) if status.ok else ()
    rest = RestTest(problem, representation, until_steady)
    energies = EnergyRecorder(dynamics, state)
    setup = time.perf_counter() - begin
    for k in range(done + 1, steps + 1) if status.ok else ():
        new, info = integrator.step(dynamics, state, length)
        if not bool(torch.isfinite(new.theta).all()):
            info = StepInfo(Status.NON_FINITE, info.residual, info.iterations)
        elif info.status.ok and not guard.holds(new):
            info = StepInfo(Status.UNSTABLE, info.residual, info.iterations)
        infos.append(info)
        if not info.status.ok:
            status = info.status
            break
        # k·dt, not a running sum: saved times meet the asked ones to rounding
        before, state = state, replace(new, t=origin + k * length)
        energies.add(state)
        stopped = progress is not None and progress(k, steps, state, info) is False
        if rest.passes(before, state):
            status = Status.STEADY
        elif stopped:
            status = Status.INTERRUPTED
        ended = status is not Status.COMPLETED
        if k % save_every == 0 or k == steps or ended:
            times.append(state.t)
            states.append(dynamics.complete(state.t, state.theta))
        if ended:
            break
    recipe = {
        "integrator": repr(integrator),
        "dt": length,
        "method": method if isinstance(method, str) else method.__name__,
        "options": {k: str(v) for k, v in options.items()},
        **({} if until_steady is None else {"until_steady": until_steady}),
    }
    solution = Solution(
        problem,
        representation,
        torch.tensor(times, dtype=torch.float64),
        torch.stack(states),
        tuple(infos),
        replace(state, memory=()),
        status,
        setup,
        time.perf_counter() - begin - setup,
        fit_error,
        recipe,
        (
            *locking_notes(problem, representation),
            *dynamics.notes,
            *started,
            *unstable,
            *energy_notes(energies.finished()),
        ),
        options,
        energies.finished(),
    )
    if raise_on_failure and status is not Status.INTERRUPTED:
        if not infos:
            raise_for(status, f"{problem.name}, first fit (root mean square misfit {fit_error:.1e})", solution)
        raise_for(status, f"{problem.name}, step {len(infos)} of {steps} at t = {state.t:g}", solution)
    return solution
