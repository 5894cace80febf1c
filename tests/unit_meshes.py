"""Meshes of the unit square and cube for tests, of every kind of element."""

from __future__ import annotations

import itertools

import numpy as np

from neuralpde.geometry import ELEMENTS, Mesh, repair_mesh

_SPLIT = {
    "triangle": [(0, 1, 2), (0, 2, 3)],
    # Kuhn's six tetrahedra along the paths from corner 0 to corner 6
    "tetrahedron": [(0, 1, 2, 6), (0, 2, 3, 6), (0, 3, 7, 6), (0, 7, 4, 6), (0, 4, 5, 6), (0, 5, 1, 6)],
}


def unit_mesh(kind: str, n: int = 2, distort: float = 0.0, seed: int = 0) -> Mesh:
    """n cells along each axis of the unit square or cube, sides tagged ``x-``, ``x+`` and so on.

    Args:
        kind: of element.
        n: cells along each axis.
        distort: random shift of inner points, as a share of a cell.
        seed: of the shifts.
    """
    element = ELEMENTS[kind]
    d = element.dim
    corners = np.asarray(ELEMENTS[{2: "quad", 3: "hexahedron"}[d]].nodes).astype(int)
    grid = np.stack(np.meshgrid(*[np.arange(n + 1)] * d, indexing="ij"), axis=-1).reshape(-1, d)
    points = grid / n
    inner = ((grid > 0) & (grid < n)).all(1)
    points[inner] += np.random.default_rng(seed).uniform(-distort, distort, (inner.sum(), d)) / n
    strides = np.array([(n + 1) ** (d - 1 - a) for a in range(d)])
    starts = np.array(list(itertools.product(range(n), repeat=d)))
    boxes = (starts[:, None] + corners) @ strides
    splits = _SPLIT.get(element.shape, [tuple(range(element.corners))])
    cells = np.concatenate([boxes[:, list(s)] for s in splits])
    straight = {"triangle": "triangle", "quad": "quad", "tetrahedron": "tetra", "hexahedron": "hexahedron"}
    mesh = repair_mesh(Mesh(points, cells, straight[element.shape]))
    if element.order == 2:
        mesh = _quadratic(mesh, kind)
    return Mesh(mesh.points, mesh.cells, kind, {"body": np.arange(len(mesh.cells))}, _sides(mesh))


def _quadratic(mesh: Mesh, kind: str) -> Mesh:
    """The same mesh with nodes in the middles of edges and so on."""
    element = ELEMENTS[kind]
    values = mesh.element.values(np.asarray(element.nodes))
    places = np.einsum("kg,egd->ekd", values, mesh.points[mesh.cells])
    flat = places.reshape(-1, mesh.dim)
    _, first, numbers = np.unique(np.round(flat, 12), axis=0, return_index=True, return_inverse=True)
    return Mesh(flat[first], numbers.reshape(places.shape[:2]), kind)


def _sides(mesh: Mesh) -> dict[str, np.ndarray]:
    middles = mesh.points[mesh.facet_nodes(mesh.boundary)].mean(1)
    return {
        "xyz"[a] + "-+"[side]: mesh.boundary[np.abs(middles[:, a] - side) < 1e-9]
        for a in range(mesh.dim)
        for side in (0, 1)
    }
