"""Fields for ParaView and VTK: uniform grids (.vti), meshes (.vtu) and collections over time (.pvd).

The format: https://docs.vtk.org/en/latest/vtk_file_formats/vtkxml_file_format.html
"""

from __future__ import annotations

import base64
import math
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from neuralpde.io._write import replacing
from neuralpde.types import UsageError

_HEADER = np.dtype("<u8")
_BLOCK = 1 << 20
"""Bytes that are compressed at a time; readers unpack block by block."""

Arrays = Mapping[str, np.ndarray]


def save_vti(
    path: str | os.PathLike[str],
    origin: Sequence[float],
    spacing: Sequence[float],
    point_data: Arrays | None = None,
    cell_data: Arrays | None = None,
    compress: bool = True,
) -> Path:
    """Write fields on a uniform grid as VTK ImageData; a line or a plane becomes a flat image in space.

    Our arrays count the last axis fastest, VTK counts x fastest: the arrays are turned here, callers pass them as they
    are. Vectors of two components get a third one that is zero. Truth values become 0 and 1.

    Args:
        path: ``.vti``; the folder is made if there is none.
        origin: coordinates of the first point, d = 1, 2 or 3 of them.
        spacing: distance of the points along each axis, positive, d of them.
        point_data: name → values at the points, shape ``(n_1, …, n_d)`` or ``(n_1, …, n_d, c)``.
        cell_data: name → values in the cells, shape ``(n_1 − 1, …, n_d − 1)`` or with c behind.
        compress: zlib; smooth fields shrink a little, masks and zeros a lot.

    Returns:
        The path.

    Raises:
        UsageError: another suffix, no data, or shapes that disagree.

    Example:
        >>> save_vti("/tmp/box.vti", (0.0, 0.0), (0.5, 0.5), {"u": np.zeros((3, 4)), "v": np.zeros((3, 4, 2))}).name
        'box.vti'
    """
    target = _target(path, ".vti")
    start, step = _three("origin", origin, 0.0), _three("spacing", spacing, 1.0)
    if len(origin) != len(spacing) or min(step) <= 0:
        raise UsageError(f"origin {tuple(origin)} and spacing {tuple(spacing)} need equal lengths and positive steps")
    d = len(origin)
    at_points = {name: _real(name, values) for name, values in (point_data or {}).items()}
    in_cells = {name: _real(name, values) for name, values in (cell_data or {}).items()}
    lattice = _lattice(at_points, in_cells, d)
    cells = tuple(n - 1 for n in lattice)
    sections = [_section("PointData", at_points, lattice, compress), _section("CellData", in_cells, cells, compress)]
    extent = " ".join(f"0 {n - 1}" for n in lattice + (1,) * (3 - d))
    geometry = f'Origin="{_numbers(start)}" Spacing="{_numbers(step)}"'
    packing = ' compressor="vtkZLibDataCompressor"' * compress
    with replacing(target) as temporary, open(temporary, "wb") as file:
        file.write(b'<?xml version="1.0"?>\n')
        head = f'type="ImageData" version="1.0" byte_order="LittleEndian" header_type="UInt64"{packing}'
        file.write(f'<VTKFile {head}>\n<ImageData WholeExtent="{extent}" {geometry}>\n'.encode())
        file.write(f'<Piece Extent="{extent}">\n'.encode())
        for section in sections:
            file.writelines(section)
        file.write(b"</Piece>\n</ImageData>\n</VTKFile>\n")
    return target


def save_vtu(
    path: str | os.PathLike[str],
    points: np.ndarray,
    cells: Mapping[str, np.ndarray],
    point_data: Arrays | None = None,
    cell_data: Arrays | None = None,
) -> Path:
    """Write fields on a mesh as VTK UnstructuredGrid, by meshio.

    Args:
        path: ``.vtu``; the folder is made if there is none.
        points: shape ``(v, d)``, d = 1, 2 or 3; missing coordinates become zero.
        cells: meshio's name of the shape (``"triangle"``, ``"quad"``, ``"tetra"``, …) → indices of points, ``(e, …)``.
        point_data: name → values, shape ``(v,)`` or ``(v, c)``.
        cell_data: name → values of all cells, in the order of ``cells``: shape ``(Σe,)`` or ``(Σe, c)``.

    Returns:
        The path.

    Raises:
        UsageError: another suffix, or shapes that disagree, or cells of points that do not exist.

    Example:
        >>> corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> save_vtu("/tmp/one.vtu", corners, {"triangle": np.array([[0, 1, 2]])}, {"u": np.ones(3)}).name
        'one.vtu'
    """
    import meshio

    target = _target(path, ".vtu")
    where = _real("points", points)
    if where.ndim != 2 or where.shape[1] not in (1, 2, 3):
        raise UsageError(f"points have shape {where.shape}: expected (v, d) with d = 1, 2 or 3")
    where = np.pad(where, ((0, 0), (0, 3 - where.shape[1])))
    blocks = [(kind, _indices(kind, block, len(where))) for kind, block in cells.items()]
    ends = np.cumsum([len(block) for _, block in blocks])
    if not blocks or ends[-1] == 0:
        raise UsageError("a mesh needs at least one cell")
    at_points = {name: _columns(name, values, len(where), "points") for name, values in (point_data or {}).items()}
    in_cells = {name: _columns(name, values, int(ends[-1]), "cells") for name, values in (cell_data or {}).items()}
    split = {name: np.split(values, ends[:-1]) for name, values in in_cells.items()}
    try:
        mesh = meshio.Mesh(where, blocks, point_data=at_points, cell_data=split)
    except (KeyError, ValueError) as error:
        raise UsageError(f"meshio refuses the mesh: {error}") from error
    with replacing(target) as temporary:
        meshio.write(temporary, mesh, file_format="vtu")
    return target


def save_pvd(
    path: str | os.PathLike[str], times: Sequence[float] | np.ndarray, files: Sequence[str | os.PathLike[str]]
) -> Path:
    """Write a collection: which file shows which time. ParaView opens it as one animated field.

    The names are stored relative to the collection, so that the folder can be moved. Write the files first and the
    collection after them: then whoever reads it finds what it names.

    Args:
        path: ``.pvd``; the folder is made if there is none.
        times: strictly increasing, shape ``(k,)``.
        files: one per time, as :func:`save_vti` and :func:`save_vtu` return them.

    Returns:
        The path.

    Raises:
        UsageError: another suffix, unequal lengths, times that do not increase, or a file that is not there.
    """
    target = _target(path, ".pvd")
    moments = _real("times", times)
    if moments.shape != (len(files),) or not len(files):
        raise UsageError(f"times have shape {moments.shape}, but there are {len(files)} file(s): give one per time")
    if not (np.all(np.isfinite(moments)) and np.all(np.diff(moments) > 0)):
        raise UsageError("times must be finite and strictly increasing")
    missing = [str(file) for file in files if not Path(file).is_file()]
    if missing:
        raise UsageError(f"there is no file {missing[0]!r}: write the files before their collection")
    # os.path.relpath and not Path.relative_to, which cannot go up.
    names = [Path(os.path.relpath(Path(file).resolve(), target.parent.resolve())).as_posix() for file in files]
    lines = [
        f'<DataSet timestep="{float(t)!r}" group="" part="0" file={quoteattr(name)}/>\n'
        for t, name in zip(moments, names, strict=True)
    ]
    with replacing(target) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.write('<?xml version="1.0"?>\n<VTKFile type="Collection" version="0.1" byte_order="LittleEndian">\n')
        file.writelines(["<Collection>\n", *lines, "</Collection>\n</VTKFile>\n"])
    return target


def _target(path: str | os.PathLike[str], suffix: str) -> Path:
    target = Path(path)
    if target.suffix.lower() != suffix:
        raise UsageError(f"cannot write {target.name!r}: the name must end in {suffix}")
    if target.is_dir():
        raise UsageError(f"cannot write {str(target)!r}: it is a folder")
    return target


def _three(what: str, numbers: Sequence[float], fill: float) -> tuple[float, ...]:
    given = tuple(float(number) for number in numbers)
    if len(given) not in (1, 2, 3) or not all(map(math.isfinite, given)):
        raise UsageError(f"{what} = {given}: expected 1, 2 or 3 finite numbers")
    return given + (fill,) * (3 - len(given))


def _numbers(numbers: tuple[float, ...]) -> str:
    return " ".join(map(repr, numbers))


def _real(name: str, values: Any) -> np.ndarray:
    """``values`` as an array of a type that VTK knows: 1 to 8 bytes, little end first."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise UsageError(f"{name!r} must be an array of real numbers, got {array.dtype}: write parts one by one")
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    if array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        array = array.astype(np.float32 if array.dtype.itemsize < 4 else np.float64)
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def _lattice(at_points: Arrays, in_cells: Arrays, d: int) -> tuple[int, ...]:
    """Numbers of points along the axes, from whatever data there are; :func:`_section` checks the others."""
    for shift, data in ((0, at_points), (1, in_cells)):
        for values in data.values():
            if values.ndim >= d and min(values.shape[:d]) >= 1:
                return tuple(n + shift for n in values.shape[:d])
    raise UsageError(f"pass point_data or cell_data whose first {d} axes are those of the grid")


def _section(kind: str, data: Arrays, lattice: tuple[int, ...], compress: bool) -> list[bytes]:
    """The lines of one kind of data."""
    lines = [f"<{kind}>\n".encode()]
    for name, values in data.items():
        d = len(lattice)
        if values.shape[:d] != lattice or values.ndim > d + 1:
            shape = ", ".join(map(str, lattice))
            raise UsageError(f"{kind} {name!r} has shape {values.shape}: expected ({shape}) or ({shape}, c)")
        channels = values.reshape(*lattice, -1)
        turned = channels.transpose(*reversed(range(d)), d)  # last lattice axis first: x runs fastest
        flat = _padded(turned.reshape(-1, channels.shape[-1]))
        letter = {"f": "Float", "i": "Int", "u": "UInt"}[flat.dtype.kind]
        what = f'type="{letter}{8 * flat.dtype.itemsize}" Name={quoteattr(name)}'
        lines.append(f'<DataArray {what} NumberOfComponents="{flat.shape[1]}" format="binary">\n'.encode())
        lines += [_encoded(flat.tobytes(), compress), b"\n</DataArray>\n"]
    return [*lines, f"</{kind}>\n".encode()]


def _padded(values: np.ndarray) -> np.ndarray:
    """``values`` ``(n, c)`` with a third component where there are two: VTK knows vectors in space only."""
    return np.pad(values, ((0, 0), (0, 1))) if values.shape[1] == 2 else values


def _encoded(raw: bytes, compress: bool) -> bytes:
    """Base64 of a header and ``raw``; compressed: of number and size of blocks, size of a shorter last one, sizes."""
    if not compress:
        return base64.b64encode(np.array([len(raw)], _HEADER).tobytes() + raw)
    blocks = [zlib.compress(raw[i : i + _BLOCK], 6) for i in range(0, len(raw), _BLOCK)]
    header = [len(blocks), _BLOCK, len(raw) % _BLOCK, *map(len, blocks)]
    return base64.b64encode(np.array(header, _HEADER).tobytes()) + base64.b64encode(b"".join(blocks))


def _indices(kind: str, block: Any, points: int) -> np.ndarray:
    indices = np.asarray(block)
    if indices.ndim != 2 or indices.dtype.kind not in "iu":
        raise UsageError(f"cells {kind!r} are {indices.dtype} of shape {indices.shape}: expected integers (e, …)")
    if indices.size and not 0 <= indices.min() <= indices.max() < points:
        raise UsageError(f"cells {kind!r} name point {indices.max()} or {indices.min()}, but there are {points} points")
    return np.ascontiguousarray(indices, dtype=np.int64)


def _columns(name: str, values: Any, n: int, what: str) -> np.ndarray:
    array = _real(name, values)
    if array.ndim not in (1, 2) or len(array) != n:
        raise UsageError(f"{name!r} has shape {array.shape}: expected ({n},) or ({n}, c), for {n} {what}")
    return np.ascontiguousarray(array if array.ndim == 1 else _padded(array))
