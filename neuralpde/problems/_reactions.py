"""Reactions by name: r(u) of u_t = ∇·(κ∇u) + r(u), with their own flows where these are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import torch
from torch import Tensor


@dataclass(frozen=True)
class LinearDecay:
    """r = −k u.

    Args:
        rate: k, per unit of time.
    """

    rate: float = 1.0
    species: ClassVar[tuple[str, ...]] = ("u",)

    def __call__(self, u: Tensor) -> Tensor:
        return -self.rate * u

    def flow(self, u: Tensor, dt: float) -> Tensor:
        """u e^{−k dt}."""
        return math.exp(-self.rate * dt) * u


@dataclass(frozen=True)
class Logistic:
    """r = k u (1 − u/K): Fisher, Kolmogorov, Petrovsky and Piskunov.

    Args:
        rate: k, per unit of time.
        capacity: K.

    Source: Fisher, Ann. Eugenics 7 (1937).
    """

    rate: float = 1.0
    capacity: float = 1.0
    species: ClassVar[tuple[str, ...]] = ("u",)

    def __call__(self, u: Tensor) -> Tensor:
        return self.rate * u * (1 - u / self.capacity)

    def flow(self, u: Tensor, dt: float) -> Tensor:
        """K u / (u + (K − u) e^{−k dt})."""
        return self.capacity * u / (u + (self.capacity - u) * math.exp(-self.rate * dt))


@dataclass(frozen=True)
class AllenCahn:
    """r = k (u − u³): two stable states, ±1.

    Args:
        rate: k, per unit of time.

    Source: Allen & Cahn, Acta Metallurgica 27 (1979).
    """

    rate: float = 1.0
    species: ClassVar[tuple[str, ...]] = ("u",)

    def __call__(self, u: Tensor) -> Tensor:
        return self.rate * (u - u**3)

    def flow(self, u: Tensor, dt: float) -> Tensor:
        """u / √(u² + (1 − u²) e^{−2k dt})."""
        return u / torch.sqrt(u**2 + (1 - u**2) * math.exp(-2 * self.rate * dt))


@dataclass(frozen=True)
class GrayScott:
    """r = (−u v² + F (1 − u), u v² − (F + k) v): spots that divide, stripes, waves.

    Args:
        feed: F.
        kill: k.

    Source: Pearson, Complex patterns in a simple system, Science 261 (1993).
    """

    feed: float = 0.04
    kill: float = 0.06
    species: ClassVar[tuple[str, ...]] = ("u", "v")

    def __call__(self, u: Tensor) -> Tensor:
        a, b = u[:, :1], u[:, 1:]
        made = a * b**2
        return torch.cat([self.feed * (1 - a) - made, made - (self.feed + self.kill) * b], dim=-1)


@dataclass(frozen=True)
class Schnakenberg:
    """r = γ (a − u + u² v, b − u² v): at rest u = a + b, v = b/(a + b)²; Turing's patterns.

    Args:
        a, b: supplies.
        rate: γ, per unit of time.

    Source: Schnakenberg, J. Theor. Biol. 81 (1979).
    """

    a: float = 0.1
    b: float = 0.9
    rate: float = 1.0
    species: ClassVar[tuple[str, ...]] = ("u", "v")

    def __call__(self, u: Tensor) -> Tensor:
        p, q = u[:, :1], u[:, 1:]
        made = p**2 * q
        return self.rate * torch.cat([self.a - p + made, self.b - made], dim=-1)


@dataclass(frozen=True)
class Brusselator:
    """r = (A − (B + 1) u + u² v, B u − u² v): at rest u = A, v = B/A; it oscillates for B > 1 + A².

    Args:
        a, b: A and B.

    Source: Prigogine & Lefever, J. Chem. Phys. 48 (1968).
    """

    a: float = 1.0
    b: float = 1.7
    species: ClassVar[tuple[str, ...]] = ("u", "v")

    def __call__(self, u: Tensor) -> Tensor:
        p, q = u[:, :1], u[:, 1:]
        made = p**2 * q
        return torch.cat([self.a - (self.b + 1) * p + made, self.b * p - made], dim=-1)


Reaction: TypeAlias = LinearDecay | Logistic | AllenCahn | GrayScott | Schnakenberg | Brusselator


def reaction_flow(reaction: Callable[[Tensor], Tensor], u: Tensor, dt: float) -> Tensor:
    """u after the reaction alone has acted for dt: by its own ``flow`` where it has one, else by a step of RK4."""
    own = getattr(reaction, "flow", None)
    if callable(own):
        return own(u, dt)
    k1 = reaction(u)
    k2 = reaction(u + 0.5 * dt * k1)
    k3 = reaction(u + 0.5 * dt * k2)
    return u + dt / 6 * (k1 + 2 * k2 + 2 * k3 + reaction(u + dt * k3))
