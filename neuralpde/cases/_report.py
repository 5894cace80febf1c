"""What a study comes to: errors, rows of numbers and a short report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from neuralpde.benches._rows import Row, record
from neuralpde.cases._build import Study
from neuralpde.cases._document import dump_document
from neuralpde.cases._folder import CASE, METRICS, REPORT
from neuralpde.cases._outcome import Outcome, integrator_name
from neuralpde.cases._table import WORDS, cells, columns
from neuralpde.cases._user_code import blame
from neuralpde.problems import exact_fits
from neuralpde.simulate import Solution
from neuralpde.simulate._errors import errors_of_all
from neuralpde.simulate._extremes import largest
from neuralpde.types import UsageError

LATTICE = {1: 2001, 2: 201, 3: 41}
"""Points per axis on which errors are measured."""

MOST_TIMES = 201
"""Saved times at which errors are measured, evenly chosen."""


def error_times(solution: Solution) -> list[float]:
    """Up to ``MOST_TIMES`` of the saved times, the last one among them."""
    times = [float(t) for t in solution.times]
    stride = -(-len(times) // MOST_TIMES)
    return times[::-1][::stride][::-1]


def errors(study: Study, outcomes: Sequence[Outcome]) -> tuple[dict[str, dict[str, float]], str]:
    """Errors by run, and what they are measured against (a clause for the report).

    Whatever goes wrong here is a reason why they are not measured: it must not cost the other figures.
    """
    try:
        return _errors(study, outcomes)
    except UsageError as error:
        return {}, f"not measured: {str(error).rstrip('.')}"
    except Exception as error:  # a user's exact solution may raise anything
        return {}, f"not measured: {blame(error) or f'{type(error).__name__}: {error}'}"


def _errors(study: Study, outcomes: Sequence[Outcome]) -> tuple[dict[str, dict[str, float]], str]:
    solved = {o.name: o.solution for o in outcomes if o.solution is not None}
    points = LATTICE.get(study.problem.domain.dim, 11)
    if study.reference is not None:
        against, whose = solved.get(study.reference), _of_reference(study)
        if against is None or not against.status.ok:
            return {}, f"not measured, as {whose}{',' * (study.reference_run is not None)} is not complete"
        others = {k: s for k, s in solved.items() if s is not against}
        times = {k: [t for t in error_times(s) if against.spans(t)] for k, s in others.items()}
        found = errors_of_all(others, times, points, against) if others else {}
        return {k: _figures(e) for k, e in found.items()}, f"measured against {whose}{_of_first(study)}"
    if not solved:
        return {}, "not measured, as no run has a solution"
    # at the times of all: a run that ended early has not seen where the exact solution leaves its conditions
    known, why = exact_fits(study.problem, sorted({t for s in solved.values() for t in error_times(s)}))
    if not known:
        return {}, f"not measured: {why}"
    found = errors_of_all(solved, {k: error_times(s) for k, s in solved.items()}, points)
    return {k: _figures(e) for k, e in found.items()}, f"measured against the exact solution{_of_first(study)}"


def _of_reference(study: Study) -> str:
    """What the errors are measured against, in words."""
    run = study.reference_run
    if run is None:
        return f"the run {study.reference}"
    return f"the reference, {type(run.representation).__name__} with {run.representation.num_dofs} dofs"


def _figures(by_unknown: dict[str, dict[str, float]]) -> dict[str, float]:
    """Errors by metric: those of the first unknown, and of the others with their names before them."""
    first, *others = by_unknown
    named = {f"{name}_{metric}": value for name in others for metric, value in by_unknown[name].items()}
    return {**by_unknown[first], **named}


def _of_first(study: Study) -> str:
    """Whose largest error the short table shows, where there are several unknowns."""
    names = list(study.problem.unknowns)
    return f" (max err. is the {names[0]}'s; metrics.json has all)" if len(names) > 1 else ""


def rows(study: Study, outcomes: Sequence[Outcome], found: dict[str, dict[str, float]]) -> list[Row]:
    """Every figure of every run that has a solution."""
    units = {"memory_bytes": "B", "seconds": "s", "setup_seconds": "s", "solve_seconds": "s"}
    out = []
    for o in outcomes:
        if o.solution is None:
            continue
        s = o.solution
        figures = {
            **({"dt": s.recipe["dt"]} if "dt" in s.recipe else {}),
            "dofs": s.representation.num_dofs,
            "memory_bytes": s.representation.memory_bytes(),
            "seconds": o.seconds + s.seconds,
            "setup_seconds": o.seconds + s.setup_seconds,
            "solve_seconds": s.solve_seconds,
            "steps": len(s.infos),
            **({} if study.steady else {"last_time": s.last.t}),
            **({"until_steady": s.recipe["until_steady"]} if "until_steady" in s.recipe else {}),
            "iterations": sum(info.iterations for info in s.infos),
            "fit_error": s.fit_error,
            "stage_residual": max((info.residual for info in s.infos), default=0.0),
            **found.get(o.name, {}),
        }
        out += [Row(study.name, o.name, metric, value, units.get(metric, "")) for metric, value in figures.items()]
    return out


def remarks(outcomes: Sequence[Outcome]) -> list[str]:
    """A sentence about each run of a body: where it moves farthest and where its stress is largest, its load steps."""
    out = []
    for o in outcomes:
        parts = [] if o.solution is None else [*largest(o.solution), *o.solution.notes]
        if parts and o.solution is not None and "displacement" in o.solution.problem.unknowns:
            out.append(f"**{o.name}**: {'; '.join(parts)}.")
    return out


def write_metrics(folder: Path, study: Study, outcomes: Sequence[Outcome], table_rows: Sequence[Row]) -> None:
    """Write ``metrics.json``: the figures as benches print them, and each run's integrator, the one value in words."""
    lines: list[dict[str, object]] = []
    for o in outcomes:
        name = integrator_name(o)
        if name is not None:
            lines.append({"case": study.name, "method": o.name, "metric": "integrator", "value": name, "unit": ""})
        lines += [record(row) for row in table_rows if row.method == o.name]
    (folder / METRICS).write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")


def write_report(
    folder: Path,
    study: Study,
    outcomes: Sequence[Outcome],
    table_rows: Sequence[Row],
    drawn: Sequence[Path],
    files: Sequence[Path],
    against: str,
    balances: Sequence[str] = (),
) -> Path:
    """Write ``report.md``: the case, what each run costs and how wrong it is, pictures, how to repeat it."""
    evidence = "`stage` is the largest residual that a stage of a step was left with."
    lines = [f"# {study.name}: {study.problem.name}", "", f"Errors are {against}; {evidence}", ""]
    shown = columns(study, table_rows)
    lines += [_line([heading.replace("\n", " ") for heading in shown.values()])]
    lines += [_line(["---" if name in WORDS else "---:" for name in shown])]
    lines += [_line([line[name] for name in shown]) for line in cells(outcomes, table_rows, shown)]
    for o in outcomes:
        if not o.status.ok:
            lines += ["", f"**{o.name}**: {o.message or o.status.sentence()}"]
    for sentence in balances:
        lines += ["", sentence]
    for path in drawn:
        lines += ["", f"![{path.stem}]({path.name})"]
    if files:
        lines += ["", f"Written beside this report: {', '.join(f'[{path.name}]({path.name})' for path in files)}."]
    lines += ["", "## Case", "", "```toml", dump_document(study.document).rstrip(), "```"]
    lines += ["", "## Repeat", "", "```", f"neuralpde run {folder / CASE}", "```", ""]
    path = folder / REPORT
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _line(texts: Sequence[str]) -> str:
    return "| " + " | ".join(texts) + " |"
