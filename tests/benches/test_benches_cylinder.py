"""The cylinder bench: its quick version."""

from __future__ import annotations

import math

import pytest

from neuralpde.benches import cylinder
from neuralpde.benches._rows import Row


@pytest.fixture(scope="module")
def quick() -> list[Row]:
    return list(cylinder.rows(quick=True))


def _figure(rows: list[Row], case: str, method: str, metric: str) -> float:
    (row,) = [row for row in rows if (row.case, row.method, row.metric) == (case, method, metric)]
    return row.value


def test_rows_have_the_form_of_a_bench(quick: list[Row]) -> None:
    assert all(isinstance(row, Row) and math.isfinite(row.value) for row in quick)
    assert {row.case for row in quick} == {"2D-1", "2D-2"}
    assert len({(row.case, row.method, row.metric) for row in quick}) == len(quick)
    assert all(row.value <= 1e-10 for row in quick if row.metric == "max_divergence")


def test_coarse_grids_are_on_the_way(quick: list[Row]) -> None:
    coarse, fine = (_figure(quick, "2D-1", f"mac {n}", "rel_error_drag") for n in (12, 24))
    assert fine <= 0.03 and fine < coarse
    assert _figure(quick, "2D-2", "mac 24", "rel_error_strouhal") <= 0.1
    assert _figure(quick, "2D-2", "mac 24", "rel_error_drag_max") <= 0.1


def test_what_the_coarse_street_cannot_know_is_left_out(quick: list[Row]) -> None:
    street = {row.metric: row.value for row in quick if row.case == "2D-2"}
    assert abs(street["lift_growth"]) <= 0.01  # no transient
    assert not {"lift_max", "rel_error_lift_max"} & set(street)
