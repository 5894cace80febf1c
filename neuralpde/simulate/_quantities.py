"""What one looks at of a solution: its unknowns, or scalars made from them, such as a vorticity."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.func import jvp

from neuralpde.fields import Field, Jet, autodiff_jet
from neuralpde.plot import Samples
from neuralpde.problems import Problem, Quantity, exact_fits
from neuralpde.simulate._deformed import displacements, held, magnification_of, met_solids
from neuralpde.simulate._errors import CHUNK, channels_of, check_reference
from neuralpde.simulate._gradients import Jets, flux_quantities, smooth_jet
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


def labels_of(quantity: Quantity) -> tuple[str, ...]:
    """What the values of a quantity are called: its name, or ``Cauchy stress xx``, … of several."""
    whole = (label.startswith(quantity.name) for label in quantity.labels)
    named = zip(quantity.labels, whole, strict=True)
    return tuple(label if own else f"{quantity.name} {label}" for label, own in named) or (quantity.name,)


def quantity_names(problem: Problem) -> list[str]:
    """What pictures can show: the problem's quantities, its unknowns, then its flux where it states one."""
    return list(dict.fromkeys(q.name for q in _offered(problem)))


def component_quantities(problem: Problem) -> dict[str, Quantity]:
    """Single components of vectors and tensors by their names, ``displacement_x``, ``Cauchy stress xy``."""
    found: dict[str, Quantity] = {}
    for quantity in _offered(problem):
        labels = labels_of(quantity)
        for k, label in enumerate(labels if len(labels) > 1 else ()):
            found.setdefault(label, _component(quantity, k, label))
    return found


def _component(quantity: Quantity, k: int, label: str) -> Quantity:
    return Quantity(label, needs=quantity.needs, located=lambda t, x, u: quantity.at(t, x, u)[:, k : k + 1])


def _offered(problem: Problem) -> list[Quantity]:
    unknowns = [_unknown(problem, name) for name in problem.unknowns]
    return [*problem.quantities(), *unknowns, *flux_quantities(problem)]


def _unknown(problem: Problem, name: str) -> Quantity:
    channels = channels_of(problem, name)
    labels = component_names(problem, name)
    return Quantity(name, lambda u: u.value[:, channels], labels=labels if len(labels) > 1 else ())


def chosen_quantity(problem: Problem, name: str | None) -> tuple[Quantity, tuple[str, ...]]:
    """The quantity of that name, the unknown, or a component of either, and its labels; by default the first quantity,
    else all unknowns.

    Raises:
        UsageError: for a name that none of them has, with the nearest one.
    """
    quantities = problem.quantities()
    if name is None and not quantities:
        single = problem.channels == len(problem.unknowns)
        return Quantity("", lambda u: u.value), tuple(problem.unknowns) if single else ("u",)
    offered = {_plain(q.name): q for q in reversed(_offered(problem))}
    wanted = _plain(quantities[0].name if name is None else name)
    if wanted in offered:
        return offered[wanted], labels_of(offered[wanted])
    parts = {_plain(label): quantity for label, quantity in component_quantities(problem).items()}
    if wanted in parts:
        return parts[wanted], (parts[wanted].name,)
    near = [key for key in offered if wanted in key] or difflib.get_close_matches(wanted, [*offered, *parts], 1, 0.6)
    meant = {**parts, **offered}[near[0]].name if near else None
    hint = f"; did you mean {meant}?" if meant else "."
    raise UsageError(f"expected one of {', '.join(quantity_names(problem))}; got {name!r}{hint}")


def _plain(name: str) -> str:
    """A name as it may be written too: ``von_mises_stress`` for ``von Mises stress``."""
    return name.lower().replace("_", " ")


def quantity_of(jet: Jets, quantity: Quantity, x: Tensor, t: float) -> Tensor:
    """Values at points ``(n, d)`` from what gives jets at time t, ``(n, k)``, part by part."""
    needs = quantity.needs | {"value"}

    with torch.no_grad():
        return torch.cat([quantity.at(t, part, jet(part, needs)) for part in x.split(CHUNK)])


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
    magnification: float | None = None,
) -> Samples:
    """Values at up to ``frames`` saved times, for pictures; see :meth:`Solution.samples`.

    Args:
        solution, points, frames, name, quantity, reference, magnification: see there.
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
    moved = displacements(problem, fields, x) if on_mesh else None
    met = met_solids(problem) if moved is not None else None
    if met is not None and magnification is None:
        magnification = 1.0  # enlarged displacements would lead into what a body may not enter
    velocity = None
    if shown.streamlines and d == 2:
        at = places.lattice
        if problem.channels == 1:
            drawn = [quantity_of(jet, flux_quantities(problem)[0], at, t) for t, jet in timed]
        else:
            drawn = [_velocity(field, at, d) for field in fields]
        velocity = blanked(solution, at, drawn, tuple(map(len, places.axes)))
    called, carried = name or f"{type(representation).__name__}, {representation.num_dofs} dofs", _carried(solution)
    return Samples(
        f"{called}, {carried}" if carried else called,
        places.axes,
        np.array(times),
        array(list(values)),
        exact,
        labels,
        problem.name,
        velocity,
        "exact" if reference is None else "reference",
        places.triangulation,
        moved,
        magnification_of(places.triangulation, moved, magnification),
        outlined=moved is not None and (len(times) == 1 or held(problem)),
        solids=met,
    )


def _carried(solution: Solution) -> str:
    """Of what load a state is that is not the one asked for."""
    factor = solution.recipe.get("carried")
    return "" if factor is None else f"at {100 * factor:.3g} % of the load"


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
