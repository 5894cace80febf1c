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
from neuralpde.representations._cubic import CubicAxis, continued, cubic, from_inside, through_wall
from neuralpde.representations._difference_jet import difference_jet
from neuralpde.representations._staggered import ends, pad
from neuralpde.types import Status


class CellField(Representation):
    """One value per cell, the pressure of a staggered grid: even across walls, zero on outflow faces. Between the
    midpoints: cubic interpolation, which on walls goes on from the cells before them.

    Args:
        domain, conditions, dtype, device: as for every representation; the conditions are those of the velocity.
        shape: cells per axis (one number serves all).
        closed: cells inside a solid, a bool array. Their values mean nothing; a field goes on linearly from the open
            cells, so that it can be asked for at the wall.
    """

    def __init__(
        self,
        domain: Box,
        conditions: tuple[Condition, ...] = (),
        *,
        shape: int | Sequence[int] = 64,
        closed: Tensor | None = None,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(domain, conditions, 1, dtype, device)
        self.cells = Grid(domain, shape, (True,) * domain.dim).shape  # type: ignore[arg-type]
        self.spacing = tuple(length / n for length, n in zip(domain.lengths, self.cells, strict=True))
        self.closed = closed
        self.lattice = [
            CubicAxis(n, periodic, True) for n, periodic in zip(self.cells, self.boundary.periodic, strict=True)
        ]
        """Per axis where the values of :meth:`continued` stand."""
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

    def continued(self, p: Tensor) -> Tensor:
        """Cell values with what cubic interpolation needs beyond the ends: zero on outflow faces; on walls whatever the
        cells before them say, for only differences take a pressure as even there."""
        for a, periodic in enumerate(self.boundary.periodic):
            axis = a - self.dim
            if periodic:
                p = continued(p, axis)
                continue
            layers = [
                through_wall(p, axis, side, 0.0)
                if isinstance(self.boundary.on(a, side), Outflow)
                else from_inside(p, axis, side)
                for side in (0, 1)
            ]
            p = continued(p, axis, *layers)
        return p

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
        if representation.closed is not None:
            p = _continued(p, representation.closed)
        self.values = representation.continued(p).reshape(-1)

    def __call__(self, x: Tensor) -> Tensor:
        r = self.representation
        axes = zip(r.lattice, r.domain.lower, r.spacing, strict=True)
        stencils = [axis.stencil((x[:, a] - low) / h) for a, (axis, low, h) in enumerate(axes)]
        return cubic(self.values, [axis.size for axis in r.lattice], stencils)[:, None]

    def jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        r = self.representation
        return difference_jet(self, x, needs, r.spacing, r.domain, r.boundary.periodic)


def _continued(p: Tensor, closed: Tensor, layers: int = 3) -> Tensor:
    """Values in the outermost layers of closed cells, extrapolated linearly along the axes from the cells before."""
    known = ~closed
    p = torch.where(known, p, torch.zeros_like(p))
    for _ in range(layers):
        # lines with two known cells first: where there is one of them, those with a single one do not count
        total, count = [torch.zeros_like(p) for _ in (0, 1)], [torch.zeros_like(p) for _ in (0, 1)]
        for axis in range(p.ndim):
            for step in (1, -1):
                one, two = p.roll(step, axis), p.roll(2 * step, axis)
                has_one = known.roll(step, axis)
                has_two = has_one & known.roll(2 * step, axis)
                for k, (value, there) in enumerate(((2 * one - two, has_two), (one, has_one))):
                    total[k] += torch.where(there, value, torch.zeros_like(p))
                    count[k] += there
        best = [torch.where(c > 0, s / c.clamp(min=1), torch.zeros_like(p)) for s, c in zip(total, count, strict=True)]
        p = torch.where(known, p, torch.where(count[0] > 0, best[0], best[1]))
        known = known | (count[1] > 0)
    return p
