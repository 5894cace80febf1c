"""Fisher and Kolmogorov's wave of a population that spreads: u_t = D u_xx + r u (1 − u)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neuralpde import Box, Neumann, Problem
from neuralpde.fields import Jet


@dataclass(frozen=True)
class Fisher(Problem):
    """The wave that Ablowitz and Zeppetella found in closed form, 1979; it runs to the right at 5 √(r D / 6).

    Args:
        diffusivity: D.
        growth: r.
    """

    diffusivity: float = 1.0
    growth: float = 6.0
    domain = Box((-10.0,), (20.0,))
    conditions = (Neumann(0.0),)
    needs = frozenset({"value", "laplacian"})

    def rhs(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return self.diffusivity * u.laplacian + self.growth * u.value * (1 - u.value)

    def initial(self, x: Tensor) -> Tensor:
        return self.exact(0.0, x)

    def exact(self, t: float, x: Tensor) -> Tensor:
        steep = (self.growth / (6 * self.diffusivity)) ** 0.5
        return (1 + torch.exp(steep * x - 5 / 6 * self.growth * t)).pow(-2)
