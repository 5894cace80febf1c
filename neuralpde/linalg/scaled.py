"""Recurrences for matrices whose entries are so large or small that squares of products overflow or vanish."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from neuralpde.linalg.algebra import ScaledOperator
from neuralpde.linalg.cycle import Cycle, Kernel, Steps, norm
from neuralpde.linalg.guard import Guard
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.preconditioners import Identity
from neuralpde.linalg.watch import Watch
from neuralpde.types import Status

_SAFE = 0.25
"""Power of the least and the largest number between which ‖A v‖ is safe: its fourth power is still a number."""

NEAR_ONE = 1_024.0
"""Factor from 1 that recurrences allow which tell rounding errors from numbers near 1."""


def in_range(kernel: Kernel, A: LinearOperator, factor: float | None = None) -> Kernel:
    """The same recurrence; on c A, c a power of two near 1/‖A‖, where ‖A‖ is far from 1.

    A y = r is (c A) (y / c) = r, with M / c in the place of M. Powers of two change no digit.

    Args:
        kernel: one that forms squares of products with A.
        A: square; one product tells its size.
        factor: from 1, beyond which ‖A‖ is far from it; ``None`` for where fourth powers are no numbers any more.

    Example:
        >>> from neuralpde.linalg import MatrixOperator, solve_linear
        >>> solution = solve_linear([[2e-200, 0.0], [0.0, 4e-200]], [2.0, 4.0], solver="minres")
        >>> (solution.x * 1e-200).round(decimals=6).tolist()
        [1.0, 1.0]
    """
    n = A.shape[1]
    if n == 0:
        return kernel
    probe = torch.randn(n, generator=torch.Generator().manual_seed(3), dtype=torch.float64).to(A.device)
    size, limits = norm(A.matvec(probe / norm(probe)).to(torch.float64)), torch.finfo(A.dtype)
    low, high = (limits.tiny**_SAFE, limits.max**_SAFE) if factor is None else (1.0 / factor, factor)
    if size == 0.0 or not math.isfinite(size) or low < size < high:
        return kernel
    c = 2.0 ** -math.frexp(size)[1] if size > 1e-300 else 2.0**1000

    def run(A: LinearOperator, guard: Guard, r: Tensor, tol: float, maxiter: int, watch: Watch) -> Steps:
        other: Any = _ScaledGuard(guard, 1.0 / c)
        eye: Any = _ScaledWatch(watch, c)
        cycle = yield from kernel(ScaledOperator(c, A), other, r, tol, maxiter, eye)
        return Cycle(cycle.y * c, cycle.iterations, cycle.status)

    return run


class _ScaledGuard:
    """A guard whose M is multiplied by a number."""

    def __init__(self, guard: Guard, factor: float) -> None:
        self._guard, self._factor = guard, factor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._guard, name)

    def apply(self, r: Tensor) -> Tensor | None:
        z = self._guard.apply(r)
        # The identity approximates the inverse of c A as well as that of A.
        return z if z is None or isinstance(self._guard.preconditioner, Identity) else z.double() * self._factor


class _ScaledWatch:
    """A watch of A y = r beside a recurrence for (c A) (y / c) = r: what y is long for is measured with A."""

    def __init__(self, watch: Watch, factor: float) -> None:
        self._watch, self._factor = watch, factor

    def __getattr__(self, name: str) -> Any:
        return getattr(self._watch, name)

    def verdict(self, y: Tensor, r: Tensor) -> Status | None:
        return self._watch.verdict(y * self._factor, r)
