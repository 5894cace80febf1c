"""What a study comes to: rows of numbers, a table, pictures and a short report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from neuralpde.benches._rows import Row, as_json
from neuralpde.cases._build import Study
from neuralpde.cases._document import dump_document
from neuralpde.cases._folder import CASE, METRICS, REPORT
from neuralpde.problems import exact_fits
from neuralpde.simulate import Solution, compare
from neuralpde.types import Status

LATTICE = {1: 2001, 2: 201, 3: 41}
"""Points per axis on which errors are measured."""

MOST_TIMES = 201
"""Saved times at which errors are measured, evenly chosen."""

SHOWN = {
    "dofs": "dofs",
    "memory_bytes": "bytes",
    "seconds": "seconds",
    "rel_l2": "rel. L2",
    "max_error": "max err.",
    "stage_residual": "stage",
}
"""Columns of the short table: metric and heading."""


@dataclass(frozen=True)
class Outcome:
    """How one run ended.

    Args:
        name: of the run.
        status: of its solution, or of the failure that left none.
        solution: None where not even one step was done.
        seconds: building the representation, beyond what the solution counts.
        message: the failure's sentence, or nothing.
    """

    name: str
    status: Status
    solution: Solution | None
    seconds: float = 0.0
    message: str = ""


def error_times(solution: Solution) -> list[float]:
    """Up to ``MOST_TIMES`` of the saved times, the last one among them."""
    times = [float(t) for t in solution.times]
    stride = -(-len(times) // MOST_TIMES)
    return times[::-1][::stride][::-1]


def errors(study: Study, outcomes: Sequence[Outcome]) -> tuple[dict[str, dict[str, float]], str]:
    """Errors by run, and what they are measured against (a clause for the report)."""
    solved = {o.name: o.solution for o in outcomes if o.solution is not None}
    points = LATTICE.get(study.problem.domain.dim, 11)
    reference = study.case.output.reference
    if reference is not None and (solved.get(reference) is None or not solved[reference].status.ok):
        return {}, f"not measured, as the reference run {reference} is not complete"
    if reference is not None:
        against = solved[reference]
        others = {k: s for k, s in solved.items() if k != reference}
        span = float(against.times[-1]) * (1 + 1e-9)
        found = {
            k: s.error([t for t in error_times(s) if t <= span], points, reference=against) for k, s in others.items()
        }
        return found, f"measured against the run {reference}"
    if not solved:
        return {}, "not measured, as no run has a solution"
    known, why = exact_fits(study.problem, error_times(next(iter(solved.values()))))
    if not known:
        return {}, f"not measured: {why}"
    return {k: s.error(error_times(s), points) for k, s in solved.items()}, "measured against the exact solution"


def rows(study: Study, outcomes: Sequence[Outcome], found: dict[str, dict[str, float]]) -> list[Row]:
    """Every figure of every run that has a solution."""
    units = {"memory_bytes": "B", "seconds": "s", "setup_seconds": "s", "solve_seconds": "s"}
    out = []
    for o in outcomes:
        if o.solution is None:
            continue
        s = o.solution
        figures = {
            "dofs": s.representation.num_dofs,
            "memory_bytes": s.representation.memory_bytes(),
            "seconds": o.seconds + s.seconds,
            "setup_seconds": o.seconds + s.setup_seconds,
            "solve_seconds": s.solve_seconds,
            "steps": len(s.infos),
            "iterations": sum(info.iterations for info in s.infos),
            "fit_error": s.fit_error,
            "stage_residual": max((info.residual for info in s.infos), default=0.0),
            **found.get(o.name, {}),
        }
        out += [Row(study.name, o.name, metric, value, units.get(metric, "")) for metric, value in figures.items()]
    return out


def figure(metric: str, value: float | None) -> str:
    """A figure as text."""
    if value is None:
        return "–"
    if metric in ("dofs", "memory_bytes", "steps", "iterations"):
        return f"{int(value)}"
    return f"{value:.2f}" if metric == "seconds" else f"{value:.2e}"


def cells(outcomes: Sequence[Outcome], table_rows: Sequence[Row]) -> list[list[str]]:
    """One line a run: name, the short table's figures, how it ended."""
    lines = []
    for o in outcomes:
        values = {row.metric: row.value for row in table_rows if row.method == o.name}
        figures = [figure(metric, values.get(metric)) for metric in SHOWN]
        lines.append([o.name, *figures, o.status.name.lower().replace("_", " ")])
    return lines


def table(study: Study, outcomes: Sequence[Outcome], table_rows: Sequence[Row]) -> Table:
    """The short table for a terminal."""
    out = Table(title=f"{study.name}: {study.problem.name}", title_justify="left")
    out.add_column("run")
    for heading in SHOWN.values():
        out.add_column(heading, justify="right")
    out.add_column("status", no_wrap=True)
    for line in cells(outcomes, table_rows):
        out.add_row(*line)
    return out


def pictures(folder: Path, study: Study, outcomes: Sequence[Outcome]) -> tuple[list[Path], str]:
    """Draw what the case asks for; the paths, and why there are none."""
    output = study.case.output
    solved = {o.name: o.solution for o in outcomes if o.solution is not None}
    if not solved or not (output.plot or output.animate):
        return [], ""
    if study.problem.domain.dim > 2:
        return [], "no pictures: they show fields in 1 or 2 dimensions"
    drawn = []
    if output.plot:
        drawn += [s.plot(folder / f"{name}.png", name) for name, s in solved.items()]
        if len(solved) > 1:
            drawn.append(compare(solved, folder / "comparison.png"))
    if output.animate and max(len(s.times) for s in solved.values()) > 1:
        drawn.append(compare(solved, folder / "comparison.gif"))
    return drawn, ""


def write_metrics(folder: Path, table_rows: Sequence[Row]) -> None:
    """Write ``metrics.json``."""
    (folder / METRICS).write_text(as_json(table_rows) + "\n", encoding="utf-8")


def write_report(
    folder: Path,
    study: Study,
    outcomes: Sequence[Outcome],
    table_rows: Sequence[Row],
    drawn: Sequence[Path],
    against: str,
) -> Path:
    """Write ``report.md``: the case, what each run costs and how wrong it is, pictures, how to repeat it."""
    evidence = "`stage` is the largest residual that a stage of a step was left with."
    lines = [f"# {study.name}: {study.problem.name}", "", f"Errors are {against}; {evidence}", ""]
    lines += [_line(["run", *SHOWN.values(), "status"]), _line(["---", *["---:"] * len(SHOWN), "---"])]
    lines += [_line(line) for line in cells(outcomes, table_rows)]
    for o in outcomes:
        if not o.status.ok:
            lines += ["", f"**{o.name}**: {o.message or o.status.sentence()}"]
    for path in drawn:
        lines += ["", f"![{path.stem}]({path.name})"]
    lines += ["", "## Case", "", "```toml", dump_document(study.document).rstrip(), "```"]
    lines += ["", "## Repeat", "", "```", f"neuralpde run {folder / CASE}", "```", ""]
    path = folder / REPORT
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _line(texts: Sequence[str]) -> str:
    return "| " + " | ".join(texts) + " |"


def failure(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The outcome that decides how the whole ended: an interruption, else the first failure."""
    bad = [o for o in outcomes if not o.status.ok]
    stopped = [o for o in bad if o.status is Status.INTERRUPTED]
    return next(iter(stopped or bad), None)
