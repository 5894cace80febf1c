"""Meshes: points, elements, and names of parts of the domain and of its boundary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import scipy.sparse.csgraph as graphs
from numpy.typing import NDArray

from neuralpde.geometry._elements import ELEMENTS, Element
from neuralpde.types import UsageError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mesh:
    """A mesh of one kind of element, with tags.

    A facet (an edge in 2D, a face in 3D) is known by one element that has it and by its number in that element.

    Args:
        points: ``(v, d)``, in the units of the problem.
        cells: nodes of every element, ``(e, k)``, in VTK's order.
        kind: name of the element, see ``ELEMENTS``: ``"triangle"``, ``"tetra10"`` and so on.
        parts: elements by the names of parts of the domain, each ``(n,)``.
        tags: facets by the names of parts of the boundary, each ``(n, 2)`` of element and local facet.
        sets: points by the names of sets of them, ``(n, 1)`` of their numbers, or edges, ``(n, 2)`` of their ends: what
            supports may hold. :func:`with_points` makes some.

    Raises:
        UsageError: for an unknown kind, or arrays of impossible shapes. :func:`check_mesh` looks for what is wrong with
            the geometry.

    Example:
        >>> square = Mesh(np.array([[0., 0.], [1., 0.], [1., 1.], [0., 1.]]), np.array([[0, 1, 2], [0, 2, 3]]))
        >>> len(square.boundary), round(float(square.measures.sum()), 12)
        (4, 1.0)
    """

    points: Floats
    cells: Ints
    kind: str = "triangle"
    parts: Mapping[str, Ints] = field(default_factory=dict)
    tags: Mapping[str, Ints] = field(default_factory=dict)
    sets: Mapping[str, Ints] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.kind not in ELEMENTS:
            raise UsageError(f"a mesh has elements of the kinds {', '.join(ELEMENTS)}; got {self.kind!r}.")
        object.__setattr__(self, "points", np.ascontiguousarray(self.points, dtype=np.float64))
        object.__setattr__(self, "cells", np.ascontiguousarray(self.cells, dtype=np.int64))
        nodes = len(self.element.nodes)
        if self.points.ndim != 2 or self.points.shape[1] not in (2, 3):
            raise UsageError(f"the points of a mesh have shape (v, 2) or (v, 3); got {self.points.shape}.")
        if self.cells.ndim != 2 or self.cells.shape[1] != nodes:
            raise UsageError(f"elements of kind {self.kind!r} have shape (e, {nodes}); got {self.cells.shape}.")
        if self.element.dim > self.points.shape[1]:
            raise UsageError(f"a {self.kind} needs points in {self.element.dim}D; they are in {self.points.shape[1]}D.")

    @property
    def element(self) -> Element:
        """The reference element."""
        return ELEMENTS[self.kind]

    @property
    def dim(self) -> int:
        """Dimensions of the space that the points are in."""
        return self.points.shape[1]

    @property
    def surface(self) -> bool:
        """Whether it is a surface in 3D, and no domain."""
        return self.element.dim < self.dim

    @cached_property
    def measures(self) -> Floats:
        """Area or volume of every element, ``(e,)``, by a quadrature that is exact for what its map can be."""
        x, w = reference_quadrature(self.element)
        determinants = np.abs(self.determinants(x))
        return determinants @ w

    def determinants(self, x: Floats) -> Floats:
        """det ∂x/∂ξ at reference points ``(q, dim)`` of every element, ``(e, q)``; of a surface its area's factor."""
        gradients = self.element.gradients(x)
        jacobians = np.einsum("ekd,qka->eqda", self.points[self.cells], gradients, optimize=True)
        if not self.surface:
            return np.linalg.det(jacobians)
        return np.sqrt(np.linalg.det(np.swapaxes(jacobians, -1, -2) @ jacobians))

    @cached_property
    def facets(self) -> tuple[Ints, Ints]:
        """All facets of all elements: corners sorted ``(e f, …)``, and (element, local facet) ``(e f, 2)``."""
        element, corners, owners = self.element, [], []
        for number, local in enumerate(element.facets):
            corners.append(np.sort(self.cells[:, local], axis=1))
            owners.append(np.stack([np.arange(len(self.cells)), np.full(len(self.cells), number)], axis=1))
        return np.concatenate(corners), np.concatenate(owners)

    @cached_property
    def shared_facets(self) -> tuple[Ints, Ints, Ints]:
        """Number of the unique facet of every facet, the first facet of each unique one, how often each occurs."""
        keys = row_keys(self.facets[0])
        _, first, inverse, counts = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        return inverse, first, counts

    @cached_property
    def boundary(self) -> Ints:
        """Facets of one element alone, ``(n, 2)``."""
        _, first, counts = self.shared_facets
        return self.facets[1][np.sort(first[counts == 1])]

    @cached_property
    def components(self) -> Ints:
        """Number of the connected part that every element belongs to, ``(e,)``: joined by facets."""
        inverse, _, counts = self.shared_facets
        owners = self.facets[1][:, 0]
        incidence = sp.csr_matrix((np.ones(len(owners)), (owners, inverse)), shape=(len(self.cells), len(counts)))
        return graphs.connected_components(incidence @ incidence.T, directed=False)[1].astype(np.int64)

    @cached_property
    def qualities(self) -> Floats:
        """Shape of every element, 1 the best and 0 flat, ``(e,)``.

        The smallest over its corners of the determinant of the edges there over the product of their lengths, over what
        the regular element has (simplices), or over 1 (quads and hexahedra): the scaled Jacobian of the straight
        element.
        """
        element = self.element
        worst = np.full(len(self.cells), np.inf)
        for corner in range(element.corners):
            ends = [b if a == corner else a for a, b in element.edges if corner in (a, b)]
            x = self.points[self.cells]
            edges = np.stack([x[:, end] - x[:, corner] for end in ends[: element.dim]], axis=-1)
            lengths = np.linalg.norm(edges, axis=1).prod(-1)
            gram = np.linalg.det(np.swapaxes(edges, -1, -2) @ edges)
            with np.errstate(invalid="ignore", divide="ignore"):
                worst = np.minimum(worst, np.nan_to_num(np.sqrt(np.maximum(gram, 0)) / lengths))
        regular = {"triangle": np.sqrt(3) / 2, "tetrahedron": np.sqrt(0.5)}
        return np.minimum(worst / regular.get(element.shape, 1.0), 1.0)

    def facet_nodes(self, facets: Ints) -> Ints:
        """Corners of facets ``(n, 2)``, ``(n, …)``."""
        local = np.asarray(self.element.facets)
        return np.take_along_axis(self.cells[facets[:, 0]], local[facets[:, 1]], axis=1)


def row_keys(rows: Ints) -> Ints:
    """One number per row of non-negative numbers, the same for equal rows: sorting numbers is faster than sorting
    rows."""
    if not len(rows):
        return np.zeros(0, dtype=np.int64)
    base = int(rows.max()) + 1
    key = rows[:, 0].astype(np.int64)
    for column in rows.T[1:]:
        if int(key.max()) >= (1 << 62) // base:
            key = np.unique(key, return_inverse=True)[1].astype(np.int64)
        key = key * base + column
    return key


def reference_quadrature(element: Element, count: int | None = None) -> tuple[Floats, Floats]:
    """Points and weights on the reference element: Gauss–Legendre, on simplices collapsed onto them (Duffy, 1982).

    Args:
        element: where.
        count: points along each axis; by default as many as integrate the determinants of its maps exactly.
    """
    count = count or 2 * element.order
    nodes, weights = np.polynomial.legendre.leggauss(count)
    s, w = (nodes + 1) / 2, weights / 2
    grids = np.meshgrid(*[s] * element.dim, indexing="ij")
    x = np.stack([g.reshape(-1) for g in grids], axis=-1)
    w = np.prod(np.stack(np.meshgrid(*[w] * element.dim, indexing="ij")), axis=0).reshape(-1)
    if element.shape in ("triangle", "tetrahedron"):
        shrunk, out = np.ones(len(x)), np.empty_like(x)
        for a in range(element.dim):
            out[:, a] = x[:, a] * shrunk
            if a + 1 < element.dim:
                # what this axis takes shrinks the later ones
                shrunk = shrunk * (1 - x[:, a])
                w = w * shrunk
        x = out
    return x, w
