"""Rows of a bench, the table they print as, and timing."""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from textwrap import wrap

from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Row:
    """One figure: ``metric`` of ``method`` on ``case``."""

    case: str
    method: str
    metric: str
    value: float
    unit: str = ""


def record(row: Row) -> dict[str, object]:
    """A row as JSON has it: a figure that is no number, such as the error of what is zero over its size, is null."""
    return {**asdict(row), "value": row.value if math.isfinite(row.value) else None}


def as_json(rows: Iterable[Row]) -> str:
    """The rows as a JSON list of objects."""
    return json.dumps([record(row) for row in rows], indent=1)


def _figure(value: float) -> str:
    if abs(value) < 1e7 and value == int(value):
        return f"{int(value)}"
    return f"{value:.3g}"


def _pair(row: Row) -> str:
    return f"{row.metric} {_figure(row.value)} {row.unit}".rstrip()


def shown(rows: Iterable[Row], console: Console) -> Iterator[Row]:
    """The same rows; each is printed as it comes, the figures of a method on one line.

    Args:
        rows: of a bench, which may take minutes from one to the next.
        console: where to; progress belongs on stderr, so that stdout holds results alone.
    """

    def put(text: str) -> None:
        console.print(text, end="", highlight=False, markup=False, soft_wrap=True)
        console.file.flush()

    last: tuple[str, str] | None = None
    try:
        for row in rows:
            method = (row.case, row.method)
            if method != last:
                put(("" if last is None else "\n") + f"{row.case}: {row.method}: ")
            put(("" if method != last else ", ") + _pair(row))
            last = method
            yield row
    finally:
        if last is not None:
            put("\n")


def print_table(name: str, rows: Iterable[Row], console: Console | None = None) -> None:
    """Print one table a case, one line a method, one column a metric; where that is wider than the console, a paragraph
    a method: no figure is ever shortened.

    Args:
        name: of the bench.
        rows: its figures.
        console: where to; default the standard output.
    """
    rows, console = list(rows), console or Console()
    for case in dict.fromkeys(row.case for row in rows):
        here = [row for row in rows if row.case == case]
        table, width = _table(f"{name}: {case}", here)
        if width <= console.width:
            console.print(table)
        else:
            _paragraphs(f"{name}: {case}", here, console)


def _table(title: str, rows: list[Row]) -> tuple[Table, int]:
    """One case as a table, and how many columns of characters it takes."""
    metrics = list(dict.fromkeys(row.metric for row in rows))
    units = {row.metric: row.unit for row in rows}
    lines = [["method", *(f"{metric} [{units[metric]}]" if units[metric] else metric for metric in metrics)]]
    for method in dict.fromkeys(row.method for row in rows):
        values = {row.metric: row.value for row in rows if row.method == method}
        lines.append([method, *(_figure(values[m]) if m in values else "" for m in metrics)])
    # Text, as rich would take "[s]" for its mark of a style
    table = Table(title=Text(title), title_justify="left")
    for k, heading in enumerate(lines[0]):
        table.add_column(Text(heading), justify="right" if k else "left", no_wrap=True)
    for line in lines[1:]:
        table.add_row(*map(Text, line))
    borders = 3 * len(lines[0]) + 1
    return table, borders + sum(max(map(len, column)) for column in zip(*lines, strict=True))


def _paragraphs(title: str, rows: list[Row], console: Console) -> None:
    """One case as text: a method's name, and its figures below it, as many a line as fit, none of them broken."""
    lines = [title]
    for method in dict.fromkeys(row.method for row in rows):
        lines += ["", *wrap(method, console.width - 2, initial_indent="  ", subsequent_indent="    ")]
        mine = [row for row in rows if row.method == method]
        line = ""
        for pair in map(_pair, mine):
            longer = f"{line}, {pair}" if line else f"    {pair}"
            if line and len(longer) + 1 > console.width:  # a comma follows
                lines.append(f"{line},")
                longer = f"    {pair}"
            line = longer
        lines.append(line)
    for text in [*lines, ""]:
        console.print(text, highlight=False, markup=False, soft_wrap=True)


def median_seconds(function: Callable[[], object], repeats: int = 5) -> float:
    """Median wall time of a call after one call that is not counted."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
