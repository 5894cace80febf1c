"""Obstacles in space: their surfaces cover them outward, cut ones are closed, and pictures show them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from unit_meshes import unit_mesh

from neuralpde.geometry import Block, Disc, HalfSpace, MeshDomain, Solid
from neuralpde.integrators import ImplicitEuler
from neuralpde.plot._level_set import solid_surface
from neuralpde.plot._problem_picture import problem_figure
from neuralpde.plot._solid_shapes import with_solids
from neuralpde.plot._style import style
from neuralpde.problems import Contact, Elasticity, NeoHookean, traction
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import simulate

LOW, HIGH = np.full(3, -1.0), np.full(3, 1.0)
SOLIDS: list[tuple[Solid, float, float | None]] = [
    (Disc((0.0, 0.0, 0.0), 0.7), 4 * np.pi * 0.49, 4 / 3 * np.pi * 0.343),
    (HalfSpace((0.0, 0.0, 0.25), (0.0, 0.0, 1.0)), 4.0, None),
    (Block((-0.5, -0.5, -0.5), (0.5, 0.5, 0.5)), 6.0, 1.0),
]


def measures(points: np.ndarray, triangles: np.ndarray) -> tuple[float, float]:
    """Area, and volume by the divergence theorem."""
    a, b, c = (points[triangles[:, k]] for k in range(3))
    normals = 0.5 * np.cross(b - a, c - a)
    return float(np.linalg.norm(normals, axis=1).sum()), float((normals * (a + b + c)).sum() / 9)


@pytest.mark.parametrize(("solid", "area", "volume"), SOLIDS, ids=["ball", "floor", "block"])
def test_surfaces_cover_solids_outward(solid: Solid, area: float, volume: float | None) -> None:
    points, triangles = solid_surface(solid, LOW, HIGH)
    found = measures(points, triangles)
    assert float(solid.distance(torch.from_numpy(points)).abs().max()) < 2e-2
    assert found[0] == pytest.approx(area, rel=2e-2)
    assert volume is None or found[1] == pytest.approx(volume, rel=2e-2)


def test_a_cut_ball_has_the_face_of_the_cut() -> None:
    """A third of its diameter is cut off: volume of a spherical segment, and the face's area."""
    radius, at = 0.7, -0.2
    points, triangles = solid_surface(SOLIDS[0][0], LOW, HIGH, behind=at)
    height = radius - at
    face = np.pi * (radius**2 - at**2)
    area, volume = measures(points, triangles)
    assert points[:, 1].min() == pytest.approx(at, abs=1e-6)
    assert area == pytest.approx(2 * np.pi * radius * height + face, rel=2e-2)
    assert volume == pytest.approx(np.pi * height**2 * (3 * radius - height) / 3, rel=2e-2)


def test_solids_that_end_near_a_body_are_drawn_whole() -> None:
    ball = Disc((0.0, 0.0, -1.3), 0.3)
    low, high = with_solids(LOW, HIGH, [ball])
    assert low[2] <= -1.6 and high[2] < 1.5
    assert (low[:2] > -1.5).all()


def cube(**more: object) -> Elasticity:
    floor = HalfSpace((0.0, 0.0, -0.3), (0.0, 0.0, 1.0))
    return Elasticity(
        material=NeoHookean(young=1.0, poisson_ratio=0.3),
        domain=MeshDomain(unit_mesh("tetra", 1)),
        conditions=(traction(0.0),),
        contact=(Contact(floor),),
        steady=False,
        density=1.0,
        **more,  # type: ignore[arg-type]
    )


def greys(image: np.ndarray) -> int:
    """Pixels of the floor: grey, neither black nor white."""
    flat = image[..., :3].astype(int)
    return int(((np.ptp(flat, axis=-1) < 6) & (flat.min(-1) > 100) & (flat.max(-1) < 215)).sum())


def test_pictures_of_bodies_in_space_show_their_obstacles(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from PIL import Image

    body = cube(start_velocity=(0.0, 0.0, -0.1))
    run = simulate(body, FiniteElementField.for_problem(body, 1), ImplicitEuler(), dt=0.1, t_end=0.1)
    found = greys(np.asarray(Image.open(run.plot(tmp_path / "floor.png"))))
    assert found > 0.02 * np.prod(np.asarray(Image.open(tmp_path / "floor.png")).shape[:2])


def test_set_ups_in_space_show_obstacles_where_the_body_starts() -> None:
    with style():
        shown = problem_figure(cube(start_velocity=(0.0, 0.0, -0.1)))
        moved = problem_figure(cube(start=(0.0, 0.0, 1.0)))
    names = [[text.get_text() for text in figure.legends[0].get_texts()] for figure in (shown, moved)]
    assert "obstacles" in names[0] and "obstacles" not in names[1]
    assert len(shown.axes[0].collections) == len(moved.axes[0].collections) + 1
