"""Bodies pressed against obstacles: exact uniaxial states, and Hertz's contact of a cylinder with a plane."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from contact_bodies import placed

from neuralpde import Contact, Dirichlet, FiniteElementField, Flux, HalfSpace, MeshDomain, solve
from neuralpde.dynamics import make_dynamics
from neuralpde.dynamics._contact_barrier import barrier
from neuralpde.geometry import Mesh
from neuralpde.problems import Elasticity, LinearElasticity, NeoHookean

FLOOR = HalfSpace((0.0, 0.0), (0.0, 1.0))


def uniaxial(stretch: float, young: float = 1.0, ratio: float = 0.3) -> float:
    """P₂₂ of the neo-Hookean material (log form) whose sides are held."""
    shear, bulk = young / 2 / (1 + ratio), young * ratio / (1 + ratio) / (1 - 2 * ratio)
    return shear * (stretch - 1 / stretch) + bulk * math.log(stretch) / stretch


@pytest.mark.parametrize(("kind", "degree"), [("triangle", 1), ("triangle", 2), ("quad9", 2), ("tetra", 2)])
def test_a_block_between_planes_carries_what_the_exact_solution_does(kind: str, degree: int) -> None:
    """A patch test of contact: the pressure is even on any mesh, and the gap is all that is missing."""
    d, errors = (2, []) if kind != "tetra" else (3, [])
    mesh = placed(kind, 2, 1.0, (0.0, 0.51, 0.0)[:d], distort=0.2)
    floor = HalfSpace((0.0,) * d, (0.0, 1.0, 0.0)[:d])
    sides = [Dirichlet(0.0, on=["x-", "x+"], components="x")]
    sides += [Dirichlet(0.0, on=["z-", "z+"], components="z")] if d == 3 else []
    for distance in (1e-2, 1e-3, 1e-4):
        problem = Elasticity(
            NeoHookean(1.0, 0.3),
            domain=MeshDomain(mesh),
            conditions=(Dirichlet((0.0, -0.05, 0.0)[:d], on="y+"), *sides, Flux(0.0)),
            contact=(Contact(floor, on="y-", distance=distance),),
        )
        field = FiniteElementField.for_problem(problem, degree=degree)
        run = solve(problem, field)
        out = make_dynamics(problem, field).outputs(0.0, run.states[-1])
        gap, force = out["contact gap"], out["contact force y"]
        assert force == pytest.approx(-uniaxial(0.96 - gap), rel=1e-8)
        assert 0 < gap < distance
        errors.append(abs(force + uniaxial(0.96)))
    assert errors[1] < 0.12 * errors[0] and errors[2] < 0.12 * errors[1]


def half_disc(width: float, size: float) -> Mesh:
    """The lower half of a disc of radius 1 on (0, 0): fine in a contact of that width, curved at its boundary."""
    from scipy.spatial import Delaunay

    def length(x: np.ndarray) -> np.ndarray:
        return np.clip(size + 0.3 * (np.hypot(x[..., 0], x[..., 1]) - 2 * width), size, 0.2)

    angle = [0.0]
    while angle[-1] < math.pi / 2:
        angle.append(angle[-1] + float(length(np.array([math.sin(angle[-1]), 1 - math.cos(angle[-1])]))))
    angle = np.array(angle) * (math.pi / 2) / angle[-1]
    angle = np.concatenate([-angle[:0:-1], angle])
    points = [np.stack([np.sin(angle), 1 - np.cos(angle)], 1)]
    points.append(np.stack([np.linspace(-1, 1, 12)[1:-1], np.ones(10)], 1))
    y, odd = 0.9 * size, False
    while y < 0.95:
        x = [0.5 * size if odd else 0.0]
        while x[-1] < 1:
            x.append(x[-1] + float(length(np.array([x[-1], y]))))
        row = np.unique(np.concatenate([-np.array(x), x]))
        points.append(np.stack([row, np.full(len(row), y)], 1))
        y, odd = y + 0.87 * float(length(np.array([0.0, y]))), not odd
    inner = np.concatenate(points[2:])
    room = np.minimum(1 - np.hypot(inner[:, 0], inner[:, 1] - 1), 1 - inner[:, 1])
    points = np.concatenate([*points[:2], inner[room > 0.55 * length(inner)]])
    mesh = Mesh(points, Delaunay(points).simplices.astype(np.int64))
    cells = mesh.cells[mesh.qualities > 1e-6]
    turned = np.linalg.det(points[cells[:, 1:]] - points[cells[:, :1]]) < 0
    cells[turned] = cells[turned][:, [0, 2, 1]]
    straight = Mesh(points, cells)
    ends, curve = straight.boundary, np.array([], dtype=int)
    middle = points[straight.facet_nodes(ends)].mean(1)
    curve = ends[middle[:, 1] < 1 - 1e-9]
    pairs = np.sort(np.concatenate([cells[:, [0, 1]], cells[:, [1, 2]], cells[:, [2, 0]]]), axis=1)
    edges, number = np.unique(pairs, axis=0, return_inverse=True)
    between = points[edges].mean(1)
    bent = number[curve[:, 1] * len(cells) + curve[:, 0]]
    away = between[bent] - np.array([0.0, 1.0])
    between[bent] = np.array([0.0, 1.0]) + away / np.linalg.norm(away, axis=1, keepdims=True)
    cells = np.concatenate([cells, len(points) + number.reshape(3, -1).T], axis=1)
    nodes = np.concatenate([points, between]) + np.array([0.0, 1e-6])
    return Mesh(nodes, cells, "triangle6", {}, {"top": ends[middle[:, 1] >= 1 - 1e-9], "arc": curve})


def test_hertz_contact_of_a_cylinder_with_a_plane() -> None:
    """a² = 4 F R/π E*, p₀ = 2 F/π a: Johnson, Contact Mechanics (1985), section 4.2."""
    problem = LinearElasticity(
        young=1.0,
        poisson_ratio=0.3,
        domain=MeshDomain(half_disc(0.035, 0.005)),
        conditions=(Dirichlet((0.0, -0.0025), on="top"), Flux(0.0)),
        contact=(Contact(FLOOR, on="arc", distance=3e-5),),
    )
    field = FiniteElementField.for_problem(problem, degree=2)
    run = solve(problem, field)
    touch = make_dynamics(problem, field).space.parts[1]
    values = field.values(run.states[-1], 0.0)
    x = touch.places(0.0, values)
    pressure = -touch.stiffness * barrier(x[:, 1], touch.distance)[1]
    area = touch.surface.point_weights
    force = float((pressure * area).sum())
    assert force == pytest.approx(touch.outputs(0.0, values)["contact force y"])
    width = math.sqrt(4 * force * (1 - 0.3**2) / math.pi)
    highest = 2 * force / math.pi / width
    assert 0.02 < width < 0.05
    # of an elliptic pressure ⟨x²⟩ = a²/4
    assert 2 * math.sqrt(float((pressure * area * x[:, 0] ** 2).sum()) / force) == pytest.approx(width, rel=0.03)
    assert float(pressure.max()) == pytest.approx(highest, rel=0.03)
    exact = highest * (1 - (x[:, 0] / width) ** 2).clamp(min=0).sqrt()
    inside = x[:, 0].abs() < 0.85 * width
    assert int((inside & (pressure > 0)).sum()) > 10
    assert float((pressure - exact)[inside & (x[:, 1] < 0.1)].abs().max()) < 0.06 * highest
    assert torch.isfinite(values).all()
