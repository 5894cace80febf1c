"""Panels of a domain: lines, boxes with solids, meshes; in space seen from two sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from neuralpde.geometry import Box, Domain, MeshDomain, Solid
from neuralpde.plot._mesh_picture import (
    draw_plane_mesh,
    draw_space_mesh,
    draw_tags,
    plane_frame,
    plane_size,
    space_size,
    space_views,
)
from neuralpde.plot._solid_shapes import draw_solid
from neuralpde.plot._style import new_figure
from neuralpde.plot._triangulation import Floats
from neuralpde.plot._view import BACK, FRONT, View, draw_axes, draw_faces

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ARROWS = 40
"""Normals along the whole boundary of a plane domain."""

DOTS = "#a3003d"
"""Colour of points: seen on grey and on the colours of faces."""

Colours = Mapping[str, Any]


@dataclass(frozen=True)
class Panel:
    """A panel and how points get on its paper.

    Args:
        ax: the panel.
        view: of a domain in space.
    """

    ax: Axes
    view: View | None = None

    def flat(self, points: Floats) -> Floats:
        """Points ``(n, d)`` on the paper, ``(n, 2)``."""
        if self.view is not None:
            return self.view.project(points)
        return points if points.shape[1] == 2 else np.pad(points, ((0, 0), (0, 1)))

    def dots(self, points: Floats) -> None:
        """Small dots at points ``(n, d)``."""
        x, y = self.flat(points).T
        size = 3.2 if len(points) < 800 else 2.4
        self.ax.plot(x, y, ".", markersize=size, markeredgewidth=0, color=DOTS, zorder=4, rasterized=True)


def domain_panels(
    domain: Domain, colours: Colours, solid: Solid | None, beside: int
) -> tuple[Figure, list[Panel], list[Axes]]:
    """A figure with a domain, its faces coloured, and ``beside`` empty panels next to it."""
    low, high = np.array(domain.lower), np.array(domain.upper)
    if domain.dim == 3:
        views = space_views(domain.mesh) if isinstance(domain, MeshDomain) else [(FRONT, False), (BACK, False)]
        figure = new_figure(*space_size(low, high, [view for view, _ in views]), layout="compressed")
        panels = [
            Panel(ax, view)
            for ax, (view, _) in zip(figure.subplots(1, len(views), squeeze=False)[0], views, strict=True)
        ]
        for panel, (view, opened) in zip(panels, views, strict=True):
            if isinstance(domain, MeshDomain):
                draw_space_mesh(panel.ax, view, domain.mesh, domain.sides, colours, opened)
            else:
                _box_in_space(panel, low, high, colours, solid)
        return figure, panels, []
    if domain.dim == 1:
        figure = new_figure(6.5, 1.6 + 2.4 * beside)
        axes = figure.subplots(1 + beside, 1, squeeze=False, height_ratios=[0.35, *[1.0] * beside], sharex=True)[:, 0]
        _line(axes[0], low, high, colours, bool(beside))
    else:
        width, tall = plane_size(low, high)
        wide = width > 1.5 * tall
        size = (width, (1 + beside) * tall) if wide else ((1 + beside) * 0.8 * width, tall)
        figure = new_figure(size[0] + 0.8, size[1] + 1.6, layout="compressed")
        shape = (1 + beside, 1) if wide else (1, 1 + beside)
        axes = figure.subplots(*shape, squeeze=False).reshape(-1)
        plane_frame(axes[0], low, high, air=0.06)
        if isinstance(domain, MeshDomain):
            draw_plane_mesh(axes[0], domain.mesh)
            draw_tags(axes[0], domain.mesh, domain.sides, colours)
        else:
            _box_on_plane(axes[0], low, high, colours, solid)
    return figure, [Panel(axes[0])], list(axes[1:])


def _line(ax: Axes, low: Floats, high: Floats, colours: Colours, above: bool) -> None:
    ax.plot([low[0], high[0]], [0, 0], color="0.7", linewidth=2.0, zorder=1)
    for face, x in (("x-", low[0]), ("x+", high[0])):
        ax.plot([x], [0], "o", color=colours[face], markersize=8, zorder=3, clip_on=False)
    air = 0.12 * (high[0] - low[0])
    ax.set(ylim=(-1, 1), yticks=[], xlim=(low[0] - air, high[0] + air), xlabel="" if above else "x")
    ax.spines["left"].set_visible(False)
    if above:
        ax.spines["bottom"].set_visible(False)
        ax.tick_params(axis="x", length=0)


def _box_on_plane(ax: Axes, low: Floats, high: Floats, colours: Colours, solid: Solid | None) -> None:
    from matplotlib.patches import Rectangle

    wide, tall = high - low
    ax.add_patch(Rectangle((low[0], low[1]), wide, tall, facecolor="0.94", zorder=1))
    ends = {"x-": (0, 0, 0, 1), "x+": (1, 1, 0, 1), "y-": (0, 1, 0, 0), "y+": (0, 1, 1, 1)}
    for face, (a, b, c, d) in ends.items():
        x, y = low[0] + wide * np.array([a, b]), low[1] + tall * np.array([c, d])
        ax.plot(x, y, color=colours[face], linewidth=2.5, zorder=3, solid_capstyle="butt")
    if solid is not None:
        draw_solid(ax, solid, low, high)


def _box_in_space(panel: Panel, low: Floats, high: Floats, colours: Colours, solid: Solid | None) -> None:
    from matplotlib.colors import to_rgb

    assert panel.view is not None
    turns = {"x-": (0, 4, 6, 2), "x+": (1, 3, 7, 5), "y-": (0, 1, 5, 4), "y+": (2, 6, 7, 3)}
    turns |= {"z-": (0, 2, 3, 1), "z+": (4, 5, 7, 6)}
    corners = np.array([[(low, high)[(k >> a) & 1][a] for a in range(3)] for k in range(8)])
    outlines = np.stack([corners[[*turn, turn[0]]] for turn in turns.values()])
    shades = 0.35 + 0.65 * np.array([to_rgb(colours[face]) for face in turns])
    draw_faces(panel.ax, panel.view, outlines, shades, {"edgecolors": "0.25", "linewidths": 0.8})
    draw_axes(panel.ax, panel.view, low, high)
    if solid is not None:
        x, y = panel.flat(_skin(solid, low, high)).T
        panel.ax.plot(x, y, ".", markersize=1.5, markeredgewidth=0, color="0.2", zorder=4, rasterized=True)


def _skin(solid: Solid, low: Floats, high: Floats) -> Floats:
    """Points near the surface of a solid, inside it."""
    n = 61
    step = float((high - low).max()) / (n - 1)
    axes = [np.arange(a, b + 0.5 * step, step) for a, b in zip(low, high, strict=True)]
    points = np.stack([g.reshape(-1) for g in np.meshgrid(*axes, indexing="ij")], axis=-1)
    distance = solid.distance(torch.as_tensor(points)).detach().numpy()
    return points[(distance <= 0) & (distance > -step)]


def normal_arrows(panel: Panel, domain: Domain) -> None:
    """Outward normals, evenly spaced along the boundary; of a domain in space those of the faces one sees."""
    size = float(np.linalg.norm(domain.lengths))
    found = [domain.face_lattice(face, 60 if isinstance(domain, Box) else 1) for face in domain.faces]
    points = np.concatenate([q.points.numpy() for q in found])
    normals = np.concatenate([q.normals.numpy() for q in found if q.normals is not None])
    weights = np.concatenate([q.weights.numpy() for q in found])
    if panel.view is not None:
        seen = normals @ panel.view.frame[2] > 0.05
        points, normals, weights = points[seen], normals[seen], weights[seen]
    if not len(points):
        return
    apart = (float(weights.sum()) / _ARROWS) ** (1 / max(domain.dim - 1, 1)) if domain.dim > 1 else 0.0
    kept = spread(points, apart)
    start, tips = panel.flat(points[kept]), panel.flat(points[kept] + 0.045 * size * normals[kept])
    look: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 6, "shrinkA": 0, "shrinkB": 0, "lw": 0.7}
    look["color"] = "0.15"
    for (x, y), (right, up) in zip(start, tips, strict=True):
        panel.ax.annotate(
            "", (right, up), (x, y), arrowprops={**look, "color": "0.15"}, zorder=5, annotation_clip=False
        )


def spread(points: Floats, apart: float) -> list[int]:
    """Numbers of points ``(n, d)`` that keep a distance, taken one by one from all over."""
    kept: list[int] = []
    order = np.random.default_rng(0).permutation(len(points))[:4000]
    for j in order:
        if not kept or np.min(np.linalg.norm(points[kept] - points[j], axis=1)) >= 0.7 * apart:
            kept.append(int(j))
    return kept
