"""Walls of a box, held exactly by a stream function: a factor that vanishes there and a lift for walls that move."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.func import jvp

from neuralpde.fields import Jet, autodiff_jet, constant_jet
from neuralpde.geometry import Boundary, Dirichlet, FreeSlip
from neuralpde.types import UsageError

# ψ = r f(θ) of Stokes flow in a right angle, f = B sin θ + C θ cos θ + D θ sin θ, of which one side slides with speed 1
C = 1 / (math.pi**2 / 4 - 1)
B, D = -C * math.pi**2 / 4, C * math.pi / 2


Shape = Callable[[Tensor], tuple[Tensor, ...]]
"""s ↦ f(s), f'(s), f''(s)."""


class StreamWalls:
    """ψ = lift + φ N with u = (∂_y ψ, −∂_x ψ): no flow through a wall, and its own velocity along it.

    φ is a product over the walls. No slip gives ψ and ∂ψ/∂n: φ falls like s² there, s the distance from the wall over
    the width of the box. Free slip gives ψ and ∂²ψ/∂n²: φ is odd about such a wall, and N even (see
    :class:`~neuralpde.networks.MirroredLayer`), so that ψ is odd and the wall has no friction. A wall that slides with
    speed g towards resting neighbours makes the velocity jump in its corners; the lift is the Stokes flow of both
    corners, blended along the wall and away from it by smoothstep functions, so that what is left for the network has
    no such jump. Between two walls along a periodic axis the net flux is a dof of its own, the amplitude of
    :meth:`carried`.

    Args:
        boundary: Dirichlet (constant velocity along the wall) or FreeSlip on both faces of an axis, or periodic.

    Raises:
        UsageError: for other conditions, velocities through a wall or that vary, or a moving wall beside free slip.

    Source: Goodier, Phil. Mag. 17 (1934), and Taylor, On scraping viscous fluid from a plane surface (1962).
    """

    constant = None

    def __init__(self, boundary: Boundary) -> None:
        self.domain, self.boundary = boundary.box, boundary
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
        self._factor, self._lift = _Kept(self._factor_jet), _Kept(self._lift_jet)

    def _speed(self, condition: Dirichlet, axis: int) -> float:
        value = condition.value
        if callable(value):
            raise UsageError(
                "a stream function takes walls of constant velocity; use a NeuralVelocityPressure or a MacGrid for "
                "others."
            )
        velocity = tuple(value) if isinstance(value, Sequence) else (float(value),) * 2
        if velocity[axis]:
            raise UsageError(
                f"a stream function takes no flow through a wall; got {condition}; use a NeuralVelocityPressure or a "
                "MacGrid."
            )
        return velocity[1 - axis]

    def _unit(self, x: Tensor, axis: int, side: int) -> Tensor:
        """Distance from a wall over the width of the box."""
        s = (x[:, axis] - self.domain.lower[axis]) / self.domain.lengths[axis]
        return 1 - s if side else s

    @property
    def mirrors(self) -> tuple[tuple[bool, bool], ...]:
        """Per axis whether its lower and its upper wall are free of friction."""
        return tuple((self.powers.get((a, 0)) == 1, self.powers.get((a, 1)) == 1) for a in range(self.domain.dim))

    @property
    def rough(self) -> bool:
        """Whether any wall holds the fluid along it."""
        return 2 in self.powers.values()

    @property
    def jumps(self) -> bool:
        """Whether a wall slides past walls at rest."""
        return any(not self.boundary.periodic[1 - axis] for axis, _, _ in self.sliding)

    def factor(self, x: Tensor) -> Tensor:
        """φ, ``(n, 1)``; its largest value is 1."""
        return self.factor_jet(x, frozenset()).value

    def factor_jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        """φ and its derivatives, ∇Δφ among them."""
        return self._factor(x, needs)

    def _factor_jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        out = self._jet(x, 0, 0, _one, needs)
        for axis, free in enumerate(self.mirrors):
            if not self.boundary.periodic[axis]:
                shape = _arch if all(free) else _ramp if any(free) else _hump
                out = out.times(self._jet(x, axis, int(free[1] and not free[0]), shape, needs))
        return out

    def _jet(self, x: Tensor, axis: int, side: int, shape: Shape, needs: frozenset[str]) -> Jet:
        """f(s) of the distance s from one wall over the width of the box, from f, f' and f''."""
        parts = [part[:, None] for part in shape(self._unit(x, axis, side))]
        unit = torch.zeros(self.domain.dim, dtype=x.dtype, device=x.device)
        unit[axis] = (-1.0 if side else 1.0) / self.domain.lengths[axis]
        return _placed(parts[0], parts[1] * unit, parts[2][..., None] * torch.outer(unit, unit), needs)

    def carried(self, x: Tensor) -> Tensor:
        """Velocity of a net flux along the periodic axis, ``(n, d)``, its mean over the width 1.

        The flow that a constant force drives: a plug between walls that are both free of friction, half a parabola
        beside one, a parabola between walls that hold the fluid. With it and the lift, Couette's and Poiseuille's
        flows need no network; flatter profiles have more friction to make up for, and steady fits stalled at no flux.
        """
        along = self.boundary.periodic.index(True)
        across = 1 - along
        out = torch.zeros_like(x)
        below, above = free = self.mirrors[across]
        s = self._unit(x, across, int(above and not below))
        out[:, along] = 1.0 if all(free) else 1.5 * (1 - s.square()) if any(free) else 6 * s * (1 - s)
        return out

    def carried_jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        """The same with derivatives."""
        return autodiff_jet(self.carried, x, needs)

    def lift(self, t: float, x: Tensor) -> Tensor:
        """A stream function with the walls' velocities, ``(n, 1)``."""
        return self.lift_jet(t, x, frozenset()).value

    def lift_jet(self, t: float, x: Tensor, needs: frozenset[str]) -> Jet:
        """The lift and its derivatives, ∇Δ among them."""
        return self._lift(x, needs)

    def _lift_jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        total = constant_jet(torch.zeros_like(x[:, :1]), self.domain.dim, needs | {"hess"} if _bends(needs) else needs)
        for axis, side, speed in self.sliding:
            sign = speed if (axis == 1) == (side == 1) else -speed
            # opposite a wall without friction the lift has no curvature either
            blend = _smoother if (slick := self.powers.get((axis, 1 - side)) == 1) else _smooth
            if self.boundary.periodic[1 - axis]:
                along, blend = (_drag, _one) if slick else (_fall, blend)
                shapes = [self._jet(x, axis, side, _scaled(along, self.domain.lengths[axis]), needs)]
            else:
                ends = ((1 - axis, s) for s in (0, 1))
                shapes = [self._jet(x, *e, _smooth, needs).times(self._corner(x, (axis, side), e, needs)) for e in ends]
            factor = self._jet(x, axis, side, _scaled(blend, sign), needs)
            for shape in shapes:
                total = total + shape.times(factor)
        return total

    def _corner(self, x: Tensor, wall: tuple[int, int], end: tuple[int, int], needs: frozenset[str]) -> Jet:
        """ψ of Stokes flow in a right angle whose side away = 0 slides out of the corner: ∂ψ/∂away = −1 there."""
        b, a = (
            self._unit(x, *face) * self.domain.lengths[face[0]] for face in (wall, end)
        )  # away from, along the wall
        signs = [-1.0 if face[1] else 1.0 for face in (wall, end)]
        r2, angle, line = a.square() + b.square(), torch.atan2(b, a), C * a + D * b
        by_a, by_b, both = -b / r2, a / r2, 2 * a * b / r2.square()
        mixed = (b.square() - a.square()) / r2.square()
        slopes = {wall[0]: signs[0] * (B + D * angle + line * by_b), end[0]: signs[1] * (C * angle + line * by_a)}
        cross = signs[0] * signs[1] * (C * by_b + D * by_a + line * mixed)
        bends = {wall[0]: 2 * D * by_b - line * both, end[0]: 2 * C * by_a + line * both}
        grad = torch.stack([slopes[0], slopes[1]], dim=-1)
        hess = torch.stack([torch.stack([bends[0], cross], -1), torch.stack([cross, bends[1]], -1)], dim=-2)
        return _placed((B * b + line * angle)[:, None], grad, hess, needs)

    def calm(self, x: Tensor, reach: float = 0.3) -> Tensor:
        """Weights ``(n,)`` that fall like r² towards the corners in which the velocity jumps, 1 beyond ``reach``."""
        out = torch.ones_like(x[:, 0])
        for axis, side, _ in self.sliding:
            if not self.boundary.periodic[1 - axis]:
                for other in (0, 1):
                    r = torch.hypot(self._unit(x, axis, side), self._unit(x, 1 - axis, other))
                    out = out * (r.clamp(max=reach) / reach).square()
        return out


def _bends(needs: frozenset[str]) -> bool:
    return bool(needs & {"laplacian", "hess", "bend"})


def _bent(jet: Callable[[Tensor, frozenset[str]], Jet], x: Tensor, needs: frozenset[str]) -> Jet:
    """A closed-form jet; where ∇Δ is needed that is added by differentiating the Laplacian along every axis."""
    if "bend" not in needs:
        return jet(x, needs)
    made = jet(x, needs - {"bend"} | {"hess"})
    columns = []
    for j in range(x.shape[1]):
        direction = torch.zeros_like(x)
        direction[:, j] = 1.0
        columns.append(jvp(lambda p: jet(p, frozenset({"laplacian"})).laplacian, (x,), (direction,))[1])
    return Jet(**made.parts(), bend=torch.stack(columns, dim=-1))


class _Kept:
    """A jet of points alone, kept for the latest set of points: fits ask for the same ones again and again."""

    def __init__(self, jet: Callable[[Tensor, frozenset[str]], Jet]) -> None:
        self.jet = jet
        self.last: tuple[Tensor, int, frozenset[str], Jet] | None = None

    def __call__(self, x: Tensor, needs: frozenset[str]) -> Jet:
        if torch._C._are_functorch_transforms_active() or x.requires_grad:
            return _bent(self.jet, x, needs)
        kept = self.last
        if kept is None or kept[0] is not x or kept[1] != x._version or kept[2] != needs:
            with torch.no_grad():
                self.last = kept = (x, x._version, needs, _bent(self.jet, x, needs))
        return kept[3]


def _placed(value: Tensor, grad: Tensor, hess: Tensor, needs: frozenset[str]) -> Jet:
    """A jet of one channel from its value ``(n, 1)``, gradient ``(n, d)`` and Hessian ``(n, d, d)``."""
    return Jet(value, grad[:, None], hess=hess[:, None] if _bends(needs) else None)


def _scaled(shape: Shape, factor: float) -> Shape:
    return lambda s: tuple(factor * part for part in shape(s))


def _one(s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return torch.ones_like(s), torch.zeros_like(s), torch.zeros_like(s)


def _hump(s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(4s (1 − s))²: no slip at both ends."""
    return 16 * (s * (1 - s)).square(), 32 * s * (1 - s) * (1 - 2 * s), 32 * (1 - 6 * s * (1 - s))


def _arch(s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """sin πs: free slip at both ends."""
    sine = torch.sin(math.pi * s)
    return sine, math.pi * torch.cos(math.pi * s), -(math.pi**2) * sine


def _ramp(s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """sin(πs/2) cos²(πs/2), its largest value 1: free slip at s = 0, no slip at s = 1."""
    w, size = 0.5 * math.pi, 0.375 * math.sqrt(3)
    one, three = torch.sin(w * s), torch.sin(3 * w * s)
    slope = size * w * (torch.cos(w * s) + 3 * torch.cos(3 * w * s))
    return size * (one + three), slope, -size * w**2 * (one + 9 * three)


def _smooth(s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """1 at s = 0, 0 at s = 1, without slope at both."""
    return (1 - s).square() * (1 + 2 * s), -6 * s * (1 - s), 12 * s - 6


def _smoother(s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same without slope and curvature."""
    return (1 - s) ** 3 * (1 + 3 * s + 6 * s.square()), -30 * (s * (1 - s)).square(), -60 * s * (1 - s) * (1 - 2 * s)


def _fall(s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """−s."""
    return -s, -torch.ones_like(s), torch.zeros_like(s)


def _drag(s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """½ (r³ − r), r = 1 − s: slope −1 at s = 0, neither value nor curvature at s = 1, no net flux. What is left of the
    fluid that such a wall drags along at its own speed is the flow of a constant force, :meth:`StreamWalls.carried`."""
    r = 1 - s
    return 0.5 * (r**3 - r), 0.5 - 1.5 * r.square(), 3 * r
