"""An eye on a recurrence that runs: its history, and whether going on is pointless."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from neuralpde.linalg.facts import MatrixFacts
from neuralpde.linalg.vectors import norm
from neuralpde.types import Status

WINDOW = 25
"""Iterations after which a recurrence that has not halved its residual is looked at."""


class Watch:
    """Records ‖r‖ once an iteration; every 25 of them without progress it asks why.

    Args:
        facts: of A.
        record: called with ‖r‖ once an iteration.
        symmetric: whether the recurrence needs A = Aᵀ.
        x, b: ‖x‖ before this run and ‖b‖, in units of the residual that the run started from.
        target: ‖r‖ to come to, in the same units.

    Attributes:
        sizes: ‖r‖ of all iterations of this run.

    Example:
        >>> from neuralpde.linalg import MatrixOperator
        >>> sizes = []
        >>> Watch(MatrixFacts(MatrixOperator([[2.0]])), sizes.append).record(0.5)
        >>> sizes
        [0.5]
    """

    def __init__(
        self,
        facts: MatrixFacts,
        record: Callable[[float], None],
        *,
        symmetric: bool = False,
        x: float = 0.0,
        b: float = 1.0,
        target: float = math.inf,
    ) -> None:
        self.facts = facts
        self._record = record
        self._symmetric, self._x, self._b, self._target = symmetric, x, b, target
        self.sizes: list[float] = []
        self._best, self._before = float("inf"), 1.0

    def record(self, size: float) -> None:
        """Note ‖r‖ of one more iteration."""
        self._record(size)
        self.sizes.append(size)
        self._best = min(self._best, size)

    def beside(self) -> Watch:
        """Another watch of the same run, which reports nothing until it takes over."""
        return Watch(
            self.facts, lambda size: None, symmetric=self._symmetric, x=self._x, b=self._b, target=self._target
        )

    def take_over(self, other: Watch) -> None:
        """Report what ``other`` has noted, and from now on what it notes."""
        for size in other.sizes:
            self._record(size)
        other._record = self._record

    def verdict(self, y: Tensor, r: Tensor) -> Status | None:
        """Why to end the run here, or ``None``.

        MAXITER where the residual is at the rounding error of b − A x (the caller then looks at the true one),
        NONSYMMETRIC_MATRIX, or INCOMPATIBLE where r holds constants that A does not reach, or Aᵀ r = 0.

        Args:
            y: the correction so far, ``(n,)``.
            r: the recurrence's residual, ``(n,)``.
        """
        if len(self.sizes) % WINDOW:
            return None
        if self.facts.unreachable(r.to(torch.float64), self._target) is not None:
            return Status.INCOMPATIBLE
        moved, self._before = self._best <= 0.5 * self._before, min(self._best, self._before)
        if moved:
            return None
        own = self.facts.floor(norm(y), 1.0, r.dtype)
        if self._best <= own + self.facts.floor(self._x, self._b):
            return Status.MAXITER
        if self._symmetric and self.facts.asymmetric:
            return Status.NONSYMMETRIC_MATRIX
        return Status.INCOMPATIBLE if self.facts.annihilates(r.to(torch.float64)) else None
