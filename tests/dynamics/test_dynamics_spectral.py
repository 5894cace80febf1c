"""Fourier grids: exact in space, what their operators keep, and orders in time without any error in space."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from neuralpde.dynamics import SpectralDynamics, make_dynamics
from neuralpde.geometry import Box, Dirichlet, Disc, FreeSlip, Periodic
from neuralpde.integrators import (
    RK4,
    SDIRK4,
    AdvectionReflection,
    Blend,
    IncrementalPressureCorrection,
    Integrator,
    LieSplitting,
    State,
)
from neuralpde.problems import EulerFlow, LidDrivenCavity, NavierStokes, TaylorGreen, WalshFlow
from neuralpde.representations import SpectralGrid
from neuralpde.simulate import Solution, simulate
from neuralpde.types import UsageError

TORUS = Box((0.0, 0.0), (2 * math.pi, 2 * math.pi))
BRICK = Box((0.0, -1.0, 0.0), (1.0, 1.0, 1.5))
BOXES = {"2D": (Box((0.0, 1.0), (2.0, 2.0)), (12, 15)), "3D": (BRICK, (8, 9, 10)), "2D odd": (TORUS, (9, 9))}
dealiased = pytest.mark.parametrize("dealias", ["truncate", "pad"])
boxes = pytest.mark.parametrize("name", BOXES)


def _made(name: str, viscosity: float = 0.01, dealias: str = "truncate") -> tuple[SpectralGrid, SpectralDynamics]:
    domain, shape = BOXES[name]
    problem = NavierStokes(viscosity=viscosity, domain=domain)
    grid = SpectralGrid.for_problem(problem, shape)
    return grid, make_dynamics(problem, grid, dealias=dealias)


def _random(grid: SpectralGrid, *batch: int) -> Tensor:
    return torch.randn(*batch, grid.num_dofs, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def _velocity(grid: SpectralGrid, theta: Tensor) -> Tensor:
    return grid.split(theta)["velocity"]


def _divergence(grid: SpectralGrid, theta: Tensor) -> float:
    """Largest ∇·u at the nodes over the largest ∇u, by the derivatives of the field itself."""
    grad = grid.at(theta).jet(grid.velocity.points, frozenset({"value", "grad"})).grad[:, : grid.dim]
    return float(grad.diagonal(dim1=-2, dim2=-1).sum(-1).abs().max() / grad.abs().max())


def _error(run: Solution) -> float:
    """Relative error of the velocity at the last time, at the nodes."""
    grid = run.representation
    assert isinstance(grid, SpectralGrid)
    exact = run.problem.exact(run.last.t, grid.velocity.points)
    assert exact is not None
    got, wanted = _velocity(grid, run.last.theta), exact[:, : grid.dim].reshape(-1)
    return float((got - wanted).norm() / wanted.norm())


@pytest.mark.parametrize(
    "problem", [WalshFlow(), WalshFlow(waves=25), TaylorGreen(viscosity=0.01), TaylorGreen()], ids=repr
)
def test_exact_flows_have_no_error_in_space(problem: WalshFlow | TaylorGreen) -> None:
    n = 32 if getattr(problem, "waves", 5) > 5 else 16
    run = simulate(problem, SpectralGrid.for_problem(problem, n), RK4(), dt=1e-3, t_end=0.01)
    assert _error(run) <= 1e-12
    error = run.error(points=21, unknown="pressure")
    assert error["rel_l2"] <= 1e-11
    assert run.error(points=21)["rel_l2"] <= 1e-12


@boxes
def test_projected_velocities_have_no_divergence_and_stay_as_they_are(name: str) -> None:
    grid, dynamics = _made(name)
    theta = dynamics.constrain(State(0.0, _random(grid)), 0.0).theta
    assert _divergence(grid, theta) <= 1e-13
    again = dynamics.constrain(State(0.0, theta), 0.0).theta
    torch.testing.assert_close(again, theta, rtol=0, atol=1e-13)
    moved, _ = RK4().step(dynamics, State(0.0, theta), 1e-3)
    assert _divergence(grid, moved.theta) <= 1e-13


@boxes
def test_the_pressure_is_what_the_projection_takes(name: str) -> None:
    grid, dynamics = _made(name)
    start = _random(grid)
    theta = dynamics.constrain(State(0.0, start), 0.5).theta
    x = grid.velocity.points
    gradient = grid.at(theta).jet(x, frozenset({"value", "grad"})).grad[:, grid.dim]
    taken = (_velocity(grid, start) - _velocity(grid, theta)).reshape(-1, grid.dim)
    torch.testing.assert_close(taken, 0.5 * gradient, rtol=0, atol=1e-12)
    more = dynamics.constrain(State(0.0, start), 0.5, increment=True).theta
    pressures = [grid.split(s)["pressure"] for s in (start, theta, more)]
    torch.testing.assert_close(pressures[2], pressures[0] + pressures[1], rtol=0, atol=1e-12)


@boxes
@dealiased
def test_advection_moves_energy_but_makes_none(name: str, dealias: str) -> None:
    grid, dynamics = _made(name, 0.0, dealias)
    theta = dynamics.constrain(State(0.0, _random(grid)), 1.0).theta
    theta = dynamics.explicit(State(0.0, theta), (), 0.0).theta  # cut to the band
    for part in (None, "advection"):
        velocity, slope = grid.arrays(theta, "velocity"), grid.nodal(dynamics.slope(0.0, theta, part))
        assert abs(float((velocity * slope).sum())) <= 1e-13 * float(velocity.norm() * slope.norm())


def test_an_inviscid_flow_keeps_its_energy() -> None:
    """What is lost is the time step's: it falls with a power of it and is nothing at small ones."""
    grid, dynamics = _made("2D", viscosity=0.0)
    start = dynamics.explicit(State(0.0, _random(grid)), (), 0.0).theta
    losses = []
    for steps in (40, 80):
        state = State(0.0, start)
        for _ in range(steps):
            state, _ = RK4().step(dynamics, state, 0.2 / steps)
        losses.append(abs(float(dynamics.energy(state.theta) / dynamics.energy(start)) - 1))
    assert losses[0] <= 1e-5
    assert math.log2(losses[0] / losses[1]) >= 4


@boxes
def test_the_slope_is_the_projected_momentum_of_the_problem(name: str) -> None:
    """Against u·∇u by the field's own derivatives, where the flow is smooth enough to be resolved."""
    domain, _ = BOXES[name]
    lengths = torch.tensor(domain.lengths, dtype=torch.float64)

    def smooth(x: Tensor) -> Tensor:
        angle = 2 * math.pi * (x / lengths)
        rolled = [torch.sin(angle.roll(1, -1)[:, i]) + torch.cos(angle.roll(-1, -1)[:, i]) for i in range(domain.dim)]
        return torch.stack(rolled, dim=-1)

    problem = NavierStokes(velocity=smooth, viscosity=0.02, domain=domain)
    grid = SpectralGrid.for_problem(problem, 9)
    dynamics = make_dynamics(problem, grid)
    theta = grid.project(problem.initial).theta
    jet = grid.velocity.at(_velocity(grid, theta)).jet(grid.velocity.points, problem.needs | {"value"})
    wanted = problem.momentum(0.0, grid.velocity.points, jet).reshape(-1)
    parts = [dynamics.slope(0.0, theta, part) for part in ("advection", "diffusion")]
    got = grid.theta(grid.nodal(parts[0] + parts[1]), grid.arrays(theta, "pressure"))
    torch.testing.assert_close(_velocity(grid, got), wanted, rtol=0, atol=1e-12 * float(wanted.abs().max()))
    whole = grid.solenoidal(parts[0] + parts[1])[0]
    torch.testing.assert_close(dynamics.slope(0.0, theta), whole, rtol=0, atol=1e-12 * float(whole.abs().max()))


def test_diffusion_is_exact_however_long_the_step() -> None:
    problem = TaylorGreen(viscosity=0.1)
    grid = SpectralGrid.for_problem(problem, 8)
    dynamics = make_dynamics(problem, grid)
    theta = grid.project(problem.initial).theta
    decayed = dynamics.flow(1, State(0.0, theta), 0.7).theta
    factor = math.exp(-2 * 0.1 * math.pi**2 * 0.7)
    torch.testing.assert_close(_velocity(grid, decayed), factor * _velocity(grid, theta), rtol=0, atol=1e-14)
    solved = dynamics.implicit(State(0.0, theta), (), 0.7, 0.7, None, "diffusion").theta
    factor = 1 / (1 + 2 * 0.1 * math.pi**2 * 0.7)
    torch.testing.assert_close(_velocity(grid, solved), factor * _velocity(grid, theta), rtol=0, atol=1e-14)


def test_blends_are_advected_as_one_field() -> None:
    grid, dynamics = _made("2D")
    a, b = _random(grid, 2)
    blend = Blend(0.0, ((2.0, State(0.0, a)), (-1.0, State(0.0, b))))
    for part in (0, 1):
        together = dynamics.flow(part, blend, 0.01).theta
        torch.testing.assert_close(together, dynamics.flow(part, State(0.0, 2 * a - b), 0.01).theta)


@boxes
@dealiased
@pytest.mark.parametrize(
    "integrator", [RK4(), IncrementalPressureCorrection(), AdvectionReflection(), LieSplitting()], ids=repr
)
def test_cases_of_a_batch_march_as_they_would_alone(name: str, integrator: Integrator, dealias: str) -> None:
    grid, dynamics = _made(name, dealias=dealias)
    batch = dynamics.constrain(State(0.0, _random(grid, 3)), 1.0).theta

    def march(theta: Tensor) -> Tensor:
        state = State(0.0, theta)
        for _ in range(3):
            state, _ = integrator.step(dynamics, state, 1e-3)
        return dynamics.complete(state.t, state.theta)

    together = march(batch)
    for k in range(3):
        torch.testing.assert_close(together[k], march(batch[k].clone()), rtol=1e-12, atol=1e-12)


@boxes
def test_padding_keeps_every_mode_that_truncation_would_need_a_larger_grid_for(name: str) -> None:
    domain, shape = BOXES[name]
    problem = NavierStokes(viscosity=0.01, domain=domain)
    small, large = (SpectralGrid.for_problem(problem, [m * n for n in shape]) for m in (1, 2))
    padded, cut = make_dynamics(problem, small, dealias="pad"), make_dynamics(problem, large)
    assert int(padded._band.sum()) > 1.8 * int(small.resolved.sum())
    theta = padded.explicit(State(0.0, _random(small)), (), 0.0).theta
    theta = padded.complete(0.0, theta)
    same = cut.complete(0.0, large.project(small.at(theta)).theta)
    x = small.velocity.points
    slopes = []
    for grid, dynamics, state in ((small, padded, theta), (large, cut, same)):
        values = grid.nodal(dynamics.slope(0.0, state))
        pressure = grid.arrays(state, "pressure")
        slopes.append(grid.at(grid.theta(values, pressure))(x))
    # the large grid keeps products beyond the small one's band as well: compare what both keep
    hats = [small.transform(s.T.reshape(-1, *small.grid.shape)) for s in slopes]
    inner = small.resolved.to(hats[0].real.dtype)
    torch.testing.assert_close(hats[0][: small.dim] * inner, hats[1][: small.dim] * inner, rtol=1e-9, atol=1e-9)


def test_values_written_into_a_state_are_seen() -> None:
    grid, dynamics = _made("2D")
    theta = dynamics.explicit(State(0.0, _random(grid)), (), 0.0).theta
    before = dynamics.slope(0.0, theta)
    theta *= 2.0
    torch.testing.assert_close(dynamics.slope(0.0, theta, "advection"), dynamics.slope(0.0, theta.clone(), "advection"))
    assert float((dynamics.slope(0.0, theta) - before).abs().max()) > 1e-3


def test_single_precision_and_a_saved_run(tmp_path) -> None:
    from neuralpde.simulate import load_solution

    problem = WalshFlow()
    grid = SpectralGrid.for_problem(problem, 16, dtype=torch.float32)
    run = simulate(problem, grid, RK4(), dt=0.01, t_end=0.05)
    assert run.states.dtype == torch.float32
    assert _error(simulate(problem, SpectralGrid.for_problem(problem, 16), RK4(), dt=0.01, t_end=0.05)) <= 1e-8
    assert run.error(points=21)["rel_l2"] <= 1e-5
    again = load_solution(run.save(tmp_path / "run.h5"), problem)
    assert isinstance(again.representation, SpectralGrid)
    torch.testing.assert_close(again.states, run.states)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize(
    "integrator", [RK4(), IncrementalPressureCorrection(), AdvectionReflection(), LieSplitting()], ids=repr
)
def test_on_a_gpu_as_on_a_cpu(integrator: Integrator) -> None:
    problem = WalshFlow()
    runs = {}
    for device in ("cpu", "cuda"):
        grid = SpectralGrid.for_problem(problem, 16, device=device)
        dynamics = make_dynamics(problem, grid)
        state = State(0.0, dynamics.constrain(State(0.0, grid.project(problem.initial).theta), 0.0).theta)
        for _ in range(3):
            state, _ = integrator.step(dynamics, state, 0.02)
        theta = dynamics.complete(state.t, state.theta)
        assert theta.device.type == device
        runs[device] = theta.cpu()
    torch.testing.assert_close(runs["cuda"], runs["cpu"], rtol=1e-11, atol=1e-11)


def _march(integrator: Integrator) -> object:
    problem = WalshFlow()
    return simulate(problem, SpectralGrid.for_problem(problem, 8), integrator, dt=0.1, t_end=0.1)


SOLID = NavierStokes(domain=Box((0.0, 0.0), (1.0, 1.0)), solid=Disc((0.5, 0.5), 0.1))
REFUSED = [
    (lambda: SpectralGrid(TORUS, (Dirichlet(0.0),)), "periodic along every axis; got .*Use MacGrid"),
    (lambda: SpectralGrid(TORUS, (Periodic("x"), FreeSlip())), "periodic along every axis"),
    (lambda: SpectralGrid(TORUS), "periodic along every axis"),
    (lambda: SpectralGrid.for_problem(LidDrivenCavity(), 8), "periodic along every axis"),
    (lambda: SpectralGrid(TORUS, (Periodic(),), shape=2), "at least 3 nodes"),
    (lambda: _march(SDIRK4()), "RK4"),
    (lambda: _made("2D")[1].slope(0.0, _random(_made("2D")[0]), "gravity"), "advection, diffusion and pressure"),
    (lambda: _made("2D", dealias="none"), "'truncate' or 'pad'; got 'none'"),
    (lambda: make_dynamics(SOLID, SpectralGrid.for_problem(SOLID, 8)), "cannot hold; use MacGrid"),
    (lambda: make_dynamics(WalshFlow(), SpectralGrid.for_problem(WalshFlow(), 8), "mac"), "use 'spectral'"),
    (lambda: make_dynamics(EulerFlow(), SpectralGrid.for_problem(WalshFlow(), 8)), "SpectralGrid.for_problem"),
]


@pytest.mark.parametrize(("call", "sentence"), REFUSED, ids=[s[:30] for _, s in REFUSED])
def test_what_cannot_be_is_refused(call, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        call()
