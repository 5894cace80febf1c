"""What can be mended in a mesh without guessing."""

from __future__ import annotations

import numpy as np

from neuralpde.geometry._elements import Element
from neuralpde.geometry._mesh import Ints, Mesh, row_keys

_FLIP = {
    "triangle": (0, 2, 1),
    "quad": (0, 3, 2, 1),
    "tetrahedron": (0, 2, 1, 3),
    "hexahedron": (4, 5, 6, 7, 0, 1, 2, 3),
}
"""Corners of the mirror image."""


def repair_mesh(mesh: Mesh) -> Mesh:
    """Without points that no element has, without elements that are there twice, all elements turned the right way.

    Many programs don't care how an element is turned. A mesh that folds over itself stays wrong, and
    :func:`check_mesh` says so.
    """
    v = len(mesh.points)
    if not len(mesh.cells) or ((mesh.cells < 0) | (mesh.cells >= v)).any() or not np.isfinite(mesh.points).all():
        return mesh  # beyond repair: the checks say why
    kept = np.sort(np.unique(row_keys(np.sort(mesh.cells, axis=1)), return_index=True)[1])
    number = np.full(len(mesh.cells), -1, dtype=np.int64)
    number[kept] = np.arange(len(kept))
    used = np.unique(mesh.cells[kept])
    place = np.full(v, -1, dtype=np.int64)
    place[used] = np.arange(len(used))
    parts = {name: number[ids][number[ids] >= 0] for name, ids in mesh.parts.items()}
    tags = {}
    for name, ids in mesh.tags.items():
        there = number[ids[:, 0]] >= 0
        tags[name] = np.stack([number[ids[there, 0]], ids[there, 1]], axis=1)
    sets = {name: place[ids[(place[ids] >= 0).all(1)]] for name, ids in mesh.sets.items()}
    out = Mesh(mesh.points[used], place[mesh.cells[kept]], mesh.kind, parts, tags, sets)
    return out if out.surface else _turned(out)


def _turned(mesh: Mesh) -> Mesh:
    """With every element that is turned over at its middle in the order of its mirror image."""
    element = mesh.element
    middle = np.asarray(element.nodes)[: element.corners].mean(0, keepdims=True)
    over = mesh.determinants(middle)[:, 0] < 0
    if not over.any():
        return mesh
    order, renumbered = _mirror(element)
    cells = mesh.cells.copy()
    cells[over] = cells[over][:, order]
    tags = {}
    for name, ids in mesh.tags.items():
        local = np.where(over[ids[:, 0]], renumbered[ids[:, 1]], ids[:, 1])
        tags[name] = np.stack([ids[:, 0], local], axis=1)
    return Mesh(mesh.points, cells, mesh.kind, mesh.parts, tags, mesh.sets)


def _mirror(element: Element) -> tuple[list[int], Ints]:
    """Order of the nodes in the mirror image, and the new numbers of the facets."""
    nodes, corners = np.asarray(element.nodes), _FLIP[element.shape]
    # the affine map that permutes the corners so tells where the other nodes go
    base = np.concatenate([nodes[: element.corners], np.ones((element.corners, 1))], axis=1)
    image = np.linalg.lstsq(base, nodes[list(corners)], rcond=None)[0]
    moved = np.concatenate([nodes, np.ones((len(nodes), 1))], axis=1) @ image
    order = [int(np.argmin(np.abs(nodes - x).sum(1))) for x in moved]
    facets = [frozenset(f) for f in element.facets]
    return order, np.array([facets.index(frozenset(corners.index(c) for c in f)) for f in element.facets])
