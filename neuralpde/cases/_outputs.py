"""Files that a case asks for beside its pictures: for ParaView, and values at points over time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from neuralpde.cases._mistakes import Place
from neuralpde.cases._schema import ExportTable, OutputTable
from neuralpde.geometry import Box, Domain, MeshDomain
from neuralpde.io import save_table
from neuralpde.problems import Problem
from neuralpde.representations import FiniteElementField, Motion, Representation
from neuralpde.simulate import Solution, chosen_quantity
from neuralpde.types import UsageError

FORCES = "-forces.csv"
"""What the name of a run's table of forces ends with."""

PROBE_NAME = re.compile(r"[A-Za-z0-9_-]+")


def check_outputs(
    output: OutputTable, problem: Problem, ends: Sequence[float], kinds: Sequence[Representation], place: Place
) -> None:
    """Refuse, before anything is solved, what no file could be made of.

    Args:
        output: the table ``[output]``.
        problem: of the case.
        ends: last times of its runs; none of a steady problem.
        kinds: the representations of its runs.
        place: of the table.

    Raises:
        UsageError: for an unknown quantity, points outside the domain or inside a solid, times that no run reaches,
            forces without a solid, fluxes where no run has finite elements.
    """
    if output.quantity is not None:
        with place.child("quantity").refusals():
            chosen_quantity(problem, output.quantity)
    for k, name in enumerate(output.probe_quantities or ()):
        with place.child("probe_quantities").child(k).refusals():
            chosen_quantity(problem, name)
    if output.export is not None:
        _check_export(output.export, problem.domain, ends, place.child("export"))
    if output.forces is not None and getattr(problem, "solid", None) is None:
        message = f"expected no forces, as {problem.name} has no solid that they could act on; got some."
        raise UsageError(place.child("forces").says(message))
    fields = [kind.displacement if isinstance(kind, Motion) else kind for kind in kinds]
    if output.fluxes and not any(isinstance(field, FiniteElementField) for field in fields):
        names = " and ".join(dict.fromkeys(type(field).__name__ for field in fields))
        message = f"expected no fluxes, which are known of finite elements; the runs have {names}."
        raise UsageError(place.child("fluxes").says(message))
    for name, point in (output.probes or {}).items():
        _check_probe(name, point, problem, place.child("probes").child(name))


def _check_export(table: ExportTable, domain: Domain, ends: Sequence[float], place: Place) -> None:
    d = domain.dim
    if table.points is not None and isinstance(domain, MeshDomain):
        message = "expected no points, as files for ParaView have those of the mesh; got some."
        raise UsageError(place.child("points").says(message))
    counts = [table.points] * d if isinstance(table.points, int) else table.points
    if counts is not None and (len(counts) != d or min(counts) < 2):
        expected = "one number, 2 or more" if d == 1 else f"one number or {d} numbers, each 2 or more"
        raise place.child("points").wrong(expected, table.points)
    last = max(ends, default=0.0)
    wrong = [t for t in table.times or () if not 0 <= t <= last * (1 + 1e-9)]
    if table.times == [] or wrong:
        raise place.child("times").wrong(f"one or more times from 0 to {last:g}", wrong[0] if wrong else [])


def _check_probe(name: str, point: Any, problem: Problem, place: Place) -> None:
    domain, solid = problem.domain, getattr(problem, "solid", None)
    if not PROBE_NAME.fullmatch(name):
        raise place.wrong("a point with a name of letters, digits, - and _", name)
    known = isinstance(point, list) and all(isinstance(c, int | float) and not isinstance(c, bool) for c in point)
    if not known or len(point) != domain.dim:
        expected = "a list of one number" if domain.dim == 1 else f"a list of {domain.dim} numbers"
        if isinstance(point, list) and any(isinstance(part, list) for part in point):
            middle = [a + 0.5 * length for a, length in zip(domain.lower, domain.lengths, strict=True)]
            expected += f" for each name, as in probes = {{front = {middle}}}"
        raise place.wrong(expected, point)
    x = torch.tensor([point], dtype=torch.float64)
    if not bool(domain.contains(x)):
        raise place.wrong(f"a point of {domain_text(domain)}", point)
    if solid is not None and float(solid.distance(x)) < -1e-9 * max(domain.lengths):
        raise place.wrong("a point outside the solid", point)


def domain_text(domain: Domain) -> str:
    """A domain for a sentence, as the box that it is or that is around it."""
    box = " × ".join(f"[{a:g}, {b:g}]" for a, b in zip(domain.lower, domain.upper, strict=True))
    return f"the domain, {box}" if isinstance(domain, Box) else f"the mesh, which lies in {box}"


def write_outputs(folder: Path, output: OutputTable, solutions: dict[str, Solution]) -> list[Path]:
    """Write what the case asks for, the run of the table ``[reference]`` included.

    Args:
        folder: of the run.
        output: the table ``[output]``.
        solutions: by run.

    Returns:
        ``NAME.pvd``, ``NAME-probes.csv`` and ``NAME-energies.csv`` of every run, and ``NAME-forces.csv``, which was
        written as the run went.
    """
    written = []
    for name, solution in solutions.items():
        if output.export is not None:
            wanted = output.export.times
            # a run that failed has not come to all of them
            times = None if wanted is None else [t for t in wanted if solution.spans(t)]
            if times != []:
                written.append(solution.export(folder / f"{name}.pvd", output.export.points, times))
        if output.probes:
            written.append(_save_probes(folder / f"{name}-probes.csv", solution, output))
        if output.energies and solution.energies is not None:
            written.append(save_table(folder / f"{name}-energies.csv", solution.energy_table()))
        if output.forces is not None and (folder / f"{name}{FORCES}").is_file():
            written.append(folder / f"{name}{FORCES}")
    return written


def _save_probes(path: Path, solution: Solution, output: OutputTable) -> Path:
    return solution.save_probes(path, output.probes or {}, quantities=output.probe_quantities)
