"""The cylinder bench: its quick version, and how it reads a lift that oscillates."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuralpde.benches import cylinder
from neuralpde.benches._rows import Row
from neuralpde.problems import CylinderChannel


@pytest.fixture(scope="module")
def quick() -> list[Row]:
    return cylinder.rows(quick=True)


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


def test_figures_of_a_known_oscillation() -> None:
    flow, t = CylinderChannel(speed=1.5), np.linspace(0, 3, 3001)
    phase = 2 * math.pi * 3 * t
    table = {
        "t": t,
        "lift": np.sin(phase) - 0.02,
        "drag": 3.2 + 0.03 * np.sin(2 * phase),
        "pressure_drop": 2.4 - 0.1 * np.sin(phase),
    }
    figures = cylinder.street_figures(flow, table)
    wanted = {"strouhal": 0.3, "drag_max": 3.23, "lift_max": 0.98, "pressure_drop": 2.5}
    for name, value in wanted.items():
        assert figures[name] == pytest.approx(value, rel=1e-3)
    assert math.isnan(cylinder.street_figures(flow, {**table, "lift": t})["strouhal"])
