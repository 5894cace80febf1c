"""Mesh files: whatever meshio reads, read where it can do no harm, checked, with names of its parts."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from neuralpde.geometry._elements import ELEMENTS
from neuralpde.geometry._mesh import Ints, Mesh, row_keys
from neuralpde.geometry._mesh_checks import Defect, MeshError, check_mesh
from neuralpde.geometry._mesh_repair import repair_mesh
from neuralpde.types import DataError, UsageError

SCRIPT = Path(__file__).with_name("_mesh_process.py")
MEMORY = 2 << 30
"""Bytes that reading may take, besides 60 times the size of the file."""

TAGS = ("gmsh:physical", "cell_tags", "medit:ref", "su2:tag", "nastran:ref", "cell_ids", "flac3d:group", "ansys:zone")
"""Data of elements that are numbers of parts or boundaries, by their names in meshio's formats; the first one there
counts."""


GEOMETRIES = (".geo", ".geo_unrolled", ".step", ".stp", ".iges", ".igs", ".brep", ".dxf", ".dwg", ".fcstd", ".blend")
"""Endings of files that hold shapes and no elements."""


class MeshReader:
    """A process that reads mesh files one after the other; :func:`read_mesh` starts one for one file.

    Args:
        seconds: how long one file may take.

    Example:
        >>> with MeshReader() as reader:  # doctest: +SKIP
        ...     meshes = [reader.read(file) for file in files]
    """

    def __init__(self, seconds: float = 120.0) -> None:
        self.seconds = seconds
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> MeshReader:
        self._process = subprocess.Popen(
            [sys.executable, str(SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self

    def __exit__(self, kind: type | None, value: BaseException | None, trace: TracebackType | None) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def read(self, path: str | Path, repair: bool = False, scale: float = 1.0, check: bool = True) -> Mesh:
        """See :func:`read_mesh`."""
        path = Path(path)
        if not (math.isfinite(scale) and scale > 0):
            raise UsageError(f"the scale of a mesh is a positive number, such as 0.001 for millimetres; got {scale:g}.")
        if not path.is_file():
            raise DataError(f"{path}: there is no such file.")
        if path.suffix.lower() in GEOMETRIES:
            made = path.with_suffix(".msh").name
            how = f"gmsh -2 {path.name} -o {made}, or -3 for a solid"
            raise DataError(f"{path}: a file {path.suffix} holds a shape and no mesh; mesh it first ({how}).")
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "mesh.npz"
            memory = MEMORY + 60 * path.stat().st_size
            task = {"file": str(path), "out": str(out), "memory": memory, "seconds": self.seconds}
            assert self._process is not None and self._process.stdin and self._process.stdout
            self._process.stdin.write(json.dumps(task) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
            answer = json.loads(line) if line else {"ok": False, "error": "the reader crashed"}
            if not answer["ok"]:
                raise DataError(f"{path}: no mesh could be read from it ({_reason(path, str(answer['error']))}).")
            with np.load(out) as arrays:
                content = {name: arrays[name] for name in arrays.files}
        try:
            mesh = _mesh(content, answer, str(path))
        except UsageError as error:  # arrays of impossible shapes
            raise DataError(f"{path}: no mesh could be read from it ({error}).") from None
        mesh = repair_mesh(mesh) if repair else mesh
        if scale != 1.0:
            mesh = replace(mesh, points=scale * mesh.points)
        if check:
            check_mesh(mesh, str(path))
        return mesh


def _reason(path: Path, error: str) -> str:
    """Why there is no mesh, in our words where meshio's help nobody."""
    if "deduce file format" in error:
        ending = f"the ending {path.suffix}" if path.suffix else "a name without an ending"
        return f"no format has {ending}; save it as .msh (gmsh), .vtu, .vtk, .xdmf, .inp, .med, .bdf, .su2 or .stl"
    if "of ansys, gmsh" in error:
        return "it is no file of gmsh, or of a version that is not read; save it as version 4.1 (gmsh -format msh41)"
    if "BEGIN BULK" in error:
        return (
            "it has no line BEGIN BULK, as gmsh writes Nastran files; save it as .msh, which also keeps the names of "
            "groups, or put BEGIN BULK before its first line"
        )
    return error


def read_mesh(
    path: str | Path, repair: bool = False, seconds: float = 120.0, scale: float = 1.0, check: bool = True
) -> Mesh:
    """The mesh in a file: gmsh, VTK/VTU, XDMF, Abaqus, SU2, MED, Nastran, STL, OBJ, or what else meshio reads.

    Elements are those of the highest dimension, all of one kind; those one dimension lower name parts of the boundary.
    Points, and edges in 3D, that have names make sets for supports. Names come from physical groups, families and sets;
    numbers of parts and boundaries without a name become the name ``"3"``. Points in a
    plane z = const. become 2D.

    Args:
        path: the file.
        repair: see :func:`repair_mesh`.
        seconds: how long reading may take.
        scale: what coordinates are multiplied by: 0.001 for a mesh drawn in millimetres where the problem has metres.
        check: whether a mesh that cannot be used is refused; without it the mesh is for looking at, see
            :func:`defects`.

    Raises:
        UsageError: for a scale that is none.
        DataError: for a file that is missing, or no mesh.
        MeshError: for a mesh that cannot be used, with what is wrong and where.
    """
    with MeshReader(seconds) as reader:
        return reader.read(path, repair, scale, check)


def _mesh(content: Mapping[str, Any], answer: Mapping[str, Any], where: str) -> Mesh:
    blocks = [(kind, content[f"cells_{n}"], n) for n, kind in enumerate(answer["blocks"]) if len(content[f"cells_{n}"])]
    unknown = [kind for kind, _, _ in blocks if kind not in ELEMENTS and kind != "vertex"]
    if unknown:
        raise MeshError(Defect.UNKNOWN_ELEMENT, where=where, detail=", ".join(dict.fromkeys(unknown)))
    points_of = [block for block in blocks if block[0] == "vertex"]
    blocks = [block for block in blocks if block[0] != "vertex"]
    highest = max((ELEMENTS[kind].dim for kind, _, _ in blocks), default=0)
    if highest < 2:
        raise MeshError(Defect.EMPTY, where=where)
    elements = [block for block in blocks if ELEMENTS[block[0]].dim == highest]
    lower = [block for block in blocks if ELEMENTS[block[0]].dim == highest - 1]
    kinds = list(dict.fromkeys(kind for kind, _, _ in elements))
    if len(kinds) > 1:
        counts = {kind: sum(len(cells) for other, cells, _ in elements if other == kind) for kind in kinds}
        detail = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        raise MeshError(Defect.MIXED_KINDS, where=where, detail=detail)
    points = _flattened(content["points"], highest)
    cells = np.concatenate([cells for _, cells, _ in elements])
    parts = _names(elements, content, answer, highest)
    edges = [block for block in blocks if ELEMENTS[block[0]].dim == 1] if highest == 3 else []
    v = len(points)
    mesh = Mesh(points, cells, kinds[0], parts, sets=_sets(points_of, edges, content, answer, v))
    facets = [c[:, : ELEMENTS[kind].corners] for kind, c, _ in lower]
    if not facets or ((cells < 0) | (cells >= v)).any():
        return mesh
    found = _facets_of(mesh, np.concatenate(facets), where)
    tags = {name: found[ids] for name, ids in _names(lower, content, answer, highest - 1).items()}
    return replace(mesh, tags=tags)


def _sets(
    points: list[tuple[str, Ints, int]],
    edges: list[tuple[str, Ints, int]],
    content: Mapping[str, Any],
    answer: Mapping[str, Any],
    v: int,
) -> dict[str, Ints]:
    """Points and edges that have names; numbers alone are none, as many programs number every corner of a shape."""
    out = {name: content[f"points_{k}"][:, None] for k, name in enumerate(answer["point_sets"])}
    for blocks, dim, width in ((points, 0, 1), (edges, 1, 2)):
        if blocks:
            ends = np.concatenate([cells[:, :width] for _, cells, _ in blocks])
            out |= {name: ends[ids] for name, ids in _names(blocks, content, answer, dim, numbered=False).items()}
    return {name: np.unique(ids, axis=0) for name, ids in out.items() if len(ids) and 0 <= ids.min() <= ids.max() < v}


def _flattened(points: Any, dim: int) -> Any:
    """Points in a plane z = const. without their z."""
    if dim == 2 and points.ndim == 2 and points.shape[1] == 3:
        z = points[:, 2]
        if len(z) and np.isfinite(z).all() and np.ptp(z) <= 1e-12 * max(float(np.ptp(points[:, :2])), 1e-300):
            return points[:, :2]
    return points


def _names(
    blocks: list[tuple[str, Ints, int]],
    content: Mapping[str, Any],
    answer: Mapping[str, Any],
    dim: int,
    numbered: bool = True,
) -> dict[str, Ints]:
    """Positions in the joined blocks by the names of groups; numbers without a name are names if that is wanted."""
    starts = np.cumsum([0, *[len(cells) for _, cells, _ in blocks]])
    out: dict[str, list[Ints]] = {}
    known = {(number, d): name for name, number, d in answer["names"]}
    families = {int(number): names for number, names in answer["families"].items()}
    for (_, _, block), start in zip(blocks, starts, strict=False):
        key = next((f"data_{block}_{tag}" for tag in TAGS if f"data_{block}_{tag}" in content), None)
        values = content[key] if key else np.zeros(0, dtype=np.int64)
        for number in np.unique(values).tolist():
            if number == 0 and (0, dim) not in known and 0 not in families:
                continue  # no group
            if not numbered and number not in families and (number, dim) not in known:
                continue
            for name in families.get(number, [known.get((number, dim), str(number))]):
                out.setdefault(name, []).append(start + np.flatnonzero(values == number))
        for k, (name, members) in enumerate(answer["sets"].items()):
            if block in members and not name.startswith("gmsh:"):
                out.setdefault(name, []).append(start + content[f"set_{block}_{k}"])
    return {name: np.unique(np.concatenate(ids)) for name, ids in out.items()}


def _facets_of(mesh: Mesh, corners: Ints, where: str) -> Ints:
    """(element, local facet) of facets by their corners.

    Raises:
        MeshError: for facets that no element has.
    """
    all_corners, owners = mesh.facets
    wanted = np.sort(corners, axis=1)
    if wanted.shape[1] != all_corners.shape[1]:
        raise MeshError(Defect.MIXED_DIMENSIONS, np.arange(len(corners)), where)
    both = np.concatenate([all_corners, wanted])
    _, inverse = np.unique(row_keys(both), return_inverse=True)
    place = np.full(int(inverse.max()) + 1, -1, dtype=np.int64)
    mine = inverse[: len(all_corners)]
    place[mine[::-1]] = np.arange(len(mine))[::-1]  # the first element that has it
    found = place[inverse[len(all_corners) :]]
    if (found < 0).any():
        raise MeshError(Defect.MIXED_DIMENSIONS, np.flatnonzero(found < 0), where)
    return owners[found]
