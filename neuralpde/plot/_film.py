"""Frames to GIF, with one palette for the whole film."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuralpde.plot._style import METHODS

if TYPE_CHECKING:
    from PIL.Image import Image


def film_colours(colour_maps: Collection[str] = ()) -> Image:
    """The 256 colours of a film: those of the field's colour map, greys for the text, shades of the line.

    matplotlib's PillowWriter picks a new palette for every frame, so that flat regions flicker, colour bars show bands,
    and nothing but the whole frame can be stored; with one palette only what moves is stored.

    Args:
        colour_maps: matplotlib's names, for images; empty for lines.
    """
    import matplotlib
    from matplotlib.colors import to_rgb
    from PIL.Image import new

    line = np.array(to_rgb(METHODS[0]))
    ramps = [_ramp(np.zeros(3), np.ones(3), 40)]
    shades = np.linspace(0.0, 1.0, 216 // max(1, len(colour_maps)))
    ramps += [matplotlib.colormaps[name](shades)[:, :3] for name in colour_maps]
    if not colour_maps:
        ramps += [_ramp(line, np.ones(3), 128), _ramp(np.zeros(3), line, 88)]
    palette = new("P", (1, 1))
    palette.putpalette(np.rint(255 * np.concatenate(ramps)).astype(np.uint8).tobytes())
    return palette


def write_film(frames: Sequence[Image], path: Path, seconds: float) -> None:
    """Write ``frames``, all with the palette of :func:`film_colours`, as an endless GIF of ``seconds``."""
    ticks = np.rint(np.linspace(0.0, 100 * seconds, len(frames) + 1))  # GIF counts in hundredths of a second
    pauses = [int(10 * pause) for pause in np.maximum(2, np.diff(ticks))]
    frames[0].save(path, format="GIF", save_all=True, append_images=frames[1:], duration=pauses, loop=0)


def _ramp(start: np.ndarray, end: np.ndarray, n: int) -> np.ndarray:
    return start + np.linspace(0.0, 1.0, n)[:, None] * (end - start)
