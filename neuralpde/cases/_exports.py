"""Saved runs for other programs: files for ParaView, and values at points."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from neuralpde.cases._mistakes import Place
from neuralpde.cases._open import open_run, run_files
from neuralpde.cases._outputs import PROBE_NAME, domain_text
from neuralpde.simulate import chosen_quantity
from neuralpde.types import UsageError


def export_saved(path: Path, out: Path | None, points: str | None) -> list[Path]:
    """Write saved runs for ParaView.

    Args:
        path: a run file, or a run folder for all of its runs, the reference among them.
        out: the collection, of a run file only; by default it stands beside the file.
        points: ``"65"`` or ``"129,65"``.

    Raises:
        UsageError: for impossible points, or one name for several runs.
        DataError: if there is no such run, or it is damaged.
    """
    counts = None if points is None else _numbers("--points", points, "whole numbers, such as 65 or 129,65", int)
    if path.is_dir() and out is not None:
        raise UsageError(f"--out {out}: expected no name for all runs of a folder; name one of its .h5 files.")
    files = run_files(path)
    one = counts[0] if counts is not None and len(counts) == 1 else counts
    return [open_run(file)[1].export(out or file.with_suffix(".pvd"), one) for file in files]


def probe_saved(path: Path, at: Sequence[str], out: Path | None, quantities: Sequence[str] | None = None) -> Path | str:
    """Values of a saved run at points over time.

    Args:
        path: the run file.
        at: ``"0.15,0.2"``, or with a name ``"front=0.15,0.2"``.
        out: a CSV file; None for a table as text.
        quantities: names of what is wanted in place of the unknowns.

    Raises:
        UsageError: for what is no point, one outside the domain, or a quantity that there is not.
        DataError: if there is no such run, or it is damaged.
    """
    if path.is_dir():
        raise UsageError(f"{path}: expected one of this folder's .h5 files; got the folder.")
    _, solution = open_run(path)
    for name in quantities or ():
        with Place(f"--quantity {name}").refusals():
            chosen_quantity(solution.problem, name)
    d = solution.problem.domain.dim
    example = ", ".join(["0.5", "0.5,0.25", "0.5,0.25,1.0"][d - 1 : d])
    points: dict[str, list[float]] = {}
    for text in at:
        name, equals, numbers = text.rpartition("=")
        name = name if equals else f"p{len(points) + 1}"
        if not PROBE_NAME.fullmatch(name) or name in points:
            raise UsageError(f"--at {text}: expected a name of its own of letters, digits, - and _ before the =.")
        point = _numbers("--at", numbers, f"{d} number{'s' * (d > 1)}, such as {example}", float, text)
        if len(point) != d:
            raise UsageError(f"--at {text}: expected {d} number{'s' * (d > 1)}, such as {example}; got {len(point)}.")
        if not bool(solution.problem.domain.contains(torch.tensor([point], dtype=torch.float64))):
            raise UsageError(f"--at {text}: expected a point of {domain_text(solution.problem.domain)}.")
        points[name] = point
    if out is not None:
        return solution.save_probes(out, points, quantities=quantities)
    columns = solution.probe_table(points, quantities=quantities)
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    return "\n".join([",".join(columns), *(",".join(f"{value:.9g}" for value in row) for row in rows)])


def _numbers(option: str, text: str, expected: str, kind: type, whole: str | None = None) -> list[Any]:
    try:
        return [kind(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"{option} {whole or text}: expected {expected}.") from None
