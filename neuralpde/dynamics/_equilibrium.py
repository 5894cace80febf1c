"""Newton's method for forces without a potential: those that change with the state which they act on."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuralpde.dynamics._newton import Iterate, downhill
from neuralpde.integrators import Stage
from neuralpde.types import NotConvergedError, Status

if TYPE_CHECKING:
    from neuralpde.dynamics._body_energy import BodyEnergy

SMALLEST = 1e-8
"""Relative residual below which an equilibrium that comes no nearer has come down to rounding."""

ITERATIONS = 25
"""Most steps: where quadratic convergence has not begun by then it does not."""


class Equilibrium:
    """g(θ) = 0 of all forces, pressures that follow the body and friction taken at θ itself.

    Newton's matrix is the whole ∂g/∂θ, which is not symmetric: it holds the load stiffness of pressures, and how
    friction grows with the force between what rubs.

    Args:
        body: the energy with what follows frozen, its forces and its Hessian.
        maxiter: most iterations.
    """

    def __init__(self, body: BodyEnergy, maxiter: int) -> None:
        self.body, self.maxiter = body, min(maxiter, ITERATIONS)

    def residual(self, theta: Tensor) -> tuple[Tensor, float]:
        """g with nothing frozen that follows, and the size of the forces that it is summed from."""
        self.body.relag(theta)
        return self.body.gradient(theta)

    def solved(self, theta: Tensor, rtol: float) -> Stage:
        """The equilibrium near a state.

        Args:
            theta: start, admissible.
            rtol: stop when ‖g‖ is below rtol times the size of the forces.

        Source: Holzapfel, Nonlinear Solid Mechanics (2000), section 8.6, for the load stiffness; Deuflhard, Newton
        Methods for Nonlinear Problems (2004), chapter 3.3, for the search.
        """
        g, scale = self.residual(theta)
        history = [float(g.norm())]
        rtol = max(rtol, 2 * torch.finfo(theta.dtype).eps)
        while math.isfinite(history[-1]):
            norm = history[-1]
            low = norm <= SMALLEST * scale
            if norm <= max(rtol * scale, 1e-300):
                return Stage(theta, Status.CONVERGED_RTOL, norm, len(history) - 1, tuple(history))
            stalled = len(history) > 1 and norm > 0.1 * history[-2]
            found = None if low and stalled else self._next(theta, g, norm, scale)
            if found is None or len(history) > self.maxiter:
                status = Status.CONVERGED_ATOL if low else Status.UNSETTLED
                return Stage(theta, status, norm, len(history) - 1, tuple(history))
            theta, g, scale = found.theta, found.residual, float(found.linear)
            history.append(found.norm)
        return Stage(theta, Status.NON_FINITE, history[-1], len(history) - 1, tuple(history))

    def _next(self, theta: Tensor, g: Tensor, norm: float, scale: float) -> Iterate | None:
        """The state after one step."""
        body = self.body
        self.residual(theta)
        try:
            factors = body.body.systems.factors(body.tangent(theta), once=True)
            step = body.body.systems.solve(factors, g, 1e-6)

            def natural(residual: Tensor) -> Tensor:
                return body.body.systems.solve(factors, residual, 1e-3)

            return downhill(
                lambda trial: self._iterate(theta, trial), Iterate(theta, g, norm), step, scale, natural=natural
            )
        except NotConvergedError:
            return None

    def _iterate(self, start: Tensor, theta: Tensor) -> Iterate:
        if self.body.longest(start, start - theta) < 1.0:
            return Iterate(theta, theta, math.inf)
        g, scale = self.residual(theta)
        return Iterate(theta, g, float(g.norm()), scale)
