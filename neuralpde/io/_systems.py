"""Linear systems in HDF5: as many as a disk holds, compressed, written and read one at a time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from neuralpde.io._hdf5 import check_seal, sealed
from neuralpde.linalg import StencilOperator
from neuralpde.systems import VERSION, PressureSystem
from neuralpde.types import DataError

KIND = "pressure systems"


def save_systems(path: str | Path, systems: Iterable[PressureSystem], metadata: dict[str, Any] | None = None) -> Path:
    """Write pressure systems, each into a group of its own; what comes from a generator is never held as a whole.

    A group holds ``weights_0``, …, ``excess`` and ``rhs`` of the shape of the grid, gzipped, and as attributes name,
    family, seed, frame, version (of the generators) and hash, the SHA-256 of its numbers.

    Args:
        path: the file, sealed and written atomically as all of ours.
        systems: to write.
        metadata: anything that JSON can hold, such as the split.

    Example:
        >>> import tempfile
        >>> from neuralpde.systems import pressure_system
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = save_systems(f"{folder}/a.h5", [pressure_system("circles", (8, 8))])
        ...     [system.name for system in load_systems(file)]
        ['circles 8x8, seed 0']
    """
    with sealed(path) as file:
        count = 0
        for count, system in enumerate(systems, 1):
            _put(file.create_group(f"{count - 1:06d}"), system)
        file.attrs["metadata"] = json.dumps({**(metadata or {}), "kind": KIND, "count": count})
    return Path(path)


def systems_metadata(path: str | Path) -> dict[str, Any]:
    """What was saved beside the systems of a file, and their ``count``.

    Raises:
        DataError: if the file is missing, damaged, or holds something else.
    """
    path = Path(path)
    check_seal(path)
    with h5py.File(path, "r") as file:
        metadata: dict[str, Any] = json.loads(str(file.attrs["metadata"]))
    if metadata.get("kind") != KIND:
        raise DataError(f"{path} holds no pressure systems, but {metadata.get('kind', 'a run')}.")
    return metadata


def load_systems(path: str | Path) -> Iterator[PressureSystem]:
    """The systems of a file in their order, read one at a time.

    Raises:
        DataError: if the file is missing, damaged, or holds something else.
    """
    count = systems_metadata(path)["count"]
    for k in range(count):
        with h5py.File(path, "r") as file:
            system = _got(file[f"{k:06d}"])
        yield system


def _arrays(system: PressureSystem) -> dict[str, np.ndarray]:
    weights = {f"weights_{axis}": weight.numpy() for axis, weight in enumerate(system.operator.weights)}
    return {**weights, "excess": system.operator.excess.numpy(), "rhs": system.rhs.reshape(system.grid).numpy()}


def _hash(arrays: dict[str, np.ndarray]) -> str:
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(np.ascontiguousarray(arrays[name]).tobytes())
    return found.hexdigest()


def _put(group: h5py.Group, system: PressureSystem) -> None:
    arrays = _arrays(system)
    for name, array in arrays.items():
        group.create_dataset(name, data=array, compression="gzip", compression_opts=4, shuffle=True)
    for name in ("name", "family", "seed", "frame"):
        group.attrs[name] = getattr(system, name)
    group.attrs["version"], group.attrs["hash"] = VERSION, _hash(arrays)


def _got(group: h5py.Group) -> PressureSystem:
    arrays = {name: np.asarray(data) for name, data in group.items()}
    if _hash(arrays) != group.attrs["hash"]:
        raise DataError(f"{group.file.filename}: the numbers of system {group.name} are not those that were saved.")
    dim = arrays["rhs"].ndim
    weights = tuple(torch.from_numpy(arrays[f"weights_{axis}"]) for axis in range(dim))
    operator = StencilOperator(weights, torch.from_numpy(arrays["excess"]))
    words = {name: str(group.attrs[name]) for name in ("name", "family")}
    numbers = {name: int(group.attrs[name]) for name in ("seed", "frame")}
    return PressureSystem(operator, torch.from_numpy(arrays["rhs"].ravel()), **words, **numbers)  # type: ignore[arg-type]
