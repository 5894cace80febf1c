"""How far a solution is from the exact one, or from a better one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from neuralpde.fields import Field
from neuralpde.geometry import Box, Domain, Grid, MeshDomain
from neuralpde.geometry._mesh import reference_quadrature
from neuralpde.problems import ByPart, Problem, exact_fits
from neuralpde.simulate._problem_data import first_difference, problem_data
from neuralpde.types import UsageError

if TYPE_CHECKING:
    from neuralpde.simulate._solution import Solution

MOST_POINTS = {2: 201, 3: 41}
"""Lattice points per axis at most, by dimension."""

ZERO = 1e-14
"""What of a field is its rounding, over the size of what it is computed from: the pressure of a parallel flow."""

ALIKE = 0.02
"""Difference of volume, and of length, that two meshes of a domain may have."""

ELEMENTS = 1000
"""At the middles of so many elements coefficients by part are compared."""

RULE = {2: 4, 3: 3}
"""Points along each axis of an element at least, by dimension: rules of degree 7 and 5 for squares of errors."""

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
    """Errors of every unknown, over times and a uniform lattice, without the points inside a solid; on a mesh by
    quadrature over its elements.

    Args:
        solution: what is judged.
        times: default all saved ones.
        points: lattice points per axis, ends included (at most 201 in 2D, 41 in 3D); on a mesh at least as many points
            in all, and four along each axis of every element.
        reference: a better solution of the same problem, in place of the exact one; its mesh may be another one.

    Returns:
        Per unknown ``mae``, ``mse`` (means over times and points, or the domain), ``rel_l2`` (|error|₂ / |u|₂ over
        both; NaN where u is zero, but for its rounding), ``max_error``.

    Raises:
        UsageError: if there is neither an exact solution nor a reference, or the reference solves another problem.
    """
    wanted = [float(t) for t in (solution.times if times is None else times)]
    return errors_of_all({"": solution}, {"": wanted}, points, reference)[""]


@torch.no_grad()
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
    at = {name: _measured_at(problem, s, points) for name, s in solutions.items()}
    sums = {name: {unknown: _Sums() for unknown in problem.unknowns} for name in solutions}
    # part by part before time by time: a mesh finds the elements of a part's points once
    for part in range(max(len(parts) for parts in at.values())):
        for name, parts in at.items():
            parts[part].tell(solutions[name])
        for t in every:
            known: dict[tuple[torch.dtype, torch.device], Tensor] = {}
            for name, solution in solutions.items():
                if t not in times[name]:
                    continue
                x, weights = at[name][part].x, at[name][part].weights
                if (x.dtype, x.device) not in known:
                    known[x.dtype, x.device] = _known(problem, reference, t, x)
                found, exact = values_at(solution.at(t), x), known[x.dtype, x.device]
                for unknown, total in sums[name].items():
                    channels = channels_of(problem, unknown)
                    total.add(found[:, channels], exact[:, channels], weights)
    return {
        name: {unknown: total.errors(max(other.size for other in of.values())) for unknown, total in of.items()}
        for name, of in sums.items()
    }


@dataclasses.dataclass(frozen=True)
class _Part:
    """Points ``(n, d)``, weights ``(n, 1)``, and of a mesh the points' elements ``(n,)`` and coordinates in them."""

    x: Tensor
    weights: Tensor
    element: np.ndarray | None = None
    xi: np.ndarray | None = None

    def tell(self, solution: Solution) -> None:
        """Spare the solution's mesh the search for the points."""
        domain = solution.problem.domain
        if isinstance(domain, MeshDomain) and self.element is not None and self.xi is not None:
            domain.locator.remember(self.x.cpu().double().numpy(), self.element, self.xi)


def _measured_at(problem: Problem, solution: Solution, points: int) -> list[_Part]:
    """Of a mesh a rule on its elements that integrates; of a box its lattice without what lies inside a solid."""
    domain, r, d = solution.problem.domain, solution.representation, problem.domain.dim
    n = min(points, MOST_POINTS[d]) if d > 1 else points
    if not isinstance(domain, MeshDomain):
        x = lattice(solution, n)[1]
        blank = beyond(problem, x)
        x = x if blank is None else x[~blank]
        return [_Part(x, x.new_ones(len(x), 1))]
    count = max(RULE[d], math.ceil(n / len(domain.mesh.cells) ** (1 / d)))
    rule = domain.lattice(count**d * len(domain.mesh.cells), r.dtype, r.device)
    xi = reference_quadrature(domain.mesh.element, count)[0]
    element = np.repeat(np.arange(len(domain.mesh.cells)), len(xi))
    inside = np.tile(xi, (len(domain.mesh.cells), 1))
    parts = [slice(k, k + CHUNK) for k in range(0, len(element), CHUNK)]
    return [_Part(rule.points[k], rule.weights[k, None], element[k], inside[k]) for k in parts]


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
    if other.domain != problem.domain and _same_shape(other.domain, problem.domain) and dataclasses.is_dataclass(other):
        _check_materials(other, problem, refusal)
        other = dataclasses.replace(other, domain=problem.domain)  # on another mesh, a finer one
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


def _check_materials(other: Problem, problem: Problem, refusal: str) -> None:
    """Refuse coefficients by part that two meshes place differently.

    Raises:
        UsageError: naming the coefficient.
    """
    x = problem.domain.some_points(ELEMENTS)
    for name, mine in vars(problem).items():
        its = getattr(other, name, None)
        if isinstance(mine, ByPart) and isinstance(its, ByPart) and mine == its:
            share = float((mine(x) != its(x)).double().mean())
            if share > ALIKE:
                raise UsageError(
                    f"{refusal}: the parts that its {name} goes by lie elsewhere on {share:.0%} of the mesh."
                )


def _same_shape(one: Domain, two: Domain) -> bool:
    """Whether two meshes cover the same domain, but for what their elements cut off curved boundaries."""
    if not (isinstance(one, MeshDomain) and isinstance(two, MeshDomain)) or sorted(one.faces) != sorted(two.faces):
        return False
    size = ALIKE * max(two.lengths)
    corners = zip((*one.lower, *one.upper), (*two.lower, *two.upper), strict=True)
    return abs(one.volume - two.volume) <= ALIKE * two.volume and all(abs(a - b) <= size for a, b in corners)


class _Sums:
    """Sums over times of what the errors are made from."""

    def __init__(self) -> None:
        self.absolute = self.square = self.norm = self.largest = 0.0
        self.count = 0.0

    def add(self, values: Tensor, exact: Tensor, weights: Tensor) -> None:
        """Take in points at one time."""
        e = values - exact
        self.absolute += float((weights * e.abs()).sum())
        self.square += float((weights * e.square()).sum())
        self.norm += float((weights * exact.square()).sum())
        self.largest = max(self.largest, float(e.abs().max()))
        self.count += float(weights.sum()) * e.shape[1]

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
