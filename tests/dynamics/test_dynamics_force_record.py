"""Records of forces: the same whatever steps the flow, and nothing that was not asked for."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from neuralpde.dynamics import ForceRecord, MacDynamics, make_dynamics
from neuralpde.integrators import AdvectionReflection, IncrementalPressureCorrection, LieSplitting, State, StepInfo
from neuralpde.problems import CylinderChannel, LidDrivenCavity, drag_and_lift
from neuralpde.representations import MacGrid
from neuralpde.simulate import Solution, simulate
from neuralpde.types import Status, UsageError

FLOW = CylinderChannel()
INFO = StepInfo(Status.COMPLETED, 0.0, 0)


def _grid(cells: int = 12) -> MacGrid:
    return MacGrid.for_problem(FLOW, (round(cells * 2.2 / 0.41), cells))


@pytest.fixture(scope="module")
def developed() -> Solution:
    grid = _grid()
    return simulate(FLOW, grid, IncrementalPressureCorrection(), dt=0.04, t_end=4.0, save_every=50)


def test_the_drag_does_not_depend_on_what_a_step_leaves_as_pressure(developed: Solution) -> None:
    drags, fronts = [], []
    for integrator in (IncrementalPressureCorrection(), AdvectionReflection(), LieSplitting()):
        record = ForceRecord(probes={"front": FLOW.front_and_back[0]})
        simulate(
            FLOW, developed.representation, integrator, dt=0.01, t_end=4.05, restart=developed.last, progress=record
        )
        drags.append(drag_and_lift(FLOW, record.columns())["drag"][0])
        fronts.append(record.columns()["front_pressure"][0])
    for drag, front in zip(drags[1:], fronts[1:], strict=True):
        assert drag == pytest.approx(drags[0], rel=0.1)
        assert front == pytest.approx(fronts[0], rel=0.1)


def test_inside_the_solid_there_is_nothing(developed: Solution, tmp_path) -> None:
    inside, surface, fluid = FLOW.solid.centre, FLOW.front_and_back[0], (0.6, 0.2)
    values = developed.probe([inside, surface, fluid])
    assert bool(values[:, 0].isnan().all()) and bool(values[:, 1:].isfinite().all())
    record = ForceRecord(make_dynamics(FLOW, developed.representation), {"in": inside, "on": surface, "out": fluid})
    record(1, 1, developed.last, INFO)
    columns = record.columns()
    assert math.isnan(columns["in_pressure"][0]) and math.isnan(columns["in_velocity_x"][0])
    assert columns["on_pressure"][0] == pytest.approx(float(values[-1, 1, 2]))
    assert columns["out_velocity_y"][0] == pytest.approx(float(values[-1, 2, 1]))


def test_a_run_gives_a_record_its_flow_and_goes_on_with_it(developed: Solution) -> None:
    record, grid = ForceRecord(every=3), developed.representation
    state = developed.last
    for end in (4.2, 4.4):
        run = simulate(FLOW, grid, IncrementalPressureCorrection(), dt=0.04, t_end=end, restart=state, progress=record)
        state = run.last
    # of steps 101 … 110 of all those since t = 0 every third, and the last one of each run
    np.testing.assert_allclose(record.columns()["t"] / 0.04, [102, 105, 108, 110], rtol=1e-9)
    assert isinstance(record.dynamics, MacDynamics)


def _other_speed() -> object:
    record = ForceRecord(
        make_dynamics(CylinderChannel(speed=0.6), MacGrid.for_problem(CylinderChannel(speed=0.6), (43, 8)))
    )
    return simulate(FLOW, _grid(8), IncrementalPressureCorrection(), dt=0.1, t_end=0.1, progress=record)


def _other_grid() -> object:
    record = ForceRecord(make_dynamics(FLOW, _grid(8)))
    return record.attach(make_dynamics(FLOW, _grid(9)))


def _other_state() -> object:
    return ForceRecord(make_dynamics(FLOW, _grid(8)))(1, 1, State(0.0, torch.zeros(7, dtype=torch.float64)), INFO)


def _no_solid() -> object:
    cavity = LidDrivenCavity()
    grid = MacGrid.for_problem(cavity, 8)
    return simulate(cavity, grid, IncrementalPressureCorrection(), dt=0.1, t_end=0.1, progress=ForceRecord())


def _with(probes: dict[str, tuple[float, ...]]) -> object:
    return ForceRecord(make_dynamics(FLOW, _grid(8)), probes)


REFUSED = [
    (lambda: _with({"a": (5.0,)}), "the probe 'a' needs 2 coordinates; got \\(5.0,\\)"),
    (lambda: _with({"a": (0.2, math.nan)}), "needs 2 coordinates"),
    (lambda: _with({"a": (5.0, 0.2)}), "the probe 'a' at \\(5.0, 0.2\\) lies outside"),
    (lambda: ForceRecord(every=0), "every must be a whole number of steps, at least 1; got 0"),
    (lambda: ForceRecord(every=2.5), "at least 1; got 2.5"),  # type: ignore[arg-type]
    (lambda: ForceRecord().columns(), "knows no flow yet; give it to simulate"),
    (lambda: ForceRecord()(1, 1, State(0.0, torch.zeros(3)), INFO), "knows no flow yet"),
    (_other_grid, "of a grid of \\(43, 8\\) cells, the flow has"),
    (_other_state, "values a state; got a state of shape \\(7,\\)"),
    (_other_speed, "of another flow: its .* is .*, here it is"),
    (_no_solid, "LidDrivenCavity has no solid"),
]


@pytest.mark.parametrize(("call", "sentence"), REFUSED, ids=[s[:30] for _, s in REFUSED])
def test_what_cannot_be_recorded_is_refused(call, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        call()
