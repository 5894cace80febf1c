"""What one run of a Krylov recurrence returns, and the residual by which it is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from neuralpde.linalg.guard import Guard
from neuralpde.linalg.operators import LinearOperator
from neuralpde.types import Status, UsageError

Record: TypeAlias = Callable[[float], None]
"""Called once an iteration with the recurrence's estimate of ‖r − A y‖."""


@dataclass(frozen=True, eq=False)
class Cycle:
    """A correction y with A y ≈ r.

    ``status`` is the recurrence's own opinion: CONVERGED_RTOL (a claim that the caller checks), MAXITER (ran its
    length) or a failure. y, shape ``(n,)``, is float64 and usable in every case.
    """

    y: Tensor
    iterations: int
    status: Status


Kernel: TypeAlias = Callable[[LinearOperator, Guard, Tensor, float, int, Record], Cycle]
"""``kernel(A, guard, r, tol, maxiter, record)`` with ‖r‖ = 1: reduce ‖r − A y‖ to ``tol`` in ``maxiter`` iterations."""


def true_residual(A: LinearOperator, b: Tensor, x: Tensor) -> tuple[Tensor, float]:
    """r = b − A x in float64, and ‖r‖; b, x and r have shape ``(n,)``.

    Raises:
        UsageError: when A returns a wrong shape.
    """
    product = A.matvec(x)
    if product.shape != b.shape:
        raise UsageError(f"A of shape {A.shape} returned A x of shape {tuple(product.shape)}, b has {tuple(b.shape)}")
    r = b - product.to(torch.float64)
    return r, norm(r)


def norm(r: Tensor) -> float:
    """‖r‖₂ without overflow or underflow of the squares; NaN or Inf when r holds one."""
    if r.numel() == 0:
        return 0.0
    largest = float(r.abs().amax())
    if largest == 0.0 or not largest < float("inf"):
        return largest
    return largest * float(torch.linalg.vector_norm(r / largest))
