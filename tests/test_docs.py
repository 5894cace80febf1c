"""The docs say what the code does: the support table is the tests' own, code runs, links lead somewhere."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_support_table_is_current() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "support_table.py"))["page"]
    assert (ROOT / "docs" / "support.md").read_text() == page(), "run `make support`"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert target.startswith("http") or (page.parent / target).exists(), f"{page.name}: {target}"


FIGURE = re.compile(r"\b(rel_l2|mae|max_error)\W+([-+.\w]+)")
"""An error as a summary prints it, or as a dictionary does."""


def _figures(text: str) -> list[tuple[str, float]]:
    return [(name, float(value)) for name, value in FIGURE.findall(text)]


def test_figures_are_found_however_they_are_printed() -> None:
    assert _figures("error: mae 4.25e+125, mse 1.0, rel_l2 nan") != []
    assert _figures("{'mae': 1.5e-05, 'rel_l2': 2e126}") == [("mae", 1.5e-05), ("rel_l2", 2e126)]


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", ROOT / "docs" / "start.md", ROOT / "docs" / "flows.md"], ids=lambda p: p.name
)
def test_python_of_the_first_pages_runs_and_is_right(page: Path, tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), flags=re.S)
    complete = [block for block in blocks if block.startswith(("from neuralpde", "import"))]
    assert complete
    figures = list[tuple[str, float]]()
    for block in complete:
        command = [sys.executable, "-c", block]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert ("summary()" in block) == ("steps to t" in done.stdout)
        figures += _figures(done.stdout)
    assert "rel_l2" in dict(figures), "no page shows a solve without its error"
    for name, value in figures:
        assert value <= 0.1, f"{page.name} prints {name} {value:g}"  # nan is not
        assert name != "rel_l2" or value <= 0.05


def test_architecture_page_lists_every_room() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rooms = {p.name for p in (ROOT / "neuralpde").iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    assert not {room for room in rooms if f"`{room}/`" not in page}


def test_the_page_on_meshes_runs(tmp_path: Path) -> None:
    (tmp_path / "meshes").symlink_to(ROOT / "meshes")
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "meshes.md").read_text(), flags=re.S)
    done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == re.findall(r"# (MeshDomain.*)", block)[0]
    assert (tmp_path / "plate.png").stat().st_size > 10_000 and (tmp_path / "plate_0000.vtu").exists()


def test_the_page_on_elastic_bodies_runs(tmp_path: Path) -> None:
    (tmp_path / "meshes").symlink_to(ROOT / "meshes")
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "elasticity.md").read_text(), flags=re.S)
    done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "True"
    assert (tmp_path / "cook.png").stat().st_size > 10_000 and (tmp_path / "cook_0000.vtu").exists()


def _run_case(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "case.toml").write_text(text)
    command = [sys.executable, "-m", "neuralpde.cli", "run", "case.toml", "--out", "out"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def test_the_ten_lines_of_the_page_on_meshes_run(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "meshes.md").read_text(), flags=re.S)
    assert len([line for line in block.splitlines() if line]) <= 10
    shutil.copy(ROOT / "meshes" / "plate_with_holes.msh", tmp_path)
    done = _run_case(block, tmp_path)
    assert done.returncode == 0, done.stderr
    assert {"P2.png", "P2.pvd", "mesh"} <= {file.name for file in (tmp_path / "out").iterdir()}


def test_the_mesh_of_the_readme_runs(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S)
    shutil.copy(ROOT / "meshes" / "plate_with_holes.msh", tmp_path / "plate.msh")
    rest = '[time]\nintegrator = "sdirk4"\ndt = 0.1\nt_end = 0.2\n[output]\nplot = false\nanimate = false\n'
    run = '[[run]]\nname = "P1"\nrepresentation = {kind = "finite_element", degree = 1}\n'
    done = _run_case(block + rest + run, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "completed" in done.stdout
