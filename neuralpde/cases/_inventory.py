"""What there is: parts and benches by name, and what a file holds."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from neuralpde import benches
from neuralpde.benches._rows import as_json, print_table, shown
from neuralpde.cases._build import load_study
from neuralpde.cases._folder import CASE, is_run_folder
from neuralpde.cases._mesh_info import mesh_lines
from neuralpde.cases._mistakes import unknown_name
from neuralpde.cases._open import run_files
from neuralpde.cases._problem import CONDITIONS
from neuralpde.geometry import read_mesh
from neuralpde.integrators import INTEGRATORS
from neuralpde.io import load_arrays
from neuralpde.plot import mesh_picture
from neuralpde.problems import PROBLEMS
from neuralpde.representations import REPRESENTATIONS
from neuralpde.types import DataError, Status, UsageError


def first_line(text: str | None) -> str:
    """The first line of a docstring."""
    return (inspect.cleandoc(text or "").splitlines() or [""])[0]


def bench_files() -> dict[str, Path]:
    """Bench modules by their names on the command line."""
    files = sorted(file for folder in benches.__path__ for file in Path(folder).glob("[!_]*.py"))
    return {file.stem.replace("_", "-"): file for file in files}


def inventory() -> None:
    """Print problems, conditions, representations, integrators and benches, one line each."""
    console = Console()
    parts: dict[str, dict[str, str]] = {
        "problems": {name: first_line(thing.__doc__) for name, thing in PROBLEMS.items()},
        "conditions": {name: first_line(thing.__doc__) for name, thing in CONDITIONS.items()},
        "representations": {name: first_line(thing.__doc__) for name, thing in REPRESENTATIONS.items()},
        "integrators": {name: first_line(thing.__doc__) for name, thing in INTEGRATORS.items()},
        # parsed, not imported: a bench may need much, and the list needs a line of it
        "benches": {name: first_line(ast.get_docstring(ast.parse(f.read_text()))) for name, f in bench_files().items()},
    }
    for title, entries in parts.items():
        table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
        for name, line in entries.items():
            table.add_row(name, line)
        console.print(table)
        console.print()


def run_bench(name: str, json: bool, quick: bool) -> None:
    """Run a bench and print its tables, its rows on stderr as they come; as JSON, nothing else goes to stdout.

    Raises:
        UsageError: for a name that no bench has.
    """
    known = bench_files()
    if name not in known:
        raise UsageError(f"bench: {unknown_name(name, list(known), quoted=True)}")
    module = importlib.import_module(f"neuralpde.benches.{known[name].stem}")
    if not json:
        print_table(name, shown(module.rows(quick=quick), Console(stderr=True)))
        return
    with contextlib.redirect_stdout(sys.stderr):
        text = as_json(module.rows(quick=quick))
    print(text)


def describe_path(path: Path, picture: Path | None = None) -> bool:
    """Print what a case file, a run file, a run folder or a mesh holds.

    Args:
        path: of it; what is neither ``.toml`` nor ``.h5`` nor a folder is a mesh.
        picture: of a mesh, or of a case's problem, where one is wanted.

    Returns:
        Whether it is intact: a mesh may be read and broken all the same.

    Raises:
        UsageError: for a picture of something else.
        DataError: if it is missing, damaged, or something else.
    """
    console = Console()
    if path.is_file() and path.suffix not in (".toml", ".h5"):
        return _describe_mesh(console, path, picture)
    if picture is not None and (path.suffix != ".toml" or not path.is_file()):
        raise UsageError(f"--plot {picture}: expected a mesh or a case file before it; got {path}.")
    _describe_case_or_run(console, path)
    if picture is not None:
        console.print(str(load_study(path).problem.plot(picture)), highlight=False, soft_wrap=True)
    return True


def _describe_mesh(console: Console, path: Path, picture: Path | None) -> bool:
    lines, intact = mesh_lines(path)
    _print(console, lines)
    if picture is not None:
        console.print(str(mesh_picture(read_mesh(path), picture, path.name)), highlight=False, soft_wrap=True)
    return intact


def _describe_case_or_run(console: Console, path: Path) -> None:
    if path.suffix == ".toml":
        _print(console, _case_lines(path))
        return
    if path.is_dir() and not is_run_folder(path):
        raise DataError(f"{path}: expected a run folder; it has no {CASE}.")
    if path.is_dir():
        _print(console, [f"run folder {path}", *_case_lines(path / CASE)])
    for file in run_files(path):
        _print(console, _run_lines(file))


def _print(console: Console, lines: Iterable[str]) -> None:
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _case_lines(path: Path) -> list[str]:
    study = load_study(path)
    lines = [f"case {path}", f"  problem  {study.problem}"]
    for run in study.all_runs:
        r = run.representation
        label = "reference" if run is study.reference_run else f"run      {run.name}:"
        how = repr(run.integrator) if run.integrator is not None else "steady"
        times = ", ".join(f"{k} = {v:g}" for k, v in run.times.items())
        lines.append(f"  {label} {type(r).__name__}, {r.num_dofs} dofs, {run.method}, {how} {times}".rstrip())
    return lines


def _run_lines(path: Path) -> list[str]:
    arrays, meta = load_arrays(path)
    times, status = arrays["times"], Status[meta["status"]]
    case: dict[str, Any] = meta.get("case") or {}
    options = ", ".join(f"{k} = {v}" for k, v in meta["representation"].items() if k != "kind")
    steps = len(arrays["step_residual"])
    return [
        f"run file {path}",
        f"  case            {case.get('name', 'none')}, run {case.get('run', 'none')}",
        f"  problem         {meta['problem']}",
        f"  representation  {meta['representation']['kind']}: {options} ({meta['num_dofs']} dofs)",
        f"  status          {status.name}: {status.sentence()}",
        f"  times           {len(times)} saved, t = {times[0]:g} … {times[-1]:g}, {steps} steps",
        f"  seconds         {meta['setup_seconds']:.2f} set-up + {meta['solve_seconds']:.2f} solve",
        f"  checksum        matches ({len(arrays)} arrays and the metadata)",
    ]
