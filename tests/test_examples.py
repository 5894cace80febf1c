"""Every example runs, in a folder of its own, from a clean process; Python ones are short and use public names only."""

from __future__ import annotations

import ast
import csv
import difflib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
CASES = sorted(EXAMPLES.glob("*.toml"))


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.stem)
def test_script_runs(script: Path, tmp_path: Path) -> None:
    done = run([sys.executable, str(script)], tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(script.read_text().splitlines()) <= 60
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("neuralpde"):
            assert not any(part.startswith("_") for part in node.module.split("."))
            assert not any(alias.name.startswith("_") for alias in node.names)


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.stem)
def test_case_runs(case: Path, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    (tmp_path / "meshes").symlink_to(EXAMPLES.parent / "meshes")
    done = run([sys.executable, "-m", "neuralpde.cli", "run", f"examples/{case.name}", "--out", "out"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert {"report.md", "metrics.json", "environment.json"} <= {p.name for p in (tmp_path / "out").iterdir()}
    assert list((tmp_path / "out").glob("*.png"))


def run_changed(name: str, folder: Path, *changes: str) -> None:
    """A case file as it stands, with some of its values changed, into ``folder``."""
    options = [word for change in changes for word in ("--set", change)]
    command = [sys.executable, "-m", "neuralpde.cli", "run", str(EXAMPLES / name), "--out", str(folder), *options]
    done = run(command, EXAMPLES)
    assert done.returncode == 0, done.stderr


NETWORK = '{kind = "neural_field", hidden = [8, 8]}'


def test_tension_on_a_network(tmp_path: Path) -> None:
    """What the case file tells of, with a smaller network and fewer iterations."""
    fit = "run.P1.fit={maxiter = 40, settle = false, accept = 0.5}"
    run_changed("tension.toml", tmp_path / "out", f"run.P1.representation={NETWORK}", fit)
    rows = json.loads((tmp_path / "out" / "metrics.json").read_text())
    found = {row["metric"]: row["value"] for row in rows if row["method"] == "P1"}
    assert found["dofs"] == 130
    assert found["rel_l2"] < 0.2, "the boundary data alone are 0.24 off"


def test_collision_on_a_network(tmp_path: Path) -> None:
    """A first step on the disc: motion, gap and force are those of finite elements."""
    times = ("time.dt=0.025", "time.t_end=0.025")
    run_changed("collision.toml", tmp_path / "elements", *times)
    run_changed("collision.toml", tmp_path / "network", f"run.P2.representation={NETWORK}", *times)
    last = []
    for name in ("elements", "network"):
        with (tmp_path / name / "P2-energies.csv").open() as table:
            last.append({key: float(value) for key, value in list(csv.DictReader(table))[-1].items()})
    elements, network = last
    assert network["kinetic"] == pytest.approx(elements["kinetic"], rel=0.02)
    assert network["contact_force_y"] == pytest.approx(elements["contact_force_y"], rel=0.15)
    assert 0 < network["contact_gap"] < 0.02


def test_three_lines_change_the_projection_method(tmp_path: Path) -> None:
    """Two new ones and an argument; both scripts print the same flow."""
    plain, fast = ((EXAMPLES / name).read_text().splitlines() for name in ("projection.py", "projection_fast.py"))
    changes = [line for line in difflib.ndiff(plain, fast) if line[0] in "+-" and line[1:].strip()]
    assert [line[0] for line in changes] == ["+", "+", "-", "+"]
    assert "import as_preconditioner" in changes[0] and "as_preconditioner(A" in changes[1]
    assert changes[3][2:] == changes[2][2:].replace("rtol=1e-6)", "rtol=1e-6, M=M)")
    words = [
        run([sys.executable, str(EXAMPLES / name)], tmp_path).stdout for name in ("projection.py", "projection_fast.py")
    ]
    assert words[0].split(", divergence")[0] == words[1].split(", divergence")[0] != ""


def test_there_are_examples_of_both_kinds() -> None:
    assert len(SCRIPTS) >= 3
    assert len(CASES) >= 4
