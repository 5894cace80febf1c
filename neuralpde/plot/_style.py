"""The look of all pictures: fonts, colours, and the figure they are drawn on."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 160

METHODS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Line colours that colour-blind readers tell apart (Okabe and Ito, 2008); yellow is too pale for a line."""

EXACT: dict[str, Any] = {"color": "black", "linewidth": 1.0, "linestyle": (0, (4, 3)), "zorder": 5}
"""The reference: thin, black, dashed, on top."""

_RC: dict[str, Any] = {
    "font.size": 10.0,
    "axes.titlesize": 10.0,
    "axes.labelsize": 10.5,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "legend.columnspacing": 1.6,
    "figure.titlesize": 12.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.formatter.use_mathtext": True,
    "axes.formatter.limits": (-3, 4),
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "figure.constrained_layout.w_pad": 0.06,
    "figure.constrained_layout.h_pad": 0.06,
}


@contextmanager
def style() -> Iterator[None]:
    """Our look on top of matplotlib's defaults, whatever the user has set; the user's settings come back after it."""
    import matplotlib.style

    with matplotlib.style.context(["default", _RC]):
        yield


def new_figure(width: float, height: float, *, layout: str = "constrained", dpi: int = DPI) -> Figure:
    """A figure of ``width`` × ``height`` inches on an Agg canvas; pyplot does not know it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=dpi, layout=layout)  # type: ignore[arg-type]
    FigureCanvasAgg(figure)
    return figure


def trim(figure: Figure) -> None:
    """Take away the empty bands above and below panels of fixed proportions, as far as their layout shows them."""
    for _ in range(2):  # the layout in the new size leaves a little again
        figure.draw_without_rendering()
        figure.set_size_inches(figure.get_size_inches()[0], figure.get_tightbbox().height + 0.2)


def time_colours(times: np.ndarray) -> list[Any]:
    """One colour per time, shape ``(k,)``, along viridis without its pale end; blue for a single time."""
    import matplotlib

    if len(times) == 1:
        return [METHODS[0]]
    place = (times - times[0]) / (times[-1] - times[0])
    return [matplotlib.colormaps["viridis"](0.86 * s) for s in place]


def choose(times: np.ndarray, most: int) -> np.ndarray:
    """Indices of at most ``most`` of the ``times`` ``(k,)``, evenly spread in time, the last always among them."""
    if len(times) <= most:
        return np.arange(len(times))
    if most < 2:
        return np.array([len(times) - 1])
    wanted = np.linspace(times[0], times[-1], most)
    return np.unique(np.abs(times[None, :] - wanted[:, None]).argmin(axis=1))


def time_text(t: float) -> str:
    """``t = 0.25``."""
    return f"t = {t:.3g}"


def steady_width_text(t: float, span: float) -> str:
    """``t = 0.250``, with the same number of digits at every time of a run over ``span``: a film must not jump."""
    digits = 2 - math.floor(math.log10(span)) if span > 0 else 2
    return f"t = {t:.2e}" if digits > 6 or span > 1e6 else f"t = {t:.{max(digits, 0)}f}"


def wrapped(text: str, inches: float) -> str:
    """``text`` broken into lines that fit a column of ``inches`` at the size of a panel's title."""
    return textwrap.fill(text, max(10, int(11 * inches)))


def headline(*parts: str) -> str:
    """The non-empty parts, joined by a colon."""
    return ": ".join(part for part in parts if part)
