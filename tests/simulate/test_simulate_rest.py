"""Marching until nothing moves: where it stops, what it says, that it goes on, and what never stops."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from neuralpde.geometry import Box, Dirichlet
from neuralpde.integrators import RK4, ImplicitEuler, IncrementalPressureCorrection
from neuralpde.optimize import GaussNewton
from neuralpde.problems import CylinderChannel, Heat, LidDrivenCavity, Problem, TaylorGreen
from neuralpde.representations import GridField, MacGrid, NeuralField
from neuralpde.simulate import Solution, load_solution, simulate, solve
from neuralpde.types import Status, UsageError


@dataclass(frozen=True)
class Warmed(Problem):
    """u_t = κ u_xx + source between cold walls: u → source x (1 − x)/(2κ), slowest as exp(−κπ² t)."""

    diffusivity: float = 0.1
    source: float = 1.0
    domain = Box((0.0,), (1.0,))
    conditions = (Dirichlet(0.0),)
    needs = frozenset({"laplacian"})

    def rhs(self, t, x, u):
        return self.diffusivity * u.laplacian + self.source

    def initial(self, x):
        return torch.sin(math.pi * x)

    def steady(self, x):
        return self.source * x * (1 - x) / (2 * self.diffusivity)


def _warmed(tolerance: float | None = 1e-4, **options) -> Solution:
    problem = Warmed()
    grid = GridField.for_problem(problem, 17, order=6)
    plan = {"dt": 0.05, "t_end": 50.0, **options}
    return simulate(problem, grid, ImplicitEuler(), until_steady=tolerance, **plan)


def _rms(values: torch.Tensor) -> float:
    return float(values.square().mean().sqrt())


def test_it_stops_at_the_first_step_that_moves_less_than_the_tolerance() -> None:
    run = _warmed()
    change = [_rms(b - a) / (0.05 * _rms(b)) for a, b in zip(run.states[:-1], run.states[1:], strict=True)]
    assert run.status is Status.STEADY and run.status.ok and run.last.t < 50.0
    assert change[-1] <= 1e-4 < min(change[:-1])
    assert run.recipe["until_steady"] == 1e-4
    assert "steps to t = " in run.summary() and "the field came to rest (‖Δu‖ ≤ 0.0001 Δt ‖u‖)" in run.summary()


def test_what_is_left_is_the_tolerance_over_the_slowest_rate() -> None:
    run = _warmed()
    x = run.representation.points
    left = _rms(run.at(run.last.t)(x) - Warmed().steady(x)) / _rms(Warmed().steady(x))
    assert left == pytest.approx(1e-4 / (0.1 * math.pi**2), rel=0.05)


def test_the_last_state_is_saved_and_stays() -> None:
    run = _warmed(save_every=10**6)
    assert len(run.times) == 2 and float(run.times[-1]) == run.last.t
    assert torch.equal(run.states[-1], run.last.theta)
    x = run.representation.points
    assert torch.equal(run.at(1e3)(x), run.at(run.last.t)(x))
    with pytest.raises(UsageError, match=r"the solution spans t = 0 … 1; got t = 2"):
        _warmed(None, t_end=1.0).at(2.0)


def test_a_run_stopped_before_its_rest_comes_to_the_same_rest(tmp_path: Path) -> None:
    whole = _warmed()
    first = _warmed(progress=lambda step, *_: step < 40)
    assert first.status is Status.INTERRUPTED and len(first.infos) == 40
    loaded = load_solution(first.save(tmp_path / "first.h5"), Warmed())
    second = _warmed(restart=loaded.last)
    assert second.status is Status.STEADY and len(second.infos) == len(whole.infos) - 40
    assert torch.equal(second.last.theta, whole.last.theta)
    again = load_solution(second.save(tmp_path / "second.h5"), Warmed())
    assert again.status is Status.STEADY and again.recipe["until_steady"] == 1e-4


def test_to_stop_and_to_come_to_rest_in_one_step_is_rest() -> None:
    steps = len(_warmed().infos)
    assert _warmed(progress=lambda step, *_: step < steps).status is Status.STEADY
    assert _warmed(progress=lambda step, *_: step < steps - 1).status is Status.INTERRUPTED


def test_a_field_that_only_fades_runs_to_the_end() -> None:
    heat, flow = Heat(), TaylorGreen(viscosity=0.1)
    fading = simulate(heat, GridField.for_problem(heat, 16), RK4(), dt=0.01, t_end=0.5, until_steady=0.01)
    assert (fading.status, len(fading.infos)) == (Status.COMPLETED, 50)
    grid = MacGrid.for_problem(flow, 8)
    fading = simulate(flow, grid, IncrementalPressureCorrection(), dt=0.05, t_end=0.5, until_steady=0.01)
    assert (fading.status, len(fading.infos)) == (Status.COMPLETED, 10)


def test_a_neural_field_comes_to_rest() -> None:
    problem = Warmed(diffusivity=1.0)
    field = NeuralField.for_problem(problem, hidden=(6, 6), steepness=2)
    fit = GaussNewton(maxiter=20)
    run = simulate(problem, field, ImplicitEuler(), dt=0.1, t_end=5.0, until_steady=1e-2, fit=fit)
    x = field.quadrature(256).points
    before, after = (field.at(theta, 0.0)(x) for theta in run.states[-2:])
    assert run.status is Status.STEADY and _rms(after - before) <= 1e-2 * 0.1 * _rms(after)
    assert _rms(after - problem.steady(x)) <= 0.01 * _rms(problem.steady(x))


def test_the_cavity_marched_to_rest_is_the_one_solved_for() -> None:
    cavity = LidDrivenCavity(viscosity=0.01)
    grid = MacGrid.for_problem(cavity, 32)
    integrator, plan = IncrementalPressureCorrection(), {"dt": 0.02, "t_end": 200.0, "save_every": 10**6}
    marched, solved = simulate(cavity, grid, integrator, until_steady=1e-5, **plan), solve(cavity, grid)
    assert marched.status is Status.STEADY and marched.last.t < 50.0
    for unknown, found in marched.errors(times=[marched.last.t], points=33, reference=solved).items():
        # the slowest of the cavity's decays at this Reynolds number has a rate of about 1/2
        assert found["rel_l2"] <= 3e-5, unknown


def test_a_flow_around_a_solid_comes_to_rest() -> None:
    flow = CylinderChannel(speed=0.3)
    grid = MacGrid.for_problem(flow, (54, 10))
    with pytest.raises(UsageError, match=r"march CylinderChannel .*dt=, t_end=, until_steady=1e-6\)"):
        solve(flow, grid)
    plan = {"dt": 0.04, "t_end": 60.0, "save_every": 10**6}
    run = simulate(flow, grid, IncrementalPressureCorrection(), until_steady=1e-3, **plan)
    assert run.status is Status.STEADY and 1.0 < run.last.t < 60.0


@pytest.mark.parametrize("tolerance", [0.0, -1e-6, math.inf, math.nan, True, "1e-6"])
def test_a_tolerance_must_be_a_positive_number(tolerance: object) -> None:
    with pytest.raises(UsageError, match="until_steady must be a positive number such as 1e-6") as caught:
        _warmed(tolerance)  # type: ignore[arg-type]
    assert str(caught.value).endswith(f"got {tolerance!r}.")
