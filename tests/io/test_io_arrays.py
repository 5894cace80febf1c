"""HDF5 files: what is saved comes back, and what is damaged is refused and never half believed."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from neuralpde.cli import main
from neuralpde.io import load_arrays, save_arrays
from neuralpde.types import DataError

ARRAYS = {
    "states": np.linspace(0, 1, 60).reshape(3, 20),
    "single": np.float32([1.5, -2.5]),
    "steps": np.arange(3),
    "empty": np.zeros((0, 4)),
}
METADATA = {"problem": "Heat", "nested": {"α": [1, None, True]}, "text": "Ω → R"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return save_arrays(tmp_path / "run.h5", ARRAYS, METADATA)


def same(arrays: dict[str, np.ndarray]) -> bool:
    return set(arrays) == set(ARRAYS) and all(
        np.array_equal(arrays[k], v) and arrays[k].dtype == v.dtype for k, v in ARRAYS.items()
    )


def test_what_is_saved_comes_back(file: Path) -> None:
    arrays, metadata = load_arrays(file)
    assert same(arrays)
    assert metadata == METADATA
    assert [path.name for path in file.parent.iterdir()] == ["run.h5"]


def test_others_may_read_the_file_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        path = save_arrays(tmp_path / "run.h5", ARRAYS, METADATA)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_saving_again_replaces_the_file(file: Path) -> None:
    save_arrays(file, {"one": np.ones(1)}, {"version": 2})
    arrays, metadata = load_arrays(file)
    assert set(arrays) == {"one"}
    assert metadata == {"version": 2}


def test_a_failed_save_leaves_the_old_file(file: Path) -> None:
    with pytest.raises(TypeError):
        save_arrays(file, {"one": np.ones(1)}, {"what": object()})
    assert same(load_arrays(file)[0])
    assert len(list(file.parent.iterdir())) == 1


def refused(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The sentence with which reading refuses a file, in Python and on the command line (exit code 3)."""
    with pytest.raises(DataError) as caught:
        load_arrays(path)
    with pytest.raises(SystemExit) as end:
        main(["info", str(path)])
    assert end.value.code == 3
    assert capsys.readouterr().err == f"{caught.value}\n"
    return str(caught.value)


DAMAGED = "is damaged: its checksum does not match; restore a copy."


def test_a_flipped_bit_in_an_array(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray(file.read_bytes())
    data[data.index(ARRAYS["states"].tobytes()) + 100] ^= 1
    file.write_bytes(data)
    assert DAMAGED in refused(file, capsys)


def test_changed_metadata(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(file, "r+") as handle:
        handle.attrs["metadata"] = json.dumps({**METADATA, "problem": "Wave"})
    assert DAMAGED in refused(file, capsys)


@pytest.mark.parametrize("left", [600, 0.5, 0.95])
def test_a_truncated_file(left: float, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: int(left * len(data)) if left < 1 else int(left)])
    assert DAMAGED in refused(file, capsys)


def test_other_peoples_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, foreign, newer = tmp_path / "text.h5", tmp_path / "foreign.h5", tmp_path / "newer.h5"
    for content in ("# a report\n", ""):
        text.write_text(content)
        assert refused(text, capsys) == f"{text} is not a run of neuralpde."
    with h5py.File(foreign, "w") as handle:
        handle.create_group("group").create_dataset("x", data=[1.0])
    assert refused(foreign, capsys) == f"{foreign} is an HDF5 file, but not a run of neuralpde."
    save_arrays(newer, ARRAYS, METADATA)
    newer.write_bytes(newer.read_bytes().replace(b"format 1 ", b"format 99 ", 1))
    assert "was written by a newer neuralpde (format 99); update it" in refused(newer, capsys)


@pytest.mark.parametrize("what", ["array", "renamed", "group"])
def test_a_lost_renamed_or_foreign_part(what: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(file, "r+") as handle:
        if what == "array":
            del handle["states"]
        elif what == "renamed":
            handle.move("states", "stages")
        else:
            handle.create_group("more")
    assert DAMAGED in refused(file, capsys)


def test_any_flipped_bit_is_noticed(file: Path) -> None:
    """HDF5's own reader can hang on such a file, so it must never see one."""
    good, chance = file.read_bytes(), random.Random(0)
    for _ in range(300):
        data = bytearray(good)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        file.write_bytes(data)
        with pytest.raises(DataError):
            load_arrays(file)


def test_any_reader_opens_the_file(file: Path) -> None:
    with h5py.File(file, "r") as handle:
        assert np.array_equal(handle["states"], ARRAYS["states"])


def test_killed_while_saving_thirty_times(tmp_path: Path) -> None:
    """After each kill −9 the file is whole: the last version that the child told of, or a later one."""
    path, chance = tmp_path / "run.h5", random.Random(1)
    version, halves = 0, 0
    save_arrays(path, {"states": np.full((100, 1000), version)}, {"version": version})
    for _ in range(30):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            _save_for_ever(path, version, writer)
        os.close(writer)
        os.read(reader, 4)  # it is at work
        time.sleep(chance.uniform(0, 0.02))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        told = [int.from_bytes(chunk, "big") for chunk in iter(lambda r=reader: os.read(r, 4), b"")]  # type: ignore[misc]
        os.close(reader)
        arrays, metadata = load_arrays(path)
        assert metadata["version"] >= max(told, default=version)
        assert np.array_equal(arrays["states"], np.full((100, 1000), metadata["version"]))
        version = metadata["version"]
        halves += len(list(tmp_path.glob(".*.part")))
        for left in tmp_path.glob(".*.part"):
            left.unlink()
    assert version > 30
    assert halves > 5, "no kill hit a save: the test proves nothing"


def _save_for_ever(path: Path, version: int, writer: int) -> None:
    while True:
        version += 1
        save_arrays(path, {"states": np.full((100, 1000), version)}, {"version": version})
        os.write(writer, version.to_bytes(4, "big"))
