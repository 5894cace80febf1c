"""One field in one picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuralpde.plot import _panels as panels
from neuralpde.plot._samples import Samples
from neuralpde.plot._scales import error_limits, error_scale, field_scale, limits, size_of
from neuralpde.plot._streamlines import draw_streamlines
from neuralpde.plot._style import EXACT, choose, headline, new_figure, style, time_colours, time_text, trim, wrapped
from neuralpde.plot._write import PICTURES, checked_path, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PROFILES = 6
_IMAGES = 4


def picture(samples: Samples, path: str | os.PathLike[str]) -> Path:
    """Draw a field and, where a reference is known, its error.

    On a line: profiles at up to six times (colour runs with time, the reference dashed on top), the space-time image,
    |error| on a logarithmic axis. On a plane: images at up to four times with one colour bar, |error| below. A steady
    field gets one profile or image, and its error beside it. Several channels stand in rows; images of a channel, wide
    and low, stand below each other. Where the samples have a velocity, its streamlines lie over the images.

    Args:
        samples: the field.
        path: ``.png`` (160 dpi), ``.pdf`` or ``.svg``; the folder is made if there is none.

    Returns:
        The path.

    Raises:
        UsageError: unknown suffix.

    Example:
        >>> x = np.linspace(0.0, 1.0, 65)
        >>> steady = Samples("finite elements", (x,), np.zeros(1), np.sin(np.pi * x)[None, :, None], title="Poisson")
        >>> picture(steady, "/tmp/poisson.png").name
        'poisson.png'
    """
    target = checked_path(path, PICTURES)
    with style():
        return save(picture_figure(samples), target)


def picture_figure(samples: Samples) -> Figure:
    """The figure behind :func:`picture`; call it inside ``style()``."""
    figure = _line_figure(samples) if samples.dim == 1 else _plane_figure(samples)
    figure.suptitle(wrapped(headline(samples.caption, samples.name), 0.85 * figure.get_figwidth()))
    if samples.dim > 1:
        trim(figure)
    return figure


def _line_figure(samples: Samples) -> Figure:
    evolves, compared = len(samples.times) > 1, samples.exact is not None
    columns = 1 + evolves + compared
    figure = new_figure(1.2 + 3.6 * columns, 0.8 + 3.0 * samples.channels)
    grid = figure.subplots(samples.channels, columns, squeeze=False)
    for channel in range(samples.channels):
        row = list(grid[channel])
        _profiles(row[0], samples, channel)
        if evolves:
            scale = field_scale(*_shown(samples, channel))
            shown = panels.space_time(row[1], samples, channel, scale)
            panels.colour_bar(figure, shown, row[1:2], scale, samples.labels[channel])
        if compared:
            _errors(row[-1], samples, channel)
    panels.legend_below(figure, grid[0, 0])
    return figure


def _profiles(ax: Axes, samples: Samples, channel: int) -> None:
    picks, x = choose(samples.times, _PROFILES), samples.axes[0]
    looks = [{"color": colour} for colour in time_colours(samples.times[picks])]
    for i, look in zip(picks, looks, strict=True):
        look["label"] = time_text(samples.times[i]) if len(samples.times) > 1 else samples.name
    panels.lines(ax, x, [samples.values[i, :, channel] for i in picks], looks)
    if samples.exact is not None:
        reference = [samples.exact[i, :, channel] for i in picks]
        panels.lines(ax, x, reference, [{**EXACT, "label": samples.known_as}] * len(picks))
    panels.value_axis(ax, samples.labels[channel], limits(*_shown(samples, channel)))


def _errors(ax: Axes, samples: Samples, channel: int) -> None:
    error, picks = samples.error(), choose(samples.times, _PROFILES)
    if error is None:
        return
    curves = [error[i, :, channel] for i in picks]
    looks = [{"color": colour, "linewidth": 1.4} for colour in time_colours(samples.times[picks])]
    panels.lines(ax, samples.axes[0], curves, looks)
    size = size_of(_shown(samples, channel)[1])
    panels.error_axis(ax, panels.error_label(samples, channel), error_limits(curves, size, decades=3))


def _plane_figure(samples: Samples) -> Figure:
    picks, compared = choose(samples.times, _IMAGES), samples.exact is not None
    beside, wide = len(picks) == 1, panels.is_wide(samples)
    kinds = 1 + compared
    # An evolving field has its error below, a steady one beside it; over a channel both are the other way round.
    stacked = beside != wide
    columns, rows = (kinds, len(picks)) if stacked else (len(picks), kinds)
    side = (7.0 if columns == 1 else 5.0) if wide else 3.8 if beside else 2.5
    titles = 0.25 * (wide and not beside)
    high = side * panels.proportion(samples) + 0.15 + titles
    figure = new_figure(
        side * columns + (1.0 * columns if stacked else 1.0), 0.8 + high * rows * samples.channels, layout="compressed"
    )
    places = panels.plane_axes(figure, samples.channels, kinds, len(picks), stacked)
    aspect = panels.bar_aspect(side * panels.proportion(samples) * (len(picks) if stacked else 1))
    for channel in range(samples.channels):
        _images(figure, places[channel, 0], samples, channel, picks, side, aspect)
        if compared:
            _error_images(figure, places[channel, 1], samples, channel, picks, aspect)
    if not beside:
        for ax, i in zip(places[0, 0], picks, strict=True):
            ax.set_title(time_text(samples.times[i]))
    return figure


def _images(
    figure: Figure, row: np.ndarray, samples: Samples, channel: int, picks: np.ndarray, side: float, aspect: float
) -> None:
    values, exact = _shown(samples, channel)
    known = [array[picks] for array in exact]
    scale = field_scale([values[0][picks]], known, samples.peaked, samples.triangulation is not None)
    for ax, i in zip(row, picks, strict=True):
        shown = panels.plane(ax, samples, samples.values[i, ..., channel], scale, i)
        draw_streamlines(ax, samples, i, side, scale)
    panels.colour_bar(figure, shown, list(row), scale, samples.labels[channel], aspect)


def _error_images(
    figure: Figure, row: np.ndarray, samples: Samples, channel: int, picks: np.ndarray, aspect: float
) -> None:
    error = samples.error()
    if error is None:
        return
    fields = [error[i, ..., channel] for i in picks]
    scale = error_scale(fields, size_of(_shown(samples, channel)[1]))
    for ax, field, i in zip(row, fields, picks, strict=True):
        shown = panels.plane(ax, samples, field, scale, i)
    panels.colour_bar(figure, shown, list(row), scale, panels.error_label(samples, channel), aspect)


def _shown(samples: Samples, channel: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    exact = [] if samples.exact is None else [samples.exact[..., channel]]
    return [samples.values[..., channel]], exact
