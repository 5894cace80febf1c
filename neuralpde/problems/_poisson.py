"""Poisson's equation on a box."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from neuralpde.fields import Jet, autodiff_jet
from neuralpde.geometry import Box, Condition, Dirichlet
from neuralpde.problems._base import Problem
from neuralpde.problems._coefficients import coefficient
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
class Poisson(Problem):
    """0 = Δu + f.

    Without a source, f = −Δ solution follows from a manufactured solution.

    Args:
        source_term: f; a number or a function of x.
        solution: the exact solution, if it is known. Its ``laplacian`` method is used where it has one, automatic
            differentiation otherwise. With neither a source nor a solution it is :class:`ProductOfSines`.
        domain, conditions: the defaults are the unit square with u = 0 on its boundary.
    """

    source_term: ScalarOrField | None = None
    solution: Callable[[Tensor], Tensor] | None = None
    domain: Box = field(default_factory=lambda: Box((0.0, 0.0), (1.0, 1.0)))
    conditions: tuple[Condition, ...] = (Dirichlet(0.0),)
    time_order: ClassVar[int] = 0
    needs: ClassVar[frozenset[str]] = frozenset({"laplacian"})

    def __post_init__(self) -> None:
        if self.source_term is None and self.solution is None:
            object.__setattr__(self, "solution", ProductOfSines())

    def rhs(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return u.laplacian + self.source(t, x, u)

    def flux(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return -u.grad

    def source(self, t: float, x: Tensor, u: Jet) -> Tensor:
        if self.source_term is not None:
            return torch.zeros_like(u.value) + coefficient(self.source_term, x)
        assert self.solution is not None  # __post_init__ has seen to it
        laplacian = getattr(self.solution, "laplacian", None)
        return -laplacian(x) if laplacian else -autodiff_jet(self.solution, x, self.needs).laplacian

    def exact(self, t: float, x: Tensor) -> Tensor | None:
        return self.solution(x) if self.solution is not None else None
