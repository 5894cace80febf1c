"""Velocities on the faces of cells, and the divergence that pressure has to take away."""

from __future__ import annotations

import numpy as np

from neuralpde.systems._medium import Medium
from neuralpde.systems._smooth_noise import smooth_noise

Faces = tuple[np.ndarray, ...]
"""For each axis the normal velocity on all faces along it: shape ``grid`` with one more along that axis."""


def _centres(n: int) -> np.ndarray:
    return (np.arange(n) + 0.5) / n


def _nodes(n: int) -> np.ndarray:
    return np.arange(n + 1) / n


def vortices(generator: np.random.Generator, grid: tuple[int, ...], cells: int = 5) -> Faces:
    """The curl of a random smooth potential, on faces: it has no divergence, by differences of cells' edges.

    Args:
        generator: of the potential.
        grid: cells along each axis, 2 or 3 of them.
        cells: eddies per axis.
    """
    if len(grid) == 2:
        psi = smooth_noise(generator, (_nodes(grid[0]), _nodes(grid[1])), cells)
        size = min(grid) / cells
        return np.diff(psi, axis=1) * size, -np.diff(psi, axis=0) * size
    potential = []
    for axis in range(3):  # on edges along the axis
        axes = tuple(_centres(n) if a == axis else _nodes(n) for a, n in enumerate(grid))
        potential.append(smooth_noise(generator, axes, cells) * min(grid) / cells)
    curl = []
    for axis in range(3):
        second, third = (axis + 1) % 3, (axis + 2) % 3
        curl.append(np.diff(potential[third], axis=second) - np.diff(potential[second], axis=third))
    return tuple(curl)


def forced(generator: np.random.Generator, velocity: Faces, grid: tuple[int, ...], strength: float) -> Faces:
    """A velocity after a push along the first axis that a smooth body force has given, such as buoyancy."""
    axes = tuple(_nodes(n) if a == 0 else _centres(n) for a, n in enumerate(grid))
    return (velocity[0] + strength * smooth_noise(generator, axes, 6), *velocity[1:])


def _both_sides(array: np.ndarray, axis: int, periodic: bool, outside: object) -> tuple[np.ndarray, np.ndarray]:
    """Values of the cells before and after every face along an axis."""
    front = np.moveaxis(array, axis, 0)
    low = front[-1:] if periodic else np.full_like(front[:1], outside)
    high = front[:1] if periodic else np.full_like(front[:1], outside)
    return np.moveaxis(np.concatenate((low, front)), 0, axis), np.moveaxis(np.concatenate((front, high)), 0, axis)


def with_walls(velocity: Faces, medium: Medium) -> Faces:
    """The velocity with wall conditions: at a solid its own, 0 at walls of the box and inside solids.

    In every closed piece of fluid what solids push in must come out: the rest is spread over all its walls.
    """
    found = []
    for axis, speed in enumerate(velocity):
        periodic = medium.sides[axis][0] == "periodic"
        before, after = _both_sides(medium.solid, axis, periodic, False)
        solid = np.zeros(medium.grid) if medium.motion is None else np.where(medium.solid, medium.motion[axis], 0.0)
        push = np.maximum(before.astype(float) + after, 1.0)
        moving = sum(_both_sides(solid, axis, periodic, 0.0)) / push
        speed = np.where(before | after, np.where(before & after, 0.0, moving), speed)
        ends = np.moveaxis(speed, axis, 0)
        if periodic:
            ends[-1] = ends[0]
        for end, kind in zip((0, -1), medium.sides[axis], strict=True):
            if kind == "wall":
                ends[end] = 0.0
        found.append(speed)
    return _balanced(tuple(found), medium)


def divergence(velocity: Faces) -> np.ndarray:
    """Σ_a (u_a after − u_a before) of every cell, shape ``grid``, in units of a cell."""
    total: np.ndarray = sum(np.diff(speed, axis=axis) for axis, speed in enumerate(velocity))  # type: ignore[assignment]
    return total


def _balanced(velocity: Faces, medium: Medium) -> Faces:
    """Every closed piece's walls move by what its net flux needs."""
    labels, closed = medium.components()
    if not closed.any():
        return velocity
    flux = np.bincount(labels.ravel(), divergence(velocity).ravel(), closed.size)
    walls = np.zeros(closed.size)
    sides = []
    for axis in range(len(velocity)):
        periodic = medium.sides[axis][0] == "periodic"
        before, after = _both_sides(labels, axis, periodic, 0)
        # a face with fluid of a closed piece on one side alone; outside of the box there is none
        out = np.where((after == 0) & closed[before], before, 0)
        into = np.where((before == 0) & closed[after], after, 0)
        if periodic:  # first and last are one face
            for piece in (out, into):
                np.moveaxis(piece, axis, 0)[-1] = 0
        walls += np.bincount(out.ravel(), minlength=closed.size) + np.bincount(into.ravel(), minlength=closed.size)
        sides.append((out, into))
    walls[0] = 1.0
    each = np.where(closed, flux / np.maximum(walls, 1.0), 0.0)
    changed = []
    for axis, (speed, (out, into)) in enumerate(zip(velocity, sides, strict=True)):
        speed = speed - each[out] + each[into]
        if medium.sides[axis][0] == "periodic":
            np.moveaxis(speed, axis, 0)[-1] = np.moveaxis(speed, axis, 0)[0]
        changed.append(speed)
    return tuple(changed)
