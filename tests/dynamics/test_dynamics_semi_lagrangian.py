"""Semi-Lagrangian advection on staggered grids: what is followed, carried, and kept."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from neuralpde.dynamics import MacDynamics, make_dynamics
from neuralpde.geometry import Box, Condition, Dirichlet, FreeSlip, Outflow, Periodic
from neuralpde.integrators import AdvectionReflection, Blend, LieSplitting, State
from neuralpde.problems import NavierStokes, WalshFlow
from neuralpde.representations import MacGrid
from neuralpde.simulate import simulate
from neuralpde.types import Status

SQUARE, CUBE = Box((0.0, 0.0), (2.0, 1.0)), Box((0.0, 0.0, 0.0), (1.0, 1.0, 1.5))


def _moving(t: float, x: Tensor) -> Tensor:
    """A wall that moves in its own plane, faster and faster, not everywhere alike."""
    u = torch.zeros_like(x)
    u[:, 0] = (1 + t) * torch.sin(math.pi * x[:, 0] / 2) ** 2
    return u


SETTINGS: dict[str, tuple[Box, tuple[Condition, ...]]] = {
    "periodic": (SQUARE, (Periodic(),)),
    "periodic 3D": (CUBE, (Periodic(),)),
    "walls": (SQUARE, (Dirichlet(0.0),)),
    "free slip": (SQUARE, (FreeSlip(),)),
    "lid": (SQUARE, (Dirichlet(_moving, "y+"), Dirichlet(0.0))),
    "channel": (SQUARE, (Dirichlet((1.0, 0.0), "x-"), Outflow("x+"), Dirichlet(0.0))),
    "lid 3D": (CUBE, (Dirichlet(_moving, ("y+", "z+")), Dirichlet(0.0))),
}


def _made(name: str, shape: int = 8, viscosity: float = 0.0) -> tuple[MacGrid, MacDynamics]:
    domain, conditions = SETTINGS[name]
    problem = NavierStokes(viscosity=viscosity, domain=domain, conditions=conditions)
    grid = MacGrid.for_problem(problem, [shape + i for i in range(domain.dim)])
    return grid, make_dynamics(problem, grid)


def _start(grid: MacGrid, dynamics: MacDynamics, *batch: int) -> Tensor:
    theta = torch.randn(*batch, grid.num_dofs, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return dynamics.constrain(State(0.0, theta), 1.0).theta


@pytest.mark.parametrize("name", ["periodic", "periodic 3D"])
def test_the_flow_is_the_field_at_the_feet_of_the_paths(name: str) -> None:
    """Against the same paths point by point through the field itself; a blend carries a blend."""
    grid, dynamics = _made(name)
    a, b = (State(0.0, theta) for theta in _start(grid, dynamics, 2))
    base, carrier = Blend(0.0, ((2.0, a), (-1.0, b))), Blend(0.0, ((1.5, b), (-0.5, a)))
    dt = 0.3

    def velocity(blend: Blend, x: Tensor) -> Tensor:
        x = x.remainder(torch.tensor(grid.domain.lengths, dtype=x.dtype))
        return sum(c * grid.at(s.theta)(x)[:, : grid.dim] for c, s in blend.parts)

    moved = grid.split(dynamics.flow(0, base, dt, None, carrier).theta)["velocity"].split(grid.velocity.sizes)
    for i, x in enumerate(grid.velocity.points):
        k1 = velocity(carrier, x)
        k2 = velocity(carrier, x - dt / 2 * k1)
        k3 = velocity(carrier, x - 3 * dt / 4 * k2)
        foot = x - dt / 9 * (2 * k1 + 3 * k2 + 4 * k3)
        torch.testing.assert_close(moved[i], velocity(base, foot)[:, i], rtol=0, atol=1e-11)


@pytest.mark.parametrize("name", SETTINGS)
def test_long_steps_in_random_eddies_stay_bounded(name: str) -> None:
    grid, dynamics = _made(name, viscosity=1e-4)
    state = State(0.0, _start(grid, dynamics))
    size = float(state.theta[: grid.velocity.num_dofs].abs().max())
    for _ in range(40):
        state, info = AdvectionReflection().step(dynamics, state, 3 * min(grid.spacing) / size)
        assert info.status.ok
    assert float(state.theta[: grid.velocity.num_dofs].abs().max()) <= max(size, 1 + state.t)


@pytest.mark.parametrize("name", ["periodic", "channel", "lid 3D"])
def test_each_case_of_a_batch_has_its_own_wind(name: str) -> None:
    grid, dynamics = _made(name, shape=5, viscosity=0.01)
    thetas = _start(grid, dynamics, 2, 3)
    for integrator in (AdvectionReflection(), LieSplitting()):
        together = State(0.5, thetas)
        for _ in range(2):
            together = integrator.step(dynamics, together, 0.1)[0]
        assert together.theta.shape == thetas.shape
        for j in range(2):
            for k in range(3):
                alone = State(0.5, thetas[j, k])
                for _ in range(2):
                    alone = integrator.step(dynamics, alone, 0.1)[0]
                torch.testing.assert_close(together.theta[j, k], alone.theta, rtol=0, atol=1e-12)


def test_advection_and_reflection_are_of_second_order_on_a_staggered_grid() -> None:
    """Steps and spacing halved together: for fixed spacing interpolation adds an error with every step."""
    problem, errors = WalshFlow(), []
    for n, dt in ((32, 0.2), (64, 0.1)):
        run = simulate(problem, MacGrid.for_problem(problem, n), AdvectionReflection(), dt=dt, t_end=0.4, save_every=9)
        errors.append(run.error([0.4], points=33)["rel_l2"])
    assert math.log2(errors[0] / errors[1]) >= 1.9 and errors[1] <= 1.75e-3


def test_a_wall_carries_what_moves_in_its_plane() -> None:
    """A fluid that moves as its walls do goes on so, whatever the step."""
    conditions = (Periodic(("x", "z")), Dirichlet((0.4, 0.0, -0.7)))
    problem = NavierStokes(viscosity=0.0, domain=CUBE, conditions=conditions)
    grid = MacGrid.for_problem(problem, 6)
    dynamics = make_dynamics(problem, grid)
    theta = grid.project(lambda x: x.new_tensor([0.4, 0.0, -0.7, 0.0]).expand(len(x), 4)).theta
    moved = dynamics.flow(0, State(0.0, theta), 2.0).theta
    torch.testing.assert_close(moved, theta, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", ["periodic", "walls"])
def test_what_is_not_finite_is_said_and_not_stumbled_over(name: str) -> None:
    grid, dynamics = _made(name)
    theta = _start(grid, dynamics)
    for bad in (math.nan, math.inf):
        broken = theta.clone()
        broken[5] = bad
        assert dynamics.flow(0, State(0.0, broken), 0.1).status is Status.NON_FINITE
        assert LieSplitting().step(dynamics, State(0.0, broken), 0.1)[1].status is Status.NON_FINITE
