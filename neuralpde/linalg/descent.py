"""What all recurrences of conjugate directions share: the step along one, what forbids it, and when steps gain too
little."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neuralpde.linalg.guard import Guard
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.vectors import Vectors, zeros
from neuralpde.linalg.watch import WINDOW, Watch
from neuralpde.types import Status

_PROGRESS = 0.1
_USUAL = 0.85


class Descent:
    """Steps α = rᵀp / pᵀA p of one run from y = 0, each of which lowers the energy ½ yᵀA y − rᵀy by α rᵀp / 2.

    Args:
        A: the operator.
        guard: the preconditioner; a classical one is not judged by its gain.
        r: the residual ``(n,)``; steps write into it.
        tol, watch: as a kernel takes them.

    Attributes:
        y: the correction so far ``(n,)``, float64.
        vectors: the passes over such vectors.
        steps: how many were taken.
        gained: twice the energy that all steps have gained.
    """

    def __init__(self, A: LinearOperator, guard: Guard, r: Tensor, tol: float, watch: Watch) -> None:
        self.A, self.guard, self.r = A, guard, r
        self.y, self.vectors = zeros(r), Vectors(r)
        self.steps, self.gained = 0, 0.0
        self._tol, self._watch = tol, watch
        self._steepest, self._before = 0.0, 0.0
        self._eps = torch.finfo(r.dtype).eps

    def step(self, p: Tensor, q: Tensor, rp: float, pq: float) -> Status | None:
        """y ← y + α p and r ← r − α q, for q = A p; why the run ends with this step or before it, if it does."""
        fault = self._fault(rp, pq)
        if fault is not None:
            return fault
        alpha = rp / pq
        size = math.sqrt(self.vectors.step(self.y, self.r, p, q, alpha))
        self._steepest = max(self._steepest, 1.0 / alpha)
        self.steps += 1
        self.gained += alpha * rp
        self._watch.record(size)
        if size <= self._tol:
            return Status.CONVERGED_RTOL
        if not size < 1.0 / self._eps:  # ‖r‖ ≤ √cond(A) in theory: beyond this A is not symmetric
            return Status.BREAKDOWN
        if self._lags(size):
            return Status.STAGNATED
        return self._watch.verdict(self.y, self.r)

    def _fault(self, rp: float, pq: float) -> Status | None:
        """What forbids the step α = rp / pq, if anything."""
        if not (math.isfinite(rp) and math.isfinite(pq)):
            return Status.NON_FINITE
        if rp <= 0.0:
            return Status.INDEFINITE_PRECONDITIONER
        # 1/α lies between the extreme eigenvalues of M A. One that is smaller than rounding against an earlier one
        # means that p is a null vector of A: a positive pᵀq is then noise, and the step would be of size 1/eps.
        floor = self._eps / math.sqrt(self.r.numel()) * self._steepest * rp
        return Status.INDEFINITE_MATRIX if pq <= floor else None

    def _lags(self, size: float) -> bool:
        """True when the last 25 steps gained less than a tenth of what plain steepest descent would in each, or when
        the guard's patience ends and ‖r‖ has not come down by 15 % a step."""
        guard = self.guard
        if self.steps == guard.patience and size > _USUAL**self.steps:
            guard.fault = f"{self.steps} iterations with it were not enough, where a dozen usually are"
            return True
        if self.steps % WINDOW or guard.classical:
            return False
        mean, self._before = (self.gained - self._before) / WINDOW, self.gained
        return mean < _PROGRESS * self._steepest_descent_gain(size)

    def _steepest_descent_gain(self, size: float) -> float:
        """Twice the energy that one step along r itself would gain: (rᵀr)² / rᵀA r."""
        curvature = self.vectors.product(self.A, self.r, None)[1]
        return size**4 / curvature if curvature > 0.0 else 0.0
