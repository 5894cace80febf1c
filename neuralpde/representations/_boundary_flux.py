"""What flows through the boundary of a closed box, and what sampling it at midpoints leaves over."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuralpde.geometry import Dirichlet, Outflow

POINTS = 4
"""Gauss points along each side of a face."""

BALANCED = 1e-9
"""A surplus of the data themselves, against all that flows, that is rounding."""

LARGEST = 1e-2
"""Most of the flow that sampling may have left over: beyond that the grid does not see the data."""


class BoundaryFlux:
    """Correction of normal velocities sampled at the midpoints of faces, so that they balance where their data do.

    Data that let as much in as out do so on the grid but for an error of h², and no velocity without divergence has
    them. The surplus is taken from the faces in proportion to what flows through each. Whether the data balance is
    asked of Gauss–Legendre rules on every face; what does not balance stays as it is, and the dynamics refuse it.

    Args:
        velocity: the staggered velocity.
    """

    def __init__(self, velocity: Any) -> None:
        self.velocity = velocity
        table = velocity.boundary.table.values()
        open_ = any(isinstance(c, Outflow) for c in table)
        varying = any(isinstance(c, Dirichlet) and callable(c.value) for c in table)
        # pools that a solid closes off would have to balance one by one
        self.active = varying and not open_ and velocity.solid is None
        self._latest: tuple[float, float] | None = None

    def share(self, t: float) -> float:
        """δ of g − δ |g| on the upper face of an axis, g + δ |g| on the lower one, at time t."""
        if not self.active:
            return 0.0
        if self._latest is None or self._latest[0] != t:
            self._latest = (t, self._share(t))
        return self._latest[1]

    def _share(self, t: float) -> float:
        rules = [[self._sampled(i, side, t, n) for i in range(self.velocity.dim) for side in (0, 1)] for n in RULES]
        # outward, by each rule
        (middle, total), (three, _), (four, _) = ((sum(n for n, _ in rule), sum(s for _, s in rule)) for rule in rules)
        if not total or abs(middle) > LARGEST * total or abs(four) > BALANCED * total + 4 * abs(four - three):
            return 0.0
        return middle / total

    def _sampled(self, i: int, side: int, t: float, n: int) -> tuple[float, float]:
        """∫ of the outward normal velocity and of its size over a face of the box, by n points along each cell side."""
        v = self.velocity
        condition = v.boundary.on(i, side)
        if not isinstance(condition, Dirichlet):
            return 0.0, 0.0
        area = math.prod(h for a, h in enumerate(v.spacing) if a != i)
        cells = math.prod(m for a, m in enumerate(v.cells) if a != i)
        if not callable(condition.value):
            value = condition.value
            g = float(value[i] if isinstance(value, Sequence) else value) * area * cells
            return (g if side else -g), abs(g)
        x, w = self._points(i, side, n)
        g = condition.at(t, x, v.dim)[:, i] * w * area
        return float(g.sum()) * (1 if side else -1), float(g.abs().sum())

    def _points(self, i: int, side: int, n: int) -> tuple[Tensor, Tensor]:
        """Gauss points of all cell faces on a face of the box, and weights that sum to 1 on each."""
        v, axes, weights = self.velocity, [], torch.ones((), dtype=torch.float64)
        nodes, parts = np.polynomial.legendre.leggauss(n)
        for a in range(v.dim):
            if a == i:
                axes.append(torch.full((1,), v.domain.upper[a] if side else v.domain.lower[a], dtype=torch.float64))
                continue
            middles = v.axis(i, a).double().cpu()
            axes.append((middles[:, None] + 0.5 * v.spacing[a] * torch.from_numpy(nodes)).reshape(-1))
            weights = weights[..., None] * torch.from_numpy(parts / 2).repeat(len(middles))
        x = torch.stack([c.reshape(-1) for c in torch.meshgrid(*axes, indexing="ij")], dim=-1)
        return x.to(v.device, v.dtype), weights.reshape(-1).to(v.device, v.dtype)


RULES = (1, POINTS - 1, POINTS)
"""The midpoint rule that the grid samples by, and two that tell whether the data balance."""
