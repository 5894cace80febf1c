"""Solid bodies inside a domain, by their signed distance."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from neuralpde.geometry._values import is_number, plain_numbers
from neuralpde.types import UsageError


class Solid(ABC):
    """A body that fluid does not enter. ``a | b`` is both bodies.

    Example:
        >>> body = Disc((0.5, 0.5), 0.1) | Block((0.0, 0.0), (0.1, 0.2))
        >>> body.distance(torch.tensor([[0.5, 0.7], [0.05, 0.1]]))
        tensor([ 0.1000, -0.0500])
    """

    @property
    def dim(self) -> int | None:
        """Space dimensions d; None where any will do."""
        return None

    @abstractmethod
    def distance(self, x: Tensor) -> Tensor:
        """Signed distance of points ``(n, d)`` from the surface, positive in the fluid, ``(n,)``."""

    def __or__(self, other: Solid) -> Solid:
        if not isinstance(other, Solid):
            return NotImplemented
        return Bodies((self, other))


def _numbers(what: str, value: object) -> tuple[float, ...]:
    """A place as a solid keeps it, one number for each axis, from a list, an array or a tensor."""
    plain = plain_numbers(value)
    if not isinstance(plain, tuple) or not plain or not all(map(is_number, plain)):
        raise UsageError(f"{what} is one finite number for each axis, such as (0.5, 0.0); got {plain!r}.")
    return tuple(map(float, plain))


@dataclass(frozen=True)
class Disc(Solid):
    """|x − centre| ≤ radius: a disc, in 3D a ball.

    Args:
        centre: one number per axis.
        radius: r > 0.
    """

    centre: tuple[float, ...]
    radius: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", _numbers("the centre of a disc", self.centre))
        radius = plain_numbers(self.radius)
        if not is_number(radius) or not radius > 0:
            raise UsageError(f"a disc needs a positive radius; got {radius!r}.")
        object.__setattr__(self, "radius", float(radius))

    @property
    def dim(self) -> int:
        return len(self.centre)

    def distance(self, x: Tensor) -> Tensor:
        return (x - x.new_tensor(self.centre)).norm(dim=-1) - self.radius


@dataclass(frozen=True)
class Block(Solid):
    """Π_i [lower_i, upper_i]: a rectangle, in 3D a cuboid.

    Args:
        lower, upper: corners, one number per axis.
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("lower", "upper"):
            object.__setattr__(self, name, _numbers(f"the {name} corner of a block", getattr(self, name)))
        if len(self.lower) != len(self.upper) or not all(a < b for a, b in zip(self.lower, self.upper, strict=True)):
            raise UsageError(f"a block needs lower < upper along each axis; got {self.lower} and {self.upper}.")

    @property
    def dim(self) -> int:
        return len(self.lower)

    def distance(self, x: Tensor) -> Tensor:
        lower, upper = x.new_tensor(self.lower), x.new_tensor(self.upper)
        beyond = torch.maximum(lower - x, x - upper)  # per axis, negative between the faces
        return beyond.clamp(min=0).norm(dim=-1) + beyond.amax(dim=-1).clamp(max=0)


@dataclass(frozen=True)
class HalfSpace(Solid):
    """n·(x − point) ≤ 0: everything behind a line, in 3D behind a plane.

    Args:
        point: on the plane, one number per axis.
        normal: what points out of the body, of any length but zero.

    Example:
        >>> floor = HalfSpace((0.0, 0.0), (0.0, 2.0))
        >>> floor.distance(torch.tensor([[3.0, 0.5]]))
        tensor([0.5000])
    """

    point: tuple[float, ...]
    normal: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("point", "normal"):
            object.__setattr__(self, name, _numbers(f"the {name} of a half-space", getattr(self, name)))
        length = math.hypot(*self.normal)
        if len(self.point) != len(self.normal) or not 0 < length < math.inf:
            raise UsageError(
                f"a half-space needs a point and a normal of as many numbers, not all zero; got {self.point} and "
                f"{self.normal}."
            )
        if abs(length - 1) > 1e-14:
            object.__setattr__(self, "normal", tuple(c / length for c in self.normal))

    @property
    def dim(self) -> int:
        return len(self.point)

    def distance(self, x: Tensor) -> Tensor:
        return (x - x.new_tensor(self.point)) @ x.new_tensor(self.normal)


@dataclass(frozen=True)
class LevelSet(Solid):
    """The body where a smooth function of points is negative.

    Distances are φ/|∇φ|, exact at the surface and to first order near it.

    Args:
        function: φ, ``(n, d)`` → ``(n,)``, made of torch's operations; ∇φ ≠ 0 on the surface.
    """

    function: Callable[[Tensor], Tensor]

    def __post_init__(self) -> None:
        _check_function(self)

    def distance(self, x: Tensor) -> Tensor:
        with torch.enable_grad():
            points = x.detach().requires_grad_()
            values = self.function(points)
            if not isinstance(values, Tensor) or values.shape != x.shape[:1] or not values.requires_grad:
                got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
                raise UsageError(
                    f"the function of a LevelSet must return a tensor of shape (n,) made from its points; for "
                    f"{tuple(x.shape)} it gave {got}."
                )
            (slope,) = torch.autograd.grad(values.sum(), points)
        return values.detach() / slope.norm(dim=-1).clamp(min=1e-12)


def _check_function(solid: LevelSet | SignedDistance) -> None:
    if not callable(solid.function):
        raise UsageError(
            f"a {type(solid).__name__} takes a function of points (n, d) that returns (n,), such as "
            f"lambda x: x.norm(dim=-1) - 0.5; got {solid.function!r}."
        )


@dataclass(frozen=True)
class SignedDistance(Solid):
    """The body of a signed distance of one's own.

    Contact rests on |φ(x) − φ(y)| ≤ |x − y|: a function that is steeper than a distance lets bodies penetrate. A
    :class:`LevelSet` takes functions of any slope, and is exact at its surface alone.

    Args:
        function: φ, ``(n, d)`` → ``(n,)``, made of torch's operations, positive outside, |∇φ| ≤ 1.
    """

    function: Callable[[Tensor], Tensor]

    def __post_init__(self) -> None:
        _check_function(self)

    def distance(self, x: Tensor) -> Tensor:
        values = self.function(x)
        if not isinstance(values, Tensor) or values.shape != x.shape[:1]:
            got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise UsageError(
                f"the function of a SignedDistance must return a tensor of shape (n,); for {tuple(x.shape)} it gave "
                f"{got}."
            )
        return values


@dataclass(frozen=True)
class Bodies(Solid):
    """Several bodies together; what ``a | b`` makes.

    Args:
        parts: the bodies.
    """

    parts: tuple[Solid, ...]

    def __post_init__(self) -> None:
        known = {part.dim for part in self.parts} - {None}
        if len(known) > 1:
            raise UsageError(f"bodies of {' and '.join(f'{d}D' for d in sorted(filter(None, known)))} do not mix.")

    @property
    def dim(self) -> int | None:
        return next((part.dim for part in self.parts if part.dim is not None), None)

    def distance(self, x: Tensor) -> Tensor:
        return torch.stack([part.distance(x) for part in self.parts]).amin(dim=0)
