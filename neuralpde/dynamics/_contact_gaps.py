"""Gaps between a body's boundary and an obstacle: never more than the true distance of a patch."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from neuralpde.dynamics._contact_nearest import (
    Foot,
    GapJet,
    distance_jet,
    foot_on_segment,
    foot_on_triangle,
)
from neuralpde.dynamics._contact_solids import solid_jet
from neuralpde.geometry import Disc, Solid


class Gaps(ABC):
    """Gaps g(x) > 0 of groups of m control points; while all are positive, nothing penetrates.

    Args:
        control: numbers of the control points of every gap, ``(n, m)``.
        weights: area of the undeformed boundary that each stands for, ``(n,)``.
    """

    def __init__(self, control: Tensor, weights: Tensor) -> None:
        self.control, self.weights = control, weights

    def near(self, places: Tensor, reach: float) -> tuple[Tensor, Tensor]:
        """Control points and weights of the gaps that may be smaller than ``reach``, of places ``(N, d)``."""
        chosen = torch.nonzero(self.bound(places[self.control]) < reach)[:, 0]
        return self.control[chosen], self.weights[chosen]

    def bound(self, x: Tensor) -> Tensor:
        """What gaps are at least, and quickly found, ``(n,)``."""
        return self.gap(x)

    @abstractmethod
    def gap(self, x: Tensor) -> Tensor:
        """g at places ``(n, m, d)``, ``(n,)``."""

    @abstractmethod
    def jet(self, x: Tensor) -> GapJet:
        """g with its derivatives."""

    def crossing(self, places: Tensor) -> Tensor:
        """Where pieces cut each other, of which distances say nothing, ``(n, d)``."""
        return places[:0]

    def speed(self, step: Tensor) -> Tensor:
        """How fast gaps may shrink at most while control points move by s · step, per unit of s, ``(n,)``."""
        return step.norm(dim=-1).amax(-1)


class PointGaps(Gaps):
    """Distances of points from a solid: exact of flat and curved facets from half-spaces, where the points are the
    facets' control points, and of nodes from any solid.

    Args:
        solid: that may not be entered.
        control: ``(n, 1)``.
        weights: as for :class:`Gaps`.
    """

    def __init__(self, solid: Solid, control: Tensor, weights: Tensor) -> None:
        super().__init__(control, weights)
        self.solid = solid

    def gap(self, x: Tensor) -> Tensor:
        return self.solid.distance(x[:, 0])

    def jet(self, x: Tensor) -> GapJet:
        gap, normal, second = solid_jet(self.solid, x[:, 0])
        return GapJet(gap, normal[:, None], second, normal, torch.ones_like(x[..., 0]))


class DiscGaps(Gaps):
    """Distances of whole flat facets from a disc or ball: segments and triangles, which are convex and so have one
    nearest point.

    Args:
        disc: that may not be entered.
        control: ``(n, 2)`` of segments, ``(n, 3)`` of triangles.
        weights: as for :class:`Gaps`.
    """

    def __init__(self, disc: Disc, control: Tensor, weights: Tensor) -> None:
        super().__init__(control, weights)
        self.disc = disc
        self.centre = torch.tensor(disc.centre, dtype=torch.float64)

    def _foot(self, x: Tensor) -> Foot:
        centre = self.centre.expand(len(x), -1)
        if x.shape[1] == 2:
            return foot_on_segment(x[:, 0], x[:, 1], centre)
        return foot_on_triangle(x, centre)

    def bound(self, x: Tensor) -> Tensor:
        middle = x.mean(1)
        size = (x - middle[:, None]).norm(dim=-1).amax(1)
        return self.disc.distance(middle) - size

    def gap(self, x: Tensor) -> Tensor:
        place = torch.einsum("nm,nmd->nd", self._foot(x).shares, x)
        return (place - self.centre).norm(dim=-1) - self.disc.radius

    def jet(self, x: Tensor) -> GapJet:
        found = distance_jet(x, self._foot(x), self.centre)
        return GapJet(found.gap - self.disc.radius, found.gradient, found.hessian, found.normal, found.shares)


class CoveredGaps(Gaps):
    """Distances of balls that cover the pieces of facets: φ(c̄) − r with r ≥ max |c_j − c̄|, for any solid.

    A piece lies in the hull of its control points, so in the ball of the radius r = √((1 − 1/m) Σ |c_j − c̄|²) around
    their mean c̄, and a signed distance changes no faster than its argument. A body so stays r away from the obstacle,
    half the length of a piece.

    Args:
        solid: that may not be entered.
        control: ``(n, m)``.
        weights: as for :class:`Gaps`.
    """

    def __init__(self, solid: Solid, control: Tensor, weights: Tensor) -> None:
        super().__init__(control, weights)
        self.solid = solid
        self.factor = math.sqrt(1 - 1 / control.shape[1])

    def gap(self, x: Tensor) -> Tensor:
        middle = x.mean(1)
        radius = (x - middle[:, None]).flatten(1).norm(dim=-1)
        return self.solid.distance(middle) - self.factor * radius

    def jet(self, x: Tensor) -> GapJet:
        n, m, d = x.shape
        middle = x.mean(1)
        phi, normal, second = solid_jet(self.solid, middle)
        apart = x - middle[:, None]
        radius = apart.flatten(1).norm(dim=-1)
        unit = apart / radius[:, None, None]
        gradient = normal[:, None] / m - self.factor * unit
        centring = torch.eye(m, dtype=x.dtype) - 1 / m
        bend = torch.einsum("ij,ab->iajb", centring, torch.eye(d, dtype=x.dtype)).reshape(m * d, m * d)
        flat = unit.flatten(1)
        hessian = -self.factor * (bend - flat[:, :, None] * flat[:, None]) / radius[:, None, None]
        if second is not None:
            hessian = hessian + second.repeat(1, m, m) / m**2
        shares = x.new_full((n, m), 1 / m)
        size = normal.norm(dim=-1, keepdim=True).clamp(min=1e-300)
        return GapJet(phi - self.factor * radius, gradient, hessian, normal / size, shares)

    def speed(self, step: Tensor) -> Tensor:
        middle = step.mean(1)
        return middle.norm(dim=-1) + self.factor * (step - middle[:, None]).flatten(1).norm(dim=-1)
