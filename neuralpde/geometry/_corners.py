"""Corners of a plane domain where solutions are not smooth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neuralpde.geometry._mesh import Floats
from neuralpde.geometry._mesh_domain import MeshDomain
from neuralpde.geometry._potentials import facet_normals
from neuralpde.geometry._straight_facets import StraightFacets, planes, straight_facets

BEND = 0.3
"""Angles up to that much beyond π are those of a polygon that stands for a curve."""

EXPONENT = 0.97
"""Solutions with a larger exponent than this have bounded derivatives."""


@dataclass(frozen=True)
class Corner:
    """A corner between two straight edges.

    Args:
        place: ``(2,)``.
        start: direction of its first edge as an angle; the domain lies to the left of it.
        opening: angle ω inside the domain.
        held: whether the first and the second edge carry Dirichlet data.
        reach: no other boundary is closer than this.
    """

    place: Floats
    start: float
    opening: float
    held: tuple[bool, bool]
    reach: float

    @property
    def exponent(self) -> float:
        """λ of the strongest singular solution r^λ of Laplace's equation: π/ω, or π/2ω where one edge is held alone."""
        return math.pi / self.opening / (1 if self.held[0] == self.held[1] else 2)


def singular_corners(domain: MeshDomain, held: Mapping[str, bool]) -> list[Corner]:
    """Corners with an exponent below 1: re-entrant ones, and those where Dirichlet data end.

    Args:
        domain: of a plane mesh; in 3D there are none.
        held: whether each part of the boundary carries Dirichlet data; parts that are not named carry nothing.
    """
    if domain.dim != 2:
        return []
    faces = [face for face in domain.faces if face in held]
    pieces = straight_facets(domain.mesh, np.concatenate([domain.sides[face] for face in domain.faces]))
    order = np.concatenate([np.full(len(domain.sides[face]), face in held) for face in domain.faces])
    dirichlet = np.concatenate([np.full(len(domain.sides[face]), held.get(face, False)) for face in domain.faces])
    if not faces:
        return []
    known, fixed = order[pieces.owner], dirichlet[pieces.owner]
    edges = _edges(pieces, fixed, max(domain.lengths))
    starts = {int(pieces.node[k, 0]): k for k in range(len(pieces.node))}
    out = []
    for before, (_, node) in enumerate(pieces.node):
        after = starts.get(int(node))
        if after is None or not (known[before] and known[after]) or edges[before] == edges[after]:
            continue
        ways = [pieces.corners[k, 1] - pieces.corners[k, 0] for k in (before, after)]
        # the inside is on the left: the boundary turns left at a convex corner
        turn = math.atan2(ways[0][0] * ways[1][1] - ways[0][1] * ways[1][0], float(ways[0] @ ways[1]))
        same = bool(fixed[before] == fixed[after])
        place = pieces.corners[after, 0]
        mine = (edges == edges[before]) | (edges == edges[after])
        reach = _reach(pieces, mine, place)
        corner = Corner(
            place,
            math.atan2(ways[1][1], ways[1][0]),
            math.pi - turn,
            (bool(fixed[after]), bool(fixed[before])),
            reach,
        )
        if corner.exponent < EXPONENT and not (same and -turn < BEND):
            out.append(corner)
    return [_apart(corner, out) for corner in out]


def _edges(pieces: StraightFacets, fixed: np.ndarray, size: float) -> np.ndarray:
    """Number of the straight edge with one kind of condition that each segment is a part of."""
    number = np.empty(len(pieces.corners), dtype=np.int64)
    for k, group in enumerate(planes(pieces, size)):
        number[group] = 2 * k
    return number + fixed


def _reach(pieces: StraightFacets, mine: np.ndarray, place: Floats) -> float:
    """Distance from a corner to the far ends of its edges and to all other segments."""
    start, end = pieces.corners[~mine, 0], pieces.corners[~mine, 1]
    along = end - start
    share = np.clip(((place - start) * along).sum(1) / (along**2).sum(1), 0, 1)
    away = np.linalg.norm(start + share[:, None] * along - place, axis=1)
    # an edge ends where a segment of another one begins, the corner itself excepted
    normal = facet_normals(pieces.corners[mine])
    near = 1e-9 * float(np.ptp(pieces.corners.reshape(-1, pieces.corners.shape[-1]), axis=0).max())
    through = np.abs(((place - pieces.corners[mine, 0]) * normal).sum(1)) < near
    far = away[away > near]
    parallel = np.linalg.norm(pieces.corners[mine][~through, 0] - place, axis=1)
    return float(min(far.min(initial=math.inf), parallel.min(initial=math.inf)))


def _apart(corner: Corner, all_corners: list[Corner]) -> Corner:
    """The same corner with a reach that leaves every other corner its own."""
    others = [float(np.linalg.norm(c.place - corner.place)) for c in all_corners if c is not corner]
    return Corner(
        corner.place, corner.start, corner.opening, corner.held, min([corner.reach, *(0.5 * d for d in others)])
    )
