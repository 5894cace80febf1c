"""Saved runs back from their files, with the problem that the file's own case describes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuralpde.cases._folder import is_run_folder
from neuralpde.cases._mistakes import Place
from neuralpde.cases._parameters import Reader
from neuralpde.cases._problem import build_problem
from neuralpde.cases._schema import REFERENCE, check_case
from neuralpde.io import load_arrays
from neuralpde.simulate import Solution, load_solution
from neuralpde.types import DataError


def saved_case(path: Path) -> dict[str, Any]:
    """``{"document", "run", "name"}`` of a run file that a case made.

    Raises:
        DataError: if the file is damaged, or was saved from Python without a case.
    """
    case = load_arrays(path)[1].get("case")
    if not isinstance(case, dict) or "document" not in case:
        raise DataError(f"{path} was saved without its case; open it in Python by load_solution(path, problem).")
    return case


def open_run(path: Path) -> tuple[str, Solution]:
    """A run's name and solution from its file; Python files that its case names must stand beside it.

    Raises:
        DataError: if the file is missing or damaged.
        UsageError: if a Python file that it needs is missing.
    """
    saved = saved_case(path)
    table = check_case(saved["document"], str(path)).problem
    problem = build_problem(table, Reader(path.resolve().parent), Place(str(path), "problem"))
    return saved["run"], load_solution(path, problem)


@dataclass(frozen=True)
class SavedRuns:
    """Runs from their files.

    Args:
        solutions: by the names of the runs.
        reference: what their case measures them against, where it is a complete run in the same folder.
        quantity: what their case shows; None for what comes first.
    """

    solutions: dict[str, Solution]
    reference: Solution | None
    quantity: str | None


def open_runs(path: Path) -> SavedRuns:
    """The run of a file, or those of a run folder without the run of the table ``[reference]``.

    Raises:
        DataError, UsageError: as :func:`open_run` and :func:`run_files`.
    """
    files = run_files(path)
    solutions = dict(open_run(file) for file in files)
    document = saved_case(files[0])["document"]
    output = document.get("output", {})
    name = REFERENCE if REFERENCE in document else output.get("reference")
    reference = solutions.get(name)
    if path.is_dir() and name == REFERENCE and len(solutions) > 1:
        solutions.pop(REFERENCE, None)
    beside = files[0].with_name(f"{name}.h5")
    if reference is None and beside.is_file() and saved_case(beside)["document"]["problem"] == document["problem"]:
        reference = open_run(beside)[1]
    if reference is not None and (not reference.status.ok or all(s is reference for s in solutions.values())):
        reference = None
    return SavedRuns(solutions, reference, output.get("quantity"))


def run_files(path: Path) -> list[Path]:
    """Run files of a run folder in the order of its case, or the file itself.

    Raises:
        DataError: for a folder without runs.
    """
    if not path.is_dir():
        if not path.exists():
            raise DataError(f"{path}: expected a run file or run folder; there is none of that name.")
        return [path]
    files = sorted(path.glob("*.h5"))
    if not files:
        what = "it has no finished run" if is_run_folder(path) else "it holds no .h5 file"
        raise DataError(f"{path}: expected a run folder; {what}.")
    order = [run["name"] for run in saved_case(files[0])["document"]["run"]]
    return sorted(files, key=lambda file: order.index(file.stem) if file.stem in order else len(order))
