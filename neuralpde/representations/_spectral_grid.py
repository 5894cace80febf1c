"""The collocated Fourier grid of incompressible flow, with its operators on Fourier coefficients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from neuralpde.geometry import Boundary, Box, Condition
from neuralpde.representations._grid_field import GridField
from neuralpde.representations._product import Product
from neuralpde.types import UsageError


class SpectralGrid(Product):
    """Velocity and pressure as trigonometric polynomials, kept as their values on one periodic grid.

    û_k are the coefficients of a real transform, arrays ``(…, *half)`` whose last axis has N_d/2 + 1 entries. The
    derivative ∂_a is i k_a û, with 0 for the Nyquist mode, whose odd derivatives are no real functions on the grid.
    Leading dimensions are cases of a batch.

    Args:
        domain, conditions, dtype, device: as for every representation; every axis has to be periodic.
        shape: nodes per axis (one number serves all); products of small primes transform fastest.

    Raises:
        UsageError: for a domain that is not periodic along every axis.

    Source: Canuto, Hussaini, Quarteroni & Zang, Spectral Methods (2006), ch. 3.

    Example:
        >>> from neuralpde.geometry import Periodic
        >>> SpectralGrid(Box((0.0, 0.0), (1.0, 1.0)), (Periodic(),), shape=8).num_dofs
        192
    """

    def __init__(
        self,
        domain: Box,
        conditions: tuple[Condition, ...] = (),
        *,
        shape: int | Sequence[int] = 64,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> None:
        if not all(Boundary(domain, conditions).periodic):
            raise UsageError(
                f"SpectralGrid needs a domain that is periodic along every axis; got {conditions}. Use MacGrid here."
            )
        options: dict[str, Any] = {"shape": shape, "order": "fourier", "dtype": dtype, "device": device}
        self.velocity = GridField(domain, conditions, domain.dim, **options)
        self.pressure = GridField(domain, conditions, 1, **options)
        super().__init__(velocity=self.velocity, pressure=self.pressure)
        self.grid = self.velocity.grid
        self.axes = tuple(range(-self.dim, 0))
        self.k, self.square, self.resolved = self._wave_numbers()
        norm = self.k.square().sum(0)
        self.inverse = torch.where(norm > 0, 1 / norm.clamp_min(torch.finfo(dtype).tiny), torch.zeros_like(norm))
        """1/|k|² of the derivatives' wave numbers, 0 where they have none."""

    @classmethod
    def for_problem(cls, problem: Any, shape: int | Sequence[int] = 64, **options: Any) -> SpectralGrid:
        """A Fourier grid on a flow's domain with its conditions."""
        return cls(problem.domain, problem.conditions, shape=shape, **options)

    def _wave_numbers(self) -> tuple[Tensor, Tensor, Tensor]:
        """k of first derivatives ``(d, *half)``, |k|² of the Laplacian and the band |k_a| < N_a/3, ``(*half)``."""
        first, second, band = [], [], []
        for i, (n, length) in enumerate(zip(self.grid.shape, self.domain.lengths, strict=True)):
            last = i == self.dim - 1
            frequencies = torch.fft.rfftfreq if last else torch.fft.fftfreq
            number = frequencies(n, 1 / n, dtype=self.dtype, device=self.device)
            wave = number * (2 * math.pi / length)
            first.append(torch.where(2 * number.abs() == n, torch.zeros_like(wave), wave))
            second.append(wave.square())
            band.append(3 * number.abs() < n)
        k = torch.stack(torch.meshgrid(*first, indexing="ij"))
        square = torch.stack(torch.meshgrid(*second, indexing="ij")).sum(0)
        resolved = torch.stack(torch.meshgrid(*band, indexing="ij")).all(0)
        return k, square, resolved

    def arrays(self, theta: Tensor, block: str) -> Tensor:
        """Nodal values of a block, channels first: ``(…, c, *shape)`` from a θ ``(…, p)``."""
        values = self.split(theta)[block].reshape(*theta.shape[:-1], *self.grid.shape, -1)
        return values.movedim(-1, -1 - self.dim)

    def theta(self, velocity: Tensor, pressure: Tensor) -> Tensor:
        """θ ``(…, p)`` from nodal velocities ``(…, d, *shape)`` and pressures ``(…, 1, *shape)``."""
        first = velocity.movedim(-1 - self.dim, -1)
        return torch.cat([first.flatten(-1 - self.dim), pressure.flatten(-1 - self.dim)], dim=-1)

    def transform(self, values: Tensor) -> Tensor:
        """Coefficients ``(…, *half)`` of nodal values ``(…, *shape)``."""
        return torch.fft.rfftn(values, dim=self.axes)

    def nodal(self, hat: Tensor) -> Tensor:
        """Nodal values ``(…, *shape)`` of coefficients ``(…, *half)``."""
        return torch.fft.irfftn(hat, s=self.grid.shape, dim=self.axes)

    def divergence(self, u: Tensor) -> Tensor:
        """Σ_a k_a û_a ``(…, *half)`` of a velocity's coefficients ``(…, d, *half)``: ∇·u but for the factor i."""
        return (self.k * u).sum(-1 - self.dim)

    def solenoidal(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """u − ∇q free of divergence and q, from coefficients ``(…, d, *half)``: û − k (k·û)/|k|², q̂ = −i (k·û)/|k|².

        An orthogonal projection; the mean wind stays.
        """
        share = self.divergence(u) * self.inverse
        return u - self.k * share.unsqueeze(-1 - self.dim), -1j * share

    def config(self) -> dict[str, Any]:
        config = {**self.velocity.config(), "kind": "spectral_grid"}
        del config["order"]
        return config
