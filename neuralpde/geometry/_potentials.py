"""Potentials of straight facets: integrals of |x − y|^{−d} over segments (d = 2) and triangles (d = 3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from neuralpde.geometry._mesh import Floats

OFF_PLANE = 1e-5
"""A point beside a facet is kept that far off the facet's plane, as a share of its distance: the integral is even in
the height, so this moves it by 1e-10, and the closed forms keep six digits of second derivatives."""

PAIRS = 40_000
"""Pairs of point and facet at a time: their arrays stay in the cache."""


@dataclass(frozen=True)
class FacetPotential:
    """W_f = ∫_f |x − y|^{−d} dS and the first moment Q_f = ∫_f (y − x*) |x − y|^{−d} dS about the foot x* of x.

    W = Ω/|h| with the angle Ω that f subtends at x and the height h of x over its plane. Ω and the components of Q are
    harmonic, so ΔW follows from ∇Ω, and for a linear function g of y, ∫ g |x − y|^{−d} dS = g(x*) W + ∇g·Q.

    Args:
        value: W, ``(n, f)``.
        grad: ``(n, f, d)``.
        laplacian: ``(n, f)``.
        moment: Q, ``(n, f, d)``.
        moment_grad: ∂Q_a/∂x_i, ``(n, f, d, d)``.

    Source: the exponent of Belyaev, Fayolle & Pasko, Signed Lp-distance fields, CAD 45 (2013), with p = 1; solid angles
    by van Oosterom & Strackee, IEEE Trans. Biomed. Eng. 30 (1983).
    """

    value: Floats
    grad: Floats
    laplacian: Floats
    moment: Floats
    moment_grad: Floats


def facet_potential(x: Floats, corners: Floats, moments: bool = True) -> FacetPotential:
    """Potentials at points ``(n, d)`` of facets with corners ``(f, d, d)``; see :class:`FacetPotential`.

    Args:
        x: points off the facets.
        corners: the ends of segments, or the corners of triangles.
        moments: whether Q is needed; without, it is empty.
    """
    normal, height, x = _off_plane(x, corners)
    r = x - corners[None].swapaxes(1, 2).swapaxes(0, 1)  # (corner, n, f, d)
    size = np.linalg.norm(r, axis=-1)
    angle, slope = (_angle if x.shape[-1] == 2 else _solid_angle)(r, size)
    up = np.sign(height)[..., None] * normal
    height = np.abs(height)
    rise = (slope * up).sum(-1)
    grad = slope / height[..., None] - (angle / height**2)[..., None] * up
    laplacian = -2 * rise / height**2 + 2 * angle / height**3
    q, dq = _moments(corners, r, size, normal) if moments else (grad[..., :0], grad[..., :0, None])
    return FacetPotential(angle / height, grad, laplacian, q, dq)


def _off_plane(x: Floats, corners: Floats) -> tuple[Floats, Floats, Floats]:
    """Unit normals ``(f, d)``, heights ``(n, f)``, and points ``(n, f, d)`` that stand off the planes."""
    normal = facet_normals(corners)
    away = x[:, None] - corners[None, :, 0]
    height = (away * normal).sum(-1)
    least = OFF_PLANE * beside(x, corners, normal)
    wanted = np.where(np.abs(height) < least, np.where(height < 0, -least, least), height)
    return normal, wanted, x[:, None] + (wanted - height)[..., None] * normal


def facet_normals(corners: Floats) -> Floats:
    """Unit normals of facets ``(f, d, d)``, ``(f, d)``, to the right of a segment from its first to its second end."""
    edge = corners[:, 1] - corners[:, 0]
    if corners.shape[-1] == 2:
        normal = np.stack([edge[:, 1], -edge[:, 0]], axis=-1)
    else:
        normal = np.cross(edge, corners[:, 2] - corners[:, 0])
    return normal / np.linalg.norm(normal, axis=-1, keepdims=True)


def beside(x: Floats, corners: Floats, normal: Floats) -> Floats:
    """How far the foot of each point lies beyond the facet's edges, 0 over the facet, ``(n, f)``."""
    out = np.zeros((len(x), len(corners)))
    for k in range(corners.shape[1]):
        start, end = corners[:, k], corners[:, (k + 1) % corners.shape[1]]
        along = (end - start) / np.linalg.norm(end - start, axis=-1, keepdims=True)
        # in 2D each end is an edge by itself
        outward = -along if corners.shape[-1] == 2 else np.cross(along, normal)
        out = np.maximum(out, x @ outward.T - (start * outward).sum(-1))
    return out


def _angle(r: Floats, size: Floats) -> tuple[Floats, Floats]:
    """Angle that segments subtend, and its gradient."""
    a, b = r
    cross = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    angle = np.arctan2(np.abs(cross), (a * b).sum(-1))
    turned = [np.stack([-v[..., 1], v[..., 0]], axis=-1) / s[..., None] ** 2 for v, s in zip(r, size, strict=True)]
    return angle, np.sign(cross)[..., None] * (turned[1] - turned[0])


def _solid_angle(r: Floats, size: Floats) -> tuple[Floats, Floats]:
    """Solid angle that triangles subtend, and its gradient (the field of a current around them)."""
    a, b, c = r
    triple = (a * np.cross(b, c)).sum(-1)
    dots = [(r[k] * r[(k + 1) % 3]).sum(-1) for k in range(3)]
    below = size.prod(0) + dots[0] * size[2] + dots[1] * size[0] + dots[2] * size[1]
    angle = 2 * np.arctan2(np.abs(triple), below)
    slope = np.zeros_like(a)
    for k in range(3):
        n = (k + 1) % 3
        product = size[k] * size[n]
        slope += ((size[k] + size[n]) / (product * (product + dots[k])))[..., None] * np.cross(r[k], r[n])
    return angle, -np.sign(triple)[..., None] * slope


def _moments(corners: Floats, r: Floats, size: Floats, normal: Floats) -> tuple[Floats, Floats]:
    """Q and its gradient: −Σ ν ∫ over the edges of the facet, ν their outward normals in its plane."""
    d = corners.shape[-1]
    if d == 2:
        along = corners[:, 1] - corners[:, 0]
        along = along / np.linalg.norm(along, axis=-1, keepdims=True)
        log = np.log(size[1] / size[0])
        slope = r[1] / size[1][..., None] ** 2 - r[0] / size[0][..., None] ** 2
        return log[..., None] * along, along[:, :, None] * slope[..., None, :]
    q, dq = np.zeros_like(r[0]), np.zeros((*r[0].shape, 3))
    for k in range(3):
        n = (k + 1) % 3
        edge = corners[:, n] - corners[:, k]
        length = np.linalg.norm(edge, axis=-1)
        outward = np.cross(edge / length[:, None], normal)
        total = size[k] + size[n]
        q -= outward * np.log((total + length) / (total - length))[..., None]
        slope = r[k] / size[k][..., None] + r[n] / size[n][..., None]
        dq += outward[:, :, None] * ((2 * length / (total**2 - length**2))[..., None] * slope)[..., None, :]
    return q, dq


def chunks(n: int, facets: int) -> Iterator[slice]:
    """Slices of n points that keep pairs of point and facet few."""
    step = max(1, PAIRS // max(facets, 1))
    return (slice(k, k + step) for k in range(0, n, step))
