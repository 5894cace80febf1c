"""Walls one cell thick, rooms, combs, and gaps of one and two cells: what coarse grids do not see."""

from __future__ import annotations

import numpy as np

from neuralpde.systems._medium import Medium, Sides
from neuralpde.systems._obstacles import extents, lattice


def walls(generator: np.random.Generator, grid: tuple[int, ...], sides: Sides, frame: int) -> Medium:
    """Six to fourteen straight walls, one cell thick, half of them along the grid, each with a gap."""
    x, dim, h = lattice(grid), len(grid), 1.0 / min(grid)
    solid = np.zeros(grid, dtype=bool)
    for _ in range(generator.integers(6, 15)):
        normal = generator.standard_normal(dim)
        if generator.uniform() < 0.5:
            normal = np.eye(dim)[generator.integers(dim)]
        normal = normal / np.linalg.norm(normal)
        centre = generator.uniform(0.1, 0.9, dim) * extents(grid)
        reach, gap = generator.uniform(0.2, 0.8), generator.uniform(0.0, 0.2)
        width = max(generator.uniform(0.01, 0.06), 1.5 * h)
        away = sum(normal[a] * (x[a] - centre[a]) for a in range(dim))
        # no face leads through a wall of this thickness, whatever its direction
        sheet = (away >= -0.5 * h * abs(normal).sum()) & (away < 0.5 * h * abs(normal).sum())
        aside = sum((x[a] - centre[a]) ** 2 for a in range(dim))
        through = generator.standard_normal(dim)
        hole = centre + gap * (through - (through @ normal) * normal) / np.linalg.norm(through)
        open_here = sum((x[a] - hole[a]) ** 2 for a in range(dim)) < width**2
        solid |= sheet & (aside < reach**2) & ~open_here
    return Medium(solid, sides)


def rooms(generator: np.random.Generator, grid: tuple[int, ...], sides: Sides, frame: int) -> Medium:
    """A box divided again and again by walls one cell thick, each with a door."""
    solid = np.zeros(grid, dtype=bool)
    smallest = max(8, min(grid) // int(generator.integers(5, 12)))
    todo = [tuple((0, n) for n in grid)]
    while todo:
        room = todo.pop()
        lengths = [high - low for low, high in room]
        axis = int(np.argmax(np.array(lengths) * generator.uniform(0.7, 1.0, len(grid))))
        low, high = room[axis]
        if high - low < 2 * smallest:
            continue
        at = low + int(generator.integers(smallest, high - low - smallest + 1))
        wall = tuple(slice(*pair) if a != axis else slice(at, at + 1) for a, pair in enumerate(room))
        solid[wall] = True
        solid[tuple(_door(generator, *pair) if a != axis else slice(at, at + 1) for a, pair in enumerate(room))] = False
        todo += [(*room[:axis], (low, at), *room[axis + 1 :]), (*room[:axis], (at + 1, high), *room[axis + 1 :])]
    return Medium(solid, sides)


def _door(generator: np.random.Generator, low: int, high: int) -> slice:
    """From two cells to a quarter of the wall, anywhere in it."""
    width = int(generator.integers(2, max(3, (high - low) // 4)))
    start = low + int(generator.integers(0, max(1, high - low - width)))
    return slice(start, min(start + width, high))


def comb(generator: np.random.Generator, grid: tuple[int, ...], sides: Sides, frame: int) -> Medium:
    """One long way to and fro: walls one cell thick from alternate sides, open at the other end."""
    dim = len(grid)
    axis, along = generator.permutation(dim)[:2]
    solid = np.zeros(grid, dtype=bool)
    teeth = min(int(generator.integers(5, 16)), grid[axis] // 4)
    opening = max(1, int(generator.uniform(0.01, 0.08) * grid[along]))
    front = np.moveaxis(solid, (axis, along), (0, 1))
    places = np.unique(np.linspace(0, grid[axis], teeth + 2).astype(int)[1:-1])
    for k, place in enumerate(places):
        front[place, slice(opening, None) if k % 2 else slice(None, -opening)] = True
    return Medium(solid, sides)


def gaps(generator: np.random.Generator, grid: tuple[int, ...], sides: Sides, frame: int) -> Medium:
    """Plates across the box, some thick, some thin, pierced by channels of one and two cells."""
    solid = np.zeros(grid, dtype=bool)
    axis = int(generator.integers(len(grid)))
    front = np.moveaxis(solid, axis, 0)
    for place in generator.choice(np.arange(1, 10), int(generator.integers(2, 6)), replace=False):
        start = int(place * grid[axis] / 10)
        plate = slice(start, start + max(1, int(generator.uniform(0.005, 0.08) * grid[axis])))
        front[plate] = True
        for _ in range(generator.integers(3, 12)):
            width = int(generator.integers(1, 3))
            at = [int(generator.integers(0, max(1, n - width))) for n in front.shape[1:]]
            front[(plate, *(slice(a, a + width) for a in at))] = False
    return Medium(solid, sides)


def closed_rooms(generator: np.random.Generator, grid: tuple[int, ...], sides: Sides, frame: int) -> Medium:
    """Several pieces of fluid that nothing connects: shells one cell thick, and walls from side to side."""
    x, dim, h = lattice(grid), len(grid), 1.0 / min(grid)
    solid = np.zeros(grid, dtype=bool)
    for axis in generator.permutation(dim)[: generator.integers(1, dim + 1)]:
        np.moveaxis(solid, axis, 0)[int(generator.uniform(0.3, 0.7) * grid[axis])] = True
    for _ in range(generator.integers(1, 5)):
        centre = generator.uniform(0.2, 0.8, dim) * extents(grid)
        radius = generator.uniform(0.08, 0.2)
        distance = np.sqrt(sum((x[a] - centre[a]) ** 2 for a in range(dim)))
        solid |= abs(distance - radius) < 0.5 * dim**0.5 * h
    return Medium(solid, sides)
