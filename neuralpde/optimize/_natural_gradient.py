"""The minimum of an energy by natural gradients."""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from neuralpde.optimize._least_squares import SCALINGS
from neuralpde.types import Status, UsageError

WINDOW = 10
"""Iterations over which the fall of the energy is looked at."""

LEAST, MOST = 1e-12, 1e12
"""Of the damping."""

ENOUGH = 1e-2
"""Share of the promised fall from which a step is taken."""

FORGET = 0.9
"""By which the scaling of earlier steps shrinks at each new metric."""


@dataclass(frozen=True)
class NaturalGradient:
    """Options of :func:`natural_gradient`.

    Args:
        maxiter: most linear solves, rejected ones included (50–400 for a solid that starts undeformed, 10–50 for a
            time step).
        rtol: stop when a step promises less than that share of the energy's size.
        stall: stop when the energy has fallen by less than that share of its size over ten iterations.
        damping: first damping λ; dimensionless.
        rows: of the metric for each weight: it is made from that many, at points drawn anew at each iteration (4–12).
            ``inf`` takes all points.
        scaling: the D in which steps are kept short: ``"columns"`` (every weight by its own effect; fields that start
            anywhere) or ``"uniform"`` (all weights alike; fields that follow a motion, so that they move evenly and the
            next one is well predicted). None takes what suits the problem, and ``"columns"`` where that is not known.
        settle: whether every step ends with :meth:`Energy.settled` (a nearly incompressible body needs it; fields that
            follow a motion move more evenly without). None takes what suits the problem, and True where that is not
            known.
        accept: largest error that the tangent space could still remove, in the energy norm and relative to that of the
            solution, of a result that is usable; ``inf`` takes any.
        seconds: stop after that time; ``inf`` never does.

    Raises:
        UsageError: for numbers that are not positive, or an unknown scaling.
    """

    maxiter: int = 300
    rtol: float = 1e-6
    stall: float = 1e-5
    damping: float = 1e-3
    rows: float = 8.0
    scaling: str | None = None
    settle: bool | None = None
    accept: float = 5e-2
    seconds: float = math.inf

    def __post_init__(self) -> None:
        for name in ("maxiter", "damping", "rows", "accept", "seconds"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} of NaturalGradient must be positive; got {getattr(self, name)}.")
        if self.scaling not in (None, *SCALINGS):
            raise UsageError(f"scaling is one of {', '.join(SCALINGS)}; got {self.scaling!r}.")
        for name in ("rtol", "stall"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} of NaturalGradient must not be negative; got {getattr(self, name)}.")


@dataclass(frozen=True)
class EnergySolution:
    """Outcome of minimising an energy E(θ).

    Args:
        theta: the lowest θ found, ``(p,)``.
        status: why the iteration ended.
        energy: E there.
        decrement: −g·δ of the latest step with no more than the first damping, or the largest of ten where the
            iteration has not converged: about twice the energy that the tangent space could still remove, the square of
            an error in the energy norm.
        iterations: linear solves.
        history: E after each accepted step, the start first.
        seconds: wall time.
    """

    theta: Tensor
    status: Status
    energy: float
    decrement: float
    iterations: int
    history: tuple[float, ...]
    seconds: float


class Energy(ABC):
    """What natural gradients have to know of E(θ)."""

    @abstractmethod
    def value(self, theta: Tensor) -> float:
        """E; infinite or NaN where θ is not admissible."""

    @abstractmethod
    def gradient(self, theta: Tensor) -> Tensor:
        """∂E/∂θ, ``(p,)``."""

    @abstractmethod
    def metric(self, theta: Tensor, rows: float) -> Tensor:
        """H, ``(p, p)``, symmetric and positive semi-definite; the lower triangle is read.

        Args:
            theta: where.
            rows: for each weight, that an estimate of it is made from.
        """

    def settled(self, theta: Tensor) -> Tensor:
        """θ with the best of those weights that are easily found for the others at hand, where there are any."""
        return theta

    @abstractmethod
    def size(self, theta: Tensor) -> float:
        """The size of the parts of E, which a change of it is small against."""


def natural_gradient(
    energy: Energy,
    theta: Tensor,
    options: NaturalGradient | None = None,
    callback: Callable[[Tensor, float], bool] | None = None,
) -> EnergySolution:
    """Minimise E(θ) by damped steps of its natural gradient: δ = −(H + λ D²)⁻¹ ∇E, θ ← θ + δ where E falls.

    E(θ) = Π(u_θ) is the energy of a field. With J = ∂u/∂θ and Π″ the Hessian of Π in the space of fields, its negative
    eigenvalues clamped, H = Jᵀ Π″ J: Newton's method for Π whose step is projected on the fields J δ, orthogonally in
    the energy. D holds the square roots of the largest diagonal that H has had lately (Moré's scaling), or their
    mean; λ follows the
    ratio of E's fall to the one that the model promises, by Nielsen's rule. H may be an estimate from few rows: E and
    its gradient alone say where the minimum is.

    Args:
        energy: what is minimised.
        theta: start, ``(p,)``, where E is finite.
        options: tolerances and damping.
        callback: is given θ and E after each step that is taken; True ends the iteration.

    Source: Müller & Zeinhofer, Achieving high accuracy with PINNs via energy natural gradient descent, ICML 2023, here
    with the second derivative of a nonlinear energy; Nielsen, IMM-REP-1999-05, DTU, for λ.

    Example: E(θ) = ½ (θ − 1)², whose metric is 1.
        >>> class Parabola(Energy):
        ...     def value(self, theta):
        ...         return 0.5 * float((theta - 1).square().sum())
        ...     def gradient(self, theta):
        ...         return theta - 1
        ...     def metric(self, theta, rows):
        ...         return torch.eye(1)
        ...     def size(self, theta):
        ...         return 1.0
        >>> round(float(natural_gradient(Parabola(), torch.zeros(1), NaturalGradient(rtol=1e-12)).theta), 3)
        1.0
    """
    options = options or NaturalGradient()
    begin = time.perf_counter()
    descent = _Descent(energy, theta.detach(), options)
    status, iterations = Status.MAXITER, 0
    while math.isfinite(descent.value) and iterations < options.maxiter:
        iterations += 1
        taken = descent.advance()
        status = descent.status()
        if status is Status.MAXITER and taken and callback is not None and callback(descent.theta, descent.value):
            status = Status.STAGNATED
        if status is not Status.MAXITER or time.perf_counter() - begin > options.seconds:
            break
    if not math.isfinite(descent.value):
        status = Status.NON_FINITE
    seconds = time.perf_counter() - begin
    history = tuple(descent.history)
    return EnergySolution(descent.theta, status, descent.value, descent.decrement, iterations, history, seconds)


class _Descent:
    """θ on its way down."""

    def __init__(self, energy: Energy, theta: Tensor, options: NaturalGradient) -> None:
        self.energy, self.options, self.theta = energy, options, theta
        self.value = energy.value(theta)
        self.history, self._decrements = [self.value], list[float]()
        self._damping, self._growth, self._scale = options.damping, 2.0, torch.zeros_like(theta)
        self._model: _Model | None = None
        self._promised = self._gain = self._open = self._removable = math.nan

    @property
    def decrement(self) -> float:
        """−g·δ of the latest free step, or the largest of ten where they go on; infinite before the first."""
        latest = self._decrements[-1:] if self.status() is Status.CONVERGED_RTOL else self._decrements[-WINDOW:]
        return max(latest, default=math.inf)

    def advance(self) -> bool:
        """Try a step; whether it was taken."""
        energy, fresh = self.energy, False
        if self._model is None:
            metric = energy.metric(self.theta, self.options.rows)
            even = self.options.scaling == "uniform"
            self._model = _Model(metric, energy.gradient(self.theta), FORGET * self._scale, even)
            self._scale = self._model.scale
            # a step that is kept short promises little for that reason alone: what is open is what a free one promises
            found = self._model.step(min(self._damping, self.options.damping))
            _, self._open, self._removable = found
            if self._open <= self.options.rtol * energy.size(self.theta):
                self._decrements.append(self._removable)
                return False
            fresh = self._damping <= self.options.damping
        step, self._promised, _ = found if fresh else self._model.step(self._damping)
        trial, new = self.theta, math.nan
        if self._promised > 0:
            trial = self._settled(self.theta + step)
            new = energy.value(trial)
        self._gain = (self.value - new) / self._promised if math.isfinite(new) else -1.0
        if self._gain <= ENOUGH:
            self._damping, self._growth = self._damping * self._growth, 2 * self._growth
            return False
        self.theta, self.value, self._model = trial, new, None
        self._damping, self._growth = max(self._damping * max(0.2, 1 - (2 * self._gain - 1) ** 3), LEAST), 2.0
        self.history.append(new)
        self._decrements.append(self._removable)
        return True

    def _settled(self, theta: Tensor) -> Tensor:
        return self.energy.settled(theta) if self.options.settle is not False else theta

    def status(self) -> Status:
        """MAXITER as long as there is something to do."""
        size, history = self.energy.size(self.theta), self.history
        if self._open <= self.options.rtol * size:
            return Status.CONVERGED_RTOL
        flat = len(history) > WINDOW and history[-WINDOW - 1] - history[-1] < self.options.stall * size
        return Status.STAGNATED if flat or self._damping > MOST else Status.MAXITER


class _Model:
    """E(θ + δ) ≈ E + g·δ + ½ δ·Hδ at one θ, in variables D δ."""

    def __init__(self, metric: Tensor, gradient: Tensor, before: Tensor, even: bool) -> None:
        diagonal = metric.diagonal().clamp_min(0)
        sizes = diagonal.mean().expand_as(diagonal) if even else diagonal
        self.scale = torch.maximum(before, sizes.sqrt())
        # a weight without effect (a dead neuron) stays where it is
        self._size = self.scale.clamp_min(1e-10 * float(self.scale.max()) or 1.0)
        self._metric = metric / self._size[:, None] / self._size
        self._gradient = gradient / self._size

    def step(self, damping: float) -> tuple[Tensor, float, float]:
        """δ, the fall of E that the model promises, and −g·δ; NaN where H + λD² is not positive definite."""
        shifted = self._metric.clone()
        shifted.diagonal().add_(damping)
        lower, failed = torch.linalg.cholesky_ex(shifted)
        if int(failed):
            return torch.zeros_like(self._gradient), math.nan, math.nan
        step = -torch.cholesky_solve(self._gradient[:, None], lower)[:, 0]
        slope = -float(self._gradient @ step)
        # (H + λ) δ = −g, so that δ·Hδ = −g·δ − λ|δ|²
        bend = slope - damping * float(step.square().sum())
        return step / self._size, slope - 0.5 * bend, slope
