"""Nonlinear least squares by Levenberg–Marquardt on the full Jacobian."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import jacfwd, jacrev

from neuralpde.optimize._result import LeastSquaresSolution
from neuralpde.types import NonFiniteError, Status, UsageError, raise_for

Residual = Callable[[Tensor], Tensor]

LINEAR_SOLVES = ("qr", "svd")
SCALINGS = ("columns", "uniform")


@dataclass(frozen=True)
class GaussNewton:
    """Options of :func:`least_squares`.

    Args:
        maxiter: most linear solves, rejected ones included (5–20 for a time step, hundreds for a first fit).
        atol: stop when |r| ≤ atol.
        rtol: stop when |r| ≤ rtol · |r| at the start.
        stall: stop when a step lowers |r| by less than this fraction.
        damping: first damping λ; dimensionless, since D has the size of J's columns (1e-4 for a first fit, less for a
            step that starts close).
        scaling: the metric D in which steps are kept short: ``"columns"`` (every weight by its own effect; first fits)
            or ``"uniform"`` (all weights alike; fits that follow a moving target), see :func:`least_squares`.
        accept: largest usable residual, relative to the root mean square of what is fitted (a steady problem: to the
            residual of the start). Above it, a time step, a first fit or a steady solve has failed; ``inf`` takes any.
        linear: ``"qr"`` (of J, then of the small damped triangle) or ``"svd"`` (slower, reveals the rank).
        rcond: singular values below rcond · σ_max are cut (``"svd"`` only).
    """

    maxiter: int = 20
    atol: float = 0.0
    rtol: float = 0.0
    stall: float = 1e-3
    damping: float = 1e-8
    scaling: str = "columns"
    accept: float = 1e-2
    linear: str = "qr"
    rcond: float = 1e-14

    def __post_init__(self) -> None:
        if self.linear not in LINEAR_SOLVES:
            raise UsageError(f"linear is one of {', '.join(LINEAR_SOLVES)}; got {self.linear!r}.")
        if self.scaling not in SCALINGS:
            raise UsageError(f"scaling is one of {', '.join(SCALINGS)}; got {self.scaling!r}.")
        if self.maxiter < 1:
            raise UsageError(f"maxiter must be at least 1; got {self.maxiter}.")


class _Linearised:
    """The damped linear problem min |J δ + r|² + λ|D δ|², factorised once and solved for as many λ as it takes."""

    def __init__(self, jacobian: Tensor, residual: Tensor, scale: Tensor, options: GaussNewton) -> None:
        self.linear, self.scale = options.linear, scale
        jacobian = jacobian / scale
        if self.linear == "qr":
            # The residual as one more column: its entries in R are Qᵀr, and Q is never formed (twice as fast).
            triangle = torch.linalg.qr(torch.cat([jacobian, residual[:, None]], dim=1), mode="r").R
            p = jacobian.shape[1]
            self.r, self.rhs = triangle[:p, :p], -triangle[:p, p]
        else:
            u, s, self.vh = torch.linalg.svd(jacobian, full_matrices=False)
            keep = s > options.rcond * s[0]
            self.s, self.vh = s[keep], self.vh[keep]
            self.rhs = -(u.T @ residual)[keep]

    def step(self, damping: float) -> tuple[Tensor, float]:
        """δ, and the decrease of |r|² that the linear model predicts."""
        if self.linear == "svd":
            delta = self.vh.T @ (self.rhs * self.s / (self.s.square() + damping))
            left = self.rhs - self.s * (self.vh @ delta)
        else:
            k, p = self.r.shape
            # Orthogonal reduction of [R; √λ I]: never the normal equations, whose condition number is squared.
            stacked = self.r.new_zeros(k + p, p + 1)
            stacked[:k, :p], stacked[:k, p] = self.r, self.rhs
            stacked[k:, :p].fill_diagonal_(math.sqrt(damping))
            small = torch.linalg.qr(stacked, mode="r").R
            delta = torch.linalg.solve_triangular(small[:p, :p], small[:p, p:], upper=True)[:, 0]
            left = self.rhs - self.r @ delta
        return delta / self.scale, float(self.rhs.square().sum() - left.square().sum())


def _metric(jacobian: Tensor, before: Tensor, scaling: str) -> Tensor:
    """The diagonal of D."""
    if scaling == "uniform":
        size = float(jacobian.norm()) / math.sqrt(before.numel())
        return torch.full_like(before, size or 1.0)
    # a column that is zero (a dead neuron) keeps its weight where it is
    return torch.maximum(before, jacobian.norm(dim=0)).clamp_min(1e-12 * float(jacobian.abs().max()) or 1.0)


def _default_jacobian(residual: Residual, theta: Tensor, rows: int) -> Callable[[Tensor], Tensor]:
    """Forward mode where there are fewer parameters than residuals, reverse mode otherwise."""
    return jacfwd(residual) if theta.numel() <= rows else jacrev(residual)


def least_squares(
    residual: Residual,
    theta: Tensor,
    options: GaussNewton | None = None,
    *,
    jacobian: Callable[[Tensor], Tensor] | None = None,
    callback: Callable[[int, float], None] | None = None,
    raise_on_failure: bool = False,
) -> LeastSquaresSolution:
    """Minimise ½|r(θ)|² by Levenberg–Marquardt: δ = argmin |J δ + r|² + λ|D δ|², θ ← θ + δ when |r| falls.

    With ``scaling="columns"`` D holds the largest norm that each column of J has had (Moré's scaling: slopes, centres
    and weights of a network differ by orders of magnitude, and with D = I the first fit of a neural field takes ten
    times as many iterations). With ``"uniform"`` D is a multiple of the identity. J is nearly singular, so D decides
    which of many equal fits is taken: the identity takes the one with the shortest way in θ, which moves features more
    than it reshapes them. A field that follows a moving target then moves evenly and the next fit starts from a good
    extrapolation; with column scaling it wanders, and after a while its fits no longer converge.

    λ follows the gain ratio ρ = (|r|² − |r_new|²) / predicted decrease by Nielsen's rule:
    λ ← λ·max(1/10, 1 − (2ρ − 1)³) on success and λ ← λ·ν, ν ← 2ν on failure.

    Args:
        residual: θ ``(p,)`` → r ``(n,)``.
        theta: start, ``(p,)``.
        options: tolerances and damping; see :class:`GaussNewton`.
        jacobian: θ → ∂r/∂θ ``(n, p)``; made by automatic differentiation if None.
        callback: called with (iteration, |r|) after each accepted step.
        raise_on_failure: raise where no tolerance was reached, instead of returning the best θ found.

    Raises:
        NonFiniteError: if r is NaN or Inf at the start.
        NotConvergedError: with ``raise_on_failure``, if ``maxiter`` is spent or no step helps.

    Source: J. J. Moré, Lecture Notes in Mathematics 630 (1978), for D; H. B. Nielsen, Damping
    parameter in Marquardt's method, IMM-REP-1999-05, DTU.

    Example:
        >>> rosenbrock = lambda z: torch.stack([10 * (z[1] - z[0] ** 2), 1 - z[0]])
        >>> start = torch.tensor([-1.2, 1.0], dtype=torch.float64)
        >>> least_squares(rosenbrock, start, GaussNewton(maxiter=50, atol=1e-12)).theta
        tensor([1.0000, 1.0000], dtype=torch.float64)
    """
    options = options or GaussNewton()
    begin = time.perf_counter()
    theta = theta.detach()
    with torch.no_grad():
        r = residual(theta)
    jacobian = jacobian or _default_jacobian(residual, theta, r.numel())
    size2 = float(r.square().sum())
    history = [math.sqrt(size2)] if math.isfinite(size2) else [math.nan]
    target = max(options.atol, options.rtol * history[0])
    status, iterations, damping, growth = Status.MAXITER, 0, options.damping, 2.0
    if not math.isfinite(size2):
        status = Status.NON_FINITE
    elif history[0] <= target:
        status = Status.CONVERGED_ATOL
    linear: _Linearised | None = None
    scale = torch.zeros_like(theta)
    while status is Status.MAXITER and iterations < options.maxiter:
        if linear is None:
            with torch.no_grad():
                j = jacobian(theta)
            scale = _metric(j, scale, options.scaling)
            linear = _Linearised(j, r, scale, options)
        delta, predicted = linear.step(damping)
        iterations += 1
        with torch.no_grad():
            trial = residual(theta + delta)
        new2 = float(trial.square().sum())
        gain = (size2 - new2) / predicted if predicted > 0 and math.isfinite(new2) else -1.0
        if gain > 1e-3:
            fraction = 1 - math.sqrt(new2 / size2)
            theta, r, size2, linear = theta + delta, trial, new2, None
            damping, growth = max(damping * max(0.1, 1 - (2 * gain - 1) ** 3), 1e-15), 2.0
            history.append(math.sqrt(size2))
            if callback:
                callback(iterations, history[-1])
            if history[-1] <= target:
                status = Status.CONVERGED_ATOL if target == options.atol else Status.CONVERGED_RTOL
            elif fraction < options.stall and gain > 0.25:
                status = Status.STAGNATED
        else:
            damping, growth = damping * growth, growth * 2
            if predicted <= 1e-15 * size2 or damping > 1e30:
                status = Status.STAGNATED
    result = LeastSquaresSolution(theta, status, history[-1], iterations, tuple(history), time.perf_counter() - begin)
    if status is Status.NON_FINITE:
        raise NonFiniteError(f"least squares: the residual is not finite at the start; {status.remedy}.", result)
    if raise_on_failure:
        raise_for(status, "least squares", result)
    return result
