"""Butcher's order conditions, stability functions, and the bookkeeping of steps."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import numpy as np
import pytest
import torch
from tables import RUNGE_KUTTA, IntegratorRow

import neuralpde.integrators
from neuralpde.integrators import Dynamics, LieSplitting, RungeKutta, Stage, State, StepInfo
from neuralpde.integrators._runge_kutta import _predict
from neuralpde.types import Status, UsageError

rows = pytest.mark.parametrize("row", RUNGE_KUTTA, ids=lambda row: row.name)


def _tableau(row: IntegratorRow) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    integrator = row.make()
    assert isinstance(integrator, RungeKutta)
    t = integrator.tableau
    return np.array(t.a), np.array(t.b), np.array(t.c)


@rows
def test_order_conditions(row: IntegratorRow) -> None:
    a, b, c = _tableau(row)
    conditions = {
        1: [(b.sum(), 1)],
        2: [(b @ c, 1 / 2)],
        3: [(b @ c**2, 1 / 3), (b @ a @ c, 1 / 6)],
        4: [(b @ c**3, 1 / 4), ((b * c) @ a @ c, 1 / 8), (b @ a @ c**2, 1 / 12), (b @ a @ a @ c, 1 / 24)],
    }
    np.testing.assert_allclose(a.sum(axis=1), c, atol=1e-15)
    for order in range(1, row.order + 1):
        for got, wanted in conditions[order]:
            assert got == pytest.approx(wanted, abs=1e-14)
    if row.order < 4:
        assert any(abs(got - wanted) > 1e-3 for got, wanted in conditions[row.order + 1])


def _amplification(row: IntegratorRow, z: complex) -> complex:
    """R(z) = 1 + z bᵀ (I − zA)⁻¹ 1."""
    a, b, _ = _tableau(row)
    return 1 + z * b @ np.linalg.solve(np.eye(len(b)) - z * a, np.ones(len(b)))


@rows
def test_stability(row: IntegratorRow) -> None:
    left = [complex(-x, y) for x in (0.0, 0.1, 1.0, 10.0, 1e3) for y in (-1e3, -3.0, 0.0, 1.0, 30.0)]
    a_stable = max(abs(_amplification(row, z)) for z in left) <= 1 + 1e-12
    assert a_stable == (row.family == "implicit")
    damps = abs(_amplification(row, -1e9)) < 1e-6
    assert damps == (row.name in ("implicit_euler", "sdirk4")), "L-stable: implicit Euler and SDIRK4 only"


class _Line(Dynamics):
    """θ̇ = λ θ, solved exactly in every stage, which counts what a method asks for."""

    flows: tuple[bool, ...] = (True,)

    def __init__(self, rate: float) -> None:
        self.rate, self.times = rate, list[float]()

    def slope(self, t, theta, part=None):
        self.times.append(t)
        return self.rate * theta

    def explicit(self, base, terms, t, guess=None):
        return Stage(base.theta + sum(c * f for c, f in terms), iterations=1)

    def implicit(self, base, terms, gamma, t, guess=None, part=None):
        self.times.append(t)
        theta = (base.theta + sum(c * f for c, f in terms)) / (1 - gamma * self.rate)
        return Stage(theta, Status.CONVERGED_RTOL, 1e-13, 2)

    def flow(self, part, base, dt, guess=None, carrier=None):
        return Stage(base.theta * float(np.exp(self.rate * dt)))


@rows
def test_a_step_multiplies_by_the_stability_function(row: IntegratorRow) -> None:
    state, info = row.make().step(_Line(-1.5), State(2.0, torch.ones(1, dtype=torch.float64)), 0.3)
    assert float(state.theta) == pytest.approx(_amplification(row, -0.45).real, rel=1e-14)
    assert state.t == pytest.approx(2.3) and info.status is Status.COMPLETED


@rows
def test_stages_stand_at_their_nodes(row: IntegratorRow) -> None:
    line, (_, _, c) = _Line(-1.0), _tableau(row)
    row.make().step(line, State(2.0, torch.ones(1)), 0.5)
    assert set(line.times) == {2.0 + 0.5 * node for node in c}


def test_splitting_applies_every_flow() -> None:
    line = _Line(-1.0)
    line.flows = (True, True)
    state, _ = LieSplitting().step(line, State(0.0, torch.ones(1, dtype=torch.float64)), 0.5)
    assert float(state.theta) == pytest.approx(np.exp(-1.0)) and state.t == 0.5
    line.flows = (True, False)
    with pytest.raises(UsageError, match="needs a flow for every term"):
        LieSplitting().check(line)


def test_a_dynamics_without_implicit_stages_is_refused() -> None:
    line = _Line(-1.0)
    line.explicit_only = True
    for row in RUNGE_KUTTA:
        if row.family == "implicit":
            with pytest.raises(UsageError, match=r"_Line is explicit and .*\(\) has implicit stages; use RK4"):
                row.make().check(line)
        else:
            row.make().check(line)


def test_prediction_is_linear_in_time() -> None:
    first = State(0.0, torch.tensor([1.0]))
    assert first.predict(1.0) is None
    second = first.advance(0.5, torch.tensor([2.0]))
    assert second.history == ((0.0, first.theta),)
    assert float(second.predict(0.75)) == 2.5
    third = second.advance(0.6, torch.tensor([0.0]))
    assert len(third.history) == 1, "one state back is all that a step needs"


def _line(t: float) -> torch.Tensor:
    return torch.tensor([1.0 - 2.0 * t, 4.0 * t], dtype=torch.float64)


@pytest.mark.parametrize("t", [-1.0, 0.0, 0.3, 0.55, 0.8, 2.0])
def test_a_stage_is_predicted_exactly_where_theta_is_linear_in_time(t: float) -> None:
    known = [(s, _line(s)) for s in (0.0, 0.5, 0.75, 0.55)]
    predicted = _predict(known, t)
    assert predicted is not None
    torch.testing.assert_close(predicted, _line(t), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("t", "nearest"), [(0.1, (0.0, 0.25)), (0.3, (0.25, 0.5)), (0.6, (0.5, 0.25)), (2.0, (1, 0.5))]
)
def test_a_stage_is_predicted_from_the_two_states_nearest_in_time(t: float, nearest: tuple[float, float]) -> None:
    known = [(s, torch.tensor([s**2], dtype=torch.float64)) for s in (1.0, 0.0, 0.5, 0.25)]
    a, b = nearest
    secant = a**2 + (t - a) * (a + b)  # of the parabola through a and b
    assert float(_predict(known, t)) == pytest.approx(secant, rel=1e-14)


def test_a_stage_is_not_predicted_from_one_time() -> None:
    theta = torch.ones(2)
    assert _predict([], 0.5) is None
    assert _predict([(0.0, theta)], 0.5) is None
    assert _predict([(0.0, theta), (0.0, 2 * theta)], 0.5) is None, "two states at one time make no line"


def test_of_several_stages_at_one_time_the_last_predicts() -> None:
    # RK4 has two stages at t + dt/2, and the second corrects the first
    start, first, second = (torch.tensor([number]) for number in (0.0, 1.0, 3.0))
    assert float(_predict([(0.0, start), (0.5, first), (0.5, second)], 1.0)) == 6.0
    assert float(_predict([(0.0, start), (0.5, second), (0.5, first)], 1.0)) == 2.0


def test_a_step_reports_its_worst_stage() -> None:
    theta = torch.zeros(1)
    good, slow = Stage(theta, Status.CONVERGED_RTOL, 1e-9, 3), Stage(theta, Status.MAXITER, 1e-3, 5)
    info = StepInfo.of([good, slow, good])
    assert (info.status, info.residual, info.iterations) == (Status.MAXITER, 1e-3, 11)
    assert StepInfo.of([slow, Stage(theta, Status.NON_FINITE)]).status is Status.NON_FINITE
    assert StepInfo.of([good]).status is Status.COMPLETED


@pytest.mark.parametrize("name", [m.name for m in pkgutil.iter_modules(neuralpde.integrators.__path__)])
def test_docstring_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"neuralpde.integrators.{name}")).failed == 0
