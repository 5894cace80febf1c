"""Whether as much flows into a closed domain as out of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from neuralpde.dynamics._mac_solids import CutPoisson
from neuralpde.linalg import BoxLaplacian
from neuralpde.representations import MacGrid
from neuralpde.types import UsageError

_EXACT, _ROUNDINGS = 1e-10, 64
"""Largest mean divergence against the speed over the smallest length, and in units of rounding over the spacing."""


class Balance:
    """∫ ∇·u = 0 over every pool of connected cells without an open end, without which no pressure makes ∇·u = 0.

    Without a solid the whole domain is one pool; a solid may divide it, and leave cells that
    touch a boundary face only.

    Args:
        grid: the staggered grid.
        poisson: its pressure's operator, which knows the pools of a solid.
    """

    def __init__(self, grid: MacGrid, poisson: BoxLaplacian | CutPoisson) -> None:
        self.grid = grid
        self.pools = poisson.pools().to(grid.velocity.device) if isinstance(poisson, CutPoisson) else None
        self.closed = not grid.pressure_fixed if self.pools is None else bool((self.pools >= 0).any())
        if self.pools is not None and self.closed:
            self.kept = self.pools >= 0
            self.sizes = torch.bincount(self.pools[self.kept]).to(grid.velocity.dtype)

    def _means(self, divergence: Tensor) -> Tensor:
        """Of the divergence ``(…, *cells)`` over each pool, ``(…, pools)``."""
        flat = divergence.flatten(-self.grid.dim)
        if self.pools is None:
            return flat.mean(-1, keepdim=True)
        total = flat.new_zeros(*flat.shape[:-1], len(self.sizes))
        return total.index_add_(-1, self.pools[self.kept], flat[..., self.kept]) / self.sizes

    def _bound(self, faces: Sequence[Tensor]) -> float:
        speed = max(max(-float(low), float(high)) for low, high in map(torch.aminmax, faces))
        rounding = _ROUNDINGS * torch.finfo(faces[0].dtype).eps
        return speed * max(_EXACT / min(self.grid.domain.lengths), rounding / min(self.grid.spacing))

    def holds(self, faces: Sequence[Tensor], divergence: Tensor) -> bool:
        """Whether the means of a divergence are zero but for rounding; NaN is left to others.

        Args:
            faces: all faces, the boundary's included.
            divergence: theirs.
        """
        return not self.closed or not bool((self._means(divergence).abs() > self._bound(faces)).any())

    def check(self, t: float = 0.0) -> None:
        """Refuse boundary velocities that do not balance at a time.

        Raises:
            UsageError: with the surplus of the pool where it is largest.
        """
        r = self.grid
        walls = r.velocity.faces(r.velocity.initial(), t)
        divergence = r.divergence(walls)
        if self.holds(walls, divergence):
            return
        means = self._means(divergence)
        sizes = means.new_full((1,), float(divergence.numel())) if self.pools is None else self.sizes
        nets = means * sizes * math.prod(r.spacing)
        worst = int(nets.abs().argmax())
        net, fluid = float(nets[worst]), divergence.numel()
        if r.pressure.closed is not None:
            fluid -= int(r.pressure.closed.sum())
        where = "this closed domain" if sizes[worst] == fluid else "a part of the domain that the solid closes off"
        way, other = ("out of", "into") if net > 0 else ("into", "out of")
        raise UsageError(
            f"the boundary velocities push {abs(net):.3g} more {way} {where} than {other} it; open a face with "
            "Outflow, or balance them."
        )
