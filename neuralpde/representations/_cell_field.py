"""A scalar at the midpoints of the cells of a box."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from neuralpde.fields import Field, Jet
from neuralpde.geometry import Box, Condition, Grid, Outflow, Quadrature
from neuralpde.representations._base import Projection, Representation
from neuralpde.representations._difference_jet import difference_jet
from neuralpde.representations._interpolation import interpolate
from neuralpde.representations._staggered import ends, pad
from neuralpde.types import Status


class CellField(Representation):
    """One value per cell, the pressure of a staggered grid: even across walls, zero on outflow faces.

    Args:
        domain, conditions, dtype, device: as for every representation; the conditions are those of the velocity.
        shape: cells per axis (one number serves all).
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
        super().__init__(domain, conditions, 1, dtype, device)
        self.cells = Grid(domain, shape, (True,) * domain.dim).shape  # type: ignore[arg-type]
        self.spacing = tuple(length / n for length, n in zip(domain.lengths, self.cells, strict=True))
        half = [
            (0.5 if periodic else -0.5) * h for h, periodic in zip(self.spacing, self.boundary.periodic, strict=True)
        ]
        signs = [1 if periodic else -1 for periodic in self.boundary.periodic]
        lower = tuple(a + s for a, s in zip(domain.lower, half, strict=True))
        upper = tuple(b + sign * s for b, s, sign in zip(domain.upper, half, signs, strict=True))
        counts = tuple(n if p else n + 2 for n, p in zip(self.cells, self.boundary.periodic, strict=True))
        self.padded_grid = Grid(Box(lower, upper), counts, self.boundary.periodic)
        axes = [
            a + (torch.arange(n, dtype=dtype, device=self.device) + 0.5) * h
            for a, n, h in zip(domain.lower, self.cells, self.spacing, strict=True)
        ]
        self.points = torch.stack([c.reshape(-1) for c in torch.meshgrid(*axes, indexing="ij")], dim=-1)

    @property
    def num_dofs(self) -> int:
        return math.prod(self.cells)

    def initial(self, generator: torch.Generator | None = None) -> Tensor:
        """Zeros."""
        return torch.zeros(self.num_dofs, dtype=self.dtype, device=self.device)

    def array(self, theta: Tensor) -> Tensor:
        """θ ``(…, p)`` as an array ``(…, *cells)``."""
        return theta.reshape(*theta.shape[:-1], *self.cells)

    def padded(self, p: Tensor, a: int) -> Tensor:
        """Cell values with a ghost layer at both ends of axis a."""
        axis = a - self.dim
        if self.boundary.periodic[a]:
            return pad(p, axis, None, None)
        signs = [-1.0 if isinstance(self.boundary.on(a, side), Outflow) else 1.0 for side in (0, 1)]
        lower, upper = ends(p, axis)
        return pad(p, axis, signs[0] * lower, signs[1] * upper)

    def at(self, theta: Tensor, t: float = 0.0) -> CellFieldAt:
        return CellFieldAt(self, theta)

    def project(
        self, target: Callable[[Tensor], Tensor], t: float = 0.0, guess: Tensor | None = None, **_: Any
    ) -> Projection:
        """Sampling at the midpoints: exact there."""
        begin = time.perf_counter()
        theta = target(self.points)[:, 0].to(self.dtype)
        return Projection(theta.clone(), 0.0, Status.COMPLETED, 0, time.perf_counter() - begin)

    def quadrature(self, n: int | None = None) -> Quadrature:
        """Midpoints of the cells."""
        return Quadrature(self.points, self.points.new_full((self.num_dofs,), math.prod(self.spacing)))

    def config(self) -> dict[str, Any]:
        dtype = str(self.dtype).removeprefix("torch.")
        return {"kind": "cell_field", "shape": [int(n) for n in self.cells], "dtype": dtype}


class CellFieldAt(Field):
    """The scalar of one θ."""

    def __init__(self, representation: CellField, theta: Tensor) -> None:
        self.representation = representation
        p = representation.array(theta)
        for a, periodic in enumerate(representation.boundary.periodic):
            p = p if periodic else representation.padded(p, a)
        self.values = p[..., None]

    def __call__(self, x: Tensor) -> Tensor:
        return interpolate(self.values, self.representation.padded_grid, x, 4)

    def jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        r = self.representation
        return difference_jet(self, x, needs, r.spacing, r.domain, r.boundary.periodic)
