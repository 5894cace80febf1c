"""Several methods on the same problem, in one picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuralpde.plot import _panels as panels
from neuralpde.plot._samples import Samples, check_alike
from neuralpde.plot._scales import error_limits, error_scale, field_scale, limits, size_of
from neuralpde.plot._streamlines import draw_streamlines
from neuralpde.plot._style import EXACT, METHODS, new_figure, style, time_text, trim, wrapped
from neuralpde.plot._write import PICTURES, checked_path, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def comparison(list_of_samples: Sequence[Samples], path: str | os.PathLike[str]) -> Path:
    """Draw several methods side by side, with the same axes and the same colours.

    On a line: the last profiles of all methods and the reference in one panel, |error| on a logarithmic axis below,
    and one space-time image per method. On a plane: the last image of each method, with streamlines where there is a
    velocity, and its |error| below; over a channel, wide and low, methods stand below each other, errors beside them.

    Args:
        list_of_samples: one per method, all of the same dimension and channels; lattices and times may differ.
        path: ``.png`` (160 dpi), ``.pdf`` or ``.svg``; the folder is made if there is none.

    Returns:
        The path.

    Raises:
        UsageError: unknown suffix, an empty list, or fields that cannot be compared.
    """
    target = checked_path(path, PICTURES)
    check_alike(list_of_samples)
    with style():
        return save(comparison_figure(list_of_samples), target)


def comparison_figure(methods: Sequence[Samples]) -> Figure:
    """The figure behind :func:`comparison`; call it inside ``style()``."""
    figure = _line_figure(methods) if methods[0].dim == 1 else _plane_figure(methods)
    last = {method.times[-1] for method in methods}
    evolves = any(len(method.times) > 1 for method in methods)
    when = time_text(last.pop()) if evolves and len(last) == 1 else ""
    figure.suptitle(", ".join(part for part in (methods[0].caption, when) if part))
    if methods[0].dim > 1:
        trim(figure)
    return figure


def method_looks(methods: Sequence[Samples]) -> list[dict[str, Any]]:
    """Colour and width of every method's line; earlier lines are wider, so that coinciding ones all stay visible."""
    looks = []
    for j, name in enumerate(method_names(methods)):
        dots = "solid" if j < len(METHODS) else "dotted"
        width = 1.6 + 0.7 * (len(methods) - 1 - j)
        looks.append(
            {"color": METHODS[j % len(METHODS)], "linestyle": dots, "linewidth": min(width, 4.5), "label": name}
        )
    return looks


def method_names(methods: Sequence[Samples]) -> list[str]:
    """Names of the methods, with the last time where the methods do not end together."""
    if len({method.times[-1] for method in methods}) == 1:
        return [method.name for method in methods]
    return [f"{method.name} ({time_text(method.times[-1])})" for method in methods]


def values_and_exact(methods: Sequence[Samples], channel: int, when: Any = slice(None)) -> tuple[list[np.ndarray], ...]:
    """One channel of all methods' values, and of all references that are known, at the times ``when``."""
    values = [method.values[when][..., channel] for method in methods]
    exact = [method.exact[when][..., channel] for method in methods if method.exact is not None]
    return values, exact


def is_flow(methods: Sequence[Samples]) -> bool:
    """Whether any of the methods shows a velocity."""
    return any(method.velocity is not None for method in methods)


def _line_figure(methods: Sequence[Samples]) -> Figure:
    evolves, compared = any(len(m.times) > 1 for m in methods), any(m.exact is not None for m in methods)
    heights = [2.5] + [2.0] * compared + [2.5] * evolves
    channels = methods[0].channels
    width = max(8.0, 1.0 + 2.3 * len(methods))
    figure = new_figure(width, 1.0 + sum(heights) * channels)
    spec = figure.add_gridspec(len(heights) * channels, len(methods), height_ratios=heights * channels)
    first = None
    for channel in range(channels):
        row = channel * len(heights)
        top = figure.add_subplot(spec[row, :])
        first = first or top
        _profiles(top, methods, channel)
        if compared:
            below = figure.add_subplot(spec[row + 1, :], sharex=top)
            _errors(below, methods, channel)
            top.tick_params(labelbottom=False)
            top.set_xlabel("")
        if evolves:
            last = spec[row + len(heights) - 1, :].subgridspec(1, len(methods))
            axes = last.subplots(sharex=True, sharey=True, squeeze=False)[0]
            _space_times(figure, list(axes), methods, channel)
    if first is not None:
        panels.legend_below(figure, first)
    return figure


def _profiles(ax: Axes, methods: Sequence[Samples], channel: int) -> None:
    for method, look in zip(methods, method_looks(methods), strict=True):
        panels.lines(ax, method.axes[0], [method.values[-1, :, channel]], [look])
    known = [method for method in methods if method.exact is not None]
    if known:
        finest = max(known, key=lambda method: (method.times[-1], len(method.axes[0])))
        reference = np.asarray(finest.exact)[-1, :, channel]
        panels.lines(ax, finest.axes[0], [reference], [{**EXACT, "label": finest.known_as}])
    panels.value_axis(ax, methods[0].labels[channel], limits(*values_and_exact(methods, channel, slice(-1, None))))
    ax.set_xlim(min(m.axes[0][0] for m in methods), max(m.axes[0][-1] for m in methods))


def _errors(ax: Axes, methods: Sequence[Samples], channel: int) -> None:
    shown = []
    for method, look in zip(methods, method_looks(methods), strict=True):
        error = method.error()
        if error is not None:
            curve = error[-1, :, channel]
            panels.lines(ax, method.axes[0], [curve], [{**look, "linewidth": 1.6}])
            shown.append(curve)
    size = size_of(values_and_exact(methods, channel)[1])
    panels.error_axis(ax, panels.error_label(methods[0], channel), error_limits(shown, size, decades=3))
    ax.set_xlim(min(m.axes[0][0] for m in methods), max(m.axes[0][-1] for m in methods))


def _space_times(figure: Figure, axes: list[Axes], methods: Sequence[Samples], channel: int) -> None:
    values, exact = values_and_exact(methods, channel)
    scale = field_scale(values, exact)
    for ax, method in zip(axes, methods, strict=True):
        if len(method.times) > 1:
            shown = panels.space_time(ax, method, channel, scale)
        ax.set_title(wrapped(method.name, 2.3))
        ax.label_outer()
    first, last = min(m.times[0] for m in methods), max(m.times[-1] for m in methods)
    axes[0].set(ylim=(first, last), xlim=(min(m.axes[0][0] for m in methods), max(m.axes[0][-1] for m in methods)))
    panels.colour_bar(figure, shown, axes, scale, methods[0].labels[channel])


def _plane_figure(methods: Sequence[Samples]) -> Figure:
    compared, channels = any(method.exact is not None for method in methods), methods[0].channels
    kinds, stacked = 1 + compared, panels.is_wide(methods[0])
    rows, columns = (len(methods), kinds) if stacked else (kinds, len(methods))
    side = (7.0 if columns == 1 else 5.0) if stacked else 2.9
    tall = side * panels.proportion(methods[0])
    figure = new_figure(
        side * columns + (1.0 * columns if stacked else 1.2),
        0.9 + (tall + 0.15 + 0.25 * stacked) * rows * channels,
        layout="compressed",
    )
    places = panels.plane_axes(figure, channels, kinds, len(methods), stacked)
    aspect = panels.bar_aspect(tall * (len(methods) if stacked else 1))
    for channel in range(channels):
        _images(figure, list(places[channel, 0]), methods, channel, side, aspect)
        if compared:
            _error_images(figure, list(places[channel, 1]), methods, channel, aspect)
    for ax, name in zip(places[0, 0], method_names(methods), strict=True):
        ax.set_title(wrapped(name, side))
    return figure


def _images(
    figure: Figure, row: list[Axes], methods: Sequence[Samples], channel: int, side: float, aspect: float
) -> None:
    values, exact = values_and_exact(methods, channel, slice(-1, None))
    scale = field_scale(values, exact, any(m.peaked for m in methods), methods[0].triangulation is not None)
    for ax, method in zip(row, methods, strict=True):
        shown = panels.plane(ax, method, method.values[-1, ..., channel], scale)
        draw_streamlines(ax, method, -1, side, scale)
    panels.share_box(row, methods)
    panels.colour_bar(figure, shown, row, scale, methods[0].labels[channel], aspect)


def _error_images(figure: Figure, row: list[Axes], methods: Sequence[Samples], channel: int, aspect: float) -> None:
    errors = [None if (error := method.error()) is None else error[-1, ..., channel] for method in methods]
    known = [error for error in errors if error is not None]
    scale = error_scale(known, size_of(values_and_exact(methods, channel)[1]))
    for ax, method, error in zip(row, methods, errors, strict=True):
        if error is None:
            ax.set_axis_off()
            panels.note(ax, "no reference")
        else:
            shown = panels.plane(ax, method, error, scale)
    panels.share_box(row, methods)
    panels.colour_bar(figure, shown, row, scale, panels.error_label(methods[0], channel), aspect)
