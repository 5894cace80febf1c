"""Meshes as triangles and lines that can be drawn: curved elements and facets in small straight pieces."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
import scipy.sparse.csgraph as graphs
from numpy.typing import NDArray

from neuralpde.geometry import ELEMENTS, Element, Mesh

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TRIANGLES = 40_000
"""About so many triangles a picture is made of, where the mesh has fewer elements: a straight triangle shows a
straight field, and fields are not straight."""

MOST_PIECES = 8
CURVED_PIECES = 4
"""Pieces of a curved edge at least: its largest distance from them is a sixteenth of that from its chord."""


@dataclass(frozen=True, eq=False)
class Triangulation:
    """Triangles that cover a plane domain, or a surface in space.

    Args:
        points: ``(n, d)``, d = 2 or 3.
        triangles: indices of points, ``(m, 3)``; on the boundary of a domain in space outward by the right-hand rule.
        elements: the element of the mesh that each triangle is a piece of, ``(m,)``.
    """

    points: Floats
    triangles: Ints
    elements: Ints

    @cached_property
    def normals(self) -> Floats:
        """Unit normals of the triangles in space, ``(m, 3)``; 0 where a triangle has no area."""
        a, b, c = (self.points[self.triangles[:, j]] for j in range(3))
        normals = np.cross(b - a, c - a)
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        return np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0)

    @cached_property
    def _edges(self) -> tuple[Ints, Ints, Ints]:
        """Edges as pairs of points ``(k, 2)``, of how many triangles each is, and of how many elements."""
        pairs = np.concatenate([self.triangles[:, [0, 1]], self.triangles[:, [1, 2]], self.triangles[:, [2, 0]]])
        ends, owners = np.sort(pairs, axis=1), np.tile(self.elements, 3)
        _, first, number, counts = np.unique(
            ends @ [len(self.points), 1], return_index=True, return_inverse=True, return_counts=True
        )
        lowest, highest = np.full(len(first), np.iinfo(np.int64).max), np.zeros(len(first), dtype=np.int64)
        np.minimum.at(lowest, number, owners)
        np.maximum.at(highest, number, owners)
        return ends[first], counts, 1 + (lowest != highest)

    @cached_property
    def rim(self) -> Ints:
        """Edges of one triangle alone, pairs of points ``(k, 2)``: the boundary of a plane domain, holes and all."""
        ends, counts, _ = self._edges
        return ends[counts == 1]

    @cached_property
    def seams(self) -> Ints:
        """Edges between elements, pairs of points ``(k, 2)``."""
        ends, _, elements = self._edges
        return ends[elements > 1]


def triangulation(mesh: Mesh, pieces: int | None = None) -> Triangulation:
    """Triangles of a plane mesh's elements, of a surface's elements, or of the boundary of a mesh in space.

    Args:
        mesh: any.
        pieces: that every edge is cut into; by default one to eight, fewer for finer meshes.
    """
    facets = mesh.boundary if mesh.element.dim == 3 else None
    count = len(mesh.cells) if facets is None else len(facets)
    pieces = pieces or pieces_of(mesh, count)
    if facets is None:
        xi, triangles = _pattern(mesh.element.shape, pieces)
        return _joined([_places(mesh, mesh.cells, xi)], [triangles], [np.arange(count)])
    places, patterns, owners = [], [], []
    for number in np.unique(facets[:, 1]):
        chosen = facets[facets[:, 1] == number, 0]
        corners = _facet_corners(mesh.element, int(number))
        shape = "triangle" if len(corners) == 3 else "quad"
        s, triangles = _pattern(shape, pieces)
        places.append(_places(mesh, mesh.cells[chosen], ELEMENTS[shape].values(s) @ corners))
        patterns.append(triangles)
        owners.append(chosen)
    return _joined(places, patterns, owners)


def pieces_of(mesh: Mesh, count: int) -> int:
    """Into how many pieces the edges of so many elements (or facets) are cut."""
    least = 1 if mesh.element.order == 1 else CURVED_PIECES if count < TRIANGLES else 2
    return int(np.clip(round((TRIANGLES / max(count, 1)) ** 0.5), least, MOST_PIECES))


def refined(shown: Triangulation, pieces: int) -> Triangulation:
    """The same flat triangles, each edge in so many pieces."""
    xi, pattern = _pattern("triangle", pieces)
    a, b, c = (shown.points[shown.triangles[:, j], None] for j in range(3))
    places = a + xi[:, :1] * (b - a) + xi[:, 1:] * (c - a)
    return _joined([places], [pattern], [shown.elements])


def facet_outlines(mesh: Mesh, facets: Ints, pieces: int | None = None) -> Floats:
    """Facets ``(n, 2)`` as lines: edges of plane elements ``(n, s + 1, 2)``, outlines of faces in space ``(n, q, 3)``.

    A curved edge has ``pieces`` straight ones, a straight edge one.
    """
    pieces = pieces or (1 if mesh.element.order == 1 else CURVED_PIECES)
    first = np.asarray(mesh.element.facets[0])
    ring = len(first) if len(first) == 2 else pieces * len(first)
    out = np.zeros((len(facets), pieces + 1 if len(first) == 2 else ring + 1, mesh.dim))
    for number in np.unique(facets[:, 1]):
        chosen = facets[:, 1] == number
        corners = _facet_corners(mesh.element, int(number))
        xi = _way(corners if len(corners) == 2 else np.vstack([corners, corners[:1]]), pieces)
        out[chosen] = _places(mesh, mesh.cells[facets[chosen, 0]], xi)
    return out


def element_outlines(mesh: Mesh, pieces: int | None = None) -> Floats:
    """Elements of a surface as closed lines, ``(e, q, 3)``."""
    pieces = pieces or (1 if mesh.element.order == 1 else CURVED_PIECES)
    corners = np.asarray(mesh.element.nodes)[: mesh.element.corners]
    return _places(mesh, mesh.cells, _way(np.vstack([corners, corners[:1]]), pieces))


def boundary_shells(mesh: Mesh) -> int:
    """Connected parts of the boundary, joined by corners: more than parts of the mesh where it has cavities."""
    corners = np.unique(mesh.facet_nodes(mesh.boundary), return_inverse=True)[1].reshape(len(mesh.boundary), -1)
    rows = np.repeat(np.arange(len(corners)), corners.shape[1])
    shape = (len(corners), int(corners.max()) + 1)
    has = sp.csr_matrix((np.ones(corners.size), (rows, corners.reshape(-1))), shape=shape)
    return int(graphs.connected_components(has.T @ has, directed=False)[0])


def _way(stops: Floats, pieces: int) -> Floats:
    """From stop to stop in so many equal steps each, ``(k, dim)`` → ``((k − 1) pieces + 1, dim)``."""
    steps = np.arange(pieces)[:, None] / pieces
    legs = [a + steps * (b - a) for a, b in pairwise(stops)]
    return np.vstack([*legs, stops[-1:]])


def _facet_corners(element: Element, number: int) -> Floats:
    return np.asarray(element.nodes)[list(element.facets[number])]


def _places(mesh: Mesh, cells: Ints, xi: Floats) -> Floats:
    """Points of elements at reference coordinates ``(q, dim)``, ``(e, q, d)``."""
    return np.einsum("qk,ekd->eqd", mesh.element.values(xi), mesh.points[cells], optimize=True)


def _pattern(shape: str, pieces: int) -> tuple[Floats, Ints]:
    """Points ``(q, 2)`` and triangles ``(m, 3)`` of the reference triangle or square."""
    s = np.arange(pieces + 1)
    i, j = (grid.reshape(-1) for grid in np.meshgrid(s, s, indexing="ij"))
    points, n = np.stack([i, j], axis=1) / pieces, pieces + 1
    corner = (i < pieces) & (j < pieces)
    low = (i * n + j)[corner]
    lower = np.stack([low, low + n, low + 1], axis=1)
    upper = np.stack([low + n, low + n + 1, low + 1], axis=1)
    if shape == "quad":
        return points, np.concatenate([lower, upper])
    kept = np.flatnonzero(i + j <= pieces)
    number = np.full(len(points), -1)
    number[kept] = np.arange(len(kept))
    triangles = number[np.concatenate([lower, upper])]
    return points[kept], triangles[(triangles >= 0).all(1)]


def _joined(places: list[Floats], patterns: list[Ints], owners: list[Ints]) -> Triangulation:
    """Patches ``(e, q, d)`` with the triangles of each, as one; points at the same place become one."""
    start, triangles, elements = 0, [], []
    for x, pattern, owner in zip(places, patterns, owners, strict=True):
        firsts = start + x.shape[1] * np.arange(len(x))
        triangles.append((firsts[:, None, None] + pattern).reshape(-1, 3))
        elements.append(np.repeat(owner, len(pattern)))
        start += x.shape[0] * x.shape[1]
    points = np.concatenate([x.reshape(-1, x.shape[-1]) for x in places])
    first, number = _same(points)
    return Triangulation(points[first], number[np.concatenate(triangles)], np.concatenate(elements))


def _same(points: Floats) -> tuple[Ints, Ints]:
    """The first of the points at each place, and the number of its place for every point.

    Places are compared on a lattice of 1e-9 of the mesh's size. Two neighbours on either side of a border of it stay
    two points, which a picture does not show.
    """
    lower, size = points.min(0), float(np.ptp(points, axis=0).max()) or 1.0
    lattice = np.round((points - lower) / (1e-9 * size)).astype(np.int64)
    order = np.lexsort(lattice.T)
    new = np.ones(len(points), dtype=bool)
    new[1:] = (np.diff(lattice[order], axis=0) != 0).any(1)
    number = np.empty(len(points), dtype=np.int64)
    number[order] = np.cumsum(new) - 1
    return order[new], number
