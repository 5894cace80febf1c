"""Staggered grids: what their operators keep, and how fast their errors fall."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from neuralpde.dynamics import MacDynamics, make_dynamics
from neuralpde.geometry import Box, Condition, Dirichlet, FreeSlip, Neumann, Outflow, Periodic
from neuralpde.integrators import (
    RK4,
    SDIRK4,
    ImplicitEuler,
    ImplicitMidpoint,
    IncrementalPressureCorrection,
    LieSplitting,
    Midpoint,
    State,
)
from neuralpde.problems import EulerFlow, NavierStokes, TaylorGreen, WalshFlow
from neuralpde.representations import MacGrid
from neuralpde.simulate import simulate
from neuralpde.types import NotConvergedError, Status, UsageError

CUBE = Box((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
CHANNEL = Box((0.0, 0.0), (2.0, 1.0))


def _profile(t: float, x: Tensor) -> Tensor:
    return torch.stack([6 * x[:, 1] * (1 - x[:, 1]), 0 * x[:, 1]], dim=-1)


SETTINGS: dict[str, tuple[Box, tuple[Condition, ...]]] = {
    "periodic": (Box((0.0, 0.0), (2.0, 1.0)), (Periodic(),)),
    "walls": (Box((0.0, 0.0), (2.0, 1.0)), (Dirichlet(0.0),)),
    "free slip": (Box((0.0, 0.0), (2.0, 1.0)), (FreeSlip(),)),
    "lid": (Box((0.0, 0.0), (1.0, 1.0)), (Dirichlet((1.0, 0.0), on="y+"), Dirichlet(0.0))),
    "strip": (Box((0.0, 0.0), (2.0, 1.0)), (Periodic("x"), Dirichlet(0.0, "y-"), FreeSlip("y+"))),
    "channel": (CHANNEL, (Dirichlet(_profile, "x-"), Outflow("x+"), Dirichlet(0.0))),
    "fountain": (CHANNEL, (Outflow("x-"), Outflow("x+"), Dirichlet((0.0, 1.0), "y-"), Dirichlet(0.0))),
    "box 3D": (CUBE, (Periodic("z"), Dirichlet(0.0, ("x-", "x+")), FreeSlip(("y-", "y+")))),
}
settings = pytest.mark.parametrize("name", SETTINGS)


def _made(name: str, viscosity: float = 0.01, shape: int = 12) -> tuple[MacGrid, MacDynamics]:
    domain, conditions = SETTINGS[name]
    problem = NavierStokes(viscosity=viscosity, domain=domain, conditions=conditions)
    grid = MacGrid.for_problem(problem, [shape + 2 * i for i in range(domain.dim)])
    return grid, make_dynamics(problem, grid)


def _random(grid: MacGrid, *batch: int) -> Tensor:
    return torch.randn(*batch, grid.num_dofs, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@settings
def test_a_projected_velocity_has_no_divergence(name: str) -> None:
    grid, dynamics = _made(name)
    theta = dynamics.constrain(State(0.0, _random(grid)), 1.0).theta
    assert float(grid.divergence(dynamics.faces(theta, 0.0)).abs().max()) <= 1e-10


@settings
def test_gradient_and_divergence_are_adjoint(name: str) -> None:
    """Σ_cells p D u = −Σ_faces w u·G p: w = ½ on open faces, half of whose cell lies outside."""
    grid, _ = _made(name)
    parts = grid.split(_random(grid))
    p, u = grid.pressure.array(parts["pressure"]), grid.velocity.spread(grid.velocity.unpack(parts["velocity"]))
    right = 0.0
    for i, (velocity, slope) in enumerate(zip(u, grid.gradient(p), strict=True)):
        weight = torch.ones_like(velocity)
        if not grid.boundary.periodic[i]:
            for side, end in enumerate((0, -1)):
                weight.select(i, end).mul_(0.5 if isinstance(grid.boundary.on(i, side), Outflow) else 0.0)
        right -= float((weight * velocity * slope).sum())
    assert float((p * grid.divergence(u)).sum()) == pytest.approx(right, rel=1e-12)


@pytest.mark.parametrize("name", ["periodic", "walls", "free slip", "strip", "box 3D"])
def test_advection_moves_energy_but_makes_none(name: str) -> None:
    grid, dynamics = _made(name)
    theta = dynamics.constrain(State(0.0, _random(grid)), 1.0).theta
    velocity, slope = grid.split(theta)["velocity"], dynamics.slope(0.0, theta, "advection")
    assert abs(float(velocity @ slope)) <= 1e-13 * float(velocity.norm() * slope.norm())
    assert float(velocity @ dynamics.slope(0.0, theta, "diffusion")) < 0


@pytest.mark.parametrize("name", ["periodic", "walls", "free slip", "box 3D"])
def test_the_energy_of_an_inviscid_flow_never_grows_and_never_falls(name: str) -> None:
    grid, dynamics = _made(name, viscosity=0.0)
    state = State(0.0, dynamics.constrain(State(0.0, _random(grid)), 1.0).theta)
    energies = [float(dynamics.energy(state.theta))]
    dt = 0.5 * min(grid.spacing) / float(state.theta.abs().max())
    for _ in range(20):
        state, info = ImplicitMidpoint().step(dynamics, state, dt)
        assert info.status.ok
        energies.append(float(dynamics.energy(state.theta)))
    assert all(b <= a * (1 + 1e-13) for a, b in pairwise(energies)) and energies[-1] > (1 - 1e-12) * energies[0]


@pytest.mark.parametrize("integrator", [RK4(), IncrementalPressureCorrection(), LieSplitting()], ids=repr)
def test_an_inflow_that_grows_out_of_balance_ends_the_march(integrator) -> None:
    def pushed(t: float, x: Tensor) -> Tensor:
        return torch.stack([max(0.0, t - 0.2) + 0 * x[:, 0], 0 * x[:, 0]], dim=-1)

    problem = NavierStokes(domain=CHANNEL, conditions=(Dirichlet(pushed, "x-"), Dirichlet(0.0)))
    with pytest.raises(NotConvergedError, match="into a closed domain than out of it, or less; open a face") as fault:
        simulate(problem, MacGrid.for_problem(problem, 8), integrator, dt=0.05, t_end=1.0)
    left = fault.value.result
    assert left.status is Status.UNBALANCED and left.last.t == pytest.approx(0.2)


def test_an_implicit_stage_without_a_solution_within_reach_says_so() -> None:
    grid, dynamics = _made("walls", viscosity=0.0)
    start = dynamics.constrain(State(0.0, _random(grid)), 1.0).theta
    info = ImplicitMidpoint().step(dynamics, State(0.0, start), 100.0)[1]
    assert info.status is Status.UNSOLVED_STAGE and "use a smaller time step" in info.status.sentence()


@settings
def test_an_implicit_stage_solves_its_equation(name: str) -> None:
    """u − γ (F(u) − G p) = u₀ far beyond the explicit limit (γ ν 4d/h² of 500), p the stage's own."""
    grid, dynamics = _made(name, viscosity=1.0)
    gamma = 500 * min(grid.spacing) ** 2 / (4 * grid.dim)
    base = State(0.0, dynamics.constrain(State(0.0, 0.1 * _random(grid)), 0.0).theta)
    stage = dynamics.implicit(base, (), gamma, gamma)
    assert stage.status.ok and stage.iterations < 60
    assert float(grid.divergence(dynamics.faces(stage.theta, gamma)).abs().max()) <= 1e-10
    rate = dynamics.slope(gamma, stage.theta) + dynamics.slope(gamma, stage.theta, "pressure")
    before, after = (grid.split(theta)["velocity"] for theta in (base.theta, stage.theta))
    assert float((after - gamma * rate - before).abs().max()) <= 1e-10


@pytest.mark.parametrize(
    ("integrator", "error"), [(ImplicitEuler(), 0.02), (ImplicitMidpoint(), 3e-3), (SDIRK4(), 5e-4)]
)
def test_implicit_steps_are_not_bound_to_the_explicit_limit(integrator, error: float) -> None:
    flow = TaylorGreen(viscosity=0.1)  # RK4 holds up to dt = 3.4e-3 here
    run = simulate(flow, MacGrid.for_problem(flow, 64), integrator, dt=0.05, t_end=0.2)
    assert run.error(points=33)["rel_l2"] <= error


@pytest.mark.parametrize("integrator", [RK4(), IncrementalPressureCorrection(), LieSplitting()], ids=repr)
def test_the_error_falls_with_the_square_of_the_spacing(integrator) -> None:
    problem = TaylorGreen(viscosity=0.01, domain=Box((0.0, 0.0), (2 * math.pi, 2 * math.pi)), amplitude=1.0)
    first = isinstance(integrator, LieSplitting)
    errors = []
    for n in (16, 32, 64):
        dt = 0.05 * (16 / n) ** (2 if first else 1)
        run = simulate(problem, MacGrid.for_problem(problem, n), integrator, dt=dt, t_end=0.2, save_every=100)
        errors.append([run.error(points=33, unknown=name)["rel_l2"] for name in ("velocity", "pressure")])
    for velocity, pressure in zip(
        *[[math.log2(a / b) for a, b in pairwise(c)] for c in zip(*errors, strict=True)], strict=True
    ):
        assert velocity >= 1.85 and pressure >= 1.85


@pytest.mark.parametrize(("integrator", "order"), [(RK4(), 4), (Midpoint(), 2), (IncrementalPressureCorrection(), 2)])
def test_order_in_time(integrator, order: int) -> None:
    problem = WalshFlow()
    grid = MacGrid.for_problem(problem, 16)
    ends = [simulate(problem, grid, integrator, dt=0.1 / 2**k, t_end=0.4).last.theta for k in (0, 1, 2, 3, 5)]
    exact = grid.split(ends[-1])["velocity"]
    errors = [float((grid.split(theta)["velocity"] - exact).norm()) for theta in ends[:-1]]
    assert math.log2(errors[-2] / errors[-1]) >= order - 0.15


def test_a_channel_keeps_its_parabola_and_its_mass() -> None:
    grid, dynamics = _made("channel", viscosity=0.1, shape=16)
    start = grid.project(lambda x: torch.cat([_profile(0.0, x), 1.2 * (2 - x[:, :1])], dim=-1)).theta
    state = State(0.0, dynamics.constrain(State(0.0, start), 1.0).theta)
    for _ in range(20):
        state, _ = IncrementalPressureCorrection().step(dynamics, state, 0.01)
    u = dynamics.faces(state.theta, state.t)[0]
    through = u.sum(1) * grid.spacing[1]
    assert float((through - through[0]).abs().max()) <= 1e-12 * float(through[0])
    y = grid.velocity.axis(0, 1)
    # u is a parabola, which the stencil holds but for its wall value: second order
    assert float((u[8] - 6 * y * (1 - y)).abs().max()) <= 6 * grid.spacing[1] ** 2
    p = grid.pressure.array(grid.split(dynamics.complete(state.t, state.theta))["pressure"])
    slope = (p[10, 8] - p[4, 8]) / (6 * grid.spacing[0])
    assert float(slope) == pytest.approx(-12 * 0.1, rel=0.02)


def test_a_wind_changes_nothing_but_the_place() -> None:
    """Galilean invariance: one period of wind carries the eddies once around."""
    still, windy = WalshFlow(wind=(0.0, 0.0)), WalshFlow(wind=(2 * math.pi, 0.0))
    a, b = (simulate(p, MacGrid.for_problem(p, 48), RK4(), dt=0.01, t_end=1.0, save_every=100) for p in (still, windy))
    u, v = (s.representation.split(s.last.theta)["velocity"] for s in (a, b))
    shift = torch.cat([torch.full((48 * 48,), 2 * math.pi), torch.zeros(48 * 48)]).double()
    assert float((v - shift - u).norm() / u.norm()) <= 0.12  # advection by a central stencil lags by a phase error


def test_a_turned_flow_is_the_same_flow() -> None:
    """Rotation by 90°: (u, v)(x, y) → (−v, u)(y, −x)."""
    grid, dynamics = _made("periodic")
    domain = Box((0.0, 0.0), (1.0, 1.0))
    problem = NavierStokes(viscosity=0.01, domain=domain)
    grid = MacGrid.for_problem(problem, 12)
    dynamics = make_dynamics(problem, grid)

    def turn(theta: Tensor) -> Tensor:
        u, v = grid.velocity.unpack(grid.split(theta)["velocity"])
        p = grid.pressure.array(grid.split(theta)["pressure"])
        turned_u = -torch.flip(v, (1,)).T.roll(1, 0)  # faces normal to an axis: the mirror of face j is face N − j
        turned_v = torch.flip(u, (1,)).T
        return grid.join(
            {"velocity": grid.velocity.pack([turned_u, turned_v]), "pressure": torch.flip(p, (1,)).T.flatten()}
        )

    theta = dynamics.constrain(State(0.0, _random(grid)), 1.0).theta
    step = RK4().step(dynamics, State(0.0, theta), 1e-3)[0].theta
    turned = RK4().step(dynamics, State(0.0, turn(theta)), 1e-3)[0].theta
    torch.testing.assert_close(turned, turn(step), rtol=0, atol=1e-12 * float(step.abs().max()))


def test_cases_of_a_batch_march_as_they_would_alone() -> None:
    for name in ("periodic", "walls", "channel"):
        grid, dynamics = _made(name)
        batch = dynamics.constrain(State(0.0, _random(grid, 3)), 1.0).theta
        for integrator in (RK4(), IncrementalPressureCorrection()):
            state = State(0.0, batch)
            for _ in range(3):
                state, _ = integrator.step(dynamics, state, 1e-3)
            for k in range(3):
                alone = State(0.0, batch[k])
                for _ in range(3):
                    alone, _ = integrator.step(dynamics, alone, 1e-3)
                torch.testing.assert_close(state.theta[k], alone.theta, rtol=1e-12, atol=1e-12)


REFUSED = [
    (lambda: MacGrid(CHANNEL, (Dirichlet(0.0, "x-"),)), "on every face; x\\+ has None"),
    (lambda: MacGrid(CHANNEL, (Neumann(0.0),)), "needs Dirichlet, FreeSlip, Outflow or Periodic"),
    (lambda: MacGrid(CHANNEL, (Periodic(),), shape=3), "at least 4 cells"),
    (lambda: _made_closed(), "more out of this closed domain than into it; open a face with Outflow"),
    (lambda: NavierStokes(viscosity=-1.0), "must not be negative"),
    (lambda: EulerFlow(viscosity=0.1), "use NavierStokes"),
    (lambda: NavierStokes(domain=Box((0.0,), (1.0,))), "lives in 2D or 3D"),
    (lambda: WalshFlow(waves=3), "a sum of two squares"),
]


def _made_closed() -> object:
    problem = NavierStokes(domain=CHANNEL, conditions=(Dirichlet((-1.0, 0.0), on="x-"), Dirichlet(0.0)))
    return make_dynamics(problem, MacGrid.for_problem(problem, 8))


@pytest.mark.parametrize(("call", "sentence"), REFUSED, ids=[s[:30] for _, s in REFUSED])
def test_what_cannot_be_is_refused(call, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        call()
