"""An equation of a user's own, at most 40 lines, on every kind of representation; systems with two channels."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass

import pytest
import torch
from tables import UNIT, Spin, Waves

from neuralpde import RK4, Dirichlet, GridField, ImplicitMidpoint, NeuralField, Periodic, Problem, simulate
from neuralpde.optimize import GaussNewton

START = GaussNewton(maxiter=150, damping=1e-4, stall=0.0, atol=1e-8)


@dataclass(frozen=True)
class Fisher(Problem):
    """u_t = D u_xx + r u (1 − u) with Ablowitz and Zeppetella's travelling front as boundary data."""

    growth: float = 1.0
    domain = UNIT
    conditions = (Dirichlet(lambda t, x: Fisher().exact(t, x)),)
    needs = frozenset({"laplacian"})

    def rhs(self, t, x, u):
        return u.laplacian + self.growth * u.value * (1 - u.value)

    def initial(self, x):
        return self.exact(0.0, x)

    def exact(self, t, x):
        return (1 + torch.exp((x - 5 / math.sqrt(6) * t) / math.sqrt(6))) ** -2


def test_it_is_short() -> None:
    assert len(inspect.getsource(Fisher).splitlines()) <= 40


@pytest.mark.parametrize(
    ("order", "integrator", "dt", "tolerance"),
    [(2, ImplicitMidpoint(), 0.0125, 5e-6), (6, RK4(), 1e-3, 1e-9)],
    ids=["order 2", "order 6"],
)
def test_it_runs_on_a_grid(order: int, integrator, dt: float, tolerance: float) -> None:
    run = simulate(Fisher(), GridField.for_problem(Fisher(), 21, order=order), integrator, dt=dt, t_end=0.4)
    assert run.error([0.4], points=21)["max_error"] <= tolerance


def test_it_runs_on_a_neural_field() -> None:
    r = NeuralField.for_problem(Fisher(), hidden=(6,), steepness=3.0)
    run = simulate(Fisher(), r, ImplicitMidpoint(), dt=0.05, t_end=0.2, initial_fit={"options": START})
    assert run.error(points=101)["max_error"] <= 1e-4
    for t in run.times.tolist():  # the walls move with the front, exactly
        ends = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
        torch.testing.assert_close(run.at(t)(ends), Fisher().exact(t, ends), rtol=0, atol=1e-14)


@pytest.mark.parametrize("integrator", [RK4(), ImplicitMidpoint()], ids=repr)
@pytest.mark.parametrize(("problem", "tolerance"), [(Waves(), 2e-4), (Spin(), 2e-4)], ids=["flux form", "strong form"])
def test_systems_run_on_a_grid(problem: Problem, tolerance: float, integrator) -> None:
    r = GridField.for_problem(problem, 33, order=6)
    run = simulate(problem, r, integrator, dt=0.01, t_end=0.5, save_every=10)
    assert run.error(points=101)["max_error"] <= (10 if integrator.order == 2 else 1) * tolerance
    assert run.probe([[0.2]]).shape == (6, 1, 2)


def test_a_system_in_flux_form_runs_on_a_neural_field() -> None:
    problem = Waves()
    r = NeuralField.for_problem(problem, hidden=(6,), features="harmonic", harmonics=1)
    run = simulate(problem, r, RK4(), dt=0.05, t_end=0.1, initial_fit={"options": START})
    assert run.error(points=101)["max_error"] <= 2e-3
    assert isinstance(problem.conditions[0], Periodic)
