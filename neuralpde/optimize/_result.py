"""What a fit returns."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from neuralpde.types import Status


@dataclass(frozen=True)
class LeastSquaresSolution:
    """Outcome of minimising ½|r(θ)|².

    Args:
        theta: the minimiser found, ``(p,)``.
        status: why the iteration ended.
        residual: |r(θ)|, recomputed at ``theta`` in its own precision.
        iterations: linear solves (Gauss–Newton) or gradient steps (Adam).
        history: |r| after each accepted step, the start first.
        seconds: wall time.
    """

    theta: Tensor
    status: Status
    residual: float
    iterations: int
    history: tuple[float, ...]
    seconds: float
