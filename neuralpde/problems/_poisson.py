"""Poisson's equation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from neuralpde.geometry import Box, Condition, Dirichlet, Domain
from neuralpde.problems._diffusive import Diffusive, Source
from neuralpde.types import ScalarOrField


@dataclass(frozen=True)
class ProductOfSines:
    """Π_i sin(π k x_i), zero on the faces of the unit cube for whole k."""

    k: float = 1.0

    def __call__(self, x: Tensor) -> Tensor:
        return torch.sin(math.pi * self.k * x).prod(dim=-1, keepdim=True)

    def laplacian(self, x: Tensor) -> Tensor:
        """−d (πk)² times the function."""
        return -x.shape[1] * (math.pi * self.k) ** 2 * self(x)


@dataclass(frozen=True)
class Poisson(Diffusive):
    """0 = ∇·(κ(x) ∇u) + f.

    Without a source, f = −∇·(κ∇ solution) follows from a manufactured solution.

    Args:
        source_term: f; a number or a function of x.
        solution: the exact solution, if it is known. Its ``laplacian`` method is used where it has one and κ is a
            number, automatic differentiation otherwise. With neither a source nor a solution it is
            :class:`ProductOfSines`.
        domain, conditions: the defaults are the unit square with u = 0 on its boundary.
        diffusivity: κ > 0; a number, a function ``(n, d)`` → ``(n, 1)``, or a number by part of the mesh
            (:class:`ByPart`).

    Raises:
        UsageError: for a diffusivity that is not positive all over the domain, or cannot be differentiated.
    """

    source_term: Source = None
    solution: Callable[..., Tensor] | None = None
    domain: Domain = field(default_factory=lambda: Box((0.0, 0.0), (1.0, 1.0)))
    conditions: tuple[Condition, ...] = (Dirichlet(0.0),)
    diffusivity: ScalarOrField = 1.0
    profile = None
    steady = True

    def __post_init__(self) -> None:
        if self.source_term is None and self.solution is None:
            object.__setattr__(self, "solution", ProductOfSines())
        self._check()
