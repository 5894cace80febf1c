"""Where a case's problem lives: a box from its corners, or a mesh from its file."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from neuralpde.cases._document import Document
from neuralpde.cases._mistakes import Place, nearest
from neuralpde.cases._schema import DomainTable
from neuralpde.geometry import Box, Condition, Defect, Domain, MeshDomain, MeshError, Periodic, read_mesh, with_points
from neuralpde.types import DataError, UsageError

FOLDER = "mesh"
"""Where a run folder keeps its mesh: not beside the runs' files, one of which might have the same name."""

MENTIONED = {
    ".xdmf": re.compile(r">\s*([^<>:\n]+):/"),
    ".xmf": re.compile(r">\s*([^<>:\n]+):/"),
    ".inp": re.compile(r"(?im)^\s*\*include\s*,\s*input\s*=\s*(\S+)"),
}
"""How mesh files of several parts name the others."""

PARTNERS = {".node": ".ele", ".ele": ".node"}
"""Files of two parts with one stem."""


def build_domain(table: DomainTable, base: Path, place: Place) -> Domain:
    """The domain that a table describes.

    Args:
        table: corners, or the file of a mesh.
        base: folder that the file is relative to.
        place: of the table.

    Raises:
        UsageError: for keys that do not go together, a missing file, or a surface.
        DataError: for a file that holds no mesh, or a mesh that cannot be used.
    """
    if table.mesh is None:
        return _box(table, place)
    for name in ("lower", "upper"):
        if getattr(table, name) is not None:
            raise UsageError(place.child(name).says(f"expected no {name} beside mesh, which is the domain; got one."))
    return _mesh(table, (base / table.mesh).resolve(), place)


def _box(table: DomainTable, place: Place) -> Box:
    for name in ("repair", "scale", "points"):
        if getattr(table, name) is not None:
            message = f"expected {name} beside mesh only; this domain has none."
            raise UsageError(place.child(name).says(message))
    if table.lower is None and table.upper is None:
        raise place.wrong('lower and upper, or mesh = "file.msh"', table.model_dump(exclude_none=True))
    for name in ("lower", "upper"):
        if getattr(table, name) is None:
            raise place.child(name).missing(str(DomainTable.model_fields[name].description))
    with place.refusals():
        return Box(tuple(table.lower or ()), tuple(table.upper or ()))


def _mesh(table: DomainTable, path: Path, place: Place) -> MeshDomain:
    where = place.child("mesh")
    if path.is_dir() or not path.is_file():
        there = "it is a folder" if path.is_dir() else f"there is no {path}"
        known = [file.name for file in path.parent.iterdir()] if path.parent.is_dir() else []
        meant = nearest(path.name, known) if not path.is_dir() else None
        hint = f"; did you mean {meant}?" if meant else "."
        raise UsageError(where.says(f"expected a mesh file; {there}{hint}"))
    status = path.stat()
    try:
        domain = _read(path, status.st_mtime_ns, status.st_size, bool(table.repair), table.scale or 1.0)
    except DataError as error:
        message = str(error).replace("read with repair=True", f"set {place.key}.repair = true")
        raise DataError(where.says(message)) from error
    if not table.points:
        return domain
    with place.child("points").refusals():
        # points that are not in the file, and that supports and loads may name: in metres, as all of the case is
        return MeshDomain(with_points(domain.mesh, **table.points))


@lru_cache(maxsize=4)
def _read(path: Path, changed: int, size: int, repair: bool, scale: float) -> MeshDomain:
    """One domain for all runs of a case: its element search and its checks are made once."""
    mesh = read_mesh(path, repair=repair, scale=scale)
    if mesh.surface:
        raise MeshError(Defect.NOT_PLANAR, where=str(path))
    return MeshDomain(mesh)


def needs_conditions(domain: Domain, known: Mapping[str, inspect.Parameter], place: Place) -> None:
    """Refuse to put the conditions that a problem has for boxes on a mesh.

    Raises:
        UsageError: with the parts of the boundary that need conditions.
    """
    if not isinstance(domain, MeshDomain) or "conditions" not in known:
        return
    default = known["conditions"].default
    usual: tuple[Condition, ...] = default if isinstance(default, tuple) else ()
    if any(isinstance(c, Periodic) or (c.on != "all" and not set(c.faces) <= set(domain.names)) for c in usual):
        raise place.missing(f"conditions on the mesh's boundary parts ({', '.join(domain.names)})")


def mesh_key(document: Document) -> str | None:
    """The file of the mesh that a case's document names, or None."""
    problem = document.get("problem")
    domain = problem.get("domain") if isinstance(problem, dict) else None
    mesh = domain.get("mesh") if isinstance(domain, dict) else None
    return mesh if isinstance(mesh, str) else None


def mesh_files(document: Document, base: Path) -> list[Path]:
    """The mesh's file, and those that it is read with: an XDMF file's data, what an Abaqus file includes."""
    name = mesh_key(document)
    if name is None:
        return []
    path = (base / name).resolve()
    found, pattern = [path], MENTIONED.get(path.suffix.lower())
    if pattern is not None:
        mentioned = pattern.findall(path.read_text(encoding="utf-8", errors="replace"))
        found += [path.parent / text.strip() for text in dict.fromkeys(mentioned)]
    if path.suffix.lower() in PARTNERS:
        found.append(path.with_suffix(PARTNERS[path.suffix.lower()]))
    return [file for file in found if file.is_file()]


def with_mesh(document: Document, name: str) -> Document:
    """The document with another file for its mesh."""
    problem = document["problem"]
    return {**document, "problem": {**problem, "domain": {**problem["domain"], "mesh": name}}}
