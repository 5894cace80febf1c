"""Walls of a box, held exactly by a plain velocity: a factor and a lift for every component."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import prod
from typing import Any, TypeVar

import torch
from torch import Tensor

from neuralpde.fields import Jet, autodiff_jet
from neuralpde.geometry import AXES, Boundary, Condition, Dirichlet, FreeSlip, Outflow, Periodic, face_lattice
from neuralpde.representations._hard_boundary import HardBoundary
from neuralpde.types import UsageError

LATER = 1e-4
"""Times by which differences of data in time are taken: for data that change over 0.01 or more."""


MOST_KEPT = 16
"""Lifts that are kept: a step of RK4 with walls on all sides of a square asks for about ten in turn."""

MOST_POINTS = 2**14
"""Lifts at more points than fits have (those of pictures) are not kept: they would fill the memory."""

Lift = TypeVar("Lift", Tensor, Jet)


class VelocityWalls:
    """u_i = lift_i + φ_i N_i with u = g on Dirichlet faces and u·n = 0 on FreeSlip faces.

    A free-slip wall holds its normal component alone: φ_i vanishes on the Dirichlet faces and on the free-slip faces
    whose normal is e_i. Where data jump from face to face (a lid that slides along a wall at rest) the lift is the mean
    of the faces' data weighted by the inverse distances from them, which has the jump in the corner, and there alone.

    Args:
        boundary: Dirichlet, FreeSlip and Periodic; an open face is not held.

    Raises:
        UsageError: for other conditions.

    Source: Rvachev, Sheiko, Shapiro & Tsukanov, Transfinite interpolation over implicitly defined sets, CAGD 18 (2001),
    for the weighted mean.
    """

    constant = None

    def __init__(self, boundary: Boundary) -> None:
        for name, condition in boundary.table.items():
            if isinstance(condition, Outflow) or not isinstance(condition, Dirichlet | FreeSlip | Periodic):
                raise UsageError(
                    f"velocity and pressure networks on a box take Dirichlet, FreeSlip and Periodic; {name} has "
                    f"{condition}; use a MacGrid."
                )
        dim = boundary.domain.dim
        self.components = [WallComponent(Boundary(boundary.domain, _of_component(boundary, i)), 1) for i in range(dim)]
        self.active = any(component.active for component in self.components)
        self.kept: dict[tuple[Any, ...], tuple[Tensor, Tensor | Jet]] = {}

    @property
    def jumps(self) -> bool:
        """Whether data of two faces differ where these meet: the lift, and the velocity, then jump in that corner."""
        return any(component.jumps for component in self.components)

    def factor(self, x: Tensor) -> Tensor:
        """φ at points ``(n, d)``, ``(n, d)``."""
        return torch.cat([component.factor(x) for component in self.components], dim=1)

    def lift(self, t: float, x: Tensor) -> Tensor:
        """A velocity with the walls' data, ``(n, d)``."""
        return self._once(t, x, None, lambda: torch.cat([part.lift(t, x) for part in self.components], dim=1))

    @property
    def varied(self) -> bool:
        """Whether data are functions, which may change in time."""
        return any(callable(c.value) for component in self.components for c in component.data.values())

    def rate(self, t: float, x: Tensor) -> Tensor:
        """∂/∂t of the lift, ``(n, d)``, by a difference of second order that asks for no time before 0."""
        if not self.varied:
            return torch.zeros_like(x)
        exact = x.double()
        if t < LATER:
            first, next_, last = (self.lift(t + k * LATER, exact) for k in range(3))
            return ((4 * next_ - 3 * first - last) / (2 * LATER)).to(x)
        return ((self.lift(t + LATER, exact) - self.lift(t - LATER, exact)) / (2 * LATER)).to(x)

    def factor_jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        """φ and its derivatives."""
        return beside([component.factor_jet(x, needs) for component in self.components])

    def lift_jet(self, t: float, x: Tensor, needs: frozenset[str]) -> Jet:
        """The lift and its derivatives."""
        return self._once(t, x, needs, lambda: beside([part.lift_jet(t, x, needs) for part in self.components]))

    def _once(self, t: float, x: Tensor, needs: frozenset[str] | None, make: Callable[[], Lift]) -> Lift:
        """A lift that no weight enters: kept for the latest times and sets of points, for which fits ask again and
        again."""
        taped = torch._C._are_functorch_transforms_active() or torch.is_grad_enabled()
        if taped or x.is_inference() or len(x) > MOST_POINTS:
            return make()
        key = (id(x), x._version, t, needs)
        if key not in self.kept:
            while len(self.kept) >= MOST_KEPT:
                self.kept.pop(next(iter(self.kept)))
            self.kept[key] = (x, make())  # with its points, whose id no others can have meanwhile
        return self.kept[key][1]  # type: ignore[return-value]


TIMES = (0.0, 0.61803)
"""When data are looked at for jumps: a lid may start from rest, and come back to it at a round time."""


class WallComponent(HardBoundary):
    """One component's factor and lift, which may jump where faces meet."""

    def __init__(self, boundary: Boundary, channels: int) -> None:
        super().__init__(boundary, channels)
        self.jumps = self.constant is None and any(self._jump(*pair) for pair in combinations(self.data, 2))

    def _jump(self, one: tuple[int, int], other: tuple[int, int]) -> bool:
        """Whether the data of two faces differ where these meet, at one of ``TIMES``."""
        if one[0] == other[0]:
            return False
        x = face_lattice(self.domain, *one, 5).points
        x[:, other[0]] = (self.domain.upper if other[1] else self.domain.lower)[other[0]]
        pairs = [[self.data[face].at(t, x, 1) for face in (one, other)] for t in TIMES]
        return not all(torch.allclose(a, b, rtol=1e-6, atol=1e-9) for a, b in pairs)

    def lift(self, t: float, x: Tensor) -> Tensor:
        if not self.jumps:
            return super().lift(t, x)
        tiny = torch.finfo(x.dtype).tiny ** 0.3  # in a corner it makes the weights equal, elsewhere it is lost
        away = {f: self._unit(x, f[0]).sub(f[1]).abs().clamp(min=tiny) for f in self.data}
        weights = {f: prod((away[g] for g in away if g != f), start=torch.ones_like(x[:, 0])) for f in away}
        values = {f: c.at(t, self._onto(x, *f), 1)[:, 0] for f, c in self.data.items()}
        total = torch.stack([weights[f] * values[f] for f in away]).sum(0)
        return (total / torch.stack(list(weights.values())).sum(0))[:, None]

    def _onto(self, x: Tensor, axis: int, side: int) -> Tensor:
        end = self.domain.upper[axis] if side else self.domain.lower[axis]
        return torch.stack([torch.full_like(c, end) if i == axis else c for i, c in enumerate(x.unbind(1))], dim=1)

    def lift_jet(self, t: float, x: Tensor, needs: frozenset[str]) -> Jet:
        if not self.jumps:
            return super().lift_jet(t, x, needs)
        return autodiff_jet(lambda p: self.lift(t, p), x, needs)


def _of_component(boundary: Boundary, i: int) -> tuple[Condition, ...]:
    """What a component is held to, face by face."""
    domain, out = boundary.box, list[Condition]()
    for name in domain.faces:
        condition, (axis, side) = boundary.table.get(name), domain.face(name)
        if isinstance(condition, Periodic) and side == 0:
            out.append(Periodic(AXES[axis]))
        elif isinstance(condition, FreeSlip) and axis == i:
            out.append(Dirichlet(0.0, name))
        elif isinstance(condition, Dirichlet):
            out.append(Dirichlet(condition.of_component(i, domain.dim), name))
    return tuple(out)


def beside(jets: list[Jet]) -> Jet:
    """Jets of single channels as one of several."""
    parts = [jet.parts() for jet in jets]
    shared = [name for name in parts[0] if all(name in part for part in parts)]
    return Jet(**{name: torch.cat([part[name] for part in parts], dim=1) for name in shared})
