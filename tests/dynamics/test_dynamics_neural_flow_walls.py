"""Neural flows between walls: orders in time, exact decays, walls held, pressures, the staggered grid beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import pytest
import torch
from tables import orders
from torch import Tensor

from neuralpde.dynamics import make_dynamics
from neuralpde.dynamics._solenoidal import GradientPart
from neuralpde.geometry import Box, Condition, Dirichlet, FreeSlip, Periodic, gauss_lattice
from neuralpde.integrators import (
    RK4,
    SDIRK4,
    Heun,
    ImplicitMidpoint,
    IncrementalPressureCorrection,
    Integrator,
    State,
)
from neuralpde.optimize import GaussNewton
from neuralpde.problems import EulerFlow, IncompressibleFlow, LidDrivenCavity, NavierStokes
from neuralpde.representations import MacGrid, NeuralFlow
from neuralpde.simulate import simulate, solve
from neuralpde.types import UsageError

SQUARE = Box((0.0, 0.0), (1.0, 1.0))
FIRST = {"options": GaussNewton(maxiter=150, damping=1e-4, stall=0.0, atol=1e-7)}
STEPS = GaussNewton(maxiter=15, stall=1e-2, damping=1e-8, scaling="uniform", atol=2e-6)


@dataclass(frozen=True)
class Rollers(IncompressibleFlow):
    """One of Taylor and Green's vortices in a box without friction: u = (sin x cos y, −cos x sin y) e^{−2νt}."""

    viscosity: float = 0.5
    domain: Box = field(default_factory=lambda: Box((0.0, 0.0), (math.pi, math.pi)))
    conditions: tuple[Condition, ...] = (FreeSlip(),)

    def initial_velocity(self, x: Tensor) -> Tensor:
        return self.exact(0.0, x)[:, :2]

    def exact(self, t: float, x: Tensor) -> Tensor:
        decay = math.exp(-2 * self.viscosity * t)
        (sx, sy), (cx, cy) = torch.sin(x).unbind(-1), torch.cos(x).unbind(-1)
        return torch.stack([decay * sx * cy, -decay * cx * sy, 0.25 * decay**2 * torch.cos(2 * x).sum(-1)], dim=-1)


@dataclass(frozen=True)
class Channel(IncompressibleFlow):
    """A flow that friction brings to rest between two walls: u = y + sin(πy) e^{−νπ²t}, the upper one sliding."""

    viscosity: float = 0.1
    domain: Box = SQUARE
    conditions: tuple[Condition, ...] = (Periodic("x"), Dirichlet((1.0, 0.0), "y+"), Dirichlet(0.0, "y-"))

    def initial_velocity(self, x: Tensor) -> Tensor:
        return self.exact(0.0, x)[:, :2]

    def exact(self, t: float, x: Tensor) -> Tensor:
        y, zero = x[:, 1], torch.zeros_like(x[:, 1])
        shape = torch.sin(math.pi * y) * math.exp(-self.viscosity * math.pi**2 * t)
        return torch.stack([y + shape, zero, zero], dim=-1)


def whirl(x: Tensor) -> Tensor:
    """∇⊥ of sin²πx sin²πy (1 + x)/π: an eddy off the middle, at rest on the walls."""
    (sx, sy), (cx, cy) = torch.sin(math.pi * x).unbind(-1), torch.cos(math.pi * x).unbind(-1)
    grown = 1 + x[:, 0]
    u, v = 2 * sx**2 * sy * cy * grown, 2 * sy**2 * sx * cx * grown + sx**2 * sy**2 / math.pi
    return torch.stack([u, -v], dim=-1)


@pytest.fixture(scope="module")
def rollers() -> tuple[NeuralFlow, State]:
    flow = Rollers()
    r = NeuralFlow.for_problem(flow, hidden=(7, 6), pressure_hidden=(12, 10))
    fit = r.project(flow.initial, **FIRST)
    assert fit.error <= 1e-5
    return r, State(0.0, fit.theta)


# explicit steps are limited by diffusion, dt ν k² ≲ 2 with the largest k² that the network can make
ORDERS = [(Heun(), 2, 0.1), (ImplicitMidpoint(), 2, 0.5), (IncrementalPressureCorrection(), 2, 0.5)]


@pytest.mark.parametrize(("integrator", "order", "dt"), ORDERS, ids=[repr(i) for i, *_ in ORDERS])
def test_the_order_in_time_is_the_integrators(rollers, integrator: Integrator, order: int, dt: float) -> None:
    r, start = rollers
    errors, t_end = [], 1.0 if dt > 0.2 else 0.4
    fit = replace(STEPS, atol=2e-6 if dt < 0.2 else 5e-5)
    for step in (dt, 0.5 * dt):
        run = simulate(Rollers(), r, integrator, dt=step, t_end=t_end, restart=start, save_every=99, fit=fit)
        errors.append(run.error([t_end], points=33)["rel_l2"])
    assert orders(errors)[0] >= order - 0.25


def test_one_long_step_of_high_order(rollers) -> None:
    r, start = rollers
    fit = replace(STEPS, atol=1e-5)
    run = simulate(Rollers(), r, SDIRK4(), dt=0.5, t_end=0.5, restart=start, fit=fit)
    assert run.error([0.5], points=33)["rel_l2"] <= 3e-4 < 0.01 * (1 - math.exp(-0.5))


def test_the_pressure_between_walls(rollers) -> None:
    r, start = rollers
    done = make_dynamics(Rollers(), r).complete(0.0, start.theta)
    x = r.velocity.quadrature(900).points
    wanted = Rollers().exact(0.0, x)[:, 2]
    assert float((r.at(done)(x)[:, 2] - wanted).norm()) <= 1e-2 * float(wanted.norm())


def test_a_channel_comes_to_the_flow_of_couette() -> None:
    flow = Channel()
    r = NeuralFlow.for_problem(flow, hidden=(8, 8), pressure_hidden=(4,))
    run = simulate(
        flow, r, IncrementalPressureCorrection(), dt=0.04, t_end=0.2, initial_fit=FIRST, fit=replace(STEPS, atol=1e-5)
    )
    x = r.velocity.quadrature(400).points
    end, moved = flow.exact(0.2, x), flow.exact(0.2, x) - flow.exact(0.0, x)
    assert float((run.at(0.2)(x) - end).abs().max()) <= 2e-3 < 0.02 * float(moved.abs().max())


def test_an_eddy_in_a_box_at_rest_beside_the_staggered_grid() -> None:
    flow, t = NavierStokes(0.02, SQUARE, (Dirichlet(0.0),), velocity=whirl), 0.2
    grid = simulate(flow, MacGrid.for_problem(flow, 64), IncrementalPressureCorrection(), dt=0.005, t_end=t)
    r = NeuralFlow.for_problem(flow, hidden=(10, 10), pressure_hidden=(10, 8))
    first = {"options": GaussNewton(maxiter=100, damping=1e-4, stall=0.0, atol=1e-4)}
    fit = GaussNewton(maxiter=10, stall=1e-2, damping=1e-8, scaling="uniform", atol=1e-4)
    run = simulate(flow, r, RK4(), dt=0.02, t_end=t, save_every=10, initial_fit=first, fit=fit)
    x = gauss_lattice(SQUARE, 400, (False, False)).points
    mine, theirs, before = run.at(t)(x), grid.at(t)(x), flow.initial(x)
    assert float((mine - theirs)[:, :2].norm()) <= 5e-3 * float(theirs[:, :2].norm())
    assert float((before - theirs)[:, :2].norm()) >= 0.2 * float(theirs[:, :2].norm())
    assert float((mine - theirs)[:, 2].norm()) <= 0.03 * float(theirs[:, 2].norm())
    s = torch.linspace(0.0, 1.0, 11, dtype=torch.float64)
    for axis in (0, 1):
        for side in (0.0, 1.0):
            wall = torch.stack([torch.full_like(s, side), s], dim=-1).roll(axis, dims=1)
            assert float(run.at(t)(wall)[:, :2].abs().max()) <= 1e-13
    gradient = run.at(t).jet(x, frozenset({"value", "grad"})).grad[:, :2]
    assert float(gradient.diagonal(dim1=-2, dim2=-1).sum(-1).abs().max()) <= 1e-12 * float(gradient.abs().max())


@pytest.mark.parametrize("periodic", [(False, False), (True, False), (False, True)])
def test_gradients_are_taken_out_and_velocities_left_alone(periodic: tuple[bool, bool]) -> None:
    box = Box((0.0, -1.0), (2.0, 0.5))
    q = gauss_lattice(box, 500, periodic)
    part = GradientPart(box, periodic, q)
    s = (q.points - torch.tensor(box.lower)) / torch.tensor(box.lengths)
    (a, b), (lx, ly) = s.unbind(-1), box.lengths
    root = (q.weights / box.volume).sqrt()[:, None]

    def rows(u: Tensor, v: Tensor) -> Tensor:
        return (root * torch.stack([u, v], dim=-1)).T.reshape(-1)

    def wave(z: Tensor, around: bool) -> tuple[Tensor, Tensor]:
        w = 2 * math.pi if around else 2.5
        return torch.sin(w * z + 0.3), w * torch.cos(w * z + 0.3)

    (f, df), (g, dg) = wave(a, periodic[0]), wave(b, periodic[1])
    gradient = rows(df * g / lx, f * dg / ly)
    bump, slope = torch.sin(math.pi * a) * torch.sin(math.pi * b), math.pi  # a stream function that vanishes on walls
    ua, ub = (
        slope * torch.cos(math.pi * a) * torch.sin(math.pi * b),
        slope * torch.sin(math.pi * a) * torch.cos(math.pi * b),
    )
    if periodic[0]:
        ua, ub = 0 * a, slope * torch.cos(math.pi * b)
    if periodic[1]:
        ua, ub = slope * torch.cos(math.pi * a), 0 * b
    velocity = rows(ub / ly, -ua / lx)
    assert bump.abs().max() > 0.9
    assert float(part.removed(gradient).norm()) <= 1e-7 * float(gradient.norm())
    assert float((part.removed(velocity) - velocity).norm()) <= 1e-10 * float(velocity.norm())
    block = torch.stack([gradient, velocity], dim=1)
    torch.testing.assert_close(part.removed(block)[:, 1], part.removed(velocity))


REFUSED = [
    (
        lambda: simulate(
            LidDrivenCavity(), NeuralFlow.for_problem(LidDrivenCavity(), hidden=(6,)), RK4(), dt=1, t_end=2
        ),
        "makes the velocity jump in its corners.*solve for the steady flow",
    ),
    (
        lambda: solve(
            NavierStokes(0.1, SQUARE, (Periodic("x"), FreeSlip())),
            NeuralFlow(SQUARE, (Periodic("x"), FreeSlip()), hidden=(4,)),
        ),
        "nothing holds the velocity along the periodic axis",
    ),
    (
        lambda: solve(
            EulerFlow(domain=SQUARE, conditions=(FreeSlip(),)), NeuralFlow(SQUARE, (FreeSlip(),), hidden=(4,))
        ),
        "many steady flows",
    ),
]


@pytest.mark.parametrize(("call", "sentence"), REFUSED, ids=[s[:30] for _, s in REFUSED])
def test_misuse_is_refused(call, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        call()
