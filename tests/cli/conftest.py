"""What the tests of the command line share: it runs as users run it, in one process or in a new one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from cli_command import CASE, GRID_CASE, Command, Done, start
from mesh_cases import MESH_CASE, write_square

from neuralpde.cli import main


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def neuralpde(capfd: pytest.CaptureFixture[str]) -> Command:
    """Calls ``main`` in this process."""

    def call(*arguments: object) -> Done:
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        out, err = capfd.readouterr()
        return Done(int(end.value.code or 0), out, err)

    return call


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Done]:
    """The folder of a finished run of ``CASE``, made in a new process, and what it printed."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "case.toml").write_text(CASE)
    process = start("run", "case.toml", "--out", "out", cwd=folder)
    out, err = process.communicate(timeout=120)
    return folder / "out", Done(process.returncode, out, err)


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A case file with a grid alone, and no pictures."""
    path = tmp_path / "case.toml"
    path.write_text(GRID_CASE)
    return path


@pytest.fixture
def mesh_case(tmp_path: Path) -> Path:
    """A case on a mesh of a square beside it, one side of which has a name."""
    write_square(tmp_path / "plate.msh")
    path = tmp_path / "case.toml"
    path.write_text(MESH_CASE)
    return path
