"""What a study comes to: rows of numbers, a table, pictures and a short report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table

from neuralpde.benches._rows import Row
from neuralpde.cases._build import Study
from neuralpde.cases._document import dump_document
from neuralpde.cases._folder import CASE, METRICS, REPORT
from neuralpde.cases._user_code import blame
from neuralpde.integrators import INTEGRATORS
from neuralpde.problems import exact_fits
from neuralpde.simulate import Solution
from neuralpde.simulate._errors import errors_of_all
from neuralpde.types import Status, UsageError

LATTICE = {1: 2001, 2: 201, 3: 41}
"""Points per axis on which errors are measured."""

MOST_TIMES = 201
"""Saved times at which errors are measured, evenly chosen."""

SHOWN = {
    "dt": "dt",
    "dofs": "dofs",
    "memory_bytes": "bytes",
    "seconds": "seconds",
    "rel_l2": "rel. L2",
    "max_error": "max err.",
    "stage_residual": "stage",
}
"""Columns of figures in the short table: metric and heading."""

LEAST_NEEDED = ("memory_bytes", "stage_residual", "max_error")
"""What a terminal's table leaves out, in this order, where its lines are too short; the report has every column."""

GAP = 2
"""Blanks between two columns of that table."""


@dataclass(frozen=True)
class Outcome:
    """How one run ended.

    Args:
        name: of the run.
        status: of its solution, or of the failure that left none.
        solution: None where not even one step was done.
        seconds: building the representation, beyond what the solution counts.
        message: the failure's sentence, or nothing.
        error: what was raised that is no failure of convergence (an equation's own mistake, for instance).
    """

    name: str
    status: Status
    solution: Solution | None
    seconds: float = 0.0
    message: str = ""
    error: Exception | None = None

    @property
    def word(self) -> str:
        """How it ended, for a table."""
        return "failed" if self.error is not None else self.status.name.lower().replace("_", " ")


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
    """Whose errors the short table shows, where there are several unknowns."""
    names = list(study.problem.unknowns)
    return f" (those of the {names[0]}; metrics.json has all)" if len(names) > 1 else ""


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


def integrator_name(outcome: Outcome) -> str | None:
    """The integrator of a run by its name in a case file; None for a steady problem and where nothing was solved."""
    recipe = outcome.solution.recipe if outcome.solution is not None else {}
    if "dt" not in recipe:
        return None
    known = {repr(make()): name for name, make in INTEGRATORS.items()}
    return known.get(recipe["integrator"], recipe["integrator"])


def figure(metric: str, value: float | None) -> str:
    """A figure as text."""
    if value is None:
        return "–"
    if metric in ("dofs", "memory_bytes", "steps", "iterations"):
        return f"{int(value)}"
    if metric == "dt":
        return f"{value:.4g}"
    return f"{value:.2f}" if metric == "seconds" else f"{value:.2e}"


def columns(study: Study) -> list[str]:
    """Columns of the short table: a steady problem has neither integrator nor dt."""
    figures = [metric for metric in SHOWN if not (study.steady and metric == "dt")]
    return ["run", *([] if study.steady else ["integrator"]), *figures, "status"]


def cells(outcomes: Sequence[Outcome], table_rows: Sequence[Row]) -> list[dict[str, str]]:
    """One line a run, by column: name, integrator, the short table's figures, how it ended."""
    lines = []
    for o in outcomes:
        values = {row.metric: row.value for row in table_rows if row.method == o.name}
        figures = {metric: figure(metric, values.get(metric)) for metric in SHOWN}
        integrator = (integrator_name(o) or "–").replace("_", " ")
        lines.append({"run": o.name, **figures, "integrator": integrator, "status": o.word})
    return lines


def table(study: Study, outcomes: Sequence[Outcome], table_rows: Sequence[Row], console: Console) -> Table:
    """The short table for a terminal, with as many columns as its lines hold: figures are never broken."""
    lines, shown = cells(outcomes, table_rows), columns(study)
    widths = {name: _width(name, lines) for name in shown}
    for spare in LEAST_NEEDED:
        if sum(widths[name] + GAP for name in shown) <= console.width:
            break
        shown = [name for name in shown if name != spare]
    title = f"{study.name}: {study.problem.name}"
    # no vertical lines: they would cost a column of figures
    out = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for name in shown:
        side: Literal["left", "right"] = "right" if name in SHOWN else "left"
        wraps, heading = name == "integrator", SHOWN.get(name, name)
        out.add_column(heading, justify=side, no_wrap=not wraps, overflow="fold", min_width=widths[name])
    for line in lines:
        out.add_row(*[line[name] for name in shown])
    return out


def _width(name: str, lines: Sequence[dict[str, str]]) -> int:
    """What a column needs: an integrator's name is broken between its words, nothing else is."""
    texts = [SHOWN.get(name, name), *(line[name] for line in lines)]
    return max(len(part) for text in texts for part in (text.split() if name == "integrator" else [text]))


def write_metrics(folder: Path, study: Study, outcomes: Sequence[Outcome], table_rows: Sequence[Row]) -> None:
    """Write ``metrics.json``: the figures as benches print them, and each run's integrator, the one value in words."""
    lines: list[dict[str, object]] = []
    for o in outcomes:
        name = integrator_name(o)
        if name is not None:
            lines.append({"case": study.name, "method": o.name, "metric": "integrator", "value": name, "unit": ""})
        lines += [asdict(row) for row in table_rows if row.method == o.name]
    (folder / METRICS).write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")


def write_report(
    folder: Path,
    study: Study,
    outcomes: Sequence[Outcome],
    table_rows: Sequence[Row],
    drawn: Sequence[Path],
    files: Sequence[Path],
    against: str,
) -> Path:
    """Write ``report.md``: the case, what each run costs and how wrong it is, pictures, how to repeat it."""
    evidence = "`stage` is the largest residual that a stage of a step was left with."
    lines = [f"# {study.name}: {study.problem.name}", "", f"Errors are {against}; {evidence}", ""]
    shown = columns(study)
    lines += [_line([SHOWN.get(name, name) for name in shown])]
    lines += [_line(["---:" if name in SHOWN else "---" for name in shown])]
    lines += [_line([line[name] for name in shown]) for line in cells(outcomes, table_rows)]
    for o in outcomes:
        if not o.status.ok:
            lines += ["", f"**{o.name}**: {o.message or o.status.sentence()}"]
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


def failure(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The outcome that decides how the whole ended: an interruption, else the first failure."""
    bad = [o for o in outcomes if not o.status.ok]
    stopped = [o for o in bad if o.status is Status.INTERRUPTED and o.error is None]
    return next(iter(stopped or bad), None)
