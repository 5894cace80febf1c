"""The run folder: where it is, the case as run, and the environment."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import torch

from neuralpde.cases._build import Study
from neuralpde.cases._document import Document, dump_document
from neuralpde.cases._domain import FOLDER, mesh_files, mesh_key, with_mesh
from neuralpde.cases._user_code import is_reference, split_reference
from neuralpde.types import UsageError

PACKAGES = ("torch", "numpy", "scipy", "h5py", "matplotlib", "pydantic", "typer", "rich", "meshio", "scikit-fem")
CASE, ENVIRONMENT, METRICS, REPORT = "case.toml", "environment.json", "metrics.json", "report.md"


def is_run_folder(path: Path) -> bool:
    """Whether a folder holds a run."""
    return (path / CASE).is_file() and (path / ENVIRONMENT).is_file()


def make_folder(out: Path | None, name: str, force: bool) -> Path:
    """A folder for a new run: ``out``, or one named by the case and the time under ``runs/``.

    A folder that is not empty is refused unless ``force``, also where it holds a run: results are never lost by
    repeating a command. Forcing overwrites files of the same names and deletes nothing.

    Raises:
        UsageError: for a folder that is not empty, or a file in its place.
    """
    if out is None:
        stamp = Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
        out, k = stamp, 1
        while out.exists():
            k += 1
            out = stamp.with_name(f"{stamp.name}-{k}")
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}: expected a folder; got a file.")
    if out.is_dir() and any(out.iterdir()) and not force:
        what, hint = "is not empty", "--force writes into it"
        if is_run_folder(out):
            what, hint = "holds a run", f"--restart {out} goes on with it, --force overwrites it"
        raise UsageError(f"--out {out}: expected a new or empty folder; this one {what} ({hint}).")
    out.mkdir(parents=True, exist_ok=True)
    return out


def write_start(folder: Path, study: Study, source: Path, settings: Sequence[str]) -> Document:
    """Write the case as it is run, the Python files and the mesh that it names, and the environment.

    Returns:
        The case's document as it stands in the folder.
    """
    copies = _copies(study.document, study.base)
    meshes = {path: f"{FOLDER}/{path.name}" for path in mesh_files(study.document, study.base)}
    for path, name in {**copies, **meshes}.items():
        if path != (folder / name).resolve():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(path.read_bytes())
    document = folder_document(study.document, study.base)
    if settings or document != study.document:
        header = "".join(f"# --set {setting}\n" for setting in settings)
        (folder / CASE).write_text(f"# {source}\n{header}\n{dump_document(document)}", encoding="utf-8")
    elif source.resolve() != (folder / CASE).resolve():
        (folder / CASE).write_bytes(source.read_bytes())
    (folder / ENVIRONMENT).write_text(json.dumps(environment(study), indent=1) + "\n", encoding="utf-8")
    return document


def folder_document(document: Document, base: Path) -> Document:
    """A case's document as it stands in its run folder: Python files and the mesh are the copies there.

    Args:
        document: of the case.
        base: folder that its files are relative to.
    """
    renamed: Document = _renamed(document, base, _copies(document, base))
    mesh = mesh_key(document)
    return renamed if mesh is None else with_mesh(renamed, f"{FOLDER}/{Path(mesh).name}")


def _references(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        return [found for item in value for found in _references(item)]
    return [value] if is_reference(value) else []


def _copies(document: Document, base: Path) -> dict[Path, str]:
    """Python files that the case names, and their names in the run folder."""
    out: dict[Path, str] = {}
    for text in _references(document):
        path, _ = split_reference(text, base)
        name, k = path.name, 1
        while name in out.values() and path not in out:
            k += 1
            name = f"{path.stem}_{k}.py"
        out.setdefault(path, name)
    return out


def _renamed(value: Any, base: Path, copies: Mapping[Path, str]) -> Any:
    if isinstance(value, dict):
        return {k: _renamed(v, base, copies) for k, v in value.items()}
    if isinstance(value, list):
        return [_renamed(v, base, copies) for v in value]
    if is_reference(value):
        path, name = split_reference(value, base)
        return f"{copies[path]}:{name}"
    return value


def versions() -> dict[str, str]:
    """Versions of what a result may depend on."""
    import neuralpde

    packages = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), "neuralpde": neuralpde.__version__, **packages}


def environment(study: Study) -> dict[str, Any]:
    """What a result may depend on beyond the case: versions, machine, threads, seeds."""
    return {
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": sys.argv,
        "versions": versions(),
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "cpu_count": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "devices": devices(),
        "seed": study.case.seed,
        "seeds": {
            run.name: {
                "representation": run.representation.config().get("seed"),
                "dynamics": run.options.get("seed"),
            }
            for run in study.all_runs
        },
    }


def devices() -> list[str]:
    """Devices that torch can use."""
    return ["cpu", *(torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count()))]
