"""Fits of velocities without divergence."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from neuralpde.dynamics._function_space import FunctionSpaceDynamics
from neuralpde.fields import Jet
from neuralpde.geometry import Box, Condition
from neuralpde.problems import IncompressibleFlow, Problem, Term


@dataclass(frozen=True)
class Momentum(Problem):
    """u_t = −u·∇u + ν Δu: a flow without its pressure, for a velocity that needs none.

    Args:
        flow: the flow.
    """

    flow: IncompressibleFlow

    @property
    def domain(self) -> Box:  # type: ignore[override]
        return self.flow.domain

    @property
    def conditions(self) -> tuple[Condition, ...]:  # type: ignore[override]
        return self.flow.conditions

    @property
    def unknowns(self) -> dict[str, int]:  # type: ignore[override]
        return {"velocity": self.flow.domain.dim}

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({"value", "grad", "laplacian"} if self.flow.viscosity else {"value", "grad"})

    def rhs(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return self.flow.momentum(t, x, u)

    def terms(self) -> tuple[Term, ...]:
        return self.flow.terms()


class SolenoidalFits(FunctionSpaceDynamics):
    """Fits of velocities without divergence on a periodic lattice."""

    def admissible(self, wanted: Tensor) -> Tensor:
        """ŵ_k − k (k·ŵ_k)/|k|²: the values' part without divergence."""
        shape = self.quadrature.shape
        assert shape is not None  # a neural field's quadrature is a lattice
        d, lengths = wanted.shape[1], self.representation.domain.lengths
        axes = [2 * math.pi * torch.fft.fftfreq(n, length / n) for n, length in zip(shape, lengths, strict=True)]
        k = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).to(wanted)
        hat = torch.fft.fftn(wanted.reshape(*shape, d), dim=tuple(range(d)))
        along = (k * hat).sum(-1, keepdim=True) / k.square().sum(-1, keepdim=True).clamp(min=1e-300)
        return torch.fft.ifftn(hat - k * along, dim=tuple(range(d))).real.reshape(-1, d)
