"""Observed order of accuracy of every integrator, on grids without space error and on neural fields."""

from __future__ import annotations

import functools

import pytest
import torch
from tables import (
    CIRCLE,
    FLOW_INTEGRATORS,
    INTEGRATORS,
    MOTION_INTEGRATORS,
    WHOLE,
    Drift,
    Forced,
    GrowingWave,
    IntegratorRow,
    moving_walls,
    orders,
)

from neuralpde.dynamics import make_dynamics
from neuralpde.geometry import Box, Dirichlet, Periodic
from neuralpde.integrators import INTEGRATORS as BY_NAME
from neuralpde.integrators import LieSplitting, RungeKutta, State
from neuralpde.optimize import GaussNewton
from neuralpde.problems import Advection, Problem, SineMode, SineSpeed
from neuralpde.representations import GridField, NeuralField

whole = pytest.mark.parametrize("row", WHOLE, ids=lambda row: row.name)


def _march(problem: Problem, r, row_make, theta, steps: int, t_end: float, **options) -> float:
    """Largest error at t_end after equal steps."""
    dynamics, integrator, dt = make_dynamics(problem, r, **options), row_make(), t_end / steps
    state = State(0.0, theta)
    for k in range(steps):
        state, info = integrator.step(dynamics, state, dt)
        assert info.status.ok
        state = State((k + 1) * dt, state.theta, state.history)
    x = problem.domain.from_unit(torch.linspace(0, 1, 101, dtype=torch.float64)[:, None])
    return float((r.at(state.theta, state.t)(x) - problem.exact(t_end, x)).abs().max())


def _grid_errors(problem: Problem, make, levels, n: int = 9, t_end: float = 1.0) -> list[float]:
    r = GridField.for_problem(problem, n, order="fourier")
    theta = r.project(problem.initial).theta
    return [_march(problem, r, make, theta, steps, t_end) for steps in levels]


@whole
def test_nonlinear_nonautonomous_on_a_spectral_grid(row: IntegratorRow) -> None:
    errors = _grid_errors(Forced(), row.make, (10, 20, 40, 80))
    assert errors[-1] > 1e-11
    # the upper bound: the table would otherwise not notice an order that is stated too low
    assert row.order - 0.15 <= orders(errors)[-1] <= row.order + 0.3, errors
    assert errors[0] < 0.1


@pytest.mark.parametrize("row", [r for r in WHOLE if r.order < 4], ids=lambda row: row.name)
def test_walls_that_move_in_time_keep_the_order(row: IntegratorRow) -> None:
    # Fourth order methods lose part of theirs to such data (Hairer & Wanner II, IV.15): SDIRK4, of stage order 1, falls
    # to 2 when the diffusion is stiff, and the table states no order for that.
    problem = Forced(viscosity=0.01, domain=Box((0.0,), (1.0,)), conditions=(Dirichlet(moving_walls),))
    r = GridField.for_problem(problem, 21, order=6)
    theta = r.project(problem.initial).theta
    errors = [_march(problem, r, row.make, theta, steps, 1.0) for steps in (50, 100, 200)]
    assert errors[-1] > 1e-8
    assert orders(errors)[-1] >= row.order - 0.15, errors


def test_back_traced_characteristics_are_fourth_order() -> None:
    problem = Advection(speed=SineSpeed(), profile=SineMode((4.0,)))
    errors = _grid_errors(problem, LieSplitting, (4, 8, 16, 32), n=64, t_end=4.0)
    assert errors[-1] > 1e-11
    assert orders(errors)[-1] >= 4 - 0.15, errors


def test_splitting_two_flows_that_do_not_commute_is_first_order() -> None:
    errors = _grid_errors(GrowingWave(), LieSplitting, (10, 20, 40, 80), n=32)
    assert errors[-1] > 1e-11
    assert 1 - 0.15 <= orders(errors)[-1] <= 1.3, errors


def test_constant_speed_has_no_time_error() -> None:
    problem = Advection(speed=0.7, profile=SineMode((4.0,)))
    assert max(_grid_errors(problem, LieSplitting, (1, 3, 50), n=8, t_end=5.0)) <= 1e-12


@functools.cache
def _drifting_field() -> tuple[NeuralField, torch.Tensor]:
    r = NeuralField(CIRCLE, (Periodic(),), hidden=(4,), features="harmonic", harmonics=1)
    start = r.project(Drift().initial, options=GaussNewton(maxiter=400, damping=1e-4, stall=0.0))
    assert start.error <= 5e-6
    return r, start.theta


# steps of the first pair of levels whose errors stand clear of what the fits leave (about 1e-6)
NEURAL_LEVELS = {1: (8, 16), 2: (6, 12), 4: (4, 8)}


@whole
def test_function_space_stages_keep_the_order(row: IntegratorRow) -> None:
    r, theta = _drifting_field()
    fit = GaussNewton(maxiter=80, stall=1e-4, damping=1e-6, atol=1e-9)
    levels = (12, 24) if row.name == "bdf2" else NEURAL_LEVELS[row.order]  # two steps back are farther off
    errors = [_march(Drift(), r, row.make, theta, steps, 1.0, fit=fit) for steps in levels]
    assert errors[-1] > 2e-6, "too close to the floor of the fits"
    assert orders(errors)[-1] >= row.order - 0.15, errors


def test_back_traced_characteristics_on_a_neural_field() -> None:
    problem = Advection(speed=SineSpeed(mean=1.0, period=2 * torch.pi), profile=torch.sin, domain=CIRCLE)
    r = NeuralField.for_problem(problem, hidden=(16,), steepness=5.0)
    theta = r.project(problem.initial, options=GaussNewton(maxiter=200, damping=1e-4, stall=0.0)).theta
    fit = GaussNewton(maxiter=40, stall=1e-3, damping=1e-6, atol=1e-9)
    errors = [_march(problem, r, LieSplitting, theta, steps, 2.0, fit=fit) for steps in (1, 2)]
    assert errors[-1] > 1e-5, "too close to the floor of the fits"
    assert orders(errors)[-1] >= 4 - 0.15, errors


@pytest.mark.parametrize("row", INTEGRATORS, ids=lambda row: row.name)
def test_what_the_table_says_is_what_the_package_says(row: IntegratorRow) -> None:
    integrator = row.make()
    assert (integrator.order, BY_NAME[row.name]) == (row.order, row.make)
    assert repr(integrator) == f"{row.make.__name__}()"
    if isinstance(integrator, RungeKutta):
        implicit = any(a[i] != 0 for i, a in enumerate(integrator.tableau.a))
        assert implicit == (row.family == "implicit")


def test_every_integrator_of_the_package_has_a_row() -> None:
    assert {row.name for row in (*INTEGRATORS, *FLOW_INTEGRATORS, *MOTION_INTEGRATORS)} == set(BY_NAME)
