"""Exact solutions of advection, diffusion and reaction: functions of (t, x), or of x where they are steady."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class MovingGaussian:
    """(σ₀/σ)^d exp(−|x − c(t)|²/2σ²), σ² = σ₀² + 2κt: carried, turned about the origin, and spread.

    It solves u_t + ∇·(a u) = κ Δu on the whole space with the constant velocity a, or in 2D and 3D with the rotation
    a = ω (−y, x, 0). On a bounded domain give it as Dirichlet data.

    Args:
        centre: of the bump at t = 0, ``(d,)``.
        width: σ₀.
        velocity: a, ``(d,)``; zero by default.
        diffusivity: κ.
        rotation: ω, about the origin in the plane of x and y; then there is no other velocity.
    """

    centre: tuple[float, ...] = (0.0,)
    width: float = 0.1
    velocity: tuple[float, ...] = ()
    diffusivity: float = 0.0
    rotation: float = 0.0

    def __call__(self, t: float, x: Tensor) -> Tensor:
        centre = list(self.centre)
        if self.rotation:
            c, s = math.cos(self.rotation * t), math.sin(self.rotation * t)
            centre[:2] = c * centre[0] - s * centre[1], s * centre[0] + c * centre[1]
        else:
            centre = [p + a * t for p, a in zip(centre, self.velocity or (0.0,) * len(centre), strict=True)]
        variance = self.width**2 + 2 * self.diffusivity * t
        peak = (self.width**2 / variance) ** (len(centre) / 2)
        return peak * torch.exp(-0.5 * (x - x.new_tensor(centre)).square().sum(-1, keepdim=True) / variance)


@dataclass(frozen=True)
class Rotation:
    """a = ω (−y, x, 0), a velocity that turns about the origin.

    Args:
        rate: ω, radians per unit of time.
    """

    rate: float = 1.0

    def __call__(self, x: Tensor) -> Tensor:
        return self.rate * torch.cat([-x[:, 1:2], x[:, :1], torch.zeros_like(x[:, 2:])], dim=-1)


@dataclass(frozen=True)
class FisherWave:
    """K (1 + exp(√(k/6κ) (x − x₀) − 5kt/6))⁻²: a front of Fisher's equation that moves along x at 5 √(kκ/6).

    Args:
        diffusivity, rate, capacity: κ, k and K.
        centre: x₀.

    Source: Ablowitz & Zeppetella, Bull. Math. Biol. 41 (1979).
    """

    diffusivity: float = 1.0
    rate: float = 1.0
    capacity: float = 1.0
    centre: float = 0.0

    def __call__(self, t: float, x: Tensor) -> Tensor:
        steep = math.sqrt(self.rate / (6 * self.diffusivity))
        return self.capacity * torch.sigmoid(5 / 6 * self.rate * t - steep * (x[:, :1] - self.centre)) ** 2


@dataclass(frozen=True)
class AllenCahnWave:
    """½ − ½ tanh(√(k/8κ) (x − x₀) − ¾ k t): from 1 into the unstable 0, along x at 3 √(kκ/2).

    Args:
        diffusivity, rate: κ and k.
        centre: x₀.
    """

    diffusivity: float = 1.0
    rate: float = 1.0
    centre: float = 0.0

    def __call__(self, t: float, x: Tensor) -> Tensor:
        steep = math.sqrt(self.rate / (8 * self.diffusivity))
        return 0.5 - 0.5 * torch.tanh(steep * (x[:, :1] - self.centre) - 0.75 * self.rate * t)


@dataclass(frozen=True)
class AllenCahnFront:
    """tanh(√(k/2κ) (x − x₀)): between the two stable states, at rest.

    Args:
        diffusivity, rate: κ and k.
        centre: x₀.
    """

    diffusivity: float = 1.0
    rate: float = 1.0
    centre: float = 0.0

    def __call__(self, x: Tensor) -> Tensor:
        return torch.tanh(math.sqrt(self.rate / (2 * self.diffusivity)) * (x[:, :1] - self.centre))


@dataclass(frozen=True)
class BoundaryLayer:
    """(e^{a(x − 1)/κ} − e^{−a/κ}) / (1 − e^{−a/κ}): a u_x = κ u_xx from 0 at x = 0 to 1 at x = 1, a layer κ/a thick.

    Args:
        speed: a > 0, along x.
        diffusivity: κ.
    """

    speed: float = 1.0
    diffusivity: float = 0.01

    def __call__(self, x: Tensor) -> Tensor:
        peclet = self.speed / self.diffusivity
        return (torch.exp(peclet * (x[:, :1] - 1)) - math.exp(-peclet)) / (1 - math.exp(-peclet))
