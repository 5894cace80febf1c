"""When a run of a case ends before its last time: come to rest, or grown too far."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from cli_command import Command
from test_cli_restart import interrupt_at

from neuralpde.cases import load_study, open_run
from neuralpde.types import Status

CAVITY = """\
[problem]
name = "lid_driven_cavity"
viscosity = 0.1
[time]
integrator = "incremental_pressure_correction"
dt = 0.05
t_end = 20.0
until_steady = 1e-3
[[run]]
name = "cavity"
representation = {kind = "mac_grid", shape = 8}
[[run]]
name = "closer"
representation = {kind = "mac_grid", shape = 8}
until_steady = 1e-4
growth_limit = inf
[output]
plot = false
animate = false
"""


@pytest.fixture
def cavity(tmp_path: Path) -> Path:
    path = tmp_path / "case.toml"
    path.write_text(CAVITY)
    return path


def test_a_run_has_the_keys_of_time_or_its_own(cavity: Path) -> None:
    first, second = load_study(cavity, ["time.growth_limit=100"]).runs
    assert (first.times["until_steady"], first.times["growth_limit"]) == (1e-3, 100)
    assert (second.times["until_steady"], second.times["growth_limit"]) == (1e-4, float("inf"))


def test_a_run_that_came_to_rest_says_so_everywhere(cavity: Path, neuralpde: Command) -> None:
    out = cavity.parent / "out"
    done = neuralpde("run", cavity, "--out", out)
    assert done.code == 0, done.err
    assert done.out.count(" steady") == 2
    assert (out / "report.md").read_text().count("| steady |") == 2
    figures = {(row["method"], row["metric"]): row["value"] for row in json.loads((out / "metrics.json").read_text())}
    assert 1.0 < figures["cavity", "last_time"] < figures["closer", "last_time"] < 20.0
    assert (figures["cavity", "until_steady"], figures["closer", "until_steady"]) == (1e-3, 1e-4)
    assert "STEADY: the field came to rest" in neuralpde("info", out / "cavity.h5").out
    assert "until_steady = 0.0001" in neuralpde("info", out).out


def test_a_run_at_rest_is_finished_until_more_is_asked_of_it(cavity: Path, neuralpde: Command) -> None:
    out, whole = cavity.parent / "out", cavity.parent / "whole"
    assert neuralpde("run", cavity, "--out", out).code == 0
    again = neuralpde("run", cavity, "--restart", out)
    assert again.code == 0 and "step" not in again.err
    _, rest = open_run(out / "cavity.h5")
    assert rest.status is Status.STEADY
    closer = ("--set", "time.until_steady=1e-4")
    assert neuralpde("run", cavity, "--restart", out / "cavity.h5", *closer).code == 0
    (_, further), (_, same) = open_run(out / "cavity.h5"), open_run(out / "closer.h5")
    assert further.status is Status.STEADY and further.last.t > rest.last.t
    assert torch.equal(further.last.theta, same.last.theta) and torch.equal(further.times, same.times)
    assert neuralpde("run", cavity, "--out", whole, *closer, "--set", "time.t_end=2.0").code == 0
    assert open_run(whole / "cavity.h5")[1].status is Status.COMPLETED


def test_a_run_stopped_on_its_way_comes_to_the_same_rest(
    cavity: Path, neuralpde: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = cavity.parent / "whole", cavity.parent / "parts"
    assert neuralpde("run", cavity, "--out", whole).code == 0
    with monkeypatch.context() as patch:
        interrupt_at(patch, "cavity", 11)
        assert neuralpde("run", cavity, "--out", parts).code == 130
    assert neuralpde("run", cavity, "--restart", parts).code == 0
    (_, a), (_, b) = open_run(whole / "cavity.h5"), open_run(parts / "cavity.h5")
    assert b.status is Status.STEADY and len(a.infos) == len(b.infos)
    assert torch.equal(a.times, b.times) and torch.equal(a.states, b.states)


def test_growth_is_limited_by_the_case(case: Path, neuralpde: Command) -> None:
    coarse = ("--set", "run.grid.representation.shape=64", "--set", "time.dt=0.001", "--out", case.parent / "out")
    failed = neuralpde("run", case, *coarse)
    assert failed.code == 5
    assert failed.err.splitlines()[-1].endswith("if the solution does grow so far, raise growth_limit.")
    assert open_run(case.parent / "out" / "grid.h5")[1].status is Status.UNSTABLE
    let = neuralpde("run", case, *coarse, "--force", "--set", "run.grid.growth_limit=inf")
    assert let.code == 0, let.err
    assert float(open_run(case.parent / "out" / "grid.h5")[1].last.theta.abs().max()) >= 1e7
