"""Smooth vortices on the torus, exact to rounding."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from neuralpde.geometry import Box

CUT = 40.0
"""Waves with ½|k|²σ² above this are left out: e^{−40} = 4e-18."""

CHUNK = 4096
"""Points at a time: the table of waves is points × waves."""


class GaussianVortices:
    """Velocity of Gaussian vortices on a periodic box by its Fourier series.

    The vorticity ω = Σ_v Γ_v/(2πσ_v²) exp(−r_v²/2σ_v²), summed over all periodic images and less its mean, has the
    coefficients ω̂_k = Σ_v Γ_v/|Ω| exp(−½|k|²σ_v² − i k·c_v), k ≠ 0; the velocity is ∇⊥ψ with −Δψ = ω.

    Args:
        domain: a 2D box, periodic along both axes.
        centres: c_v, one per vortex.
        circulations: Γ_v.
        widths: σ_v.
    """

    def __init__(
        self,
        domain: Box,
        centres: Sequence[Sequence[float]],
        circulations: Sequence[float],
        widths: Sequence[float],
    ) -> None:
        limit = math.sqrt(2 * CUT) / min(widths)
        unit = [2 * math.pi / length for length in domain.lengths]
        counts = [math.ceil(limit / u) for u in unit]
        axes = [u * torch.arange(-m, m + 1, dtype=torch.float64) for u, m in zip(unit, counts, strict=True)]
        k = torch.stack([a.reshape(-1) for a in torch.meshgrid(*axes, indexing="ij")], dim=-1)
        square = k.square().sum(-1)
        half = (k[:, 0] > 0) | ((k[:, 0] == 0) & (k[:, 1] > 0))  # a real field: k and −k are conjugates
        kept = half & (square <= limit**2)
        self.k, square = k[kept], square[kept]
        cosine, sine = torch.zeros_like(square), torch.zeros_like(square)
        for centre, circulation, width in zip(centres, circulations, widths, strict=True):
            size = 2 * circulation / domain.volume * torch.exp(-0.5 * square * width**2) / square
            angle = self.k @ self.k.new_tensor(list(centre))
            cosine, sine = cosine + size * torch.cos(angle), sine + size * torch.sin(angle)
        self.cosine, self.sine = cosine, sine

    def __call__(self, x: Tensor) -> Tensor:
        """Velocity at points ``(n, 2)``, ``(n, 2)``."""
        return torch.cat([self._velocity(part) for part in x.split(CHUNK)])

    def _velocity(self, x: Tensor) -> Tensor:
        k, cosine, sine = self.k.to(x), self.cosine.to(x), self.sine.to(x)
        angle = x @ k.T
        slope = (sine * torch.cos(angle) - cosine * torch.sin(angle)) @ k  # ∇ψ
        return torch.stack([slope[:, 1], -slope[:, 0]], dim=-1)
