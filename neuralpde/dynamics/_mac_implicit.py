"""Implicit stages of incompressible flow on a staggered grid, by Newton's method."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuralpde.integrators import Stage, State
from neuralpde.linalg import CallableOperator, solve_linear
from neuralpde.types import Status

if TYPE_CHECKING:
    from neuralpde.dynamics._mac import MacDynamics

NEWTON_STEPS, KRYLOV_STEPS = 12, 60
"""Most Newton steps of a stage, and most GMRES steps of each."""
INNER_RTOL = 1e-3
"""How well each Newton step is solved for: the sum of all GMRES steps hardly depends on it."""
EXACT, CLOSE = 8, 512
"""Residuals, in roundings of the equation's terms, that end the iteration, and that will do where it ends itself."""
HALVINGS = 4
"""How often a Newton step that makes the residual larger is halved."""


class ImplicitStage:
    """u = P(u* + γ (A(u) + ν Δ_h u)), the exact projected stage, solved to rounding.

    Newton's method; its linear systems (1 − γ P F′(u)) δ = −R by GMRES with P (1 − γ ν Δ_h)⁻¹, one fast solve per
    component and one projection, as preconditioner. That is the inverse itself on periodic boxes without advection; at
    walls, where P and Δ_h do not commute, it takes a few steps more, and advection some for each cell that the flow
    crosses in γ. F is quadratic, so that F′(u) δ = (F(u + δ) − F(u − δ))/2 exactly.

    Without viscosity the fixed-point iteration u ← P(u* + γ A(u)) would do for short steps; with it the iteration is
    bound to the explicit limit, which is what one wants to be rid of.

    Args:
        dynamics: the :class:`~neuralpde.dynamics.MacDynamics`.
        target: θ with the velocity u*.
        gamma: γ.
        t: of the stage.
    """

    def __init__(self, dynamics: MacDynamics, target: Tensor, gamma: float, t: float) -> None:
        self.dynamics, self.target, self.gamma, self.t = dynamics, target, gamma, t
        self.grid = dynamics.representation
        self.rest = self.grid.split(target)["pressure"]
        self.largest = float(self.grid.split(target)["velocity"].abs().max())

    def solve(self, guess: Tensor) -> Stage:
        """The stage from a guess of θ.

        Returns:
            θ with the pressure of the stage, the largest residual, GMRES steps.
        """
        first = self.dynamics.constrain(State(self.t, guess), 0.0)
        u, steps = self.grid.split(first.theta)["velocity"], 0
        residual, image, scale = self._residual(u)
        for _ in range(NEWTON_STEPS):
            size = float(residual.abs().max())
            if not size > EXACT * scale:
                break
            delta, count = self._newton_step(u, residual)
            steps += count
            for k in range(HALVINGS + 1):
                trial = u + delta / 2**k
                after, moved, larger = self._residual(trial)
                if float(after.abs().max()) < size:
                    break
            if not float(after.abs().max()) < size:
                break
            u, residual, image, scale = trial, after, moved, larger
        size = float(residual.abs().max())
        theta = self.grid.join({"velocity": u, "pressure": self.grid.split(image.theta)["pressure"]})
        status = Status.CONVERGED_RTOL if size <= EXACT * scale else Status.CONVERGED_ATOL
        if not bool(torch.isfinite(theta).all()):
            status = Status.NON_FINITE
        elif not image.status.ok:
            status = image.status
        elif not size <= CLOSE * scale:
            status = Status.UNSOLVED_STAGE
        return Stage(theta, status, size, steps)

    def _theta(self, velocity: Tensor) -> Tensor:
        return self.grid.join({"velocity": velocity, "pressure": self.rest})

    def _residual(self, u: Tensor) -> tuple[Tensor, Stage, float]:
        """R = u − P(u* + γ F(u)), the projected stage itself, and the rounding of what R is added up from."""
        slope = self.dynamics.slope(self.t, self._theta(u))
        moved = self.grid.split(self.target)["velocity"] + self.gamma * slope
        stage = self.dynamics.constrain(State(self.t, self._theta(moved)), self.gamma)
        speed, h = max(float(u.abs().max()), self.largest), min(self.grid.spacing)
        rates = self.grid.dim * (4 * self.dynamics.problem.viscosity / h**2 + 2 * speed / h)
        rounding = torch.finfo(u.dtype).eps * speed * (1 + abs(self.gamma) * rates)
        # rounding leaves a little of R that is no velocity without divergence, which no step could mend
        return self.dynamics.projected(u - self.grid.split(stage.theta)["velocity"]), stage, rounding

    def _newton_step(self, u: Tensor, residual: Tensor) -> tuple[Tensor, int]:
        dynamics, size = self.dynamics, float(u.abs().max()) or 1.0

        def turned(delta: Tensor) -> Tensor:
            """(1 − γ P F′(u)) δ."""
            delta = delta.reshape(u.shape)
            step = size / (float(delta.abs().max()) or 1.0)  # of u's own size, where rounding is least
            ends = [dynamics.slope(self.t, self._theta(u + sign * step * delta)) for sign in (1, -1)]
            change = (ends[0] - ends[1]) / (2 * step)
            return (delta - self.gamma * dynamics.projected(change)).reshape(-1)

        def smoothed(delta: Tensor) -> Tensor:
            """P (1 − γ ν Δ_h)⁻¹ δ."""
            return dynamics.projected(dynamics.undiffused(delta.reshape(u.shape), self.gamma)).reshape(-1)

        n = u.numel()
        matrix = CallableOperator((n, n), turned, dtype=u.dtype, device=u.device)
        solution = solve_linear(
            matrix,
            -residual.reshape(-1),
            solver="gmres",
            M=smoothed,
            rtol=INNER_RTOL,
            maxiter=KRYLOV_STEPS,
            raise_on_failure=False,
        )
        return solution.x.to(u).reshape(u.shape), solution.iterations
