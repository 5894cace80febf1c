"""A field, or several methods side by side, as a film."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuralpde.plot import _panels as panels
from neuralpde.plot._comparison import values_and_exact
from neuralpde.plot._film import Palette, write_film
from neuralpde.plot._samples import Samples, check_alike
from neuralpde.plot._scales import field_scale, limits
from neuralpde.plot._style import EXACT, METHODS, choose, new_figure, steady_width_text, style, time_text, trim, wrapped
from neuralpde.plot._write import FILMS, checked_path, replacing
from neuralpde.types import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 100
_FRAMES = 60
_PER_SECOND = 25
_BYTES = 2_000_000

Show = Callable[[float], None]
"""Shows one panel as it is at the time t."""


def animation(list_of_samples: Sequence[Samples], path: str | os.PathLike[str], seconds: float = 4.0) -> Path:
    """Draw the methods side by side as an endless GIF of at most 60 frames and 2 MB, about 800 pixels wide.

    Frames are spread evenly over time; every method shows the sampled time that is nearest to the frame's. On a line
    the reference is a thin dashed curve.

    Args:
        list_of_samples: one per method, all of the same dimension and channels; lattices and times may differ.
        path: ``.gif``; the folder is made if there is none.
        seconds: how long one pass lasts, at most 60.

    Returns:
        The path.

    Raises:
        UsageError: another suffix, an empty list, fields that cannot stand side by side, ``seconds`` out of range.
    """
    target = checked_path(path, FILMS)
    check_alike(list_of_samples)
    if not 0 < seconds <= 60:
        raise UsageError(f"seconds = {seconds}: an animation lasts more than 0 and at most 60 seconds")
    most = max(2, min(_FRAMES, int(_PER_SECOND * seconds)))
    with style(), replacing(target) as temporary:
        figure, show = animation_figure(list_of_samples)
        palette = Palette(_colour_maps(list_of_samples))
        frames = [_frame(figure, show, float(t), palette) for t in frame_times(list_of_samples, most)]
        write_film(frames, palette, temporary, seconds)
        while temporary.stat().st_size > _BYTES and len(frames) > 8:
            frames = [*frames[:-1:2], frames[-1]]
            write_film(frames, palette, temporary, seconds)
    return target


def frame_times(methods: Sequence[Samples], most: int) -> np.ndarray:
    """At most ``most`` times, evenly spread, of the method that runs longest (then: that has the most of them)."""
    times = max((method.times for method in methods), key=lambda times: (times[-1], len(times)))
    return times[choose(times, most)]


def animation_figure(methods: Sequence[Samples]) -> tuple[Figure, Show]:
    """The figure behind :func:`animation`, and what sets it to a time; call it inside ``style()``."""
    width = max(8.0, 2.4 * len(methods))
    side = (width - 1.0) / len(methods)
    high = min(side * panels.proportion(methods[0]), 6.0) if methods[0].dim == 2 else min(0.7 * side, 3.4)
    channels = methods[0].channels
    layout = "compressed" if methods[0].dim == 2 else "constrained"
    figure = new_figure(width, 1.1 + (high + 0.2) * channels, layout=layout, dpi=_DPI)
    grid = figure.subplots(channels, len(methods), squeeze=False, sharex=True, sharey="row")
    draw = _line_row if methods[0].dim == 1 else _plane_row
    shows = [show for channel in range(channels) for show in draw(figure, list(grid[channel]), methods, channel)]
    span = max(m.times[-1] for m in methods) - min(m.times[0] for m in methods)
    evolves = any(len(method.times) > 1 for method in methods)
    headline = figure.suptitle("")

    def show_all(t: float) -> None:
        parts = [methods[0].title] * bool(methods[0].title) + [steady_width_text(t, span)] * evolves
        headline.set_text(", ".join(parts))
        for ax, method in zip(grid[0], methods, strict=True):
            ax.set_title(wrapped(method.name + _lag(method, t, span), side))
        for show in shows:
            show(t)

    show_all(frame_times(methods, 2)[-1])  # where the titles are longest: see _lag
    if methods[0].dim == 1 and any(method.exact is not None for method in methods):
        panels.legend_below(figure, next(ax for ax, m in zip(grid[0], methods, strict=True) if m.exact is not None))
    if methods[0].dim == 2:
        trim(figure)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laid out once: a film must not jump
    return figure, show_all


def _colour_maps(methods: Sequence[Samples]) -> set[str]:
    if methods[0].dim == 1:
        return set()
    return {field_scale(*values_and_exact(methods, channel)).name for channel in range(methods[0].channels)}


def _frame(figure: Figure, show: Show, t: float, palette: Palette) -> np.ndarray:
    show(t)
    figure.canvas.draw()
    return palette.indices(np.asarray(figure.canvas.buffer_rgba())[..., :3])  # type: ignore[attr-defined]


def _nearest(samples: Samples, t: float) -> int:
    return int(np.abs(samples.times - t).argmin())


def _lag(samples: Samples, t: float, span: float) -> str:
    own = samples.times[_nearest(samples, t)]
    return f" ({time_text(own)})" if len(samples.times) > 1 and abs(own - t) > 0.02 * span else ""


def _line_row(figure: Figure, row: list[Axes], methods: Sequence[Samples], channel: int) -> list[Show]:
    shows = [_line_panel(ax, method, channel) for ax, method in zip(row, methods, strict=True)]
    panels.value_axis(row[0], methods[0].labels[channel], limits(*values_and_exact(methods, channel)))
    row[0].set_xlim(min(m.axes[0][0] for m in methods), max(m.axes[0][-1] for m in methods))
    for ax in row:
        ax.label_outer()
    return shows


def _line_panel(ax: Axes, samples: Samples, channel: int) -> Show:
    fields, looks = [samples.values], [{"color": METHODS[0], "linewidth": 2.2, "label": "computed"}]
    if samples.exact is not None:
        fields, looks = [*fields, samples.exact], [*looks, {**EXACT, "label": "exact"}]
    panels.lines(ax, samples.axes[0], [field[0, :, channel] for field in fields], looks)
    curves = ax.get_lines()

    def show(t: float) -> None:
        for curve, field in zip(curves, fields, strict=True):
            y = field[_nearest(samples, t), :, channel]
            curve.set_ydata(np.where(np.isfinite(y), y, np.nan))

    return show


def _plane_row(figure: Figure, row: list[Axes], methods: Sequence[Samples], channel: int) -> list[Show]:
    scale = field_scale(*values_and_exact(methods, channel))
    shows: list[Show] = []
    for ax, method in zip(row, methods, strict=True):
        shown = panels.plane(ax, method, method.values[0, ..., channel], scale)

        def show(t: float, method: Samples = method, shown: panels.PcolorImage = shown) -> None:
            x, y = (panels.edges(axis) for axis in method.axes)
            shown.set_data(x, y, panels.drawable(method.values[_nearest(method, t), ..., channel], scale))

        shows.append(show)
    panels.colour_bar(figure, shown, row, scale, methods[0].labels[channel])
    return shows
