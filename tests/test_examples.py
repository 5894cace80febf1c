"""Every example runs, in a folder of its own, from a clean process; Python ones are short and use public names only."""

from __future__ import annotations

import ast
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


def test_there_are_examples_of_both_kinds() -> None:
    assert len(SCRIPTS) >= 3
    assert len(CASES) >= 4
