"""Limits and colour maps: what range a panel shows, chosen so that a run that blew up does not hide the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from types import EllipsisType
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from matplotlib.colors import Colormap, Normalize

_ROUNDOFF = 1e-13
"""An error below this, relative to the field, is rounding; it does not stretch a logarithmic axis."""


@dataclass(frozen=True)
class Scale:
    """Colour map and limits that several images share; ``extend`` says at which ends values lie outside."""

    name: str
    low: float
    high: float
    log: bool = False
    extend: Literal["neither", "both", "min", "max"] = "neither"

    def norm(self) -> Normalize:
        """Values to [0, 1], as matplotlib wants it."""
        from matplotlib.colors import LogNorm, Normalize

        return LogNorm(self.low, self.high) if self.log else Normalize(self.low, self.high)

    def shown(self, values: np.ndarray) -> np.ndarray:
        """``values`` of any shape as the colour map takes them: NaN where they are not finite."""
        out = np.where(np.isfinite(values), values, np.nan)
        if self.log:  # a zero has no logarithm, but it is not missing: it gets the lowest colour
            out = np.where(out <= 0, 0.1 * self.low, out)
        return out

    def colormap(self) -> Colormap:
        """The colour map; blank where a value is NaN."""
        import matplotlib

        return matplotlib.colormaps[self.name].with_extremes(bad=(0, 0, 0, 0))


def limits(values: Sequence[np.ndarray], exact: Sequence[np.ndarray] = ()) -> tuple[float, float]:
    """Lowest and highest finite number among ``values`` and ``exact`` (any shapes), never equal.

    Where an exact solution is known, values further from its range than 0.3 of its width are left outside: a run that
    blew up must not flatten the picture.
    """
    shown, known = _range(values), _range(exact)
    if known is None:
        return _widened(*(shown or (0.0, 0.0)))
    low, high = shown or known
    room = 0.3 * (known[1] - known[0]) or abs(known[0]) or 1.0
    low, high = max(low, known[0] - room), min(high, known[1] + room)
    return _widened(min(low, known[0]), max(high, known[1]))


def padded(low: float, high: float) -> tuple[float, float]:
    """The limits with 5 % of air at both ends, for lines."""
    air = 0.05 * (high - low)
    return low - air, high + air


def field_scale(
    values: Sequence[np.ndarray], exact: Sequence[np.ndarray] = (), peaked: bool = False, scattered: bool = False
) -> Scale:
    """viridis; symmetric red and blue only where both signs matter (the smaller side is 5 % of the larger or more).

    Args:
        values, exact: what all images of the scale show, any shapes; of a peaked field ``(…, n_x, n_y)``, or ``(k, n)``
            at the points of a triangulation.
        peaked: the field may grow without bound at few points, as a flow's vorticity and pressure do at corners, and
            stresses where a support ends: then these points lie outside, and the structure of all others is seen.
        scattered: whether they are values at points.
    """
    low, high = limits(values, exact)
    name, peak = "viridis", max(abs(low), abs(high))
    seen = _range(values)
    if min(-low, high) >= 0.05 * peak and seen is not None and seen[0] < seen[1]:
        name, low, high = "RdBu_r", -peak, peak
    if peaked and seen is not None:
        without = _typical_at_points if scattered else _without_peaks
        low, high = without([*values, *exact], low, high)
    under = seen is not None and seen[0] < low
    over = seen is not None and seen[1] > high
    return Scale(name, low, high, extend=_extend(under, over))


def error_limits(groups: Sequence[np.ndarray], size: float, decades: int) -> tuple[float, float]:
    """Limits of a logarithmic axis for |error|.

    Every group (one time, or one method) gets ``decades`` below its peak, since |error| dips to zero wherever the
    error changes sign; groups that hold nothing but rounding are left out unless all do, and so is what lies beyond a
    hundred times the field itself.

    Args:
        groups: arrays of |error|, any shapes.
        size: largest |exact|.
        decades: how far below the smallest peak the axis goes.

    Returns:
        ``(low, high)`` with 0 < low < high.
    """
    spans = [_range([group]) for group in groups]
    peaks = [span[1] for span in spans if span is not None and span[1] > 0]
    peaks = [peak for peak in peaks if peak > _ROUNDOFF * size] or peaks or [1e-15]
    high = min(max(peaks), 1e300)
    if min(peaks) < 100 * size:
        high = min(high, 100 * size)
    return max(min(peaks) * 10.0**-decades, high * 1e-14, 1e-300), high


def error_scale(groups: Sequence[np.ndarray], size: float) -> Scale:
    """Logarithmic magma for |error| over whole decades; see :func:`error_limits`."""
    low, high = whole_decades(*error_limits(groups, size, decades=2))
    under = any(np.any(group < low) for group in groups)
    over = any(np.any(group > high) for group in groups)
    return Scale("magma", low, high, log=True, extend=_extend(under, over))


def whole_decades(low: float, high: float) -> tuple[float, float]:
    """The limits rounded outwards to powers of ten."""
    return 10.0 ** math.floor(math.log10(low)), 10.0 ** math.ceil(math.log10(high))


def size_of(arrays: Sequence[np.ndarray]) -> float:
    """Largest finite |u|; 0 where there is none."""
    span = _range(arrays)
    return 0.0 if span is None else max(abs(span[0]), abs(span[1]))


def _range(arrays: Sequence[np.ndarray]) -> tuple[float, float] | None:
    finite = [array[np.isfinite(array)] for array in arrays]
    finite = [array for array in finite if array.size]
    if not finite:
        return None
    return min(float(array.min()) for array in finite), max(float(array.max()) for array in finite)


def _without_peaks(arrays: Sequence[np.ndarray], low: float, high: float) -> tuple[float, float]:
    """Limits from the nodes off the walls, without their outermost hundredth where it is what stretches them.

    Walls and corners are where vorticity and pressure grow without bound under refinement. A small smooth vortex in
    the interior is shown up to its centre: that the limits double is not enough to call something a peak.
    """
    inner = [array[_off_the_walls(array.shape)] for array in arrays]
    numbers = np.concatenate([array[np.isfinite(array)] for array in inner])
    if not numbers.size:
        return low, high
    if low == -high:
        typical, peak = (float(number) for number in np.percentile(np.abs(numbers), (99, 100)))
        typical = typical if peak > 2 * typical else peak
        return (-typical, typical) if high > 1.25 * typical > 0 else (low, high)
    first, last = (float(number) for number in np.percentile(numbers, (0.5, 99.5)))
    room = 0.5 * (last - first)
    if room <= 0:
        return low, high
    return first if low < first - room else low, last if high > last + room else high


def _typical_at_points(arrays: Sequence[np.ndarray], low: float, high: float) -> tuple[float, float]:
    """Limits without the outermost hundredth of values ``(k, n)`` at points: time by time, as a blow that is over soon
    is no peak in this sense."""
    rows = [row[np.isfinite(row)] for array in arrays for row in array]
    ends = np.array([np.percentile(row, (0.5, 99.5)) for row in rows if row.size])
    if low == -high:
        typical = float(np.abs(ends).max())
        return (-typical, typical) if high > 1.5 * typical > 0 else (low, high)
    first, last = float(ends[:, 0].min()), float(ends[:, 1].max())
    room = 0.5 * (last - first)
    return first if 0 < room < first - low else low, last if 0 < room < high - last else high


def _off_the_walls(shape: tuple[int, ...]) -> tuple[EllipsisType, slice, slice]:
    """All times, and of the last two axes, x and y, what is not within a sixteenth of their length from the ends."""
    (a, b), (n_x, n_y) = (n // 16 for n in shape[-2:]), shape[-2:]
    return ..., slice(a, n_x - a), slice(b, n_y - b)


def _widened(low: float, high: float) -> tuple[float, float]:
    # A constant field, and one that differs from a constant only by rounding, must not be shown as noise.
    peak = max(abs(low), abs(high))
    if high - low > 1e-9 * peak:
        return low, high
    air = 0.1 * peak or 0.5
    return low - air, high + air


def _extend(under: bool, over: bool) -> Literal["neither", "both", "min", "max"]:
    if under and over:
        return "both"
    if under:
        return "min"
    return "max" if over else "neither"
