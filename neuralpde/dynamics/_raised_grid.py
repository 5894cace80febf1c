"""Large deformations of bodies on grids: boundary data and body forces raised from nothing to all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from torch import Tensor

from neuralpde.dynamics._load_steps import CUT, RESOLVED, LoadSteps
from neuralpde.geometry import BoundaryValue, Condition
from neuralpde.integrators import Stage
from neuralpde.problems import ElasticBody
from neuralpde.representations import GridField

Solve: TypeAlias = Callable[[ElasticBody, GridField, Tensor, int | None], Stage]
"""(body, grid, θ to start from, most iterations) → the state at rest."""

AHEAD = 1e-4
"""Change of the factor from which the state's own change with it is found."""


@dataclass(frozen=True)
class _Share:
    """s · value, of a function of t and points."""

    value: Callable[[float, Tensor], Tensor]
    s: float

    def __call__(self, t: float, x: Tensor) -> Tensor:
        return self.s * self.value(t, x)


def share_of(problem: ElasticBody, s: float) -> ElasticBody:
    """The same body with s times its boundary data and body forces."""
    conditions = tuple(_scaled(condition, s) for condition in problem.conditions)
    return replace(problem, conditions=conditions, body_force=_Share(problem.force, s), gravity=None, solution=None)


def _scaled(condition: Condition, s: float) -> Condition:
    value: BoundaryValue | None = getattr(condition, "value", None)
    if value is None:
        return condition
    if callable(value):
        return replace(condition, value=_Share(value, s))  # type: ignore[arg-type]
    numbers = tuple(s * v for v in value) if isinstance(value, tuple) else s * value
    return replace(condition, value=numbers)  # type: ignore[arg-type]


def raised_on_grid(
    problem: ElasticBody, grid: GridField, solve: Solve, options: LoadSteps
) -> tuple[Stage, tuple[float, ...]]:
    """The state under the whole load, and the factors of the loads on the way to it.

    Nodes of the boundary that move by more than the distance to the next ones turn the material between them inside
    out, where no Newton's method can start. So a step begins where the state is led by its own change with the factor,
    one linear solve::

        θ(s + Δs) ≈ θ(s) + Δs dθ/ds,    ∂F/∂θ dθ/ds = −∂F/∂s

    Args:
        problem: the body.
        grid: its displacement.
        solve: finds a state at rest.
        options: of the steps; the whole load has failed already.

    Source: Allgower & Georg, Introduction to Numerical Continuation Methods (2003), chapter 2: Euler's predictor.
    """

    def at(s: float, theta: Tensor, most: int | None = None) -> Stage:
        body = share_of(problem, s)
        field = GridField.for_problem(body, grid.grid.shape, order=grid.order, dtype=grid.dtype, device=grid.device)
        return solve(body, field, theta, most)

    done, step, theta = 0.0, CUT * options.first, grid.initial()
    factors, count, history, way = list[float](), 0, list[float](), None
    while True:
        if way is None:
            way = (at(done + AHEAD, theta, 1).theta - theta) / AHEAD
        goal = 1.0 if done + step > 1 - 0.5 * options.smallest else done + step
        stage = at(goal, theta + (goal - done) * way)
        count += stage.iterations
        history += stage.history
        ended = replace(stage, iterations=count, history=tuple(history))
        if stage.status.ok and bool(torch.isfinite(stage.theta).all()):
            done, theta, way = goal, stage.theta, None
            factors.append(goal)
            step *= options.growth
            if goal == 1.0:
                return ended, tuple(factors)
            continue
        step *= CUT
        if step < max(options.smallest, RESOLVED * done):
            return replace(ended, theta=theta), tuple(factors)
