"""The solver benches: their quick versions, and what their figures mean."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuralpde.benches import jumps, pressure
from neuralpde.benches._linear_methods import PYAMG, from_csr, room
from neuralpde.benches._linear_petsc import tuned
from neuralpde.benches._linear_problem import RTOL, Measured, OverLimitError, Problem, Solve, measured
from neuralpde.benches._linear_processes import direct
from neuralpde.benches._linear_rows import case_rows
from neuralpde.benches._rows import Row
from neuralpde.systems import pressure_system


@pytest.fixture(scope="module")
def quick() -> list[Row]:
    return list(pressure.rows(quick=True))


@pytest.fixture(scope="module")
def quick_jumps() -> list[Row]:
    return list(jumps.rows(quick=True))


def _value(rows: list[Row], *where: str) -> float:
    return next(row.value for row in rows if (row.case, row.method, row.metric) == where)


def test_every_method_reaches_the_true_residual(quick: list[Row]) -> None:
    assert all(isinstance(row, Row) and math.isfinite(row.value) for row in quick)
    assert len({(row.case, row.method, row.metric) for row in quick}) == len(quick)
    for case in ("32^2", "12^3"):
        methods = {row.method for row in quick if row.case == case and row.metric == "residual"}
        assert {"cg", "cg jacobi", "cg ic", "direct", "pyamg rs", "pyamg sa", "pyamg best", "multigrid"} <= methods
        for method in methods:
            assert 0 < _value(quick, case, method, "residual") <= RTOL


def test_ratios_are_of_the_seconds_in_the_same_table(quick: list[Row]) -> None:
    for case in ("32^2", "12^3"):
        ours, best = (_value(quick, case, method, "seconds") for method in ("multigrid", "pyamg best"))
        assert _value(quick, case, "multigrid", "faster_than_pyamg") == pytest.approx(best / ours)
        assert best <= min(_value(quick, case, name, "seconds") for name in ("pyamg rs", "pyamg sa")) * (1 + 1e-12)


def test_multigrid_takes_fewer_iterations_than_plain_gradients(quick: list[Row]) -> None:
    for case in ("32^2", "12^3"):
        most = _value(quick, case, "multigrid", "most_iterations")
        assert 1 <= most <= 14 < _value(quick, case, "cg jacobi", "iterations")
    for dim in (2, 3):
        assert _value(quick, f"{dim}D, all sizes", "multigrid", "iterations_spread") <= 6


def test_every_family_is_solved_whatever_its_sides(quick: list[Row]) -> None:
    for case in ("families 24^2", "families 10^3"):
        seen = {row.method for row in quick if row.case == case}
        assert seen == {f"multigrid, {family}" for family in pressure.EVERY}


def test_a_cycle_is_measured_against_its_traffic(quick: list[Row]) -> None:
    for case, cells in (("32^2", 32**2), ("12^3", 12**3)):
        found = {row.metric: row.value for row in quick if row.case == case and row.method == "V-cycle, 1 thread"}
        least = found["traffic_bytes_a_cell"] * cells / (found["bandwidth"] * 1e9)
        assert found["over_memory_time"] == pytest.approx(found["seconds"] / least)
        # at least r and the weights are read and z is written
        assert found["traffic_bytes_a_cell"] > 4 * 4


def test_jumps_have_a_case_for_each_kind_and_size(quick_jumps: list[Row]) -> None:
    cases = {row.case for row in quick_jumps}
    assert cases == {f"{kind.name} {size}" for kind in jumps.KINDS for size in ("32^2", "12^3")}
    for case in cases:
        assert 0 < _value(quick_jumps, case, "multigrid", "residual") <= RTOL
        assert _value(quick_jumps, case, "multigrid", "faster_than_pyamg") > 0


def test_a_method_that_judges_itself_kindly_is_held_to_the_true_residual() -> None:
    problem = Problem.of(pressure_system("circles", (16, 16), 1, sides="open"))
    exact = np.linalg.solve(problem.matrix.toarray(), problem.b)
    asked = []

    def kind(given: Problem, rtol: float, limit: float) -> Solve:
        asked.append(rtol)
        return Solve(exact * (1 + 6 * rtol), 0.0, 1e-3, 7)

    found = measured(kind, problem, repeats=1)
    assert asked == [RTOL, RTOL / 2, RTOL / 4, RTOL / 8] and found.residual <= RTOL
    assert problem.residual(np.zeros_like(exact)) == 1.0

    with pytest.raises(OverLimitError):
        measured(lambda *_: Solve(0 * exact, 0.0, 1e-3, 7), problem, repeats=1)


def test_what_is_over_its_limit_has_no_row_but_a_remark(capsys: pytest.CaptureFixture[str]) -> None:
    problem = Problem.of(pressure_system("rooms", (48, 48), 1, sides="open"))
    methods = {"cg": room(None), "multigrid": room("multigrid")}
    found = list(case_rows("48^2", [problem], {"cg": methods["cg"]}, limit=0.0))
    assert found == [] and "48^2: cg: not run to its end: over 0 s" in capsys.readouterr().err


def test_medians_are_over_the_systems_of_a_case() -> None:
    problem = Problem.of(pressure_system("circles", (16, 16), 1, sides="open"))
    exact = np.linalg.solve(problem.matrix.toarray(), problem.b)
    costs = iter([(0.1, 0.3, 4), (0.5, 0.6, 9), (0.2, 0.1, 6)])

    def method(*_: object) -> Solve:
        return Solve(exact, *next(costs))

    rows = list(case_rows("c", [problem] * 3, {"pyamg rs": method}, repeats=1))
    assert _value(rows, "c", "pyamg rs", "seconds") == pytest.approx(0.4)
    assert _value(rows, "c", "pyamg rs", "setup_seconds") == pytest.approx(0.2)
    assert [_value(rows, "c", "pyamg rs", name) for name in ("iterations", "most_iterations", "iterations_spread")] == [
        6,
        9,
        5,
    ]


def test_methods_agree_on_a_system_with_closed_rooms_open_to_one_side() -> None:
    sides = (("wall", "open"), ("wall", "wall"))
    problem = Problem.of(pressure_system("closed rooms", (40, 40), 1, sides=sides, pockets=False))
    exact = np.linalg.solve(problem.matrix.toarray(), problem.b)
    for method in (*PYAMG.values(), direct, from_csr, room("multigrid"), room("ic", on_grid=False)):
        x = method(problem, 1e-10, 60.0).x
        assert np.linalg.norm(x - exact) <= 1e-6 * np.linalg.norm(exact)


def test_tuned_hypre_differs_by_dimension() -> None:
    assert tuned(2) != tuned(3) and tuned(3)["pc_hypre_boomeramg_agg_nl"] == "1"


def test_seconds_are_set_up_and_solve() -> None:
    assert Solve(np.zeros(1), 0.25, 0.5, 3).seconds == 0.75
    assert Measured(0.25, 0.5, 0.75, 3, 1e-7).seconds == 0.75
