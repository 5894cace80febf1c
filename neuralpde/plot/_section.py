"""Meshes in space cut open by a plane: the face of the cut, and what of the boundary lies behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuralpde.geometry import Element, Mesh
from neuralpde.plot._level_set import KUHN, between, zero_surface
from neuralpde.plot._triangulation import MOST_PIECES, TRIANGLES, Floats, Ints, Triangulation, refined, triangulation

_EIGHT = (
    # four at the corners, and the octahedron between the middles of the edges around its diagonal 4–9
    *((0, 4, 6, 7), (4, 1, 5, 8), (6, 5, 2, 9), (7, 8, 9, 3)),
    *((4, 9, 5, 6), (4, 9, 6, 7), (4, 9, 7, 8), (4, 9, 8, 5)),
)
"""The tetrahedra between the nodes of one of second order."""

_HALVINGS = 2
"""A curved element is cut as the 8² straight tetrahedra that it is divided into."""

_AXIS = 1
"""The cut is across y: the front view looks along y more than along the other axes."""


_SLACK = 0.03
"""Of an element's size."""


@dataclass(frozen=True, eq=False)
class Body(Triangulation):
    """The boundary of a mesh in space, and the same body cut open.

    Args:
        points, triangles, elements: of the whole boundary, see :class:`Triangulation`.
        opened: triangles of the cut-open body, ``(k, 3)``, outward: the boundary behind the cut, then the cut.
        face: how many of them are the cut's.
        cut_at: y of the cut.
    """

    opened: Ints
    face: int
    cut_at: float


def body(mesh: Mesh) -> Body:
    """The boundary of a mesh in space and its cut through the middle, across y.

    Straight elements are cut exactly, curved ones as small straight tetrahedra.
    """
    surface = triangulation(mesh)
    low, high = mesh.points[:, _AXIS].min(), mesh.points[:, _AXIS].max()
    at = float(0.5 * (low + high))
    # what lies nearly in the plane counts as in it: slivers are not drawn well
    slack = _SLACK * float(mesh.measures.mean()) ** (1 / 3)
    kept = _clipped(surface, _side(surface.points, at, slack))
    face = _section(mesh, at, slack)
    if len(face.triangles):
        face = refined(face, int(np.clip(round((TRIANGLES / 4 / len(face.triangles)) ** 0.5), 1, MOST_PIECES)))
    for piece in (kept, face):
        piece.points[np.abs(piece.points[:, _AXIS] - at) <= slack, _AXIS] = at
    points = np.concatenate([surface.points, kept.points, face.points])
    starts = len(surface.points), len(surface.points) + len(kept.points)
    opened = np.concatenate([kept.triangles + starts[0], face.triangles + starts[1]])
    return Body(points, surface.triangles, surface.elements, opened, len(face.triangles), at)


def _clipped(surface: Triangulation, side: Floats) -> Triangulation:
    """The part of a surface where ``side``, one number per point, is positive."""
    signs = side[surface.triangles] > 0
    whole = surface.triangles[signs.all(1)]
    points, pieces, elements = [surface.points], [whole], [surface.elements[signs.all(1)]]
    start = len(surface.points)
    for count in (1, 2):
        chosen = np.flatnonzero(signs.sum(1) == count)
        # turned so that the odd corner comes first; the way round stays
        odd = np.argmax(signs[chosen] if count == 1 else ~signs[chosen], axis=1)
        a, b, c = (surface.triangles[chosen, (odd + j) % 3] for j in range(3))
        ab, ac = start + np.arange(len(chosen)), start + len(chosen) + np.arange(len(chosen))
        points += [between(surface.points, side, a, b), between(surface.points, side, a, c)]
        start += 2 * len(chosen)
        pieces += [np.stack([a, ab, ac], 1)] if count == 1 else [np.stack([ab, b, c], 1), np.stack([ab, c, ac], 1)]
        elements += [surface.elements[chosen]] * count
    return Triangulation(np.concatenate(points), np.concatenate(pieces), np.concatenate(elements))


def _side(points: Floats, at: float, slack: float) -> Floats:
    """How far points lie behind the plane y = at, ``(…,)``; 0 for those within ``slack`` of it."""
    away = points[..., _AXIS] - at
    return np.where(np.abs(away) <= slack, 0.0, away)


def _section(mesh: Mesh, at: float, slack: float) -> Triangulation:
    """The plane y = at inside the mesh, with normals towards smaller y."""
    among = mesh.points[mesh.cells][..., _AXIS] - at
    cells = np.flatnonzero((among.min(1) < slack) & (among.max(1) > -slack))
    pieces = _tetrahedra(mesh.element)
    nodes = np.einsum("qk,ekd->eqd", mesh.element.values(pieces.reshape(-1, 3)), mesh.points[mesh.cells[cells]])
    corners, owners = nodes.reshape(-1, 4, 3), np.repeat(cells, len(pieces))
    points, triangles, number = zero_surface(corners, _side(corners, at, slack))
    found = Triangulation(points, triangles, owners[number])
    turned = np.where((found.normals[:, _AXIS] > 0)[:, None], found.triangles[:, ::-1], found.triangles)
    return Triangulation(found.points, turned, found.elements)


def _tetrahedra(element: Element) -> Floats:
    """Reference coordinates of straight tetrahedra that fill an element, ``(k, 4, 3)``."""
    nodes = np.asarray(element.nodes)
    out = nodes[np.asarray(KUHN)] if element.shape == "hexahedron" else nodes[None, :4]
    for _ in range(_HALVINGS if element.order > 1 or element.shape == "hexahedron" else 0):
        middles = 0.5 * (out[:, [0, 1, 0, 0, 1, 2]] + out[:, [1, 2, 2, 3, 3, 3]])
        out = np.concatenate([out, middles], axis=1)[:, np.asarray(_EIGHT)].reshape(-1, 4, 3)
    return out
