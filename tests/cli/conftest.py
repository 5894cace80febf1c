"""What the tests of the command line share: it runs as users run it, in one process or in a new one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from neuralpde.cli import main

CASE = """\
[problem]
name = "heat"

[time]
integrator = "rk4"
dt = 0.005
t_end = 0.1

[[run]]
name = "grid"
representation = {kind = "grid", shape = 16, order = "fourier"}

[[run]]
name = "neural"
representation = {kind = "neural_field", hidden = [4, 4], steepness = 4}
integrator = "implicit_euler"
dt = 0.02
initial_fit = {maxiter = 30}
fit = {maxiter = 4}
"""

GRID_CASE = CASE[: CASE.rindex("[[run]]")] + "\n[output]\nplot = false\nanimate = false\n"


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def neuralpde(capfd: pytest.CaptureFixture[str]) -> Command:
    """Calls ``main`` in this process."""

    def call(*arguments: object) -> Done:
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        out, err = capfd.readouterr()
        return Done(int(end.value.code or 0), out, err)

    return call


def start(*arguments: object, cwd: Path | None = None) -> subprocess.Popen[str]:
    """Starts ``neuralpde`` in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "neuralpde.cli", *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=cwd, env=environment, stdout=pipe, stderr=pipe, text=True)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """The folder of a finished run of ``CASE``, made in a new process, and what it printed."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "case.toml").write_text(CASE)
    process = start("run", "case.toml", "--out", "out", cwd=folder)
    out, err = process.communicate(timeout=120)
    return folder / "out", Done(process.returncode, out, err)


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A case file with a grid alone, and no pictures."""
    path = tmp_path / "case.toml"
    path.write_text(GRID_CASE)
    return path
