"""Velocities on faces: eddies without divergence, walls that hold, fluxes that balance, projections that work."""

from __future__ import annotations

import numpy as np
import pytest

from neuralpde.systems._medium import Medium, sides_of
from neuralpde.systems._plume import plume, projected
from neuralpde.systems._smooth_noise import smooth_noise
from neuralpde.systems._velocity import divergence, forced, vortices, with_walls

GRIDS = ((12, 17), (7, 8, 9))
AROUND = ("wall", "open", "periodic")


def _medium(grid: tuple[int, ...], around: str, seed: int = 0) -> Medium:
    """Random solid cells that move at random: nothing is as it should be."""
    generator = np.random.default_rng(seed)
    motion = generator.standard_normal((len(grid), *grid))
    return Medium(generator.uniform(size=grid) < 0.35, sides_of(around, len(grid)), motion)


def _random_faces(grid: tuple[int, ...], seed: int = 1) -> tuple[np.ndarray, ...]:
    generator = np.random.default_rng(seed)
    return tuple(generator.standard_normal([n + (a == b) for b, n in enumerate(grid)]) for a in range(len(grid)))


@pytest.mark.parametrize("grid", GRIDS)
def test_eddies_have_no_divergence(grid: tuple[int, ...]) -> None:
    flow = vortices(np.random.default_rng(0), grid)
    assert max(abs(speed).max() for speed in flow) > 0.3
    assert abs(divergence(flow)).max() < 1e-13
    pushed = forced(np.random.default_rng(0), flow, grid, 1.0)
    assert abs(divergence(pushed)).max() > 1e-2


def test_noise_is_the_same_at_every_resolution_and_periodic() -> None:
    coarse, fine = np.linspace(0, 1, 9), np.linspace(0, 1, 17)
    one = smooth_noise(np.random.default_rng(4), (coarse, coarse), 5)
    two = smooth_noise(np.random.default_rng(4), (fine, fine), 5)
    assert np.allclose(one, two[::2, ::2], atol=1e-14) and np.allclose(one[0], one[-1], atol=1e-14)
    # cubic splines have two continuous derivatives: third differences shrink with h³
    line = smooth_noise(np.random.default_rng(4), (np.linspace(0, 1, 2001), np.zeros(1)), 5)[:, 0]
    assert abs(np.diff(line, 3)).max() < 10 * 5**3 * 2000.0**-3


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("around", AROUND)
def test_the_sum_of_the_divergence_is_the_flux_through_the_boundary(grid: tuple[int, ...], around: str) -> None:
    """Over every piece of fluid: Σ ∇·u = flux through its own boundary faces, which is 0 where the piece is closed."""
    medium = _medium(grid, around)
    velocity = with_walls(_random_faces(grid), medium)
    labels, closed = medium.components()
    assert closed.size > (1 if len(grid) == 3 else 2)
    for piece in range(1, closed.size):
        inside, flux = labels == piece, 0.0
        for axis, speed in enumerate(velocity):
            here = np.moveaxis(inside, axis, 0)
            around_it = (
                np.concatenate((here[-1:], here, here[:1]))
                if around == "periodic"
                else np.pad(here, [(1, 1), *[(0, 0)] * (here.ndim - 1)])
            )
            sign = around_it[:-1].astype(int) - around_it[1:]
            faces = np.moveaxis(speed, axis, 0)
            flux += float((sign[1:] * faces[1:]).sum() if around == "periodic" else (sign * faces).sum())
        assert divergence(velocity)[inside].sum() == pytest.approx(flux, abs=1e-12)
        if closed[piece]:
            assert flux == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("around", AROUND)
def test_walls_hold(around: str) -> None:
    """Without closed pieces that have to be balanced, solids have their own velocity and walls none."""
    grid = (10, 12)
    solid = np.zeros(grid, dtype=bool)
    solid[4:6, 5:7] = True
    motion = np.stack((np.full(grid, 0.5), np.full(grid, -2.0)))
    first, second = with_walls(_random_faces(grid), Medium(solid, sides_of(around, 2), motion))
    assert np.allclose(first[[4, 6], 5:7], 0.5, atol=1e-14) and (first[5, 5:7] == 0).all()
    assert np.allclose(second[4:6, [5, 7]], -2.0, atol=1e-14) and (second[4:6, 6] == 0).all()
    ends = abs(first[0]).max() + abs(second[:, -1]).max()
    assert (ends < 1e-14) if around == "wall" else (ends > 0)
    if around == "periodic":
        assert (first[0] == first[-1]).all() and (second[:, 0] == second[:, -1]).all()


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("around", AROUND)
def test_the_pressure_takes_the_divergence_away(grid: tuple[int, ...], around: str) -> None:
    """b and A belong together: u − (1/ρ)∇p has no divergence left in any cell, at every kind of side and with jumps."""
    medium = _medium(grid, around, 3)
    mobility = tuple(np.exp(np.random.default_rng(5).uniform(-2, 2, grid)) for _ in grid)
    medium = Medium(medium.solid, medium.sides, medium.motion, mobility)
    start = _random_faces(grid)
    before = divergence(with_walls(start, medium))[medium.fluid]
    after = divergence(projected(start, medium))[medium.fluid]
    assert abs(after).max() < 1e-5 * abs(before).max()


def test_pieces_that_meet_around_the_box_are_one() -> None:
    solid = np.zeros((8, 8), dtype=bool)
    solid[3] = True
    assert Medium(solid, sides_of("wall", 2)).components()[1].tolist() == [False, True, True]
    assert Medium(solid, sides_of("periodic", 2)).components()[1].tolist() == [False, True]
    half = Medium(solid, (("open", "wall"), ("wall", "wall")))
    assert half.components()[1].tolist() == [False, False, True]
    assert half.without_pockets().fluid.sum() == 24


def test_a_plume_rises_and_finer_grids_go_on_from_its_run() -> None:
    sides = (("wall", "open"), ("wall", "wall"))
    generator = [np.random.default_rng(7) for _ in range(2)]
    coarse, fine = (plume(g, (n, n), sides, 2) for g, n in zip(generator, (128, 256), strict=True))
    for medium, velocity in (coarse, fine):
        assert velocity[0].max() > 0.2  # smoke goes up
        assert velocity[0].shape == (medium.grid[0] + 1, medium.grid[1])
    assert fine[0].solid.mean() == pytest.approx(coarse[0].solid.mean(), rel=0.05)
    between = 0.5 * (fine[1][0][::2, ::2] + fine[1][0][::2, 1::2])
    assert np.linalg.norm(between - coarse[1][0]) < 0.25 * np.linalg.norm(coarse[1][0])
