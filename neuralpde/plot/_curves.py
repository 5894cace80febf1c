"""Numbers over numbers: error against time, work against precision."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuralpde.plot._samples import real_array
from neuralpde.plot._style import METHODS, new_figure, style
from neuralpde.plot._write import PICTURES, checked_path, save
from neuralpde.types import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def curves(
    path: str | os.PathLike[str],
    x: np.ndarray,
    ys: Mapping[str, np.ndarray],
    xlabel: str,
    ylabel: str,
    title: str = "",
    logx: bool = False,
    logy: bool = False,
) -> Path:
    """Draw one curve per name over common abscissae; few points get markers.

    Args:
        path: ``.png`` (160 dpi), ``.pdf`` or ``.svg``; the folder is made if there is none.
        x: abscissae, shape ``(k,)``, in the order in which the points are joined.
        ys: name → ordinates, shape ``(k,)``; NaN and Inf, and what has no logarithm, leave gaps.
        xlabel, ylabel: with units, for instance ``"t [s]"``.
        title: above the picture.
        logx, logy: logarithmic axes.

    Returns:
        The path.

    Raises:
        UsageError: unknown suffix, no curves, or shapes that disagree.

    Example:
        >>> t = np.linspace(0.0, 1.0, 11)
        >>> curves("/tmp/error.png", t, {"RK4": 1e-6 * np.exp(t)}, "t", "relative error", logy=True).name
        'error.png'
    """
    target = checked_path(path, PICTURES)
    abscissae = real_array("x", x)
    ordinates = {str(name): real_array(f"curve {name!r}", y) for name, y in ys.items()}
    if not ordinates or abscissae.ndim != 1 or len(abscissae) == 0:
        raise UsageError(
            f"curves need x of shape (k,) and at least one y, got {abscissae.shape} and {len(ys)} curve(s)"
        )
    for name, y in ordinates.items():
        if y.shape != abscissae.shape:
            raise UsageError(f"curve {name!r} has shape {y.shape}, x has {abscissae.shape}: make them equal")
    with style():
        return save(curves_figure(abscissae, ordinates, (xlabel, ylabel), title, (logx, logy)), target)


def curves_figure(
    x: np.ndarray, ys: Mapping[str, np.ndarray], names: tuple[str, str], title: str, logs: tuple[bool, bool]
) -> Figure:
    """The figure behind :func:`curves`; call it inside ``style()``."""
    figure = new_figure(6.8, 4.0)
    ax = figure.subplots()
    # An axis without one positive number cannot be logarithmic.
    across_log = logs[0] and bool(np.any(x > 0))
    upward_log = logs[1] and any(np.any(y > 0) for y in ys.values())
    across, upward = _shown(x, across_log), {name: _shown(y, upward_log) for name, y in ys.items()}
    marker = "o" if len(x) <= 24 else ""
    for j, (name, y) in enumerate(upward.items()):
        dots = "solid" if j < len(METHODS) else "dotted"
        ax.plot(across, y, color=METHODS[j % len(METHODS)], linestyle=dots, marker=marker, markersize=4, label=name)
    ax.set(xscale="log" if across_log else "linear", yscale="log" if upward_log else "linear")
    ax.grid(color="0.9", linewidth=0.6)
    ax.set(xlabel=names[0], ylabel=names[1], title=title)
    _legend(figure, upward)
    return figure


def _legend(figure: Figure, ys: Mapping[str, np.ndarray]) -> None:
    # To the right, in the order in which the curves end, so that the eye needs no search.
    ends = {name: y[np.isfinite(y)][-1] if np.isfinite(y).any() else -np.inf for name, y in ys.items()}
    lines = {str(line.get_label()): line for line in figure.axes[0].get_lines()}
    order = sorted(ends, key=lambda name: -ends[name])
    figure.legend([lines[name] for name in order], order, loc="outside right upper")


def _shown(numbers: np.ndarray, log: bool) -> np.ndarray:
    shown = np.where(np.isfinite(numbers), numbers, np.nan)
    return np.where(shown > 0, shown, np.nan) if log else shown
