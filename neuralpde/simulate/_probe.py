"""Values at points that somebody asks for, some of which may lie outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuralpde.geometry import Box, MeshDomain
from neuralpde.simulate._errors import solid_distance, values_at
from neuralpde.simulate._gradients import smooth_jet
from neuralpde.simulate._quantities import chosen_quantity, quantity_of
from neuralpde.types import UsageError

if TYPE_CHECKING:
    from neuralpde.simulate._solution import Solution

BESIDE = 0.05
"""Parts of an element that a point may lie beside a mesh: the chords of a straight mesh cut curved boundaries off."""


def probe(
    solution: Solution,
    points: Tensor | Sequence[Sequence[float]],
    times: Sequence[float] | None,
    quantity: str | None = None,
) -> Tensor:
    """Values at points for each time, ``(k, n, c)``; see :meth:`Solution.probe`."""
    problem, r = solution.problem, solution.representation
    d = problem.domain.dim
    try:
        x = torch.as_tensor(points, dtype=r.dtype, device=r.device)
    except (TypeError, ValueError) as error:
        raise UsageError(f"probe needs points, {d} numbers for each of them; got {points!r}.") from error
    if x.ndim != 2 or x.shape[1] != d:
        raise UsageError(f"probe needs points of shape (n, {d}); got {tuple(x.shape)}.")
    blank = _blank(solution, x)
    wanted = [float(t) for t in (solution.times if times is None else times)]
    if quantity is None:
        out = torch.stack([values_at(solution.at(t), x) for t in wanted])
    else:
        chosen, _ = chosen_quantity(problem, quantity)
        out = torch.stack([quantity_of(smooth_jet(problem, solution.at(t)), chosen, x, t) for t in wanted])
    return out.masked_fill(blank[None, :, None], float("nan"))


def _blank(solution: Solution, x: Tensor) -> Tensor:
    """Points in a solid, in a hole or a notch of a mesh, ``(n,)`` of bool.

    Raises:
        UsageError: for points outside the box, or the box around a mesh; where a mesh has none of the points.
    """
    problem, domain = solution.problem, solution.problem.domain
    on_mesh = isinstance(domain, MeshDomain)
    inside = domain.contains(x, BESIDE) if on_mesh else domain.contains(x)
    outside = ~(Box(domain.lower, domain.upper).contains(x) | inside)
    if bool(outside.any()):
        where = "the domain" if not on_mesh else f"the box {domain.lower} … {domain.upper} around the mesh"
        raise UsageError(
            f"{int(outside.sum())} of {len(x)} points lie outside {where}, first {x[outside][0].tolist()}."
        )
    if len(x) and not bool(inside.any()):
        raise UsageError(f"none of the {len(x)} points lies in the mesh; the first is {x[0].tolist()}.")
    distance = solid_distance(problem, x)
    # rounding may put points of the surface inside
    return ~inside if distance is None else ~inside | (distance < -1e-9 * max(domain.lengths))
