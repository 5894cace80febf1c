"""The house rules: floors, no cycles, file sizes, a quick and silent import, the top of the tree."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "neuralpde"

FLOORS = (
    ("types",),
    ("implicit",),
    ("networks", "geometry", "fields"),
    ("linalg",),
    ("optimize", "systems"),
    ("representations", "problems", "integrators"),
    ("constraints", "learned", "io", "plot"),
    ("dynamics",),
    ("simulate",),
    ("training", "generative", "differentiable"),
    ("benches", "plugins"),
    ("cases",),
    ("cli",),
    ("__main__",),
)
FLOOR = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
# `networks` return jets, so within their floor they may see `fields`; nothing else sees a neighbour.
NEIGHBOURS = {("networks", "fields")}
TOP = {
    "pyproject.toml",
    "neuralpde",
    "meshes",
    "datasets",
    "tests",
    "examples",
    "docs",
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "CITATION.cff",
    "Makefile",
    "constraints.txt",
    ".ci",
    ".gitignore",
}
OPTIONAL = {"torch_geometric", "meshio", "skfem", "pyamg", "gmsh", "pyvista", "petsc4py", "numba"}
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    """The room a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Absolute names that a file imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rooms_seen(path: Path) -> set[str]:
    """Our rooms that a file imports."""
    return {parts[1] for name in imports(path) if (parts := name.split("."))[0] == "neuralpde" and len(parts) > 1}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_only_from_floors_below(path: Path) -> None:
    here = room(path)
    if here == "__init__":
        return
    assert here in FLOOR, f"the room {here!r} stands on no floor; add it to docs/architecture.md and to FLOORS"
    seen = {r for r in rooms_seen(path) if r in FLOOR and r != here}
    wrong = sorted(r for r in seen if FLOOR[r] >= FLOOR[here] and (here, r) not in NEIGHBOURS)
    assert not wrong, f"{here} (floor {FLOOR[here]}) imports {wrong}"


def test_no_import_cycle_between_files() -> None:
    known = {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in FILES}
    edges: dict[str, set[str]] = {}
    for name, path in known.items():
        targets = set()
        tree = ast.parse(path.read_text())
        # imports inside functions run later and cannot make a cycle at import time
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    full = f"{node.module}.{alias.name}"
                    target = full if full in known else node.module
                    targets.add(target if target in known else f"{target}.__init__")
        edges[name] = {t for t in targets if t in known and t != name}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " → ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for target in edges[name]:
                visit(target, (*trail, name))
            done.add(name)

    for name in edges:
        visit(name, ())


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_hold_one_idea(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= 320, f"{lines} lines: when a file grows past 300 it holds two ideas"
    assert path.stem not in {"utils", "helpers", "manager", "misc", "common"}


def test_the_top_of_the_tree() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    assert {name.split("/")[0] for name in tracked if name} == TOP


def test_import_is_quick_and_silent() -> None:
    code = """
import json, os, sys, threading, time
import torch
state = (torch.get_default_dtype(), torch.get_num_threads(), torch.random.get_rng_state().sum().item())
before = time.process_time()  # what the import costs, however busy the machine is
import neuralpde
# names are imported on first use, so ask for every one
names = [getattr(neuralpde, name) for name in neuralpde.__all__]
seconds = time.process_time() - before
after = (torch.get_default_dtype(), torch.get_num_threads(), torch.random.get_rng_state().sum().item())
print(json.dumps({"seconds": seconds, "same": state == after, "threads": threading.active_count(),
                  "loaded": sorted(name.split(".")[0] for name in sys.modules)}))
"""
    seconds, loaded = [], set()
    for _ in range(3):
        done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
        report = json.loads(done.stdout)
        assert done.stderr == ""
        assert report["same"], "importing neuralpde changed torch's defaults"
        assert report["threads"] == 1
        seconds.append(report["seconds"])
        loaded = set(report["loaded"])
    assert min(seconds) < 1.0, f"import neuralpde took {min(seconds):.2f} s on top of torch's own import"
    assert not loaded & {*OPTIONAL, "matplotlib", "typer", "pydantic", "rich"}


def test_no_pickles() -> None:
    for path in FILES:
        names = imports(path)
        assert not names & {"pickle", "dill", "joblib"}, f"{path}: weights are safetensors, runs are HDF5"
