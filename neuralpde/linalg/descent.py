"""Rules that every recurrence of conjugate directions keeps: what forbids a step, and when steps gain too little."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neuralpde.linalg.guard import Guard
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.watch import WINDOW
from neuralpde.types import Status

_PROGRESS = 0.1
_USUAL = 0.85


class EnergyRule:
    """Watches the steps α = rᵀp / pᵀA p of one run; a step lowers the energy ½ yᵀA y − rᵀy by α rᵀp / 2.

    Args:
        A: the operator.
        guard: the preconditioner; a classical one is not judged by its gain.

    Attributes:
        gained: twice the energy that all steps have gained.
    """

    def __init__(self, A: LinearOperator, guard: Guard) -> None:
        self.A, self.guard = A, guard
        self.gained = 0.0
        self._steepest, self._steps, self._before = 0.0, 0, 0.0

    def fault(self, rp: float, pq: float, r: Tensor) -> Status | None:
        """What forbids the step α = rp / pq, if anything."""
        if not (math.isfinite(rp) and math.isfinite(pq)):
            return Status.NON_FINITE
        if rp <= 0.0:
            return Status.INDEFINITE_PRECONDITIONER
        # 1/α lies between the extreme eigenvalues of M A. One that is smaller than rounding against an earlier one
        # means that p is a null vector of A: a positive pᵀq is then noise, and the step would be of size 1/eps.
        floor = torch.finfo(r.dtype).eps / math.sqrt(r.numel()) * self._steepest * rp
        return Status.INDEFINITE_MATRIX if pq <= floor else None

    def stepped(self, alpha: float, rp: float) -> None:
        """Note a step."""
        self._steepest = max(self._steepest, 1.0 / alpha)
        self._steps += 1
        self.gained += alpha * rp

    def lags(self, r: Tensor) -> bool:
        """True when the last 25 steps gained less than a tenth of what plain steepest descent would in each, or when
        the guard's patience ends and ‖r‖ has not come down by 15 % a step."""
        guard = self.guard
        if self._steps == guard.patience and float(torch.linalg.vector_norm(r)) > _USUAL**self._steps:
            guard.fault = f"{self._steps} iterations with it were not enough, where a dozen usually are"
            return True
        if self._steps % WINDOW or guard.classical:
            return False
        mean, self._before = (self.gained - self._before) / WINDOW, self.gained
        return mean < _PROGRESS * _steepest_descent_gain(self.A, r)


def _steepest_descent_gain(A: LinearOperator, r: Tensor) -> float:
    """Twice the energy that one step along r itself would gain: (rᵀr)² / rᵀA r."""
    curvature = float(torch.dot(r, A.matvec(r).to(r.dtype)))
    return float(torch.dot(r, r)) ** 2 / curvature if curvature > 0.0 else 0.0
