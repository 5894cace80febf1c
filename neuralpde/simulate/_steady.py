"""Solve a steady problem."""

from __future__ import annotations

import time
from typing import Any

import torch

from neuralpde.dynamics import make_dynamics
from neuralpde.integrators import Dynamics, Stage, State, StepInfo
from neuralpde.problems import Problem
from neuralpde.representations import Representation
from neuralpde.simulate._arguments import check_guess, check_options, check_parts
from neuralpde.simulate._energies import EnergyRecorder
from neuralpde.simulate._locking import locking_notes
from neuralpde.simulate._solution import Solution
from neuralpde.types import UsageError, raise_for


@torch.no_grad()
def solve(
    problem: Problem,
    representation: Representation,
    *,
    guess: torch.Tensor | None = None,
    method: str | type = "auto",
    raise_on_failure: bool = True,
    **options: Any,
) -> Solution:
    """Solve 0 = F(u): by Newton's method on grids and finite elements, by least squares on neural fields.

    Of a flow on a staggered grid it is the steady state, also where that state is not stable.

    Args:
        problem: with ``time_order`` 0, or a flow with viscosity.
        representation: where the field is kept.
        guess: θ to start from, ``(p,)``; by default the problem's ``initial``, where it states one.
        method: of the dynamics, see :func:`neuralpde.dynamics.make_dynamics`.
        raise_on_failure: raise where the solve fails.
        options: passed to the dynamics (``newton=Newton(linear="cg")``, ``fit=GaussNewton(...)``, ``points=``).

    Raises:
        UsageError: for a problem that moves in time.
        NotConvergedError: with ``raise_on_failure``; the exception's ``result`` is the solution.

    Example:
        >>> from neuralpde import GridField, Poisson, solve
        >>> poisson = Poisson()
        >>> solve(poisson, GridField.for_problem(poisson, 17, order=6)).error()["rel_l2"] < 1e-6
        True
    """
    check_parts(problem, representation)
    check_guess(guess, representation)
    begin = time.perf_counter()
    check_options(problem, representation, method, options)
    dynamics = make_dynamics(problem, representation, method, **options)
    if problem.time_order != 0 and not dynamics.settles:
        raise UsageError(
            f"{problem.name} moves in time: use simulate(problem, representation, integrator, dt=, t_end=)."
        )
    if not hasattr(dynamics, "steady"):
        raise UsageError(f"{type(dynamics).__name__} has no steady solver; leave method= away.")
    start = _start(problem, representation) if guess is None else guess
    setup = time.perf_counter() - begin
    stage = dynamics.steady(start)
    solution = Solution(
        problem,
        representation,
        torch.zeros(1, dtype=torch.float64),
        stage.theta[None],
        (StepInfo(stage.status, stage.residual, stage.iterations, stage.history),),
        State(0.0, stage.theta),
        stage.status,
        setup,
        time.perf_counter() - begin - setup,
        recipe={
            "integrator": "steady",
            "options": {k: str(v) for k, v in options.items()},
            **({} if dynamics.carried is None else {"carried": dynamics.carried}),
        },
        notes=(*locking_notes(problem, representation), *dynamics.notes),
        options=options,
        energies=EnergyRecorder(dynamics, State(0.0, stage.theta)).finished(),
    )
    if raise_on_failure:
        raise_for(stage.status, _what(problem, dynamics, stage), solution)
    return solution


def _start(problem: Problem, representation: Representation) -> torch.Tensor:
    """The problem's own guess, where it has one: a nonlinear problem may have several solutions."""
    if problem.algebraic or not problem.guesses:
        return representation.initial()
    return representation.project(problem.initial).theta


def _what(problem: Problem, dynamics: Dynamics, stage: Stage) -> str:
    if dynamics.carried is not None:
        return f"{problem.name} (the load was raised up to the factor {dynamics.carried:.4g})"
    if not dynamics.closer:
        return problem.name
    return f"{problem.name}, steady flow (residual {stage.residual:.1e} of its largest term; {dynamics.closer})"
