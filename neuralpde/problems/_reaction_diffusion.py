"""What spreads and reacts: one species or several."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from neuralpde.fields import Field, Jet
from neuralpde.geometry import Box, Condition, Domain, Neumann
from neuralpde.problems._base import Term
from neuralpde.problems._by_part import ByPart
from neuralpde.problems._diffusive import Diffusive, Source
from neuralpde.problems._reactions import LinearDecay, Logistic, Reaction, reaction_flow
from neuralpde.problems._transport import GaussianBump, SineMode
from neuralpde.types import ScalarOrField, UsageError

BUMP = 0.1
"""Width of the bump that a field starts from, as a share of the domain's length along each axis."""

TRIED = 5000
"""Points inside among which the bump's middle is looked for."""


@dataclass(frozen=True)
class ReactionDiffusion(Diffusive):
    """u_t = ∇·(κ∇u) + r(u) + s, of one species or several.

    With a :class:`SineMode` for a profile, a number for κ, :class:`LinearDecay` of rate k, no source and no solution
    the exact solution is the profile times exp((κ λ − k) t).

    Args:
        reaction: r; one of the named ones (:class:`Logistic`, :class:`AllenCahn`, :class:`LinearDecay`,
            :class:`GrayScott`, :class:`Schnakenberg`, :class:`Brusselator`), or a function ``(n, c)`` → ``(n, c)``.
        diffusivity: κ > 0; a number, one number per species, a function ``(n, d)`` → ``(n, 1)``, or a
            number by part of the mesh (:class:`ByPart`).
        source_term: s; a number, or a function of x or of (t, x). By default what ``solution`` asks for, or none.
        profile: u at t = 0 (of a steady problem the guess to start from), ``(n, d)`` → ``(n, c)``; by default
            ``solution``, or a bump in the middle of the domain in every species where there is none either.
        solution: the exact solution, a function of x or of (t, x): manufactured, or known.
        species: names; by default those of the reaction, or ``("u",)`` of a function.
        domain, conditions: the defaults are the unit interval, closed.
        steady: 0 = ∇·(κ∇u) + r(u) + s, for ``solve``.

    Raises:
        UsageError: for a diffusivity that is not positive, or one number per species too few.

    Example:
        >>> ReactionDiffusion(reaction=Logistic(2.0)).source(0.0, torch.zeros(1, 1), Jet(torch.full((1, 1), 0.5)))
        tensor([[0.5000]])
        >>> from neuralpde.problems import GrayScott
        >>> ReactionDiffusion(reaction=GrayScott(), diffusivity=(2e-5, 1e-5)).unknowns
        {'u': 1, 'v': 1}
    """

    reaction: Reaction | Callable[[Tensor], Tensor] = field(default_factory=Logistic)
    diffusivity: ScalarOrField | ByPart | tuple[float, ...] = 0.01
    source_term: Source = None
    profile: Callable[[Tensor], Tensor] | None = None
    solution: Callable[..., Tensor] | None = None
    species: tuple[str, ...] = ()
    domain: Domain = field(default_factory=lambda: Box((0.0,), (1.0,)))
    conditions: tuple[Condition, ...] = (Neumann(0.0),)
    steady: bool = False

    def __post_init__(self) -> None:
        if not self.species:
            object.__setattr__(self, "species", tuple(getattr(self.reaction, "species", ("u",))))
        if isinstance(self.diffusivity, tuple | list):
            object.__setattr__(self, "diffusivity", tuple(self.diffusivity))
            self._check_tuple()
        else:
            self._check()
        self._check_reaction()

    def _check_tuple(self) -> None:
        kappa = self.diffusivity
        assert isinstance(kappa, tuple)
        if len(kappa) != self.channels or not all(k >= 0 for k in kappa) or not any(kappa):
            raise UsageError(
                f"the diffusivity needs {self.channels} numbers ≥ 0, one for each of {', '.join(self.species)}, and "
                f"not all of them zero; got {kappa}."
            )

    def _check_reaction(self) -> None:
        tried: Any = self.reaction(torch.full((3, self.channels), 0.5, dtype=torch.float64))
        if not isinstance(tried, Tensor) or tried.shape != (3, self.channels):
            got = tuple(tried.shape) if isinstance(tried, Tensor) else type(tried).__name__
            raise UsageError(
                f"the reaction of {self.channels} species ({', '.join(self.species)}) must return (n, "
                f"{self.channels}); for n = 3 it gave {got}: name the species by species=."
            )

    @property
    def unknowns(self) -> dict[str, int]:  # type: ignore[override]
        """Every species is an unknown."""
        return dict.fromkeys(self.species, 1)

    def _reacting(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return self.reaction(u.value)

    def moved(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return self.diffusion(t, x, u) + self.reaction(u.value)

    def source(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return self.reaction(u.value) + self.supply(t, x)

    def initial(self, x: Tensor) -> Tensor:
        if self.profile is None and self.solution is None and not self.steady:
            lengths = x.new_tensor(self.domain.lengths)
            bump = GaussianBump(0.0, BUMP, None)((x - self._middle.to(x)) / lengths)
            return bump.expand(-1, self.channels).clone()
        return super().initial(x)

    @cached_property
    def _middle(self) -> Tensor:
        """The middle of the box around the domain, or the nearest of many points inside where that is in a hole."""
        lower, lengths = (torch.tensor(v, dtype=torch.float64) for v in (self.domain.lower, self.domain.lengths))
        middle = lower + 0.5 * lengths
        if bool(self.domain.contains(middle[None])):
            return middle
        inside = self.domain.some_points(TRIED).double()
        return inside[((inside - middle) / lengths).norm(dim=1).argmin()]

    def exact(self, t: float, x: Tensor) -> Tensor | None:
        if self.solution is not None:
            return super().exact(t, x)
        plain = isinstance(self.diffusivity, int | float) and not self.source_term and not self.steady
        if not plain or not isinstance(self.reaction, LinearDecay) or not isinstance(self.profile, SineMode):
            return None
        assert isinstance(self.diffusivity, int | float)
        rate = self.diffusivity * self.profile.eigenvalue(x.shape[1]) - self.reaction.rate
        return math.exp(rate * t) * self.profile(x)

    def terms(self) -> tuple[Term, ...]:
        def spread(t: float, x: Tensor, u: Jet) -> Tensor:
            return self.diffusion(t, x, u) + self.supply(t, x)

        def given(t: float, x: Tensor, u: Jet) -> Tensor:
            return torch.zeros_like(u.value) + self.supply(t, x)

        def react(t: float, u: Field, x: Tensor, dt: float) -> Tensor:
            return reaction_flow(self.reaction, u(x), dt)

        return (
            Term("reaction", self._reacting, react),
            Term("diffusion", spread, flux=self.diffusive_flux, source=given),
        )
