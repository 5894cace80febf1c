"""The least-squares projection of every neural representation."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from neuralpde.optimize import GaussNewton, least_squares
from neuralpde.representations._base import Projection

FIRST_FIT = GaussNewton(maxiter=400, damping=1e-4, stall=0.0)
"""Options of a fit that starts from random weights."""

ROUNDINGS = 4
"""A fit is exact where its misfit is that many roundings of the target's root mean square."""


def fit_field(
    representation: Any,
    target: Callable[[Tensor], Tensor],
    t: float,
    guess: Tensor | None,
    options: GaussNewton | None,
    points: int | None,
) -> Projection:
    """θ minimising Σ_q w_q |u_θ(x_q) − target(x_q)|² by Levenberg–Marquardt, to rounding at the closest.

    Args:
        representation: with ``quadrature``, ``at`` and ``jacobian(theta, x, channel)``.
        target: ``(n, d)`` → ``(n, c)`` or ``(n,)``.
        t: time of the boundary data.
        guess: θ to start from, ``(p,)``; the representation's own start by default.
        options: of the fit (``FIRST_FIT``).
        points: number of quadrature points.
    """
    begin, r = time.perf_counter(), representation
    quadrature = r.quadrature(points)
    x, root = quadrature.points, (quadrature.weights / r.domain.volume).sqrt()[:, None]
    wanted = target(x).to(r.dtype)
    wanted = wanted if wanted.ndim == 2 else wanted[:, None]

    def residual(theta: Tensor) -> Tensor:
        return (root * (r.at(theta, t)(x) - wanted)).T.reshape(-1)

    def jacobian(theta: Tensor) -> Tensor:
        return torch.cat([root * r.jacobian(theta, x, c) for c in range(r.channels)])

    start = r.initial() if guess is None else guess
    options, exact = options or FIRST_FIT, ROUNDINGS * torch.finfo(r.dtype).eps * float((root * wanted).norm())
    fit = least_squares(residual, start, replace(options, atol=max(options.atol, exact)), jacobian=jacobian)
    return Projection(fit.theta, fit.residual, fit.status, fit.iterations, time.perf_counter() - begin)
