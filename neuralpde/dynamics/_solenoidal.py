"""Fits of velocities without divergence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.polynomial import legendre
from torch import Tensor

from neuralpde.dynamics._function_space import FunctionSpaceDynamics
from neuralpde.fields import Jet
from neuralpde.geometry import Box, Condition, Quadrature
from neuralpde.optimize import Adam, GaussNewton
from neuralpde.problems import IncompressibleFlow, Problem, Term
from neuralpde.representations import StreamFunctionField


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
    """Fits of velocities without divergence: residuals are what is left of them without gradients.

    A velocity without divergence, and without flow through walls, is orthogonal to every gradient. Taking the gradient
    part out of a residual leaves the velocity alone and takes the pressure away, whatever it is, so that a fit tells by
    its residual when it is done, and an implicit stage needs no pressure: it minimises |P (u − γ F(u) − y)|². On a
    periodic lattice P is a Fourier projection; between walls it is the elimination of a polynomial pressure, see
    :class:`GradientPart`.
    """

    def __init__(
        self,
        problem: Momentum,
        representation: StreamFunctionField,
        fit: GaussNewton | Adam | None = None,
        points: int | None = None,
    ) -> None:
        super().__init__(problem, representation, fit, points)  # type: ignore[arg-type]
        self.gradients = None
        if representation.walls is not None:
            self.gradients = GradientPart(representation.domain, representation.boundary.periodic, self.quadrature)

    def admissible(self, wanted: Tensor) -> Tensor:
        """ŵ_k − k (k·ŵ_k)/|k|² of a target on a periodic lattice; between walls the residual is projected instead."""
        return wanted if self.gradients is not None else self._without_waves(wanted)

    def restricted(self, rows: Tensor, own: bool) -> Tensor:
        """What counts of weighted rows ``(d q, …)``; a velocity's own on a periodic lattice have no gradient part."""
        if self.gradients is not None:
            return self.gradients.removed(rows)
        if own:
            return rows
        d, rest = self.representation.channels, rows.shape[1:]
        return self._without_waves(rows.reshape(d, -1, *rest).transpose(0, 1)).transpose(0, 1).reshape(-1, *rest)

    def _without_waves(self, values: Tensor) -> Tensor:
        """The part of ``(q, d, …)`` without divergence."""
        shape = self.quadrature.shape
        assert shape is not None  # a neural field's quadrature is a lattice
        d, lengths, rest = values.shape[1], self.representation.domain.lengths, values.shape[2:]
        axes = [2 * math.pi * torch.fft.fftfreq(n, length / n) for n, length in zip(shape, lengths, strict=True)]
        k = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).to(values)
        k = k.reshape(*k.shape, *[1] * len(rest))
        hat = torch.fft.fftn(values.reshape(*shape, d, *rest), dim=tuple(range(d)))
        along = (k * hat).sum(d, keepdim=True) / k.square().sum(d, keepdim=True).clamp(min=1e-300)
        return torch.fft.ifftn(hat - k * along, dim=tuple(range(d))).real.reshape(-1, d, *rest)


class GradientPart:
    """The gradient part of vector fields in a box with walls: q minimising Σ_q w_q |v(x_q) − ∇q(x_q)|².

    q is a product of polynomials across walls and waves along periodic axes, with ``share`` as many degrees along an
    axis as it has points. One orthogonal factorisation of the matrix of their gradients is made once. Next to a fit of
    a velocity this is the elimination of a variable that enters linearly: |P(u − v)|² is the least of |u − v + ∇q|²
    over all q, and no boundary condition of the pressure is needed.

    Args:
        domain, periodic: the box, and its periodic axes.
        quadrature: a lattice of Gauss points.
        share: of the lattice's numbers of points.

    Source: Leray's projection; Golub & Pereyra, SIAM J. Numer. Anal. 10 (1973), for the elimination.
    """

    def __init__(self, domain: Box, periodic: Sequence[bool], quadrature: Quadrature, share: float = 0.85) -> None:
        shape = quadrature.shape
        assert shape is not None
        x, root = quadrature.points, (quadrature.weights / domain.volume).sqrt()
        s = (x - x.new_tensor(domain.lower)) / x.new_tensor(domain.lengths)
        tables = [
            (_waves if around else _polynomials)(s[:, a], max(2, int(share * shape[a])))
            for a, around in enumerate(periodic)
        ]
        columns = []
        for a, length in enumerate(domain.lengths):
            parts = [slope / length if b == a else value for b, (value, slope) in enumerate(tables)]
            columns.append(root[:, None] * torch.einsum("qi,qj->qij", *parts).flatten(1)[:, 1:])
        matrix = torch.cat(columns)
        self.basis = torch.linalg.qr(matrix / matrix.norm(dim=0)).Q

    def removed(self, rows: Tensor) -> Tensor:
        """Weighted rows ``(d q, …)`` without their gradient part."""
        return rows - self.basis @ (self.basis.T @ rows)


def _polynomials(s: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Legendre's on [0, 1] and their slopes, ``(q, count)``."""
    z = (2 * s - 1).cpu().double().numpy()
    value = legendre.legvander(z, count - 1)
    slope = 2 * np.stack([legendre.legval(z, legendre.legder(row)) for row in np.eye(count)], axis=-1)
    return torch.as_tensor(value).to(s), torch.as_tensor(slope).to(s)


def _waves(s: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """1, cos 2πks, sin 2πks and their slopes, ``(q, about count)``."""
    k = 2 * math.pi * torch.arange(1, (count + 1) // 2, dtype=s.dtype, device=s.device)
    cosine, sine = torch.cos(s[:, None] * k), torch.sin(s[:, None] * k)
    one = torch.ones_like(s)[:, None]
    return torch.cat([one, cosine, sine], dim=1), torch.cat([0 * one, -k * sine, k * cosine], dim=1)
