"""A course's projection method, sped up by changing three lines: seconds of the whole script against its other solvers.

The script is ``examples/projection.py`` of a checkout: flow past a square on a grid of n × n cells, NumPy and
``scipy.sparse.linalg.cg`` with the pressure of the step before as its first guess. Each method changes the lines that
import, set up and solve, and nothing else; what can be set up once is set up once. All solve to 1e-6 of the right-hand
side; ``seconds`` is processor time of one thread for the whole script, imports apart, the least of repeats in which the
methods take turns.

``three lines (M)`` keeps SciPy's CG and gives it a preconditioner, ``three lines (Solver)`` takes the package's solver
in its place. ``speed_up`` is the seconds of the script as it is over those of the method; ``over_three_lines`` and
``over_solver`` the seconds of the method over those of these two;
``pressure`` the seconds that remain above a script that solves nothing; ``velocity_difference`` the largest relative
difference of u and v in the end from those of a direct solver. ``first_call`` is what compiling, or loading what an
earlier process compiled, adds to the first script of a process, ``imports`` what importing the plug-in does.

Rows of PETSc are there where petsc4py imports (docs/plugins.md tells how to get it).
"""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import neuralpde
from neuralpde.benches._one_process import in_a_process
from neuralpde.benches._projection_methods import NO_PRESSURE, OTHERS, PLAIN, REFERENCE, SOLVER, THREE_LINES, Change
from neuralpde.benches._rows import Row
from neuralpde.types import DataError

CASES = ((128, 50), (256, 40), (512, 20))
"""Cells along each side, and time steps."""

QUICK = ((24, 2),)
REPEATS, SLOW = 5, 5.0
"""Runs of each method, and seconds beyond which one is enough."""


def script() -> str:
    """The text of the example.

    Raises:
        DataError: where the package is installed without its checkout.
    """
    path = Path(neuralpde.__file__).resolve().parent.parent / "examples" / "projection.py"
    if not path.is_file():
        raise DataError(f"{path}: this bench runs an example of the repository; run it in a checkout.")
    return path.read_text()


def run(change: Change, cells: int, steps: int) -> tuple[float, dict[str, Any]]:
    """Seconds of the changed script, and its variables in the end."""
    text = compile(change.applied(script()), change.name, "exec")
    import_all(change)
    names: dict[str, Any] = {}
    arguments, sys.argv = sys.argv, ["projection.py", str(cells), str(steps)]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            begin = time.process_time()
            exec(text, names)
            seconds = time.process_time() - begin
    finally:
        sys.argv = arguments
    for name in ("ksp", "matrix", "px", "pb"):  # PETSc's belong destroyed before the interpreter ends
        if name in names:
            names.pop(name).destroy()
    return seconds, names


def import_all(change: Change) -> None:
    """Import what a change imports, so that its seconds don't."""
    exec(change.imports, {})


def in_turns(changes: Sequence[Change], cells: int, steps: int, repeats: int) -> Iterator[tuple[Change, float, Any]]:
    """Each change with its least seconds, of fewer runs where they are slow, and its variables in the end."""
    found = {change: run(change, cells, steps) for change in changes}
    least = {change: seconds for change, (seconds, _) in found.items()}
    for _ in range(repeats - 1):
        for change in changes:
            if found[change][0] < SLOW:
                least[change] = min(least[change], run(change, cells, steps)[0])
    for change in changes:
        yield change, least[change], found[change][1]


def velocity_difference(names: dict[str, Any], reference: dict[str, Any]) -> float:
    """The larger of the relative differences of u and v."""
    pairs = [(names[c], reference[c]) for c in ("u", "v")]
    return max(float(np.linalg.norm(a - b) / np.linalg.norm(b)) for a, b in pairs)


def import_seconds() -> float:
    """What the plug-in adds to a script that imports NumPy and SciPy."""
    import resource  # not on every system, unlike the rest of this bench

    plain = "import numpy, scipy.sparse.linalg"

    def seconds(text: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", text], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    ours = min(seconds(f"{plain}, neuralpde.plugins.scipy") for _ in range(3))
    return ours - min(seconds(plain) for _ in range(3))


def case_rows(cells: int, steps: int, repeats: int) -> Iterator[Row]:
    """One grid: all methods."""
    case = f"{cells}^2, {steps} steps"
    reference = run(REFERENCE, cells, steps)[1]
    changes = [change for change in (NO_PRESSURE, THREE_LINES, SOLVER, PLAIN, *OTHERS) if not change.missing]
    for change in OTHERS:
        if change.missing:
            print(f"{case}: {change.name}: left out, {change.needs} is not installed", file=sys.stderr)
    runs = list(in_turns(changes, cells, steps, repeats))
    taken = {change: seconds for change, seconds, _ in runs}
    for change, seconds, names in runs:
        yield Row(case, change.name, "seconds", seconds, "s")
        if change is NO_PRESSURE:
            continue
        yield Row(case, change.name, "pressure", seconds - taken[NO_PRESSURE], "s")
        yield Row(case, change.name, "speed_up", taken[PLAIN] / seconds)
        yield Row(case, change.name, "over_three_lines", seconds / taken[THREE_LINES])
        yield Row(case, change.name, "over_solver", seconds / taken[SOLVER])
        yield Row(case, change.name, "velocity_difference", velocity_difference(names, reference))


def work(quick: bool) -> Iterator[Row]:
    """The rows, in the process that they are measured in."""
    torch.set_num_threads(1)
    first = run(SOLVER, 64, 2)[0] + run(THREE_LINES, 64, 2)[0]
    again = run(SOLVER, 64, 2)[0] + run(THREE_LINES, 64, 2)[0]
    yield Row("once a process", "neuralpde", "first_call", first - again, "s")
    if not quick:
        yield Row("once a process", "neuralpde", "imports", import_seconds(), "s")
    for cells, steps in QUICK if quick else CASES:
        yield from case_rows(cells, steps, 1 if quick else REPEATS)


def rows(quick: bool = False) -> Iterator[Row]:
    """Figures of all methods.

    Args:
        quick: a tiny grid.
    """
    return in_a_process(work, quick)
