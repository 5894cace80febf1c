"""Solutions for other programs: ParaView files and tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from neuralpde.geometry import MeshDomain
from neuralpde.io import save_pvd, save_vti
from neuralpde.representations import GridField, MacGrid
from neuralpde.simulate._errors import channels_of, lattice, solid_distance, values_at
from neuralpde.simulate._export_mesh import mesh_writer, save_boundary
from neuralpde.simulate._gradients import AXES, flux_quantities, smooth_jet
from neuralpde.simulate._quantities import chosen_quantity, component_names, quantity_of
from neuralpde.types import UsageError

if TYPE_CHECKING:
    from neuralpde.simulate._solution import Solution

Points = Tensor | Sequence[Sequence[float]]

POINTS = {1: 801, 2: 129, 3: 65}
"""Lattice points per axis where the representation has no grid of its own, by dimension."""


def export_solution(
    solution: Solution,
    path: str | Path,
    points: int | Sequence[int] | None = None,
    times: Sequence[float] | None = None,
) -> Path:
    """Write a ParaView collection and its files; see :meth:`Solution.export`."""
    target = Path(path)
    if target.suffix.lower() != ".pvd":
        raise UsageError(f"cannot export to {target.name!r}: the name must end in .pvd")
    wanted = [float(t) for t in (solution.times if times is None else times)]
    digits = max(4, len(str(len(wanted) - 1)))
    names = [target.with_name(f"{target.stem}_{k:0{digits}}") for k in range(len(wanted))]
    domain = solution.problem.domain
    write = _on_mesh(solution, points) if isinstance(domain, MeshDomain) else _on_lattice(solution, points)
    if isinstance(domain, MeshDomain):
        save_boundary(target.with_name(f"{target.stem}_boundary.vtu"), domain)
    return save_pvd(target, wanted, [write(name, t) for name, t in zip(names, wanted, strict=True)])


Writer = Callable[[Path, float], Path]
"""(name without suffix, time) → the file."""


def _on_lattice(solution: Solution, points: int | Sequence[int] | None) -> Writer:
    shape = _shape(solution, points)
    grid, x = lattice(solution, shape)

    def write(name: Path, t: float) -> Path:
        data = {name: _array(values, shape) for name, values in _fields(solution, t, x).items()}
        return save_vti(name.with_suffix(".vti"), solution.problem.domain.lower, grid.spacing, data)

    return write


def _on_mesh(solution: Solution, points: int | Sequence[int] | None) -> Writer:
    if points is not None:
        raise UsageError("points are for lattices; a solution on a mesh is written at the points of the mesh.")
    return mesh_writer(solution, lambda t, x: _fields(solution, t, x))


def _fields(solution: Solution, t: float, x: Tensor) -> dict[str, Tensor]:
    """Unknowns, quantities that are no unknowns, the flux on a mesh, the distance to a solid, each ``(n, k)``.

    Symmetric tensors have nine numbers a point, as ParaView has them.
    """
    problem, field = solution.problem, solution.at(t)
    fluxes = flux_quantities(problem)[:1] if isinstance(problem.domain, MeshDomain) else ()
    jet = smooth_jet(problem, field)
    values = values_at(field, x)
    out = {name: values[:, channels_of(problem, name)] for name in problem.unknowns}
    for quantity in (*problem.quantities(), *fluxes):
        if quantity.name not in out:
            out[quantity.name] = _tensor(quantity_of(jet, quantity, x, t), quantity.labels)
    distance = solid_distance(problem, x)
    return out if distance is None else {**out, "solid_distance": distance[:, None]}


def _tensor(values: Tensor, labels: Sequence[str]) -> Tensor:
    """Entries ``xx``, ``yy``, ``xy`` of a symmetric tensor for ParaView, ``(n, 9)``; the others are 0."""
    pairs = [tuple(AXES.find(letter) for letter in label) for label in labels]
    if not pairs or any(len(pair) != 2 or min(pair) < 0 for pair in pairs):
        return values
    tensor = values.new_zeros(len(values), 9)
    for k, (i, j) in enumerate(pairs):
        tensor[:, 3 * i + j] = tensor[:, 3 * j + i] = values[:, k]
    return tensor


def _array(values: Tensor, shape: Sequence[int]) -> np.ndarray:
    channels = (values.shape[1],) if values.shape[1] > 1 else ()
    return values.reshape(*shape, *channels).detach().cpu().numpy()


def _shape(solution: Solution, points: int | Sequence[int] | None) -> tuple[int, ...]:
    """Lattice points per axis: as asked, or those of the representation's own grid, ends included."""
    r, d = solution.representation, solution.problem.domain.dim
    if points is None and isinstance(r, MacGrid):
        return tuple(n + 1 for n in r.cells)  # the corners of the cells
    if points is None and isinstance(r, GridField):
        return tuple(n + p for n, p in zip(r.grid.shape, r.boundary.periodic, strict=True))
    shape = POINTS[d] if points is None else points
    shape = (shape,) * d if isinstance(shape, int) else tuple(shape)
    if len(shape) != d or min(shape) < 2:
        raise UsageError(f"points must be one number or {d} numbers, each at least 2; got {points}.")
    return shape


def probe_table(
    solution: Solution,
    points: Points | Mapping[str, Sequence[float]],
    times: Sequence[float] | None = None,
    quantities: Sequence[str] | None = None,
) -> dict[str, np.ndarray]:
    """Values at points over time by column; see :meth:`Solution.probe_table`."""
    wanted = [float(t) for t in (solution.times if times is None else times)]
    places = list(points.values()) if isinstance(points, Mapping) else points
    problem = solution.problem
    names = [name for unknown in problem.unknowns for name in component_names(problem, unknown)]
    found = [(names, solution.probe(places, wanted))] if quantities is None else []
    for quantity in quantities or ():
        found.append((list(chosen_quantity(problem, quantity)[1]), solution.probe(places, wanted, quantity)))
    columns = {"t": np.array(wanted)}
    labels = list(points) if isinstance(points, Mapping) else [None] * len(places)
    for j, label in enumerate(labels):
        for names, values in found:
            for i, name in enumerate(names):
                plain = re.sub(r"\W+", "_", name)
                column = f"{plain}[{j}]" if label is None else f"{label}_{plain}"
                columns[column] = values[:, j, i].to(torch.float64).cpu().numpy()
    return columns
