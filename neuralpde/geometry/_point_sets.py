"""Names for single points of a mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from neuralpde.geometry._mesh import Mesh
from neuralpde.types import UsageError


def with_points(mesh: Mesh, /, **places: Sequence[float]) -> Mesh:
    """The mesh with names for the points that are nearest to some places: what a support can hold.

    Args:
        mesh: of a domain.
        places: coordinates by names, d numbers each, no farther from the mesh than its elements there are large.

    Raises:
        UsageError: for places that are not near the mesh, or names that parts of its boundary have.

    Example:
        >>> square = Mesh(np.array([[0., 0.], [1., 0.], [1., 1.], [0., 1.]]), np.array([[0, 1, 2], [0, 2, 3]]))
        >>> with_points(square, pin=(0.1, 0.9)).sets
        {'pin': array([[3]])}
    """
    corners = mesh.cells[:, : mesh.element.corners]
    used, found = np.unique(corners), dict(mesh.sets)
    for name, place in places.items():
        if name in mesh.tags:
            raise UsageError(f"{name!r} is a part of the mesh's boundary already; give the point another name.")
        if len(place) != mesh.dim or not np.isfinite(place).all():
            raise UsageError(f"a point of this mesh has {mesh.dim} coordinates; {name} is {tuple(place)}.")
        away = np.linalg.norm(mesh.points[used] - np.asarray(place, dtype=np.float64), axis=1)
        nearest = used[away.argmin()]
        around = mesh.points[corners[(corners == nearest).any(1)]].reshape(-1, mesh.dim)
        size = float(np.linalg.norm(around - mesh.points[nearest], axis=1).max())
        if away.min() > size:
            at = ", ".join(f"{v:.6g}" for v in mesh.points[nearest])
            raise UsageError(
                f"{name} = {tuple(place)} is not near the mesh: its nearest point is ({at}), farther away than the "
                "elements there are large."
            )
        found[name] = np.array([[nearest]])
    return replace(mesh, sets=found)
