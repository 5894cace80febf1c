"""How far a solution is from the exact one, or from a better one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuralpde.fields import Field
from neuralpde.geometry import Box, Grid
from neuralpde.problems import Problem, exact_fits
from neuralpde.simulate._problem_data import first_difference, problem_data
from neuralpde.types import UsageError

if TYPE_CHECKING:
    from neuralpde.simulate._solution import Solution

MOST_POINTS = {2: 201, 3: 41}
"""Lattice points per axis at most, by dimension."""

ZERO = 1e-14
"""What of a field is its rounding, over the size of what it is computed from: the pressure of a parallel flow."""

CHUNK = 1 << 15
"""Points at a time: interpolation on a three-dimensional grid reads 64 values for each."""


def channels_of(problem: Problem, unknown: str | None) -> slice:
    """Where an unknown's values are; the first unknown's by default.

    Raises:
        UsageError: for a name that no unknown has.
    """
    known = problem.unknowns
    name = next(iter(known)) if unknown is None else unknown
    if name not in known:
        raise UsageError(f"the unknowns of {problem.name} are {', '.join(known)}; got {name!r}.")
    start = sum(c for other, c in list(known.items())[: list(known).index(name)])
    return slice(start, start + known[name])


def lattice(solution: Solution, points: Sequence[int] | int) -> tuple[Grid, Tensor]:
    """A uniform lattice over the smallest box around the domain, ends included, and its points ``(n, d)``."""
    domain, r = solution.problem.domain, solution.representation
    shape = (points,) * domain.dim if isinstance(points, int) else tuple(points)
    grid = Grid(Box(domain.lower, domain.upper), shape, (False,) * domain.dim)
    return grid, grid.points(r.dtype, r.device)


def values_at(field: Field, x: Tensor) -> Tensor:
    """The field at many points ``(n, d)``, ``(n, c)``."""
    with torch.no_grad():
        return torch.cat([field(part) for part in x.split(CHUNK)])


def solid_distance(problem: Problem, x: Tensor) -> Tensor | None:
    """Signed distance to the problem's solid ``(n,)``, negative inside; None where there is no solid."""
    solid = getattr(problem, "solid", None)
    if solid is None:
        return None
    with torch.no_grad():
        distance: Tensor = solid.distance(x)
    return distance.reshape(len(x))


def beyond(problem: Problem, x: Tensor) -> Tensor | None:
    """Points inside a solid, or outside a mesh, ``(n,)`` of bool; None where there is neither."""
    inside = solid_distance(problem, x)
    if inside is not None:
        return inside < 0
    return None if isinstance(problem.domain, Box) else ~problem.domain.contains(x)


def errors_by_unknown(
    solution: Solution,
    times: Sequence[float] | None = None,
    points: int = 2001,
    reference: Solution | None = None,
) -> dict[str, dict[str, float]]:
    """Errors of every unknown, over times and a uniform lattice, without the points inside a solid.

    Args:
        solution: what is judged.
        times: default all saved ones.
        points: lattice points per axis, ends included (at most 201 in 2D, 41 in 3D).
        reference: a better solution of the same problem, in place of the exact one.

    Returns:
        Per unknown ``mae``, ``mse`` (means over times and points), ``rel_l2`` (|error|₂ / |u|₂ over both; NaN where u
        is zero, but for its rounding), ``max_error``.

    Raises:
        UsageError: if there is neither an exact solution nor a reference, or the reference solves another problem.
    """
    wanted = [float(t) for t in (solution.times if times is None else times)]
    return errors_of_all({"": solution}, {"": wanted}, points, reference)[""]


def errors_of_all(
    solutions: Mapping[str, Solution],
    times: Mapping[str, Sequence[float]],
    points: int,
    reference: Solution | None = None,
) -> dict[str, dict[str, dict[str, float]]]:
    """:func:`errors_by_unknown` of several solutions of one problem, each over its own times.

    At a time that several share, what they are measured against is evaluated once.
    """
    problem = next(iter(solutions.values())).problem
    every = sorted({t for wanted in times.values() for t in wanted})
    if reference is None:
        fits, reason = exact_fits(problem, every)
        if not fits:
            raise UsageError(f"{problem.name}: {reason}; pass reference=another_solution.")
    else:
        check_reference(problem, reference)
    at = {name: _outside(problem, s, points) for name, s in solutions.items()}
    sums = {name: {unknown: _Sums() for unknown in problem.unknowns} for name in solutions}
    for t in every:
        known: dict[tuple[torch.dtype, torch.device], Tensor] = {}
        for name, solution in solutions.items():
            if t not in times[name]:
                continue
            x = at[name]
            if (x.dtype, x.device) not in known:
                known[x.dtype, x.device] = _known(problem, reference, t, x)
            found, exact = values_at(solution.at(t), x), known[x.dtype, x.device]
            for unknown, total in sums[name].items():
                channels = channels_of(problem, unknown)
                total.add(found[:, channels], exact[:, channels])
    return {
        name: {unknown: total.errors(max(other.size for other in of.values())) for unknown, total in of.items()}
        for name, of in sums.items()
    }


def _outside(problem: Problem, solution: Solution, points: int) -> Tensor:
    """The lattice without the points inside a solid or outside a mesh."""
    d = problem.domain.dim
    x = lattice(solution, min(points, MOST_POINTS[d]) if d > 1 else points)[1]
    blank = beyond(problem, x)
    return x if blank is None else x[~blank]


def _known(problem: Problem, reference: Solution | None, t: float, x: Tensor) -> Tensor:
    """The reference's values, or those of the exact solution."""
    if reference is None:
        exact = problem.exact(t, x)
        assert exact is not None  # exact_fits has seen to it
        return exact
    r = reference.representation
    return values_at(reference.at(t), x.to(dtype=r.dtype, device=r.device)).to(x)


def check_reference(problem: Problem, reference: Solution) -> None:
    """Refuse to compare with what solves another problem: another equation, domain or unknowns, other conditions or
    parameters. A function that cannot be told from another one is not compared.

    Raises:
        UsageError: naming what differs.
    """
    if not isinstance(getattr(reference, "problem", None), Problem):
        raise UsageError(f"the reference must be a Solution; got {type(reference).__name__}.")
    other = reference.problem
    if other is problem:
        return
    refusal = "the reference must solve the same problem"
    for what, mine, its in (
        ("problem is", problem.name, other.name),
        ("domain is", problem.domain, other.domain),
        ("unknowns are", dict(problem.unknowns), dict(other.unknowns)),
    ):
        if mine != its:
            raise UsageError(f"{refusal}: its {what} {its}, the solution's {mine}.")
    difference = first_difference(problem_data(other), problem_data(problem))
    if difference is not None:
        name, its, mine = difference
        raise UsageError(f"{refusal}: its {name} is {its}, the solution's {mine}.")


class _Sums:
    """Sums over times of what the errors are made from."""

    def __init__(self) -> None:
        self.absolute = self.square = self.norm = self.largest = 0.0
        self.count = 0

    def add(self, values: Tensor, exact: Tensor) -> None:
        """Take in one time."""
        e = values - exact
        self.absolute += float(e.abs().sum())
        self.square += float(e.square().sum())
        self.norm += float(exact.square().sum())
        self.largest, self.count = max(self.largest, float(e.abs().max())), self.count + e.numel()

    @property
    def size(self) -> float:
        """Root mean square of what the errors are measured against."""
        return math.sqrt(self.norm / self.count)

    def errors(self, largest: float) -> dict[str, float]:
        """By name; ``largest`` is the size of the problem's largest unknown."""
        # a pressure is as large as a velocity squared
        nothing = self.size <= ZERO * min(largest, largest * largest)
        return {
            "mae": self.absolute / self.count,
            "mse": self.square / self.count,
            "rel_l2": math.nan if nothing else math.sqrt(self.square / self.norm),
            "max_error": self.largest,
        }
