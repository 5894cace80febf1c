"""The advection bench: its quick version, and that its grids are what they are said to be."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from neuralpde.benches import advection
from neuralpde.benches._grids import GridSearch, Scheme
from neuralpde.benches._marching import Measured, Reference, rows_of
from neuralpde.benches._rows import Row
from neuralpde.integrators import RK4, ImplicitMidpoint, LieSplitting
from neuralpde.problems import Advection
from neuralpde.representations import GridField, NeuralField
from neuralpde.simulate import simulate
from neuralpde.types import Status


@pytest.fixture(scope="module")
def quick() -> list[Row]:
    return list(advection.rows(quick=True))


def _figures(rows: list[Row], case: str, start: str) -> dict[str, float]:
    """Metrics of the one method of a case whose name starts so."""
    found = [row for row in rows if row.case == case and row.method.split(" (")[0] == start]
    assert len({row.method for row in found}) == 1, start
    return {row.metric: row.value for row in found}


def test_rows_have_the_form_of_a_bench(quick: list[Row]) -> None:
    assert all(isinstance(row, Row) and math.isfinite(row.value) for row in quick)
    assert {row.case for row in quick} == {"constant", "variable"}
    assert len({(row.case, row.method, row.metric) for row in quick}) == len(quick)
    units = {row.metric: row.unit for row in quick}
    assert units["seconds"] == units["setup_seconds"] == "s"
    assert units["memory_bytes"] == "B"
    assert units["mae"] == ""


def test_every_method_is_there(quick: list[Row]) -> None:
    for method in ("neural", "neural rk4", "grid same memory", "grid same error"):
        figures = _figures(quick, "constant", method)
        assert {"dofs", "memory_bytes", "seconds", "setup_seconds", "mae", "rel_l2", "max_error", "steps"} <= set(
            figures
        )
    assert {"neural", "grid same memory", "grid same error"} <= {
        row.method.split(" (")[0] for row in quick if row.case == "variable"
    }


def test_the_published_protocol_is_extrapolated_and_says_so(quick: list[Row]) -> None:
    figures = _figures(quick, "constant", "neural adam")
    assert figures["dofs"] == 901
    assert "mae" not in figures
    assert "mae_at_last_step" in figures
    assert figures["seconds"] > 10 * figures["setup_seconds"]
    assert any("extrapolated" in row.method for row in quick)


@pytest.mark.parametrize("case", ["constant", "variable"])
def test_the_grids_keep_their_promises(quick: list[Row], case: str) -> None:
    neural = _figures(quick, case, "neural")
    assert _figures(quick, case, "grid same memory")["memory_bytes"] == neural["memory_bytes"]
    assert _figures(quick, case, "grid same error")["mae"] <= neural["mae"]


@pytest.mark.parametrize("case", ["constant", "variable"])
def test_the_neural_field_follows_the_bump(quick: list[Row], case: str) -> None:
    figures = _figures(quick, case, "neural")
    assert figures["dofs"] <= 901
    assert figures["mae"] < 1e-4
    assert figures["max_error"] < 1e-3


def test_the_full_bench_keeps_to_its_rules() -> None:
    for name, method in advection.NEURAL.items():
        assert NeuralField.for_problem(advection.CASES[name], hidden=method.hidden).num_dofs <= 901
        assert method.dt == 0.05  # no measured value is interpolated in time
    assert advection._reference("constant", 240).times[-1] == pytest.approx(12.0)


@pytest.fixture(scope="module")
def search() -> GridSearch:
    reference = Reference(Advection(), [0.05 * k for k in range(5)], points=401)
    return GridSearch(
        reference, (Scheme(RK4()), Scheme(ImplicitMidpoint()), Scheme(LieSplitting())), "mae", halvings=3, slowest=1.0
    )


def test_no_grid_of_the_search_beats_its_winner(search: GridSearch) -> None:
    best = search.same_memory(96 * 8)
    assert best.nodes == best.measured.dofs == 96
    for order in ("fourier", 6, 2):
        for steps in (1, 4):
            assert search.error(best) <= 1.02 * search.error(search.run(order, Scheme(RK4()), 96, steps)) + 1e-12


def test_the_grid_of_the_same_error_has_it(search: GridSearch) -> None:
    found = search.same_error(1e-5, (24, 48, 96, 192))
    assert found is not None
    assert search.error(found) <= 1e-5
    assert search.same_error(1e-30, (24,)) is None


def test_errors_are_those_of_the_solution_itself(search: GridSearch) -> None:
    reference = search.reference
    grid = GridField.for_problem(reference.problem, 48, order=6)
    solution = simulate(reference.problem, grid, RK4(), dt=0.05, t_end=0.2)
    mine = reference.errors(solution)
    theirs = solution.error(points=401)
    for name in ("mae", "rel_l2", "max_error"):
        assert mine[name] == pytest.approx(theirs[name], rel=1e-9)


def test_a_run_that_failed_is_infinitely_wrong(search: GridSearch) -> None:
    problem = search.reference.problem
    solution = simulate(problem, GridField.for_problem(problem, 48, order=6), RK4(), dt=0.05, t_end=0.2)
    failed = replace(solution, status=Status.NON_FINITE)
    assert set(search.reference.errors(failed).values()) == {math.inf}


def test_a_measured_time_between_steps_is_refused(search: GridSearch) -> None:
    problem = search.reference.problem
    solution = simulate(problem, GridField.for_problem(problem, 48, order=6), RK4(), dt=0.1, t_end=0.2)
    with pytest.raises(ValueError, match="misses a measured time"):
        search.reference.errors(solution)


def test_seeds_are_summed_up_by_median_seconds_and_worst_error() -> None:
    runs = [Measured(5, 40, s, s / 2, 7, 3, {"mae": e}) for s, e in ((1.0, 3e-5), (9.0, 1e-5), (2.0, 2e-5))]
    figures = {row.metric: row.value for row in rows_of("case", "method", runs, ("mae",))}
    assert figures["seconds"] == 2.0
    assert figures["seconds_max"] == 9.0
    assert figures["mae"] == 3e-5
