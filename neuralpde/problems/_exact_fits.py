"""Whether a problem's exact solution meets its data: a user may have changed what it was derived for."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from neuralpde.geometry import Boundary, Box, Dirichlet, Neumann, Periodic
from neuralpde.problems._base import Problem
from neuralpde.problems._exact_equation import equation_violated

TOLERANCE = 1e-6
FACE_POINTS = 5
MOST_TIMES = 25

SLOPE_TOLERANCE = 1e-2
"""One-sided differences of second order are good enough to tell a wrong slope from a right one."""

LADDER = (1e-3, 1e-4, 1e-5)
"""Their steps against the domain, where two slopes are compared: fronts and narrow bumps take the small ones."""


@torch.no_grad()
def exact_fits(problem: Problem, times: Sequence[float]) -> tuple[bool, str]:
    """Whether the exact solution exists, starts from the initial values, meets the boundary conditions at up to 25 of
    the times, and satisfies the equation inside.

    The equation is looked at as in :func:`equation_violated`, which does not judge solutions that cannot be
    differentiated automatically (an ODE solver or NumPy inside).

    Returns:
        The answer, and the reason of a no (a clause).
    """
    inside = problem.domain.some_points(256)
    exact = problem.exact(times[0], inside)
    if exact is None:
        return False, "no exact solution is known"
    scale = float(exact.abs().max()) or 1.0
    if problem.time_order and times[0] == 0.0 and not _starts(problem, inside, exact):
        return False, "the exact solution does not start from the initial values"
    for t in times[:: -(-len(times) // MOST_TIMES)]:
        face = _violated(problem, t, scale)
        if face:
            return False, f"the exact solution does not meet the condition on {face} at t = {t:g}"
    where = equation_violated(problem, float(max(times)))
    return not where, f"the exact solution does not satisfy the equation at {where}" if where else ""


def _starts(problem: Problem, x: Tensor, exact: Tensor) -> bool:
    """Whether the exact values at t = 0 are the initial ones, of all unknowns that have a time derivative."""
    widths = [c for name, c in problem.unknowns.items() if name not in problem.algebraic]
    total, start = sum(widths), problem.initial(x)
    pairs = zip(exact[:, :total].split(widths, 1), start[:, :total].split(widths, 1), strict=True)
    return not any(_differ(mine, its, float(mine.abs().max()) or 1.0) for mine, its in pairs)


def _differ(a: Tensor | None, b: Tensor | None, scale: float, tolerance: float = TOLERANCE) -> bool:
    return a is None or b is None or not float((a - b).abs().max()) <= tolerance * scale


def _violated(problem: Problem, t: float, scale: float) -> str:
    """The first face whose condition the exact solution violates, or nothing."""
    domain, boundary = problem.domain, Boundary(problem.domain, problem.conditions)
    for name in domain.faces:
        condition = boundary.table.get(name)
        face = domain.face_lattice(name, FACE_POINTS)
        x, value = face.points, _exact(problem, t, face.points)
        if isinstance(condition, Dirichlet) and _differ(value, condition.at(t, x, problem.evolving), scale):
            return name
        if isinstance(condition, Periodic):
            assert isinstance(domain, Box)
            axis, side = domain.face(name)
            opposite = x.clone()
            opposite[:, axis] = domain.lower[axis] if side else domain.upper[axis]
            if _differ(value, _exact(problem, t, opposite), scale):
                return name
            if face.normals is not None and _kinked(problem, t, x, opposite, face.normals, scale):
                return name
        if isinstance(condition, Neumann) and face.normals is not None and value is not None:
            length = max(domain.lengths)
            slope = _outward_slope(problem, t, x, face.normals, value, 1e-3 * length)
            size = scale / length
            if _differ(slope, condition.at(t, x, problem.evolving), size, SLOPE_TOLERANCE):
                return name
    return ""


def _exact(problem: Problem, t: float, x: Tensor) -> Tensor | None:
    """The exact values that boundary conditions are about."""
    value = problem.exact(t, x)
    return None if value is None else value[:, : problem.evolving]


def _kinked(problem: Problem, t: float, x: Tensor, opposite: Tensor, normals: Tensor, scale: float) -> bool:
    """Whether the slopes on both sides of a periodic face differ, and the problem does not allow that.

    First derivatives alone, and initial values, allow kinks: there it is enough that the solution goes on periodically.
    """
    if not problem.needs & {"grad", "laplacian", "hess"}:
        return False
    here, there = _exact(problem, t, x), _exact(problem, t, opposite)
    if here is None or there is None:
        return False
    length = float((x - opposite).norm(dim=-1).max())
    for step in LADDER:
        one = _outward_slope(problem, t, x, normals, here, step * length)
        other = _outward_slope(problem, t, opposite, -normals, there, step * length)
        if one is None or other is None:
            break
        if not _differ(one, -other, max(scale / length, float(one.abs().max())), SLOPE_TOLERANCE):
            return False
    kinks = not problem.needs & {"laplacian", "hess"} or (problem.time_order and t == 0.0)
    h = LADDER[0] * length * normals
    return not kinks or _differ(_exact(problem, t, x + h), _exact(problem, t, opposite + h), scale)


def _outward_slope(problem: Problem, t: float, x: Tensor, normals: Tensor, value: Tensor, h: float) -> Tensor | None:
    one, two = _exact(problem, t, x - h * normals), _exact(problem, t, x - 2 * h * normals)
    return None if one is None or two is None else (1.5 * value - 2 * one + 0.5 * two) / h
