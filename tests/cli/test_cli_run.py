"""The run folder, exit codes, settings: what a user finds after ``neuralpde run``."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import torch
from cli_command import CASE, Command, Done
from rich.console import Console

from neuralpde.cases import load_study, open_run
from neuralpde.cases._outcome import Outcome
from neuralpde.cases._report import rows
from neuralpde.cases._table import table
from neuralpde.integrators import State
from neuralpde.problems import Heat
from neuralpde.representations import GridField
from neuralpde.simulate import Solution
from neuralpde.types import Status


def test_the_run_folder_holds_everything(finished: tuple[Path, Done]) -> None:
    folder, done = finished
    assert done.code == 0, done.err
    names = {path.name for path in folder.iterdir()}
    pictures = {"grid.png", "neural.png", "comparison.png", "comparison.gif"}
    assert names == {"case.toml", "environment.json", "metrics.json", "report.md", "grid.h5", "neural.h5"} | pictures
    assert (folder / "case.toml").read_text() == CASE
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["seed"] == 0
    assert environment["seeds"]["neural"] == {"representation": 0, "dynamics": 0}
    assert {"python", "neuralpde", "torch", "numpy"} <= set(environment["versions"])
    assert environment["torch_threads"] == 1


def test_metrics_are_rows_as_benches_print_them(finished: tuple[Path, Done]) -> None:
    rows = json.loads((finished[0] / "metrics.json").read_text())
    assert all(set(row) == {"case", "method", "metric", "value", "unit"} for row in rows)
    for name, dofs, steps in (("grid", 16, 20), ("neural", 37, 5)):
        figures = {row["metric"]: row["value"] for row in rows if row["method"] == name}
        assert figures["dofs"] == dofs
        assert all(isinstance(value, (int, float)) for metric, value in figures.items() if metric != "integrator")
        assert figures["memory_bytes"] == 8 * dofs
        assert figures["steps"] == steps
        assert figures["seconds"] == pytest.approx(figures["setup_seconds"] + figures["solve_seconds"])
        assert {"mae", "mse", "rel_l2", "max_error"} <= set(figures)
    errors = {row["method"]: row["value"] for row in rows if row["metric"] == "rel_l2"}
    assert errors["grid"] < 1e-6
    assert errors["neural"] < 0.5


def test_stdout_has_the_table_and_the_pictures_and_stderr_the_progress(finished: tuple[Path, Done]) -> None:
    folder, done = finished
    assert "case: Heat" in done.out
    assert "out/comparison.gif" in done.out
    assert "out/report.md" in done.out
    assert "\x1b" not in done.out + done.err
    lines = done.err.splitlines()
    steps = [line for line in lines if line.startswith("grid: step")]
    assert len(steps) == 10  # a line every 10 %
    assert steps[-1].startswith("grid: step 20 of 20, t = 0.1, residual 0.0e+00")
    report = (folder / "report.md").read_text()
    assert "| run | integrator | dt | dofs | bytes |" in report
    assert "| grid | rk4 | 0.005 | 16 | 128 |" in report
    assert "| neural | implicit euler | 0.02 | 37 | 296 |" in report
    assert "![comparison](comparison.png)" in report
    assert "neuralpde run out/case.toml" in report


def test_runs_that_differ_in_the_time_step_alone_can_be_told_apart(finished: tuple[Path, Done]) -> None:
    rows = json.loads((finished[0] / "metrics.json").read_text())
    told = {(row["method"], row["metric"]): row["value"] for row in rows}
    assert (told["grid", "integrator"], told["grid", "dt"]) == ("rk4", 0.005)
    assert (told["neural", "integrator"], told["neural", "dt"]) == ("implicit_euler", pytest.approx(0.02))
    assert "grid    rk4             0.005    16" in finished[1].out


def _outcome(name: str, integrator: str, dt: float, status: Status = Status.COMPLETED) -> Outcome:
    heat = Heat()
    r = GridField.for_problem(heat, 100_000, order=2)
    times, states, recipe = torch.zeros(1), torch.zeros(1, 100_000), {"integrator": integrator, "dt": dt}
    last = State(0.0, states[0])
    return Outcome(name, status, Solution(heat, r, times, states, (), last, status, 0.0, 1234.5, recipe=recipe))


@pytest.mark.parametrize(
    ("width", "left_out"), [(120, []), (100, []), (80, ["bytes", "stage"]), (70, ["bytes", "max err.", "stage"])]
)
def test_the_table_is_readable_at_every_width(width: int, left_out: list[str], case: Path) -> None:
    study = load_study(case)
    outcomes = [
        _outcome("order-6", "ImplicitMidpoint()", 0.0125),
        _outcome("coarse", "LieSplitting()", 1 / 3, Status.NON_FINITE),
        Outcome("none", Status.MAXITER, None),
    ]
    found = {"order-6": {"rel_l2": 1.234e-6, "max_error": 5.678e-5}}
    console = Console(width=width, file=io.StringIO())
    console.print(table(study, outcomes, rows(study, outcomes, found), console))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert all(len(line) <= width for line in text.splitlines())
    header = text.splitlines()[1]
    headings = ["run", "integrator", "dt", "dofs", "bytes", "seconds", "rel. L2", "max err.", "stage", "status"]
    assert [name for name in headings if name not in header] == left_out
    for whole in ("order-6", "midpoint", "0.0125", "0.3333", "100000", "1234.50", "1.23e-06", "non finite"):
        assert whole in text
    assert "…" not in text


def test_a_steady_problem_has_neither_integrator_nor_dt(case: Path, neuralpde: Command) -> None:
    steady = (
        '[problem]\nname = "poisson"\n[[run]]\nname = "grid"\nrepresentation = {kind = "grid", shape = 9, order = 2}\n'
    )
    case.write_text(steady + "[output]\nplot = false\nanimate = false\n")
    out = case.parent / "out"
    done = neuralpde("run", case, "--out", out)
    assert done.code == 0, done.err
    assert "| run | dofs | bytes |" in (out / "report.md").read_text()
    assert not {"integrator", "dt"} & {row["metric"] for row in json.loads((out / "metrics.json").read_text())}


def test_settings_change_the_case_and_are_recorded(case: Path, neuralpde: Command) -> None:
    out = case.parent / "out"
    settings = ["time.t_end=0.01", "run.grid.representation.shape=8", "problem.diffusivity=0.2", "time.integrator=heun"]
    done = neuralpde("run", case, "--out", out, *[part for s in settings for part in ("--set", s)])
    assert done.code == 0, done.err
    text = (out / "case.toml").read_text()
    assert "# --set time.t_end=0.01\n" in text
    document = tomllib.loads(text)
    assert document["time"] == {"integrator": "heun", "dt": 0.005, "t_end": 0.01}
    name, solution = open_run(out / "grid.h5")
    assert (name, solution.representation.num_dofs, solution.last.t) == ("grid", 8, 0.01)
    assert solution.problem.diffusivity == 0.2  # type: ignore[attr-defined]
    assert not list(out.glob("*.png"))


def test_the_default_folder_is_named_by_case_and_time(
    case: Path, neuralpde: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(case.parent)
    for _ in range(2):
        assert neuralpde("run", case.name, "--set", "time.t_end=0.01").code == 0
    folders = sorted(Path("runs").iterdir())
    assert len(folders) == 2
    assert all(folder.name.startswith("case-20") for folder in folders)


def test_a_folder_that_is_not_empty_is_refused_unless_forced(case: Path, neuralpde: Command) -> None:
    out = case.parent / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    short = ("run", case, "--set", "time.t_end=0.01", "--out", out)
    refused = neuralpde(*short)
    assert refused.code == 2
    assert refused.err == (
        f"--out {out}: expected a new or empty folder; this one is not empty (--force writes into it).\n"
    )
    assert neuralpde(*short, "--force").code == 0
    assert (out / "thesis.txt").read_text() == "years of work"
    again = neuralpde(*short)
    assert again.code == 2
    assert f"holds a run (--restart {out} goes on with it, --force overwrites it)" in again.err
    assert neuralpde("run", case, "--out", out / "thesis.txt").code == 2


EXITS = {
    "usage": (["--set", "time.dt=-1"], 2, "time.dt: expected a positive number; got -1."),
    "option": (["--outt", "x"], 2, "No such option"),
    "not converged": (
        [
            "--set",
            "problem.name=burgers",
            "--set",
            "time.integrator=implicit_euler",
            "--set",
            "run.grid.newton={maxiter=1}",
        ],
        4,
        "run grid: the iteration limit was reached before the tolerance; raise maxiter",
    ),
    "not finite": (
        ["--set", "time.dt=10", "--set", "time.t_end=20000"],
        5,
        "run grid: the solution grew beyond all bounds; an",
    ),
    "file as folder": (["--out", "case.toml/out"], 3, "Not a directory"),
}


@pytest.mark.parametrize("name", EXITS)
def test_every_failure_has_its_code_and_one_line(
    name: str, case: Path, neuralpde: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra, code, sentence = EXITS[name]
    monkeypatch.chdir(case.parent)
    done = neuralpde("run", case.name, *extra)
    assert done.code == code
    last = done.err.splitlines()[-1]
    assert sentence in last
    assert "Traceback" not in done.err
    if code in (4, 5):
        (folder,) = Path("runs").iterdir()
        _, solution = open_run(folder / "grid.h5")
        assert solution.status.name == {4: "MAXITER", 5: "UNSTABLE"}[code]
        assert sentence.removeprefix("run grid: ") in (folder / "report.md").read_text()


def test_missing_file_is_bad_data(neuralpde: Command) -> None:
    done = neuralpde("run", "nowhere.toml")
    assert (done.code, done.err) == (3, "nowhere.toml: expected a case file; there is none of that name.\n")


def test_a_fault_of_ours_is_one_sentence_with_a_hint(
    case: Path, neuralpde: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the floor\ngave way")

    monkeypatch.delenv("NEURALPDE_DEBUG", raising=False)
    monkeypatch.setattr("neuralpde.cases.run_case", broken)
    done = neuralpde("run", case)
    assert done.code == 1
    assert done.err == (
        "a fault in neuralpde: RuntimeError: the floor gave way; "
        "set NEURALPDE_DEBUG=1 for the traceback and report it.\n"
    )


OWN = {
    "name": ("import torhc\n", "line 1: ModuleNotFoundError: No module named 'torhc'"),
    "syntax": ("x = 1\nclass Mine(:\n", "line 2: invalid syntax."),
    "step": (
        "from neuralpde import Box, Problem\n\nclass Mine(Problem):\n    domain = Box((0.0,), (1.0,))\n\n"
        "    def rhs(self, t, x, u):\n        return u.value / nothing\n",
        "line 7, in rhs: NameError: name 'nothing' is not defined",
    ),
}


@pytest.mark.parametrize("name", OWN)
def test_faults_in_a_users_file_name_file_and_line(name: str, case: Path, neuralpde: Command) -> None:
    source, sentence = OWN[name]
    mine = case.parent / "mine.py"
    mine.write_text(source)
    done = neuralpde("run", case, "--set", "problem.name=mine.py:Mine")
    assert (done.code, done.err) == (2, f"{mine}, {sentence}\n")


def test_no_such_file_of_the_users(case: Path, neuralpde: Command) -> None:
    done = neuralpde("run", case, "--set", "problem.name=gone.py:Mine")
    expected = f"problem.name: expected a Python file; there is no {case.parent / 'gone.py'}; got 'gone.py:Mine'."
    assert (done.code, done.err) == (2, f"{case}: {expected}\n")


def test_a_users_file_goes_into_the_folder_with_the_run(case: Path, neuralpde: Command) -> None:
    (case.parent / "lib").mkdir()
    source = (
        "from dataclasses import dataclass\nfrom neuralpde import Box, Periodic, Problem\n\n\n@dataclass(frozen=True)\n"
        "class Decay(Problem):\n    rate: float = 1.0\n    domain: Box = Box((0.0,), (1.0,))\n"
        "    conditions: tuple = (Periodic(),)\n\n    def rhs(self, t, x, u):\n        return -self.rate * u.value\n\n"
        "    def initial(self, x):\n        return x * 0 + 1\n"
    )
    (case.parent / "lib" / "mine.py").write_text(source)
    out = case.parent / "out"
    settings = ("--set", "problem.name=lib/mine.py:Decay", "--set", "problem.rate=2")
    assert neuralpde("run", case, "--out", out, *settings).code == 0
    assert (out / "mine.py").read_text() == source
    assert tomllib.loads((out / "case.toml").read_text())["problem"] == {"name": "mine.py:Decay", "rate": 2}
    moved = out.rename(case.parent / "moved")
    assert open_run(moved / "grid.h5")[1].problem.name == "Decay"
    assert "not measured: no exact solution is known" in (moved / "report.md").read_text()


def test_errors_are_not_measured_against_another_problems_solution(case: Path, neuralpde: Command) -> None:
    out = case.parent / "out"
    conditions = "problem.conditions=[{kind='dirichlet', value=1.0}]"
    settings = ("--set", conditions, "--set", "run.grid.representation.order=6", "--set", "time.dt=0.001")
    done = neuralpde("run", case, "--out", out, *settings)
    assert done.code == 0, done.err
    assert "not measured: the exact solution does not meet the condition on x- at t = 0" in done.out


def test_errors_against_a_reference_run(case: Path, neuralpde: Command) -> None:
    text = case.read_text().replace("[output]", '[output]\nreference = "fine"')
    fine = '[[run]]\nname = "fine"\nrepresentation = {kind = "grid", shape = 32, order = "fourier"}\ndt = 0.001\n\n'
    case.write_text(text.replace("[output]", fine + "[output]"))
    out = case.parent / "out"
    done = neuralpde("run", case, "--out", out)
    assert done.code == 0, done.err
    rows = json.loads((out / "metrics.json").read_text())
    errors = {row["method"]: row["value"] for row in rows if row["metric"] == "rel_l2"}
    assert set(errors) == {"grid"}
    assert errors["grid"] < 1e-6


def test_help_is_quick_and_loads_no_torch() -> None:
    code = (
        "import sys\nfrom neuralpde.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit as end:\n"
        "    assert not end.code\nassert 'torch' not in sys.modules\n"
    )
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert time.perf_counter() - begin < 2.0  # 0.2 s on a machine that does nothing else
    assert all(name in done.stdout for name in ("run", "list", "info", "plot", "doctor", "bench"))
