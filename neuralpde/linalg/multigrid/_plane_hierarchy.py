"""The 2D hierarchy: levels with operator-dependent transfers and Galerkin operators, and one symmetric V-cycle."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpde.linalg.multigrid._plane_four_colour import FourColourLevel
from neuralpde.linalg.multigrid._plane_red_black import RedBlackLevel
from neuralpde.linalg.multigrid._plane_transfers import galerkin, inverse_diagonal, transfers
from neuralpde.linalg.multigrid_cycle import dense_inverse

Floats = NDArray[np.floating[Any]]

COARSEST = 100
"""Most unknowns of a coarsest grid, whose inverse is a dense matrix."""


class PlaneHierarchy:
    def __init__(self, weights: list[Floats], excess: Floats, options: Any = None) -> None:
        self.update(weights, excess)

    def update(self, weights: list[Floats], excess: Floats) -> None:
        self.grids: list[tuple[int, ...]] = []
        self.smoothers: list[Any] = []
        stencil = np.stack([weights[1], weights[0]])
        while excess.size > COARSEST:
            self.grids.append(excess.shape)
            inverse, excess = inverse_diagonal(stencil, excess)
            interpolation, defects = transfers(stencil, excess)
            level = RedBlackLevel if len(stencil) == 2 else FourColourLevel
            self.smoothers.append(level(stencil, inverse, interpolation))
            stencil, excess = galerkin(stencil, excess, interpolation, defects)
        self.grids.append(excess.shape)
        self.levels = tuple(self.grids)
        self.coarsest = dense_inverse(_dense(stencil, excess)).astype(np.float32)

    def __call__(self, r: Floats, scale: float = 1.0, back: float = 1.0) -> Floats:
        f, rights = r, []
        for number, level in enumerate(self.smoothers):
            rights.append(f)
            f = level.down(f, scale if number == 0 else 1.0)
        e = (self.coarsest @ f.reshape(-1)).reshape(f.shape)
        for number in reversed(range(len(self.smoothers))):
            r = rights[number]
            first = number == 0
            e = self.smoothers[number].up(r, scale if first else 1.0, e, back if first else 1.0, np.empty_like(r))
        return e


def _dense(stencil: Floats, excess: Floats) -> NDArray[np.float64]:
    n = excess.size
    numbers = np.arange(n).reshape(excess.shape)
    a = np.zeros((n, n))
    for layer, shift in zip(stencil, ((0, -1), (-1, 0), (-1, -1), (-1, 1)), strict=False):
        i, j, w = numbers.ravel(), np.roll(numbers, shift, (0, 1)).ravel(), layer.ravel()
        np.add.at(a, (i, i), w)
        np.add.at(a, (j, j), w)
        np.add.at(a, (i, j), -w)
        np.add.at(a, (j, i), -w)
    a[np.arange(n), np.arange(n)] += excess.ravel()
    return a
