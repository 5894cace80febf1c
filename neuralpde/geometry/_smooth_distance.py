"""Functions that vanish on parts of a mesh's boundary and nowhere else, smooth inside, with their derivatives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from neuralpde.geometry._mesh import Floats, Ints
from neuralpde.geometry._mesh_domain import MeshDomain
from neuralpde.geometry._potentials import beside, chunks, facet_normals, facet_potential
from neuralpde.geometry._straight_facets import (
    StraightFacets,
    components,
    facet_points,
    fitted_sphere,
    planes,
    straight_facets,
    supporting,
)

NEAR = 1e-9
"""Points closer to a facet than this share of the domain's size are looked at from that distance."""

ROUND = 1e-6
"""Nodes of a curved part within this share of its radius of a circle or sphere make it one."""

PLANES = {2: 6, 3: 8}
"""A product of more linear functions than these is nearly zero in most of the domain: then all parts are potentials."""


class ScalarJet(NamedTuple):
    """A function at n points: value ``(n,)``, gradient ``(n, d)``, Laplacian ``(n,)``."""

    value: Floats
    grad: Floats
    laplacian: Floats

    def times(self, other: ScalarJet) -> ScalarJet:
        """The product."""
        return ScalarJet(
            self.value * other.value,
            self.value[:, None] * other.grad + other.value[:, None] * self.grad,
            self.value * other.laplacian + other.value * self.laplacian + 2 * (self.grad * other.grad).sum(1),
        )

    def inverse(self) -> ScalarJet:
        """1/f."""
        one = 1 / self.value
        grad = -self.grad * one[:, None] ** 2
        return ScalarJet(one, grad, -self.laplacian * one**2 + 2 * (self.grad**2).sum(1) * one**3)


class Ball(NamedTuple):
    """A circle or sphere that is boundary: its centre, radius, and whether the domain is inside."""

    centre: Floats
    radius: float
    inside: bool


class NearPoints:
    """Points of a domain, those on or next to its boundary moved inwards by :data:`NEAR`.

    Closed forms of potentials are infinite on the facets, where the quotients made of them have limits: they are taken
    at that distance and followed back along their tangents, so that what is zero on the boundary is zero to the square
    of it.

    Args:
        x: ``(n, d)``.
        pieces: of the whole boundary.
        size: of the domain.
        balls: circles and spheres, which are boundary too.
    """

    def __init__(self, x: Floats, pieces: StraightFacets, size: float, balls: Sequence[Ball] = ()) -> None:
        normal, least = facet_normals(pieces.corners), NEAR * size
        self.points = x.copy()
        for ball in balls:
            away = x - ball.centre
            r = np.linalg.norm(away, axis=1, keepdims=True)
            sign = -1.0 if ball.inside else 1.0
            self.points += np.where(np.abs(r - ball.radius) < least, sign * 2 * least * away / r, 0.0)
        for rows in chunks(len(x), len(normal)):
            height = np.abs(x[rows] @ normal.T - (pieces.corners[:, 0] * normal).sum(1))
            close = (height < least) & (beside(x[rows], pieces.corners, normal) < least)
            some = np.flatnonzero(close.any(1))
            if len(some):
                inward = -(close[some].astype(float) @ normal)
                inward /= np.maximum(np.linalg.norm(inward, axis=1, keepdims=True), 1e-300)
                self.points[np.arange(len(x))[rows][some]] += 2 * least * inward
        self.back = x - self.points

    def follow(self, jet: ScalarJet) -> ScalarJet:
        """A function's jet at the moved points, as that at the points themselves."""
        return jet._replace(value=jet.value + (jet.grad * self.back).sum(1))


def inverse_distance(x: Floats, corners: Floats, jets: bool = True) -> ScalarJet:
    """Σ_f ∫_f dS / |x − y|^d over the half-space constant (π in 2D, 2π in 3D): one over the distance near a facet."""
    d = x.shape[1]
    value, grad, laplacian = np.zeros(len(x)), np.zeros(x.shape), np.zeros(len(x))
    for rows in chunks(len(x), len(corners)):
        potential = facet_potential(x[rows], corners, moments=False)
        value[rows] = potential.value.sum(1)
        if jets:
            grad[rows], laplacian[rows] = potential.grad.sum(1), potential.laplacian.sum(1)
    half = math.pi * (d - 1)
    return ScalarJet(value / half, grad / half, laplacian / half)


class SmoothDistance:
    """φ = Π ℓ_k/L_k · Π ρ_j · 1/(s Σ_f ∫_f |x − y|^{−d} dS): zero on the named parts of the boundary, with a normal
    derivative that is not, positive elsewhere; smooth but at corners and edges that the linear functions do not make.

    Straight parts that have the whole domain on one side give a linear function ℓ each: products of these are smooth
    where they meet. Parts of quadratic facets that close a circle or a sphere give ρ = (r² − R²)/(r² + R²), or
    1 − r²/R² from inside. All other facets share one potential; segments of it that end where the domain bends away are
    continued outside, so that it has no end there.

    Quadratic facets on a circle differ from it by the fourth power of their length; φ vanishes on the circle. Other
    curved facets are cut into straight pieces.

    Args:
        domain: of the mesh.
        faces: names of parts of its boundary.
        scale: None to make the largest value about 1.

    Source: Rvachev's normalised functions in products; potentials of Belyaev, Fayolle & Pasko, CAD 45 (2013).
    """

    def __init__(self, domain: MeshDomain, faces: tuple[str, ...]) -> None:
        self.domain, mesh = domain, domain.mesh
        self.size = max(domain.lengths)
        facets = np.concatenate([domain.sides[face] for face in faces])
        self.pieces = straight_facets(mesh, facets)
        self.whole = straight_facets(mesh, np.concatenate(list(domain.sides.values())))
        used = np.zeros(len(self.pieces.corners), dtype=bool)
        self.round = np.zeros_like(used)
        self.balls = self._balls(facets, used)
        flat = supporting(self.pieces, planes(self.pieces, self.size), mesh, self.size)
        self.planes = [] if len(flat) > PLANES[domain.dim] else [self._plane(group, used) for group in flat]
        rest = self.pieces.take(np.flatnonzero(~used))
        self.rest = np.concatenate([rest.corners, self._continued(rest)]) if len(rest.corners) else rest.corners
        self.scale = 1.0
        self.scale = float(self.jet(domain.spread(300).points.numpy()).value.max())

    @staticmethod
    def facets_of(domain: MeshDomain, face: str) -> Floats:
        """Straight facets of one part, ``(f, d, d)``; the latest mesh's are kept by it."""
        kept = domain.__dict__.setdefault("_straight", {})
        if face not in kept:
            kept[face] = straight_facets(domain.mesh, domain.sides[face]).corners
        return np.asarray(kept[face])

    @staticmethod
    def nodes_of(domain: MeshDomain, face: str) -> Floats:
        """Corners of the straight facets of one part, facet by facet, ``(f d, d)``."""
        return SmoothDistance.facets_of(domain, face).reshape(-1, domain.dim)

    def _plane(self, group: Ints, used: np.ndarray) -> tuple[Floats, float]:
        """(inward slope, offset) of a linear function that reaches 1 at the far side of the domain."""
        used[group] = True
        normal = -facet_normals(self.pieces.corners[group[:1]])[0]
        start = self.pieces.corners[group[0], 0]
        reach = float(((self.domain.mesh.points - start) @ normal).max())
        return normal / reach, -float(start @ normal) / reach

    def _balls(self, facets: Ints, used: np.ndarray) -> list[Ball]:
        """The closed parts that are circles or spheres."""
        mesh, found = self.domain.mesh, list[Ball]()
        if mesh.element.order == 1 or not len(facets):
            return found
        mine, everywhere = components(self.pieces), components(self.whole)
        corners = {
            tuple(np.round(c.reshape(-1) / self.size, 9)): k
            for c, k in zip(self.whole.corners, everywhere, strict=True)
        }
        nodes = facet_points(mesh, facets)
        for number in np.unique(mine):
            group = np.flatnonzero(mine == number)
            key = corners.get(tuple(np.round(self.pieces.corners[group[0]].reshape(-1) / self.size, 9)))
            closed = key is not None and (everywhere == key).sum() == len(group)
            points = mesh.points[np.unique(np.concatenate([nodes[k] for k in np.unique(self.pieces.owner[group])]))]
            if not closed or len(points) < 4:
                continue
            centre, radius, misfit = fitted_sphere(points)
            if misfit > ROUND * radius:
                continue
            used[group] = True
            outward = facet_normals(self.pieces.corners[group[:1]])[0]
            found.append(Ball(centre, radius, bool((self.pieces.corners[group[0], 0] - centre) @ outward > 0)))
            self.round[group] = True
        return found

    def _continued(self, rest: StraightFacets) -> Floats:
        """Segments that continue those with a loose end, as far as they stay outside the domain."""
        if self.domain.dim == 3:
            return np.zeros((0, 3, 3))
        count = np.bincount(rest.node.reshape(-1), minlength=len(rest.points))
        found = [np.zeros((0, 2, 2))]
        for corners, node in zip(rest.corners, rest.node, strict=True):
            for end in (0, 1):
                if count[node[end]] == 1:
                    way = corners[end] - corners[1 - end]
                    far = self._outside(corners[end], way / np.linalg.norm(way))
                    ends = [corners[end], corners[end] + far * way / np.linalg.norm(way)]
                    if far > 0:
                        found.append(np.array(ends if end else ends[::-1])[None])
        return np.concatenate(found)

    def _outside(self, start: Floats, way: Floats) -> float:
        """How far a ray stays outside, at most three times the domain's size."""
        steps = self.size * np.concatenate([np.geomspace(1e-5, 1e-2, 20), np.linspace(0.02, 3, 300)])
        inside = self.domain.locator.find(start + steps[:, None] * way)[0] >= 0
        if not inside.any():
            return float(steps[-1])
        first = int(np.argmax(inside))
        return 0.9 * float(steps[first - 1]) if first else 0.0

    def inverse(self, near: NearPoints, jets: bool = True) -> ScalarJet:
        """About one over the distance to the nearest of the parts, at the moved points: sums over parts blend data."""
        out = inverse_distance(near.points, self.pieces.corners[~self.round], jets)
        for ball in self.balls:
            slope = 2 / ball.radius if ball.inside else 1 / ball.radius
            one = ball_jet(near.points, ball).inverse()
            out = ScalarJet(*(a + slope * b for a, b in zip(out, one, strict=True)))
        return out

    def jet(self, x: Floats, near: NearPoints | None = None, jets: bool = True) -> ScalarJet:
        """φ, ∇φ, Δφ at points ``(n, d)`` of the domain; without ``jets`` the derivatives may be zero."""
        near = near or NearPoints(x, self.whole, self.size, self.balls)
        one = np.full(len(x), 1 / self.scale)
        out = ScalarJet(one, np.zeros(x.shape), np.zeros(len(x)))
        for slope, offset in self.planes:
            out = out.times(ScalarJet(x @ slope + offset, np.broadcast_to(slope, x.shape), np.zeros(len(x))))
        for ball in self.balls:
            out = out.times(ball_jet(x, ball))
        if len(self.rest):
            jets = jets or bool((near.back != 0).any())
            potential = inverse_distance(near.points, self.rest, jets)
            out = out.times(near.follow(potential.inverse())) if jets else _values(out, potential)
        return out


def _values(jet: ScalarJet, potential: ScalarJet) -> ScalarJet:
    return jet._replace(value=jet.value / potential.value)


def ball_jet(x: Floats, ball: Ball) -> ScalarJet:
    """1 − r²/R² from inside, (r² − R²)/(r² + R²) from outside."""
    d, away = x.shape[1], x - ball.centre
    r2, big = (away**2).sum(1), ball.radius**2
    if ball.inside:
        return ScalarJet(1 - r2 / big, -2 * away / big, np.full(len(x), -2.0 * d / big))
    # f(q) = (q − R²)/(q + R²) of q = r²: f' = 2R²/(q + R²)², f'' = −4R²/(q + R²)³
    first, second = 2 * big / (r2 + big) ** 2, -4 * big / (r2 + big) ** 3
    return ScalarJet((r2 - big) / (r2 + big), 2 * first[:, None] * away, 2 * d * first + 4 * r2 * second)
