"""Solids on paper, by their signed distance: bodies in a flow, obstacles that a body falls on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from neuralpde.geometry import Solid
from neuralpde.plot._triangulation import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NODES = 401
"""Along each axis of the lattice that a solid is drawn from."""

_AIR = 0.12
"""Around bodies that meet solids, in parts of what is drawn."""

_FAR = 0.6
"""Solids that end within this much beyond are drawn whole."""


def distances(solid: Solid, low: Floats, high: Floats, nodes: int = _NODES) -> tuple[list[Floats], Floats]:
    """A lattice over a rectangle or box, and the signed distances at its nodes ``(n, n)`` or ``(n, n, n)``."""
    axes = [np.linspace(a, b, nodes) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    with torch.no_grad():
        distance = solid.distance(torch.as_tensor(grid.reshape(-1, len(axes))))
    return axes, distance.detach().cpu().double().numpy().reshape(grid.shape[:-1])


def draw_solid(ax: Axes, solid: Solid, low: Floats, high: Floats, above: float = 2) -> list[Any]:
    """A solid in grey where it is inside the rectangle from ``low`` to ``high``; the artists.

    Lines and images below ``above`` are hidden by it.
    """
    axes, distance = distances(solid, low, high)
    filled = ax.contourf(*axes, distance.T, levels=[-np.inf, 0.0], colors=["0.6"], zorder=above)
    line = ax.contour(*axes, distance.T, levels=[0.0], colors=["0.2"], linewidths=0.8, zorder=above)
    return [filled, line]


def with_solids(low: Floats, high: Floats, solids: Sequence[Solid]) -> tuple[Floats, Floats]:
    """The rectangle (box in space) with air around it, with those solids whole that end near it, and with the surfaces
    near it of those that do not end."""
    size = float((high - low).max())
    near = low - _FAR * size, high + _FAR * size
    low, high = low - _AIR * size, high + _AIR * size
    for solid in solids:
        axes, distance = distances(solid, *near, nodes=101 if len(low) == 2 else 41)
        inside = np.argwhere(distance < 0)
        for k in range(len(low)) if len(inside) else ():
            first, last = inside[:, k].min(), inside[:, k].max()
            step = axes[k][1] - axes[k][0]
            if first > 0:
                low[k] = min(low[k], axes[k][first] - 2 * step)
            if last < len(axes[k]) - 1:
                high[k] = max(high[k], axes[k][last] + 2 * step)
            if first == 0 and last < len(axes[k]) - 1:
                low[k] = min(low[k], axes[k][last] - 2 * step)
            if first > 0 and last == len(axes[k]) - 1:
                high[k] = max(high[k], axes[k][first] + 2 * step)
    return low, high
