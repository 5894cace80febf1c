"""Bodies with straight and with curved edges that touch each other: derivatives, bounds, and drops on other bodies."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from contact_bodies import displacements, moving, placed, skin
from torch import Tensor

from neuralpde import BodyContact, Disc, FiniteElementField, HalfSpace, ImplicitEuler, MeshDomain, Solution, simulate
from neuralpde.dynamics._contact_curves import CurveDiscGaps
from neuralpde.dynamics._contact_parts import contact_potentials
from neuralpde.geometry import Mesh
from neuralpde.problems import ARAP, Contact, Elasticity, NeoHookean
from neuralpde.types import UsageError

KINDS = [("triangle", 1), ("triangle", 2), ("triangle6", 2), ("quad", 2), ("quad9", 2)]


def pair(mesh: Mesh, first: np.ndarray, second: np.ndarray, shift: tuple[float, float]) -> Mesh:
    """Two bodies with the elements of one mesh, their points given, the second one shifted."""
    cells = np.concatenate([mesh.cells, mesh.cells + len(mesh.points)])
    return Mesh(np.concatenate([first, second + np.array(shift)]), cells, mesh.kind)


def parts_of(mesh: Mesh, degree: int, contact: BodyContact) -> tuple:
    problem = Elasticity(NeoHookean(1.0, 0.3), domain=MeshDomain(mesh), contact=(contact,))
    field = FiniteElementField(problem.domain, (), 2, degree=degree)
    return field, *contact_potentials(problem, field)


def outlines(field: FiniteElementField, values: Tensor, second: Tensor, count: int = 33) -> tuple[Tensor, Tensor]:
    """Segments ``(n, 2, 2)`` along the displaced boundaries of two bodies, by the elements' own functions."""
    lines = skin(field, values, count).reshape(-1, count, 2)
    numbers = np.unique(field.mesh.boundary[:, 1])
    order = np.concatenate([field.mesh.boundary[field.mesh.boundary[:, 1] == k, 0] for k in numbers])
    segments = torch.stack([lines[:, :-1], lines[:, 1:]], 2)
    mine = second[torch.from_numpy(field.mesh.cells[order][:, 0])]
    return segments[~mine].reshape(-1, 2, 2), segments[mine].reshape(-1, 2, 2)


def inside(points: Tensor, segments: Tensor) -> Tensor:
    """Whether rays from points meet closed lines an odd number of times, ``(n,)``."""
    a, b = segments[None, :, 0], segments[None, :, 1]
    p = points[:, None]
    beside = (a[..., 1] > p[..., 1]) != (b[..., 1] > p[..., 1])
    meets = a[..., 0] + (p[..., 1] - a[..., 1]) / (b[..., 1] - a[..., 1]) * (b[..., 0] - a[..., 0])
    return ((beside & (meets > p[..., 0])).sum(1) % 2).bool()


def apart(field: FiniteElementField, values: Tensor, second: Tensor) -> float:
    """Distance of the points of two outlines; −1 where one is inside the other."""
    a, b = outlines(field, values, second)
    if bool(inside(a[:, 0], b).any()) or bool(inside(b[:, 0], a).any()):
        return -1.0
    return float(torch.cdist(a[:, 0], b[:, 0]).min())


def near_each_other(kind: str, gap: float, seed: int = 0) -> Mesh:
    """Two bodies with bulging edges, one above the other; the second is a little turned."""
    mesh = placed(kind, 2, distort=0.1, seed=seed)
    bulge = mesh.points * (1 + 0.15 * np.cos(3 * mesh.points[:, ::-1]))
    c, s = np.cos(0.2), np.sin(0.2)
    other = 0.7 * bulge @ np.array([[c, s], [-s, c]])
    return pair(mesh, bulge, other, (0.07, bulge[:, 1].max() - other[:, 1].min() + gap))


@pytest.mark.parametrize(("kind", "degree"), KINDS)
def test_forces_between_bodies_are_gradients_of_energies(kind: str, degree: int) -> None:
    contact = BodyContact(friction=0.4, distance=0.12, slip_speed=0.01)
    field, touch, rub = parts_of(near_each_other(kind, 0.04), degree, contact)
    generator = torch.Generator().manual_seed(0)
    begin, more, step = (
        size * torch.randn(field.nodes.shape, dtype=torch.float64, generator=generator) for size in (0.005, 0.002, 1.0)
    )
    rub.lag(0.0, begin)
    values = begin + more
    for part in (touch, rub):
        slope, up, down = part.gradient(1.0, values), values + 1e-6 * step, values - 1e-6 * step
        rise = (part.energy(1.0, up) - part.energy(1.0, down)) / 2e-6
        assert rise == pytest.approx(float((slope * step).sum()), rel=2e-6) and abs(rise) > 1e-6
        bend = (part.gradient(1.0, up) - part.gradient(1.0, down)).reshape(-1).numpy() / 2e-6
        exact = part.hessian(1.0, values, False)
        assert np.abs(exact @ step.reshape(-1).numpy() - bend).max() <= 2e-5 * np.abs(bend).max()
        assert abs(exact - exact.T).max() <= 1e-12 * abs(exact).max()
        definite = np.linalg.eigvalsh(part.hessian(1.0, values, True).toarray())
        assert definite.min() >= -1e-10 * definite.max()
    force = touch.gradient(1.0, values)
    assert float(force.sum(0).abs().max()) <= 1e-12 * float(force.abs().max())


@pytest.mark.parametrize(("kind", "degree"), KINDS)
def test_gaps_between_bodies_never_say_more_than_the_distance(kind: str, degree: int) -> None:
    mesh = near_each_other(kind, 0.05)
    field, touch = parts_of(mesh, degree, BodyContact(distance=0.01))
    second = body_two(field)
    for seed in range(5):
        shift = torch.randn(field.nodes.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        values = 0.01 * shift
        gap, true = touch.outputs(0.0, values)["contact gap"], apart(field, values, second)
        assert true - 0.03 < gap <= true + 1e-12


def body_two(field: FiniteElementField) -> Tensor:
    """Which points of the mesh belong to the second body, ``(N,)``."""
    number = torch.arange(len(field.mesh.points))
    return number >= len(number) // 2


@pytest.mark.parametrize(("kind", "degree"), KINDS)
def test_no_step_leads_through_another_body(kind: str, degree: int) -> None:
    field, touch = parts_of(near_each_other(kind, 0.05), degree, BodyContact(distance=0.01))
    second = body_two(field)
    upper = field.nodes[:, 1] > float(torch.as_tensor(field.mesh.points)[second, 1].min()) - 1e-9
    for seed, far in enumerate((0.5, 5.0, 500.0)):
        step = torch.zeros_like(field.nodes)
        step[upper, 1] = -far
        step += 0.02 * far * torch.randn(step.shape, generator=torch.Generator().manual_seed(seed), dtype=step.dtype)
        s = touch.longest(0.0, torch.zeros_like(step), step)
        assert 0 < s < 1
        assert all(apart(field, q * s * step, second) > 0 for q in np.linspace(0, 1, 7))


@pytest.mark.parametrize(("kind", "degree"), KINDS)
def test_curves_that_cut_each_other_at_the_start_are_refused(kind: str, degree: int) -> None:
    _, touch = parts_of(near_each_other(kind, -0.2), degree, BodyContact(distance=0.01))
    with pytest.raises(UsageError, match=r"edges of the boundary cut others|deep inside"):
        touch.lag(0.0, torch.zeros_like(touch.surface.start[:0]).new_zeros(touch.surface.num_nodes, 2))


@pytest.mark.parametrize("degree", [1, 2])
def test_edges_of_one_line_do_not_cut_each_other(degree: int) -> None:
    """Short ones beside long ones along a straight side, in any direction."""
    mesh = placed("quad", 6)
    c, s = np.cos(0.3), np.sin(0.3)
    points = np.sign(mesh.points) * np.abs(mesh.points) ** 2 @ np.array([[c, s], [-s, c]])
    field, touch = parts_of(Mesh(points, mesh.cells, "quad"), degree, BodyContact(distance=1e-4))
    touch.lag(0.0, torch.zeros_like(field.nodes))
    assert touch.energy(0.0, torch.zeros_like(field.nodes)) == 0


def test_flat_faces_press_alike_whatever_the_degree() -> None:
    """Two squares at a small distance: energies of one gap over one length, counted once at the corners too."""
    mesh = placed("triangle", 2)
    stacked = pair(mesh, mesh.points, mesh.points, (0.0, 1.01))
    energies = []
    for degree in (1, 2):
        field, touch = parts_of(stacked, degree, BodyContact(distance=0.02, stiffness=1.0))
        energies.append(touch.energy(0.0, torch.zeros_like(field.nodes)))
    assert energies[1] == pytest.approx(energies[0], rel=0.15)


@pytest.mark.parametrize("hollow", [0.1, -0.1])
def test_the_gap_of_a_curve_from_a_disc_turns_without_a_jump(hollow: float) -> None:
    """Also where both ends of a hollow piece are as near; it lies below the distance by its bend at most."""
    disc, smooth = Disc((0.0, -1.1), 1.0), 0.01
    patches = SimpleNamespace(control=torch.tensor([[0, 1, 2]]), weights=torch.ones(1, 3, dtype=torch.float64) / 3)
    surface: Any = SimpleNamespace(patches=patches, start=torch.zeros(3, 2, dtype=torch.float64))
    gaps = CurveDiscGaps(surface, smooth, disc, torch.ones(1, dtype=torch.float64))
    flat = torch.tensor([[-0.3, 0.0], [0.0, 2 * hollow], [0.3, 0.0]], dtype=torch.float64)

    def turned(angle: float) -> Tensor:
        c, s = np.cos(angle), np.sin(angle)
        return (flat @ torch.tensor([[c, s], [-s, c]], dtype=torch.float64))[None]

    left, right = (gaps.jet(turned(angle)).gradient for angle in (-1e-9, 1e-9))
    assert float((left - right).abs().max()) <= 1e-7 < 0.1 < float(left.abs().max())
    s = torch.linspace(0, 1, 2001, dtype=torch.float64)
    shares = torch.stack([(1 - s) ** 2, 2 * s * (1 - s), s**2], 1)
    for angle in np.linspace(-0.5, 0.5, 11):
        gap, true = float(gaps.gap(turned(angle))[0]), float(disc.distance(shares @ turned(angle)[0]).min())
        assert true - 2 * abs(hollow) - smooth / 4 <= gap <= true


def thrown(seed: int) -> tuple[Solution, Tensor]:
    """A body thrown on another that lies on a floor, both of random shapes."""
    random = np.random.default_rng(1000 + seed)
    kind, degree = KINDS[seed % len(KINDS)]
    mesh = placed(kind, 2 if degree == 1 else 1, distort=0.2, seed=seed)
    shapes = []
    for _ in range(2):
        angle, bend = random.uniform(0, 2 * np.pi), random.uniform(-0.25, 0.25)
        c, s = np.cos(angle), np.sin(angle)
        points = mesh.points * random.uniform(0.4, 1.0, 2)
        points = points + bend * np.stack([points[:, 1] ** 2, np.zeros(len(points))], 1)
        shapes.append(points @ np.array([[c, s], [-s, c]]))
    low, high = shapes
    low[:, 1] += 0.02 - low[:, 1].min()
    # curves bulge beyond their nodes: a tenth of a side more between them
    both = pair(mesh, low, high, (random.uniform(-0.3, 0.3), low[:, 1].max() - high[:, 1].min() + 0.12))
    high = both.points[len(low) :]
    middle = 0.5 * (low[:, 1].max() + high[:, 1].min())
    velocity, spin = np.array([random.uniform(-1, 1), -random.uniform(2.0, 8.0)]), random.uniform(-4, 4)

    def start(x: Tensor) -> Tensor:
        away = x - x.new_tensor(high.mean(0))
        moving_on = x.new_tensor(velocity) + spin * torch.stack([-away[:, 1], away[:, 0]], 1)
        return torch.where(x[:, 1:] > middle, moving_on, torch.zeros_like(x))

    materials = [NeoHookean(1e5, 0.3), NeoHookean(1e6, 0.45, form="stable"), ARAP(1e5, 1e5)]
    friction = float(random.choice([0.0, 0.4]))
    contact = (BodyContact(friction=friction), Contact(HalfSpace((0.0, 0.0), (0.0, 1.0))))
    problem = moving(both, contact, material=materials[seed % 3], gravity=(0.0, -9.81), start_velocity=start)
    dt = float(random.choice([0.005, 0.01, 0.03]))
    motion = FiniteElementField.for_problem(problem, degree=degree)
    run = simulate(problem, motion, ImplicitEuler(), dt=dt, t_end=3 * dt)
    return run, body_two(run.representation.displacement)


@pytest.mark.parametrize("first", range(0, 40, 20))
def test_no_body_enters_another_in_40_throws(first: int) -> None:
    touched = 0
    for seed in range(first, first + 20):
        run, second = thrown(seed)
        field = run.representation.displacement
        distance = [apart(field, values, second) for values in displacements(run)]
        assert min(distance) > 0, seed
        touched += min(distance) < 0.03
    assert touched >= 5, "many bodies meet"
