"""Panels of fields at the points of triangulations: plane domains with holes, bodies in space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuralpde.plot._scales import Scale
from neuralpde.plot._section import Body
from neuralpde.plot._triangulation import Floats, Triangulation
from neuralpde.plot._view import FRONT, Surface, draw_axes, space_limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable


@dataclass(frozen=True)
class Shown:
    """A field in a panel: what a colour bar belongs to, and what shows other values of the same shape."""

    mappable: ScalarMappable
    redraw: Callable[[np.ndarray], None]


def triangles(ax: Axes, shown: Triangulation, field: Floats, scale: Scale) -> Shown:
    """A field ``(n,)`` in smooth colours on the triangles of a plane domain, with a thin line around them.

    Holes and what lies outside stay paper.
    """
    from matplotlib.collections import LineCollection, TriMesh
    from matplotlib.tri import Triangulation as Triangles

    (x, y), low, high = shown.points.T, shown.points.min(0), shown.points.max(0)
    picture = TriMesh(Triangles(x, y, shown.triangles), cmap=scale.colormap(), norm=scale.norm(), rasterized=True)

    def redraw(values: np.ndarray) -> None:
        picture.set_array(np.ma.masked_invalid(scale.shown(values)))

    redraw(field)
    ax.add_collection(picture, autolim=False)
    rim = LineCollection(shown.rim, colors="0.15", linewidths=0.6, capstyle="round", clip_on=False)  # type: ignore[arg-type]
    ax.add_collection(rim, autolim=False)
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    ax.spines[:].set_visible(False)
    ax.locator_params(nbins=4)
    return Shown(picture, redraw)


def body_views(ax: Axes, body: Body, field: Floats, scale: Scale) -> Shown:
    """A field ``(n,)`` on the surface of a body in space, and beside it on the body cut open."""
    from matplotlib.cm import ScalarMappable

    low, high = body.points.min(0), body.points.max(0)
    (left, right), _ = space_limits(FRONT, low, high)
    mappable = ScalarMappable(scale.norm(), scale.colormap())
    surfaces = [
        Surface(ax, FRONT, body.points, triangles, front, shift)
        for triangles, front, shift in ((body.triangles, 0, 0.0), (body.opened, body.face, right - left))
    ]

    def redraw(values: np.ndarray) -> None:
        shown = np.ma.masked_invalid(scale.shown(values))
        mappable.set_array(shown)
        colours = np.where(np.ma.getmaskarray(shown)[:, None], 0.9, mappable.to_rgba(shown)[:, :3])
        for surface in surfaces:
            surface.colour(colours)

    redraw(field)
    draw_axes(ax, FRONT, low, high)
    ax.set_xlim(left, right + (right - left))
    caption: dict[str, Any] = {"fontsize": 8.5, "ha": "center", "va": "bottom", "color": "0.2"}
    ax.text(0.75, 0.0, f"cut at y = {body.cut_at:.3g}", transform=ax.transAxes, **caption)
    return Shown(mappable, redraw)


def body_proportion(body: Body) -> float:
    """Height over width of the panel that :func:`body_views` fills."""
    (left, right), (bottom, top) = space_limits(FRONT, body.points.min(0), body.points.max(0))
    return (top - bottom) / (2 * (right - left))
