"""The bench of a step on a staggered grid: its quick version, and what its figures mean."""

from __future__ import annotations

import math
import time

import pytest
import torch

from neuralpde.benches import mac_step
from neuralpde.benches._rows import Row


@pytest.fixture(scope="module")
def quick() -> list[Row]:
    return list(mac_step.rows(quick=True))


def test_rows_have_the_form_of_a_bench(quick: list[Row]) -> None:
    assert all(isinstance(row, Row) and math.isfinite(row.value) for row in quick)
    assert len({(row.case, row.method, row.metric) for row in quick}) == len(quick)
    cases = {row.case for row in quick}
    for name in (
        "periodic 2D, 32 cells",
        "cavity 2D, 16 cells",
        "periodic 3D, 8 cells",
        "periodic 2D",
        "disc 2D, 32 cells",
    ):
        assert name in cases
    assert "periodic 2D, 16 cells, 16 flows at once" in cases


@pytest.mark.parametrize("method", [mac_step.STEP, mac_step.REFLECTION])
def test_a_step_costs_about_what_its_parts_cost(quick: list[Row], method: str) -> None:
    parts = ("advection_seconds", "diffusion_seconds", "pressure_seconds")
    for case in {row.case for row in quick if row.metric == "over_memory_time"}:
        found = {row.metric: row.value for row in quick if row.case == case and row.method == method}
        if not found:  # no reflection around solids
            continue
        assert 0.1 <= sum(found[part] for part in parts) / found["seconds"] <= 10  # a busy machine may stop in between


def test_a_long_step_costs_some_short_ones(quick: list[Row]) -> None:
    """Advection by interpolation over advection by differences: five at these sizes, 23 without shared stencils."""
    ratios = []
    for case in ("periodic 2D, 32 cells", "cavity 2D, 32 cells"):
        one, two = (
            next(r.value for r in quick if (r.case, r.method, r.metric) == (case, method, "seconds"))
            for method in (mac_step.REFLECTION, mac_step.STEP)
        )
        ratios.append(one / two)
    assert min(ratios) <= 12


def test_least_traffic_and_rates_belong_together(quick: list[Row]) -> None:
    bandwidth = next(row.value for row in quick if row.metric == "bandwidth") * 1e9
    found = {
        row.metric: row.value for row in quick if row.case == "periodic 3D, 8 cells" and row.method == mac_step.STEP
    }
    assert mac_step.least_bytes(512, 3) == 8 * 17 * 512
    assert found["over_memory_time"] == pytest.approx(found["seconds"] * bandwidth / (8 * 17 * 512))
    assert found["cells_per_second"] == pytest.approx(512 / found["seconds"])


def test_growth_is_the_exponent() -> None:
    assert mac_step.growth({n: 3e-9 * n**1.25 for n in (64, 128, 4096)}) == pytest.approx(1.25)


def test_bandwidth_is_measured() -> None:
    begin = time.perf_counter()
    assert mac_step.copy_bandwidth(4, repeats=2) > 1e8
    assert time.perf_counter() - begin < 5


def test_threads_are_given_back(quick: list[Row]) -> None:
    before = torch.get_num_threads()
    list(mac_step.rows(quick=True))
    assert torch.get_num_threads() == before
