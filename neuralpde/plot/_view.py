"""Surfaces in space on paper: parallel projection, light, what is in front of what."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from neuralpde.plot._triangulation import Floats, Ints, Triangulation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_AMBIENT = 0.6
"""Light that reaches a face turned away from the lamp."""


@dataclass(frozen=True)
class View:
    """Where one looks from, by parallel projection: lengths along one direction are the same everywhere.

    Args:
        azimuth: degrees from the x axis around z.
        elevation: degrees above the xy plane.
    """

    azimuth: float = -60.0
    elevation: float = 25.0

    @cached_property
    def frame(self) -> Floats:
        """Rows: to the right on the paper, up on the paper, towards the eye, ``(3, 3)``."""
        a, e = np.radians([self.azimuth, self.elevation])
        towards = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
        right = np.array([-np.sin(a), np.cos(a), 0.0])
        return np.stack([right, np.cross(towards, right), towards])

    def project(self, points: Floats) -> Floats:
        """Points ``(…, 3)`` on the paper, ``(…, 2)``."""
        return points @ self.frame[:2].T

    def depth(self, points: Floats) -> Floats:
        """How near points are to the eye, larger is nearer."""
        return points @ self.frame[2]

    def light(self, normals: Floats) -> Floats:
        """Brightness of faces with these normals, seen from both sides, ``(…,)`` of 0 to 1 (Lambert's law).

        The lamp is beside the eye, up to the left: faces of a box get different shades.
        """
        lamp = self.frame.T @ np.array([-0.25, 0.5, 0.83])
        facing = np.where((normals @ self.frame[2])[..., None] < 0, -normals, normals)
        return _AMBIENT + (1 - _AMBIENT) * np.clip(facing @ (lamp / np.linalg.norm(lamp)), 0, 1)


FRONT, BACK = View(), View(120.0, -25.0)
"""Two opposite views: together they show every face of a convex body."""


def draw_faces(
    ax: Axes, view: View, outlines: Floats, colours: Floats, line: dict[str, Any], closed: bool = True
) -> None:
    """Faces as polygons with their edges, the nearest last.

    Args:
        ax: in the plane of the paper.
        view: from where.
        outlines: closed lines ``(n, q, 3)``, outward by the right-hand rule.
        colours: ``(n, 3)``, without light.
        line: look of the edges, as matplotlib's collections take it.
        closed: whether faces that show their backs are hidden by others.
    """
    from matplotlib.collections import PolyCollection

    normals = polygon_normals(outlines)
    order = _back_to_front(view, outlines.mean(1), normals if closed else None)
    shaded = colours[order] * view.light(normals[order])[:, None]
    faces = PolyCollection(view.project(outlines[order]), facecolors=shaded, rasterized=len(order) > 5000, **line)  # type: ignore[arg-type]
    ax.add_collection(faces)
    ax.autoscale_view()


def draw_surface(ax: Axes, view: View, surface: Triangulation, colours: Floats, closed: bool = True) -> Any:
    """Triangles with smooth colours ``(n, 3)`` of their points, the nearest last."""
    from matplotlib.tri import Triangulation as Triangles

    normals = surface.normals
    order = _back_to_front(view, surface.points[surface.triangles].mean(1), normals if closed else None)
    corners = surface.triangles[order]
    # every triangle has its own light, and so its own corners
    shaded = colours[corners] * view.light(normals[order])[:, None, None]
    flat = view.project(surface.points[corners]).reshape(-1, 2)
    own = Triangles(flat[:, 0], flat[:, 1], np.arange(len(flat)).reshape(-1, 3))
    shown = ax.tripcolor(own, np.zeros(len(flat)), shading="gouraud", rasterized=True)
    shown.set_array(None)
    shown.set_facecolor(np.clip(shaded.reshape(-1, 3), 0, 1))
    return shown


def polygon_normals(outlines: Floats) -> Floats:
    """Unit normals of closed lines ``(n, q, 3)`` by Newell's sum of cross products, ``(n, 3)``."""
    normals = np.cross(outlines[:, :-1], outlines[:, 1:]).sum(1)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0)


def _back_to_front(view: View, middles: Floats, normals: Floats | None) -> Ints:
    """Order to draw faces in; of a closed surface without those that show their backs."""
    order = np.argsort(view.depth(middles), kind="stable")
    return order if normals is None else order[(normals @ view.frame[2])[order] > 0]
