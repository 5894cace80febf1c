"""Where a function that is linear in tetrahedra is zero, and the surfaces of solids from their signed distances."""

from __future__ import annotations

import numpy as np

from neuralpde.geometry import Solid
from neuralpde.plot._solid_shapes import distances
from neuralpde.plot._triangulation import Floats, Ints

KUHN = ((0, 1, 2, 6), (0, 2, 3, 6), (0, 3, 7, 6), (0, 7, 4, 6), (0, 4, 5, 6), (0, 5, 1, 6))
"""Six tetrahedra around the diagonal of a cube from corner 0 to corner 6."""

_CUBE = ((0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1))

_NODES = 49
"""Along each axis of the lattice that a solid's surface is made from."""

_OUTSIDE = 1e6
"""Distance of nodes that count as outside, over the size of the box."""

_MET = {1: ((0, 1), (0, 2), (0, 3)), 2: ((0, 2), (0, 3), (1, 3), (1, 2)), 3: ((0, 3), (1, 3), (2, 3))}
"""Edges that the surface meets, in order around it, by how many corners (the first ones) are positive."""


def zero_surface(corners: Floats, values: Floats) -> tuple[Floats, Ints, Ints]:
    """Triangles on which functions that are linear in tetrahedra are zero, in no order of their corners.

    Args:
        corners: ``(t, 4, 3)``.
        values: at the corners, ``(t, 4)``.

    Returns:
        Points ``(n, 3)``, triangles ``(m, 3)`` and the numbers of their tetrahedra ``(m,)``.
    """
    points, triangles, owners, start = [np.zeros((0, 3))], [np.zeros((0, 3), int)], [np.zeros(0, int)], 0
    for count, ends in _MET.items():
        chosen = np.flatnonzero((values > 0).sum(1) == count)
        order = np.argsort(values[chosen] <= 0, axis=1, kind="stable")  # positive ones come first
        ordered = np.take_along_axis(corners[chosen], order[..., None], axis=1)
        flat, side = ordered.reshape(-1, 3), np.take_along_axis(values[chosen], order, axis=1).reshape(-1)
        numbers = 4 * np.arange(len(chosen))
        points += [between(flat, side, numbers + p, numbers + q) for p, q in ends]
        for corner in [(0, 1, 2), (0, 2, 3)][: len(ends) - 2]:
            triangles.append(start + np.stack([j * len(chosen) + np.arange(len(chosen)) for j in corner], axis=1))
            owners.append(chosen)
        start += len(ends) * len(chosen)
    return np.concatenate(points), np.concatenate(triangles), np.concatenate(owners)


def between(points: Floats, side: Floats, a: Ints, b: Ints) -> Floats:
    """Where the lines from points a to points b meet the plane on which ``side`` is 0."""
    s = side[a] / (side[a] - side[b])
    return points[a] + s[:, None] * (points[b] - points[a])


def solid_surface(solid: Solid, low: Floats, high: Floats, behind: float | None = None) -> tuple[Floats, Ints]:
    """The surface of a solid in space inside the box from ``low`` to ``high``: points ``(n, 3)`` and triangles
    ``(m, 3)``, outward by the right-hand rule.

    Args:
        solid: by its signed distance.
        low, high: corners of the box, ``(3,)``; the surface has no lid where the box cuts it.
        behind: only the part at larger y than that, with the face of the cut.
    """
    if behind is not None:
        # the second layer of nodes lies in the cut, the first one counts as outside: the face is flat, its rim exact
        low = np.array([low[0], behind - (high[1] - behind) / (_NODES - 2), low[2]])
    axes, distance = distances(solid, low, high, _NODES)
    if behind is not None:
        distance[:, 0] = _OUTSIDE * float((high - low).max())
    inside = distance <= 0
    corner = [tuple(slice(k, _NODES - 1 + k) for k in offset) for offset in _CUBE]
    some = np.sum([inside[part] for part in corner], axis=0)
    cells = np.argwhere((some > 0) & (some < 8))
    nodes = cells[:, None] + np.asarray(_CUBE)
    places = np.stack([axes[k][nodes[..., k]] for k in range(3)], axis=-1)[:, np.asarray(KUHN)].reshape(-1, 4, 3)
    values = distance[nodes[..., 0], nodes[..., 1], nodes[..., 2]][:, np.asarray(KUHN)].reshape(-1, 4)
    points, triangles, owner = zero_surface(places, values)
    a, b, c = (points[triangles[:, j]] for j in range(3))
    slope = np.linalg.solve(places[owner, 1:] - places[owner, :1], (values[owner, 1:] - values[owner, :1])[..., None])
    turned = np.einsum("ni,ni->n", np.cross(b - a, c - a), slope[..., 0]) < 0
    return points, np.where(turned[:, None], triangles[:, ::-1], triangles)
