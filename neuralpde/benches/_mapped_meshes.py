"""Meshes of squares and cubes that a map bends into place, curved where their elements are quadratic."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from neuralpde.geometry import ELEMENTS, Mesh

Places = NDArray[np.float64]
Place = Callable[[Places], Places]
"""Points ``(n, d)`` of the unit square or cube → points of the body."""

SPLIT = {
    "triangle": ((0, 1, 2), (0, 2, 3)),
    # Kuhn's six tetrahedra along the paths from corner 0 to corner 6
    "tetrahedron": ((0, 1, 2, 6), (0, 2, 3, 6), (0, 3, 7, 6), (0, 7, 4, 6), (0, 4, 5, 6), (0, 5, 1, 6)),
}


def mapped_mesh(
    kind: str,
    cells: tuple[int, ...],
    place: Place,
    names: Mapping[str, str] | None = None,
    powers: tuple[float, ...] | None = None,
    edges: Mapping[str, Callable[[Places], NDArray[np.bool_]]] | None = None,
) -> Mesh:
    """Elements of a kind on a map of the unit square or cube; every node lies where the map takes it.

    Args:
        kind: of element, such as ``"triangle6"``.
        cells: along each axis; a cell holds 2 triangles or 6 tetrahedra.
        place: the map, which must not turn elements over.
        names: of the sides, by ``"x-"``, ``"x+"``, …; the same name may stand for several, and sides without one keep
            their own.
        powers: along each axis the corners of n cells lie at (k/n)^power before the map; nodes between corners stay in
            the middle, as elsewhere elements would have singular derivatives.
        edges: names of sets of edges, and which points of the unit cube lie on their lines.
    """
    element, order = ELEMENTS[kind], ELEMENTS[kind].order
    counts = [order * n + 1 for n in cells]
    lattice = np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), axis=-1).reshape(-1, len(cells))
    strides = np.array([int(np.prod(counts[a + 1 :])) for a in range(len(cells))])
    starts = order * np.array(list(itertools.product(*map(range, cells))))
    numbers = np.concatenate([(starts[:, None] + nodes) @ strides for nodes in _offsets(kind, order)])
    used, numbers = np.unique(numbers, return_inverse=True)  # elements without nodes in their middles leave some out
    axes = [_graded(n, order, p) for n, p in zip(cells, powers or (1.0,) * len(cells), strict=True)]
    logical = np.stack([axis[lattice[used, a]] for a, axis in enumerate(axes)], axis=1)
    bare = Mesh(place(logical), numbers.reshape(-1, len(element.nodes)), kind)
    sets = {name: _edges(bare, on(logical)) for name, on in (edges or {}).items()}
    return Mesh(bare.points, bare.cells, kind, tags=_sides(bare, logical, names or {}), sets=sets)


def _graded(n: int, order: int, power: float) -> Places:
    """Places of the lattice along an axis."""
    return np.interp(np.linspace(0, n, order * n + 1), np.arange(n + 1), (np.arange(n + 1) / n) ** power)


def _offsets(kind: str, order: int) -> list[NDArray[np.int64]]:
    """Per element of a cell the places of its nodes in the lattice, ``(k, d)``."""
    element = ELEMENTS[kind]
    nodes = np.asarray(element.nodes)
    if element.shape not in SPLIT:
        return [np.rint(order * nodes).astype(np.int64)]
    corners = np.asarray(ELEMENTS[{2: "quad", 3: "hexahedron"}[element.dim]].nodes)
    out = []
    for chosen in SPLIT[element.shape]:
        base = corners[list(chosen)]
        out.append(np.rint(order * (base[0] + nodes @ (base[1:] - base[0]))).astype(np.int64))
    return out


def _edges(mesh: Mesh, on: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Edges whose ends both lie on a line, ``(n, 2)``."""
    ends = mesh.cells[:, mesh.element.edges].reshape(-1, 2)
    return np.unique(np.sort(ends[on[ends].all(1)], axis=1), axis=0)


def _sides(mesh: Mesh, logical: Places, names: Mapping[str, str]) -> dict[str, NDArray[np.int64]]:
    """Facets by the names of the sides on which all of their corners lie."""
    facets = logical[mesh.facet_nodes(mesh.boundary)]
    found: dict[str, list[NDArray[np.int64]]] = {}
    for axis, end in itertools.product(range(mesh.dim), (0, 1)):
        on = (np.abs(facets[..., axis] - end) < 1e-9).all(1)
        side = "xyz"[axis] + "-+"[end]
        found.setdefault(names.get(side, side), []).append(mesh.boundary[on])
    return {name: np.concatenate(parts) for name, parts in found.items()}
