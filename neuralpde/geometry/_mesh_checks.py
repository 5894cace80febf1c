"""What can be wrong with a mesh, by name and with the first elements that have it."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

import numpy as np

from neuralpde.geometry._mesh import Ints, Mesh, reference_quadrature, row_keys
from neuralpde.types import DataError

SHOWN = 5
"""How many offending numbers a message names."""

FAR = 1e60
"""Beyond that powers of coordinates are no longer finite."""

TINY = 1e-12
"""A determinant that small against the element's size is none."""


class Defect(Enum):
    """What is wrong with a mesh; ``remedy`` says what to do about it."""

    EMPTY = (
        "it has no elements of a domain",
        "mesh it before saving it; gmsh saves physical groups alone, so let the domain be one too",
    )
    UNKNOWN_ELEMENT = (
        "elements of a kind that is not known here",
        "use triangles, quads, tetrahedra or hexahedra of order 1 or 2",
    )
    MIXED_KINDS = ("elements of several kinds", "mesh with one kind (gmsh: recombine all surfaces, or none)")
    MIXED_DIMENSIONS = ("lower-dimensional elements that are no facets of the others", "remove what is no boundary")
    NAN_COORDINATES = ("points with NaN", "write the mesh anew")
    INFINITE_COORDINATES = ("points at infinity, or beyond 1e60", "write the mesh anew")
    NEGATIVE_INDEX = ("elements with a negative point number", "write the mesh anew; numbers begin with 0")
    INDEX_OUT_OF_RANGE = ("elements with a point number beyond the last point", "write the mesh anew")
    REPEATED_NODE = ("elements that have a point twice", "remove collapsed elements")
    DUPLICATE_ELEMENTS = ("elements that are there twice", "remove one of each, or read with repair=True")
    INVERTED = ("inverted elements", "reorder their nodes, or read with repair=True")
    FOLDED = ("neighbours on the same side of a facet: the mesh folds over itself", "remesh there")
    FLAT = ("elements without area or volume", "remesh there; they make systems singular")
    DANGLING_NODES = ("points that no element has", "remove them, or read with repair=True")
    COINCIDENT_POINTS = (
        "points at the same place",
        "merge them (gmsh: Coherence Mesh), or the domain is cracked there",
    )
    BRANCHING = ("facets of three or more elements", "remove what overlaps")
    DISCONNECTED = ("parts that nothing joins and no condition holds", "give a condition on each part, or remove it")
    BAD_TAG = ("a tag of elements or facets that are not there", "write the mesh anew")
    NOT_PLANAR = (
        "a surface in space where a domain is needed",
        "use a mesh in the plane z = 0, or a 3D mesh of the volume",
    )

    def __init__(self, meaning: str, remedy: str) -> None:
        self.meaning, self.remedy = meaning, remedy


class MeshError(DataError):
    """A mesh that cannot be used.

    Args:
        defect: what is wrong.
        ids: numbers of the points or elements that have it, counted from 0.
        where: file, or what else the mesh is called.
    """

    def __init__(self, defect: Defect, ids: Ints | None = None, where: str = "the mesh", detail: str = "") -> None:
        self.defect, self.ids = defect, np.zeros(0, dtype=np.int64) if ids is None else np.asarray(ids)
        first = ", ".join(str(int(i)) for i in self.ids[:SHOWN])
        count = f" ({len(self.ids)}: {first}{', …' if len(self.ids) > SHOWN else ''})" if len(self.ids) else ""
        detail = f": {detail}" if detail else ""
        super().__init__(f"{where}: {defect.meaning}{count}{detail}; {defect.remedy}.")


def check_mesh(mesh: Mesh, where: str = "the mesh") -> None:
    """Refuse a mesh that no equation can be solved on.

    Raises:
        MeshError: with the first defect and the numbers of what has it.
    """
    for defect, ids in defects(mesh):
        raise MeshError(defect, ids, where)


def defects(mesh: Mesh) -> Iterator[tuple[Defect, Ints]]:
    """Every defect with the numbers of the points or elements that have it; those that keep others from being looked
    for come first, and end the search."""
    points, cells, v = mesh.points, mesh.cells, len(mesh.points)
    if not len(cells):
        yield Defect.EMPTY, np.zeros(0, dtype=np.int64)
        return
    fatal = False
    for defect, bad in (
        (Defect.NAN_COORDINATES, np.isnan(points).any(1)),
        (Defect.INFINITE_COORDINATES, (np.abs(points) > FAR).any(1)),
        (Defect.NEGATIVE_INDEX, (cells < 0).any(1)),
        (Defect.INDEX_OUT_OF_RANGE, (cells >= v).any(1)),
    ):
        if bad.any():
            fatal = True
            yield defect, np.flatnonzero(bad)
    if fatal:
        return
    ordered, smallest = np.sort(cells, axis=1), _smallest(mesh)
    for defect, bad in (
        (Defect.REPEATED_NODE, (np.diff(ordered, axis=1) == 0).any(1)),
        (Defect.DUPLICATE_ELEMENTS, _repeated(ordered)),
        (Defect.INVERTED, smallest < -TINY),
        (Defect.FLAT, np.abs(smallest) <= TINY),
        (Defect.FOLDED, _folded(mesh, smallest)),
        (Defect.DANGLING_NODES, _unused(cells, v)),
        (Defect.COINCIDENT_POINTS, coincident(mesh)),
        (Defect.BRANCHING, _branching(mesh)),
        (Defect.BAD_TAG, _bad_tags(mesh)),
    ):
        if bad.any():
            yield defect, np.flatnonzero(bad)


def _repeated(rows: Ints) -> np.ndarray:
    """Rows that were there before."""
    first = np.unique(row_keys(rows), return_index=True)[1]
    out = np.ones(len(rows), dtype=bool)
    out[first] = False
    return out


def _extent(mesh: Mesh) -> np.ndarray:
    """(Longest side of each element's bounding box)^dim: what its measure is compared with."""
    x = mesh.points[mesh.cells]
    return (x.max(1) - x.min(1)).max(1) ** mesh.element.dim


def _smallest(mesh: Mesh) -> np.ndarray:
    """The smallest det ∂x/∂ξ of every element, at its corners and at quadrature points, over that of its size."""
    x = np.asarray(mesh.element.nodes)
    affine = mesh.kind in ("triangle", "tetra")
    x = x[:1] if affine else np.concatenate([x, reference_quadrature(mesh.element)[0]])
    worst = mesh.determinants(x).min(1)
    size = np.maximum(_extent(mesh), np.finfo(float).tiny)
    return worst / size


def _unused(cells: Ints, v: int) -> np.ndarray:
    out = np.ones(v, dtype=bool)
    out[cells] = False
    return out


def coincident(mesh: Mesh) -> np.ndarray:
    """Points at the place of an earlier one, to 1e-12 of the mesh's size."""
    size = float(np.ptp(mesh.points, axis=0).max()) or 1.0
    places = np.round((mesh.points - mesh.points.min(0)) / (1e-12 * size)).astype(np.int64)
    order = np.lexsort(places.T)
    out = np.zeros(len(places), dtype=bool)
    out[order[1:]] = (np.diff(places[order], axis=0) == 0).all(1)
    return out


def _branching(mesh: Mesh) -> np.ndarray:
    number, _, counts = mesh.shared_facets
    out = np.zeros(len(mesh.cells), dtype=bool)
    out[mesh.facets[1][counts[number] > 2, 0]] = True
    return out


def _folded(mesh: Mesh, smallest: np.ndarray) -> np.ndarray:
    """Elements that share a facet with one on the same side of it: both run around it the same way."""
    number, _, counts = mesh.shared_facets
    out = np.zeros(len(mesh.cells), dtype=bool)
    if mesh.surface or (smallest < -TINY).any():
        return out
    turns = []
    for local in mesh.element.facets:
        corners = mesh.cells[:, local]
        start = corners.argmin(1)
        rows, n = np.arange(len(corners)), len(local)
        after, before = corners[rows, (start + 1) % n], corners[rows, start - 1]
        # an edge runs up or down; around a face the neighbours of its smallest corner come in one order or the other
        turns.append(start == 0 if n == 2 else after < before)
    way = np.concatenate(turns)
    same = np.bincount(number, weights=way, minlength=len(counts))
    bad = (counts == 2) & (same != 1)
    out[mesh.facets[1][bad[number], 0]] = True
    return out


def _bad_tags(mesh: Mesh) -> np.ndarray:
    """Flags the names of parts and tags, in this order."""
    e, f = len(mesh.cells), len(mesh.element.facets)
    parts = [bool(((ids < 0) | (ids >= e)).any()) for ids in mesh.parts.values()]
    tags = [bool(((ids < 0) | (ids >= [e, f])).any()) for ids in mesh.tags.values()]
    return np.array([*parts, *tags, False])
