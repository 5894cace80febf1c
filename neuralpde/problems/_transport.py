"""Advection, heat and Burgers: transport equations with exact solutions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from neuralpde.fields import Field, Jet
from neuralpde.geometry import Boundary, Box, Condition, Domain, Periodic
from neuralpde.problems._base import Problem, Term
from neuralpde.problems._diffusive import Diffusive, Source
from neuralpde.problems._exact import burgers_cole_hopf, foot_of_characteristic
from neuralpde.types import ScalarOrField, UsageError


@dataclass(frozen=True)
class GaussianBump:
    """exp(−½ ((x − centre)/width)²), along every axis; the nearest periodic image where ``period`` is given.

    Args:
        centre, width: position and standard deviation, one number for every axis.
        period: length after which it repeats, or None.
    """

    centre: float = -1.5
    width: float = 0.1
    period: float | None = 4.0

    def __call__(self, x: Tensor) -> Tensor:
        r = x - self.centre
        if self.period is not None:
            r = r - self.period * torch.round(r / self.period)
        return torch.exp(-0.5 * (r / self.width).square().sum(-1, keepdim=True))


@dataclass(frozen=True)
class SineSpeed:
    """a(x) = mean (1 + amplitude sin(2πx/period))."""

    mean: float = 0.25
    amplitude: float = 0.5
    period: float = 4.0

    def __call__(self, x: Tensor) -> Tensor:
        return self.mean * (1 + self.amplitude * torch.sin(2 * math.pi * x / self.period))


@dataclass(frozen=True)
class Advection(Problem):
    """u_t + a·∇u = 0.

    The exact solution follows the characteristics dx/dt = a(x) back to t = 0: by a straight line where a is constant,
    by a Dormand–Prince integration to 1e-13 where it varies.

    Args:
        speed: a; a number (the same along every axis), or a function ``(n, d)`` → ``(n, d)``.
        profile: u at t = 0, ``(n, d)`` → ``(n, 1)``.
        domain, conditions: the defaults are INSR's interval, made periodic.
    """

    speed: ScalarOrField = 0.25
    profile: Callable[[Tensor], Tensor] = field(default_factory=GaussianBump)
    domain: Box = field(default_factory=lambda: Box((-2.0,), (2.0,)))
    conditions: tuple[Condition, ...] = (Periodic(),)
    needs: ClassVar[frozenset[str]] = frozenset({"grad"})

    def velocity(self, x: Tensor) -> Tensor:
        """a(x), ``(n, d)``."""
        return self.speed(x) if callable(self.speed) else torch.full_like(x, float(self.speed))

    def rhs(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return -(u.grad * self.velocity(x)[:, None, :]).sum(-1)

    def initial(self, x: Tensor) -> Tensor:
        return self.profile(x)

    def exact(self, t: float, x: Tensor) -> Tensor:
        if not callable(self.speed):
            return self.profile(x - self.speed * t)
        return self.profile(foot_of_characteristic(self.velocity, t, x))

    def terms(self) -> tuple[Term, ...]:
        # Through an inflow face characteristics lead out of the domain, where u is not known: no flow there.
        inside = all(Boundary(self.domain, self.conditions).periodic)
        return (Term("advection", self.rhs, self._follow_characteristics if inside else None),)

    def _follow_characteristics(self, t: float, u: Field, x: Tensor, dt: float) -> Tensor:
        """u at the feet of the characteristics."""
        return u(traced_back(self.velocity, x, dt))


def traced_back(velocity: Callable[[Tensor], Tensor], x: Tensor, dt: float) -> Tensor:
    """Where the characteristics through x were dt ago, by one RK4 step (exact for constant velocity), ``(n, d)``."""
    k1 = velocity(x)
    k2 = velocity(x - 0.5 * dt * k1)
    k3 = velocity(x - 0.5 * dt * k2)
    k4 = velocity(x - dt * k3)
    return x - dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


@dataclass(frozen=True)
class SineMode:
    """Π_i sin(2π k_i x_i / L_i + phase), an eigenfunction of the Laplacian with eigenvalue −Σ (2π k_i / L_i)².

    Args:
        lengths, wavenumbers: L and k per axis; one entry serves every axis.
        phase: the same along every axis.
    """

    lengths: tuple[float, ...] = (1.0,)
    wavenumbers: tuple[float, ...] = (1.0,)
    phase: float = 0.0

    def frequencies(self, dim: int) -> tuple[float, ...]:
        """2π k_i / L_i in that many dimensions.

        Raises:
            UsageError: for lengths or wavenumbers of another dimension.
        """
        if not {len(self.lengths), len(self.wavenumbers)} <= {1, dim}:
            raise UsageError(
                f"this SineMode has {len(self.lengths)} length(s) and {len(self.wavenumbers)} wavenumber(s) for "
                f"{dim} dimension(s); give one for all, or one per dimension."
            )
        lengths, wavenumbers = (c * dim if len(c) == 1 else c for c in (self.lengths, self.wavenumbers))
        return tuple(2 * math.pi * k / length for k, length in zip(wavenumbers, lengths, strict=True))

    def eigenvalue(self, dim: int) -> float:
        """−Σ (2π k_i / L_i)² in that many dimensions."""
        return -sum(omega**2 for omega in self.frequencies(dim))

    def __call__(self, x: Tensor) -> Tensor:
        omega = x.new_tensor(self.frequencies(x.shape[1]))
        return torch.sin(omega * x + self.phase).prod(dim=-1, keepdim=True)


@dataclass(frozen=True)
class Heat(Diffusive):
    """u_t = ∇·(κ(x) ∇u) + s, written κ Δu + ∇κ·∇u + s in the strong form.

    With a :class:`SineMode` for a profile, a number for κ, no source and no solution the exact solution is the profile
    times exp(κ λ t), λ its eigenvalue.

    Args:
        diffusivity: κ > 0; a number, a function ``(n, d)`` → ``(n, 1)``, or a number by part of the mesh
            (:class:`ByPart`). ∇κ comes from the function's own method ``grad``, ``(n, d)`` → ``(n, d)``, where it has
            one, and from automatic differentiation otherwise.
        source_term: s; a number, or a function of x or of (t, x). By default what ``solution`` asks for, or none.
        profile: u at t = 0; by default ``solution``, or a :class:`SineMode` where there is none either. A
            :class:`SineMode` that fits the conditions has an exact solution.
        domain, conditions: where.
        solution: the exact solution, a function of x or of (t, x): manufactured, or known.
        steady: 0 = ∇·(κ∇u) + s, for ``solve``.

    Raises:
        UsageError: for a diffusivity that is not positive all over the domain, or cannot be differentiated.

    Example:
        >>> graded = Heat(diffusivity=lambda x: 0.1 + 0.05 * x)
        >>> x = torch.tensor([[0.5]])
        >>> graded.rhs(0.0, x, Jet(x, torch.ones(1, 1, 1), torch.zeros(1, 1)))  # u = x: ∇κ·∇u alone
        tensor([[0.0500]])
    """

    diffusivity: ScalarOrField = 0.1
    source_term: Source = None
    profile: Callable[[Tensor], Tensor] | None = None
    domain: Domain = field(default_factory=lambda: Box((0.0,), (1.0,)))
    conditions: tuple[Condition, ...] = (Periodic(),)
    solution: Callable[..., Tensor] | None = None
    steady: bool = False

    def __post_init__(self) -> None:
        if self.profile is None and self.solution is None and not self.steady:
            object.__setattr__(self, "profile", SineMode())
        self._check()

    def exact(self, t: float, x: Tensor) -> Tensor | None:
        if self.solution is not None:
            return super().exact(t, x)
        if callable(self.diffusivity) or self.source_term or self.steady or not isinstance(self.profile, SineMode):
            return None
        return math.exp(float(self.diffusivity) * self.profile.eigenvalue(x.shape[1]) * t) * self.profile(x)


@dataclass(frozen=True)
class Burgers(Problem):
    """u_t + u u_x = ν u_xx on [−1, 1], periodic, u(x, 0) = −sin πx.

    The exact solution is Cole and Hopf's quotient of two integrals. A front of width about 2ν/|u| stands at x = 0 from
    t ≈ 1/π on.

    Args:
        viscosity: ν > 0.
        domain, conditions: where, in 1D.

    Raises:
        UsageError: for a viscosity that is not positive, or a domain in 2D or 3D.
    """

    viscosity: float = 0.05 / math.pi
    domain: Box = field(default_factory=lambda: Box((-1.0,), (1.0,)))
    conditions: tuple[Condition, ...] = (Periodic(),)
    needs: ClassVar[frozenset[str]] = frozenset({"grad", "laplacian"})

    def __post_init__(self) -> None:
        if not self.viscosity > 0:
            raise UsageError(f"the viscosity must be positive; got {self.viscosity}.")
        if self.domain.dim != 1:
            raise UsageError(
                f"Burgers is an equation in 1D, as on Box((-1.0,), (1.0,)); the domain has {self.domain.dim} "
                "dimensions: define a problem of your own there."
            )

    def rhs(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return self.viscosity * u.laplacian - u.value * u.grad[..., 0]

    def flux(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return 0.5 * u.value[..., None] ** 2 - self.viscosity * u.grad

    def initial(self, x: Tensor) -> Tensor:
        return -torch.sin(math.pi * x)

    def exact(self, t: float, x: Tensor) -> Tensor | None:
        if self.domain != Box((-1.0,), (1.0,)):
            return None
        return burgers_cole_hopf(t, x, self.viscosity)
