"""Flows on the command line: mistakes in their cases, their run folders, going on bit by bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from cli_command import Command
from test_cli_restart import interrupt_at

from neuralpde.cases import load_study, open_run
from neuralpde.dynamics import METHODS
from neuralpde.types import UsageError

FLOW = """\
[problem]
name = "lid_driven_cavity"
[time]
integrator = "incremental_pressure_correction"
dt = 0.05
t_end = 1.0
[[run]]
name = "mac"
representation = {kind = "mac_grid", shape = 8}
"""

ON_FLOWS = " or ".join(kind.__name__ for made, kind in METHODS.values() if made.constrained)

SPECTRAL = """\
name = "taylor_green"
[time]
integrator = "sdirk4"
dt = 0.05
t_end = 1.0
[[run]]
name = "spectral"
representation = {kind = "spectral_grid", shape = 8}
"""

FLOW_MISTAKES = {
    "implicit stages": (
        FLOW[FLOW.index("name") :],
        SPECTRAL,
        "run.spectral: SpectralDynamics is explicit and SDIRK4() has implicit stages; use RK4, or "
        "IncrementalPressureCorrection on a grid.",
    ),
    "flow on a grid": (
        '"mac_grid"',
        '"grid"',
        "run.mac.representation: LidDrivenCavity has velocity and pressure and keeps its velocity free of divergence, "
        f"which a GridField cannot; use {ON_FLOWS}.",
    ),
    "flow on a neural field": (
        '{kind = "mac_grid", shape = 8}',
        '{kind = "neural_field", hidden = [4]}',
        "run.mac.representation: LidDrivenCavity has velocity and pressure and keeps its velocity free of divergence, "
        f"which a NeuralField cannot; use {ON_FLOWS}.",
    ),
    "heat on a staggered grid": (
        'name = "lid_driven_cavity"',
        'name = "heat"',
        "run.mac.representation: a MacGrid keeps incompressible flow, and Heat is none; use GridField or NeuralField.",
    ),
    "heat with an open end": (
        'name = "lid_driven_cavity"',
        'name = "heat"\nconditions = [{kind = "outflow"}]',
        "run.mac.representation: Outflow is a condition of a flow's velocity; Heat takes Dirichlet, Neumann, Flux, "
        "Robin and Periodic, and a face without a condition is open.",
    ),
    "velocity with one number": (
        'name = "lid_driven_cavity"',
        'name = "navier_stokes"\nconditions = [{kind = "dirichlet", value = [1.0]}]',
        "problem.conditions[1].value: expected one number or 2 numbers; got [1.0].",
    ),
    "a slope for a velocity": (
        'name = "lid_driven_cavity"',
        'name = "navier_stokes"\nconditions = [{kind = "neumann"}]',
        "run.mac.representation: a staggered grid needs Dirichlet, FreeSlip, Outflow or Periodic on every face; x- has "
        "Neumann(value=0.0, on='all').",
    ),
    "more in than out": (
        'name = "lid_driven_cavity"',
        'name = "navier_stokes"\nconditions = [{kind = "dirichlet", value = [1.0, 0.0], on = "x-"}, '
        '{kind = "free_slip"}]',
        "run.mac.method: the boundary velocities push 1 more into this closed domain than out of it; open a face with "
        "Outflow, or balance them.",
    ),
    "negative viscosity": (
        'name = "lid_driven_cavity"',
        'name = "taylor_green"\nviscosity = -1.0',
        "problem: the viscosity must not be negative; got -1.0.",
    ),
    "a velocity that is a profile": (
        'name = "lid_driven_cavity"',
        'name = "navier_stokes"\nvelocity = {sine = {}}',
        'problem.velocity: expected "file.py:function" or a list of numbers; got a table.',
    ),
    "a stream along one of two axes": (
        'name = "lid_driven_cavity"',
        'name = "navier_stokes"\nvelocity = [1.0]',
        "problem: the velocity of NavierStokes must be a function of points or one number per axis, 2 in all; got "
        "(1.0,).",
    ),
    "few cells": ("shape = 8", "shape = 2", None),
}


@pytest.mark.parametrize("mistake", FLOW_MISTAKES)
def test_a_mistake_in_a_flow_is_one_sentence(mistake: str, tmp_path: Path) -> None:
    old, new, sentence = FLOW_MISTAKES[mistake]
    assert old in FLOW
    path = tmp_path / "case.toml"
    path.write_text(FLOW.replace(old, new, 1))
    with pytest.raises(UsageError) as caught:
        load_study(path)
    if sentence is None:
        assert len(str(caught.value).splitlines()) == 1
    else:
        assert str(caught.value) == f"{path}: {sentence}"


def test_the_flow_without_mistakes_is_taken(tmp_path: Path) -> None:
    conditions = (
        '[{kind = "dirichlet", value = [1.0, 0.0], on = "x-"}, {kind = "outflow", on = "x+"}, {kind = "free_slip"}]'
    )
    path = tmp_path / "case.toml"
    stream = "velocity = [1, 0.0]"
    for problem in (
        'name = "lid_driven_cavity"',
        f'name = "navier_stokes"\nconditions = {conditions}',
        f'name = "navier_stokes"\n{stream}\nconditions = {conditions}',
        f'name = "euler_flow"\n{stream}\nconditions = {conditions}',
    ):
        path.write_text(FLOW.replace('name = "lid_driven_cavity"', problem))
        study = load_study(path)
        assert study.runs[0].method == "mac" and (stream in problem) == (
            getattr(study.problem, "velocity", None) == (1.0, 0.0)
        )


PAIR = """\
[problem]
name = "taylor_green"
viscosity = 0.01
[time]
dt = 0.02
t_end = 0.2
save_every = 2
[[run]]
name = "correction"
representation = {kind = "mac_grid", shape = 16}
integrator = "incremental_pressure_correction"
[[run]]
name = "reflection"
representation = {kind = "mac_grid", shape = 16}
integrator = "advection_reflection"
[output]
"""


def test_the_run_folder_of_a_flow(tmp_path: Path, neuralpde: Command) -> None:
    case, out = tmp_path / "case.toml", tmp_path / "out"
    case.write_text(PAIR)
    done = neuralpde("run", case, "--out", out)
    assert done.code == 0, done.err
    assert {"correction.png", "reflection.png", "comparison.png", "comparison.gif"} <= {p.name for p in out.iterdir()}
    assert "incremental" in done.out and "max err. is the velocity's" in done.out
    assert [line.split() for line in done.out.splitlines()[1:2]] == [["velocity", "pressure"]]
    assert "| seconds | velocity rel. L2 | pressure rel. L2 | max err. |" in (out / "report.md").read_text()
    figures = {(row["method"], row["metric"]): row["value"] for row in json.loads((out / "metrics.json").read_text())}
    for name in ("correction", "reflection"):
        assert figures[name, "rel_l2"] < 0.1 and figures[name, "pressure_rel_l2"] < 0.2
        assert f"| {name} |" in (out / "report.md").read_text()
    _, solution = open_run(out / "correction.h5")
    assert figures["correction", "pressure_rel_l2"] == solution.error(unknown="pressure")["rel_l2"]


@pytest.mark.parametrize("name", ["correction", "reflection"])
def test_a_flow_stopped_in_between_ends_as_one_that_was_not(
    name: str, tmp_path: Path, neuralpde: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, whole, parts = tmp_path / "case.toml", tmp_path / "whole", tmp_path / "parts"
    case.write_text(PAIR + "plot = false\nanimate = false\n")
    assert neuralpde("run", case, "--out", whole).code == 0
    with monkeypatch.context() as patch:
        interrupt_at(patch, name, 4)
        assert neuralpde("run", case, "--out", parts).code == 130
    assert neuralpde("run", parts / "case.toml", "--restart", parts).code == 0
    (_, a), (_, b) = open_run(whole / f"{name}.h5"), open_run(parts / f"{name}.h5")
    assert torch.equal(a.times, b.times) and torch.equal(a.states, b.states) and torch.equal(a.last.theta, b.last.theta)


def test_a_checkpoint_holds_the_pressure(tmp_path: Path, neuralpde: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuralpde.cases._record.CHECKPOINT_SECONDS", 0.0)
    case, out = tmp_path / "case.toml", tmp_path / "out"
    case.write_text(PAIR + "plot = false\nanimate = false\n")
    saved = []

    def look(self: object, done: int, steps: int, state: object, info: object) -> None:
        if done == 9 and not saved:
            saved.append(open_run(out / "correction.h5")[1].states.clone())

    monkeypatch.setattr("neuralpde.cases._progress.Display.__call__", look)
    assert neuralpde("run", case, "--out", out).code == 0
    finished = open_run(out / "correction.h5")[1]
    assert len(saved[0]) == 5 and torch.equal(saved[0], finished.states[:5])
