"""Cook's membrane: its shape, the bar of P2, and elements that lock or do not."""

from __future__ import annotations

import math

import pytest

from neuralpde.benches import cook
from neuralpde.benches._rows import Row


@pytest.fixture(scope="module")
def quick() -> dict[tuple[str, str, str], float]:
    rows = list(cook.rows(quick=True))
    assert all(isinstance(row, Row) and math.isfinite(row.value) for row in rows)
    found = {(row.case, row.method, row.metric): row.value for row in rows}
    assert len(found) == len(rows)
    return found


def test_the_panel_is_cooks() -> None:
    domain = cook.problem(cook.STRESS, "triangle", 4).domain
    assert math.isclose(domain.volume, 48 * (44 + 16) / 2, rel_tol=1e-13)  # type: ignore[attr-defined]
    assert (domain.lower, domain.upper) == ((0.0, 0.0), (48.0, 60.0))


def test_p2_is_within_a_thousandth() -> None:
    figures = {row.metric: row.value for row in cook.measured(cook.STRESS, cook.P2, 32, cook.PUBLISHED)}
    assert figures["rel_error"] <= 1e-3


def test_the_smallest_mesh_that_suffices(quick: dict[tuple[str, str, str], float]) -> None:
    (method,) = {method for case, method, _ in quick if case == cook.ENOUGH}
    cells = int(method.split("×")[-1])
    assert quick[cook.ENOUGH, method, "rel_error"] <= 0.01
    coarser = cook.LADDER[cook.LADDER.index(cells) - 1]
    run, _ = cook.P2.run(cook.STRESS, coarser)
    assert abs(cook.deflection(run) / cook.PUBLISHED - 1) > 0.01


def test_p1_locks_and_the_mean_does_not(quick: dict[tuple[str, str, str], float]) -> None:
    error = {method: quick[case, method, metric] for case, method, metric in quick if metric == "rel_error"}
    assert error["P1, 8 × 8"] > 0.5
    assert error["P2 mean, 8 × 8"] <= 0.01 and error["P2 mean, 8 × 8"] < error["P2, 8 × 8"] / 5
    assert error["Q1 mean, 8 × 8"] < 0.1 < 0.5 < error["Q1, 8 × 8"]
