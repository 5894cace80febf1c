"""Dirichlet data on meshes: held on the boundary, from boundary data alone, with exact derivatives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from neuralpde.geometry import Boundary, Dirichlet, MeshDomain, SmoothDistance, read_mesh
from neuralpde.representations import NeuralField
from neuralpde.representations._mesh_boundary import MeshBoundary

FOLDER = Path(__file__).resolve().parents[2] / "meshes"
STRAIGHT = (
    "square",
    "l_shape",
    "channel_with_cylinder",
    "cook",
    "cantilever_2d",
    "cantilever_3d",
    "bracket",
)
CURVED = {"plate_with_holes": 1e-4, "cube_with_hole": 2e-2}
"""Quadratic facets leave the circle or sphere that data are held on by so much of the domain's size."""


def domain(name: str) -> MeshDomain:
    return MeshDomain(read_mesh(FOLDER / f"{name}.msh"))


def smooth(size: float):
    return lambda t, x: torch.sin(2 * x[:, :1] / size + t) * (1 + x[:, 1:2] / size) + 0.5


def corners(where: MeshDomain) -> Tensor:
    mesh = where.mesh
    return torch.from_numpy(mesh.points[np.unique(mesh.facet_nodes(mesh.boundary))])


@pytest.mark.parametrize("name", [*STRAIGHT, *CURVED])
def test_fields_hold_their_data_on_the_boundary(name: str) -> None:
    where = domain(name)
    g = smooth(max(where.lengths))
    field = NeuralField(where, (Dirichlet(g),), hidden=(6,), seed=1)
    theta = field.initial() + 0.3
    between = torch.cat([where.face_lattice(face, 40).points for face in where.faces])
    for x, tolerance in ((corners(where), 1e-10), (between, CURVED.get(name, 1e-6))):
        for t in (0.0, 0.7):
            u = field.at(theta, t).jet(x, frozenset({"grad", "laplacian"}))
            assert float((u.value - g(t, x)).abs().max()) <= tolerance
            assert bool(torch.isfinite(u.grad).all() and torch.isfinite(u.laplacian).all())


@pytest.mark.parametrize("name", ["l_shape", "plate_with_holes", "bracket"])
def test_the_factor_is_positive_inside_and_leaves_the_boundary_with_a_slope(name: str) -> None:
    where = domain(name)
    distance = SmoothDistance(where, where.faces)
    inside = distance.jet(where.spread(300).points.numpy())
    assert inside.value.min() > 0 and inside.value.max() < 1.5
    for face in where.faces:
        lattice = where.face_lattice(face, 20)
        jet = distance.jet(lattice.points.numpy())
        outward = (jet.grad * lattice.normals.numpy()).sum(1) * distance.size  # type: ignore[union-attr]
        assert outward.max() < -1e-3


@pytest.mark.parametrize("name", ["l_shape", "plate_with_holes", "cantilever_3d"])
def test_derivatives_agree_with_differences(name: str) -> None:
    where = domain(name)
    size = max(where.lengths)
    parts: tuple[Dirichlet, ...] = (Dirichlet(smooth(size)),)
    if len(where.faces) > 1:  # two groups are blended
        parts = (Dirichlet(3.0, on=where.faces[0]), Dirichlet(smooth(size)))
    hard = MeshBoundary(Boundary(where, parts), 1)
    x, step = where.spread(40).points, 1e-5 * size
    x = x[hard.factor(x)[:, 0] > 0.02]
    needs = frozenset({"grad", "laplacian", "hess"})
    for function in (lambda p: hard.factor_jet(p, needs), lambda p: hard.lift_jet(0.3, p, needs)):
        jet = function(x)
        for axis in range(where.dim):
            shift = torch.zeros(where.dim, dtype=x.dtype)
            shift[axis] = step
            up, down = function(x + shift), function(x - shift)
            first, second = (up.value - down.value) / (2 * step), (up.grad - down.grad) / (2 * step)
            scale = float(jet.hess.abs().max())
            torch.testing.assert_close(first, jet.grad[..., axis], rtol=1e-5, atol=1e-6 * float(jet.grad.abs().max()))
            torch.testing.assert_close(second, jet.hess[..., axis], rtol=1e-4, atol=1e-5 * scale)
        trace = jet.hess.diagonal(dim1=-2, dim2=-1).sum(-1)
        torch.testing.assert_close(trace, jet.laplacian, rtol=1e-6, atol=1e-6 * float(jet.hess.abs().max()))


@pytest.mark.parametrize("name", ["l_shape", "plate_with_holes", "cantilever_3d"])
def test_the_lift_looks_at_boundary_data_alone(name: str) -> None:
    where = domain(name)
    g = smooth(max(where.lengths))
    seen: list[Tensor] = []

    def watched(t: float, x: Tensor) -> Tensor:
        seen.append(x)
        return g(t, x)

    hard = MeshBoundary(Boundary(where, (Dirichlet(watched),)), 1)
    x = where.spread(50).points
    first = hard.lift_jet(0.2, x, frozenset({"grad", "laplacian"}))
    distance = SmoothDistance(where, where.faces)
    away = max(float(distance.jet(p.numpy()).value.max()) for p in seen)
    assert away < (1e-2 if name == "plate_with_holes" else 1e-9)
    assert bool(torch.isfinite(first.laplacian).all())


def test_the_lift_is_linear_in_its_data_and_keeps_constants() -> None:
    where = domain("l_shape")
    x = where.spread(60).points

    def rough(t: float, x: Tensor) -> Tensor:
        return (x[:, :1] - 0.3).abs()

    def both(t: float, x: Tensor) -> Tensor:
        return 2 * rough(t, x) - 3 * smooth(1.0)(t, x)

    lifts = [MeshBoundary(Boundary(where, (Dirichlet(g),)), 1).lift(0.1, x) for g in (rough, smooth(1.0), both)]
    torch.testing.assert_close(2 * lifts[0] - 3 * lifts[1], lifts[2], rtol=0, atol=1e-9)
    constant = MeshBoundary(Boundary(where, (Dirichlet(1.7),)), 1)
    assert constant.constant == 1.7
    jet = constant.lift_jet(0.0, x, frozenset({"grad", "laplacian"}))
    assert bool((jet.value == 1.7).all() and (jet.grad == 0).all() and (jet.laplacian == 0).all())


def test_parts_with_different_constants_are_blended_between_them() -> None:
    where = domain("plate_with_holes")
    hard = MeshBoundary(Boundary(where, (Dirichlet(1.0, on="holes"), Dirichlet(0.0))), 1)
    lift = hard.lift(0.0, where.spread(200).points)
    assert hard.constant is None and float(lift.min()) > 0 and float(lift.max()) < 1


def test_single_precision_holds_its_data_too() -> None:
    where = domain("plate_with_holes")
    g = smooth(2.0)
    field = NeuralField(where, (Dirichlet(g),), hidden=(6,), dtype=torch.float32)
    x = torch.cat([where.face_lattice(face, 40).points for face in where.faces]).float()
    u = field.at(field.initial(), 0.3).jet(x, frozenset({"laplacian"}))
    assert u.value.dtype == torch.float32 and bool(torch.isfinite(u.laplacian).all())
    assert float((u.value - g(0.3, x)).abs().max()) < 1e-4
