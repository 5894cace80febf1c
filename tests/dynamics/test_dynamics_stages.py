"""Stages: what they solve, the residual that they report, and how their solvers compare."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from tables import CIRCLE, SQUARE, UNIT, Drift, Forced, Spin, Waves, points_in

from neuralpde.dynamics import DiscreteDynamics, FunctionSpaceDynamics, GalerkinDynamics, Newton, make_dynamics
from neuralpde.dynamics._linearised import JacobianMatrix, coefficients
from neuralpde.geometry import Dirichlet, Neumann, Periodic
from neuralpde.integrators import RK4, SDIRK4, ImplicitMidpoint, State
from neuralpde.optimize import Adam, GaussNewton, least_squares
from neuralpde.problems import Burgers, Heat, Problem, SineMode
from neuralpde.representations import GridField, NeuralField
from neuralpde.simulate import simulate
from neuralpde.types import NonFiniteError, NotConvergedError, Status

START = GaussNewton(maxiter=150, damping=1e-4, stall=0.0, atol=1e-8)


def _field(problem: Problem, **options) -> tuple[NeuralField, torch.Tensor]:
    r = NeuralField.for_problem(problem, **{"hidden": (8,), "steepness": 4.0, **options})
    return r, r.project(problem.initial, options=START).theta


# ------------------------------------------------------------------------------------------ grids


@pytest.mark.parametrize("order", [2, 6, "fourier"])
def test_the_slope_is_the_right_hand_side_at_the_nodes(order) -> None:
    problem = Forced()
    r = GridField.for_problem(problem, 16, order=order)
    theta = torch.randn(16, dtype=torch.float64)
    jet = r.at(theta, 0.3).jet(r.points, problem.needs)
    expected = problem.rhs(0.3, r.points, jet)[:, 0]
    assert torch.equal(DiscreteDynamics(problem, r).slope(0.3, theta), expected)


@pytest.mark.parametrize(
    "problem",
    [Heat(), Heat(conditions=(Dirichlet(1.0, "x-"), Neumann(2.0, "x+"))), Burgers(0.1), Forced(), Waves(), Spin()],
    ids=lambda p: f"{p.name}{len(p.conditions)}",
)
@pytest.mark.parametrize("order", [2, 6])
def test_an_implicit_stage_solves_its_equation(problem: Problem, order: int) -> None:
    r = GridField.for_problem(problem, 17, order=order)
    dynamics = DiscreteDynamics(problem, r)
    base = State(0.1, r.project(problem.initial).theta)
    slope = dynamics.slope(0.1, base.theta)
    stage = dynamics.implicit(base, ((0.01, slope),), 0.02, 0.13)
    residual = stage.theta - 0.02 * dynamics.slope(0.13, stage.theta) - base.theta - 0.01 * slope
    assert stage.status.ok and stage.iterations >= 1
    assert stage.residual == pytest.approx(float(residual.abs().max()), abs=1e-15)
    assert stage.residual <= 1e-10 * float(base.theta.abs().max())


def test_an_unfinished_stage_reports_the_residual_it_has() -> None:
    problem = Burgers(0.05)
    r = GridField.for_problem(problem, 32, order=6)
    dynamics = DiscreteDynamics(problem, r, Newton(maxiter=2))
    base = State(0.0, r.project(problem.initial).theta)
    stage = dynamics.implicit(base, (), 0.2, 0.2)
    residual = stage.theta - 0.2 * dynamics.slope(0.2, stage.theta) - base.theta
    assert (stage.status, stage.iterations) == (Status.MAXITER, 2)
    assert stage.residual == pytest.approx(float(residual.abs().max()), rel=1e-9) and stage.residual > 1e-9


@pytest.mark.parametrize(
    ("order", "linear"),
    [
        (order, linear)
        for order in (2, "fourier", 6)
        for linear in ("auto", "fast", "cg", "gmres")
        if (order, linear) != (6, "fast")
    ],
)
def test_linear_solvers_of_implicit_stages_agree(order, linear: str) -> None:
    problem = Heat()
    r = GridField.for_problem(problem, 24, order=order)
    base = State(0.0, torch.randn(24, dtype=torch.float64))
    direct, other = (
        DiscreteDynamics(problem, r, Newton(name)).implicit(base, (), 0.05, 0.05) for name in ("direct", linear)
    )
    assert other.status.ok
    torch.testing.assert_close(other.theta, direct.theta, rtol=0, atol=1e-10)


@pytest.mark.parametrize("linear", ["direct", "gmres"])
def test_linear_solvers_agree_where_channels_couple(linear: str) -> None:
    problem = Spin(domain=SQUARE)
    r = GridField.for_problem(problem, 10)
    run = simulate(problem, r, ImplicitMidpoint(), dt=0.1, t_end=0.4, newton=Newton(linear))
    exact = problem.exact(0.4, r.points)
    assert float((run.at(0.4)(r.points) - exact).abs().max()) <= 1e-2


def _newton_residuals(problem: Problem) -> list[float]:
    """Residual after 0, 1, 2, … Newton iterations of one large implicit step."""
    r = GridField.for_problem(problem, 32, order=6)
    theta, out = r.project(problem.initial).theta, []
    for maxiter in range(1, 8):
        dynamics = DiscreteDynamics(problem, r, Newton(maxiter=maxiter))
        stage = dynamics.implicit(State(0.0, theta), (), 0.2, 0.2)
        out.append(stage.residual)
        if stage.status.ok:
            break
    return out


def test_newton_converges_quadratically_on_burgers() -> None:
    residuals = _newton_residuals(Burgers(0.05))
    assert residuals[-1] < 1e-11 and 3 <= len(residuals) <= 7
    contracting = [(a, b) for a, b in pairwise(residuals) if a < 0.1 and b > 1e-13]
    rates = [math.log(b) / math.log(a) for a, b in contracting]
    assert rates and max(rates) >= 1.7, residuals


@pytest.mark.parametrize("problem", [Heat(), Drift(), Spin(), Spin(domain=SQUARE), Waves()], ids=lambda p: p.name)
def test_newton_on_a_linear_problem_takes_one_iteration(problem: Problem) -> None:
    # one iteration is what an exact Jacobian needs, couplings of channels included
    r = GridField.for_problem(problem, 12, order=6)
    stage = DiscreteDynamics(problem, r).implicit(State(0.0, r.project(problem.initial).theta), (), 0.02, 0.02)
    assert stage.iterations == 1


class Tangled(Problem):
    """Two channels that use every part of the jet, in products."""

    domain, conditions, unknowns = SQUARE, (Dirichlet(0.3),), {"u": 2}
    needs = frozenset({"grad", "hess"})

    def rhs(self, t, x, u):
        a, b = u.value[:, 0], u.value[:, 1]
        one = a * u.hess[:, 1, 0, 1] + u.grad[:, 0, 1] * u.grad[:, 1, 0] + x[:, 0] * b**2
        return torch.stack([one, u.laplacian[:, 0] * b - a**3], dim=-1)


def test_the_matrix_of_newton_is_the_derivative_of_the_slope() -> None:
    problem = Tangled()
    r = GridField.for_problem(problem, (5, 6))
    dynamics = DiscreteDynamics(problem, r)
    theta = torch.rand(r.num_dofs, dtype=torch.float64)
    jet = r.at(theta).jet(r.points, problem.needs)
    _, parts = coefficients(problem, 0.0, r.points, jet, problem.needs | {"value"})
    matrix = torch.as_tensor(JacobianMatrix(r, problem.needs)(parts).toarray())
    h = 1e-4
    columns = [
        (dynamics.slope(0.0, theta + e) - dynamics.slope(0.0, theta - e)) / (2 * h) for e in h * torch.eye(len(theta))
    ]
    torch.testing.assert_close(matrix, torch.stack(columns, -1), rtol=0, atol=1e-6 * float(matrix.abs().max()))


def test_a_newton_that_runs_out_says_so() -> None:
    problem = Burgers(0.05)
    with pytest.raises(NotConvergedError, match=r"Burgers, step 1 of 1.*iteration limit.*smaller time step") as caught:
        simulate(problem, GridField.for_problem(problem, 32), SDIRK4(), dt=0.5, t_end=0.5, newton=Newton(maxiter=1))
    assert caught.value.result.status is Status.MAXITER and len(caught.value.result.times) == 1


def test_float32_marches_on_grids() -> None:
    problem = Heat()
    for integrator in (RK4(), ImplicitMidpoint()):
        run = simulate(problem, GridField.for_problem(problem, 16, dtype=torch.float32), integrator, dt=5e-3, t_end=0.1)
        double = simulate(problem, GridField.for_problem(problem, 16), integrator, dt=5e-3, t_end=0.1)
        assert run.states.dtype == torch.float32
        torch.testing.assert_close(run.states.double(), double.states, rtol=0, atol=2e-5)


# --------------------------------------------------------------------------------- function space


def test_a_function_space_slope_is_the_right_hand_side_at_points() -> None:
    problem = Forced()
    r, theta = _field(problem)
    slope, x = make_dynamics(problem, r).slope(0.2, theta), points_in(CIRCLE)
    expected = problem.rhs(0.2, x, r.at(theta, 0.2).jet(x, problem.needs))
    torch.testing.assert_close(slope(x), expected, rtol=0, atol=1e-13)
    assert slope(x) is slope(x)


WALLS = Heat(profile=SineMode(wavenumbers=(0.5,)), conditions=(Dirichlet(0.0, "x-"), Neumann(-math.pi, "x+")))


@pytest.mark.parametrize("problem", [Drift(), WALLS, Spin()], ids=["periodic", "with a slope", "two channels"])
@pytest.mark.parametrize("kind", ["explicit", "implicit"])
def test_the_residual_of_a_fit_is_the_one_of_its_field(problem: Problem, kind: str) -> None:
    r, theta = _field(problem)
    dynamics = FunctionSpaceDynamics(problem, r, GaussNewton(maxiter=5, accept=math.inf))
    base, q = State(0.0, theta), dynamics.quadrature
    slope = dynamics.slope(0.0, theta)
    if kind == "explicit":
        stage = dynamics.explicit(base, ((0.02, slope),), 0.02)
        left = r.at(stage.theta, 0.02)(q.points)
    else:
        stage = dynamics.implicit(base, ((0.02, slope),), 0.03, 0.05)
        u = r.at(stage.theta, 0.05).jet(q.points, problem.needs)
        left = u.value - 0.03 * problem.rhs(0.05, q.points, u)
    misfit = left - r.at(theta)(q.points) - 0.02 * slope(q.points)
    total = float((q.weights / q.weights.sum()) @ misfit.square().sum(-1))
    if problem is WALLS:
        end = torch.ones(1, 1, dtype=torch.float64)
        grad = r.at(stage.theta).jet(end, frozenset({"grad"})).grad
        total += float(grad + math.pi) ** 2
    assert stage.residual == pytest.approx(math.sqrt(total), rel=1e-8)
    assert stage.iterations <= 5 and stage.status is Status.COMPLETED


@pytest.mark.parametrize("problem", [Forced(), WALLS, Spin()], ids=["nonlinear", "with a slope", "two channels"])
@pytest.mark.parametrize("kind", ["explicit", "implicit"])
def test_the_jacobian_of_a_fit_is_the_derivative_of_its_residual(problem: Problem, kind: str, monkeypatch) -> None:
    # Gauss–Newton with a wrong Jacobian still descends, only slowly: so look at it, not at the outcome
    seen = {}

    def spy(residual, start, options, *, jacobian):
        seen.update(residual=residual, jacobian=jacobian)
        return least_squares(residual, start, options, jacobian=jacobian)

    monkeypatch.setattr("neuralpde.dynamics._function_space.least_squares", spy)
    r, theta = _field(problem, hidden=(4,))
    dynamics, base = FunctionSpaceDynamics(problem, r, GaussNewton(maxiter=1)), State(0.0, theta)
    if kind == "explicit":
        dynamics.explicit(base, ((0.05, dynamics.slope(0.0, theta)),), 0.05)
    else:
        dynamics.implicit(base, (), 0.05, 0.05)
    h = 1e-4
    columns = [
        (
            8 * (seen["residual"](theta + e) - seen["residual"](theta - e))
            - seen["residual"](theta + 2 * e)
            + seen["residual"](theta - 2 * e)
        )
        / (12 * h)
        for e in h * torch.eye(r.num_dofs, dtype=torch.float64)
    ]
    got = seen["jacobian"](theta)
    torch.testing.assert_close(got, torch.stack(columns, -1), rtol=0, atol=1e-7 * float(got.abs().max()))


def test_heat_between_insulated_walls_on_a_neural_field() -> None:
    problem = Heat(profile=SineMode(wavenumbers=(0.5,), phase=math.pi / 2), conditions=(Neumann(0.0),))
    r = NeuralField.for_problem(problem, hidden=(6,), steepness=4.0)
    fit = GaussNewton(maxiter=40, stall=1e-3, damping=1e-6, atol=1e-8)
    run = simulate(problem, r, SDIRK4(), dt=0.25, t_end=0.5, fit=fit, initial_fit={"options": START})
    assert run.error([0.5], points=101)["max_error"] <= 3e-5
    ends = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    assert float(run.at(0.5).jet(ends, frozenset({"grad"})).grad.abs().max()) <= 1e-4


def test_two_channels_on_a_neural_field() -> None:
    problem = Spin()
    r, _ = _field(problem, hidden=(6,))
    fit = GaussNewton(maxiter=30, stall=1e-3, damping=1e-6, atol=1e-8)
    run = simulate(problem, r, SDIRK4(), dt=0.25, t_end=0.5, fit=fit, initial_fit={"options": START})
    assert run.error(points=101)["max_error"] <= 1e-3


def test_adam_follows_the_published_protocol() -> None:
    problem = Drift()
    r, theta = _field(problem)
    slope = FunctionSpaceDynamics(problem, r).slope(0.0, theta)

    def stage(steps: int, seed: int = 0):
        dynamics = FunctionSpaceDynamics(problem, r, Adam(maxiter=steps, learning_rate=2e-3), seed=seed)
        return dynamics.explicit(State(0.0, theta), ((0.05, slope),), 0.05)

    x = points_in(CIRCLE, 200)
    target = r.at(theta)(x) + 0.05 * slope(x)

    def misfit(found) -> float:
        return float((r.at(found.theta)(x) - target).square().mean().sqrt())

    before = float((0.05 * slope(x)).square().mean().sqrt())
    few, many = stage(20), stage(300)
    assert misfit(many) < 0.2 * misfit(few) + 0.02 * before and misfit(many) < 0.15 * before
    assert (many.iterations, many.status) == (300, Status.COMPLETED)
    assert many.residual == pytest.approx(misfit(many), rel=0.6)  # both are means over other random points
    assert torch.equal(stage(20).theta, few.theta) and not torch.equal(stage(20, seed=1).theta, few.theta)


# --------------------------------------------------------------------------------------- Galerkin


@pytest.mark.parametrize("problem", [Heat(), Spin()], ids=["one channel", "two channels"])
def test_the_galerkin_slope_is_the_least_squares_solution(problem: Problem) -> None:
    r, theta = _field(problem, hidden=(5,))
    rcond = 1e-5
    dynamics = GalerkinDynamics(problem, r, rcond=rcond)
    q = dynamics.quadrature
    f = problem.rhs(0.0, q.points, r.at(theta).jet(q.points, problem.needs))
    root = q.weights.sqrt()[:, None]
    rows = torch.cat([root * r.jacobian(theta, q.points, c) for c in range(r.channels)])
    right = (root * f).T.reshape(-1)
    wanted = np.linalg.lstsq(rows.numpy(), right.numpy(), rcond=rcond)[0]
    np.testing.assert_allclose(dynamics.slope(0.0, theta).theta.numpy(), wanted, rtol=0, atol=1e-8 * abs(wanted).max())


def test_galerkin_steps_heat() -> None:
    problem = Heat(profile=SineMode(wavenumbers=(0.5,)), conditions=(Dirichlet(0.0),))
    r = NeuralField.for_problem(problem, hidden=(6,), steepness=4.0)
    run = simulate(
        problem, r, RK4(), dt=0.01, t_end=0.05, method="galerkin", rcond=1e-4, initial_fit={"options": START}
    )
    assert run.error(points=101)["max_error"] <= 2e-5
    moved = (run.at(0.05)(points_in(UNIT)) - run.at(0.0)(points_in(UNIT))).abs().max()
    assert float(moved) > 0.02


def test_a_galerkin_step_reports_what_it_leaves_behind() -> None:
    problem = Heat(profile=SineMode(wavenumbers=(0.5,)), conditions=(Dirichlet(0.0),))
    r, theta = _field(problem, hidden=(6,))
    dynamics = GalerkinDynamics(problem, r)
    slope = dynamics.slope(0.0, theta)
    short, long = (dynamics.explicit(State(0.0, theta), ((dt, slope),), dt) for dt in (0.01, 2.0))
    x = points_in(UNIT, 4000)
    f = problem.rhs(0.0, x, r.at(theta).jet(x, problem.needs))
    left = r.at(long.theta)(x) - r.at(theta)(x) - 2.0 * f
    assert long.residual == pytest.approx(float(left.square().mean().sqrt()), rel=0.1)
    assert long.status is Status.STAGNATED and short.status.ok and 0 < short.residual < 0.01 * long.residual


def test_galerkin_steps_that_run_away_are_failed_steps() -> None:
    problem = Burgers(0.01)
    r = NeuralField.for_problem(problem, hidden=(6,), steepness=4.0)
    with pytest.raises(NotConvergedError, match="smaller time step"):
        simulate(problem, r, RK4(), dt=0.1, t_end=1.0, method="galerkin", rcond=1e-10, initial_fit={"options": START})


# ------------------------------------------------------------------------------------------- NaN


class Poisoned(Problem):
    """u_t = √(0.5 − t) u: NaN after t = 0.5."""

    domain, conditions = UNIT, (Periodic(),)

    def rhs(self, t, x, u):
        return torch.as_tensor(0.5 - t).sqrt() * u.value

    def initial(self, x):
        return torch.sin(2 * math.pi * x)


@pytest.mark.parametrize("integrator", [RK4(), ImplicitMidpoint()], ids=repr)
@pytest.mark.parametrize("kind", ["grid", "neural field"])
def test_nan_stops_the_run_and_keeps_what_there_is(integrator, kind: str) -> None:
    problem = Poisoned()
    r = GridField.for_problem(problem, 8) if kind == "grid" else NeuralField.for_problem(problem, hidden=(4,))
    quick = {} if kind == "grid" else {"initial_fit": {"options": GaussNewton(20, damping=1e-4, accept=math.inf)}}
    with pytest.raises(
        NonFiniteError, match=r"Poisoned, step \d of 4 at t = .*NaN or Inf.*smaller time step"
    ) as caught:
        simulate(problem, r, integrator, dt=0.25, t_end=1.0, **quick)
    result = caught.value.result
    assert result.status is Status.NON_FINITE and bool(torch.isfinite(result.states).all())
    assert 1 <= len(result.times) <= 3 and float(result.times[-1]) <= 0.5


def test_an_unstable_explicit_step_is_told_from_a_solution() -> None:
    problem = Heat()
    with pytest.raises(NonFiniteError, match="use a smaller time step or an implicit integrator"):
        simulate(problem, GridField.for_problem(problem, 64), RK4(), dt=0.5, t_end=100.0)
    calm = simulate(problem, GridField.for_problem(problem, 64), ImplicitMidpoint(), dt=0.5, t_end=100.0)
    assert float(calm.last.theta.abs().max()) <= 1e-3


def test_a_failure_can_be_returned_instead_of_raised() -> None:
    r = GridField.for_problem(Poisoned(), 8)
    run = simulate(Poisoned(), r, RK4(), dt=0.25, t_end=1.0, raise_on_failure=False)
    assert run.status is Status.NON_FINITE and not run.status.ok


class Reacting(Problem):
    """u_t = 4 u: with Δt = 1/2 the matrix 1 − Δt/2 · 4 of the implicit midpoint rule is zero."""

    domain, conditions = UNIT, (Periodic(),)

    def rhs(self, t, x, u):
        return 4 * u.value

    def initial(self, x):
        return torch.sin(2 * math.pi * x)


def test_a_singular_step_is_a_failed_step_and_keeps_what_there_is() -> None:
    problem = Reacting()
    with pytest.raises(NotConvergedError, match=r"step 1 of 2 .*singular; use a smaller time step") as caught:
        simulate(problem, GridField.for_problem(problem, 8), ImplicitMidpoint(), dt=0.5, t_end=1.0)
    assert caught.value.result.status is Status.SINGULAR_MATRIX and len(caught.value.result.times) == 1
