"""A field, or several methods side by side, as a film."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuralpde.plot import _panels as panels
from neuralpde.plot._comparison import is_flow, values_and_exact
from neuralpde.plot._film import Palette, write_film
from neuralpde.plot._samples import Samples, check_alike
from neuralpde.plot._scales import Scale, error_scale, field_scale, limits, size_of
from neuralpde.plot._streamlines import fastest_of, moving_arrows
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
_FLOW_BYTES = 2 * _BYTES

Show = Callable[[float], None]
"""Shows one panel as it is at the time t."""


def animation(list_of_samples: Sequence[Samples], path: str | os.PathLike[str], seconds: float = 4.0) -> Path:
    """Draw the methods side by side as an endless GIF of at most 60 frames and 2 MB, about 800 pixels wide.

    Frames are spread evenly over time; every method shows the sampled time that is nearest to the frame's. On a line
    the reference is a thin dashed curve. A flow (samples with a velocity) has arrows along its streamlines that stand
    still, and |error| below where a reference is known; its film may have 4 MB. Methods in a channel, wide and low,
    stand below each other.

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
        palette = Palette(_colour_maps(list_of_samples), lit=list_of_samples[0].dim == 3)
        frames = [_frame(figure, show, float(t), palette) for t in frame_times(list_of_samples, most)]
        write_film(frames, palette, temporary, seconds)
        most_bytes = _FLOW_BYTES if is_flow(list_of_samples) else _BYTES
        while (size := temporary.stat().st_size) > most_bytes and len(frames) > 8:
            fitting = max(len(frames) // 2 + 1, int(0.95 * len(frames) * most_bytes / size))
            frames = [frames[j] for j in np.linspace(0, len(frames) - 1, fitting).round().astype(int)]
            write_film(frames, palette, temporary, seconds)
    return target


def frame_times(methods: Sequence[Samples], most: int) -> np.ndarray:
    """At most ``most`` times, evenly spread, of the method that runs longest (then: that has the most of them)."""
    times = max((method.times for method in methods), key=lambda times: (times[-1], len(times)))
    return times[choose(times, most)]


def animation_figure(methods: Sequence[Samples]) -> tuple[Figure, Show]:
    """The figure behind :func:`animation`, and what sets it to a time; call it inside ``style()``."""
    plane = methods[0].dim > 1
    stacked = plane and panels.is_wide(methods[0])
    kinds = 1 + (plane and is_flow(methods) and any(method.exact is not None for method in methods))
    width = max(8.0, 2.4 * len(methods)) if not stacked else 8.0
    side = (width - 1.0) / (1 if stacked else len(methods))
    high = min(side * panels.proportion(methods[0]), 6.0) if plane else min(0.7 * side, 3.4)
    rows = methods[0].channels * kinds * (len(methods) if stacked else 1)
    layout = "compressed" if plane else "constrained"
    figure = new_figure(width, 1.1 + (high + 0.2 + 0.25 * stacked) * rows, layout=layout, dpi=_DPI)
    grid = figure.subplots(rows, 1 if stacked else len(methods), squeeze=False, sharex=True, sharey=plane or "row")
    places = grid.reshape(methods[0].channels, kinds, len(methods))
    aspect = panels.bar_aspect(high * (len(methods) if stacked else 1))
    shows: list[Show] = []
    for channel, (values, *errors) in enumerate(places):
        if plane:
            shows += _plane_row(figure, list(values), methods, channel, side, aspect)
        else:
            shows += _line_row(figure, list(values), methods, channel)
        for row in errors:
            shows += _error_row(figure, list(row), methods, channel, aspect)
    span = max(m.times[-1] for m in methods) - min(m.times[0] for m in methods)
    evolves = any(len(method.times) > 1 for method in methods)
    headline = figure.suptitle("")

    def show_all(t: float) -> None:
        parts = [methods[0].caption] * bool(methods[0].caption) + [steady_width_text(t, span)] * evolves
        headline.set_text(", ".join(parts))
        for ax, method in zip(places[0, 0], methods, strict=True):
            ax.set_title(wrapped(method.name + _lag(method, t, span), side))
        for show in shows:
            show(t)

    show_all(frame_times(methods, 2)[-1])  # where the titles are longest: see _lag
    if methods[0].dim == 1 and any(method.exact is not None for method in methods):
        panels.legend_below(
            figure, next(ax for ax, m in zip(places[0, 0], methods, strict=True) if m.exact is not None)
        )
    if plane:
        trim(figure)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laid out once: a film must not jump
    return figure, show_all


def _colour_maps(methods: Sequence[Samples]) -> set[str]:
    if methods[0].dim == 1:
        return set()
    names = {_film_scale(methods, channel).name for channel in range(methods[0].channels)}
    compared = is_flow(methods) and any(method.exact is not None for method in methods)
    return names | {"magma"} if compared else names


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
        fields, looks = [*fields, samples.exact], [*looks, {**EXACT, "label": samples.known_as}]
    panels.lines(ax, samples.axes[0], [field[0, :, channel] for field in fields], looks)
    curves = ax.get_lines()

    def show(t: float) -> None:
        for curve, field in zip(curves, fields, strict=True):
            y = field[_nearest(samples, t), :, channel]
            curve.set_ydata(np.where(np.isfinite(y), y, np.nan))

    return show


def _plane_row(
    figure: Figure, row: list[Axes], methods: Sequence[Samples], channel: int, side: float, aspect: float
) -> list[Show]:
    scale, fastest = _film_scale(methods, channel), fastest_of(methods)
    shows: list[Show] = []
    for ax, method in zip(row, methods, strict=True):
        shown = panels.plane(ax, method, method.values[0, ..., channel], scale, 0)
        arrows = moving_arrows(ax, method, side, scale, fastest)
        shows += [_image_show(shown, method, method.values[..., channel]), _at_nearest(method, arrows)]
    panels.share_box(row, methods)
    panels.colour_bar(figure, shown, row, scale, methods[0].labels[channel], aspect)
    return shows


def _error_row(figure: Figure, row: list[Axes], methods: Sequence[Samples], channel: int, aspect: float) -> list[Show]:
    errors = [None if (error := method.error()) is None else error[..., channel] for method in methods]
    size = size_of(values_and_exact(methods, channel)[1])
    # One group a method and not one a frame: an error that grows from nothing would stretch the scale.
    scale = error_scale([error for error in errors if error is not None], size)
    shows: list[Show] = []
    for ax, method, error in zip(row, methods, errors, strict=True):
        if error is None:
            ax.set_axis_off()
            panels.note(ax, "no reference")
        else:
            shown = panels.plane(ax, method, error[0], scale, 0)
            if panels.is_wide(method):  # else the column has its name at the top
                ax.set_title(f"error of {method.name}")
            shows.append(_image_show(shown, method, error))
    panels.share_box(row, methods)
    panels.colour_bar(figure, shown, row, scale, panels.error_label(methods[0], channel), aspect)
    return shows


def _image_show(shown: panels.Shown, method: Samples, fields: np.ndarray) -> Show:
    return _at_nearest(method, lambda i: shown.redraw(fields[i], i))


def _at_nearest(method: Samples, draw: Callable[[int], None]) -> Show:
    return lambda t: draw(_nearest(method, t))


def _film_scale(methods: Sequence[Samples], channel: int) -> Scale:
    values, exact = values_and_exact(methods, channel)
    return field_scale(values, exact, any(m.peaked for m in methods), methods[0].triangulation is not None)
