"""Points spread over a mesh: evenly whatever the sizes of its elements, or at random."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy.spatial import cKDTree

from neuralpde.geometry._mesh import Floats, Mesh, reference_quadrature
from neuralpde.geometry._quadrature import Quadrature

FINE = 12
"""Samples of the elements per point, from which its weight is summed."""

Inside = Callable[[Floats], np.ndarray]
"""Whether points ``(n, d)`` lie in the domain, ``(n,)`` of bool."""


def element_points(mesh: Mesh, count: int) -> tuple[Floats, Floats]:
    """Points ``(e q, d)`` and weights of the rule with that many points along each axis of every element."""
    x, w = reference_quadrature(mesh.element, count)
    points = np.einsum("qk,ekd->eqd", mesh.element.values(x), mesh.points[mesh.cells])
    return points.reshape(-1, mesh.dim), (np.abs(mesh.determinants(x)) * w).reshape(-1)


def spread_points(mesh: Mesh, n: int, inside: Inside, dtype: torch.dtype = torch.float64) -> Quadrature:
    """About n points, evenly spread over the mesh however its elements are graded, and weights that sum to its measure.

    The points of a lattice that lie inside, each moved to the centroid of the part of the domain that is nearer to it
    than to any other; its weight is that part's measure. So linear functions are integrated exactly, and others to
    second order in the spacing. A rule on every element instead has at least a point in each, and crowds where they
    are small.

    Args:
        mesh: of a domain.
        n: wanted number of points; the lattice is chosen to come close from above.
        inside: tells the points of the domain.
        dtype: of the result.
    """
    per_element = max(2.0, FINE * n / len(mesh.cells))
    fine, weights = element_points(mesh, max(2, round(per_element ** (1 / mesh.dim))))
    seeds = _lattice_inside(mesh, n, inside)
    nearest = cKDTree(seeds).query(fine)[1]
    share = np.bincount(nearest, weights, len(seeds))
    moments = [np.bincount(nearest, weights * fine[:, a], len(seeds)) for a in range(mesh.dim)]
    held = share > 0
    centroids = np.stack(moments, axis=1)[held] / share[held, None]
    # beside a re-entrant corner a centroid may lie outside
    points = np.where(inside(centroids)[:, None], centroids, seeds[held])
    return Quadrature(torch.as_tensor(points, dtype=dtype), torch.as_tensor(share[held], dtype=dtype))


def _lattice_inside(mesh: Mesh, n: int, inside: Inside) -> Floats:
    """At least n points of a lattice that lie in the domain."""
    lower, upper = mesh.points.min(0), mesh.points.max(0)
    spacing = (float(mesh.measures.sum()) / n) ** (1 / mesh.dim)
    for _ in range(40):
        counts = np.maximum(1, np.ceil((upper - lower) / spacing)).astype(int)
        axes = [a + (np.arange(m) + 0.5) * (b - a) / m for a, b, m in zip(lower, upper, counts, strict=True)]
        points = np.stack([c.reshape(-1) for c in np.meshgrid(*axes, indexing="ij")], axis=-1)
        points = points[inside(points)]
        if len(points) >= n:
            return points
        spacing *= 0.97
    return element_points(mesh, 1)[0]


def random_mesh_points(
    mesh: Mesh, n: int, generator: torch.Generator | None = None, dtype: torch.dtype = torch.float64
) -> Quadrature:
    """n independent points, uniform over the mesh, with equal weights (Monte Carlo).

    Elements are drawn by their measures; in one, a point uniform in the reference element is kept with a probability in
    proportion to the determinant there, so that curved and skew elements are uniform too.
    """
    found: list[Floats] = []
    element, total = mesh.element, 0
    looked_at = np.concatenate([np.asarray(element.nodes), reference_quadrature(element, 3)[0]])
    largest = np.abs(mesh.determinants(looked_at))
    bound = 1.2 * largest.max(1) * element.measure
    share = torch.as_tensor(bound / bound.sum(), dtype=torch.float64)
    while total < n:
        chosen = torch.multinomial(share, 2 * n, replacement=True, generator=generator).numpy()
        unit = torch.rand(2 * n, element.dim + 1, generator=generator, dtype=torch.float64).numpy()
        xi = _in_reference(unit[:, :-1], element.shape)
        corners = mesh.points[mesh.cells[chosen]]
        jacobian = np.einsum("nkd,nka->nda", corners, element.gradients(xi))
        keep = unit[:, -1] * bound[chosen] <= np.abs(np.linalg.det(jacobian)) * element.measure
        found.append(np.einsum("nk,nkd->nd", element.values(xi), corners)[keep])
        total += len(found[-1])
    points = torch.as_tensor(np.concatenate(found)[:n], dtype=dtype)
    return Quadrature(points, points.new_full((n,), float(mesh.measures.sum()) / n))


def _in_reference(unit: Floats, shape: str) -> Floats:
    """Uniform numbers in the cube as uniform points of the reference element."""
    if shape not in ("triangle", "tetrahedron"):
        return unit
    # gaps of sorted uniform numbers are uniform on the simplex
    return np.diff(np.sort(unit, axis=1), axis=1, prepend=0.0)
