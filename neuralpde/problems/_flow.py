"""Incompressible flow: the Navier–Stokes and Euler equations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import ClassVar

import torch
from torch import Tensor

from neuralpde.fields import Field, Jet
from neuralpde.geometry import Block, Boundary, Box, Condition, Dirichlet, Disc, Periodic, Solid
from neuralpde.problems._base import Problem, Quantity, Term
from neuralpde.types import UsageError


class OwnConditions(tuple[Condition, ...]):
    """The conditions that a flow with a name brings along; a field of this type refuses all others."""

    def refuse_others(self, given: object, name: str) -> None:
        """Refuse conditions that are not a flow's own.

        Raises:
            UsageError: that names them.
        """
        if not isinstance(given, OwnConditions):
            raise UsageError(f"{name} brings its own conditions, which are not to be set; use NavierStokes for others.")


@dataclass(frozen=True)
class IncompressibleFlow(Problem):
    """u_t + u·∇u = −∇p + ν Δu with ∇·u = 0, density 1.

    The unknowns are the velocity u (d values) and the pressure p (the kinematic one, p/ρ). The pressure has no equation
    of its own in time: it is what keeps the velocity free of divergence. Where no face is open it is known up to a
    constant; its mean is then zero.

    A subclass states :meth:`initial_velocity`; its fields are the flow's parameters.

    Args:
        viscosity: kinematic viscosity ν ≥ 0.
        domain, conditions: periodic axes; :class:`~neuralpde.geometry.Dirichlet` velocities (a wall at rest, a moving
            wall, an inflow), :class:`~neuralpde.geometry.FreeSlip` walls and :class:`~neuralpde.geometry.Outflow`.
        solid: a body at rest in the flow, no slip on its surface: :class:`~neuralpde.geometry.Disc`,
            :class:`~neuralpde.geometry.Block`, unions ``a | b``, or any
            :class:`~neuralpde.geometry.LevelSet`.

    Raises:
        UsageError: for a viscosity that is no number or negative, a domain that is neither 2D nor 3D, or a solid of
            another dimension.
    """

    viscosity: float = 0.01
    domain: Box = field(default_factory=lambda: Box((0.0, 0.0), (1.0, 1.0)))
    conditions: tuple[Condition, ...] = (Periodic(),)
    solid: Disc | Block | Solid | None = field(default=None, kw_only=True)
    needs: ClassVar[frozenset[str]] = frozenset({"grad", "laplacian"})
    algebraic: ClassVar[frozenset[str]] = frozenset({"pressure"})

    def __post_init__(self) -> None:
        if not _is_number(self.viscosity):
            raise UsageError(f"the viscosity must be a finite number; got {self.viscosity!r}.")
        if self.viscosity < 0:
            raise UsageError(f"the viscosity must not be negative; got {self.viscosity}.")
        if self.domain.dim not in (2, 3):
            raise UsageError(f"{self.name} lives in 2D or 3D; got a {self.domain.dim}D box.")
        if self.solid is not None and self.solid.dim not in (None, self.domain.dim):
            raise UsageError(f"the domain is {self.domain.dim}D, its solid {self.solid.dim}D.")

    @property
    def unknowns(self) -> dict[str, int]:  # type: ignore[override]
        return {"velocity": self.domain.dim, "pressure": 1}

    def initial_velocity(self, x: Tensor) -> Tensor:
        """u at t = 0, ``(n, d)``, free of divergence."""
        return torch.zeros_like(x)

    def initial(self, x: Tensor) -> Tensor:
        """Velocity at t = 0 and a pressure of zero, ``(n, d + 1)``: the pressure follows from the velocity."""
        return torch.cat([self.initial_velocity(x), torch.zeros_like(x[:, :1])], dim=-1)

    def rhs(self, t: float, x: Tensor, u: Jet) -> Tensor:
        """−u·∇u − ∇p + νΔu, and −∇·u for the pressure's row, ``(n, d + 1)``."""
        d = x.shape[1]
        velocity = Jet(u.value[:, :d], u.grad[:, :d], u.laplacian[:, :d])
        momentum = self.momentum(t, x, velocity) - u.grad[:, d]
        return torch.cat([momentum, -divergence(velocity)], dim=-1)

    def momentum(self, t: float, x: Tensor, u: Jet) -> Tensor:
        """−u·∇u + νΔu, ``(n, d)``, of a velocity's jet: all that moves the velocity, but for the pressure."""
        out = -advection(u)
        return out + self.viscosity * u.laplacian if self.viscosity else out

    def terms(self) -> tuple[Term, ...]:
        """Advection (with the semi-Lagrangian flow) and, with viscosity, diffusion; of velocities only."""
        inertia = Term("advection", lambda t, x, u: -advection(u), follow_flow)
        if not self.viscosity:
            return (inertia,)
        return (inertia, Term("diffusion", lambda t, x, u: self.viscosity * u.laplacian))

    def quantities(self) -> tuple[Quantity, ...]:
        """Vorticity (in 3D its norm) with streamlines, speed, pressure."""
        d = self.domain.dim
        return (
            Quantity("vorticity", lambda u: vorticity(u, d), frozenset({"value", "grad"}), streamlines=d == 2),
            Quantity("speed", lambda u: u.value[:, :d].norm(dim=-1, keepdim=True)),
            Quantity("pressure", lambda u: u.value[:, d:]),
        )


@dataclass(frozen=True)
class NavierStokes(IncompressibleFlow):
    """u_t + u·∇u = −∇p + ν Δu with ∇·u = 0, from a velocity of one's own.

    Args:
        velocity: u at t = 0: a function ``(n, d)`` → ``(n, d)``, free of divergence, or one number per axis, a uniform
            stream.
        viscosity, domain, conditions: as for :class:`IncompressibleFlow`.

    Raises:
        UsageError: for a velocity that is neither.
    """

    velocity: Callable[[Tensor], Tensor] | Sequence[float] = torch.zeros_like

    def __post_init__(self) -> None:
        super().__post_init__()
        if callable(self.velocity):
            return
        numbers = isinstance(self.velocity, list | tuple) and all(map(_is_number, self.velocity))
        if not numbers or len(self.velocity) != self.domain.dim:
            raise UsageError(
                f"the velocity of {self.name} must be a function of points or one number per axis, {self.domain.dim} "
                f"in all; got {self.velocity!r}."
            )
        object.__setattr__(self, "velocity", tuple(map(float, self.velocity)))

    def initial_velocity(self, x: Tensor) -> Tensor:
        if not callable(self.velocity):
            return x.new_tensor(self.velocity).repeat(len(x), 1)
        u = self.velocity(x)
        if not isinstance(u, Tensor) or u.shape != x.shape:
            got = f"a tensor of shape {tuple(u.shape)}" if isinstance(u, Tensor) else type(u).__name__
            raise UsageError(
                f"the velocity of {self.name} must be a function that returns a torch tensor of shape {tuple(x.shape)} "
                f"for points of that shape; it gave {got}."
            )
        return u


@dataclass(frozen=True)
class EulerFlow(NavierStokes):
    """u_t + u·∇u = −∇p with ∇·u = 0: a flow without viscosity, from a velocity of one's own.

    Args:
        viscosity: 0.
        velocity, domain, conditions: as for :class:`NavierStokes`; walls must be free of friction.
    """

    viscosity: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.viscosity:
            raise UsageError(f"EulerFlow has no viscosity; got {self.viscosity}: use NavierStokes.")
        for axis, side, condition in Boundary(self.domain, self.conditions).faces_with(Dirichlet):
            value = condition.value  # type: ignore[union-attr]
            if not callable(value) and not (value[axis] if isinstance(value, Sequence) else value):
                raise UsageError(
                    f"EulerFlow has no friction with which a wall could hold the fluid; got {condition} on "
                    f"{'xyz'[axis]}{'-+'[side]}: use FreeSlip there, or NavierStokes."
                )


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def advection(u: Jet) -> Tensor:
    """u·∇u, ``(n, d)``."""
    return torch.einsum("nj,nij->ni", u.value, u.grad)


def divergence(u: Jet) -> Tensor:
    """∇·u, ``(n, 1)``."""
    return u.grad.diagonal(dim1=-2, dim2=-1).sum(-1, keepdim=True)


def vorticity(u: Jet, dim: int) -> Tensor:
    """∂v/∂x − ∂u/∂y in 2D, |∇×u| in 3D, ``(n, 1)``; further channels are left alone."""
    g = u.grad
    if dim == 2:
        return (g[:, 1, 0] - g[:, 0, 1])[:, None]
    curl = torch.stack([g[:, 2, 1] - g[:, 1, 2], g[:, 0, 2] - g[:, 2, 0], g[:, 1, 0] - g[:, 0, 1]], dim=-1)
    return curl.norm(dim=-1, keepdim=True)


def follow_flow(t: float, u: Field, x: Tensor, dt: float, carrier: Field | None = None) -> Tensor:
    """u at the points from which the fluid comes: X(t) with dX/ds = carrier(X), traced back over dt by one RK4 step.

    Args:
        t: time, not used: the carrier is frozen.
        u: velocity (first d channels), the field that is carried.
        x: points, ``(n, d)``.
        dt: length of the step.
        carrier: the velocity that carries; u itself by default.

    Returns:
        ``(n, d)``.
    """
    d = x.shape[1]
    wind = u if carrier is None else carrier

    def velocity(points: Tensor) -> Tensor:
        return wind(points)[:, :d]

    k1 = velocity(x)
    k2 = velocity(x - 0.5 * dt * k1)
    k3 = velocity(x - 0.5 * dt * k2)
    k4 = velocity(x - dt * k3)
    return u(x - dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4))[:, :d]
