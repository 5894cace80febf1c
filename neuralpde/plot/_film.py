"""Frames to GIF, with one palette for the whole film."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from neuralpde.plot._style import METHODS

_GREYS = 32
_LIGHTS = (1.0, 0.92, 0.84, 0.76, 0.68, 0.6)


class Palette:
    """The 256 colours of a film: those of the field's colour maps, greys for the text, shades of the line.

    matplotlib's PillowWriter picks a new palette for every frame: flat regions flicker, colour bars show bands, every
    frame is stored whole, and the file is twice as large and takes four times as long. Pillow's own ``quantize`` with
    a given palette takes a colour that is only near the nearest one: white paper turns blue.

    Args:
        colour_maps: matplotlib's names, for images; empty for lines.
        lit: whether bodies in space are shown, whose sides have the same colours in less light.
    """

    def __init__(self, colour_maps: Collection[str] = (), lit: bool = False) -> None:
        import matplotlib
        from matplotlib.colors import to_rgb

        line, black, white = np.array(to_rgb(METHODS[0])), np.zeros(3), np.ones(3)
        ramps = [_ramp(black, white, _GREYS)]
        lights = _LIGHTS if lit else (1.0,)
        shades = np.linspace(0.0, 1.0, (256 - _GREYS) // max(1, len(colour_maps) * len(lights)))
        ramps += [light * matplotlib.colormaps[name](shades)[:, :3] for name in colour_maps for light in lights]
        if not colour_maps:
            ramps += [_ramp(line, white, 136), _ramp(black, line, 88)]
        self.colours = np.rint(255 * np.concatenate(ramps)).astype(np.int32)
        self._index = np.full(1 << 24, -1, dtype=np.int16)  # of every colour met so far

    def indices(self, pixels: np.ndarray) -> np.ndarray:
        """Index of the nearest colour, shape ``(height, width)`` uint8, of ``pixels`` ``(height, width, 3)`` uint8."""
        red, green, blue = (pixels[..., j].astype(np.int32) for j in range(3))
        code = (red << 16) | (green << 8) | blue
        new = np.unique(code[self._index[code] < 0])
        for some in np.array_split(new, 1 + len(new) // 4096):
            colour = np.stack((some >> 16, (some >> 8) & 255, some & 255), axis=-1)
            distance = ((colour[:, None, :] - self.colours[None, :, :]) ** 2).sum(axis=-1)
            self._index[some] = distance.argmin(axis=1)
        return self._index[code].astype(np.uint8)


def write_film(frames: Sequence[np.ndarray], palette: Palette, path: Path, seconds: float) -> None:
    """Write ``frames``, each ``(height, width)`` indices into ``palette``, as an endless GIF of ``seconds``."""
    from PIL import Image

    images = [Image.fromarray(frame) for frame in frames]
    for image in images:
        image.putpalette(palette.colours.astype(np.uint8).tobytes())
    ticks = np.rint(np.linspace(0.0, 100 * seconds, len(frames) + 1))  # GIF counts in hundredths of a second
    pauses = [int(10 * pause) for pause in np.maximum(2, np.diff(ticks))]
    images[0].save(path, format="GIF", save_all=True, append_images=images[1:], duration=pauses, loop=0)


def _ramp(start: np.ndarray, end: np.ndarray, n: int) -> np.ndarray:
    return start + np.linspace(0.0, 1.0, n)[:, None] * (end - start)
