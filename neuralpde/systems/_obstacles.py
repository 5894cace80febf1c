"""Solids that move through fluid: circles or spheres, boxes, and blobs. Lengths are in units of the shortest side."""

from __future__ import annotations

import math

import numpy as np

from neuralpde.systems._medium import Medium, Sides
from neuralpde.systems._smooth_noise import smooth_noise

FRAME = 0.03
"""Time from a frame to the next: a solid of speed 1 crosses as many shortest sides."""


def lattice(grid: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Coordinates of cells' midpoints along each axis, shaped to be combined: the shortest side is 1 long."""
    lines = [(np.arange(n) + 0.5) / min(grid) for n in grid]
    return tuple(np.meshgrid(*lines, indexing="ij", sparse=True))


def extents(grid: tuple[int, ...]) -> np.ndarray:
    """Lengths of the sides, the shortest being 1."""
    return np.array(grid) / min(grid)


def _reflected(place: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where a point that moves straight is between walls that throw it back, and the sign of its velocity there."""
    lap = np.mod(place, 2 * lengths)
    back = lap > lengths
    return np.where(back, 2 * lengths - lap, lap), np.where(back, -1.0, 1.0)


def _direction(generator: np.random.Generator, dim: int) -> np.ndarray:
    direction = generator.standard_normal(dim)
    return direction / np.linalg.norm(direction)


def circles(generator: np.random.Generator, grid: tuple[int, ...], sides: Sides, frame: int) -> Medium:
    """Two to eight circles, in 3D spheres, of radius 0.04 to 0.18, each with a velocity."""
    dim, x = len(grid), lattice(grid)
    solid, motion = np.zeros(grid, dtype=bool), np.zeros((dim, *grid))
    for _ in range(generator.integers(2, 9)):
        start = generator.uniform(0, 1, dim) * extents(grid)
        radius = math.exp(generator.uniform(math.log(0.04), math.log(0.18)))
        velocity = generator.uniform(0.2, 1.0) * _direction(generator, dim)
        centre, sign = _reflected(start + frame * FRAME * velocity, extents(grid))
        inside = sum((x[a] - centre[a]) ** 2 for a in range(dim)) < radius**2
        solid |= inside
        for a in range(dim):
            motion[a][inside] = sign[a] * velocity[a]
    return Medium(solid, sides, motion)


def boxes(generator: np.random.Generator, grid: tuple[int, ...], sides: Sides, frame: int) -> Medium:
    """Two to seven boxes that move and turn, in 3D in the plane of the first two axes."""
    dim, x = len(grid), lattice(grid)
    solid, motion = np.zeros(grid, dtype=bool), np.zeros((dim, *grid))
    for _ in range(generator.integers(2, 8)):
        start = generator.uniform(0, 1, dim) * extents(grid)
        half = np.exp(generator.uniform(math.log(0.02), math.log(0.2), dim))
        velocity = generator.uniform(0.0, 1.0) * _direction(generator, dim)
        angle, turning = generator.uniform(0, math.pi), generator.uniform(-3, 3)
        angle = angle + frame * FRAME * turning
        centre, sign = _reflected(start + frame * FRAME * velocity, extents(grid))
        away = [x[a] - centre[a] for a in range(dim)]
        c, s = math.cos(angle), math.sin(angle)
        inside = (abs(c * away[0] + s * away[1]) < half[0]) & (abs(c * away[1] - s * away[0]) < half[1])
        if dim == 3:
            inside = inside & (abs(away[2]) < half[2])
        solid |= inside
        spin = (-turning * away[1], turning * away[0], 0.0)
        for a in range(dim):
            motion[a][inside] = np.broadcast_to(sign[a] * velocity[a] + spin[a], grid)[inside]
    return Medium(solid, sides, motion)


def blobs(generator: np.random.Generator, grid: tuple[int, ...], sides: Sides, frame: int) -> Medium:
    """Where smooth noise of two sizes is high there is solid, 15 to 45 % of the box; it drifts along the last axis."""
    fraction, speed = generator.uniform(0.15, 0.45), generator.uniform(-0.5, 0.5)
    cells = int(generator.integers(4, 10))
    field = noise(generator, grid, cells, frame * FRAME * speed)
    solid = field > np.quantile(field, 1 - fraction)
    motion = np.zeros((len(grid), *grid))
    motion[-1] = speed
    return Medium(solid, sides, motion)


def noise(generator: np.random.Generator, grid: tuple[int, ...], cells: int, shift: float = 0.0) -> np.ndarray:
    """Smooth noise of two sizes at cells' midpoints, moved by ``shift`` along the last axis."""
    axes = [(np.arange(n) + 0.5) / n for n in grid]
    axes[-1] = np.mod(axes[-1] - shift / extents(grid)[-1], 1.0)
    lines = tuple(axes)
    return smooth_noise(generator, lines, cells) + 0.5 * smooth_noise(generator, lines, 3 * cells)
