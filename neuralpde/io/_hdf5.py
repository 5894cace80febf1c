"""Arrays and metadata in one HDF5 file, written atomically and checked on reading."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from neuralpde.io._write import replacing
from neuralpde.types import DataError

VERSION = 1
MAGIC = b"neuralpde-run "
BLOCK = 512
"""Bytes before the HDF5 part: HDF5 leaves a "user block" of this size to whoever writes the file."""


def _seal(file: BufferedReader | BufferedRandom) -> bytes:
    """The user block: what the file is, its format, and the SHA-256 of everything behind, which is read in pieces."""
    file.seek(BLOCK)
    line = MAGIC + f"format {VERSION} sha256 {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode()
    return line.ljust(BLOCK, b"\0")


def save_arrays(path: str | Path, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Path:
    """Write named arrays and JSON metadata, sealed by a SHA-256 of the whole.

    The file is written beside its place, flushed to disk and then renamed over it: whoever is killed in between leaves
    the old file or the new one, never half of one. What a killed save left beside its place is removed by the next one.
    Any HDF5 reader opens the file.

    Args:
        path: the file; its folder is made if it is missing.
        arrays: by name.
        metadata: anything that JSON can hold.
    """
    text = json.dumps(metadata)
    with sealed(path) as file:
        file.attrs["metadata"] = text
        for name, array in arrays.items():
            file.create_dataset(name, data=array)
    return Path(path)


@contextmanager
def sealed(path: str | Path) -> Iterator[h5py.File]:
    """An HDF5 file to write into, which gets its place and its checksum when the block ends well.

    Args:
        path: the file; its folder is made if it is missing.
    """
    with replacing(Path(path)) as temporary:
        with h5py.File(temporary, "w", userblock_size=BLOCK) as file:
            yield file
        with open(temporary, "rb+") as raw:
            block = _seal(raw)
            raw.seek(0)
            raw.write(block)


def check_seal(path: Path) -> None:
    """Refuse a file that is not what was written, before HDF5 sees it: its reader can hang on damaged files."""
    if not path.is_file():
        raise DataError(f"there is no file {path}.")
    with open(path, "rb") as file:
        head = file.read(BLOCK)
        if not head.startswith(MAGIC):
            known = "an HDF5 file, but not a run of neuralpde" if h5py.is_hdf5(path) else "not a run of neuralpde"
            raise DataError(f"{path} is {known}.")
        words = head.rstrip(b"\0").decode("ascii", "replace").split()
        if len(words) == 5 and words[2].isdigit() and int(words[2]) > VERSION:
            raise DataError(f"{path} was written by a newer neuralpde (format {words[2]}); update it.")
        if head != _seal(file):
            raise DataError(f"{path} is damaged: its checksum does not match; restore a copy.")


def load_arrays(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what :func:`save_arrays` wrote, and check its sum.

    Raises:
        DataError: if the file is missing, not HDF5, of another kind or version, or damaged.
    """
    path = Path(path)
    check_seal(path)
    try:
        with h5py.File(path, "r") as file:
            arrays = {name: np.asarray(data) for name, data in file.items()}
            return arrays, json.loads(str(file.attrs["metadata"]))
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a run of neuralpde: {error}.") from error
