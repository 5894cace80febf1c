"""The page on plug-ins runs as it stands."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "plugins.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.S)


def test_the_page_shows_three_scripts() -> None:
    assert ["petsc4py" in block for block in BLOCKS] == [False, False, True]


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_scripts_run(number: int, tmp_path: Path) -> None:
    block = BLOCKS[number]
    if "petsc4py" in block and importlib.util.find_spec("petsc4py") is None:
        pytest.skip("petsc4py is not installed: see docs/plugins.md")
    done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    if "print(" in block:
        iterations = int(re.findall(r"^(\d+)", done.stdout)[0])
        assert iterations <= 12
