"""Rows of a bench, the table they print as, and timing."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One figure: ``metric`` of ``method`` on ``case``."""

    case: str
    method: str
    metric: str
    value: float
    unit: str = ""


def as_json(rows: Iterable[Row]) -> str:
    """The rows as a JSON list of objects."""
    return json.dumps([asdict(row) for row in rows], indent=1)


def _figure(value: float) -> str:
    if value == int(value) and abs(value) < 1e7:
        return f"{int(value)}"
    return f"{value:.3g}"


def print_table(name: str, rows: Iterable[Row]) -> None:
    """Print one line a method, one column a metric, one table a case."""
    rows = list(rows)
    console = Console()
    for case in dict.fromkeys(row.case for row in rows):
        here = [row for row in rows if row.case == case]
        metrics = list(dict.fromkeys(row.metric for row in here))
        units = {row.metric: row.unit for row in here}
        table = Table(title=f"{name}: {case}", title_justify="left")
        table.add_column("method")
        for metric in metrics:
            table.add_column(f"{metric} [{units[metric]}]" if units[metric] else metric, justify="right")
        for method in dict.fromkeys(row.method for row in here):
            values = {row.metric: row.value for row in here if row.method == method}
            table.add_row(method, *[_figure(values[m]) if m in values else "" for m in metrics])
        console.print(table)


def median_seconds(function: Callable[[], object], repeats: int = 5) -> float:
    """Median wall time of a call after one call that is not counted."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)
