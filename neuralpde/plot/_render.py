"""Triangles in space drawn off screen by pyvista, where it is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PIXELS = 900
"""Along the longer side of a body."""


def renders() -> bool:
    """Whether pyvista is installed."""
    return importlib.util.find_spec("pyvista") is not None


def rendered(ax: Axes, corners: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], None] | None:
    """Triangles as an image in ``ax``, each of its pixels that of the nearest triangle.

    Args:
        ax: in the plane of the paper.
        corners: of the triangles, ``(3 m, 3)``: to the right, up, towards the eye.

    Returns:
        What shows them in the colours ``(3 m, 3)`` of the corners; None where pyvista is not installed.
    """
    if not renders():
        return None
    import pyvista

    low, high = corners.min(0), corners.max(0)
    (wide, tall, deep), middle = high - low, 0.5 * (low + high)
    scale = _PIXELS / max(wide, tall)
    size = (max(2, round(wide * scale)), max(2, round(tall * scale)))
    faces = np.insert(np.arange(len(corners)).reshape(-1, 3), 0, 3, axis=1)
    body = pyvista.PolyData(corners, faces.reshape(-1))
    picture = ax.imshow(np.zeros((2, 2, 4)), extent=(low[0], high[0], low[1], high[1]), interpolation="antialiased")

    def show(colours: NDArray[np.float64]) -> None:
        with pyvista.vtk_verbosity("off"):  # it looks for a display first, and says that there is none
            plotter = pyvista.Plotter(off_screen=True, window_size=list(size), lighting="none")
            body.point_data["colour"] = np.rint(255 * colours).astype(np.uint8)
            plotter.add_mesh(body, scalars="colour", rgb=True, lighting=False)
            plotter.camera.parallel_projection = True
            plotter.camera.focal_point = tuple(middle)
            plotter.camera.position = (middle[0], middle[1], high[2] + deep + 1.0)
            plotter.camera.up = (0.0, 1.0, 0.0)
            plotter.camera.parallel_scale = 0.5 * tall
            plotter.reset_camera_clipping_range()
            picture.set_data(plotter.screenshot(None, transparent_background=True, return_img=True))
            plotter.close()

    return show
