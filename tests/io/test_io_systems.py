"""Pressure systems in files: what is read is what was written, and data sets are split by family."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import h5py
import pytest

from neuralpde.io import load_systems, save_arrays, save_systems, systems_metadata
from neuralpde.systems import SPLITS, pressure_system
from neuralpde.types import DataError

SCRIPT = Path(__file__).parents[2] / "datasets" / "pressure_systems.py"


def test_systems_come_back_as_they_were(tmp_path: Path) -> None:
    made = [pressure_system(family, grid, 4) for family in ("circles", "jump blobs") for grid in ((9, 12), (5, 6, 7))]
    file = save_systems(tmp_path / "new" / "systems.h5", iter(made), {"part": "train"})
    assert systems_metadata(file)["count"] == 4 and systems_metadata(file)["part"] == "train"
    for one, two in zip(made, load_systems(file), strict=True):
        assert (one.name, one.family, one.seed, one.frame) == (two.name, two.family, two.seed, two.frame)
        assert (one.rhs == two.rhs).all() and one.rhs.dtype == two.rhs.dtype and one.grid == two.grid
        assert (one.operator.to_csr() != two.operator.to_csr()).nnz == 0


def test_files_are_compressed_and_open_elsewhere(tmp_path: Path) -> None:
    system = pressure_system("rooms", (128, 128), 0)
    file = save_systems(tmp_path / "a.h5", [system])
    assert file.stat().st_size < 0.6 * 4 * 8 * 128**2
    with h5py.File(file) as h5:
        group = h5["000000"]
        assert group["rhs"].shape == (128, 128) and group.attrs["family"] == "rooms" and group.attrs["version"] == 1
        assert len(group.attrs["hash"]) == 64


def test_other_and_damaged_files_are_refused(tmp_path: Path) -> None:
    run = save_arrays(tmp_path / "run.h5", {}, {"problem": "heat"})
    with pytest.raises(DataError, match="holds no pressure systems"):
        list(load_systems(run))
    with pytest.raises(DataError, match="there is no file"):
        list(load_systems(tmp_path / "none.h5"))
    file = save_systems(tmp_path / "a.h5", [pressure_system("circles", (8, 8))])
    raw = bytearray(file.read_bytes())
    raw[-9] ^= 1
    file.write_bytes(raw)
    with pytest.raises(DataError, match="is damaged"):
        list(load_systems(file))


@pytest.mark.parametrize("grid", ["axb", "64", "3x64", "8x8x8x8", "8.5x8"])
def test_the_script_refuses_what_is_no_grid(
    grid: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["pressure_systems.py", str(tmp_path), "--grid", grid])
    with pytest.raises(SystemExit, match="2"):
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert f"2 or 3 axes of at least 4 cells, such as 64x64, got {grid!r}" in capsys.readouterr().err


def test_the_script_splits_by_family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["pressure_systems.py", str(tmp_path), "--grid", "12x14", "--count", "1", "--frames", "2"]
    monkeypatch.setattr(sys, "argv", words)
    runpy.run_path(str(SCRIPT), run_name="__main__")
    seen = {part: [system.family for system in load_systems(tmp_path / f"{part}.h5")] for part in SPLITS}
    assert {part: set(families) for part, families in seen.items()} == {p: set(f) for p, f in SPLITS.items()}
    assert seen["train"].count("circles") == 2 and seen["test"].count("rooms") == 1
