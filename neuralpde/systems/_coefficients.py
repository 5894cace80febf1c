"""Fluids whose 1/ρ jumps, and grids whose cells are long: coefficients that defeat plain multigrid."""

from __future__ import annotations

import numpy as np

from neuralpde.systems._medium import Medium, Sides
from neuralpde.systems._obstacles import extents, lattice, noise


def _tiles(generator: np.random.Generator, grid: tuple[int, ...], fewest: int, most: int) -> np.ndarray:
    """True in every other tile of a checkerboard."""
    count = generator.integers(fewest, most + 1)
    return np.asarray(sum(np.floor(line * count).astype(int) for line in lattice(grid)) % 2 == 1)


def _blobs(generator: np.random.Generator, grid: tuple[int, ...]) -> np.ndarray:
    field = noise(generator, grid, int(generator.integers(4, 9)))
    return field > np.quantile(field, generator.uniform(0.4, 0.7))


def _inclusions(generator: np.random.Generator, grid: tuple[int, ...]) -> np.ndarray:
    """In 8 to 30 circles, in 3D spheres."""
    x, dim = lattice(grid), len(grid)
    inside = np.zeros(grid, dtype=bool)
    for _ in range(generator.integers(8, 31)):
        centre, radius = generator.uniform(0, 1, dim) * extents(grid), generator.uniform(0.02, 0.12)
        inside |= sum((x[a] - centre[a]) ** 2 for a in range(dim)) < radius**2
    return inside


def _jump(inside: np.ndarray, sides: Sides, contrast: float) -> Medium:
    beta = np.where(inside, contrast, 1.0)
    return Medium(np.zeros(inside.shape, dtype=bool), sides, mobility=(beta,) * inside.ndim)


def jump_checkerboard(generator: np.random.Generator, grid: tuple[int, ...], sides: Sides, contrast: float) -> Medium:
    """4 to 11 tiles per axis, 1/ρ alternately 1 and the contrast."""
    return _jump(_tiles(generator, grid, 4, 11), sides, contrast)


def jump_blobs(generator: np.random.Generator, grid: tuple[int, ...], sides: Sides, contrast: float) -> Medium:
    """Random blobs of the contrast in 1, or of 1 in the contrast."""
    inside = _blobs(generator, grid)
    return _jump(inside if generator.uniform() < 0.5 else ~inside, sides, contrast)


def jump_inclusions(generator: np.random.Generator, grid: tuple[int, ...], sides: Sides, contrast: float) -> Medium:
    """Circles or spheres of the contrast in 1, or of 1 in the contrast."""
    inside = _inclusions(generator, grid)
    return _jump(inside if generator.uniform() < 0.5 else ~inside, sides, contrast)


def aligned(generator: np.random.Generator, grid: tuple[int, ...], sides: Sides, contrast: float) -> Medium:
    """One axis couples ``contrast`` times as strongly as the others, as where cells are √contrast times as long."""
    strong = int(generator.integers(len(grid)))
    mobility = tuple(np.full(grid, contrast if a == strong else 1.0) for a in range(len(grid)))
    return Medium(np.zeros(grid, dtype=bool), sides, mobility=mobility)


def switching(generator: np.random.Generator, grid: tuple[int, ...], sides: Sides, contrast: float) -> Medium:
    """The axis of the strong coupling changes from region to region, of tiles or blobs."""
    inside = _tiles(generator, grid, 2, 5) if generator.uniform() < 0.5 else _blobs(generator, grid)
    axes = generator.permutation(len(grid))
    mobility = [np.ones(grid) for _ in grid]
    mobility[axes[0]][inside] = contrast
    mobility[axes[1]][~inside] = contrast
    return Medium(np.zeros(grid, dtype=bool), sides, mobility=tuple(mobility))
