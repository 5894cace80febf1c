"""Incompressible flow on a neural velocity that is free of divergence by construction."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from neuralpde.dynamics._function_space import row_jacobian
from neuralpde.dynamics._neural_steady import steady_flow
from neuralpde.dynamics._solenoidal import Momentum, SolenoidalFits
from neuralpde.fields import Field
from neuralpde.integrators import Blend, Dynamics, Stage, State, Terms
from neuralpde.optimize import GaussNewton, least_squares
from neuralpde.problems import IncompressibleFlow
from neuralpde.representations import NeuralFlow
from neuralpde.types import UsageError

PRESSURE = GaussNewton(maxiter=60, stall=1e-3, damping=1e-4)
"""The pressure's fit, from the last pressure."""


class NeuralFlowDynamics(Dynamics):
    """Stages θ = argmin Σ_q w_q |P (u_θ − γ F(u_θ) − u_base − Σ c_j F_j)|²(x_q), F = −u·∇u + ν Δu, over u_θ = ∇×A_θ.

    The gradient of a pressure is orthogonal to every velocity without divergence: a fit leaves it over, so it
    projects by itself, and a Runge–Kutta method keeps its order. P takes the gradient part out of the residual all the
    same (see :class:`SolenoidalFits`): a fit then knows when it is done, and an implicit stage needs no pressure. The
    pressure is computed where it is asked for.

    A start whose F does not vanish on walls at rest grows a layer of thickness √(νt) there, and a lid that starts at
    once has one that is infinitely thin: the first stages of such flows leave larger residuals.

    Args:
        problem: the flow.
        representation: velocity and pressure.
        fit: options of the velocity's fits, or of the steady one (``STEADY_FLOW``).
        points: number of quadrature points (default 3p/d).
        pressure_fit: options of the pressure's fits.

    Source: Leray's projection; for stages in function space TENG, Chen et al., ICML 2024.
    """

    constrained = True
    settles = True
    closer = "more degrees of freedom, more iterations or a closer guess bring it down"

    def __init__(
        self,
        problem: IncompressibleFlow,
        representation: NeuralFlow,
        fit: GaussNewton | None = None,
        points: int | None = None,
        pressure_fit: GaussNewton = PRESSURE,
    ) -> None:
        self.problem, self.representation, self.pressure_fit = problem, representation, pressure_fit
        self.fit, self.points = fit, points
        self.parts = problem.terms()
        velocity = representation.velocity
        self.velocity = SolenoidalFits(Momentum(problem), velocity, fit, points)  # type: ignore[arg-type]

    @property
    def flows(self) -> tuple[bool, ...]:
        # A fit to an advected velocity projects it too, and a splitting needs it before the projection.
        return (False,) * len(self.parts)

    def slope(self, t: float, theta: Tensor, part: str | None = None) -> Callable[[Tensor], Tensor]:
        if part == "pressure":
            return torch.zeros_like  # its gradient is taken out of every stage
        return self.velocity.slope(t, self.representation.split(theta)["velocity"], part)

    def explicit(self, base: State, terms: Terms, t: float, guess: Tensor | None = None) -> Stage:
        return self._staged(base, lambda start, known: self.velocity.explicit(known, terms, t, start), guess)

    def _staged(self, base: State, stage: Callable[[Tensor | None, State], Stage], guess: Tensor | None) -> Stage:
        """A stage of the velocity; the pressure stays as it is."""
        r = self.representation
        parts = r.split(base.theta)
        start = None if guess is None else r.split(guess)["velocity"]
        made = stage(start, State(base.t, parts["velocity"]))
        theta = r.join({"velocity": made.theta, "pressure": parts["pressure"]})
        return Stage(theta, made.status, made.residual, made.iterations)

    def implicit(
        self, base: State, terms: Terms, gamma: float, t: float, guess: Tensor | None = None, part: str | None = None
    ) -> Stage:
        if not gamma:
            return self.explicit(base, terms, t, guess)
        start = base.predict(t) if guess is None else guess
        return self._staged(base, lambda s, known: self.velocity.implicit(known, terms, gamma, t, s, part), start)

    def flow(
        self,
        part: int,
        base: State | Blend,
        dt: float,
        guess: Tensor | None = None,
        carrier: State | Blend | None = None,
    ) -> Stage:
        raise UsageError("a neural flow has no flows of single terms; use RK4, or a MacGrid with a splitting.")

    def check_march(self) -> None:
        walls = self.representation.velocity.walls
        if walls is not None and walls.jumps:
            raise UsageError(
                "a wall that slides past walls at rest makes the velocity jump in its corners, where a neural flow has "
                "no stages; march on a MacGrid, or solve for the steady flow."
            )

    def steady(self, guess: Tensor) -> Stage:
        """See :func:`~neuralpde.dynamics._neural_steady.steady_flow`."""
        return steady_flow(self, guess)

    def constrain(self, state: State, dt: float, increment: bool = False) -> Stage:
        """The state itself: its divergence is zero."""
        return Stage(state.theta)

    def complete(self, t: float, theta: Tensor) -> Tensor:
        """Poisson's equation on the torus; between walls ∇p is the gradient part of F, which has the walls' data too:
        the p that comes closest to F in its gradient has Δp = ∇·F inside and ∂p/∂n = n·F at the walls."""
        r = self.representation
        parts = r.split(theta)
        u = r.velocity.at(parts["velocity"], t)
        if r.velocity.walls is None:
            x = r.pressure.quadrature().points
            weights, wanted = torch.full_like(x[:, 0], 1 / x.shape[0]), pressure_source(u, x)
        else:
            x, weights = self.velocity.quadrature.points, self.velocity.quadrature.weights / r.domain.volume
            wanted = self._gradient_part(t, u, x)
        fit = self._fit_pressure(parts["pressure"], x, weights, wanted)
        return r.join({"velocity": parts["velocity"], "pressure": fit})

    def _gradient_part(self, t: float, u: Field, x: Tensor) -> Tensor:
        """F − P F, ``(q, d)``."""
        with torch.no_grad():
            force = self.problem.momentum(t, x, u.jet(x, self.velocity.problem.needs))
        root = self.velocity.quadrature.weights.sqrt()[:, None]
        rows = (root * force).T.reshape(-1)
        return (rows - self.velocity.restricted(rows, own=False)).reshape(force.shape[1], -1).T / root

    def _fit_pressure(self, start: Tensor, x: Tensor, weights: Tensor, wanted: Tensor) -> Tensor:
        """Weights of the pressure of mean 0 whose Laplacian ``(q, 1)`` or gradient ``(q, d)`` is wanted."""
        r, order = self.representation.pressure, 2 if wanted.shape[1] == 1 else 1
        root = weights.sqrt()[:, None]
        level = 1 / r.domain.volume ** (order / r.dim)  # all rows have one unit

        def rows(theta: Tensor, points: Tensor) -> Tensor:
            if order == 2:
                return r.at(theta).jet(points, frozenset({"laplacian"})).laplacian
            return r.at(theta).jet(points, frozenset({"grad"})).grad[:, 0]

        def residual(theta: Tensor) -> Tensor:
            mean = weights @ r.at(theta)(x)[:, 0]
            return torch.cat([(root * (rows(theta, x) - wanted)).T.reshape(-1), level * mean[None]])

        def jacobian(theta: Tensor) -> Tensor:
            mean = weights @ r.jacobian(theta, x)
            blocks = [root * row_jacobian(rows, theta, x, c) for c in range(wanted.shape[1])]
            return torch.cat([*blocks, level * mean[None]])

        return least_squares(residual, start, self.pressure_fit, jacobian=jacobian).theta


def pressure_source(u: Field, x: Tensor) -> Tensor:
    """Δp = −Σ_ij ∂_i u_j ∂_j u_i of a velocity without divergence, ``(n, 1)``."""
    with torch.no_grad():
        gradient = u.jet(x, frozenset({"value", "grad"})).grad
    return -torch.einsum("nij,nji->n", gradient, gradient)[:, None]
