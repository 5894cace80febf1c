"""What the flow benches share: errors are the solution's own, grids keep promises, references say how good they are."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from neuralpde.benches import walsh
from neuralpde.benches._flows import FlowReference, FlowSearch, flow_kinds, frozen_field, spectral_reference
from neuralpde.benches._grids import Search, grid_rows
from neuralpde.benches._marching import Measured
from neuralpde.benches._neural_flows import VelocityPressureMethod
from neuralpde.geometry import Box, Dirichlet, Outflow
from neuralpde.integrators import RK4, AdvectionReflection, IncrementalPressureCorrection, LieSplitting
from neuralpde.problems import NavierStokes, TaylorGreen, VortexPair, WalshFlow
from neuralpde.representations import MacGrid, SpectralGrid
from neuralpde.simulate import Solution, simulate
from neuralpde.types import Status

TIMES = (0.05, 0.1)
WALSH = WalshFlow(waves=5)


@pytest.fixture(scope="module")
def reference() -> FlowReference:
    return FlowReference(WALSH, TIMES, points=20)


def _run(grid: MacGrid | SpectralGrid, dt: float = 0.05) -> Solution:
    return simulate(WALSH, grid, RK4(), dt=dt, t_end=0.1)


@pytest.mark.parametrize("kind", [MacGrid, SpectralGrid])
def test_velocities_are_those_of_the_solution_itself(reference: FlowReference, kind: type) -> None:
    run = _run(kind.for_problem(WALSH, 12))
    found = reference.velocities(run)
    wanted = torch.stack([run.at(t)(reference.x)[:, :2] for t in TIMES])
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)
    assert set(reference.errors(run)) == set(reference.ERRORS)


def test_fourier_velocities_in_three_dimensions_on_boxes_that_are_no_cubes() -> None:
    domain = Box((0.0, -1.0, 0.5), (2.0, 0.0, 2.0))
    problem = NavierStokes(velocity=lambda x: torch.sin(math.pi * x.roll(1, -1)).clone(), domain=domain)
    grid = SpectralGrid.for_problem(problem, (6, 5, 8))
    run = simulate(problem, grid, RK4(), dt=0.01, t_end=0.02)
    reference = FlowReference(problem, (0.01, 0.02), points=8, solution=run)
    assert [len(axis) for axis in reference.axes] == [8, 4, 6]
    torch.testing.assert_close(reference.values[-1], run.at(0.02)(reference.x)[:, :3], rtol=0, atol=1e-12)
    assert reference.errors(run)["rel_l2"] == 0.0


def test_a_frozen_field_is_right_about_steady_flows_only(reference: FlowReference) -> None:
    moving = {row.metric: row.value for row in frozen_field("walsh", reference)}
    assert moving["rel_l2"] > 0.05
    steady = frozen_field("taylor-green", FlowReference(TaylorGreen(), TIMES, points=20))
    assert all(row.value <= 1e-15 for row in steady)


def test_failed_runs_and_missed_times(reference: FlowReference) -> None:
    run = _run(SpectralGrid.for_problem(WALSH, 12))
    failed = replace(run, status=Status.NON_FINITE)
    assert set(reference.errors(failed).values()) == {math.inf}
    with pytest.raises(ValueError, match="misses a measured time"):
        reference.errors(_run(SpectralGrid.for_problem(WALSH, 12), dt=0.1))
    with pytest.raises(ValueError, match="no exact solution"):
        FlowReference(VortexPair(), TIMES)


def test_grids_of_the_same_memory_and_of_the_same_error(reference: FlowReference) -> None:
    search = FlowSearch(reference, halvings=3, slowest=0.5)
    assert [(name, str(scheme)) for name, scheme in search.methods] == [
        ("MAC", "RK4"),
        ("MAC", "IncrementalPressureCorrection"),
        ("MAC", "AdvectionReflection"),
        ("spectral", "2/3 rule RK4"),
        ("spectral", "padded RK4"),
    ]
    neural = Measured(500, 4000, 1.0, 0.5, 2, 10, dict.fromkeys(reference.ERRORS, 1e-4))
    rows = grid_rows("walsh", search, [neural], [8, 12, 16], reference.ERRORS)
    figures = {kind: {r.metric: r.value for r in rows if r.method.startswith(kind)} for kind in _KINDS}
    same_memory, same_error = (figures[kind] for kind in _KINDS)
    # the most nodes that fit: 12² · 3 floats
    assert same_memory["memory_bytes"] == 12 * 12 * 3 * 8
    assert same_memory["rel_l2"] <= 1e-4  # Walsh's flow of five waves is exact on a Fourier grid of 12²
    assert same_error["rel_l2"] <= 1e-4
    assert {"dofs", "seconds", "setup_seconds", "steps", "iterations", "mse"} <= set(same_memory)


_KINDS = ("grid same memory", "grid same error")


def test_padding_holds_what_the_two_thirds_rule_cuts_away() -> None:
    problem = WalshFlow(waves=25)  # k = 5: 8 nodes hold |k| < 4, 12 hold it when padded, 16 with the 2/3 rule
    search = FlowSearch(FlowReference(problem, TIMES, points=20), halvings=0)
    cut, padded = search.kinds["spectral"].schemes
    assert search.error(search.run("spectral", padded, 12, 8)) <= 1e-6
    assert search.error(search.run("spectral", cut, 12, 8)) > 0.1
    assert search.error(search.run("spectral", cut, 16, 8)) <= 1e-6


def test_domains_with_walls_have_staggered_grids_only() -> None:
    def inflow(t: float, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([6 * x[:, 1] * (1 - x[:, 1]), 0 * x[:, 1]], dim=-1)

    box, conditions = Box((0.0, 0.0), (2.0, 1.0)), (Dirichlet(inflow, "x-"), Outflow("x+"), Dirichlet(0.0))
    problem = NavierStokes(domain=box, conditions=conditions)
    kinds = flow_kinds(problem)
    assert list(kinds) == ["MAC"]
    nodes = kinds["MAC"].fill(10_000)
    bytes_of = [kinds["MAC"].make(problem, n).memory_bytes() for n in (nodes, nodes + 1)]
    assert bytes_of[0] <= 10_000 < bytes_of[1]


def test_a_spectral_reference_says_how_good_it_is() -> None:
    problem = VortexPair(viscosity=5e-3, width=0.1)
    found = [spectral_reference(problem, TIMES, nodes, 8, points=16) for nodes in (32, 64)]
    assert found[1].difference < 0.1 * found[0].difference
    assert found[1].difference < 1e-5
    assert found[1].reference.errors(found[1].solution)["rel_l2"] <= 1e-14
    rows = {row.metric: row for row in found[1].rows("pair")}
    assert rows["dofs"].value == 64 * 64 * 3
    assert rows["dofs"].method == "spectral reference (64×64)"
    assert rows["rel_l2_to_half_resolution"].value == found[1].difference


def test_velocity_and_pressure_networks_march() -> None:
    reference = FlowReference(WalshFlow(waves=1, viscosity=0.05), TIMES, points=20)
    method = VelocityPressureMethod(RK4(), 0.05, (10, 10), (8,), first=60, atol=1e-3)
    found = method.run(reference, 0)
    still = {row.metric: row.value for row in frozen_field("walsh", reference)}
    assert found.steps == 2 and found.errors["rel_l2"] <= 0.1 * still["rel_l2"]


def test_splittings_are_of_second_order_on_staggered_grids() -> None:
    for integrator in (AdvectionReflection(), IncrementalPressureCorrection()):
        assert walsh.observed_order_together(WalshFlow(), integrator, quick=True) >= 1.85
    assert walsh.observed_order_together(WalshFlow(), LieSplitting(), quick=True) <= 1.7


def test_the_best_staggered_grid_may_take_long_steps() -> None:
    """A semi-Lagrangian step crosses many cells: on few of them it is the better half of all steps."""
    problem = VortexPair(viscosity=1e-3, width=0.06, separation=0.28)
    fine = spectral_reference(problem, (0.2, 0.4), 64, 64)
    search = Search(fine.reference, {"MAC": flow_kinds(problem)["MAC"]}, "rel_l2", halvings=4)
    best = search.same_memory(16 * 16 * 3 * 8)
    assert "AdvectionReflection" in best.name and best.dt >= 0.05
