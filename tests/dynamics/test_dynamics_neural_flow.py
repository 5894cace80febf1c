"""Neural flows: stages that project by themselves, pressures that belong to velocities, steady flows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from neuralpde.dynamics import make_dynamics
from neuralpde.geometry import Box, Condition, Dirichlet, Periodic
from neuralpde.integrators import RK4, SDIRK4, Heun, State
from neuralpde.optimize import GaussNewton
from neuralpde.problems import (
    BeltramiFlow,
    IncompressibleFlow,
    LidDrivenCavity,
    NavierStokes,
    TaylorGreen,
    VortexPair,
    WalshFlow,
)
from neuralpde.representations import NeuralFlow
from neuralpde.simulate import load_solution, simulate, solve
from neuralpde.types import UsageError

START = {"options": GaussNewton(maxiter=120, damping=1e-4, stall=0.0, atol=1e-7)}
STEPS = GaussNewton(maxiter=15, stall=1e-2, damping=1e-8, scaling="uniform", atol=1e-5)
LID = LidDrivenCavity()
EDDIES = WalshFlow(waves=1, wind=(1.0, 0.5), viscosity=0.05)


@pytest.fixture(scope="module")
def eddies():
    r = NeuralFlow.for_problem(EDDIES, hidden=(12, 12), pressure_hidden=(8, 8), steepness=4.0)
    return simulate(EDDIES, r, RK4(), dt=0.1, t_end=0.5, initial_fit=START, fit=STEPS)


def test_a_moving_flow_is_followed(eddies) -> None:
    start, end = eddies.error([0.0], points=33)["rel_l2"], eddies.error([0.5], points=33)["rel_l2"]
    assert start <= 5e-4 and end <= 1e-3
    x = eddies.representation.quadrature().points
    moved = EDDIES.exact(0.5, x) - EDDIES.exact(0.0, x)
    assert float(moved.abs().max()) > 0.1


def test_the_pressure_belongs_to_the_velocity(eddies) -> None:
    # EDDIES is a single pair of waves: p = ½Kψ² − ½|∇ψ|² + const. does not vanish
    assert eddies.error([0.5], points=33, unknown="pressure")["rel_l2"] <= 0.05


def test_a_pressure_that_did_not_come_close_is_said(eddies) -> None:
    assert not eddies.notes and "note:" not in eddies.summary()
    flow = WalshFlow(viscosity=0.01)
    errors, notes = [], []
    for hidden in ((3,), (10, 10)):
        r = NeuralFlow.for_problem(flow, hidden=(12, 12), pressure_hidden=hidden, steepness=4.0)
        run = simulate(flow, r, RK4(), dt=0.05, t_end=0.05, initial_fit=START, fit=STEPS)
        errors.append(run.error([0.0], points=33, unknown="pressure")["rel_l2"])
        notes.append(run.notes)
    assert errors[0] > 0.1 and "the pressure's fit leaves up to" in notes[0][0] and "pressure_hidden" in notes[0][0]
    assert errors[1] < 1e-2 and not notes[1]


@dataclass(frozen=True)
class ShearLayer(IncompressibleFlow):
    """u = (sin πy e^{−νπ²t}, 0) between walls at rest: no pressure at all."""

    viscosity: float = 0.1
    conditions: tuple[Condition, ...] = (Periodic("x"), Dirichlet(0.0))

    def initial_velocity(self, x: Tensor) -> Tensor:
        return self.exact(0.0, x)[:, :2]

    def exact(self, t: float, x: Tensor) -> Tensor:
        along = torch.sin(math.pi * x[:, 1]) * math.exp(-self.viscosity * math.pi**2 * t)
        return torch.stack([along, 0 * along, 0 * along], dim=-1)


def test_a_parallel_flow_has_no_pressure_to_miss() -> None:
    flow = ShearLayer()
    r = NeuralFlow.for_problem(flow, hidden=(8, 8), pressure_hidden=(4,))
    run = simulate(flow, r, RK4(), dt=0.02, t_end=0.04, initial_fit=START, fit=STEPS)
    errors = run.errors(points=33)
    assert errors["velocity"]["rel_l2"] < 1e-3 and errors["pressure"]["max_error"] < 1e-4 and not run.notes
    assert math.isnan(errors["pressure"]["rel_l2"]) and "rel_l2 –, max_error" in run.summary()


def test_the_divergence_is_zero_all_the_way(eddies) -> None:
    x = eddies.representation.quadrature().points
    for t in eddies.times.tolist():
        grad = eddies.at(t).jet(x, frozenset({"value", "grad"})).grad[:, :2]
        assert float(grad.diagonal(dim1=-2, dim2=-1).sum(-1).abs().max()) <= 1e-12 * float(grad.abs().max())


def test_stages_fit_what_is_left_without_the_pressure() -> None:
    """The target's gradient part is taken away before the fit: what is left can be fitted to the tolerance."""
    flow = TaylorGreen()
    r = NeuralFlow.for_problem(flow, hidden=(12, 12), pressure_hidden=(6,), steepness=4.0)
    dynamics = make_dynamics(flow, r, fit=STEPS)
    theta = r.project(flow.initial, **START).theta
    stage = dynamics.explicit(State(0.0, theta), ((0.2, dynamics.slope(0.0, theta)),), 0.2)
    x = r.quadrature().points
    drift = r.at(stage.theta)(x)[:, :2] - flow.initial_velocity(x)
    # the flow is steady: u·∇u is a gradient, of size 0.2 · |u·∇u| ≈ 0.03 had it not been taken away
    assert stage.status.ok and float(drift.abs().max()) <= 2e-3


def test_a_run_is_saved_and_goes_on(eddies, tmp_path) -> None:
    loaded = load_solution(eddies.save(tmp_path / "eddies.h5"), EDDIES)
    assert torch.equal(loaded.states, eddies.states)
    more = simulate(EDDIES, loaded.representation, RK4(), dt=0.1, t_end=0.6, restart=loaded.last, fit=STEPS)
    assert more.error([0.6], points=33)["rel_l2"] <= 1.5e-3


def test_an_implicit_stage_needs_no_pressure(eddies) -> None:
    """|P (u − γ F(u) − u_base)| is small where the residual with the pressure's gradient is not; two long steps."""
    r, t_end = eddies.representation, 0.5
    start = State(0.0, eddies.states[0])
    run = simulate(EDDIES, r, SDIRK4(), dt=0.25, t_end=t_end, restart=start, fit=STEPS)
    assert max(info.residual for info in run.infos) <= 5e-4
    assert run.error([t_end], points=33)["rel_l2"] <= 2e-3


def test_a_vector_potential_marches_in_3d() -> None:
    flow = BeltramiFlow(viscosity=0.05)
    r = NeuralFlow.for_problem(flow, hidden=(9, 9), pressure_hidden=(10, 10), harmonics=1, steepness=4.0)
    first = {"options": GaussNewton(maxiter=30, damping=1e-4, stall=0.0, atol=1e-4)}
    fit = GaussNewton(maxiter=8, stall=1e-2, damping=1e-8, scaling="uniform", atol=1e-3)
    run = simulate(flow, r, RK4(), dt=0.1, t_end=0.2, initial_fit=first, fit=fit, points=300)
    start, end = run.error([0.0], points=13)["rel_l2"], run.error([0.2], points=13)["rel_l2"]
    x = r.velocity.quadrature(500).points
    moved = (flow.exact(0.2, x) - flow.exact(0.0, x))[:, :3].norm() / flow.exact(0.2, x)[:, :3].norm()
    assert start <= 1e-2 and end <= start + 5e-3 and float(moved) > 0.1
    gradient = run.at(0.2).jet(x, frozenset({"value", "grad"})).grad[:, :3]
    assert float(gradient.diagonal(dim1=-2, dim2=-1).sum(-1).abs().max()) <= 1e-12 * float(gradient.abs().max())
    assert run.error([0.2], points=13, unknown="pressure")["rel_l2"] <= 0.05


REFUSED = [
    (lambda: simulate(EDDIES, NeuralFlow.for_problem(EDDIES, hidden=(6,)), Heun(), dt=-1.0, t_end=1.0), "dt must be"),
    (
        lambda: solve(VortexPair(), NeuralFlow.for_problem(VortexPair(), hidden=(6,))),
        "nothing holds the velocity along the periodic axis",
    ),
    (
        lambda: solve(
            NavierStokes(0.0, Box((0.0, 0.0), (1.0, 1.0)), (Dirichlet(0.0),)),
            NeuralFlow(Box((0.0, 0.0), (1.0, 1.0)), (Dirichlet(0.0),), hidden=(4,)),
        ),
        "many steady flows",
    ),
    (lambda: NeuralFlow(Box((0.0,), (1.0,)), (Periodic(),)), "got 1D"),
]


@pytest.mark.parametrize(("call", "sentence"), REFUSED, ids=[s[:30] for _, s in REFUSED])
def test_misuse_is_refused(call, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        call()


def test_harmonics_between_walls_are_not_the_default() -> None:
    r = NeuralFlow.for_problem(LidDrivenCavity(), hidden=(4,))
    assert r.config()["features"] == "centred" and NeuralFlow.for_problem(EDDIES).config()["features"] == "harmonic"
    assert math.isclose(r.config()["steepness"], 6.0)
