"""Grids and quadrature: their points, and how well their weights integrate."""

from __future__ import annotations

import math

import pytest
import torch
from tables import orders

from neuralpde.geometry import (
    Box,
    Grid,
    face_lattice,
    gauss_lattice,
    gauss_legendre,
    lattice,
    random_points,
    uniform_grid_quadrature,
)
from neuralpde.types import UsageError

BOX = Box((-1.0, 0.0), (1.0, 0.5))
INTEGRAL = (math.e - 1 / math.e) * math.sin(0.5)


def _smooth(x: torch.Tensor) -> torch.Tensor:
    return torch.exp(x[:, 0]) * torch.cos(x[:, 1])


def _integrate(quadrature) -> float:
    return float((quadrature.weights * _smooth(quadrature.points)).sum())


@pytest.mark.parametrize(
    "quadrature",
    [
        lattice(BOX, 50),
        gauss_legendre(BOX, 4),
        gauss_lattice(BOX, 50, (False, True)),
        random_points(BOX, 50, torch.Generator().manual_seed(0)),
        uniform_grid_quadrature(Grid(BOX, (7, 5), (False, False))),
        uniform_grid_quadrature(Grid(BOX, (7, 5), (True, False))),
    ],
    ids=["lattice", "Gauss", "Gauss lattice", "Monte Carlo", "grid", "periodic grid"],
)
def test_weights_sum_to_the_volume_of_points_inside(quadrature) -> None:
    assert float(quadrature.weights.sum()) == pytest.approx(BOX.volume, rel=1e-14)
    assert bool(BOX.contains(quadrature.points).all())
    assert len(quadrature.points) == len(quadrature.weights)


def test_gauss_legendre_is_exact_for_polynomials() -> None:
    q = gauss_legendre(Box((0.0, 0.0), (2.0, 1.0)), 3)
    x, y = q.points.T
    assert float((q.weights * x**5 * y**4).sum()) == pytest.approx(2**6 / 6 / 5, rel=1e-13)
    assert float((q.weights * x**6).sum()) != pytest.approx(2**7 / 7, rel=1e-6)


def test_a_gauss_lattice_is_spectral_between_faces_and_along_periodic_axes() -> None:
    box = Box((0.0, 0.0), (1.0, 2.0))
    q = gauss_lattice(box, 200, (True, False))
    x, y = q.points.T
    wave = torch.exp(torch.sin(2 * math.pi * x)) * torch.exp(y)
    assert q.shape == (10, 20) and len(x) == 200
    assert float((q.weights * wave).sum()) == pytest.approx(1.2660658777520084 * (math.exp(2) - 1), rel=1e-9)
    assert float(q.weights.sum()) == pytest.approx(box.volume, rel=1e-13)


@pytest.mark.parametrize("kind", ["midpoints", "trapezoids"])
def test_midpoint_and_trapezoid_rules_are_second_order(kind: str) -> None:
    errors = []
    for n in (8, 16, 32, 64):
        grid = Grid(BOX, (2 * n + 1, n // 2 + 1), (False, False))
        q = lattice(BOX, n * n) if kind == "midpoints" else uniform_grid_quadrature(grid)
        errors.append(abs(_integrate(q) - INTEGRAL))
    assert orders(errors)[-1] >= 1.85


def test_periodic_functions_are_integrated_spectrally() -> None:
    box = Box((0.0,), (1.0,))

    def wave(x):
        return torch.exp(torch.sin(2 * math.pi * x[:, 0]))

    exact = 1.2660658777520084  # the modified Bessel function I_0(1)
    for q in (lattice(box, 20), uniform_grid_quadrature(Grid(box, (20,), (True,)))):
        assert float((q.weights * wave(q.points)).sum()) == pytest.approx(exact, rel=1e-14)


def test_monte_carlo_stays_within_its_spread() -> None:
    q = random_points(BOX, 20_000, torch.Generator().manual_seed(1))
    spread = BOX.volume * float(_smooth(q.points).std()) / math.sqrt(20_000)
    assert abs(_integrate(q) - INTEGRAL) < 4 * spread


@pytest.mark.parametrize("n", [1, 5, 12, 100])
@pytest.mark.parametrize("box", [Box((0.0,), (3.0,)), BOX, Box((0.0,) * 3, (1.0, 2.0, 0.1))])
def test_a_lattice_has_at_least_n_points(box: Box, n: int) -> None:
    assert n <= len(lattice(box, n).points) <= (n ** (1 / box.dim) + 20) ** box.dim


@pytest.mark.parametrize("face", BOX.faces)
def test_face_points_lie_on_their_face(face: str) -> None:
    axis, side = BOX.face(face)
    q = face_lattice(BOX, axis, side, 9)
    assert set(q.points[:, axis].tolist()) == {(BOX.upper if side else BOX.lower)[axis]}
    assert float(q.weights.sum()) == pytest.approx(BOX.lengths[1 - axis], rel=1e-14)
    assert q.normals is not None
    assert q.normals[0].tolist() == [(2 * side - 1.0) * (axis == i) for i in range(2)]
    assert len(q.points) >= 9


def test_the_face_of_an_interval_is_a_point() -> None:
    q = face_lattice(Box((0.0,), (2.0,)), 0, 1, 9)
    assert (q.points.tolist(), q.weights.tolist()) == ([[2.0]], [1.0])
    assert q.normals is not None and q.normals.tolist() == [[1.0]]


def test_grid_points_run_along_the_last_axis_first() -> None:
    grid = Grid(Box((0.0, 0.0), (1.0, 1.0)), (3, 4), (False, True))
    assert grid.spacing == (0.5, 0.25)
    assert grid.points()[:5].tolist() == [[0.0, 0.0], [0.0, 0.25], [0.0, 0.5], [0.0, 0.75], [0.5, 0.0]]
    assert grid.points(torch.float32).dtype == torch.float32


@pytest.mark.parametrize(
    ("shape", "sentence"), [((2, 5), "at least 3 nodes along each axis; got \\(2, 5\\)"), ((5,), "needs 2 node counts")]
)
def test_impossible_grids_are_refused(shape: tuple, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Grid(BOX, shape, (False, False))
