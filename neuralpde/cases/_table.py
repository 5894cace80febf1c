"""The short table of a study's figures, for terminals and reports."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table

from neuralpde.benches._rows import Row
from neuralpde.cases._build import Study
from neuralpde.cases._outcome import Outcome, integrator_name

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

WORDS = ("run", "integrator", "status")
"""The other columns."""

LEAST_NEEDED = ("memory_bytes", "stage_residual", "max_error")
"""What a terminal's table leaves out, in this order, where its lines are too short; the report has every column."""

GAP = 2
"""Blanks between two columns of that table."""


def figure(metric: str, value: float | None) -> str:
    """A figure as text."""
    if value is None or math.isnan(value):
        return "–"
    if metric in ("dofs", "memory_bytes", "steps", "iterations"):
        return f"{int(value)}"
    if metric == "dt":
        return f"{value:.4g}"
    return f"{value:.2f}" if metric == "seconds" else f"{value:.2e}"


def _headings(study: Study, table_rows: Sequence[Row]) -> dict[str, str]:
    """Figures of the short table and what stands above them: a steady problem has no dt, and of several unknowns each
    has its own error, where that is known: a velocity may be right beside a pressure that is not."""
    (first, *others), found = study.problem.unknowns, {row.metric for row in table_rows}
    measured = {f"{name}_rel_l2": name for name in others if f"{name}_rel_l2" in found}
    out: dict[str, str] = {}
    for metric, text in SHOWN.items():
        if metric == "rel_l2" and measured:
            out |= {m: f"{name}\n{text}" for m, name in {metric: first, **measured}.items()}
        elif not (study.steady and metric == "dt"):
            out[metric] = text
    return out


def columns(study: Study, table_rows: Sequence[Row]) -> dict[str, str]:
    """Columns of the short table and their headings: a steady problem has no integrator."""
    return {
        "run": "run",
        **({} if study.steady else {"integrator": "integrator"}),
        **_headings(study, table_rows),
        "status": "status",
    }


def cells(outcomes: Sequence[Outcome], table_rows: Sequence[Row], shown: Collection[str]) -> list[dict[str, str]]:
    """One line a run, by column: name, integrator, the short table's figures, how it ended."""
    lines = []
    for o in outcomes:
        values = {row.metric: row.value for row in table_rows if row.method == o.name}
        figures = {metric: figure(metric, values.get(metric)) for metric in shown}
        integrator = (integrator_name(o) or "–").replace("_", " ")
        lines.append({**figures, "run": o.name, "integrator": integrator, "status": o.word})
    return lines


def table(study: Study, outcomes: Sequence[Outcome], table_rows: Sequence[Row], console: Console) -> Table:
    """The short table for a terminal, with as many columns as its lines hold: figures are never broken."""
    shown = columns(study, table_rows)
    lines = cells(outcomes, table_rows, shown)
    widths = {name: _width(name, heading, lines) for name, heading in shown.items()}
    for spare in LEAST_NEEDED:
        if sum(widths[name] + GAP for name in shown) <= console.width:
            break
        shown.pop(spare)
    title = f"{study.name}: {study.problem.name}"
    # no vertical lines: they would cost a column of figures
    out = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for name, heading in shown.items():
        side: Literal["left", "right"] = "left" if name in WORDS else "right"
        wraps = name == "integrator"
        out.add_column(heading, justify=side, no_wrap=not wraps, overflow="fold", min_width=widths[name])
    for line in lines:
        out.add_row(*[line[name] for name in shown])
    return out


def _width(name: str, heading: str, lines: Sequence[dict[str, str]]) -> int:
    """What a column needs: an integrator's name is broken between its words, nothing else is."""
    texts = [*heading.splitlines(), *(line[name] for line in lines)]
    return max(len(part) for text in texts for part in (text.split() if name == "integrator" else [text]))
