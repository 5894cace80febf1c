"""A plume of smoke that rises around solids: a small solver on a staggered grid."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy import ndimage

from neuralpde.linalg import StencilOperator, solve_linear
from neuralpde.systems._medium import Medium, Sides
from neuralpde.systems._obstacles import circles, extents, lattice
from neuralpde.systems._pressure_system import right_hand_side
from neuralpde.systems._velocity import Faces, with_walls

FIRST = 12
"""Steps before frame 0, in which the smoke gets to the solids."""

CELLS = {2: 16_384, 3: 32_768}
"""Most cells of the run; a finer grid is given its velocity, and makes one step of its own."""

STEP = 0.06
BUOYANCY = 4.0


def plume(generator: np.random.Generator, grid: tuple[int, ...], sides: Sides, frame: int) -> tuple[Medium, Faces]:
    """The medium, and the velocity that smoke and gravity have made, before pressure acts.

    Smoke rises along the first axis from a source at its low end. Advection is semi-Lagrangian, the force is
    proportional to the smoke (Fedkiw, Stam, Jensen, SIGGRAPH 2001), the projection takes our own solver.

    Args:
        generator: of the solids and the source.
        grid: cells along each axis.
        sides: of the box.
        frame: steps after the first picture.
    """
    seed = int(generator.integers(2**31))
    coarsening = max(1, math.ceil((math.prod(grid) / CELLS[len(grid)]) ** (1 / len(grid))))
    coarse = tuple(max(4, n // coarsening) for n in grid)
    medium = _still(seed, coarse, sides)
    source = _source(seed, coarse)
    velocity: Faces = tuple(np.zeros([n + (a == axis) for a, n in enumerate(coarse)]) for axis in range(len(coarse)))
    smoke = np.zeros(coarse)
    for _ in range(FIRST + frame - 1):
        velocity, smoke = _pushed(velocity, smoke, source)
        velocity = projected(velocity, medium)
    if coarse != grid:
        velocity = tuple(
            _resampled(speed, [n + (a == axis) for a, n in enumerate(grid)], axis)
            for axis, speed in enumerate(velocity)
        )
        smoke, medium, source = _resampled(smoke, list(grid), None), _still(seed, grid, sides), _source(seed, grid)
        velocity = with_walls(velocity, medium)
    return medium, _pushed(velocity, smoke, source)[0]


def _still(seed: int, grid: tuple[int, ...], sides: Sides) -> Medium:
    """Circles or spheres at rest."""
    return Medium(circles(np.random.default_rng(seed), grid, sides, 0).solid, sides)


def _source(seed: int, grid: tuple[int, ...]) -> np.ndarray:
    """True where smoke comes from: a ball near the floor."""
    generator, x, lengths = np.random.default_rng([seed, 1]), lattice(grid), extents(grid)
    centre = [0.12, *(generator.uniform(0.35, 0.65, len(grid) - 1) * lengths[1:])]
    return np.asarray(sum((x[a] - centre[a]) ** 2 for a in range(len(grid))) < 0.1**2)


def _sampled(speed: np.ndarray, axis: int | None, places: list[np.ndarray]) -> np.ndarray:
    """Linear interpolation at places in cells from the first midpoint on; ``axis`` says which faces hold the values."""
    shifted = np.stack([place + 0.5 if a == axis else place for a, place in enumerate(places)])
    return np.asarray(ndimage.map_coordinates(speed, shifted, order=1, mode="nearest"))


def _places(grid: tuple[int, ...], axis: int | None) -> list[np.ndarray]:
    lines = [np.arange(n + 1) - 0.5 if a == axis else np.arange(float(n)) for a, n in enumerate(grid)]
    return list(np.meshgrid(*lines, indexing="ij"))


def _carried(values: np.ndarray, axis: int | None, velocity: Faces, grid: tuple[int, ...]) -> np.ndarray:
    """What was a step ago where the fluid that is here came from."""
    here = _places(grid, axis)
    cells = STEP * min(grid)
    back = [place - cells * _sampled(velocity[a], a, here) for a, place in enumerate(here)]
    return _sampled(values, axis, back)


def _pushed(velocity: Faces, smoke: np.ndarray, source: np.ndarray) -> tuple[Faces, np.ndarray]:
    """Velocity and smoke after advection and the force, before pressure."""
    grid = smoke.shape
    smoke = np.where(source, 1.0, _carried(smoke, None, velocity, grid))
    carried = [_carried(speed, axis, velocity, grid) for axis, speed in enumerate(velocity)]
    carried[0][1:-1] += STEP * BUOYANCY * 0.5 * (smoke[1:] + smoke[:-1])
    return tuple(carried), smoke


def projected(velocity: Faces, medium: Medium) -> Faces:
    """The velocity without its divergence: u − (1/ρ)∇p, with wall conditions.

    Args:
        velocity: on faces, any.
        medium: what it flows through.
    """
    weights, excess = medium.weights(), medium.excess()
    operator = StencilOperator(tuple(map(torch.from_numpy, weights)), torch.from_numpy(excess))
    rhs = torch.from_numpy(right_hand_side(medium, velocity).ravel())
    p = solve_linear(operator, rhs, M="multigrid", rtol=1e-10).x.numpy().reshape(medium.grid)
    found = []
    for axis, speed in enumerate(with_walls(velocity, medium)):
        speed, q = speed.copy(), np.moveaxis(p, axis, 0)
        front, w = np.moveaxis(speed, axis, 0), np.moveaxis(weights[axis], axis, 0)
        front[1:] -= w * (np.roll(q, -1, 0) - q)
        low, high = medium.sides[axis]
        if low == "periodic":
            front[0] = front[-1]
        beta = medium.fluid if medium.mobility is None else np.where(medium.fluid, medium.mobility[axis], 0.0)
        beta = np.moveaxis(beta, axis, 0)
        if low == "open":
            front[0] -= 2.0 * beta[0] * q[0]
        if high == "open":
            front[-1] += 2.0 * beta[-1] * q[-1]
        found.append(speed)
    return tuple(found)


def _resampled(values: np.ndarray, shape: list[int], axis: int | None) -> np.ndarray:
    """Linear interpolation to another lattice of the same box, of midpoints or of faces along an axis."""
    lines = []
    for a, (n, old) in enumerate(zip(shape, values.shape, strict=True)):
        fine = np.arange(n) / (n - 1) if a == axis else (np.arange(n) + 0.5) / n
        lines.append(fine * (old - 1) if a == axis else fine * old - 0.5)
    return np.asarray(ndimage.map_coordinates(values, np.meshgrid(*lines, indexing="ij"), order=1, mode="nearest"))
