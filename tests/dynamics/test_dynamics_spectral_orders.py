"""Orders in time on Fourier grids, which have no error in space, and staggered grids that approach them."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from neuralpde.geometry import Box
from neuralpde.integrators import (
    RK4,
    AdvectionReflection,
    IncrementalPressureCorrection,
    Integrator,
    LieSplitting,
    Midpoint,
)
from neuralpde.problems import NavierStokes, WalshFlow
from neuralpde.representations import MacGrid, SpectralGrid
from neuralpde.simulate import Solution, simulate

TORUS = Box((0.0, 0.0), (2 * math.pi, 2 * math.pi))


def _velocity(grid: SpectralGrid, theta: Tensor) -> Tensor:
    return grid.split(theta)["velocity"]


def _error(run: Solution) -> float:
    """Relative error of the velocity at the last time, at the nodes."""
    grid = run.representation
    assert isinstance(grid, SpectralGrid)
    exact = run.problem.exact(run.last.t, grid.velocity.points)
    assert exact is not None
    got, wanted = _velocity(grid, run.last.theta), exact[:, : grid.dim].reshape(-1)
    return float((got - wanted).norm() / wanted.norm())


def _mixing(x: Tensor) -> Tensor:
    """A smooth velocity on TORUS without divergence, with wind; not an exact solution: waves of several lengths."""
    a, b = x.unbind(-1)
    u = 0.7 - 0.5 * torch.sin(b + 0.3) + torch.cos(a + 2 * b)
    return torch.stack([u, torch.sin(a) - 0.5 * torch.cos(a + 2 * b)], dim=-1)


ORDERS: list[tuple[Integrator, int, tuple[float, float]]] = [
    (RK4(), 16, (3.85, 4.2)),
    (Midpoint(), 16, (1.85, 2.3)),
    # advection, the larger part here, is extrapolated with order 3
    (IncrementalPressureCorrection(), 16, (1.85, 3.3)),
    (AdvectionReflection(), 24, (1.85, 2.3)),
    (LieSplitting(), 24, (0.8, 1.2)),
]


@pytest.mark.parametrize(("integrator", "n", "order"), ORDERS, ids=lambda v: repr(v))
def test_order_in_time_on_a_flow_that_moves(integrator: Integrator, n: int, order: tuple[float, float]) -> None:
    problem = WalshFlow()
    grid = SpectralGrid.for_problem(problem, n)
    errors = [_error(simulate(problem, grid, integrator, dt=dt, t_end=0.5)) for dt in (1 / 10, 1 / 20, 1 / 40)]
    found = [math.log2(a / b) for a, b in pairwise(errors)]
    assert order[0] <= found[-1] <= order[1], (errors, found)


@pytest.mark.parametrize("integrator", [IncrementalPressureCorrection(), AdvectionReflection()], ids=repr)
def test_second_order_where_scales_feed_each_other(integrator: Integrator) -> None:
    """Walsh's flow has waves of one length, whose advection is a gradient; this one has no such mercy."""
    problem = NavierStokes(velocity=_mixing, viscosity=0.05, domain=TORUS)
    grid = SpectralGrid.for_problem(problem, 36)
    wanted = _velocity(grid, simulate(problem, grid, RK4(), dt=0.005, t_end=0.5).last.theta)
    ends = [simulate(problem, grid, integrator, dt=dt, t_end=0.5).last.theta for dt in (0.1, 0.05, 0.025)]
    errors = [float((_velocity(grid, theta) - wanted).norm() / wanted.norm()) for theta in ends]
    assert errors[-1] > 1e-7
    assert math.log2(errors[-2] / errors[-1]) >= 1.85, errors


def test_staggered_grids_come_closer_as_they_are_refined() -> None:
    problem = NavierStokes(velocity=_mixing, viscosity=0.05, domain=TORUS)
    fine = simulate(problem, SpectralGrid.for_problem(problem, 48), RK4(), dt=0.01, t_end=0.4)
    errors = []
    for n in (16, 32, 64):
        run = simulate(problem, MacGrid.for_problem(problem, n), RK4(), dt=0.01, t_end=0.4)
        found = [run.error([0.4], 25, fine, unknown)["rel_l2"] for unknown in ("velocity", "pressure")]
        errors.append(found)
    for velocity, pressure in zip(
        *[[math.log2(a / b) for a, b in pairwise(c)] for c in zip(*errors, strict=True)], strict=True
    ):
        assert velocity >= 1.8 and pressure >= 1.8, errors
    assert errors[-1][0] <= 5e-3
