"""HDF5 files: what is saved comes back, and what is damaged is refused and never half believed."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import stat
import subprocess
import sys
import time
import tracemalloc
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


def _killed_before_the_rename(path: Path) -> Path:
    """What a save leaves whose process is killed when everything is written."""
    child = os.fork()
    if child == 0:
        os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        save_arrays(path, ARRAYS, METADATA)
    os.waitpid(child, 0)
    (left,) = (file for file in path.parent.iterdir() if file.name.startswith(f".{path.name}."))
    return left


def test_the_next_save_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    path = tmp_path / "run [1].h5"
    left = _killed_before_the_rename(path)
    assert not path.exists()
    save_arrays(path, ARRAYS, METADATA)
    assert list(tmp_path.iterdir()) == [path], f"{left.name} is still there"
    assert same(load_arrays(path)[0])


def test_a_save_removes_nothing_else(tmp_path: Path) -> None:
    """Saves that may be going on, of this process, another one or another machine, and files of other runs stay."""
    path = tmp_path / "run.h5"
    left = _killed_before_the_rename(path)
    found = re.fullmatch(r"\.run\.h5\.([0-9a-f]{8})\.(\d+)\.([0-9a-f]{32})\.part", left.name)
    assert found
    machine, gone, letters = found.groups()
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    names = [
        f".run.h5.{machine}.{other.pid}.{letters}.part",
        f".run.h5.{machine}.{os.getpid()}.{letters}.part",
        f".run.h5.{'0' * 8}.{gone}.{letters}.part",
        f".second-run.h5.{machine}.{gone}.{letters}.part",
        f".run.h5.h5.{machine}.{gone}.{letters}.part",
        f".run.h5.{machine}.{gone}.{letters}.part.txt",
        f".run.h5.{letters}.part",
        f".run.h5.{machine}.{10**30}.{letters}.part",
    ]
    try:
        for name in names:
            (tmp_path / name).write_bytes(b"half")
        save_arrays(path, ARRAYS, METADATA)
    finally:
        other.communicate()
    assert {file.name for file in tmp_path.iterdir()} == {"run.h5", *names}


def test_the_rename_is_flushed_after_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = []
    flush, rename = os.fsync, os.replace

    def record_flush(handle: int) -> None:
        status = os.fstat(handle)
        folder = stat.S_ISDIR(status.st_mode)
        events.append("folder" if folder and status.st_ino == tmp_path.stat().st_ino else "file")
        flush(handle)

    def record_rename(old: Path, new: Path) -> None:
        events.append("rename")
        rename(old, new)

    monkeypatch.setattr(os, "fsync", record_flush)
    monkeypatch.setattr(os, "replace", record_rename)
    save_arrays(tmp_path / "run.h5", ARRAYS, METADATA)
    assert events == ["file", "rename", "folder"]


def test_a_disk_that_cannot_flush_folders_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flush = os.fsync

    def refuse_folders(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(22, "Invalid argument")
        flush(handle)

    monkeypatch.setattr(os, "fsync", refuse_folders)
    assert same(load_arrays(save_arrays(tmp_path / "run.h5", ARRAYS, METADATA))[0])


def test_files_are_sealed_and_checked_in_pieces(tmp_path: Path) -> None:
    """A save needs no second copy of its arrays, and reading needs the arrays alone."""
    arrays = {"states": np.zeros((4000, 1000))}
    size, path = arrays["states"].nbytes, tmp_path / "run.h5"
    tracemalloc.start()
    try:
        save_arrays(path, arrays, {})
        saving = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        load_arrays(path)
        reading = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert saving < 0.1 * size
    assert reading < 1.1 * size
