"""What one run of a Krylov recurrence returns, and the residual by which it is judged."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from neuralpde.linalg.guard import Guard
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.vectors import norm as norm
from neuralpde.linalg.vectors import plus
from neuralpde.linalg.watch import Watch
from neuralpde.types import Status, UsageError


@dataclass(frozen=True, eq=False)
class Cycle:
    """A correction y with A y ≈ r.

    ``status`` is the recurrence's own opinion: CONVERGED_RTOL (a claim that the caller checks), MAXITER (ran its
    length) or a failure. y, shape ``(n,)``, is float64 and usable in every case.
    """

    y: Tensor
    iterations: int
    status: Status


Steps: TypeAlias = Generator[float, None, Cycle]
"""A recurrence that runs: after each iteration it gives what it has gained so far (energy, or −log ‖r‖)."""

Kernel: TypeAlias = Callable[[LinearOperator, Guard, Tensor, float, int, Watch], Steps]
"""``kernel(A, guard, r, tol, maxiter, watch)`` with ‖r‖ = 1: reduce ‖r − A y‖ to ``tol`` in ``maxiter`` iterations. It
may write into r."""


def finish(steps: Steps) -> Cycle:
    """Run a recurrence to its end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            cycle: Cycle = end.value
            return cycle


def at_once(cycle: Cycle) -> Steps:
    """A finished cycle as a recurrence of no steps."""
    yield from ()
    return cycle


def true_residual(A: LinearOperator, b: Tensor, x: Tensor) -> tuple[Tensor, float]:
    """r = b − A x in float64, and ‖r‖; b, x and r have shape ``(n,)``.

    Raises:
        UsageError: when A returns a wrong shape.
    """
    product = A.matvec(x)
    if product.shape != b.shape:
        raise UsageError(f"A of shape {A.shape} returned A x of shape {tuple(product.shape)}, b has {tuple(b.shape)}")
    return plus(b, product.to(torch.float64), -1.0)
