"""Facets of a mesh as straight pieces, the straight lines and planes that they lie in, and round parts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from neuralpde.geometry._elements import Element
from neuralpde.geometry._mesh import Floats, Ints, Mesh
from neuralpde.geometry._potentials import facet_normals

SPLITS = {2: 8, 3: 4}
"""Straight pieces along each edge of a curved facet, by dimension: they leave its curve by 1/64 and 1/16 of the height
of its arc."""

FLAT = 1e-9
"""A facet counts as straight, and points as in one plane, within this share of the domain's size."""


@dataclass(frozen=True)
class StraightFacets:
    """Straight pieces of facets.

    Args:
        corners: ``(f, d, d)``, in the order that has the outside on the right (2D) or outwards (3D).
        owner: the facet that each is a piece of, ``(f,)``.
        node: number of each corner, the same where they are the same point, ``(f, d)``.
        points: places of the numbered corners.
    """

    corners: Floats
    owner: Ints
    node: Ints
    points: Floats

    def take(self, chosen: np.ndarray) -> StraightFacets:
        """Some of them."""
        return StraightFacets(self.corners[chosen], self.owner[chosen], self.node[chosen], self.points)


def facet_points(mesh: Mesh, facets: Ints) -> list[Ints]:
    """All nodes of each facet, those on edges and faces included."""
    element = mesh.element
    on = [_nodes_on(element, number) for number in range(len(element.facets))]
    return [mesh.cells[cell][on[number]] for cell, number in facets]


def _nodes_on(element: Element, number: int) -> Ints:
    nodes = np.asarray(element.nodes)
    corners = nodes[list(element.facets[number])]
    basis = corners[1:] - corners[0]
    rest = nodes - corners[0]
    foot = rest @ np.linalg.pinv(basis) @ basis
    return np.flatnonzero(np.abs(rest - foot).max(1) < 1e-12)


def straight_facets(mesh: Mesh, facets: Ints) -> StraightFacets:
    """Facets ``(f, 2)`` as segments or triangles, curved ones cut into :data:`SPLITS` along each edge."""
    element, size = mesh.element, float(np.ptp(mesh.points, axis=0).max())
    corners, owner = [np.zeros((0, mesh.dim, mesh.dim))], [np.zeros(0, dtype=np.int64)]
    for number in np.unique(facets[:, 1]):
        chosen = np.flatnonzero(facets[:, 1] == number)
        x = mesh.points[mesh.cells[facets[chosen, 0]]]
        curved = ~_flat(element, int(number), x, size)
        for bent in (False, True):
            some = curved == bent
            if not some.any():
                continue
            reference = np.asarray(element.nodes)[list(element.facets[number])]
            pieces = _reference_pieces(reference, SPLITS[mesh.dim] if bent else 1)
            values = element.values(pieces.reshape(-1, mesh.dim)).reshape(*pieces.shape[:2], -1)
            found = np.einsum("pcv,fvd->fpcd", values, x[some])
            corners.append(found.reshape(-1, mesh.dim, mesh.dim))
            owner.append(np.repeat(chosen[some], len(pieces)))
    all_corners, all_owners = np.concatenate(corners), np.concatenate(owner)
    flat = all_corners.reshape(-1, mesh.dim)
    # rounded coordinates may fall on two sides of a step; then a point has two numbers, and both have the same data
    _, first, node = np.unique(np.round(flat / (size * FLAT)), axis=0, return_index=True, return_inverse=True)
    return StraightFacets(all_corners, all_owners, node.reshape(all_corners.shape[:2]), flat[first])


def _flat(element: Element, number: int, x: Floats, size: float) -> np.ndarray:
    """Whether each facet's nodes lie where a straight one has them, ``(f,)``."""
    on = _nodes_on(element, number)
    local = list(element.facets[number])
    nodes = np.asarray(element.nodes)
    if len(local) == 4:  # a quadrilateral is flat where its corners are in one plane
        away = x[:, local] - x[:, local[:1]]
        normal = np.cross(away[:, 1], away[:, 3])
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        return np.abs(np.einsum("fkd,fd->fk", x[:, on] - x[:, local[:1]], normal)).max(1) < FLAT * size
    basis = nodes[local[1:]] - nodes[local[0]]
    share = (nodes[on] - nodes[local[0]]) @ np.linalg.pinv(basis)
    straight = x[:, local[:1]] + np.einsum("kb,fbd->fkd", share, x[:, local[1:]] - x[:, local[:1]])
    return np.abs(x[:, on] - straight).max(axis=(1, 2)) < FLAT * size


def _reference_pieces(corners: Floats, m: int) -> Floats:
    """A reference facet cut into pieces, ``(p, d, d)`` of corners in its own orientation."""
    if len(corners) == 2:
        s = np.linspace(0, 1, m + 1)[:, None]
        ends = corners[0] + s * (corners[1] - corners[0])
        return np.stack([ends[:-1], ends[1:]], axis=1)
    if len(corners) == 4:
        halves = [_reference_pieces(corners[list(pick)], m) for pick in ((0, 1, 2), (0, 2, 3))]
        return np.concatenate(halves)
    a, u, v = corners[0], (corners[1] - corners[0]) / m, (corners[2] - corners[0]) / m
    up = [[(i, j), (i + 1, j), (i, j + 1)] for i in range(m) for j in range(m - i)]
    down = [[(i + 1, j), (i + 1, j + 1), (i, j + 1)] for i in range(m) for j in range(m - i - 1)]
    return np.array([[a + i * u + j * v for i, j in triangle] for triangle in up + down])


def planes(pieces: StraightFacets, size: float) -> list[Ints]:
    """Numbers of the pieces in each straight line or plane, those with the same outside together."""
    normal = facet_normals(pieces.corners)
    offset = (normal * pieces.corners[:, 0]).sum(1)
    left, found = np.arange(len(normal)), list[Ints]()
    while len(left):
        k = left[0]
        same = (normal[left] @ normal[k] > 1 - 1e-9) & (np.abs(offset[left] - offset[k]) < 10 * FLAT * size)
        reach = np.abs((pieces.corners[left] - pieces.corners[k, 0]) @ normal[k]).max(1)
        same &= reach < 10 * FLAT * size
        same[0] = True
        found.append(left[same])
        left = left[~same]
    return found


def supporting(pieces: StraightFacets, groups: list[Ints], mesh: Mesh, size: float) -> list[Ints]:
    """Of the groups of :func:`planes`, those whose line or plane meets the mesh in these pieces alone, and has the mesh
    on one side: its linear function is zero there and nowhere else."""
    out, corners = [], mesh.points[np.unique(mesh.cells[:, : mesh.element.corners])]
    for group in groups:
        normal = facet_normals(pieces.corners[group[:1]])[0]
        if ((mesh.points - pieces.corners[group[0], 0]) @ normal).max() > 10 * FLAT * size:
            continue
        there = corners[(corners - pieces.corners[group[0], 0]) @ normal > -10 * FLAT * size]
        mine = pieces.points[np.unique(pieces.node[group])]
        if (cKDTree(mine).query(there)[0] < 10 * FLAT * size).all():
            out.append(group)
    return out


def components(pieces: StraightFacets) -> Ints:
    """Number of the connected part of every piece, ``(f,)``: joined by corners."""
    f, k = pieces.node.shape
    rows = np.repeat(np.arange(f), k)
    incidence = sp.csr_matrix((np.ones(f * k), (rows, pieces.node.reshape(-1))), shape=(f, len(pieces.points)))
    return connected_components(incidence @ incidence.T, directed=False)[1].astype(np.int64)


def fitted_sphere(points: Floats) -> tuple[Floats, float, float]:
    """Centre, radius and largest misfit of the circle or sphere closest to points ``(n, d)``."""
    middle = points.mean(0)
    x = points - middle
    matrix = np.concatenate([2 * x, np.ones((len(x), 1))], axis=1)
    solved = np.linalg.lstsq(matrix, (x**2).sum(1), rcond=None)[0]
    radius = float(np.sqrt(max(solved[-1] + (solved[:-1] ** 2).sum(), 0.0)))
    misfit = float(np.abs(np.linalg.norm(x - solved[:-1], axis=1) - radius).max())
    return middle + solved[:-1], radius, misfit
