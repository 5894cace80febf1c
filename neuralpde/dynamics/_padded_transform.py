"""Products of Fourier series without aliasing, on a finer grid."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from neuralpde.representations import SpectralGrid


class PaddedTransform:
    """Values and coefficients of the modes |k_a| < N_a/2 on a grid of 3/2 the nodes, where products alias nothing.

    Args:
        grid: of N nodes.

    Source: Patterson & Orszag, Phys. Fluids 14 (1971); Canuto et al., Spectral Methods (2006), 3.4.
    """

    def __init__(self, grid: SpectralGrid) -> None:
        self.grid = grid
        self.shape = tuple(3 * (-(-n // 2)) for n in grid.grid.shape)
        self.scale = math.prod(self.shape) / math.prod(grid.grid.shape)
        self._few, self._many = self._places(grid.grid.shape), self._places(self.shape)
        self.band = torch.zeros_like(grid.resolved)
        self.band[self._few] = True

    def _places(self, shape: tuple[int, ...]) -> tuple[Any, ...]:
        """Where the band's coefficients stand in an array of that transform, as an open mesh."""
        out: list[Any] = [...]
        for i, (n, m) in enumerate(zip(self.grid.grid.shape, shape, strict=True)):
            last = (n - 1) // 2
            k = torch.arange(0 if i == self.grid.dim - 1 else -last, last + 1, device=self.grid.device) % m
            out.append(k.reshape(-1, *[1] * (self.grid.dim - 1 - i)))
        return tuple(out)

    def values(self, hat: Tensor) -> Tensor:
        """Values ``(…, *more)`` of coefficients ``(…, *half)``."""
        d = self.grid.dim
        wide = hat.new_zeros(*hat.shape[:-d], *self.shape[:-1], self.shape[-1] // 2 + 1)
        wide[self._many] = self.scale * hat[self._few]
        return torch.fft.irfftn(wide, s=self.shape, dim=self.grid.axes)

    def coefficients(self, values: Tensor) -> Tensor:
        """Coefficients ``(…, *half)``, zero outside the band, of values ``(…, *more)``."""
        wide = torch.fft.rfftn(values, dim=self.grid.axes)
        hat = wide.new_zeros(*values.shape[: -self.grid.dim], *self.band.shape)
        hat[self._few] = wide[self._many] / self.scale
        return hat
