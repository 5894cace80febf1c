"""Families of pressure systems by name, how they are split, and the one function that makes a system."""

from __future__ import annotations

import difflib
import math
import zlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from neuralpde.systems import _coefficients, _obstacles, _plume, _walls
from neuralpde.systems._medium import Medium, Sides, sides_of
from neuralpde.systems._pressure_system import PressureSystem, assembled
from neuralpde.systems._velocity import forced, vortices
from neuralpde.types import UsageError

VERSION = 1
"""Of the generators: the same version, family, grid, seed and frame give the same numbers."""

GEOMETRIES: dict[str, Callable[[np.random.Generator, tuple[int, ...], Sides, int], Medium]] = {
    "circles": _obstacles.circles,
    "boxes": _obstacles.boxes,
    "blobs": _obstacles.blobs,
    "walls": _walls.walls,
    "rooms": _walls.rooms,
    "comb": _walls.comb,
    "gaps": _walls.gaps,
    "closed rooms": _walls.closed_rooms,
}
COEFFICIENTS: dict[str, Callable[[np.random.Generator, tuple[int, ...], Sides, float], Medium]] = {
    "jump checkerboard": _coefficients.jump_checkerboard,
    "jump blobs": _coefficients.jump_blobs,
    "jump inclusions": _coefficients.jump_inclusions,
    "aligned": _coefficients.aligned,
    "switching": _coefficients.switching,
}
FAMILIES = (*GEOMETRIES, "plume", *COEFFICIENTS)

SPLITS: dict[str, tuple[str, ...]] = {
    "train": ("circles", "boxes", "blobs", "walls", "jump blobs", "aligned"),
    "validation": ("gaps", "closed rooms", "jump inclusions"),
    "test": ("rooms", "comb", "plume", "jump checkerboard", "switching"),
}
"""No geometry that is tested on was trained on: each family stands in one part."""

MOVING = ("circles", "boxes", "blobs", "plume")
"""Families whose frames differ."""


def pressure_system(
    family: str,
    grid: Sequence[int],
    seed: int = 0,
    *,
    frame: int = 0,
    sides: str | Sequence[Sequence[str]] | None = None,
    contrast: float | None = None,
    pockets: bool = True,
) -> PressureSystem:
    """One member of a family.

    The velocity whose divergence is b: eddies, a wind and a body force, with u of the solids at their faces and 0 at
    walls; in the family "plume" that of the plume.

    Args:
        family: one of ``FAMILIES``.
        grid: cells along each of 2 or 3 axes, at least 4 each. A seed stands for the same shapes at every size, but
            for "rooms", "comb" and "gaps", whose walls are measured in cells.
        seed: which member.
        frame: which picture of a motion (circles, boxes, blobs, plume).
        sides: "wall", "open" or "periodic" for all, or a pair (low, high) for each axis; by default random.
        contrast: of coefficients; by default random, between 10 and 1e6, of anisotropies between 10 and 1000.
        pockets: False fills pieces of fluid that reach no open side, where another does.

    Raises:
        UsageError: for an unknown family, a wrong grid, sides or contrast.

    Example:
        >>> system = pressure_system("jump blobs", (16, 8), contrast=1e3, sides="open")
        >>> float(max(system.operator.weights[0].max(), system.operator.weights[1].max()))
        1000.0
    """
    grid = _checked(family, tuple(grid), seed, frame)
    spot = zlib.crc32(family.encode())
    shape, around, flow = (np.random.default_rng([VERSION, spot, seed, part]) for part in range(3))
    where = _random_sides(around, len(grid), family) if sides is None else sides_of(sides, len(grid))
    if family in COEFFICIENTS:
        contrast = _contrast(shape, family, contrast)
        medium = COEFFICIENTS[family](shape, grid, where, contrast)
        velocity = _velocity(flow, medium)
    elif contrast is not None:
        raise UsageError(f"contrast belongs to the families {', '.join(COEFFICIENTS)}; {family!r} has none.")
    elif family == "plume":
        medium, velocity = _plume.plume(shape, grid, where, frame)
    else:
        medium = GEOMETRIES[family](shape, grid, where, frame)
        velocity = _velocity(flow, medium)
    medium = medium if pockets else medium.without_pockets()
    return assembled(medium, velocity, family, seed, frame, f", contrast {contrast:.3g}" if contrast else "")


def frames(
    family: str, grid: Sequence[int], seed: int = 0, *, count: int, **options: object
) -> Iterator[PressureSystem]:
    """The first ``count`` pictures of a motion, one after the other.

    Args:
        family: one that moves.
        grid, seed, options: see :func:`pressure_system`.
        count: how many.

    Raises:
        UsageError: for a family that does not move.
    """
    if family not in MOVING:
        raise UsageError(f"frames: {family!r} does not move; these do: {', '.join(MOVING)}.")
    for frame in range(count):
        yield pressure_system(family, grid, seed, frame=frame, **options)  # type: ignore[arg-type]


def _checked(family: str, grid: tuple[int, ...], seed: int, frame: int) -> tuple[int, ...]:
    if family not in FAMILIES:
        nearest = difflib.get_close_matches(str(family), FAMILIES, n=1, cutoff=0.0)[0]
        raise UsageError(f"unknown family {family!r}: did you mean {nearest!r}? Known: {', '.join(FAMILIES)}.")
    if len(grid) not in (2, 3) or any(int(n) != n or n < 4 for n in grid):
        raise UsageError(f"a grid has 2 or 3 axes of at least 4 cells each, got {grid}.")
    if seed < 0 or frame < 0:
        raise UsageError(f"seed and frame are numbers from 0 on, got {seed} and {frame}.")
    return tuple(int(n) for n in grid)


def _contrast(generator: np.random.Generator, family: str, given: float | None) -> float:
    if given is not None and not (math.isfinite(given) and given > 0):
        raise UsageError(f"contrast: expected a number > 0, got {given}.")
    drawn = 10.0 ** generator.uniform(1, 6 if family.startswith("jump") else 3)
    return drawn if given is None else float(given)


def _velocity(generator: np.random.Generator, medium: Medium) -> tuple[np.ndarray, ...]:
    """Eddies, a wind and a force, for which the medium has not made way yet."""
    wind = generator.normal(0.0, 0.5, len(medium.grid))
    eddies = vortices(generator, medium.grid, int(generator.integers(3, 8)))
    blowing = tuple(speed + part for speed, part in zip(eddies, wind, strict=True))
    return forced(generator, blowing, medium.grid, generator.uniform(0.1, 1.0))


def _random_sides(generator: np.random.Generator, dim: int, family: str) -> Sides:
    """Closed, one side open, a channel, all open or periodic along an axis; a plume's lid is off."""
    kind = generator.choice(["closed", "one", "channel", "all", "periodic"], p=[0.2, 0.25, 0.25, 0.15, 0.15])
    axis = int(generator.integers(dim))
    pairs = [("wall", "wall")] * dim
    if family == "plume":
        pairs[0] = ("wall", "open")
        if kind == "all":
            pairs[1:] = [("open", "open")] * (dim - 1)
    elif kind == "one":
        pairs[axis] = ("open", "wall") if generator.uniform() < 0.5 else ("wall", "open")
    elif kind == "channel":
        pairs[axis] = ("open", "open")
    elif kind == "all":
        pairs = [("open", "open")] * dim
    elif kind == "periodic":
        pairs[axis] = ("periodic", "periodic")
        pairs[(axis + 1) % dim] = ("wall", "open" if generator.uniform() < 0.5 else "wall")
    return tuple(pairs)
