"""Tables of benches: every figure can be read at every width."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator

import pytest
from rich.console import Console

from neuralpde.benches._rows import Row, as_json, print_table, shown

METHODS = ("neural", "grid same memory (order 6, skew-symmetric form RK4, dt 0.00156)", "short")
METRICS = {
    "dofs": "", "memory_bytes": "B", "seconds": "s", "setup_seconds": "s", "rel_l2": "", "rel_l2_final": "",
    "max_error": "", "steps": "", "iterations": "",
}  # fmt: skip


def _rows() -> list[Row]:
    return [
        Row("viscosity [0.01]", method, metric, 1.234567e-5 * 17.0 ** (i + k), unit)
        for k, method in enumerate(METHODS)
        for i, (metric, unit) in enumerate(METRICS.items())
        if not (method == "short" and metric == "rel_l2")
    ]


def _text(width: int, rows: list[Row]) -> str:
    console = Console(width=width, file=io.StringIO())
    print_table("burgers", rows, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [60, 80, 200, 300])
def test_every_figure_can_be_read(width: int) -> None:
    rows = _rows()
    text = _text(width, rows)
    assert all(len(line) <= width for line in text.splitlines())
    assert "burgers: viscosity [0.01]" in text and "…" not in text
    flat = " ".join(text.split())
    for method in METHODS:
        assert method in flat
    for row in rows:
        shown = f"{row.value:.3g}" if row.value != int(row.value) else str(int(row.value))
        assert shown in flat.replace(",", " ").split()
        assert row.metric in flat


def test_narrow_consoles_get_paragraphs_and_wide_ones_a_table() -> None:
    assert "    dofs 1.23e-05, memory_bytes 0.00021 B, seconds 0.00357 s," in _text(80, _rows()).splitlines()
    table = _text(230, _rows())
    assert "memory_bytes [B]" in table and "setup_seconds [s]" in table and "dofs 1" not in table


def test_infinite_figures_are_shown() -> None:
    assert "rel_l2 inf" in _text(16, [Row("case", "method", "rel_l2", math.inf)])


def test_a_figure_that_is_no_number_is_null_in_json() -> None:
    def refuse(word: str) -> None:
        raise ValueError(word)

    text = as_json([Row("case", "method", "rel_l2", value) for value in (math.nan, math.inf, 0.5)])
    assert [row["value"] for row in json.loads(text, parse_constant=refuse)] == [None, None, 0.5]


def test_rows_are_shown_as_they_come() -> None:
    """Before the next one is asked for, and none is changed or lost."""
    console = Console(width=20, file=io.StringIO())
    written = console.file.getvalue  # type: ignore[attr-defined]
    rows = [
        Row("case", "P1 [a]", "dofs", 8.0),
        Row("case", "P1 [a]", "seconds", 0.5, "s"),
        Row("case", "P2", "dofs", 9.0),
    ]
    found = shown(iter(rows), console)
    assert next(found) == rows[0] and written() == "case: P1 [a]: dofs 8"
    assert next(found) == rows[1] and written() == "case: P1 [a]: dofs 8, seconds 0.5 s"
    assert list(found) == rows[2:]
    assert written() == "case: P1 [a]: dofs 8, seconds 0.5 s\ncase: P2: dofs 9\n"


def test_a_bench_that_fails_has_shown_what_it_found() -> None:
    def failing() -> Iterator[Row]:
        yield Row("case", "P1", "dofs", 8.0)
        raise ArithmeticError("no more")

    console = Console(file=io.StringIO())
    with pytest.raises(ArithmeticError, match="no more"):
        list(shown(failing(), console))
    assert console.file.getvalue() == "case: P1: dofs 8\n"  # type: ignore[attr-defined]
