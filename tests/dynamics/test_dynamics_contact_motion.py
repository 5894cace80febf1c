"""Bodies that fall, slide and collide: nothing penetrates, momentum and Coulomb's law hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from contact_bodies import displacements, least_distance, moving, placed, velocities
from torch import Tensor

from neuralpde import (
    Block,
    BodyContact,
    Contact,
    Disc,
    FiniteElementField,
    HalfSpace,
    ImplicitEuler,
    ImplicitMidpoint,
    SignedDistance,
    Solution,
    simulate,
)
from neuralpde.dynamics import make_dynamics
from neuralpde.geometry import Mesh, Solid
from neuralpde.integrators import BDF2, Integrator, Newmark
from neuralpde.problems import ARAP, Elasticity, Linear, NeoHookean
from neuralpde.types import UsageError

G = 9.81
FLOOR = HalfSpace((0.0, 0.0), (0.0, 1.0))
BODIES = [("triangle", 1, 2), ("triangle", 2, 1), ("quad", 1, 2), ("triangle6", 2, 1), ("tetra", 1, 1)]


def run_of(problem: Elasticity, integrator: Integrator, dt: float, steps: int, degree: int = 1) -> Solution:
    return simulate(
        problem, FiniteElementField.for_problem(problem, degree=degree), integrator, dt=dt, t_end=steps * dt
    )


def momenta(run: Solution) -> Tensor:
    """∫ ρ v at every saved time."""
    mass = make_dynamics(run.problem, run.representation).space.mass
    return torch.stack(
        [torch.from_numpy(mass @ v.reshape(-1).numpy()).reshape(v.shape).sum(0) for v in velocities(run)]
    )


def below(points: np.ndarray, kind: int, random: np.random.Generator) -> Solid:
    """An obstacle a little below a body."""
    d, foot, reach = points.shape[1], points[:, 1].min() - 0.02, np.linalg.norm(points, axis=1).max() + 0.02
    if kind == 0:
        normal = random.normal(size=d) * 0.4
        normal[1] = 1.0
        normal /= np.linalg.norm(normal)
        return HalfSpace(tuple(normal * ((points @ normal).min() - 0.02)), tuple(normal))
    if kind == 1:  # from needles to hills
        radius = 10 ** random.uniform(-2, 0)
        return Disc((random.uniform(-0.1, 0.1), -reach - radius, 0.0)[:d], radius)
    if kind == 2:
        low, high = np.full(d, -random.uniform(0.1, 0.4)), np.full(d, random.uniform(0.1, 0.4))
        low[1], high[1] = foot - 0.3, foot - 0.08
        return Block(tuple(low), tuple(high))
    radius, half = random.uniform(0.01, 0.06), random.uniform(0.1, 0.4)

    def bar(x: Tensor) -> Tensor:
        foot_of = torch.cat([x[:, :1].clamp(-half, half), torch.full_like(x[:, 1:], 0.0)], 1)
        foot_of[:, 1] = -reach - radius - 0.06
        return ((x - foot_of).square().sum(1) + 1e-30).sqrt() - radius

    return SignedDistance(bar)


def drop(seed: int) -> tuple[Solution, Solid]:
    """A body of a random shape, thrown down and turning, on a random obstacle."""
    random = np.random.default_rng(seed)
    kind, degree, n = BODIES[seed % len(BODIES)]
    mesh = placed(kind, n, distort=0.2, seed=seed)
    turn, _ = np.linalg.qr(random.normal(size=(mesh.dim, mesh.dim)))
    turn[:, 0] *= np.sign(np.linalg.det(turn))
    points = (mesh.points * random.uniform(0.3, 1.0, mesh.dim)) @ turn.T
    mesh = Mesh(points, mesh.cells, kind, mesh.parts, mesh.tags)
    solid = below(points, seed // len(BODIES) % 4, random)
    dt = float(random.choice([0.005, 0.01, 0.03]))
    velocity, spin = random.uniform(-1, 1, mesh.dim), random.uniform(-5, 5)
    velocity[1] = -random.uniform(1.0, 5.0)

    def start(x: Tensor) -> Tensor:
        out = x.new_tensor(velocity).repeat(len(x), 1)
        out[:, 0] -= spin * x[:, 1]
        out[:, 1] += spin * x[:, 0]
        return out

    materials = [NeoHookean(1e5, 0.3), NeoHookean(1e6, 0.45, form="stable"), ARAP(1e5, 1e5)]
    friction = float(random.choice([0.0, 0.4]))
    problem = moving(
        mesh,
        (Contact(solid, friction=friction, distance=random.choice([None, 0.01])),),
        material=materials[seed % 3],
        gravity=(0.0, -G, 0.0)[: mesh.dim],
        start_velocity=start,
    )
    return run_of(problem, ImplicitEuler(), dt, 3, degree), solid


@pytest.mark.parametrize("first", range(0, 200, 25))
def test_nothing_penetrates_in_200_drops(first: int) -> None:
    touched = 0
    for seed in range(first, first + 25):
        run, solid = drop(seed)
        distance = least_distance(run, solid)
        assert distance > 0, seed
        touched += distance < 0.02
    assert touched >= 5, "most bodies come near their obstacle"


@pytest.mark.parametrize("degree", [1, 2])
def test_a_body_that_lies_is_carried_with_its_weight(degree: int) -> None:
    problem = moving(
        placed("triangle", 2, 0.2, (0.0, 0.1002)), (Contact(FLOOR),), gravity=(0.0, -G), material=NeoHookean(1e6, 0.3)
    )
    run = run_of(problem, ImplicitEuler(), 0.1, 25, degree)
    out = make_dynamics(problem, run.representation).outputs(run.times[-1], run.states[-1])
    assert out["contact force y"] == pytest.approx(1000 * 0.04 * G, rel=1e-6)
    assert abs(out["contact force x"]) <= 1e-8
    assert 0 < out["contact gap"] < 1e-3 * 0.2 * math.sqrt(2)


@pytest.mark.parametrize("integrator", [ImplicitEuler(), BDF2()], ids=repr)
def test_an_impulse_is_the_change_of_momentum(integrator: Integrator) -> None:
    problem = moving(
        placed("triangle", 2, 0.2, (0.0, 0.11)), (Contact(Disc((0.05, -0.5), 0.5)),), start_velocity=(0.0, -2.0)
    )
    run = run_of(problem, integrator, 0.005, 8)
    dynamics = make_dynamics(problem, run.representation)
    found = [dynamics.outputs(t, theta) for t, theta in zip(run.times, run.states, strict=True)]
    force = torch.tensor([[out["contact force x"], out["contact force y"]] for out in found], dtype=torch.float64)
    p = momenta(run)
    assert float(force.abs().max()) > 100
    if not isinstance(integrator, BDF2):
        torch.testing.assert_close(p[1:] - p[:-1], 0.005 * force[1:], rtol=0, atol=1e-7)
    else:  # 3/2 p₂ − 2 p₁ + ½ p₀ = dt F₂
        torch.testing.assert_close(1.5 * p[2:] - 2 * p[1:-1] + 0.5 * p[:-2], 0.005 * force[2:], rtol=0, atol=1e-7)


def test_implicit_euler_makes_no_energy() -> None:
    problem = moving(placed("triangle", 2, 0.2, (0.0, 0.13)), (Contact(Disc((0.05, -0.5), 0.5)),), gravity=(0.0, -G))
    run = run_of(problem, ImplicitEuler(), 0.01, 30)
    dynamics = make_dynamics(problem, run.representation)
    total = [sum(dynamics.energies(t, theta).values()) for t, theta in zip(run.times, run.states, strict=True)]
    assert np.diff(total).max() <= 1e-12 * np.ptp(total)
    assert np.ptp(total) > 1


@pytest.mark.parametrize("friction", [0.2, 0.45, 0.55, 0.8])
def test_friction_on_an_incline(friction: float) -> None:
    angle = math.atan(0.5)
    problem = moving(
        placed("triangle", 2, 0.1, (0.0, 0.05 + 1e-5)),
        (Contact(FLOOR, on="y-", friction=friction, distance=2e-5),),
        gravity=(G * math.sin(angle), -G * math.cos(angle)),
        material=NeoHookean(1e6, 0.3),
    )
    run = run_of(problem, ImplicitEuler(), 0.01, 20)
    x = np.array([float(values[:, 0].mean()) for values in displacements(run)])
    speed = np.diff(x) / 0.01
    if friction < 0.5:
        exact = G * (math.sin(angle) - friction * math.cos(angle))
        assert (speed[-1] - speed[9]) / 0.1 == pytest.approx(exact, rel=1e-3)
    else:  # it creeps more slowly than its slip speed
        assert abs(speed[-1]) < 1e-3 * 0.1 * math.sqrt(2)
        assert speed.max() < 0.1 * G * math.sin(angle) * 0.2


@pytest.mark.parametrize("degree", [1, 2])
def test_two_bodies_that_collide_keep_their_momentum(degree: int) -> None:
    a = placed("triangle", 2, 0.2, distort=0.2)
    points = np.concatenate([a.points, a.points + np.array([0.21, 0.07])])

    def start(x: Tensor) -> Tensor:
        left = x[:, :1] < 0.105
        return torch.where(left, x.new_tensor((1.0, 0.0)), x.new_tensor((-0.7, 0.3)))

    mesh = Mesh(points, np.concatenate([a.cells, a.cells + len(a.points)]))
    problem = moving(mesh, (BodyContact(friction=0.3),), start_velocity=start)
    run = run_of(problem, ImplicitEuler(), 0.005, 12, degree)
    p = momenta(run)
    assert float((p - p[0]).abs().max()) <= 1e-10 * float(p[0].abs().max())
    left = velocities(run)[-1][run.representation.displacement.nodes[:, 0] < 0.105]
    assert float(left[:, 0].mean()) < 0.6, "the left body was stopped"
    out = [make_dynamics(problem, run.representation).outputs(t, s) for t, s in zip(run.times, run.states, strict=True)]
    assert min(o["contact gap"] for o in out) > 0


def test_a_moving_obstacle_pushes_a_body_ahead() -> None:
    pusher = Contact(HalfSpace((-0.15, 0.0), (1.0, 0.0)), motion=lambda t: (2.0 * t, 0.0))
    problem = moving(placed("triangle", 2, 0.2), (pusher,), material=NeoHookean(1e6, 0.3))
    run = run_of(problem, ImplicitEuler(), 0.01, 20)
    for t, values in zip(run.times, displacements(run), strict=True):
        assert float((run.representation.displacement.nodes + values)[:, 0].min()) > -0.15 + 2.0 * t
    assert float(velocities(run)[-1][:, 0].mean()) == pytest.approx(2.0, rel=0.1)


def test_midpoint_is_refused_where_bodies_touch() -> None:
    problem = moving(placed("triangle", 1, 0.2, (0.0, 0.11)), (Contact(FLOOR),))
    with pytest.raises(UsageError, match=r"ImplicitEuler|BDF2"):
        run_of(problem, ImplicitMidpoint(), 0.01, 1)


@pytest.mark.parametrize("degree", [1, 2])
def test_newmark_makes_no_energy_in_an_impact(degree: int) -> None:
    """A linear body on a plane: its energy cannot grow, as the barrier is convex. With half of a contact's force at the
    beginning of a step it grows sixfold here."""
    tilted = placed("triangle", 2, np.array([[0.19, -0.06], [0.06, 0.19]]), (0.0, 0.13))
    problem = moving(tilted, (Contact(FLOOR),), material=Linear(1e5, 0.3), start_velocity=(0.0, -1.0))
    run = run_of(problem, Newmark(), 0.0025, 60, degree)
    dynamics = make_dynamics(problem, run.representation)
    total = [sum(dynamics.energies(t, theta).values()) for t, theta in zip(run.times, run.states, strict=True)]
    force = [dynamics.outputs(t, theta)["contact force y"] for t, theta in zip(run.times, run.states, strict=True)]
    assert max(force) > 100
    assert np.diff(total).max() <= 1e-11 * total[0]
    assert total[-1] > 0.5 * total[0]
    p = momenta(run)[:, 1]
    np.testing.assert_allclose(np.diff(p), 0.0025 * np.array(force[1:]), rtol=0, atol=1e-7)


def test_newmark_takes_quadratic_elements_onto_a_disc() -> None:
    """Edges take the disc's shape on the way, where all of their points are as near to it."""
    problem = moving(
        placed("triangle", 3, 0.2, (0.0, 0.13)),
        (Contact(Disc((0.05, -0.5), 0.5)),),
        gravity=(0.0, -G),
        start_velocity=(0.0, -2.0),
    )
    run = run_of(problem, Newmark(), 0.0025, 20, 2)
    assert 0 < least_distance(run, Disc((0.05, -0.5), 0.5)) < 1e-3 * 0.2 * math.sqrt(2)
    assert max(info.iterations for info in run.infos) <= 25
