"""Quadrature on the facets of elements."""

from __future__ import annotations

import numpy as np
import torch

from neuralpde.geometry._elements import ELEMENTS, Element
from neuralpde.geometry._mesh import Floats, Ints, Mesh, reference_quadrature
from neuralpde.geometry._quadrature import Quadrature


def facet_rule(element: Element, number: int, count: int) -> tuple[Floats, Floats]:
    """A rule on one facet of the reference element.

    Args:
        element: the reference element.
        number: of the facet.
        count: points along each of its axes.

    Returns:
        Reference points ``(q, dim)`` and outward normals times weights, ``(q, dim)``: their lengths sum to the facet's
        reference measure.
    """
    corners = np.asarray(element.nodes)[list(element.facets[number])]
    flat = ELEMENTS[{2: "line", 3: "triangle", 4: "quad"}[len(corners)]]
    s, w = reference_quadrature(flat, count)
    x = flat.values(s) @ corners
    tangents = np.einsum("qka,kd->qad", flat.gradients(s), corners)
    if element.dim == 2:
        normals = np.stack([tangents[:, 0, 1], -tangents[:, 0, 0]], axis=-1)
    else:
        normals = np.cross(tangents[:, 0], tangents[:, 1])
    return x, normals * w[:, None]


def facet_quadrature(mesh: Mesh, facets: Ints, n: int, dtype: torch.dtype = torch.float64) -> Quadrature:
    """At least n points on every facet ``(f, 2)``, with outward normals; the points of a facet follow each other."""
    count = max(1, int(np.ceil(round(n ** (1 / max(1, mesh.dim - 1)), 9))))
    points: list[Floats] = [np.zeros((0, mesh.dim))] * len(facets)
    areas: list[Floats] = list(points)
    for number in np.unique(facets[:, 1]):
        chosen = np.flatnonzero(facets[:, 1] == number)
        xi, normals = facet_rule(mesh.element, int(number), count)
        corners = mesh.points[mesh.cells[facets[chosen, 0]]]
        x = np.einsum("qk,ekd->eqd", mesh.element.values(xi), corners)
        jacobians = np.einsum("ekd,qka->eqda", corners, mesh.element.gradients(xi))
        # Nanson's formula: n dS = det(J) J⁻ᵀ N dS₀
        turned = np.linalg.solve(np.swapaxes(jacobians, -1, -2), np.broadcast_to(normals, x.shape)[..., None])[..., 0]
        turned = turned * np.linalg.det(jacobians)[..., None]
        for k, where in enumerate(chosen):
            points[where], areas[where] = x[k], turned[k]
    area = np.concatenate(areas) if len(facets) else np.zeros((0, mesh.dim))
    weights = np.linalg.norm(area, axis=1)
    return Quadrature(
        torch.as_tensor(np.concatenate(points) if len(facets) else area, dtype=dtype),
        torch.as_tensor(weights, dtype=dtype),
        torch.as_tensor(area / weights[:, None], dtype=dtype),
    )
