"""Pressure correction on staggered grids: the energy it keeps, the steps it takes, and what a run may not gain."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch

from neuralpde.dynamics import make_dynamics
from neuralpde.geometry import Box, Dirichlet, FreeSlip, Outflow, Periodic
from neuralpde.integrators import RK4, Euler, IncrementalPressureCorrection, State
from neuralpde.problems import DoubleShearLayer, EulerFlow, LidDrivenCavity, NavierStokes, WalshFlow
from neuralpde.representations import MacGrid, SpectralGrid
from neuralpde.simulate import simulate
from neuralpde.types import NonFiniteError, Status

STEP = IncrementalPressureCorrection()


@pytest.mark.parametrize("kind", [MacGrid, SpectralGrid])
def test_the_energy_of_an_inviscid_flow_does_not_grow(kind) -> None:
    layer = EulerFlow(velocity=DoubleShearLayer().initial_velocity)
    grid = kind.for_problem(layer, 48)
    dynamics = make_dynamics(layer, grid)
    run = simulate(layer, grid, STEP, dt=0.005, t_end=1.5, save_every=20)
    energies = [float(dynamics.energy(theta)) for theta in run.states]
    assert max(energies) <= (1 + 1e-5) * energies[0] and energies[-1] > 0.99 * energies[0]


@pytest.mark.parametrize(("viscosity", "courant"), [(0.0, 0.71), (1e-3, 0.69), (1e-2, 0.66)])
def test_no_wave_grows_below_the_limit(viscosity: float, courant: float) -> None:
    """Noise in a wind along the diagonal, the frozen problem of the analysis; Courant number Σ|u|dt/h."""
    flow = NavierStokes(viscosity=viscosity, velocity=torch.ones_like)
    grid = MacGrid.for_problem(flow, 16)
    dynamics = make_dynamics(flow, grid)
    noise = torch.randn(grid.num_dofs, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    state = dynamics.constrain(State(0.0, grid.project(flow.initial).theta + 1e-6 * noise), 0.0)
    before = after = State(0.0, state.theta)
    for _ in range(600):
        after, info = STEP.step(dynamics, after, courant / 32)
        assert info.status.ok
    first, last = (float((grid.split(s.theta)["velocity"] - 1).norm()) for s in (before, after))
    assert last < first


def test_steps_that_change_keep_the_order() -> None:
    flow = WalshFlow()
    grid = MacGrid.for_problem(flow, 16)
    dynamics, ends = make_dynamics(flow, grid), []
    for refined in (1, 2, 4, 16):
        state = State(0.0, dynamics.constrain(State(0.0, grid.project(flow.initial).theta), 0.0).theta)
        for k in range(6 * refined):
            state, _ = STEP.step(dynamics, state, (0.04, 0.08, 0.02)[k % 3] / refined)
        ends.append(grid.split(state.theta)["velocity"])
    errors = [float((u - ends[-1]).norm()) for u in ends[:-1]]
    assert all(math.log2(a / b) >= 1.85 for a, b in pairwise(errors)), errors


@pytest.mark.parametrize("dt", [0.5, 0.1])
def test_a_driven_flow_with_too_long_steps_is_unstable(dt: float) -> None:
    """The lid's speed is 1: at dt = 0.5 a Courant number of 16."""
    cavity = LidDrivenCavity()
    with pytest.raises(NonFiniteError, match="use a smaller time step") as caught:
        simulate(cavity, MacGrid.for_problem(cavity, 32), STEP, dt=dt, t_end=20.0)
    left = caught.value.result
    assert left.status is Status.UNSTABLE and float(left.last.theta.abs().max()) < 4


CHANNEL = Box((0.0, 0.0), (2.0, 1.0))
DRIVEN = [(Dirichlet((1.0, 0.0), "x-"), Outflow("x+"), FreeSlip()), (Dirichlet(lambda t, x: 0 * x),)]
RESTING = [(Periodic(),), (Dirichlet(0.0, ("x-", "x+")), FreeSlip()), (Dirichlet((0.0, 0.0)),)]


@pytest.mark.parametrize("conditions", [*DRIVEN, *RESTING])
def test_whether_something_drives_a_flow(conditions) -> None:
    flow = NavierStokes(domain=CHANNEL, conditions=conditions)
    assert make_dynamics(flow, MacGrid.for_problem(flow, 8)).passive is (conditions in RESTING)


@pytest.mark.parametrize("kind", [MacGrid, SpectralGrid])
def test_a_flow_that_nothing_drives_gains_no_energy(kind) -> None:
    walsh = WalshFlow(viscosity=0.0)
    grid, steps = kind.for_problem(walsh, 16), {"dt": 0.05, "t_end": 1.0}
    assert simulate(walsh, grid, RK4(), **steps).status is Status.COMPLETED
    with pytest.raises(NonFiniteError, match="grew") as caught:
        simulate(walsh, grid, Euler(), **steps)
    assert caught.value.result.status is Status.UNSTABLE
    assert simulate(walsh, grid, Euler(), growth_limit=None, **steps).status is Status.COMPLETED
