"""Gaps, barriers and collision detection: derivatives, bounds, nothing missed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from contact_bodies import placed, skin
from torch import Tensor

from neuralpde import Block, BodyContact, Contact, Disc, FiniteElementField, HalfSpace, MeshDomain, SignedDistance
from neuralpde.dynamics._contact_barrier import barrier, slip
from neuralpde.dynamics._contact_nearest import distance_jet, foot_on_segment, foot_on_triangle
from neuralpde.dynamics._contact_parts import contact_potentials
from neuralpde.dynamics._contact_points import PointContact
from neuralpde.geometry import LevelSet, Mesh, Solid
from neuralpde.problems import Elasticity, NeoHookean
from neuralpde.types import UsageError


def _capsule(x: Tensor) -> Tensor:
    return (x - torch.cat([x[:, :1].clamp(-0.2, 0.2), 0 * x[:, 1:] - 0.9], 1)).norm(dim=-1) - 0.1


CAPSULE = SignedDistance(_capsule)
ELEMENTS = [("triangle", 1), ("triangle", 2), ("triangle6", 2), ("quad9", 2), ("tetra", 1), ("hexahedron", 1)]


def obstacles(d: int) -> list[Solid]:
    """Below a unit body around 0."""
    found: list[Solid] = [HalfSpace((0.0, -0.7, 0.0)[:d], (0.1, 1.0, 0.0)[:d]), Disc((0.1, -1.2, 0.0)[:d], 0.5)]
    found.append(Block((-0.2, -1.0, -0.3)[:d], (0.3, -0.75, 0.3)[:d]))
    return [*found, CAPSULE] if d == 2 else found


def parts_of(mesh: Mesh, degree: int, contact: Contact | BodyContact) -> tuple:
    """Contact (and friction) of a body at rest."""
    problem = Elasticity(NeoHookean(1.0, 0.3), domain=MeshDomain(mesh), contact=(contact,))
    field = FiniteElementField(problem.domain, (), mesh.dim, degree=degree)
    return field, *contact_potentials(problem, field)


def wobble(x: Tensor, size: float, seed: int = 0) -> Tensor:
    return size * torch.randn(x.shape, dtype=x.dtype, generator=torch.Generator().manual_seed(seed))


CASES = [(kind, degree, k) for kind, degree in ELEMENTS for k in range(4 if kind[0] in "qt" and kind != "tetra" else 3)]


@pytest.mark.parametrize(("kind", "degree", "k"), CASES)
def test_forces_are_gradients_of_energies(kind: str, degree: int, k: int) -> None:
    d = 3 if kind in ("tetra", "hexahedron") else 2
    solid = obstacles(d)[k]
    contact = Contact(solid, on="y-", friction=0.4, distance=0.5, slip_speed=0.01)
    field, touch, rub = parts_of(placed(kind, 2), degree, contact)
    begin = wobble(field.nodes, 0.01)
    rub.lag(0.0, begin)
    values, step = begin + wobble(field.nodes, 0.004, 1), wobble(field.nodes, 1.0, 2)
    for part in (touch, rub):
        slope, up, down = (part.gradient(1.0, values), values + 1e-6 * step, values - 1e-6 * step)
        rise = (part.energy(1.0, up) - part.energy(1.0, down)) / 2e-6
        assert rise == pytest.approx(float((slope * step).sum()), rel=1e-6)
        assert abs(rise) > 1e-6
        bend = (part.gradient(1.0, up) - part.gradient(1.0, down)).reshape(-1).numpy() / 2e-6
        exact = part.hessian(1.0, values, False)
        assert np.abs(exact @ step.reshape(-1).numpy() - bend).max() <= 1e-5 * np.abs(bend).max()
        assert abs(exact - exact.T).max() <= 1e-12 * abs(exact).max()
        definite = np.linalg.eigvalsh(part.hessian(1.0, values, True).toarray())
        assert definite.min() >= -1e-10 * definite.max()


@pytest.mark.parametrize(("kind", "degree", "k"), CASES)
def test_gaps_never_say_more_than_the_distance(kind: str, degree: int, k: int) -> None:
    d = 3 if kind in ("tetra", "hexahedron") else 2
    solid = obstacles(d)[k]
    field, touch = parts_of(placed(kind, 2, distort=0.2), degree, Contact(solid, distance=0.1))
    for seed in range(5):
        values = wobble(field.nodes, 0.05, seed)
        gap, true = touch.outputs(0.0, values)["contact gap"], float(solid.distance(skin(field, values, 65)).min())
        # the sampled distance is a little more than the true one; pieces under balls are a little nearer than it
        assert true - 0.1 < gap <= true + 1e-12


@pytest.mark.parametrize(("kind", "degree", "k"), CASES)
def test_no_step_leads_through_an_obstacle(kind: str, degree: int, k: int) -> None:
    d = 3 if kind in ("tetra", "hexahedron") else 2
    solid = obstacles(d)[k]
    field, touch = parts_of(placed(kind, 1), degree, Contact(solid, distance=0.05))
    down = torch.zeros_like(field.nodes)
    for seed, far in enumerate((0.5, 5.0, 500.0)):  # far behind it, where an end point alone sees nothing
        down[:, 1] = -far
        step = down + wobble(field.nodes, 0.2 * far, seed)
        s = touch.longest(0.0, torch.zeros_like(step), step)
        before = touch.outputs(0.0, torch.zeros_like(step))["contact gap"]
        left = touch.outputs(0.0, s * step)["contact gap"]
        assert 0 < s < 1
        assert 0.05 * before < left < 0.6 * before
        assert all(touch.outputs(0.0, q * s * step)["contact gap"] > 0 for q in np.linspace(0, 1, 7))


def test_points_do_not_tunnel_through_edges() -> None:
    square, needle = placed("triangle", 1), placed("triangle", 1, np.diag([0.01, 0.2]), (0.1, 0.7))
    points = np.concatenate([square.points, needle.points])
    mesh = Mesh(points, np.concatenate([square.cells, needle.cells + len(square.points)]))
    field, touch, _ = (*parts_of(mesh, 1, BodyContact(distance=0.01)), None)
    step = torch.zeros_like(field.nodes)
    step[field.nodes[:, 1] > 0.55, 1] = -3.0
    s = touch.longest(0.0, torch.zeros_like(step), step)
    assert s * 3.0 == pytest.approx(0.9 * 0.1, rel=1e-2)
    with pytest.raises(UsageError, match="edges of the boundary cut others"):
        touch.lag(0.0, 0.06 * step)


@pytest.mark.parametrize("degree", [1, 2])
def test_a_body_inside_another_is_refused_and_one_in_its_hole_is_not(degree: int) -> None:
    frame = placed("quad", 3, 3.0)
    middle = np.abs(frame.points[frame.cells].mean(1)).max(1) < 0.1
    inner = placed("quad", 1, 0.4)
    points = np.concatenate([frame.points, inner.points])
    cells = np.concatenate([frame.cells[~middle], inner.cells + len(frame.points)])
    used, numbers = np.unique(cells, return_inverse=True)
    mesh, contact = Mesh(points[used], numbers.reshape(cells.shape), "quad"), BodyContact(distance=0.01)
    field, touch = parts_of(mesh, degree, contact)
    rest, moved = torch.zeros_like(field.nodes), torch.zeros_like(field.nodes)
    touch.lag(0.0, rest)
    moved[field.nodes.abs().amax(1) < 0.3] = torch.tensor([1.0, 0.1], dtype=torch.float64)
    _, touch = parts_of(field.mesh, degree, contact)
    with pytest.raises(UsageError, match=r"a body lies inside another near \(0\.\d+"):
        touch.lag(0.0, moved)
    moved[field.nodes.abs().amax(1) < 0.3] = torch.tensor([3.0, 0.1], dtype=torch.float64)
    touch.lag(0.0, moved)


@pytest.mark.parametrize(("corners", "d", "foot"), [(2, 2, "line"), (2, 3, "line"), (3, 3, "triangle")])
def test_nearest_points(corners: int, d: int, foot: str) -> None:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(300, corners, d, dtype=torch.float64, generator=generator)
    z = 1.5 * torch.randn(300, d, dtype=torch.float64, generator=generator)
    found = foot_on_segment(x[:, 0], x[:, 1], z) if foot == "line" else foot_on_triangle(x, z)
    jet = distance_jet(x, found, z)
    s = torch.linspace(0, 1, 401, dtype=torch.float64)
    if foot == "line":
        shares = torch.stack([1 - s, s], 1)
    else:
        a, b = torch.meshgrid(s[::4], s[::4], indexing="ij")
        shares = torch.stack([1 - a - b, a, b], -1)[a + b <= 1]
    tried = (torch.einsum("sm,nmd->nsd", shares, x) - z[:, None]).norm(dim=-1).amin(1)
    assert float((tried - jet.gap).min()) >= -1e-12
    assert float((tried - jet.gap).max()) <= 2e-2


def test_the_barrier_is_smooth_and_infinite() -> None:
    gap = torch.tensor([0.0, -0.1, 1e-9, 0.05, 0.1 - 1e-7, 0.1, 0.3], dtype=torch.float64)
    value, slope, curvature = barrier(gap, 0.1)
    assert value[:2].isinf().all() and bool((value[2:5] > 0).all())
    assert float(slope[4].abs()) < 1e-10 and float(curvature[4]) < 1e-3
    assert not value[5:].any() and not slope[5:].any() and not curvature[5:].any()
    y = torch.linspace(0.01, 0.099, 9, dtype=torch.float64)
    for order in (0, 1):
        found = (barrier(y + 1e-7, 0.1)[order] - barrier(y - 1e-7, 0.1)[order]) / 2e-7
        torch.testing.assert_close(found, barrier(y, 0.1)[order + 1], rtol=1e-5, atol=0)


def test_slip_is_coulomb_beyond_its_smoothing() -> None:
    length = torch.tensor([0.0, 0.5, 1.0, 4.0], dtype=torch.float64)
    value, share, rise = slip(length, 1.0)
    torch.testing.assert_close(share * length, torch.tensor([0.0, 0.75, 1.0, 1.0], dtype=torch.float64))
    torch.testing.assert_close(value[2:], length[2:])
    torch.testing.assert_close(rise, torch.tensor([2.0, 1.0, 0.0, 0.0], dtype=torch.float64))


def test_points_of_any_field() -> None:
    contact = Contact(Disc((0.0, 0.0), 1.0) | HalfSpace((0.0, -1.2), (0.0, 1.0)), motion=lambda t: (0.0, t))
    points = PointContact(contact, distance=0.3, stiffness=2.0)
    x = torch.tensor([[0.3, 1.2], [1.4, -0.9], [2.5, 0.0]], dtype=torch.float64)
    value, slope, curvature = points.jet(0.1, x, projected=False)
    for a in range(2):
        e = torch.zeros_like(x)
        e[:, a] = 1e-6
        up, down = points.jet(0.1, x + e), points.jet(0.1, x - e)
        torch.testing.assert_close((up[0] - down[0]) / 2e-6, slope[:, a], rtol=1e-6, atol=1e-9)
        torch.testing.assert_close((up[1] - down[1]) / 2e-6, curvature[:, a], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(value, points.energy(0.1, x))
    assert float(points.gap(0.1, x)[0]) == pytest.approx(float((x[0] - torch.tensor([0.0, 0.1])).norm()) - 1)
    assert torch.linalg.eigvalsh(points.jet(0.1, x)[2]).min() >= 0


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Contact(HalfSpace((0, 0), (0, 1)), friction=-0.1), "0 or more; got -0.1"),
        (lambda: Contact(HalfSpace((0, 0), (0, 1)), distance=0.0), "distance of a contact must be positive"),
        (lambda: Contact("floor"), "obstacle of a contact is a solid"),
        (lambda: HalfSpace((0, 0), (0, 0)), "not all zero"),
        (lambda: HalfSpace((0, 0, 0), (0, 1)), "as many numbers"),
        (lambda: parts_of(placed("tetra", 1), 1, Contact(Disc((0, -9), 1.0))), "lives in 3D and its obstacle in 2D"),
        (lambda: parts_of(placed("triangle", 1), 1, Contact(LevelSet(lambda x: x[:, 0]))), "state the obstacle as a"),
        (lambda: parts_of(placed("tetra", 1), 1, BodyContact()), "contact between bodies is in 2D"),
        (lambda: parts_of(placed("triangle", 1), 1, Contact(HalfSpace((0, -9), (0, 1)), on="sole")), "no 'sole'"),
        (lambda: parts_of(placed("triangle", 1), 1, SimpleNamespace()), "contact is a tuple of Contact"),
        (
            lambda: Contact(HalfSpace((0, 0), (0, 1)), motion=lambda t: t).shift(1.0, torch.zeros(1, 2)),
            "gives 2 finite",
        ),
    ],
)
def test_mistakes_are_sentences(call: object, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        call()  # type: ignore[operator]


def test_a_body_that_penetrates_is_refused_with_the_place_and_the_depth() -> None:
    field, touch = parts_of(placed("triangle", 2), 1, Contact(HalfSpace((0.0, -0.4), (0.0, 1.0))))
    with pytest.raises(UsageError, match=r"0\.1 m deep inside .* near \(-?0\.?\d*, -0\.5\)"):
        touch.lag(0.0, torch.zeros_like(field.nodes))


def test_every_body_of_an_obstacle_has_its_own_force() -> None:
    union = HalfSpace((0.0, -0.51), (0.0, 1.0)) | Disc((-1.2, 0.0), 0.695)
    field, *parts = parts_of(placed("triangle", 2), 1, Contact(union, distance=0.1))
    rest = torch.zeros_like(field.nodes)
    out = {name: value for part in parts for name, value in part.outputs(0.0, rest).items()}
    assert out["contact with body 1 gap"] == pytest.approx(0.01)
    assert out["contact with body 2 gap"] == pytest.approx(0.005)
    assert out["contact with body 1 force y"] > 0 and out["contact with body 2 force x"] > 0
