"""Velocity and pressure as two plain networks: projections, orders in time, walls, restarts, sentences."""

from __future__ import annotations

import math

import pytest
import torch
from tables import orders

from neuralpde.dynamics import VelocityPressureDynamics, make_dynamics
from neuralpde.geometry import Box, Dirichlet, FreeSlip, Outflow, Periodic
from neuralpde.integrators import (
    RK4,
    AdvectionReflection,
    ImplicitMidpoint,
    IncrementalPressureCorrection,
    LieSplitting,
    State,
)
from neuralpde.optimize import GaussNewton
from neuralpde.problems import LidDrivenCavity, NavierStokes, TaylorGreen, WalshFlow
from neuralpde.representations import MacGrid, NeuralVelocityPressure
from neuralpde.simulate import load_solution, simulate, solve
from neuralpde.types import Status, UsageError

SQUARE = Box((0.0, 0.0), (1.0, 1.0))
EDDIES = WalshFlow(waves=1, wind=(1.0, 0.5), viscosity=0.05)
START = {"options": GaussNewton(maxiter=120, damping=1e-4, stall=0.0, atol=1e-6)}
FITS = {
    "fit": GaussNewton(maxiter=12, stall=0.05, damping=1e-8, scaling="uniform", atol=1e-5),
    "pressure_fit": GaussNewton(maxiter=15, stall=0.05, damping=1e-4, atol=1e-4),
}
VALUES = frozenset({"value", "grad"})


def eddies() -> NeuralVelocityPressure:
    return NeuralVelocityPressure.for_problem(EDDIES, hidden=(12, 12), pressure_hidden=(8, 8), steepness=4.0)


@pytest.fixture(scope="module")
def start() -> State:
    """The first fit of the eddies, and their pressure."""
    dynamics = make_dynamics(EDDIES, eddies(), **FITS)
    return State(0.0, dynamics.constrain(State(0.0, eddies().project(EDDIES.initial, **START).theta), 0.0).theta)


def march(start: State, integrator, dt: float, t_end: float = 0.4, **options):
    return simulate(EDDIES, eddies(), integrator, dt=dt, t_end=t_end, restart=start, **FITS, **options)


def divergence(run, t: float) -> float:
    """Root mean square of ∇·u over that of ∇u."""
    gradient = run.at(t).jet(run.representation.quadrature().points, VALUES).grad[:, :2]
    return float(gradient.diagonal(dim1=-2, dim2=-1).sum(-1).norm() / gradient.norm())


def turning(x):
    """(sin ky, cos kx): no divergence, and the pressure −sin kx cos ky."""
    k = 2 * math.pi
    return torch.stack([torch.sin(k * x[:, 1]), torch.cos(k * x[:, 0])], dim=-1)


def push(x):
    """q = 0.02 cos kx cos ky and its gradient, ``(n, 3)``."""
    k = 2 * math.pi
    (a, b), (c, d) = torch.sin(k * x).unbind(1), torch.cos(k * x).unbind(1)
    return 0.02 * torch.stack([c * d, -k * a * d, -k * c * b], dim=-1)


def share(difference, of) -> float:
    return float((difference - difference.mean(0)).norm() / (of - of.mean(0)).norm())


def test_a_known_gradient_is_taken_out() -> None:
    flow = NavierStokes(velocity=turning)
    r = NeuralVelocityPressure.for_problem(flow, hidden=(12, 12), pressure_hidden=(12, 12))
    dynamics = make_dynamics(flow, r, **FITS)
    x = r.quadrature(400).points
    u, q, force = turning(x), push(x)[:, :1], push(x)[:, 1:]
    own = -torch.sin(2 * math.pi * x[:, :1]) * torch.cos(2 * math.pi * x[:, 1:])
    pushed = r.project(lambda y: turning(y) + push(y)[:, 1:], **START).theta

    at_rest = dynamics.constrain(State(0.0, pushed), 0.0)  # no time, no force: the velocity alone
    found = r.at(at_rest.theta)(x)
    assert at_rest.status.ok and share(found[:, :2] - u, of=force) <= 0.03
    assert share(found[:, 2:] - own, of=own) <= 0.03

    known = r.join({"velocity": r.split(pushed)["velocity"], "pressure": r.split(at_rest.theta)["pressure"]})
    moved = dynamics.constrain(State(0.0, known), 0.1, increment=True)
    found = r.at(moved.theta)(x)
    assert moved.status.ok and share(found[:, :2] - u, of=force) <= 0.03
    assert share(found[:, 2:] - own - q / 0.1, of=q / 0.1) <= 0.1


# to the last time by two steps and by four: the least and the largest order, and the largest error
ORDERS = [
    (AdvectionReflection(), 0.8, 1.85, 2.3, 3.5e-3),
    (IncrementalPressureCorrection(), 0.4, 1.85, 4.0, 4e-3),  # of two steps both start it: more than its order
    (LieSplitting(), 0.8, 0.8, 1.2, 3.5e-2),
]


@pytest.mark.parametrize(("integrator", "t_end", "low", "high", "error"), ORDERS, ids=lambda v: repr(v)[:12])
def test_orders_in_time(start, integrator, t_end: float, low: float, high: float, error: float) -> None:
    runs = [march(start, integrator, t_end / steps, t_end, save_every=steps) for steps in (2, 4)]
    errors = [run.error([t_end], points=33)["rel_l2"] for run in runs]
    assert low <= orders(errors)[0] <= high and errors[-1] <= error
    assert divergence(runs[-1], t_end) <= 2e-3


@pytest.fixture(scope="module")
def projected(start):
    return march(start, RK4(), 0.1)


def test_projected_runge_kutta_follows_the_flow(projected) -> None:
    errors = [projected.error([t], points=33)["rel_l2"] for t in (0.0, 0.4)]
    assert errors[0] <= 2e-4 and errors[1] <= 4e-4
    assert projected.error([0.4], points=33, unknown="pressure")["rel_l2"] <= 5e-3
    assert divergence(projected, 0.4) <= 1e-3


def test_a_restart_repeats_the_run(start, projected, tmp_path) -> None:
    half = march(start, RK4(), 0.1, t_end=0.2)
    loaded = load_solution(half.save(tmp_path / "half.h5"), EDDIES)
    rest = simulate(EDDIES, loaded.representation, RK4(), dt=0.1, t_end=0.4, restart=loaded.last, **FITS)
    assert torch.equal(rest.states[-1], projected.states[-1])


def mode(x: torch.Tensor) -> torch.Tensor:
    """Stokes' slowest mode of a channel −1 ≤ y ≤ 1 of length 2π in a parabolic stream: μ tan μ = −tanh 1."""
    mu, (a, b) = 2.8833556, x.unbind(1)
    h = torch.cos(mu * b) / math.cos(mu) - torch.cosh(b) / math.cosh(1)
    slope = -mu * torch.sin(mu * b) / math.cos(mu) - torch.sinh(b) / math.cosh(1)
    return 0.25 * torch.stack([slope * torch.cos(a) + 2 * (1 - b**2), h * torch.sin(a)], dim=-1)


def test_between_walls_beside_the_staggered_grid() -> None:
    box, walls = Box((0.0, -1.0), (2 * math.pi, 1.0)), (Periodic("x"), Dirichlet(0.0))
    flow = NavierStokes(velocity=mode, viscosity=0.1, domain=box, conditions=walls)
    r = NeuralVelocityPressure.for_problem(flow, hidden=(12, 12), pressure_hidden=(10, 10))
    fits = FITS | {"fit": GaussNewton(maxiter=12, stall=0.05, damping=1e-8, scaling="uniform", atol=1e-4)}
    start = {"options": GaussNewton(maxiter=100, damping=1e-4, stall=0.0, atol=1e-4)}
    scheme = IncrementalPressureCorrection()
    neural = simulate(flow, r, scheme, dt=0.05, t_end=0.2, initial_fit=start, **fits)
    grid = simulate(flow, MacGrid.for_problem(flow, (64, 32)), scheme, dt=0.01, t_end=0.2, save_every=20)
    x = r.quadrature(500).points
    u, v = neural.at(0.2)(x)[:, :2], grid.at(0.2)(x)[:, :2]
    assert float((u - v).norm() / v.norm()) <= 1e-2 <= 0.1 <= float((mode(x) - v).norm() / v.norm())
    edge = torch.tensor([[1.0, -1.0], [2.0, 1.0], [5.0, -1.0]], dtype=torch.float64)
    assert float(neural.at(0.2)(edge)[:, :2].abs().max()) <= 1e-14


def test_slippery_walls_have_no_friction() -> None:
    """A rotation in a box of free-slip walls, u = (sin πx cos πy, −cos πx sin πy) e^{−2π²νt}."""

    def cell(x):
        a, b = math.pi * x[:, 0], math.pi * x[:, 1]
        return torch.stack([torch.sin(a) * torch.cos(b), -torch.cos(a) * torch.sin(b)], dim=-1)

    flow = NavierStokes(velocity=cell, viscosity=0.05, domain=SQUARE, conditions=(FreeSlip(),))
    r = NeuralVelocityPressure.for_problem(flow, hidden=(10, 10), pressure_hidden=(10, 10))
    run = simulate(flow, r, AdvectionReflection(), dt=0.1, t_end=0.2, initial_fit=START, **FITS)
    x = r.quadrature(400).points
    wanted = cell(x) * math.exp(-2 * math.pi**2 * 0.05 * 0.2)
    assert float((run.at(0.2)(x)[:, :2] - wanted).norm() / wanted.norm()) <= 5e-3
    edge = torch.tensor([[0.0, 0.3], [1.0, 0.8]], dtype=torch.float64)
    assert float(run.at(0.2)(edge)[:, 0].abs().max()) <= 1e-15 < float(run.at(0.2)(edge)[:, 1].abs().min())


def plug(speed: float):
    return lambda x: torch.stack([speed + 0 * x[:, 0], 0 * x[:, 0]], dim=-1)


def swell(t: float) -> float:
    return 1 + 0.5 * math.sin(2 * t)


@pytest.mark.parametrize("integrator", [IncrementalPressureCorrection(), RK4()], ids=repr)
def test_a_uniform_flow_through_a_box_stays(integrator) -> None:
    flow = NavierStokes(velocity=plug(1.0), conditions=(Dirichlet((1.0, 0.0)),))
    r = NeuralVelocityPressure.for_problem(flow, hidden=(4,), pressure_hidden=(4,))
    run = simulate(flow, r, integrator, dt=0.05, t_end=0.1)
    x = r.quadrature(100).points
    wanted = torch.cat([plug(1.0)(x), 0 * x[:, :1]], dim=1)
    torch.testing.assert_close(run.at(0.1)(x), wanted, rtol=0, atol=1e-9)


def test_what_pushes_a_plug_is_in_the_pressure() -> None:
    """u = (U(t), 0) between walls without friction, and p = −U'(t) (x − ½)."""
    ends = Dirichlet(lambda t, x: plug(swell(t))(x), ("x-", "x+"))
    flow = NavierStokes(velocity=plug(1.0), conditions=(ends, FreeSlip()))
    r = NeuralVelocityPressure.for_problem(flow, hidden=(4,), pressure_hidden=(4,))
    run = simulate(flow, r, RK4(), dt=0.05, t_end=0.05)
    x = r.quadrature(100).points
    for t in (0.0, 0.05):
        push = -math.cos(2 * t) * (x[:, :1] - 0.5)
        wanted = torch.cat([plug(swell(t))(x), push], dim=1)
        torch.testing.assert_close(run.at(t)(x), wanted, rtol=0, atol=1e-3)


def test_a_fit_that_does_not_come_close_fails() -> None:
    r = NeuralVelocityPressure.for_problem(EDDIES, hidden=(4,), pressure_hidden=(3,))
    run = simulate(
        EDDIES,
        r,
        RK4(),
        dt=0.1,
        t_end=0.2,
        initial_fit={"options": GaussNewton(maxiter=20, accept=math.inf)},
        raise_on_failure=False,
    )
    assert run.status in (Status.UNFINISHED_FIT, Status.STAGNATED) and len(run.infos) == 1


def lid(speed) -> NavierStokes:
    """A box with a lid of a speed (t, x) → (n,)."""
    top = Dirichlet(lambda t, x: torch.stack([speed(t, x[:, 0]), 0 * x[:, 0]], dim=-1), "y+")
    return NavierStokes(viscosity=0.02, conditions=(top, Dirichlet(0.0)))


LIDS = [(lambda t, x: 1 + 0 * x, True), (lambda t, x: t + 0 * x, True), (lambda t, x: 16 * (x * (1 - x)) ** 2, False)]


@pytest.mark.parametrize(("speed", "jumps"), LIDS, ids=["sliding", "starting", "smooth"])
def test_a_velocity_that_jumps_in_a_corner_is_not_marched(speed, jumps: bool) -> None:
    flow = lid(speed)
    r = NeuralVelocityPressure.for_problem(flow, hidden=(4,), pressure_hidden=(3,))
    assert r.walls.jumps is jumps
    if not jumps:
        make_dynamics(flow, r).check_march()
        return
    with pytest.raises(UsageError, match=r"makes the velocity jump in its corners.*march on a MacGrid"):
        simulate(flow, r, RK4(), dt=0.02, t_end=0.4)


def through(size):
    """A box that a jet of unit flux enters, and that ``size(t)`` of it leaves."""

    def jet(t, x):
        y = x[:, 1]
        return torch.stack([torch.where(x[:, 0] < 0.5, 1.0, size(t)) * 6 * y * (1 - y), 0 * y], dim=-1)

    return NavierStokes(velocity=lambda x: jet(0.0, x), viscosity=0.1, conditions=(Dirichlet(jet),))


def test_what_flows_in_flows_out() -> None:
    options = {"hidden": (4,), "pressure_hidden": (4,)}
    for size, words in ((1.5, "push 0.5 more out of this closed domain"), (0.9, "push 0.1 more into this closed")):
        flow = through(lambda t, size=size: size)
        with pytest.raises(UsageError, match=f"{words}.*balance them, or open a face with Outflow on a MacGrid"):
            make_dynamics(flow, NeuralVelocityPressure.for_problem(flow, **options))
    flow = through(lambda t: 1 + (t > 0.03))
    r = NeuralVelocityPressure.for_problem(flow, **options)
    rough = GaussNewton(maxiter=2, damping=1e-6, accept=math.inf)
    dynamics, state = make_dynamics(flow, r, fit=rough, pressure_fit=rough), State(0.0, r.initial())
    terms = [(0.01, dynamics.slope(0.0, state.theta))]
    for t, status in ((0.03, Status.COMPLETED), (0.04, Status.UNBALANCED)):
        assert dynamics.constrain(State(t, state.theta), 0.01).status is status
        assert dynamics.explicit(state, terms, t).status is status


def test_data_that_are_not_smooth_are_not_taken_for_a_surplus() -> None:
    slits = [
        Dirichlet(lambda t, x, y=y: plug(1.0)(x) * ((x[:, 1:] - y).abs() < 0.2), f)
        for f, y in zip(("x-", "x+"), (0.3, 0.6), strict=True)
    ]
    flow = NavierStokes(conditions=(*slits, Dirichlet(0.0)))
    made = make_dynamics(flow, NeuralVelocityPressure.for_problem(flow, hidden=(4,), pressure_hidden=(4,)))
    assert isinstance(made, VelocityPressureDynamics)  # a surplus would have been refused


CLOSED = NavierStokes(conditions=(Dirichlet(0.0),))
REFUSED = [
    (lambda r: simulate(EDDIES, r, ImplicitMidpoint(), dt=0.1, t_end=0.2), "has implicit stages; use RK4"),
    (lambda r: solve(EDDIES, r), "moves in time: use simulate"),
    (lambda r: make_dynamics(EDDIES, r).implicit(State(0.0, r.initial()), (), 0.1, 0.1), "of the diffusion only"),
    (lambda r: make_dynamics(EDDIES, r).explicit(State(0.0, r.initial()), (), 0.1), "over no time has no pressure"),
    (lambda r: make_dynamics(EDDIES, r).slope(0.0, r.initial(), "gravity"), "are 'advection', 'diffusion'; got 'grav"),
    (lambda r: make_dynamics(CLOSED, r), r"build it with NeuralVelocityPressure.for_problem\(problem\)"),
    (lambda r: NeuralVelocityPressure(SQUARE, (Outflow("x+"), Dirichlet(0.0))), "x\\+ has Outflow.*use a MacGrid"),
    (lambda r: NeuralVelocityPressure(Box((0.0,), (1.0,)), (Periodic(),)), "2D or 3D; got a 1D box"),
]


@pytest.mark.parametrize(("call", "sentence"), REFUSED, ids=[s[:30] for _, s in REFUSED])
def test_misuse_is_refused(call, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        call(NeuralVelocityPressure.for_problem(EDDIES, hidden=(4,), pressure_hidden=(3,)))


def test_what_served_best_is_the_default() -> None:
    around, closed = (NeuralVelocityPressure.for_problem(p, hidden=(4,)) for p in (TaylorGreen(), LidDrivenCavity()))
    assert around.config()["features"] == "harmonic" and closed.config()["features"] == "centred"
