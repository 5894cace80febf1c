"""What is carried and spreads: advection with diffusion."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from neuralpde.fields import Field, Jet
from neuralpde.geometry import Boundary, Box, Condition, Domain, Periodic
from neuralpde.problems._base import Term
from neuralpde.problems._coefficients import coefficient_gradient
from neuralpde.problems._diffusive import Diffusive, Source
from neuralpde.problems._transport import SineMode, traced_back
from neuralpde.types import ScalarOrField, UsageError


@dataclass(frozen=True)
class AdvectionDiffusion(Diffusive):
    """u_t + ∇·(a u − κ∇u) = s.

    With a :class:`SineMode` for a profile, numbers for a and κ, no source and no solution the exact solution is the
    profile, carried by a, times exp(κ λ t).

    Args:
        velocity: a; a number (the same along every axis), one number per axis, or a function ``(n, d)`` → ``(n, d)``.
        diffusivity: κ > 0; a number, a function ``(n, d)`` → ``(n, 1)``, or a number by part of the mesh
            (:class:`ByPart`).
        source_term: s; a number, or a function of x or of (t, x). By default what ``solution`` asks for, or none.
        profile: u at t = 0 (of a steady problem the guess to start from); by default ``solution``, or a
            :class:`SineMode` where there is none either.
        solution: the exact solution, a function of x or of (t, x): manufactured, or known.
        domain, conditions: the defaults are the unit interval, made periodic.
        steady: 0 = s − ∇·(a u − κ∇u), for ``solve``.

    Raises:
        UsageError: for a diffusivity that is not positive all over the domain, or cannot be differentiated.

    Example:
        >>> problem = AdvectionDiffusion(velocity=2.0, diffusivity=0.5)
        >>> x = torch.tensor([[0.5]])
        >>> problem.rhs(0.0, x, Jet(x, torch.ones(1, 1, 1), torch.full((1, 1), 3.0)))  # −2·1 + 0.5·3
        tensor([[-0.5000]])
    """

    velocity: float | tuple[float, ...] | Callable[[Tensor], Tensor] = 1.0
    diffusivity: ScalarOrField = 0.01
    source_term: Source = None
    profile: Callable[[Tensor], Tensor] | None = None
    solution: Callable[..., Tensor] | None = None
    domain: Domain = field(default_factory=lambda: Box((0.0,), (1.0,)))
    conditions: tuple[Condition, ...] = (Periodic(),)
    steady: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.velocity, tuple | list) and len(self.velocity) != self.domain.dim:
            raise UsageError(f"the velocity needs {self.domain.dim} numbers, one per axis; got {self.velocity}.")
        if self.profile is None and self.solution is None and not self.steady:
            object.__setattr__(self, "profile", SineMode())
        self._check()

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({"grad", "laplacian"})

    def velocity_at(self, x: Tensor) -> Tensor:
        """a at points, ``(n, d)``."""
        if callable(self.velocity):
            return self.velocity(x)
        return x.new_tensor(self.velocity).expand(len(x), x.shape[1])

    def _divergence(self, x: Tensor) -> Tensor | float:
        """∇·a, ``(n, 1)``."""
        if not callable(self.velocity):
            return 0.0
        columns = [coefficient_gradient(_Component(self.velocity, i), x)[:, i] for i in range(x.shape[1])]
        return torch.stack(columns).sum(0)[:, None]

    def advection(self, t: float, x: Tensor, u: Jet) -> Tensor:
        """−∇·(a u)."""
        return -(u.grad * self.velocity_at(x)[:, None]).sum(-1) - self._divergence(x) * u.value

    def moved(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return self.advection(t, x, u) + self.diffusion(t, x, u)

    def flux(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return u.value[..., None] * self.velocity_at(x)[:, None] + self.diffusive_flux(t, x, u)

    def exact(self, t: float, x: Tensor) -> Tensor | None:
        if self.solution is not None:
            return super().exact(t, x)
        plain = not callable(self.velocity) and not callable(self.diffusivity) and not self.source_term
        if self.steady or not plain or not isinstance(self.profile, SineMode):
            return None
        assert isinstance(self.diffusivity, int | float)
        decay = math.exp(self.diffusivity * self.profile.eigenvalue(x.shape[1]) * t)
        return decay * self.profile(x - t * self.velocity_at(x))

    def terms(self) -> tuple[Term, ...]:
        # Through a boundary characteristics lead out of the domain, and its data belong to the whole flux.
        if not isinstance(self.domain, Box) or not all(Boundary(self.domain, self.conditions).periodic):
            return super().terms()

        def rest(t: float, x: Tensor, u: Jet) -> Tensor:
            return self.rhs(t, x, u) - self.advection(t, x, u)

        free = not callable(self.velocity)  # ∇·a = 0 is not known of a function
        return (
            Term("advection", self.advection, self._carried if free else None, self._carried_flux),
            Term("diffusion", rest, flux=self.diffusive_flux, source=self.source),
        )

    def _carried_flux(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return u.value[..., None] * self.velocity_at(x)[:, None]

    def _carried(self, t: float, u: Field, x: Tensor, dt: float) -> Tensor:
        return u(traced_back(self.velocity_at, x, dt))


@dataclass(frozen=True)
class _Component:
    """One component of a vector function, as a coefficient."""

    function: Callable[[Tensor], Tensor]
    axis: int

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x)[:, self.axis : self.axis + 1]
