"""Walls of a box, held exactly by a stream function: a factor that vanishes there and a lift for walls that move."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from neuralpde.fields import Jet, autodiff_jet
from neuralpde.geometry import Boundary, Dirichlet, FreeSlip
from neuralpde.types import UsageError

# ψ = r f(θ) of Stokes flow in a right angle, f = B sin θ + C θ cos θ + D θ sin θ, of which one side slides with speed 1
C = 1 / (math.pi**2 / 4 - 1)
B, D = -C * math.pi**2 / 4, C * math.pi / 2


class StreamWalls:
    """ψ = lift + φ N with u = (∂_y ψ, −∂_x ψ): no flow through a wall, and its own velocity along it.

    φ is the product over the walls of s² (no slip: ψ and ∂ψ/∂n given) or s (free slip: ψ given), s the distance from
    the wall over the width of the box. A wall that slides with speed g towards resting neighbours makes the velocity
    jump in its corners; the lift is the Stokes flow of both corners, blended along the wall and away from it by
    smoothstep functions, so that what is left for the network has no such jump.

    Args:
        boundary: Dirichlet (constant velocity along the wall) or FreeSlip on both faces of an axis, or periodic.

    Raises:
        UsageError: for other conditions, velocities through a wall or that vary, or a moving wall beside free slip.

    Source: Goodier, Phil. Mag. 17 (1934), and Taylor, On scraping viscous fluid from a plane surface (1962).
    """

    constant = None

    def __init__(self, boundary: Boundary) -> None:
        self.domain, self.boundary = boundary.domain, boundary
        self.powers = {}
        self.sliding: list[tuple[int, int, float]] = []
        for name in self.domain.faces:
            axis, side = self.domain.face(name)
            condition = boundary.on(axis, side)
            if isinstance(condition, FreeSlip):
                self.powers[axis, side] = 1
            elif isinstance(condition, Dirichlet):
                self.powers[axis, side] = 2
                speed = self._speed(condition, axis)
                if speed:
                    self.sliding.append((axis, side, speed))
            elif not boundary.periodic[axis]:
                raise UsageError(
                    f"a stream function on a box takes Dirichlet, FreeSlip and Periodic; {name} has {condition}; "
                    "use a MacGrid."
                )
        for axis, _, _ in self.sliding:
            beside = [self.powers.get((1 - axis, s)) for s in (0, 1)]
            if 1 in beside:
                raise UsageError("a moving wall beside a FreeSlip wall has no lift here; use a MacGrid.")
        self.active = bool(self.powers)

    def _speed(self, condition: Dirichlet, axis: int) -> float:
        value = condition.value
        if callable(value):
            raise UsageError("a stream function takes walls of constant velocity; use a MacGrid for others.")
        velocity = tuple(value) if isinstance(value, Sequence) else (float(value),) * 2
        if velocity[axis]:
            raise UsageError(f"a stream function takes no flow through a wall; got {condition}; use a MacGrid.")
        return velocity[1 - axis]

    def _unit(self, x: Tensor, axis: int, side: int) -> Tensor:
        """Distance from a wall over the width of the box."""
        s = (x[:, axis] - self.domain.lower[axis]) / self.domain.lengths[axis]
        return 1 - s if side else s

    def factor(self, x: Tensor) -> Tensor:
        """φ, ``(n, 1)``; its largest value is 1."""
        out = torch.ones_like(x[:, 0])
        for (axis, side), power in self.powers.items():
            out = out * (2 * self._unit(x, axis, side)) ** power
        return out[:, None]

    def lift(self, t: float, x: Tensor) -> Tensor:
        """A stream function with the walls' velocities, ``(n, 1)``."""
        total = torch.zeros_like(x[:, 0])
        for axis, side, speed in self.sliding:
            across, along = self.domain.lengths[axis], self.domain.lengths[1 - axis]
            away = self._unit(x, axis, side)
            sign = speed if (axis == 1) == (side == 1) else -speed
            if self.boundary.periodic[1 - axis]:
                shape = -away * across
            else:
                ends = [self._unit(x, 1 - axis, s) for s in (0, 1)]
                shape = sum((_smooth(s) * _corner(s * along, away * across) for s in ends), torch.zeros_like(away))
            total = total + sign * _smooth(away) * shape
        return total[:, None]

    def factor_jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        """φ and its derivatives."""
        return autodiff_jet(self.factor, x, needs)

    def lift_jet(self, t: float, x: Tensor, needs: frozenset[str]) -> Jet:
        """The lift and its derivatives."""
        return autodiff_jet(lambda p: self.lift(t, p), x, needs)

    def calm(self, x: Tensor, reach: float = 0.3) -> Tensor:
        """Weights ``(n,)`` that fall like r² towards the corners in which the velocity jumps, 1 beyond ``reach``."""
        out = torch.ones_like(x[:, 0])
        for axis, side, _ in self.sliding:
            if not self.boundary.periodic[1 - axis]:
                for other in (0, 1):
                    r = torch.hypot(self._unit(x, axis, side), self._unit(x, 1 - axis, other))
                    out = out * (r.clamp(max=reach) / reach).square()
        return out


def _smooth(s: Tensor) -> Tensor:
    """1 at s = 0, 0 at s = 1, without slope at both."""
    return (1 - s).square() * (1 + 2 * s)


def _corner(along: Tensor, away: Tensor) -> Tensor:
    """ψ of Stokes flow in a right angle whose side away = 0 slides out of the corner: ∂ψ/∂away = −1 there."""
    angle = torch.atan2(away, along)
    return B * away + C * angle * along + D * angle * away
