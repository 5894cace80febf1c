"""Boundary data of a flow that move in time or vary along a face: their pressure, and what sampling leaves over."""

from __future__ import annotations

import math

import pytest
import torch
from tables import orders
from torch import Tensor

from neuralpde.geometry import Box, Dirichlet, FreeSlip, Outflow
from neuralpde.integrators import RK4, AdvectionReflection, IncrementalPressureCorrection, Integrator
from neuralpde.problems import NavierStokes, WalshFlow
from neuralpde.representations import MacGrid
from neuralpde.simulate import simulate
from neuralpde.types import UsageError


def stream(t: float, x: Tensor) -> Tensor:
    return torch.stack([1 + 0.5 * math.sin(2 * t) + 0 * x[:, 0], 0 * x[:, 0]], -1)


@pytest.mark.parametrize("integrator", [IncrementalPressureCorrection(), RK4(), AdvectionReflection()], ids=repr)
def test_a_plug_that_is_pushed_has_the_pressure_of_its_acceleration(integrator: Integrator) -> None:
    """u = U(t), p = (2 − x) dU/dt."""
    conditions = (Dirichlet(stream, "x-"), Outflow("x+"), FreeSlip())
    flow = NavierStokes(0.01, Box((0.0, 0.0), (2.0, 1.0)), conditions, velocity=lambda x: stream(0.0, x))
    run = simulate(flow, MacGrid.for_problem(flow, (16, 8)), integrator, dt=0.02, t_end=1.0, save_every=25)
    for t in run.times.tolist():
        (u, v, p), rate = run.at(t)(torch.tensor([[0.5, 0.5]], dtype=torch.float64))[0].tolist(), math.cos(2 * t)
        assert abs(u - 1 - 0.5 * math.sin(2 * t)) < 1e-12 and abs(v) < 1e-12 and abs(p - 1.5 * rate) < 1e-5


EDDIES = WalshFlow()


def exact_on_the_box() -> NavierStokes:
    """Walsh's eddies on a part of their torus, held by their own values."""
    data = Dirichlet(lambda t, x: EDDIES.exact(t, x)[:, :2])
    return NavierStokes(EDDIES.viscosity, Box((0.3, 0.5), (3.3, 3.5)), (data,), velocity=EDDIES.initial_velocity)


def test_an_exact_flow_with_its_own_boundary_data_converges() -> None:
    """Its data balance, their samples at midpoints do not: the surplus of h² is taken out."""
    flow, velocities, pressures = exact_on_the_box(), [], []
    x = flow.domain.from_unit(torch.rand(300, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    wanted = EDDIES.exact(0.3, x)
    for n in (24, 48):
        run = simulate(flow, MacGrid.for_problem(flow, n), IncrementalPressureCorrection(), dt=0.2 / n, t_end=0.3)
        found = run.at(0.3)(x)
        velocities.append(float((found - wanted)[:, :2].norm() / wanted[:, :2].norm()))
        p, q = (v[:, 2] - v[:, 2].mean() for v in (found, wanted))
        pressures.append(float((p - q).norm() / q.norm()))
    assert orders(velocities)[0] >= 1.85 and velocities[1] < 5e-3
    assert orders(pressures)[0] >= 1.75 and pressures[1] < 2e-2


def test_a_channel_whose_outlet_is_plug_balances_its_parabola() -> None:
    inlet = Dirichlet(lambda t, x: torch.stack([6 * x[:, 1] * (1 - x[:, 1]), 0 * x[:, 1]], -1), "x-")
    flow = NavierStokes(0.05, Box((0.0, 0.0), (2.0, 1.0)), (inlet, Dirichlet((1.0, 0.0), "x+"), Dirichlet(0.0)))
    grid = MacGrid.for_problem(flow, (32, 16))
    run = simulate(flow, grid, IncrementalPressureCorrection(), dt=0.01, t_end=0.05)
    theta = run.last.theta
    faces = grid.velocity.faces(grid.split(theta)["velocity"], 0.05)
    assert float(grid.divergence(faces).abs().max()) <= 1e-10
    # the samples alone let h²/2 more in than out
    surplus = 0.5 / 16**2
    assert grid.velocity.flux.share(0.05) == pytest.approx(-surplus / (2 + surplus), rel=1e-9)


def test_data_that_do_not_balance_are_refused_all_the_same() -> None:
    inlet = Dirichlet(lambda t, x: torch.stack([5.9 * x[:, 1] * (1 - x[:, 1]), 0 * x[:, 1]], -1), "x-")
    flow = NavierStokes(0.05, Box((0.0, 0.0), (2.0, 1.0)), (inlet, Dirichlet((1.0, 0.0), "x+"), Dirichlet(0.0)))
    with pytest.raises(UsageError, match="more out of this closed domain than into it"):
        simulate(flow, MacGrid.for_problem(flow, (32, 16)), RK4(), dt=0.01, t_end=0.05)
