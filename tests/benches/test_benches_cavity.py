"""The cavity bench: its quick version, the tables it holds, and how it reads extrema."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from neuralpde.benches import cavity
from neuralpde.benches._cavity_tables import EXTREMA, GHIA_U, GHIA_V, REYNOLDS, botella, ghia
from neuralpde.benches._rows import Row

LAST = "mac 32²/64²"


@pytest.fixture(scope="module")
def quick() -> list[Row]:
    return list(cavity.rows(quick=True))


def _figures(rows: list[Row], case: str, method: str) -> dict[str, float]:
    return {row.metric: row.value for row in rows if (row.case, row.method) == (case, method)}


def test_rows_have_the_form_of_a_bench(quick: list[Row]) -> None:
    assert all(isinstance(row, Row) and math.isfinite(row.value) for row in quick)
    assert {row.case for row in quick} == {"Re 100", "Re 400", "Re 1000"}
    assert {row.method for row in quick} == {"mac 32²", "mac 64²", LAST, "neural (seed 0)"}
    assert len({(row.case, row.method, row.metric) for row in quick}) == len(quick)
    assert {row.unit for row in quick if row.metric == "seconds"} == {"s"}


def test_even_coarse_grids_come_near_the_tables(quick: list[Row]) -> None:
    for case, bar in (("Re 100", 0.0101), ("Re 400", 0.0101), ("Re 1000", 0.025)):
        figures = _figures(quick, case, LAST)
        assert max(figures["deviation_u"], figures["deviation_v"]) <= bar
    fast = [_figures(quick, "Re 1000", method) for method in ("mac 32²", "mac 64²", LAST)]
    assert [f["spectral_v"] for f in fast] == sorted((f["spectral_v"] for f in fast), reverse=True)
    assert max(fast[-1][f"{which}_error"] for which in EXTREMA) <= 0.03


def test_the_tables_agree_with_each_other_where_they_should() -> None:
    """Ghia's Re 1000 against the spectral values at the same points: u to 0.007, v to 0.019 (beside the right wall)."""
    spectral = botella()
    for name, bar in (("u", 0.007), ("v", 0.019)):
        where, values = ghia(1000)[name]
        known, found = spectral[name]
        for s, value in zip(known, found, strict=True):
            k = int(np.abs(where - s).argmin())
            assert abs(where[k] - s) <= 1e-4
            assert abs(values[k] - value) <= bar
    assert abs(found.max() - EXTREMA["v_max"][1]) <= 1e-4 and abs(spectral["u"][1].min() - EXTREMA["u_min"][1]) <= 1e-4


def test_the_tables_hold_the_walls_and_leave_the_misprint_out() -> None:
    for table, top in ((GHIA_U, 1.0), (GHIA_V, 0.0)):
        assert len(table) == 17
        assert table[129] == (top,) * 3 and table[1] == (0.0,) * 3
        assert list(table) == sorted(table, reverse=True)
    assert [len(ghia(reynolds)["v"][0]) for reynolds in REYNOLDS] == [17, 16, 17]


def test_extrema_are_read_between_the_samples() -> None:
    def flow(x: Tensor) -> Tensor:
        a, b = x.unbind(-1)
        u = (b - 0.31234567) ** 2 - 0.5
        v = torch.sin(2 * math.pi * (a - 0.0123456))
        return torch.stack([u, v], dim=-1)

    assert cavity.extremum(flow, "u_min") == pytest.approx((0.31234567, -0.5), abs=1e-9)
    assert cavity.extremum(flow, "v_max") == pytest.approx((0.2623456, 1.0), abs=1e-9)
    assert cavity.extremum(flow, "v_min") == pytest.approx((0.7623456, -1.0), abs=1e-9)
