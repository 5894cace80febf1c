"""Surfaces in space on paper: parallel projection, light, what is in front of what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from neuralpde.plot._render import rendered, renders
from neuralpde.plot._triangulation import Floats, Ints

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_AMBIENT = 0.6
"""Light that reaches a face turned away from the lamp."""


_SLIVER, _HAIR = 0.02, 4e-4
"""Triangles of less width, in parts of their length and of the body's, are not drawn."""


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

    normals = _polygon_normals(outlines)
    order = _back_to_front(view, outlines.mean(1), normals if closed else None)
    shaded = colours[order] * view.light(normals[order])[:, None]
    faces = PolyCollection(view.project(outlines[order]), facecolors=shaded, rasterized=len(order) > 5000, **line)  # type: ignore[arg-type]
    ax.add_collection(faces, autolim=False)


class Surface:
    """Triangles in space with smooth colours on paper.

    Where pyvista is installed it decides pixel by pixel what is in front; else the nearest triangles are drawn last.

    Args:
        ax: in the plane of the paper.
        view: from where.
        points: ``(n, 3)``.
        triangles: of a closed surface, outward by the right-hand rule, ``(m, 3)``.
        front: how many of the triangles, the last ones, are known to be in front of all others.
        right: how far to shift all on the paper.
    """

    def __init__(
        self, ax: Axes, view: View, points: Floats, triangles: Ints, front: int = 0, right: float = 0.0
    ) -> None:
        a, b, c = (points[triangles[:, j]] for j in range(3))
        normals = np.cross(b - a, c - a)
        areas = np.linalg.norm(normals, axis=1)
        normals /= np.maximum(areas, 1e-300)[:, None]
        longest = np.max([((p - q) ** 2).sum(1) for p, q in ((a, b), (b, c), (c, a))], axis=0)
        # nobody sees slivers, and matplotlib draws spikes at their ends; without them pixels would see through
        width = areas / np.maximum(longest, 1e-300) ** 0.5 + (np.inf if renders() else 0.0)
        normals[width < np.minimum(_HAIR * np.ptp(points, axis=0).max(), _SLIVER * longest**0.5)] = 0.0
        order = _back_to_front(view, (a + b + c) / 3, normals)
        order = order[np.argsort(order >= len(triangles) - front, kind="stable")]
        self._corners = triangles[order].reshape(-1)
        # every triangle has its own light, and so corners of its own
        self._light = np.repeat(view.light(normals[order]), 3)[:, None]
        flat = points[self._corners] @ view.frame.T + [right, 0, 0]
        before = set(ax.get_children())
        self._shown = rendered(ax, flat) or _painted(ax, flat)
        self._artists = [artist for artist in ax.get_children() if artist not in before]

    def remove(self) -> None:
        """Take it off the paper."""
        for artist in self._artists:
            artist.remove()

    def colour(self, colours: Floats, rest: float = 0.9) -> None:
        """Show the first points in these colours, ``(k, 3)``, and the others in that grey."""
        whole = np.full((int(self._corners.max(initial=-1)) + 1, 3), rest)
        whole[: len(colours)] = colours[: len(whole)]
        self._shown(np.clip(whole[self._corners] * self._light, 0, 1))


def _painted(ax: Axes, corners: Floats) -> Callable[[Floats], None]:
    """Triangles whose corners ``(3 m, 3)`` follow each other, back to front, as matplotlib draws them."""
    from matplotlib.collections import TriMesh
    from matplotlib.tri import Triangulation as Triangles

    own = Triangles(corners[:, 0], corners[:, 1], np.arange(len(corners)).reshape(-1, 3))
    shown = TriMesh(own, rasterized=True)
    ax.add_collection(shown, autolim=False)
    return lambda colours: shown.set_facecolor([tuple(c) for c in colours])


def _polygon_normals(outlines: Floats) -> Floats:
    """Unit normals of closed lines ``(n, q, 3)`` by Newell's sum of cross products, ``(n, 3)``."""
    normals = np.cross(outlines[:, :-1], outlines[:, 1:]).sum(1)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.divide(normals, lengths, out=np.zeros_like(normals), where=lengths > 0)


def _back_to_front(view: View, middles: Floats, normals: Floats | None) -> Ints:
    """Order to draw faces in; of a closed surface without those that show their backs."""
    order = np.argsort(view.depth(middles), kind="stable")
    return order if normals is None else order[(normals @ view.frame[2])[order] > 0]


def space_limits(view: View, low: Floats, high: Floats) -> tuple[tuple[float, float], tuple[float, float]]:
    """Limits of the paper around a projected box, with room for the axes' arrows at the lower left."""
    flat = view.project(np.array([[(low, high)[(k >> a) & 1][a] for a in range(3)] for k in range(8)]))
    (x0, y0), (x1, y1) = flat.min(0), flat.max(0)
    air = 0.12 * max(x1 - x0, y1 - y0)
    return (float(x0 - air), float(x1 + 0.1 * air)), (float(y0 - air), float(y1 + 0.1 * air))


def draw_axes(ax: Axes, view: View, low: Floats, high: Floats) -> None:
    """Limits around a projected box, and its axes as three short arrows with their lengths, below it to the left."""
    xlim, ylim = space_limits(view, low, high)
    size = 0.12 * max(xlim[1] - xlim[0], ylim[1] - ylim[0])
    x, y = xlim[0] + 1.1 * size, ylim[0] + 0.6 * size
    arrow = {"arrowstyle": "-|>", "lw": 0.8, "color": "0.2", "shrinkA": 0}
    for a in range(3):
        right, up = (float(v) for v in size * view.frame[:2, a])
        ax.annotate("", (x + right, y + up), (x, y), arrowprops=arrow)
        ax.text(x + 1.3 * right, y + 1.3 * up, "xyz"[a], ha="center", va="center", fontsize=8.5, color="0.2")
    ax.set(xlim=xlim, ylim=ylim, aspect="equal")
    ax.set_axis_off()
