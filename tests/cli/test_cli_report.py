"""What was computed is reported, whatever goes wrong beside it; what cannot be run is refused in a sentence."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from cli_command import Command

from neuralpde.cases import open_run, out_of_memory, run_case
from neuralpde.cases._table import figure
from neuralpde.types import Status, UsageError

PERIOD = """\
[problem]
name = "advection"
profile = {gaussian = {centre = -1.5, width = 0.1, period = 3.0}}
[time]
t_end = 0.5
[[run]]
name = "neural"
representation = {kind = "neural_field", hidden = [6, 6], steepness = 8}
integrator = "implicit_euler"
dt = 0.1
initial_fit = {maxiter = 3}
[[run]]
name = "grid"
representation = {kind = "grid", shape = 64, order = 6}
integrator = "rk4"
dt = 0.0125
[output]
plot = false
animate = false
"""

LATE = '''\
"""An equation that fails on its way."""
from dataclasses import dataclass
from neuralpde import Box, Periodic, Problem
from neuralpde.types import UsageError
import torch


@dataclass(frozen=True)
class Late(Problem):
    until: float = 0.05
    kind: str = "value"
    domain = Box((0.0,), (1.0,))
    conditions = (Periodic(),)

    def rhs(self, t, x, u):
        if t > self.until and u.value.shape[0] == 24:
            raise {"value": ValueError, "usage": UsageError}[self.kind]("no data after that")
        return -u.value

    def initial(self, x):
        return torch.sin(6.283185307179586 * x)
'''

LATE_CASE = """\
[problem]
name = "late.py:Late"
[time]
integrator = "rk4"
dt = 0.01
t_end = 0.1
[[run]]
name = "first"
representation = {kind = "grid", shape = 16}
[[run]]
name = "second"
representation = {kind = "grid", shape = 24}
[output]
plot = false
animate = false
"""


def test_the_relative_error_of_what_is_zero_is_a_dash() -> None:
    assert [figure("pressure_rel_l2", value) for value in (None, math.nan, 0.5)] == ["–", "–", "5.00e-01"]


def methods(out: Path) -> set[str]:
    return {row["method"] for row in json.loads((out / "metrics.json").read_text())}


def test_errors_that_cannot_be_measured_cost_nothing_else(tmp_path: Path, neuralpde: Command) -> None:
    case, out = tmp_path / "case.toml", tmp_path / "out"
    case.write_text(PERIOD)
    done = neuralpde("run", case, "--out", out)
    assert done.code == 4, done.err  # the first fit of the network fails: it has no time but t = 0
    assert done.err.splitlines()[-1].startswith("run neural: ")
    assert "errors: not measured: the exact solution does not" in done.out
    assert methods(out) == {"neural", "grid"}
    assert "Errors are not measured: the exact" in (out / "report.md").read_text()


@pytest.fixture
def late(tmp_path: Path) -> Path:
    (tmp_path / "late.py").write_text(LATE)
    path = tmp_path / "case.toml"
    path.write_text(LATE_CASE)
    return path


@pytest.mark.parametrize("kind", ["value", "usage"])
def test_what_an_equation_raises_in_the_second_run_keeps_both(kind: str, late: Path, neuralpde: Command) -> None:
    out = late.parent / "out"
    done = neuralpde("run", late, "--out", out, "--set", f"problem.kind={kind}")
    assert done.code == 2
    assert done.err.splitlines()[-1].endswith("no data after that")
    assert methods(out) == {"first", "second"}
    assert "first" in done.out and "failed" in done.out
    assert "no data after that" in (out / "report.md").read_text()
    _, solution = open_run(out / "second.h5")
    assert (solution.last.t, solution.status) == (pytest.approx(0.05), Status.INTERRUPTED)
    assert open_run(out / "first.h5")[1].last.t == pytest.approx(0.1)


def test_a_fault_of_ours_in_the_second_run_keeps_the_first(
    late: Path, neuralpde: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neuralpde.cases._progress import Display

    show = Display.__call__

    def fail(self: Display, done: int, *rest: object) -> None:
        if (self.name, done) == ("second", 3):
            raise ZeroDivisionError("division by zero")
        show(self, done, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Display, "__call__", fail)
    done = neuralpde("run", late, "--out", late.parent / "out", "--set", "problem.until=9.0")
    assert done.code == 1
    assert "a fault in neuralpde: ZeroDivisionError: division by zero" in done.err
    assert methods(late.parent / "out") == {"first", "second"}
    assert open_run(late.parent / "out" / "second.h5")[1].last.t == pytest.approx(0.03)


def test_what_is_raised_before_any_step_is_raised(late: Path) -> None:
    settings = ["problem.kind=usage", "problem.until=-1.0", "run.first.representation.shape=24"]
    with pytest.raises(UsageError, match="no data after that"):
        run_case(late, out=late.parent / "out", settings=settings)


@pytest.mark.parametrize("shape", ["100000000000", "[1000000000000000000000000000000]"])
def test_a_grid_that_memory_cannot_hold_is_refused(shape: str, case: Path, neuralpde: Command) -> None:
    done = neuralpde("run", case, "--set", f"run.grid.representation.shape={shape}")
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert "run.grid.representation" in line and "GiB of memory for one state, and this machine has" in line


def test_refused_memory_is_a_sentence_wherever_it_happens(
    case: Path, neuralpde: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    def refuse(*_: object, **__: object) -> None:
        torch.empty(10**15, dtype=torch.float64)

    monkeypatch.setattr("neuralpde.cases._run.simulate", refuse)
    done = neuralpde("run", case, "--out", case.parent / "out")
    assert (done.code, done.err.splitlines()[-1].split(";")[0]) == (2, "not enough memory")
    monkeypatch.setattr("neuralpde.cases._build.make_dynamics", refuse)
    done = neuralpde("run", case, "--out", case.parent / "other")
    assert (done.code, "it needs more memory than there is" in done.err) == (2, True)
    assert out_of_memory(MemoryError()) and not out_of_memory(RuntimeError("a shape is wrong"))


def test_a_restart_beyond_the_end_is_refused(case: Path, neuralpde: Command) -> None:
    out = case.parent / "out"
    assert neuralpde("run", case, "--out", out).code == 0
    done = neuralpde("run", case, "--restart", out, "--set", "time.t_end=0.05")
    file = out / "grid.h5"
    assert (done.code, done.err) == (2, f"--restart {file}: t_end must lie after the start t = 0.1; got 0.05.\n")
    assert neuralpde("run", case, "--restart", out).code == 0  # at the end already: nothing to do
