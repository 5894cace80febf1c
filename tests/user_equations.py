"""Equations as users write them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from neuralpde.geometry import Box, Condition, Dirichlet, Periodic
from neuralpde.problems import Problem, Term

UNIT = Box((0.0,), (1.0,))
SQUARE = Box((0.0, 0.0), (1.0, 1.0))
CIRCLE = Box((0.0,), (2 * math.pi,))


@dataclass(frozen=True)
class Forced(Problem):
    """u_t + u u_x = ν u_xx + s(t, x) with s made so that u = 1 + ½ sin(x − t): nonlinear, and F depends on t."""

    viscosity: float = 0.1
    domain: Box = CIRCLE
    conditions: tuple[Condition, ...] = (Periodic(),)
    needs = frozenset({"grad", "laplacian"})

    def rhs(self, t, x, u):
        sine, cosine = 0.5 * torch.sin(x - t), 0.5 * torch.cos(x - t)
        forcing = sine * cosine + self.viscosity * sine
        return self.viscosity * u.laplacian - u.value * u.grad[..., 0] + forcing

    def initial(self, x):
        return self.exact(0.0, x)

    def exact(self, t, x):
        return 1 + 0.5 * torch.sin(x - t)


@dataclass(frozen=True)
class Drift(Problem):
    """u_t = ν u_xx − (1 + cos 3t) u_x: every stage stays in the span of sin and cos, which a tiny network fits."""

    viscosity: float = 0.2
    domain: Box = CIRCLE
    conditions: tuple[Condition, ...] = (Periodic(),)
    needs = frozenset({"grad", "laplacian"})

    def rhs(self, t, x, u):
        return self.viscosity * u.laplacian - (1 + math.cos(3 * t)) * u.grad[..., 0]

    def initial(self, x):
        return self.exact(0.0, x)

    def exact(self, t, x):
        return math.exp(-self.viscosity * t) * torch.sin(x - t - math.sin(3 * t) / 3)


@dataclass(frozen=True)
class Waves(Problem):
    """p_t + ∇·v = 0, v_t + ∂p = 0 in 1D, stated by its flux alone: two channels, rhs from the flux."""

    domain: Box = UNIT
    conditions: tuple[Condition, ...] = (Periodic(),)
    unknowns = {"pressure": 1, "velocity": 1}  # noqa: RUF012 (as users write it)
    needs = frozenset({"grad", "hess"})

    def flux(self, t, x, u):
        return u.value.flip(-1)[..., None]

    def initial(self, x):
        return self.exact(0.0, x)

    def exact(self, t, x):
        right, left = torch.sin(2 * math.pi * (x - t)), 0.5 * torch.cos(2 * math.pi * (x + t))
        return torch.cat([right + left, right - left], dim=-1)


@dataclass(frozen=True)
class Spin(Problem):
    """u_t = κ Δu + R u with R a rotation at rate ω: two diffusing channels that turn into each other."""

    diffusivity: float = 0.05
    rate: float = 2.0
    domain: Box = UNIT
    conditions: tuple[Condition, ...] = (Dirichlet(0.0),)
    unknowns = {"velocity": 2}  # noqa: RUF012
    needs = frozenset({"laplacian"})

    def rhs(self, t, x, u):
        turned = torch.stack([-u.value[:, 1], u.value[:, 0]], dim=-1)
        return self.diffusivity * u.laplacian + self.rate * turned

    def initial(self, x):
        return self.exact(0.0, x)

    def exact(self, t, x):
        shape = torch.sin(math.pi * x).prod(-1, keepdim=True)
        decay = math.exp(-self.diffusivity * x.shape[1] * math.pi**2 * t)
        angle = self.rate * t
        return decay * shape * x.new_tensor([[math.cos(angle), math.sin(angle)]])


@dataclass(frozen=True)
class GrowingWave(Problem):
    """u_t + a u_x = cos(x) u, split into advection and growth, whose flows do not commute."""

    speed: float = 1.0
    domain: Box = CIRCLE
    conditions: tuple[Condition, ...] = (Periodic(),)
    needs = frozenset({"grad"})

    def rhs(self, t, x, u):
        return -self.speed * u.grad[..., 0] + torch.cos(x) * u.value

    def initial(self, x):
        return self.exact(0.0, x)

    def exact(self, t, x):
        foot = x - self.speed * t
        return (2 + torch.sin(foot)) * torch.exp((torch.sin(x) - torch.sin(foot)) / self.speed)

    def terms(self):
        return (
            Term("advection", lambda t, x, u: -self.speed * u.grad[..., 0], lambda t, u, x, dt: u(x - self.speed * dt)),
            Term(
                "growth",
                lambda t, x, u: torch.cos(x) * u.value,
                lambda t, u, x, dt: torch.exp(dt * torch.cos(x)) * u(x),
            ),
        )
