"""The case that the tests of the command line share, and the command itself, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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
initial_fit = {maxiter = 30, accept = 1.0}
fit = {maxiter = 4, accept = 1.0}
"""

GRID_CASE = CASE[: CASE.rindex("[[run]]")] + "\n[output]\nplot = false\nanimate = false\n"


def coarse_and_fine(t_end: float) -> str:
    """Runs of a flow on two staggered grids, the fine one up to an end of its own; no pictures."""
    return f"""\
[[run]]
name = "coarse"
representation = {{kind = "mac_grid", shape = 8}}

[[run]]
name = "fine"
representation = {{kind = "mac_grid", shape = 16}}
t_end = {t_end}

[output]
plot = false
animate = false
"""


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Done]


def start(*arguments: object, cwd: Path | None = None) -> subprocess.Popen[str]:
    """Starts ``neuralpde`` in a process of its own."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "neuralpde", *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=cwd, env=environment, stdout=pipe, stderr=pipe, text=True)
