"""Panels of fields at the points of triangulations: plane domains with holes, bodies in space."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuralpde.plot._level_set import solid_surface
from neuralpde.plot._samples import Samples
from neuralpde.plot._scales import Scale
from neuralpde.plot._section import Body
from neuralpde.plot._solid_shapes import draw_solid, with_solids
from neuralpde.plot._triangulation import Floats, Ints
from neuralpde.plot._view import FRONT, Surface, draw_axes, space_limits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable


MOST_SEAMS = 2500
"""Elements of a moving body whose edges are drawn; more would hide the colours."""

_SOLID = 0.72
"""The grey of solids that a body in space meets, without light."""

_NOTHING = 2e-3
"""Places nearer to zero than that share of the body's size are called zero."""


@dataclass(frozen=True)
class Shown:
    """A field in a panel: what a colour bar belongs to, and what shows other values of the same shape, those of the
    time with that number."""

    mappable: ScalarMappable
    redraw: Callable[[np.ndarray, int], None]


def triangles(ax: Axes, samples: Samples, field: Floats, scale: Scale, when: int) -> Shown:
    """A field ``(n,)`` in smooth colours on the triangles of a plane domain, with a thin line around them.

    Holes and what lies outside stay paper. A body that moves shows its elements' edges too, and where it was at rest.
    """
    from matplotlib.collections import LineCollection, TriMesh
    from matplotlib.tri import Triangulation as Triangles

    shown = samples.triangulation
    assert shown is not None
    moving = samples.displacement is not None
    flat = Triangles(shown.points[:, 0], shown.points[:, 1], shown.triangles)
    picture = TriMesh(flat, cmap=scale.colormap(), norm=scale.norm(), rasterized=True)
    rim: Any = {"colors": "0.15", "linewidths": 0.6, "capstyle": "round", "clip_on": False}
    lines = [(shown.rim, LineCollection([], **rim))]
    if moving and len(np.unique(shown.elements)) <= MOST_SEAMS:
        lines.append((shown.seams, LineCollection([], colors="k", linewidths=0.3, alpha=0.25, rasterized=True)))

    def redraw(values: np.ndarray, when: int) -> None:
        picture.set_array(np.ma.masked_invalid(scale.shown(values)))
        points = samples.placed(when)
        own = picture._triangulation  # type: ignore[attr-defined]  # matplotlib has no other way to move its corners
        own.x, own.y = points.T
        for ends, line in lines:
            line.set_segments(points[ends])  # type: ignore[arg-type]

    redraw(field, when)
    if samples.outlined and moving:
        look: dict[str, Any] = {"colors": "0.6", "linewidths": 0.8, "zorder": 0.5}
        rest = LineCollection(shown.points[shown.rim], **look)  # type: ignore[arg-type]
        ax.add_collection(rest, autolim=False)
    for artist in (picture, *(line for _, line in lines)):
        ax.add_collection(artist, autolim=False)
    met = solids_in(ax, samples)

    def redraw_all(values: np.ndarray, when: int) -> None:
        redraw(values, when)
        met(when)

    met(when)
    low, high = drawn_box(samples)
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    ax.spines[:].set_visible(False)
    ax.locator_params(nbins=4)
    return Shown(picture, redraw_all)


def body_views(ax: Axes, samples: Samples, field: Floats, scale: Scale, when: int) -> Shown:
    """A field ``(n,)`` on the surface of a body in space, and beside it on the body cut open."""
    from matplotlib.cm import ScalarMappable

    body = samples.triangulation
    assert isinstance(body, Body)
    low, high = drawn_box(samples)
    (left, right), _ = space_limits(FRONT, low, high)
    mappable = ScalarMappable(scale.norm(), scale.colormap())
    seen: list[tuple[int, list[Surface]]] = []

    def surfaces(when: int) -> list[Surface]:
        if not seen or (seen[0][0] != when and samples.displacement is not None):
            for surface in seen.pop()[1] if seen else ():
                surface.remove()
            points = samples.placed(when)
            middle = float(points[body.opened[len(body.opened) - body.face :], 1].mean()) if body.face else None
            pieces = ((body.triangles, 0, 0.0, None), (body.opened, body.face, right - left, middle))
            drawn = [
                Surface(ax, FRONT, *_beside(points, some, _met(samples, when, low, high, behind)), front, shift)
                for some, front, shift, behind in pieces
            ]
            seen.append((when, drawn))
        return seen[0][1]

    def redraw(values: np.ndarray, when: int) -> None:
        shown = np.ma.masked_invalid(scale.shown(values))
        mappable.set_array(shown)
        colours = np.where(np.ma.getmaskarray(shown)[:, None], 0.9, mappable.to_rgba(shown)[:, :3])
        for surface in surfaces(when):
            surface.colour(colours, _SOLID)
        # what draws the surfaces may set limits of its own
        ax.set(xlim=(left, right + (right - left)), ylim=space_limits(FRONT, low, high)[1])

    redraw(field, when)
    draw_axes(ax, FRONT, low, high)
    ax.set_xlim(left, right + (right - left))
    caption: dict[str, Any] = {"fontsize": 8.5, "ha": "center", "va": "bottom", "color": "0.2"}
    near = abs(body.cut_at) <= _NOTHING * np.ptp(body.points[:, 1])
    ax.text(0.75, 0.0, f"cut at y = {0 if near else body.cut_at:.3g}", transform=ax.transAxes, **caption)
    return Shown(mappable, redraw)


def _met(samples: Samples, when: int, low: Floats, high: Floats, behind: float | None) -> list[tuple[Floats, Ints]]:
    """Surfaces of the solids that a body in space meets; in the panel of the cut body cut as it is."""
    solids = samples.solids(float(samples.times[when])) if samples.solids is not None else ()
    return [solid_surface(solid, low, high, behind) for solid in solids]


def _beside(points: Floats, triangles: Ints, solids: list[tuple[Floats, Ints]]) -> tuple[Floats, Ints]:
    """A body's surface after those of solids, so that what is known to be in front stays last."""
    found, at = [points], len(points)
    faces: list[Ints] = []
    for corners, some in solids:
        found.append(corners)
        faces.append(some + at)
        at += len(corners)
    return np.concatenate(found), np.concatenate([*faces, triangles])


def body_proportion(samples: Samples) -> float:
    """Height over width of the panel that :func:`body_views` fills."""
    (left, right), (bottom, top) = space_limits(FRONT, *drawn_box(samples))
    return (top - bottom) / (2 * (right - left))


def drawn_box(samples: Samples) -> tuple[Floats, Floats]:
    """What a panel shows: the body at all times, with air where it moves or meets solids."""
    low, high = samples.box
    if samples.solids is not None:
        return with_solids(low, high, [solid for t in samples.times for solid in samples.solids(float(t))])
    air = 0.02 * float((high - low).max()) if samples.displacement is not None and samples.dim == 2 else 0.0
    return low - air, high + air


def share_box(axes: Sequence[Axes], methods: Sequence[Samples]) -> None:
    """The same limits for plane bodies that move, wide enough for all of them."""
    if any(method.displacement is not None for method in methods) and methods[0].dim == 2:
        boxes = [drawn_box(method) for method in methods]
        low, high = np.min([low for low, _ in boxes], axis=0), np.max([high for _, high in boxes], axis=0)
        for ax in axes:
            ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))


def solids_in(ax: Axes, samples: Samples) -> Callable[[int], None]:
    """What draws the solids that a body meets, where they are at the time with a number."""
    met = samples.solids
    if met is None:
        return lambda when: None
    low, high = drawn_box(samples)
    drawn: list[Any] = []

    def show(when: int) -> None:
        while drawn:
            drawn.pop().remove()
        for solid in met(float(samples.times[when])):
            drawn.extend(draw_solid(ax, solid, low, high))

    return show
