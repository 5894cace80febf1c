"""Streamlines over an image: evenly spaced curves in pictures, short bent arrows in films."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuralpde.plot._samples import Samples
from neuralpde.plot._scales import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DARK, _PALE = ("0", 0.72), ("1", 0.85)
"""Ink for images that are pale in the middle of their scale, and for those that are dark at its low end."""

_SEAMS = {_DARK: ("1", 0.38), _PALE: ("0", 0.32)}
"""A line in a seam of the opposite kind is seen on dark colours and on light ones; both let the field through."""

_STEP = 0.016
"""Arc length of an integration step. Lengths here are inches on the paper: a line is as thick on a small panel."""

_APART = 0.12
"""Distance of neighbouring streamlines in a picture."""

_BETWEEN = 0.2
"""Distance of the arrows' seeds in a film."""

_STILL = 1e-4
"""A part of the largest speed below which a direction is noise: a streamline ends there."""


def draw_streamlines(ax: Axes, samples: Samples, i: int, width: float, scale: Scale) -> None:
    """Evenly spaced streamlines with arrow heads over the image of one time; nothing where there is no velocity.

    Args:
        ax: the panel.
        samples: with the velocity.
        i: which of its times.
        width: of the panel in inches.
        scale: of the image below.
    """
    from matplotlib.collections import LineCollection, PolyCollection

    if samples.velocity is None:
        return
    frame = _Frame(samples, width)
    lines = spaced_streamlines(frame, frame.scaled(samples.velocity[i]))
    curves = [frame.back(line) for line in lines]
    heads = [frame.back(_head(line)) for line in lines if len(line) * _STEP > 2.0 * _APART]
    ink = _ink(scale)
    for thick, colour in ((1.7, _SEAMS[ink]), (0.7, ink)):
        shown = LineCollection(curves, colors=[colour], linewidths=thick, capstyle="round", joinstyle="round")
        ax.add_collection(shown, autolim=False)
    look: dict[str, Any] = {"facecolors": [ink], "edgecolors": [_SEAMS[ink]], "linewidths": 0.4}
    ax.add_collection(PolyCollection(heads, **look), autolim=False)


def moving_arrows(ax: Axes, samples: Samples, width: float, scale: Scale, fastest: float) -> Callable[[int], None]:
    """What draws the velocity at ``times[i]`` as bent arrows that stand at the same points in every frame.

    An arrow is a piece of the streamline through its seed, longer where the flow is faster. Streamlines that keep their
    distance, as in a picture, would flicker: which of two neighbours is kept changes from frame to frame.

    Args:
        ax: the panel.
        samples: where they have no velocity, nothing is drawn.
        width: of the panel in inches.
        scale: of the image below.
        fastest: largest speed of the film, so that equal arrows mean equal speeds in all frames and panels.
    """
    from matplotlib.collections import PolyCollection

    velocity = samples.velocity
    if velocity is None:
        return lambda i: None
    frame, ink = _Frame(samples, width), _ink(scale)
    seeds = _hexagonal(frame.size, _BETWEEN)
    shown = PolyCollection([], facecolors=[ink], edgecolors=[_SEAMS[ink]], linewidths=0.5)
    ax.add_collection(shown, autolim=False)

    def show(i: int) -> None:
        field = frame.scaled(velocity[i] / (fastest or 1.0))
        behind, ahead = (trace(frame, field, seeds, sign, steps=8, speed=_arrow_speed) for sign in (-1.0, 1.0))
        paths = np.concatenate((behind[:, :0:-1], ahead), axis=1)
        shown.set_verts([frame.back(_arrow(path[np.isfinite(path[:, 0])])) for path in paths])

    return show


def _ink(scale: Scale) -> tuple[str, float]:
    return _DARK if scale.name == "RdBu_r" else _PALE


def fastest_of(methods: Sequence[Samples]) -> float:
    """A speed that nearly none of the methods' points exceeds; 0 where nothing is known to move."""
    speeds = [np.hypot(m.velocity[..., 0], m.velocity[..., 1]).ravel() for m in methods if m.velocity is not None]
    known = [speed[np.isfinite(speed)] for speed in speeds]
    return max((float(np.percentile(speed, 99.5)) for speed in known if speed.size), default=0.0)


class _Frame:
    """Coordinates on the paper, in inches from the lower left corner of a panel.

    Args:
        samples: with a plane lattice.
        width: of the panel in inches.
    """

    def __init__(self, samples: Samples, width: float) -> None:
        self.low = np.array([axis[0] for axis in samples.axes])
        self.inch = (samples.axes[0][-1] - samples.axes[0][0]) / width
        self.axes = [(axis - axis[0]) / self.inch for axis in samples.axes]
        self.size = np.array([axis[-1] for axis in self.axes])

    def scaled(self, velocity: np.ndarray) -> np.ndarray:
        """``velocity`` ``(n_x, n_y, 2)``, with NaN wherever one of the two is not finite."""
        finite = np.isfinite(velocity).all(axis=-1, keepdims=True)
        return np.where(finite, velocity, np.nan)

    def back(self, points: np.ndarray) -> np.ndarray:
        """Coordinates of the domain of ``points`` ``(n, 2)``."""
        return self.low + self.inch * points

    def interpolate(self, field: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Bilinear values ``(n, 2)`` of ``field`` ``(n_x, n_y, 2)``; NaN outside, and where a neighbour is NaN."""
        cell, part = [], []
        for axis, x in zip(self.axes, points.T, strict=True):
            with np.errstate(invalid="ignore"):
                j = np.clip(np.searchsorted(axis, np.nan_to_num(x), side="right") - 1, 0, len(axis) - 2)
                s = (x - axis[j]) / (axis[j + 1] - axis[j])
                cell.append(j)
                part.append(np.where((s >= 0) & (s <= 1), s, np.nan)[:, None])
        (i, j), (a, b) = cell, part
        low = (1 - a) * field[i, j] + a * field[i + 1, j]
        return (1 - b) * low + b * ((1 - a) * field[i, j + 1] + a * field[i + 1, j + 1])


def _full_speed(speed: np.ndarray) -> np.ndarray:
    return np.where(speed > _STILL, 1.0, np.nan)


def _arrow_speed(speed: np.ndarray) -> np.ndarray:
    return speed / (speed + 0.15)  # grows with the speed, but slow regions are not left empty


def trace(
    frame: _Frame,
    field: np.ndarray,
    seeds: np.ndarray,
    sign: float,
    steps: int,
    speed: Callable[[np.ndarray], np.ndarray] = _full_speed,
) -> np.ndarray:
    """Follow the field from all seeds at once, by the midpoint rule in arc length.

    Args:
        frame: of the lattice.
        field: velocities in parts of the largest, shape ``(n_x, n_y, 2)``.
        seeds: shape ``(s, 2)``.
        sign: 1 along the flow, −1 against it.
        steps: of length ``_STEP`` times ``speed(|velocity|)``.

    Returns:
        Points ``(s, steps + 1, 2)``; NaN after a path has left the domain, met a solid, or come to rest.
    """

    def move(x: np.ndarray) -> np.ndarray:
        u = frame.interpolate(field, x)
        size = np.hypot(u[:, 0], u[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            return sign * _STEP * u * (speed(size) / size)[:, None]

    path = np.full((len(seeds), steps + 1, 2), np.nan)
    path[:, 0] = seeds
    live = np.arange(len(seeds))
    for k in range(steps):
        x = path[live, k]
        step = move(x + 0.5 * move(x))
        good = np.isfinite(step).all(axis=1)
        live = live[good]
        if not len(live):
            break
        path[live, k + 1] = x[good] + step[good]
    return path


def spaced_streamlines(frame: _Frame, velocity: np.ndarray) -> list[np.ndarray]:
    """Streamlines that keep their distance (after Jobard and Lefer, 1997), the longest first.

    Args:
        frame: of the lattice.
        velocity: shape ``(n_x, n_y, 2)``, NaN in solids.

    Returns:
        Curves ``(m, 2)`` in the coordinates of the frame.
    """
    speed = np.hypot(velocity[..., 0], velocity[..., 1])
    if not np.nanmax(speed, initial=0.0) > 0:
        return []
    field = velocity / np.nanmax(speed)
    seeds = _hexagonal(frame.size, 0.6 * _APART)
    # Next to a wall a line says nothing that the wall does not say.
    seeds = seeds[((seeds > 0.4 * _APART) & (seeds < frame.size - 0.4 * _APART)).all(axis=1)]
    steps = int(3.5 * frame.size.max() / _STEP)
    behind, ahead = (trace(frame, field, seeds, sign, steps) for sign in (-1.0, 1.0))
    order = np.argsort(-(np.isfinite(behind[..., 0]).sum(1) + np.isfinite(ahead[..., 0]).sum(1)), kind="stable")
    taken = _Raster(frame.size)
    lines: list[np.ndarray] = []
    for j in order:
        if taken.near(seeds[j][None], wide=True)[0]:
            continue
        forward = taken.free_part(ahead[j], ahead[j, :0])
        closed = len(forward) > 2 and np.array_equal(forward[0], forward[-1])
        line = forward if closed else np.concatenate((taken.free_part(behind[j], forward)[:0:-1], forward))
        if len(line) * _STEP > 0.8 * _APART:
            taken.add(line)
            lines.append(line)
    return lines


class _Raster:
    """Which parts of the panel lie close to a curve that has been drawn.

    Args:
        size: of the panel, shape ``(2,)``.
    """

    def __init__(self, size: np.ndarray) -> None:
        self._pixel = _APART / 8
        shape = tuple(int(n) + 20 for n in size / self._pixel)
        self._close, self._wide = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
        i, j = np.mgrid[-8:9, -8:9].reshape(2, -1)
        distance = np.hypot(i, j)
        self._discs = [(i[distance <= r], j[distance <= r]) for r in (4.5, 8.0)]

    def _pixels(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        i, j = (np.floor(points / self._pixel).astype(int) + 9).T
        return i, j

    def near(self, points: np.ndarray, wide: bool = False) -> np.ndarray:
        """True for the ``points`` ``(n, 2)`` within half a distance of a curve, or within a whole one."""
        return (self._wide if wide else self._close)[self._pixels(points)]

    def free_part(self, half: np.ndarray, other: np.ndarray) -> np.ndarray:
        """The beginning of ``half`` ``(m, 2)`` that is finite and keeps off all curves, and off its own line.

        Args:
            half: from the seed on.
            other: the part of the line on the other side of the seed, ``(m', 2)``.

        Returns:
            Where the line meets its seed again, the whole round, with the seed at both ends.
        """
        half = half[: int(np.isfinite(half[:, 0]).sum())]
        blocked = self.near(half)
        half = half[: int(blocked.argmax())] if blocked.any() else half
        lag = int(2.5 * _APART / _STEP)  # what is nearer along the line is the way here
        for k in range(0, len(half), 4):
            rest = np.concatenate((half[: max(k - lag + 1, 0)], other[max(lag - k, 0) :]))
            if len(rest) and np.min(((rest - half[k]) ** 2).sum(axis=1)) < (0.4 * _APART) ** 2:
                home = np.hypot(*(half[k : k + 30] - half[0]).T)
                # A spiral that comes by its seed is left open: closed, it would have a kink.
                closes = k >= lag and home.min() < 0.12 * _APART
                return np.concatenate((half[: k + int(home.argmin())], half[:1])) if closes else half[: k + 1]
        return half

    def add(self, line: np.ndarray) -> None:
        """Mark the neighbourhood of ``line`` ``(m, 2)``."""
        i, j = self._pixels(line)
        for raster, (di, dj) in zip((self._close, self._wide), self._discs, strict=True):
            raster[i[:, None] + di, j[:, None] + dj] = True


def _head(line: np.ndarray) -> np.ndarray:
    """An arrow head ``(3, 2)`` in the middle of ``line`` ``(m, 2)``."""
    middle = len(line) // 2
    along = line[middle] - line[middle - 1]
    along = along / (np.hypot(*along) or 1.0)
    across = np.array([-along[1], along[0]])
    tip, base = line[middle] + 0.035 * along, line[middle] - 0.03 * along
    return np.stack((tip, base + 0.022 * across, base - 0.022 * across))


def _arrow(path: np.ndarray) -> np.ndarray:
    """Outline of an arrow along ``path`` ``(m, 2)``; where the path is short, of a small one; nothing where it ends."""
    if len(path) < 3:
        return np.zeros((0, 2))
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-12)[:, None]
    across = np.stack((-along[:, 1], along[:, 0]), axis=1)
    length = np.hypot(*np.diff(path, axis=0).T).sum()
    head = min(0.055, 0.6 * length)
    shaft = np.linspace(0.15, 1.0, len(path))[:, None] * 0.1 * head * across
    tip, wing = path[-1] + 0.7 * head * along[-1], path[-1] - 0.3 * head * along[-1]
    barb = 0.38 * head * across[-1]
    return np.concatenate((path + shaft, [wing + barb, tip, wing - barb], (path - shaft)[::-1]))


def _hexagonal(size: np.ndarray, distance: float) -> np.ndarray:
    """Points ``(s, 2)`` of a hexagonal lattice inside a panel of ``size``, always the same."""
    rows = max(1, round(float(size[1]) / (0.866 * distance)))
    columns = max(1, round(float(size[0]) / distance))
    y = (np.arange(rows) + 0.5) * size[1] / rows
    shift = np.where(np.arange(rows) % 2, 0.25, -0.25)
    x = (np.arange(columns)[None] + 0.5 + shift[:, None]) * size[0] / columns
    return np.stack((x, np.broadcast_to(y[:, None], x.shape)), axis=-1).reshape(-1, 2)
