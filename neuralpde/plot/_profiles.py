"""Computed profiles against a published table."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuralpde.plot._panels import upright_label
from neuralpde.plot._samples import real_array
from neuralpde.plot._style import METHODS, new_figure, style
from neuralpde.plot._write import PICTURES, checked_path, save
from neuralpde.types import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Points = tuple[np.ndarray, np.ndarray]
"""What runs to the right and what runs upwards, each ``(k,)``."""

Panels = Mapping[str, Mapping[str, Points]]
"""Panel → name → points."""

_MARKERS = "osD^vP"
_OPEN: dict[str, Any] = {
    "linestyle": "none",
    "markerfacecolor": "white",
    "markeredgewidth": 1.2,
    "markersize": 5.0,
}


def profiles(
    curves: Panels,
    published: Panels,
    path: str | os.PathLike[str],
    labels: Mapping[str, tuple[str, str]] | None = None,
    title: str = "",
    source: str = "published",
) -> Path:
    """Draw computed curves along lines, and a published table as open markers on top, in panels side by side.

    A name (``"Re = 100"``) has one colour in all panels. Published points take the colour of the curve of their name,
    or of the first curve whose name begins with it, so that ``"Re = 100"`` belongs to ``"Re = 100, grid"``; without
    such a curve they are grey.

    Args:
        curves: panel → name → ``(to the right, upwards)``, both of shape ``(k,)``. A velocity u(y) along a
            vertical line is usually drawn as ``(u, y)``, with the height upwards.
        published: the same for table values; panels and names may be missing.
        path: ``.png`` (160 dpi), ``.pdf`` or ``.svg``; the folder is made if there is none.
        labels: panel → ``(label to the right, label upwards)``.
        title: above the picture.
        source: where the table comes from, for the legend.

    Returns:
        The path.

    Raises:
        UsageError: unknown suffix, no panel or an empty one, a published panel without curves, shapes that disagree.

    Example:
        >>> y = np.linspace(0.0, 1.0, 65)
        >>> table = {"x = 0.5": {"Re = 1": (np.array([0.25]), np.array([0.5]))}}
        >>> lines = {"x = 0.5": {"Re = 1": (y**2, y)}}
        >>> profiles(lines, table, "/tmp/profiles.png", {"x = 0.5": ("u", "y")}, source="Ghia et al. (1982)").name
        'profiles.png'
    """
    target = checked_path(path, PICTURES)
    computed, tables = _checked("curves", curves), _checked("published", published)
    if not computed or not all(computed.values()):
        raise UsageError("profiles need at least one panel, and at least one curve in each")
    stray = [panel for panel in {**tables, **(labels or {})} if panel not in computed]
    if stray:
        raise UsageError(f"there is no curve in the panel {stray[0]!r}: the panels are {list(computed)}")
    with style():
        return save(profiles_figure(computed, tables, labels or {}, title, source), target)


def profiles_figure(
    curves: Panels, published: Panels, labels: Mapping[str, tuple[str, str]], title: str, source: str
) -> Figure:
    """The figure behind :func:`profiles`; call it inside ``style()``."""
    names = list(dict.fromkeys(name for panel in curves.values() for name in panel))
    colours = {name: METHODS[j % len(METHODS)] for j, name in enumerate(names)}
    columns = min(len(curves), 3)
    rows = -(-len(curves) // columns)
    figure = new_figure(max(4.6, 3.7 * columns), 0.7 + 3.5 * rows)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, (panel, lines) in zip(grid, curves.items(), strict=False):
        ax.set_title(panel)
        ax.axhline(0.0, color="0.85", linewidth=0.8, zorder=0)
        ax.axvline(0.0, color="0.85", linewidth=0.8, zorder=0)
        for name, (x, y) in lines.items():
            j = names.index(name)
            dots = "solid" if j < len(METHODS) else "dashed"
            ax.plot(x, y, color=colours[name], linestyle=dots, linewidth=1.6, label=name)
        _table(ax, published.get(panel, {}), colours)
        across, upwards = labels.get(panel, ("", ""))
        ax.set_xlabel(across)
        upright_label(ax, upwards)
    for ax in grid[len(curves) :]:
        ax.set_axis_off()
    _legend(figure, list(grid[: len(curves)]), names, source if any(published.values()) else "")
    figure.suptitle(title)
    return figure


def _table(ax: Axes, table: Mapping[str, Points], colours: Mapping[str, str]) -> None:
    for j, (name, (x, y)) in enumerate(table.items()):
        mine = name if name in colours else next((known for known in colours if known.startswith(name)), None)
        colour = "0.3" if mine is None else colours[mine]
        ax.plot(x, y, color=colour, marker=_MARKERS[j % len(_MARKERS)], zorder=4, clip_on=False, **_OPEN)


def _legend(figure: Figure, axes: Sequence[Axes], names: list[str], source: str) -> None:
    from matplotlib.lines import Line2D

    lines = {str(line.get_label()): line for ax in axes for line in ax.get_lines()}
    handles = [lines[name] for name in names]
    if source:
        handles, names = [*handles, Line2D([], [], color="0.3", marker="o", **_OPEN)], [*names, source]
    rows = math.ceil(sum(0.55 + 0.075 * len(name) for name in names) / figure.get_size_inches()[0])
    figure.legend(handles, names, loc="outside lower center", ncols=math.ceil(len(names) / rows))


def _checked(what: str, panels: Panels) -> dict[str, dict[str, Points]]:
    """The panels as float64 arrays, blank where a number is not finite."""
    checked: dict[str, dict[str, Points]] = {}
    for panel, lines in panels.items():
        checked[panel] = {}
        for name, points in lines.items():
            if len(points) != 2:
                raise UsageError(f"{what}[{panel!r}][{name!r}] must be a pair (to the right, upwards)")
            x, y = (real_array(f"{what}[{panel!r}][{name!r}]", numbers) for numbers in points)
            if x.ndim != 1 or x.shape != y.shape or not len(x):
                raise UsageError(
                    f"{what}[{panel!r}][{name!r}] has shapes {x.shape} and {y.shape}: make them equal (k,)"
                )
            checked[panel][name] = tuple(np.where(np.isfinite(numbers), numbers, np.nan) for numbers in (x, y))  # type: ignore[assignment]
    return checked
