"""Bodies in motion: what integrators conserve, their orders, supports that move, damping, restarts."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import pytest
import torch
from tables import orders
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde.dynamics import PotentialDynamics, make_dynamics
from neuralpde.geometry import Dirichlet, Flux, MeshDomain, Pressure
from neuralpde.integrators import BDF2, RK4, SDIRK4, ImplicitEuler, ImplicitMidpoint, Integrator, Newmark
from neuralpde.problems import Elasticity, Linear, NeoHookean, Rayleigh, SaintVenantKirchhoff, traction
from neuralpde.representations import FiniteElementField, Motion
from neuralpde.simulate import Solution, simulate, solve
from neuralpde.simulate._files import load_solution
from neuralpde.types import UsageError

RUBBER = NeoHookean(young=10.0, poisson_ratio=0.3)
IMPLICIT = [ImplicitEuler(), ImplicitMidpoint(), SDIRK4(), BDF2(), Newmark()]
ORDER = {"ImplicitEuler()": 1, "ImplicitMidpoint()": 2, "BDF2()": 2, "Newmark()": 2, "SDIRK4()": 4}


def turning(x: Tensor) -> Tensor:
    """A rotation, a shift and something that deforms."""
    c = x - 0.5
    if x.shape[1] == 2:
        return torch.stack([-2 * c[:, 1] + 0.3 * torch.sin(3 * x[:, 0]), 2 * c[:, 0] + 0.2], 1)
    return torch.linalg.cross(c.new_tensor([0.5, -1.0, 2.0]).expand_as(c), c) + 0.2 * torch.sin(4 * x)


def moving(kind: str = "triangle", n: int = 3, **options: object) -> Elasticity:
    given = {"density": 1.0, "steady": False, "conditions": (Flux(0.0),), "material": RUBBER, **options}
    return Elasticity(domain=MeshDomain(unit_mesh(kind, n)), **given)  # type: ignore[arg-type]


def run_of(problem: Elasticity, integrator: Integrator, dt: float, t_end: float, degree: int = 2) -> Solution:
    return simulate(problem, FiniteElementField.for_problem(problem, degree), integrator, dt=dt, t_end=t_end)


def momenta(run: Solution) -> Tensor:
    """Linear and angular momentum at the saved times, ``(k, d + …)``."""
    dynamics = make_dynamics(run.problem, run.representation)
    assert isinstance(dynamics, PotentialDynamics)
    out = []
    for t, theta in zip(run.times.tolist(), run.states, strict=True):
        u, v = dynamics.motion.split(theta)
        p = dynamics.motion.weighed(dynamics.motion.velocities(t, v))
        x = dynamics.motion.velocity.nodes + dynamics.space.nodal(t, u)
        if x.shape[1] == 2:
            x, turned = torch.nn.functional.pad(x, (0, 1)), torch.nn.functional.pad(p, (0, 1))
        else:
            turned = p
        out.append(torch.cat([p.sum(0), torch.linalg.cross(x, turned).sum(0)]))
    return torch.stack(out)


@pytest.mark.parametrize("kind", ["triangle", "tetra"])
def test_midpoint_conserves_linear_and_angular_momentum(kind: str) -> None:
    run = run_of(moving(kind, 2, start_velocity=turning), ImplicitMidpoint(), 0.05, 1.5)
    found = momenta(run)
    assert float(found[0].abs().max()) > 0.3
    assert float((found - found[0]).abs().max()) < 1e-10
    u = run.representation.at(run.states[-1], 1.5)(run.representation.displacement.nodes)
    assert float(u.abs().max()) > 0.5, "it has turned far"


def test_midpoint_conserves_the_energy_of_linear_bodies() -> None:
    run = run_of(moving(material=Linear(10.0, 0.3), start_velocity=turning), ImplicitMidpoint(), 0.05, 5.0)
    total = run.energies.total
    assert len(total) == 101
    assert float((total - total[0]).abs().max()) < 1e-10 * float(total[0])
    assert float(run.energies.parts["elastic"].max()) > 0.005 * float(total[0])


def test_energy_errors_of_a_nonlinear_body_fall_as_the_square_of_the_step_and_do_not_grow() -> None:
    problem = moving(n=1, start_velocity=turning)
    worst = []
    for dt, t_end in ((0.05, 50.0), (0.025, 10.0)):
        total = run_of(problem, ImplicitMidpoint(), dt, t_end).energies.total
        error = total / total[0] - 1
        worst.append(float(error[: int(10.0 / dt)].abs().max()))
        swing = float(error.max() - error.min())
        t = torch.linspace(-0.5, 0.5, len(error), dtype=torch.float64)
        drift = float((t * (error - error.mean())).sum() / t.square().sum())
        assert abs(drift) < 0.5 * swing, (drift, swing)
    assert worst[0] < 0.05
    assert 3.0 < worst[0] / worst[1] < 5.5, worst


@pytest.mark.parametrize("integrator", IMPLICIT, ids=repr)
def test_a_rotated_body_moves_as_the_body_does(integrator: Integrator) -> None:
    """Turned by 90° about the middle of the square, mesh, start and gravity alike."""
    problem = moving(n=2, start_velocity=turning, gravity=(0.3, -1.0))
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)

    def start(x: Tensor) -> Tensor:
        return turning((x - 0.5) @ turn + 0.5) @ turn.T

    mesh = problem.domain.mesh
    rotated = type(mesh)((mesh.points - 0.5) @ turn.numpy().T + 0.5, mesh.cells, mesh.kind)
    other = Elasticity(
        RUBBER,
        domain=MeshDomain(rotated),
        conditions=(Flux(0.0),),
        density=1.0,
        steady=False,
        start_velocity=start,
        gravity=(1.0, 0.3),
    )
    x = torch.rand(20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ends = [run_of(p, integrator, 0.1, 0.6) for p in (problem, other)]
    a, b = (
        run.representation.at(run.states[-1], 0.6)(places)
        for run, places in zip(ends, (x, (x - 0.5) @ turn.T + 0.5), strict=True)
    )
    torch.testing.assert_close(b, torch.cat([a[:, :2] @ turn.T, a[:, 2:] @ turn.T], 1), rtol=0, atol=1e-9)


def standing(t: float, x: Tensor) -> Tensor:
    """A bar of wave speed 1 that is held at x = 0: u = sin(πx/2) cos(πt/2)."""
    w = 0.5 * math.pi
    return torch.stack([torch.sin(w * x[:, 0]) * math.cos(w * t), 0 * x[:, 0]], 1)


@pytest.mark.parametrize("integrator", IMPLICIT, ids=repr)
def test_orders_with_a_standing_wave(integrator: Integrator) -> None:
    held = (Dirichlet(0.0, "x-"), Flux(0.0))
    problem = moving("quad", 8, material=Linear(1.0, 0.0), conditions=held, start=lambda x: standing(0.0, x))
    errors = []
    for steps in (5, 10) if integrator.order == 4 else (16, 32):
        run = run_of(problem, integrator, 1.3 / steps, 1.3)
        x = run.representation.displacement.nodes
        errors.append(float((run.representation.at(run.states[-1], 1.3)(x)[:, :2] - standing(1.3, x)).abs().max()))
    floor = 3e-5  # of the elements
    assert errors[1] < floor or orders(errors)[0] > integrator.order - 0.2, errors
    assert errors[1] < 0.05


def shaken(t: float, x: Tensor) -> Tensor:
    s = math.sin(2.0 * t)
    return torch.stack([0.1 * s * x[:, 1], 0.3 * s + 0 * x[:, 1]], 1)


SHAKEN = {
    "conditions": (
        Dirichlet(shaken, "x-"),
        traction(lambda t, x: 0.2 * math.sin(t) * torch.ones_like(x), "x+"),
        Flux(0.0),
    ),
    "start_velocity": lambda x: torch.stack([0.2 * x[:, 1], 0.6 + 0 * x[:, 1]], 1),
    "material": SaintVenantKirchhoff(3.0, 0.2),
    "damping": Rayleigh(0.5, 0.02),
    "gravity": (0.0, -0.5),
}


@functools.cache
def shaken_reference() -> Tensor:
    return run_of(moving(n=1, **SHAKEN), SDIRK4(), 1 / 160, 1.0, 1).last.theta


@pytest.mark.parametrize("integrator", IMPLICIT, ids=repr)
def test_orders_of_a_nonlinear_body_on_supports_that_move(integrator: Integrator) -> None:
    """With damping, gravity and a traction that depends on time. The lag of damping leaves order 2."""
    errors = []
    for steps in (20, 40):
        end = run_of(moving(n=1, **SHAKEN), integrator, 1 / steps, 1.0, 1).last.theta
        errors.append(float((end - shaken_reference()).norm() / shaken_reference().norm()))
    least = min(integrator.order, 2) - 0.25
    assert orders(errors)[0] > least, errors
    assert errors[1] < 0.05


def test_supports_that_shake_a_body_as_a_whole_bring_no_damping_of_its_stiffness() -> None:
    def lift(t: float, x: Tensor) -> Tensor:
        return torch.stack([0 * x[:, 0], 0.5 * t + 0 * x[:, 1]], 1)

    held = (Dirichlet(lift, "x-"), Flux(0.0))
    problem = moving(conditions=held, start_velocity=(0.0, 0.5), damping=Rayleigh(0.0, 1.0))
    run = run_of(problem, BDF2(), 0.1, 1.0)
    u = run.representation.at(run.states[-1], 1.0)(run.representation.displacement.nodes)
    torch.testing.assert_close(u[:, 1], torch.full_like(u[:, 1], 0.5), rtol=0, atol=1e-8)
    assert float(run.energies.dissipated.max()) < 1e-12


@pytest.mark.parametrize("beta", [0.0, 0.05])
def test_damping_of_one_mode(beta: float) -> None:
    """A mode of frequency ω decays as exp(−(α + β ω²) t/2)."""
    alpha, w = 0.4, 0.5 * math.pi
    problem = moving(
        "quad",
        8,
        material=Linear(1.0, 0.0),
        conditions=(Dirichlet(0.0, "x-"), Flux(0.0)),
        start=lambda x: standing(0.0, x),
        damping=Rayleigh(alpha, beta),
    )
    run = run_of(problem, ImplicitMidpoint(), 0.01, 2.0)
    rate = 0.5 * (alpha + beta * w**2)
    own = math.sqrt(w**2 - rate**2)
    wanted = math.exp(-2 * rate) * (math.cos(2 * own) + rate / own * math.sin(2 * own))
    end = float(run.representation.at(run.states[-1], 2.0)(torch.tensor([[1.0, 0.5]], dtype=torch.float64))[0, 0])
    assert end == pytest.approx(wanted, rel=2e-3)
    kept = run.energies.total + run.energies.dissipated
    assert float((kept - kept[0]).abs().max()) < 1e-10 * float(kept[0])


@pytest.mark.parametrize("integrator", [*IMPLICIT, RK4()], ids=repr)
def test_restarts_repeat_a_run_bit_by_bit(integrator: Integrator, tmp_path: Path) -> None:
    problem = moving(n=2, **SHAKEN)
    r = FiniteElementField.for_problem(problem, 1)
    assert isinstance(r, Motion)
    dt = 0.005 if repr(integrator) == "RK4()" else 0.1
    whole, half = (simulate(problem, r, integrator, dt=dt, t_end=n * dt) for n in (8, 4))
    saved = load_solution(half.save(tmp_path / "half.h5"), problem)
    assert isinstance(saved.representation, Motion)
    for name, part in half.energies.parts.items():
        assert torch.equal(saved.energies.parts[name], part)
    again = simulate(problem, saved.representation, integrator, dt=dt, t_end=8 * dt, restart=saved.last)
    assert torch.equal(again.last.theta, whole.last.theta)


def test_a_follower_pressure_turns_with_the_body() -> None:
    """A free body under pressure on one side is pushed along the normal that it has: a dead one pushes along x."""
    sides = {follower: (Pressure(0.4, "x-", follower=follower), Flux(0.0)) for follower in (True, False)}
    ends = {}
    for follower, conditions in sides.items():
        problem = moving(
            n=2, conditions=conditions, start_velocity=lambda x: 1.5 * torch.stack([0.5 - x[:, 1], x[:, 0] - 0.5], 1)
        )
        run = run_of(problem, BDF2(), 0.05, 1.0)
        ends[follower] = (momenta(run)[-1] - momenta(run)[0])[:2]
    assert float(ends[False][0]) == pytest.approx(0.4, rel=1e-9) and abs(float(ends[False][1])) < 1e-9
    assert float(ends[True][1]) > 0.15 and float(ends[True][0]) < 0.38
    assert float(ends[True].norm()) < 0.45


def test_what_does_not_go_together_is_refused() -> None:
    problem = moving(n=1)
    r = FiniteElementField.for_problem(problem, 1)
    with pytest.raises(UsageError, match="moves in time"):
        solve(problem, r)
    with pytest.raises(UsageError, match=r"from 0\.5 to 2"):
        Newmark(gamma=0.3)
    assert repr(Newmark(0.3, 0.6)) == "Newmark(beta=0.3, gamma=0.6)" and Newmark(0.3, 0.6).order == 1


@pytest.mark.parametrize("follower", [False, True])
def test_reactions_balance_inertia_and_loads(follower: bool) -> None:
    held = (Dirichlet(shaken, "x-"), Pressure(0.3, "x+", follower=follower), Flux(0.0))
    problem = moving(n=2, **{**SHAKEN, "conditions": held})
    run = run_of(problem, Newmark(), 0.1, 0.5)
    table = run.fluxes()
    for axis in "xy":
        out = sum(table[f"force_on_{face}_{axis}"] for face in ("x-", "x+", "y-", "y+"))
        kept = table[f"body_force_{axis}"] - table[f"inertia_{axis}"] - out
        assert abs(kept).max() < 1e-10
        assert abs(table[f"inertia_{axis}"]).max() > 0.01


def test_the_support_of_a_body_at_rest_carries_its_weight() -> None:
    problem = Elasticity(
        RUBBER,
        domain=MeshDomain(unit_mesh("triangle", 3)),
        conditions=(Dirichlet(0.0, "y-"), Flux(0.0)),
        density=2.0,
        gravity=(0.0, -3.0),
    )
    table = solve(problem, FiniteElementField.for_problem(problem)).fluxes()
    assert float(table["force_on_y-_y"][0]) == pytest.approx(-6.0, rel=1e-10)
    assert abs(float(table["force_on_y-_x"][0])) < 1e-10
