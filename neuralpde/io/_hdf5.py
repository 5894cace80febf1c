"""Arrays and metadata in one HDF5 file, written atomically and checked on reading."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from neuralpde.types import DataError

FORMAT = "neuralpde-run"
VERSION = 1


def _digest(name: str, array: np.ndarray) -> str:
    """SHA-256 of an array's name, type, shape and bytes."""
    sha = hashlib.sha256(f"{name} {array.dtype.str}{array.shape}".encode())
    sha.update(np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def _digest_of_contents(text: str, names: Iterable[str]) -> str:
    """SHA-256 of the metadata and of which arrays there are: one that is lost or renamed is noticed too."""
    return hashlib.sha256(json.dumps([text, sorted(names)]).encode()).hexdigest()


def save_arrays(path: str | Path, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> Path:
    """Write named arrays and JSON metadata, with a SHA-256 of each.

    The file is written beside its place, flushed to disk and then renamed over it: whoever is killed in between leaves
    the old file or the new one, never half of one.

    Args:
        path: the file; its folder is made if it is missing.
        arrays: by name.
        metadata: anything that JSON can hold.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # not mkstemp, whose files only their owner may read, also after the rename
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        text = json.dumps(metadata)
        with h5py.File(temporary, "w") as file:
            file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
            file.attrs["metadata"] = text
            file.attrs["metadata_sha256"] = _digest_of_contents(text, arrays)
            for name, array in arrays.items():
                data = file.create_dataset(name, data=array)
                data.attrs["sha256"] = _digest(name, np.asarray(array))
        with open(temporary, "rb+") as file_to_flush:
            os.fsync(file_to_flush.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path


def load_arrays(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Read what :func:`save_arrays` wrote, and check every sum.

    Raises:
        DataError: if the file is missing, not HDF5, of another kind or version, or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"there is no file {path}.")
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise DataError(f"{path} is an HDF5 file but not a run of neuralpde.")
            if int(file.attrs["version"]) > VERSION:
                raise DataError(f"{path} was written by a newer neuralpde (format {file.attrs['version']}); update it.")
            strange = [name for name, data in file.items() if not isinstance(data, h5py.Dataset)]
            if strange:
                raise DataError(f"{path} is damaged: {', '.join(strange)} is not an array; restore a copy.")
            text = str(file.attrs["metadata"])
            arrays = {name: np.asarray(data) for name, data in file.items()}
            sums = {name: str(data.attrs["sha256"]) for name, data in file.items()}
            whole = _digest_of_contents(text, arrays) == file.attrs["metadata_sha256"]
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise DataError(f"{path} cannot be read as a run of neuralpde: {error}.") from error
    damaged = [name for name in arrays if _digest(name, arrays[name]) != sums[name]] + ([] if whole else ["metadata"])
    if damaged:
        raise DataError(f"{path} is damaged: the checksum of {', '.join(damaged)} does not match; restore a copy.")
    return arrays, json.loads(text)
