"""Newton's method for the minimum of an energy, with a line search."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from neuralpde.dynamics._newton import ARMIJO, HALVINGS
from neuralpde.integrators import Stage
from neuralpde.types import Status

ROUNDING = 1e-9
"""A gradient below that share of the largest force that no step reduces has come down to rounding."""

NEAR = 1e-8
"""Fall that a step promises, over the size of the energy, below which energies no longer tell: the density of a small
strain keeps half of its digits."""

FLAT = 0.5
"""Slope uphill at the end of such a step over that downhill at its start, at most."""

SHARES = (0.0, 0.25, 1.0)
"""Of the projected Hessian in the one that a step is made with: more where a step fails, less after a full one. A
quarter is positive definite nearly wherever one is asked for, and takes a tenth of the steps of the whole where a body
is pressed together or pulled far."""

REDUCTION = 0.5
"""A full step that divides the gradient by two shows that the minimum is near: the exact Hessian is tried again."""


STRAYED = 50
"""Steps in a row that end beyond what can be believed, after which no way back is hoped for: fine elements at
corners of bodies that hardly change their volume come back from 26."""


class Objective(ABC):
    """What Newton's method has to know of an energy E(θ)."""

    @abstractmethod
    def energy(self, theta: Tensor) -> tuple[float, float]:
        """E, infinite or NaN where θ is not admissible, and the size of the parts that it is summed from."""

    @abstractmethod
    def gradient(self, theta: Tensor) -> tuple[Tensor, float]:
        """∇E ``(p,)``, and the size of the forces that it is summed from."""

    @abstractmethod
    def newton(self, theta: Tensor, gradient: Tensor, share: float, rtol: float, fall: float) -> Tensor | None:
        """H⁻¹∇E of H = (1 − share) ∂²E + share (∂²E)₊, exact and projected Hessian; None where it is not positive
        definite.

        Args:
            theta: where.
            gradient: ∇E.
            share: of the projected Hessian, 0 to 1.
            rtol: relative residual with which ∇E would be zero at once, were E quadratic.
            fall: ‖∇E‖ over what it was before the last step, 0 at the first.
        """

    @abstractmethod
    def longest(self, theta: Tensor, step: Tensor) -> float:
        """The largest s ≤ 1 for which θ − s·step is admissible."""

    def resolution(self, theta: Tensor) -> float:
        """Largest entry of a step that places cannot resolve, by their rounding: then θ is the minimum."""
        return 0.0

    def strayed(self, theta: Tensor) -> bool:
        """Whether θ is no state of the body, though its energy is finite; on the way to the minimum it may be."""
        return False


def minimise(objective: Objective, theta: Tensor, rtol: float, maxiter: int) -> Stage:
    """A θ with ∇E = 0 that is lower than the start, by Newton's method and a line search on the energy.

    The exact Hessian is taken where it is positive definite, so that convergence is quadratic near the minimum. Where
    it is not, one whose elements are positive semi-definite leads downhill from anywhere, in many small steps: the
    negative parts that it leaves out are what geometry takes from the stiffness. A mixture of both is tried first. A
    step is halved until the energy falls by 1e-4 of what its slope promises; where energies agree to rounding the slope
    itself decides.

    Args:
        objective: the energy.
        theta: start, admissible.
        rtol: stop when ‖∇E‖ is below rtol times the size of the forces that balance.
        maxiter: most iterations.

    Returns:
        The stage, with the norms of all gradients in its history.

    Source: Nocedal & Wright, Numerical Optimization (2006), chapters 3.1 and 3.4.
    """
    g, scale = objective.gradient(theta)
    history, level, before, strayed = [float(g.norm())], 0, math.inf, 0
    eps = torch.finfo(theta.dtype).eps
    rtol = max(rtol, 2 * eps)

    def stage(status: Status) -> Stage:
        return Stage(theta, status, history[-1], len(history) - 1, tuple(history))

    while math.isfinite(history[-1]):
        norm = history[-1]
        if norm <= rtol * scale or norm <= 1e-300:
            return stage(Status.CONVERGED_RTOL)
        low = norm <= ROUNDING * scale
        if low and norm > 0.1 * before and not level:
            return stage(Status.CONVERGED_ATOL)
        if len(history) > maxiter:
            return stage(Status.MAXITER)
        found = None
        for share in SHARES[level:]:
            step = objective.newton(theta, g, share, 0.5 * rtol * scale / norm, norm / before)
            if step is not None and float(step.abs().max()) <= objective.resolution(theta):
                return stage(Status.CONVERGED_ATOL)
            found = None if step is None else _along(objective, theta, g, step)
            level = SHARES.index(share)
            if found is not None:
                break
        if found is None:
            return stage(Status.CONVERGED_ATOL if low else Status.UPHILL)
        s, theta = found
        strayed = strayed + 1 if objective.strayed(theta) else 0
        if strayed == STRAYED:
            return stage(Status.INVERTED)
        g, scale = objective.gradient(theta)
        before = norm
        history.append(float(g.norm()))
        if s == 1.0 and history[-1] < norm:  # where it grows the way leads out of a saddle point
            level = 0 if history[-1] <= REDUCTION * norm else max(0, level - 1)
    return stage(Status.NON_FINITE)


def _along(objective: Objective, theta: Tensor, g: Tensor, step: Tensor) -> tuple[float, Tensor] | None:
    """The first of s = s₀, s₀/2, … and θ − s·step whose energy has fallen enough; None where none has."""
    fall = float(g @ step)
    if not (fall > 0 and math.isfinite(fall)):
        return None
    (energy, size), s = objective.energy(theta), objective.longest(theta, step)
    for _ in range(HALVINGS):
        trial = theta - s * step
        change = objective.energy(trial)[0] - energy
        if s * fall > NEAR * size:
            better = change <= -ARMIJO * s * fall
        else:
            better = abs(change) <= NEAR * size and -float(objective.gradient(trial)[0] @ step) <= FLAT * fall
        if better:
            return s, trial
        s *= 0.5
    return None
