"""What a Krylov recurrence does to its vectors: fused passes on the CPU, torch elsewhere."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neuralpde.linalg.operators import LinearOperator

SMALLEST = 16_384
"""Entries from which on compiled passes are worth loading; below, torch's own take a few microseconds each."""


class Vectors:
    """Passes over the vectors of one recurrence, chosen once by where these live.

    Large float64 vectors on the CPU go through compiled loops that read each vector once: between two products a
    recurrence of CG reads and writes 12 numbers an entry, where one torch call after the other takes 20 or more. All
    others, on a GPU or in float32, go through torch.

    Args:
        r: the residual ``(n,)``; y is float64, p, q and z are like r (z may be float32).

    Example:
        >>> r = torch.tensor([3.0, 4.0])
        >>> Vectors(r).dots(r, r, r)
        (25.0, 25.0)
    """

    def __init__(self, r: Tensor) -> None:
        self._loops: Any = None
        if r.device.type == "cpu" and r.dtype is torch.float64 and r.numel() >= SMALLEST:
            from neuralpde.linalg import _vector_loops

            self._loops = _vector_loops

    def step(self, y: Tensor, r: Tensor, p: Tensor, q: Tensor, alpha: float) -> float:
        """y ← y + α p and r ← r − α q, in place; ‖r‖₂²."""
        if self._loops is not None:
            return sum(_slabs(self._loops.step, y, r, p, q, alpha=alpha))
        y.add_(p, alpha=alpha)
        r.sub_(q, alpha=alpha)
        return float(torch.dot(r, r))

    def dots(self, z: Tensor, q: Tensor, r: Tensor) -> tuple[float, float]:
        """zᵀq and rᵀz."""
        if self._loops is not None:
            parts = _slabs(self._loops.dots, z, q, r)
            return sum(part[0] for part in parts), sum(part[1] for part in parts)
        z = z.to(r.dtype)
        return float(torch.dot(z, q)), float(torch.dot(r, z))

    def dot(self, p: Tensor, q: Tensor) -> float:
        """pᵀq."""
        if self._loops is not None:
            return sum(_slabs(self._loops.dot, p, q))
        return float(torch.dot(p, q))

    def direction(self, p: Tensor, z: Tensor, beta: float) -> None:
        """p ← z + β p, in place."""
        if self._loops is not None:
            _slabs(self._loops.direction, p, z, beta=beta)
        else:
            p.mul_(beta).add_(z)

    def product(self, A: LinearOperator, p: Tensor, out: Tensor | None) -> tuple[Tensor, float]:
        """q = A p and pᵀq; an operator with ``matvec_dot`` does both in one pass, into ``out`` where that is given."""
        fused = getattr(A, "matvec_dot", None) if self._loops is not None else None
        if fused is not None:
            return fused(p, out=out)  # type: ignore[no-any-return]
        q = A.matvec(p).to(p.dtype)
        return q, self.dot(p, q)


def _slabs(loop: Any, *vectors: Tensor, **number: float) -> list[Any]:
    from neuralpde.linalg.jit import in_slabs

    arrays = (vector.detach().contiguous().numpy() for vector in vectors)
    return in_slabs(loop, vectors[0].numel(), 1, *arrays, *number.values())
