"""What one looks at of a solution: its unknowns, or scalars made from them, such as a vorticity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.func import jvp

from neuralpde.fields import Field, Jet, autodiff_jet
from neuralpde.plot import Samples
from neuralpde.problems import Problem, Quantity, exact_fits
from neuralpde.simulate._deformed import deformed
from neuralpde.simulate._errors import CHUNK, channels_of, check_reference, values_at
from neuralpde.simulate._gradients import FluxQuantity, Jets, flux_quantities, smooth_jet
from neuralpde.simulate._places import blanked, places_of
from neuralpde.types import UsageError

if TYPE_CHECKING:
    from neuralpde.simulate._solution import Solution

AXES = "xyz"


def component_names(problem: Problem, unknown: str) -> tuple[str, ...]:
    """Names of an unknown's values: ``velocity_x``, ``velocity_y`` of a vector, ``a_1``, ``a_2``, … of others."""
    count = problem.unknowns[unknown]
    if count == 1:
        return (unknown,)
    if count == problem.domain.dim:
        return tuple(f"{unknown}_{AXES[i]}" for i in range(count))
    return tuple(f"{unknown}_{i + 1}" for i in range(count))


def quantity_names(problem: Problem) -> list[str]:
    """What pictures can show: the problem's quantities, its unknowns, then its flux where it states one."""
    fluxes = (q.name for q in flux_quantities(problem))
    return list(dict.fromkeys([*(q.name for q in problem.quantities()), *problem.unknowns, *fluxes]))


def chosen_quantity(problem: Problem, name: str | None) -> tuple[Quantity, tuple[str, ...]]:
    """The quantity of that name, or the unknown, and its labels; by default the first quantity, else all unknowns.

    Raises:
        UsageError: for a name that neither a quantity nor an unknown has.
    """
    offered = {q.name: q for q in problem.quantities()}
    if name is None and offered:
        name = next(iter(offered))
    if name is None:
        single = problem.channels == len(problem.unknowns)
        return Quantity("", lambda u: u.value), tuple(problem.unknowns) if single else ("u",)
    if name in offered:
        return offered[name], (name,)
    for flux in flux_quantities(problem):
        if name == flux.name and name not in problem.unknowns:
            return flux, (name,) if flux.size else tuple(f"{name}_{AXES[i]}" for i in range(problem.domain.dim))
    if name not in problem.unknowns:
        raise UsageError(f"what can be shown of {problem.name}: {', '.join(quantity_names(problem))}; got {name!r}.")
    channels = channels_of(problem, name)
    return Quantity(name, lambda u: u.value[:, channels]), component_names(problem, name)


def quantity_of(jet: Jets, quantity: Quantity, x: Tensor, t: float) -> Tensor:
    """Values at points ``(n, d)`` from what gives jets at time t, ``(n, k)``, part by part."""
    needs = quantity.needs | {"value"}

    def of(part: Tensor) -> Tensor:
        u = jet(part, needs)
        return quantity.at(t, part, u) if isinstance(quantity, FluxQuantity) else quantity.of(u)

    with torch.no_grad():
        return torch.cat([of(part) for part in x.split(CHUNK)])


def exact_quantity(problem: Problem, quantity: Quantity, t: float, x: Tensor) -> Tensor | None:
    """The quantity of the exact solution, by automatic differentiation; None where that fails."""

    def exact(points: Tensor) -> Tensor:
        value = problem.exact(t, points)
        if value is None:
            raise UsageError(f"{problem.name} has an exact solution at some times only.")
        return value

    try:
        return quantity_of(lambda part, needs: _automatic_jet(exact, part, needs), quantity, x, t)
    except Exception:  # whatever the libraries inside raise when they meet a tensor that is being differentiated
        if quantity.needs <= {"value"}:
            raise
        return None


def _automatic_jet(function: Callable[[Tensor], Tensor], x: Tensor, needs: frozenset[str]) -> Jet:
    """:func:`autodiff_jet`, but for gradients a directional derivative of all points at once, many times faster."""
    if needs != {"value", "grad"}:
        return autodiff_jet(function, x, needs)
    slopes: list[Tensor] = []
    for i in range(x.shape[1]):
        direction = torch.zeros_like(x)
        direction[:, i] = 1.0
        pair = jvp(function, (x,), (direction,))
        value, slopes = pair[0], [*slopes, pair[1]]
    return Jet(value, torch.stack(slopes, dim=-1))


def samples_of(
    solution: Solution,
    points: int | None = None,
    frames: int = 61,
    name: str | None = None,
    quantity: str | None = None,
    reference: Solution | None = None,
    remembered: dict[tuple[float, int], Tensor | None] | None = None,
) -> Samples:
    """Values at up to ``frames`` saved times, for pictures; see :meth:`Solution.samples`.

    Args:
        solution, points, frames, name, quantity, reference: see there.
        remembered: the reference's (or exact) values by time and points, for several solutions that are shown alike;
            what is missing is added.
    """
    problem, representation = solution.problem, solution.representation
    shown, labels = chosen_quantity(problem, quantity)
    places = places_of(solution, points)
    x, d = places.x, problem.domain.dim
    chosen = np.unique(np.linspace(0, len(solution.times) - 1, min(frames, len(solution.times))).round().astype(int))
    times = [float(solution.times[k]) for k in chosen]
    fields = [solution.at(t) for t in times]
    jets = [smooth_jet(problem, field) for field in fields]
    on_mesh = places.triangulation is not None

    def array(columns: list[Tensor]) -> np.ndarray:
        # points of triangles lie in the domain, whatever rounding makes of those on its boundary
        return torch.stack(columns).cpu().numpy() if on_mesh else blanked(solution, x, columns, places.shape)

    exact = None
    if _is_known(problem, times, reference):
        memory = {} if remembered is None else remembered
        keys = [(t, hash(x.cpu().numpy().tobytes())) for t in times]
        for t, key in zip(times, keys, strict=True):
            if key not in memory:
                memory[key] = _known_quantity(problem, shown, t, x, reference)
        known = [e.to(x) for key in keys if (e := memory[key]) is not None]
        exact = array(known) if len(known) == len(times) else None
    # part by part and not time by time: a mesh finds the elements of a part's points once
    timed = list(zip(times, jets, strict=True))
    parts = [torch.stack([quantity_of(jet, shown, part, t) for t, jet in timed]) for part in x.split(CHUNK)]
    values = torch.cat(parts, dim=1)
    triangulation, axes, title = places.triangulation, places.axes, problem.name
    if triangulation is not None and shown.name == "displacement" and len(times) == 1:
        u = values_at(fields[0], x)[:, channels_of(problem, "displacement")]
        if u.shape[1] == d and bool(torch.isfinite(u).all()) and bool(u.any()):
            triangulation, enlarged = deformed(triangulation, u.cpu().double().numpy())
            axes = tuple(
                np.linspace(p.min(), p.max(), len(a)) for p, a in zip(triangulation.points.T, axes, strict=True)
            )
            title = f"{title}, displacements × {enlarged:g}"
    velocity = None
    if shown.streamlines and d == 2:
        at = places.lattice
        if isinstance(shown, FluxQuantity):
            drawn = [quantity_of(jet, replace(shown, size=False), at, t) for t, jet in timed]
        else:
            drawn = [_velocity(field, at, d) for field in fields]
        velocity = blanked(solution, at, drawn, tuple(map(len, places.axes)))
    return Samples(
        name or f"{type(representation).__name__}, {representation.num_dofs} dofs",
        axes,
        np.array(times),
        array(list(values)),
        exact,
        labels,
        title,
        velocity,
        "exact" if reference is None else "reference",
        triangulation,
    )


def _is_known(problem: Problem, times: Sequence[float], reference: Solution | None) -> bool:
    """Whether there is something to compare with at all the times."""
    if reference is None:
        return exact_fits(problem, times)[0]
    check_reference(problem, reference)
    return reference.spans(times[0]) and reference.spans(times[-1])


def _known_quantity(
    problem: Problem, shown: Quantity, t: float, x: Tensor, reference: Solution | None
) -> Tensor | None:
    if reference is None:
        return exact_quantity(problem, shown, t, x)
    r = reference.representation
    return quantity_of(smooth_jet(reference.problem, reference.at(t)), shown, x.to(dtype=r.dtype, device=r.device), t)


def _velocity(field: Field, x: Tensor, d: int) -> Tensor:
    with torch.no_grad():
        return field(x)[:, :d]
