"""The bench of the three-line change: its rows, and that every method computes the same flow."""

from __future__ import annotations

import pytest

from neuralpde.benches import plugin
from neuralpde.benches._projection_methods import OTHERS, PLAIN, REFERENCE, SOLVER, THREE_LINES, Change
from neuralpde.benches._rows import Row


@pytest.fixture(scope="module")
def quick() -> list[Row]:
    return list(plugin.rows(quick=True))


def test_quick_rows(quick: list[Row]) -> None:
    assert len({(row.case, row.method, row.metric) for row in quick}) == len(quick)
    metrics = {row.metric for row in quick if row.method == THREE_LINES.name}
    assert metrics == {"seconds", "pressure", "velocity_difference", "speed_up", "over_three_lines", "over_solver"}
    methods = {row.method for row in quick}
    assert {change.name for change in (PLAIN, THREE_LINES, SOLVER, *OTHERS) if not change.missing} <= methods
    value = {(row.method, row.metric): row.value for row in quick}
    assert value[PLAIN.name, "speed_up"] == value[THREE_LINES.name, "over_three_lines"] == 1.0
    for change in OTHERS[:2]:
        ratio = value[change.name, "seconds"] / value[SOLVER.name, "seconds"]
        assert value[change.name, "over_solver"] == pytest.approx(ratio)


def test_every_method_computes_the_same_flow(quick: list[Row]) -> None:
    found = [row.value for row in quick if row.metric == "velocity_difference"]
    assert len(found) >= 8
    assert max(found) < 1e-5


def test_the_script_is_the_example_and_changes_are_three_lines() -> None:
    text = plugin.script()
    assert PLAIN.applied(text).splitlines() == [
        line for before in text.splitlines() for line in ([before, ""] if before.startswith("A = sparse") else [before])
    ]
    for change in (THREE_LINES, SOLVER, REFERENCE):
        new = set(change.applied(text).splitlines()) - set(text.splitlines())
        assert len(new) == 3
    with pytest.raises(ValueError, match="one line each"):
        PLAIN.applied(text.replace("rtol=1e-6", "rtol=1e-3"))


def test_a_method_whose_package_is_missing_is_left_out() -> None:
    assert Change("x", "", "", "", "no_such_package").missing
    assert not PLAIN.missing
