"""Going on: after Ctrl-C, after a failure, to a later end; bit by bit as if nothing had happened."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from cli_command import CASE, Command, start
from rich.console import Console

from neuralpde.cases import open_run
from neuralpde.cases._progress import Display, Stop
from neuralpde.integrators import Dynamics, RungeKutta, State, StepInfo
from neuralpde.types import NotConvergedError, Status

QUIET = CASE + "\n[output]\nplot = false\nanimate = false\n"


def interrupt_at(monkeypatch: pytest.MonkeyPatch, name: str, step: int) -> None:
    """Press Ctrl-C during one step of one run."""
    shown = Display.__call__

    def show(self: Display, done: int, steps: int, state: State, info: StepInfo) -> None:
        shown(self, done, steps, state, info)
        if (self.name, done) == (name, step):
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Display, "__call__", show)


def test_a_run_stopped_twice_ends_as_one_that_was_not(
    tmp_path: Path, neuralpde: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, whole, parts = tmp_path / "case.toml", tmp_path / "whole", tmp_path / "parts"
    case.write_text(QUIET)
    assert neuralpde("run", case, "--out", whole).code == 0
    with monkeypatch.context() as patch:
        interrupt_at(patch, "grid", 7)
        stopped = neuralpde("run", case, "--out", parts)
    assert stopped.code == 130
    assert stopped.err.splitlines()[-1] == f"interrupted; go on with: neuralpde run {parts}/case.toml --restart {parts}"
    assert open_run(parts / "grid.h5")[1].status is Status.INTERRUPTED
    assert not (parts / "neural.h5").exists()
    with monkeypatch.context() as patch:
        interrupt_at(patch, "neural", 2)
        assert neuralpde("run", parts / "case.toml", "--restart", parts).code == 130
    done = neuralpde("run", parts / "case.toml", "--restart", parts)
    assert done.code == 0, done.err
    assert "grid: step" not in done.err  # it had ended before
    for name in ("grid", "neural"):
        (_, a), (_, b) = open_run(whole / f"{name}.h5"), open_run(parts / f"{name}.h5")
        assert b.status is Status.COMPLETED
        assert torch.equal(a.times, b.times)
        assert torch.equal(a.states, b.states)
        assert torch.equal(a.last.theta, b.last.theta)
        assert len(a.infos) == len(b.infos)


def test_a_finished_run_goes_on_to_a_later_end(case: Path, neuralpde: Command) -> None:
    out, whole = case.parent / "out", case.parent / "whole"
    assert neuralpde("run", case, "--out", out).code == 0
    assert neuralpde("run", case, "--out", whole, "--set", "time.t_end=0.2").code == 0
    done = neuralpde("run", case, "--set", "time.t_end=0.2", "--restart", out / "grid.h5")
    assert done.code == 0, done.err
    (_, a), (_, b) = open_run(whole / "grid.h5"), open_run(out / "grid.h5")
    assert b.last.t == 0.2
    assert len(b.times) == 41
    assert torch.equal(a.last.theta, b.last.theta)


def test_a_failed_run_goes_on_once_its_cause_is_mended(case: Path, neuralpde: Command) -> None:
    out = case.parent / "out"
    burgers = ("--set", "problem.name=burgers", "--set", "time.integrator=implicit_euler")
    failed = neuralpde("run", case, "--out", out, *burgers, "--set", "run.grid.newton.maxiter=1")
    assert failed.code == 4
    assert open_run(out / "grid.h5")[1].last.t < 0.1
    mended = neuralpde("run", case, *burgers, "--restart", out)
    assert mended.code == 0, mended.err
    assert open_run(out / "grid.h5")[1].last.t == 0.1


def test_what_a_step_raised_past_the_solver_is_kept(
    case: Path, neuralpde: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, out = RungeKutta.step, case.parent / "out"

    def fail(self: RungeKutta, dynamics: Dynamics, state: State, dt: float) -> tuple[State, StepInfo]:
        if state.t > 0.042:
            raise NotConvergedError("conjugate gradients: the iteration limit was reached.")
        return step(self, dynamics, state, dt)

    with monkeypatch.context() as patch:
        patch.setattr(RungeKutta, "step", fail)
        failed = neuralpde("run", case, "--out", out)
    assert failed.code == 4
    assert failed.err.splitlines()[-1] == "run grid: conjugate gradients: the iteration limit was reached."
    _, solution = open_run(out / "grid.h5")
    assert (solution.last.t, len(solution.times), solution.status) == (0.045, 10, Status.MAXITER)
    assert neuralpde("run", case, "--restart", out).code == 0
    assert len(open_run(out / "grid.h5")[1].times) == 21


def test_a_restart_must_be_of_the_same_problem_and_representation(case: Path, neuralpde: Command) -> None:
    out = case.parent / "out"
    assert neuralpde("run", case, "--out", out).code == 0
    file = out / "grid.h5"
    for setting, sentence in (
        (
            "run.grid.representation.shape=32",
            "expected the representation of run grid, shape = [32]; the run was saved with shape = [16].",
        ),
        ("problem.diffusivity=0.3", "expected the problem of the case; the run was made from another one."),
        ("run.grid.name=mesh", "expected one of the case's runs mesh; got grid."),
    ):
        done = neuralpde("run", case, "--set", setting, "--restart", file)
        assert (done.code, done.err) == (2, f"--restart {file}: {sentence}\n")


def test_ctrl_c_in_a_process_of_its_own(case: Path, neuralpde: Command) -> None:
    out = case.parent / "out"
    process = start("run", case, "--out", out, "--set", "time.t_end=10000", "--set", "time.save_every=1000")
    assert process.stderr is not None
    line = ""
    while "grid: step" not in line:  # the first one comes after 5 s at the latest
        line = process.stderr.readline()
        assert line, "the run ended by itself"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1].endswith(f"--restart {out}")
    _, solution = open_run(out / "grid.h5")
    assert solution.status is Status.INTERRUPTED
    assert 0 < solution.last.t < 10000
    assert "INTERRUPTED" in neuralpde("info", out / "grid.h5").out
    assert "| interrupted |" in (out / "report.md").read_text()


@pytest.fixture
def usual_ctrl_c() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt: shells without job control start background processes with it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("usual_ctrl_c")
def test_the_second_ctrl_c_stops_at_once() -> None:
    text = io.StringIO()
    with pytest.raises(KeyboardInterrupt), Stop(Console(file=text)) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.asked
        os.kill(os.getpid(), signal.SIGINT)
    assert "press Ctrl-C again to stop at once" in text.getvalue()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_terminal_gets_one_moving_line() -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=100)
    state = State(0.5, torch.zeros(1))
    with Display(console, "grid") as display:
        for step in (1, 2, 3):
            display(step, 4, state, StepInfo(Status.COMPLETED, 1e-3, 2))
        assert display.bar is not None
        display.bar.refresh()
    assert "step 3 of 4, t = 0.5, residual 1.0e-03, 0 s left" in text.getvalue()


def test_checkpoints_are_written_while_a_run_is_going(
    case: Path, neuralpde: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neuralpde.cases._record.CHECKPOINT_SECONDS", 0.0)
    seen = []

    def look(self: Display, done: int, steps: int, state: State, info: StepInfo) -> None:
        if done > 1:
            solution = open_run(case.parent / "out" / "grid.h5")[1]
            seen.append((solution.last.t, solution.status, len(solution.times)))

    monkeypatch.setattr(Display, "__call__", look)
    assert neuralpde("run", case, "--out", case.parent / "out", "--set", "time.t_end=0.02").code == 0
    assert seen == [(0.005 * k, Status.INTERRUPTED, k + 1) for k in (1, 2, 3)]
