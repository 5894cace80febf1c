"""What a solve does to its vectors: fused passes on the CPU, torch elsewhere.

Large vectors on the CPU keep away from torch's own parallel operations. After each of them OpenMP's threads look out
for more during milliseconds, and take the cores from the threads of the compiled loops.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
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
        self._loops: Any = _loops(r)

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

    def add(self, p: Tensor, old: Tensor, factor: float) -> None:
        """p ← p + factor old, in place."""
        if self._loops is not None:
            _slabs(self._loops.add, p, old, factor=factor)
        else:
            p.add_(old, alpha=factor)

    def product(self, A: LinearOperator, p: Tensor, out: Tensor | None) -> tuple[Tensor, float]:
        """q = A p and pᵀq; an operator with ``matvec_dot`` does both in one pass, into ``out`` where that is given."""
        fused = getattr(A, "matvec_dot", None) if self._loops is not None else None
        if fused is not None:
            return fused(p, out=out)  # type: ignore[no-any-return]
        q = A.matvec(p).to(p.dtype)
        return q, self.dot(p, q)


def norm(r: Tensor) -> float:
    """‖r‖₂ without overflow or underflow of the squares; NaN or Inf when r holds one.

    Example:
        >>> f"{norm(torch.tensor([3e200, 4e200], dtype=torch.float64)):.6g}"
        '5e+200'
    """
    if r.numel() == 0:
        return 0.0
    loops = _loops(r)
    size = float(torch.linalg.vector_norm(r)) if loops is None else math.sqrt(sum(_slabs(loops.dot, r, r)))
    if 1e-140 < size < 1e140:
        return size
    largest = float(r.abs().amax())
    if largest == 0.0 or not largest < float("inf"):
        return largest
    return largest * float(torch.linalg.vector_norm(r / largest))


def plus(x: Tensor, y: Tensor, factor: float) -> tuple[Tensor, float]:
    """x + factor y, of float64 vectors ``(n,)``, and its norm, as that of :func:`norm`.

    Example:
        >>> plus(torch.ones(2, dtype=torch.float64), torch.tensor([1.0, 1.5], dtype=torch.float64), 2.0)
        (tensor([3., 4.], dtype=torch.float64), 5.0)
    """
    loops = _loops(x, y)
    if loops is None:
        total = torch.add(x, y, alpha=factor)
        return total, norm(total)
    total = empty(x)
    square = sum(_slabs(loops.combination, x, y, factor=factor, out=total))
    return total, math.sqrt(square) if 1e-280 < square < 1e280 else norm(total)


def divided(r: Tensor, size: float, dtype: torch.dtype) -> Tensor:
    """r / size as a new vector of ``dtype``."""
    if _loops(r) is None:
        return (r / size).to(dtype)
    out = empty(r, dtype)
    np.divide(r.detach().numpy(), size, out=out.numpy(), casting="same_kind")
    return out


def copied(z: Tensor, dtype: torch.dtype) -> Tensor:
    """z as a new vector of ``dtype``."""
    if z.device.type != "cpu" or z.numel() < SMALLEST:
        return z.to(dtype, copy=True)
    out = empty(z, dtype)
    np.copyto(out.numpy(), z.detach().numpy())
    return out


def zeros(like: Tensor) -> Tensor:
    """A float64 vector of zeros where another one lives."""
    if like.device.type != "cpu" or like.numel() < SMALLEST:
        return torch.zeros_like(like, dtype=torch.float64)
    return torch.from_numpy(np.zeros(tuple(like.shape)))


def empty(like: Tensor, dtype: torch.dtype = torch.float64) -> Tensor:
    """A contiguous vector to be written; from NumPy, which asks for large pages of memory where torch does not."""
    if like.device.type != "cpu" or like.numel() < SMALLEST:
        return torch.empty(like.shape, dtype=dtype, device=like.device)
    return torch.from_numpy(np.empty(tuple(like.shape), dtype=np.float32 if dtype is torch.float32 else np.float64))


def is_finite(z: Tensor) -> bool:
    """Whether z holds neither NaN nor Inf; entries are looked at one by one only where their sum overflows."""
    if z.device.type == "cpu" and z.numel() >= SMALLEST:
        with np.errstate(over="ignore", invalid="ignore"):
            total = float(np.add.reduce(z.detach().numpy(), axis=None))
    else:
        total = float(z.detach().sum())
    return math.isfinite(total) or bool(torch.isfinite(z).all())


def smallest(z: Tensor) -> float:
    """The least entry of z, not empty."""
    return float(z.detach().numpy().min() if z.device.type == "cpu" else z.detach().min())


def _loops(*vectors: Tensor) -> Any:
    """The compiled passes, where these vectors are large, float64 and on the CPU."""
    for vector in vectors:
        if vector.device.type != "cpu" or vector.dtype is not torch.float64 or vector.numel() < SMALLEST:
            return None
    from neuralpde.linalg import _vector_loops

    return _vector_loops


def _slabs(loop: Any, *vectors: Tensor, **more: Any) -> list[Any]:
    from neuralpde.linalg.jit import in_slabs

    arrays = (vector.detach().contiguous().numpy() for vector in vectors)
    others = (value.numpy() if isinstance(value, Tensor) else value for value in more.values())
    return in_slabs(loop, vectors[0].numel(), 1, *arrays, *others)
