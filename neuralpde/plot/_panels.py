"""What stands inside one pair of axes: profiles, errors, images; and the colour bar or legend beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuralpde.plot._mesh_panels import Shown, body_proportion, body_views, drawn_box, triangles
from neuralpde.plot._mesh_panels import share_box as share_box
from neuralpde.plot._samples import Samples
from neuralpde.plot._scales import Scale, padded, whole_decades
from neuralpde.plot._section import Body

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BLANK, _SOLID = "0.9", "0.6"


def edges(nodes: np.ndarray) -> np.ndarray:
    """Borders of the cells around ``nodes`` ``(n,)``, shape ``(n + 1,)``; the outer cells end at the outer nodes."""
    return np.concatenate((nodes[:1], 0.5 * (nodes[1:] + nodes[:-1]), nodes[-1:]))


def image(ax: Axes, x: np.ndarray, y: np.ndarray, values: np.ndarray, scale: Scale) -> Shown:
    """Image of ``values`` ``(n_x, n_y)`` over the nodes x ``(n_x,)`` and y ``(n_y,)``; every node colours its cell.

    No interpolation: a coarse lattice looks coarse. Where a value is not finite the panel's grey shows.
    """
    from matplotlib.image import PcolorImage

    picture = PcolorImage(ax, edges(x), edges(y), drawable(values, scale), cmap=scale.colormap(), norm=scale.norm())
    picture.set_in_layout(False)  # the panel's frame decides
    ax.add_image(picture)
    ax.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]), facecolor=_BLANK)
    ax.spines[["top", "right"]].set_visible(True)
    ax.locator_params(nbins=4)
    return Shown(picture, lambda field, _: picture.set_data(edges(x), edges(y), drawable(field, scale)))


def drawable(values: np.ndarray, scale: Scale) -> np.ndarray:
    """``values`` ``(n_x, n_y)`` as an image wants them, ``(n_y, n_x)``, with a blank where they are not finite."""
    return np.ma.masked_invalid(scale.shown(values).T)


def space_time(ax: Axes, samples: Samples, channel: int, scale: Scale) -> Shown:
    """Image of one channel of a field over a line: x to the right, t upwards."""
    picture = image(ax, samples.axes[0], samples.times, samples.values[..., channel].T, scale)
    ax.set_xlabel("x")
    upright_label(ax, "t")
    return picture


def plane(ax: Axes, samples: Samples, field: np.ndarray, scale: Scale, when: int = -1) -> Shown:
    """Image of ``field`` ``(n_x, n_y)`` over a plane, in true proportions unless the domain is very long; of a field at
    the points of a triangulation ``(n,)`` its triangles in smooth colours, of a body in space two views of it. A body
    that moves is shown where it is at the time of number ``when``."""
    if isinstance(samples.triangulation, Body):
        return body_views(ax, samples, field, scale, when)
    if samples.triangulation is None:
        picture = image(ax, samples.axes[0], samples.axes[1], field, scale)
    else:
        picture = triangles(ax, samples, field, scale, when)
    lengths = np.subtract(*drawn_box(samples)[::-1])
    ax.set(xlabel="x", aspect="equal" if samples.solids is not None or max(lengths) <= 6 * min(lengths) else "auto")
    if samples.velocity is not None and samples.triangulation is None:
        ax.set_facecolor(_SOLID)  # darker than the middle of a diverging colour map
    if lengths[1] < 0.3 * lengths[0]:
        ax.locator_params(axis="y", nbins=3)
        ax.locator_params(axis="x", nbins=8)
    upright_label(ax, "y")
    ax.label_outer()
    return picture


def lines(ax: Axes, x: np.ndarray, ys: Sequence[np.ndarray], looks: Sequence[dict[str, Any]]) -> None:
    """Curves ``(n,)`` over x ``(n,)``; gaps where a value is not finite."""
    for y, look in zip(ys, looks, strict=True):
        ax.plot(x, np.where(np.isfinite(y), y, np.nan), **look)
    ax.set(xlim=(x[0], x[-1]), xlabel="x")


def upright_label(ax: Axes, label: str) -> None:
    """Label of the vertical axis; one or two letters stand upright, since a ``u`` on its side reads as an ``n``."""
    if len(label) <= 2:
        ax.set_ylabel(label, rotation="horizontal", va="center")
        # The colour bar of a panel has its label to the right, an ordinary axis to the left.
        ax.yaxis.label.set_horizontalalignment("left" if ax.yaxis.get_label_position() == "right" else "right")
    else:
        ax.set_ylabel(label)


def value_axis(ax: Axes, label: str, limits: tuple[float, float]) -> None:
    """Label and limits of a panel of profiles."""
    ax.set_ylim(padded(*limits))
    upright_label(ax, label)


def error_axis(ax: Axes, label: str, limits: tuple[float, float]) -> None:
    """Logarithmic axis of a panel of |error|; says so when there is nothing to show."""
    ax.set(ylabel=label, ylim=whole_decades(limits[0], 1.1 * limits[1]))
    ax.set_yscale("log", nonpositive="mask")  # an error of zero leaves a gap
    ax.minorticks_off()
    errors = np.concatenate([np.asarray(line.get_ydata(), dtype=np.float64) for line in ax.get_lines()])
    if not np.any(errors > 0):
        note(ax, "error = 0" if np.any(errors == 0) else "no finite values")


def note(ax: Axes, text: str) -> None:
    """``text`` in the middle of a panel that has nothing to draw."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center")


def error_label(samples: Samples, channel: int) -> str:
    """``|error|``, with the channel's name where there are several; says so where it is against a reference."""
    what = "error" if samples.channels == 1 else f"error of {samples.labels[channel]}"
    return f"|{what}|" if samples.known_as == "exact" else f"|{what}| to {samples.known_as}"


def colour_bar(
    figure: Figure, picture: Shown, axes: Sequence[Axes], scale: Scale, label: str, aspect: float = 22.0
) -> None:
    """One colour bar to the right of ``axes``, ``aspect`` times as high as wide."""
    bar = figure.colorbar(picture.mappable, ax=list(axes), extend=scale.extend, aspect=aspect, pad=0.02)
    upright_label(bar.ax, label)
    bar.outline.set_linewidth(0.6)  # type: ignore[operator]
    bar.ax.minorticks_off()


def legend_below(figure: Figure, ax: Axes) -> None:
    """The named lines of ``ax`` below all panels, in as few rows as fit the figure; the reference once."""
    handles, texts = ax.get_legend_handles_labels()
    once = {(text, str(handle.get_color())): handle for handle, text in zip(handles, texts, strict=True)}  # type: ignore[attr-defined]
    if once:
        needed = sum(0.55 + 0.075 * len(text) for text, _ in once)
        rows = math.ceil(needed / figure.get_size_inches()[0])
        names = [text for text, _ in once]
        figure.legend(list(once.values()), names, loc="outside lower center", ncols=math.ceil(len(once) / rows))


def proportion(samples: Samples) -> float:
    """Height over width of a panel that shows a plane or a body, kept within what fits a page."""
    if isinstance(samples.triangulation, Body):
        return body_proportion(samples)
    wide, tall = np.subtract(*drawn_box(samples)[::-1])
    return float(np.clip(tall / wide, 0.3, 2.5))


def is_wide(samples: Samples) -> bool:
    """Whether panels of the plane, a channel for instance, stand better below each other than side by side; so do the
    two views of a body in space."""
    return samples.dim == 3 or proportion(samples) < 0.45


def plane_axes(figure: Figure, channels: int, kinds: int, items: int, stacked: bool) -> np.ndarray:
    """Axes of shape ``(channels, kinds, items)``: kinds are values and errors, items are times or methods.

    Items stand side by side and kinds below each other; ``stacked`` turns that round. A channel has its own rows.
    """
    rows, columns = (items, kinds) if stacked else (kinds, items)
    grid = figure.subplots(channels * rows, columns, squeeze=False, sharex=True, sharey=True)
    blocks = grid.reshape(channels, rows, columns)
    return blocks.transpose(0, 2, 1) if stacked else blocks


def bar_aspect(inches: float) -> float:
    """Height over width of a colour bar beside panels ``inches`` high: always about as thick."""
    return float(np.clip(inches / 0.13, 6.0, 26.0))
