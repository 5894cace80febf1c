"""A mesh in one picture: its elements, and its boundary coloured by tag."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuralpde.geometry import Mesh, MeshDomain
from neuralpde.plot._style import METHODS, new_figure, style, trim
from neuralpde.plot._triangulation import (
    Floats,
    Ints,
    boundary_shells,
    element_outlines,
    facet_outlines,
    triangulation,
)
from neuralpde.plot._view import BACK, FRONT, View, draw_axes, draw_faces, space_limits
from neuralpde.plot._write import PICTURES, checked_path, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NAMES = 24
"""Entries of a legend at most; the rest are counted."""

_FILLS = ("#dce6f2", "#f6e3d0", "#dcefe3", "#f3dfea", "#e3f1fa", "#faf0d2", "#e4e4e4", "#e0dcf0")
"""Pale colours of parts of the domain, under lines and arrows."""

_UNTAGGED = "0.35"


def mesh_picture(mesh: Mesh | MeshDomain, path: str | os.PathLike[str], title: str = "") -> Path:
    """Draw a mesh: its elements as thin lines, parts of the domain in pale colours, the boundary coloured by tag.

    Curved elements are drawn as curves, holes stay empty. A mesh in space is seen from two opposite sides.

    Args:
        mesh: of a domain in 2D or 3D, or a surface.
        path: ``.png`` (160 dpi), ``.pdf`` or ``.svg``; the folder is made if there is none.
        title: over the picture.

    Returns:
        The path.

    Raises:
        UsageError: unknown suffix.
        MeshError: for a mesh that cannot be used.

    Example:
        >>> square = Mesh(np.array([[0., 0.], [1., 0.], [1., 1.], [0., 1.]]), np.array([[0, 1, 2], [0, 2, 3]]))
        >>> mesh_picture(square, "/tmp/square.png").name
        'square.png'
    """
    target = checked_path(path, PICTURES)
    with style():
        return save(mesh_figure(mesh, title), target)


def mesh_figure(mesh: Mesh | MeshDomain, title: str = "") -> Figure:
    """The figure behind :func:`mesh_picture`; call it inside ``style()``."""
    domain = mesh if isinstance(mesh, MeshDomain) else None if mesh.surface else MeshDomain(mesh)
    shape = mesh.mesh if isinstance(mesh, MeshDomain) else mesh
    sides: Mapping[str, Ints] = {} if domain is None else domain.sides
    colours = tag_colours(list(sides))
    figure, axes = mesh_axes(shape)
    if shape.dim == 2:
        draw_plane_mesh(axes[0], shape)
        draw_tags(axes[0], shape, sides, colours)
    else:
        for ax, (view, opened) in zip(axes, space_views(shape), strict=True):
            draw_space_mesh(ax, view, shape, sides, colours, opened)
    entries = [(name, colours[name], "line" if shape.dim == 2 else "patch") for name in sides]
    entries += [(name, colour, "patch") for name, colour in part_colours(shape).items()]
    tag_legend(figure, entries)
    counted = f"{len(shape.cells)} {shape.kind} elements, {len(shape.points)} points"
    figure.suptitle(f"{title}: {counted}" if title else counted)
    if shape.dim == 2:
        trim(figure)
    return figure


def tag_colours(names: Sequence[str]) -> dict[str, Any]:
    """A colour for every name: six that all readers tell apart, then around the colour circle; grey without a tag."""
    import matplotlib

    tagged = [name for name in names if name != "untagged"]
    # by steps of the golden ratio: neighbours in the list, often on the paper too, are far apart on the map
    wheel = matplotlib.colormaps["turbo"](0.05 + 0.9 * (0.618034 * np.arange(len(tagged)) % 1))
    found: dict[str, Any] = {
        name: METHODS[j] if len(tagged) <= len(METHODS) else tuple(wheel[j, :3]) for j, name in enumerate(tagged)
    }
    return found | ({"untagged": _UNTAGGED} if "untagged" in names else {})


def part_colours(mesh: Mesh) -> dict[str, str]:
    """Pale colours of the parts of a domain, where there are several."""
    return {name: _FILLS[j % len(_FILLS)] for j, name in enumerate(mesh.parts)} if len(mesh.parts) > 1 else {}


def mesh_axes(mesh: Mesh) -> tuple[Figure, list[Axes]]:
    """A figure with one panel in true proportions for a plane mesh, and two for views of a mesh in space."""
    if mesh.dim == 2:
        low, high = mesh.points.min(0), mesh.points.max(0)
        width, tall = plane_size(low, high)
        figure = new_figure(width + 0.8, tall + 1.6)
        ax = figure.subplots()
        plane_frame(ax, low, high)
        return figure, [ax]
    views = space_views(mesh)
    size = space_size(mesh.points.min(0), mesh.points.max(0), [view for view, _ in views])
    figure = new_figure(*size, layout="compressed")
    return figure, list(figure.subplots(1, len(views)))


def space_size(low: Floats, high: Floats, views: Sequence[View]) -> tuple[float, float]:
    """Inches of a figure of a box in space, its views side by side, with room for a title and a legend."""
    side = 4.6 if len(views) < 3 else 3.6
    tall = max((np.diff(frame[1]) / np.diff(frame[0])).item() for frame in (space_limits(v, low, high) for v in views))
    return side * len(views), side * tall + 1.0


def space_views(mesh: Mesh) -> list[tuple[View, bool]]:
    """Views that together show a mesh in space, and whether each is of the half behind its middle, cut open.

    Two opposite ones show the outside; where the boundary has several shells, a third shows the cavities.
    """
    views = [(FRONT, False), (BACK, False)]
    return [*views, (FRONT, True)] if not mesh.surface and boundary_shells(mesh) > mesh.components.max() + 1 else views


def plane_size(low: Floats, high: Floats) -> tuple[float, float]:
    """Inches of a panel in true proportions, width and height."""
    wide, tall = high - low
    width = float(np.clip(5.2 * wide / tall, 4.6, 9.5))
    return width, float(np.clip(width * tall / wide, 1.2, 7.5))


def plane_frame(ax: Axes, low: Floats, high: Floats, air: float = 0.03) -> None:
    """Limits with a little air, so that lines on the boundary are seen whole; no spines, which would look like one."""
    air = air * float((high - low).max())
    ax.set(xlim=(low[0] - air, high[0] + air), ylim=(low[1] - air, high[1] + air), aspect="equal", xlabel="x")
    ax.set_ylabel("y", rotation="horizontal", ha="right", va="center", labelpad=8)
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.locator_params(nbins=5)


def edge_width(ax: Axes, mesh: Mesh) -> float:
    """Points of width that elements' edges are drawn with: a twentieth of their length, between 0.05 and 0.5."""
    wide, tall = np.asarray(ax.figure.get_size_inches())  # type: ignore[union-attr]
    lengths = np.sort(np.ptp(mesh.points, axis=0))[-2:]
    shown, count = (1.0, len(mesh.cells)) if mesh.element.dim == 2 else (0.25, len(mesh.boundary))
    inches = shown * min(wide, tall * lengths[1] / lengths[0]) * (lengths[0] / lengths[1] / max(count, 1)) ** 0.5
    return float(np.clip(72 * inches / 20, 0.05, 0.5))


def draw_plane_mesh(ax: Axes, mesh: Mesh, lines: bool = True) -> None:
    """The elements of a plane mesh, filled with the colours of their parts; ``lines`` are their edges."""
    from matplotlib.collections import LineCollection, PolyCollection

    shown = triangulation(mesh, 1 if mesh.element.order == 1 else None)
    fills = np.full(len(mesh.cells), -1)
    for number, ids in enumerate(mesh.parts.values() if len(mesh.parts) > 1 else ()):
        fills[ids] = number
    for number in np.unique(fills):
        colour = "0.94" if number < 0 else _FILLS[number % len(_FILLS)]
        chosen = shown.triangles[fills[shown.elements] == number]
        # edges in the colour of the faces close the hairlines between them
        look: dict[str, Any] = {"facecolors": colour, "edgecolors": colour, "linewidths": 0.3, "zorder": 1}
        ax.add_collection(PolyCollection(shown.points[chosen], rasterized=True, **look), autolim=False)  # type: ignore[arg-type]
    if lines:
        unique = mesh.facets[1][np.sort(mesh.shared_facets[1])]
        edges = LineCollection(
            facet_outlines(mesh, unique),  # type: ignore[arg-type]
            colors="0.4",
            linewidths=edge_width(ax, mesh),
            rasterized=len(unique) > 5000,
            zorder=2,
        )
        ax.add_collection(edges, autolim=False)


def draw_tags(ax: Axes, mesh: Mesh, sides: Mapping[str, Ints], colours: Mapping[str, Any]) -> None:
    """The boundary of a plane mesh, each part in its colour."""
    from matplotlib.collections import LineCollection

    for name, facets in sides.items():
        lines = LineCollection(
            facet_outlines(mesh, facets),  # type: ignore[arg-type]
            colors=[colours[name]],
            linewidths=2.0,
            capstyle="round",
            zorder=3,
            label=name,
        )
        ax.add_collection(lines, autolim=False)


def draw_space_mesh(
    ax: Axes,
    view: View,
    mesh: Mesh,
    sides: Mapping[str, Ints],
    colours: Mapping[str, Any],
    opened: bool = False,
) -> None:
    """The boundary of a mesh in space from one side, its facets in the colours of their tags; or what of it lies
    behind its middle."""
    from matplotlib.colors import to_rgb

    if mesh.surface:
        outlines = element_outlines(mesh)
        shades = np.tile(to_rgb(METHODS[4]), (len(outlines), 1))
        for name, colour in part_colours(mesh).items():
            shades[mesh.parts[name]] = to_rgb(colour)
    else:
        outlines = np.concatenate([facet_outlines(mesh, facets) for facets in sides.values()])
        shades = np.concatenate([np.tile(to_rgb(colours[name]), (len(facets), 1)) for name, facets in sides.items()])
    shades = 0.35 + 0.65 * shades  # lines and light have to be seen on them
    if opened:
        middles = view.depth(outlines.mean(1))
        behind = middles <= view.depth(0.5 * (mesh.points.min(0) + mesh.points.max(0)))
        outlines, shades = outlines[behind], shades[behind]
    ax.set_title("cut open" if opened else "from behind and below" if view == BACK else "")
    look = {"edgecolors": "0.25", "linewidths": edge_width(ax, mesh)}
    draw_faces(ax, view, outlines, shades, look, closed=not (mesh.surface or opened))
    draw_axes(ax, view, mesh.points.min(0), mesh.points.max(0))


def tag_legend(figure: Figure, entries: Sequence[tuple[str, Any, str]]) -> None:
    """Names with their colours below the panels; ``entries`` are (text, colour, ``"line"``, ``"patch"``, ``"dot"``)."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    shown = list(entries[: MOST_NAMES if len(entries) <= MOST_NAMES else MOST_NAMES - 1])
    looks: dict[str, Any] = {
        "line": lambda colour: Line2D([], [], color=colour, linewidth=2.5),
        "patch": lambda colour: Patch(facecolor=colour, edgecolor="0.5"),
        "dot": lambda colour: Line2D([], [], color=colour, marker=".", linestyle=""),
    }
    handles: list[Any] = [looks[kind](colour) for _, colour, kind in shown]
    texts = [text if len(text) <= 60 else f"{text[:59]}…" for text, _, _ in shown]
    if len(shown) < len(entries):
        handles, texts = [*handles, Line2D([], [], linestyle="")], [*texts, f"… and {len(entries) - len(shown)} more"]
    if texts:
        fitting = int(figure.get_size_inches()[0] / (0.5 + 0.078 * max(len(text) for text in texts)))
        figure.legend(handles, texts, loc="outside lower center", ncols=max(1, min(len(texts), fitting)))
