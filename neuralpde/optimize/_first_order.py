"""Adam, the first-order method of the published neural time steppers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from neuralpde.optimize._result import LeastSquaresSolution
from neuralpde.types import Status


@dataclass(frozen=True)
class Adam:
    """Options of :func:`adam`; the defaults are INSR's protocol (Chen et al., ICML 2023).

    Args:
        maxiter: number of gradient steps.
        learning_rate: step size.
        resample: draw new random points at every step.
        atol: stop when |r| ≤ atol (0: never, as published).
    """

    maxiter: int = 20_000
    learning_rate: float = 1e-4
    resample: bool = True
    atol: float = 0.0


def adam(
    residual: Callable[[Tensor, int], Tensor],
    theta: Tensor,
    options: Adam | None = None,
    *,
    callback: Callable[[int, float], None] | None = None,
) -> LeastSquaresSolution:
    """Minimise ½|r(θ)|² by Adam with β = (0.9, 0.999).

    Args:
        residual: (θ ``(p,)``, step number) → r ``(n,)``; the step number lets it draw new points.
        theta: start, ``(p,)``.
        options: see :class:`Adam`.
        callback: called with (iteration, |r|) every 100 steps.

    Returns:
        The last θ, status ``COMPLETED`` when all steps were done.

    Source: Kingma & Ba, ICLR 2015.
    """
    options = options or Adam()
    begin = time.perf_counter()
    weights = theta.detach().clone().requires_grad_()
    optimiser = torch.optim.Adam([weights], lr=options.learning_rate)
    history: list[float] = []
    status, steps = Status.COMPLETED, 0
    for steps in range(1, options.maxiter + 1):
        optimiser.zero_grad()
        with torch.enable_grad():
            r = residual(weights, steps)
            loss = 0.5 * r.square().sum()
        size = math.sqrt(2 * loss.item()) if math.isfinite(loss.item()) else math.nan
        history.append(size)
        if not math.isfinite(size):
            status = Status.NON_FINITE
            break
        if size <= options.atol:
            status = Status.CONVERGED_ATOL
            break
        loss.backward()
        optimiser.step()
        if callback and steps % 100 == 0:
            callback(steps, size)
    final = weights.detach()
    with torch.no_grad():
        last = float(residual(final, steps).square().sum().sqrt())
    return LeastSquaresSolution(final, status, last, steps, tuple(history), time.perf_counter() - begin)
