"""Incompressible flow on a neural velocity that is free of divergence by construction."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from neuralpde.dynamics._neural_steady import steady_flow
from neuralpde.dynamics._solenoidal import Momentum, SolenoidalFits
from neuralpde.fields import Field
from neuralpde.integrators import Dynamics, Stage, State, Terms
from neuralpde.optimize import GaussNewton, least_squares
from neuralpde.problems import IncompressibleFlow
from neuralpde.representations import NeuralFlow
from neuralpde.types import UsageError

PRESSURE = GaussNewton(maxiter=60, stall=1e-3, damping=1e-4, accept=0.05)
"""The pressure's fit, from random weights. Five times the iterations halve what a width of 6 leaves and take nine
tenths away where there are enough weights, but a long fit of Δp on the few points of a 3D box bends between them."""


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
        points: number of quadrature points (default 3p/d, of a steady flow 5p/d).
        pressure_fit: options of the pressure's fits.

    Source: Leray's projection; for stages in function space TENG, Chen et al., ICML 2024.
    """

    constrained = True
    takes_terms = False  # a fit to an advected velocity projects it too, and a splitting needs it before that
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
        self.pressure_misfit = 0.0
        """The largest residual of a pressure's fit so far, as a share of what it fitted before terms cancel."""
        velocity = representation.velocity
        self.velocity = SolenoidalFits(Momentum(problem), velocity, fit, points)  # type: ignore[arg-type]

    @property
    def notes(self) -> tuple[str, ...]:
        if self.pressure_misfit <= self.pressure_fit.accept:
            return ()
        return (
            f"the pressure's fit leaves up to {100 * self.pressure_misfit:.0f} % of the flow's inertia: give "
            "pressure_hidden more weights, or its pressure_fit more iterations (the velocity does not depend on it)",
        )

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
            size = inertia(u, x, weights)
        else:
            x, weights = self.velocity.quadrature.points, self.velocity.quadrature.weights / r.domain.volume
            wanted, size = self._gradient_part(t, u, x), inertia(u, x, weights, carried=True)
        fit = self._fit_pressure(parts["pressure"], x, weights, wanted, size)
        return r.join({"velocity": parts["velocity"], "pressure": fit})

    def _gradient_part(self, t: float, u: Field, x: Tensor) -> Tensor:
        """F − P F, ``(q, d)``."""
        with torch.no_grad():
            force = self.problem.momentum(t, x, u.jet(x, self.velocity.problem.needs))
        root = self.velocity.quadrature.weights.sqrt()[:, None]
        rows = (root * force).T.reshape(-1)
        return (rows - self.velocity.restricted(rows, own=False)).reshape(force.shape[1], -1).T / root

    def _fit_pressure(self, start: Tensor, x: Tensor, weights: Tensor, wanted: Tensor, size: float) -> Tensor:
        """Weights of the pressure of mean 0 whose Laplacian ``(q, 1)`` or gradient ``(q, d)`` is wanted; ``size`` is
        that of the terms whose sum is wanted, which in a parallel flow cancel to a rounding."""
        r, order = self.representation.pressure, 2 if wanted.shape[1] == 1 else 1
        root = weights.sqrt()[:, None]
        level = 1 / r.domain.volume ** (order / r.dim)  # all rows have one unit

        def rows(p: Field) -> tuple[Tensor, Tensor]:
            jet = p.jet(x, frozenset({"value", "laplacian"} if order == 2 else {"value", "grad"}))
            return jet.value[:, 0], root * (jet.laplacian if order == 2 else jet.grad[:, 0])

        def residual(theta: Tensor) -> Tensor:
            value, slopes = rows(r.at(theta))
            return torch.cat([(slopes - root * wanted).T.reshape(-1), level * (weights @ value)[None]])

        def jacobian(theta: Tensor) -> Tensor:
            field = r.taped(theta)
            with torch.enable_grad():
                value, slopes = rows(field)
                columns = slopes.unbind(-1)
            mean = weights @ field.gradients(value)
            return torch.cat([*(field.gradients(column) for column in columns), level * mean[None]])

        fit = least_squares(residual, start, self.pressure_fit, jacobian=jacobian)
        size = max(size, float((root * wanted).norm()))
        # where there is nothing to fit (a fluid at rest) there is nothing to miss
        if size > 1e-9:
            self.pressure_misfit = max(self.pressure_misfit, fit.residual / size)
        return fit.theta


def pressure_source(u: Field, x: Tensor) -> Tensor:
    """Δp = −Σ_ij ∂_i u_j ∂_j u_i of a velocity without divergence, ``(n, 1)``."""
    with torch.no_grad():
        gradient = u.jet(x, frozenset({"value", "grad"})).grad
    return -torch.einsum("nij,nji->n", gradient, gradient)[:, None]


def inertia(u: Field, x: Tensor, weights: Tensor, carried: bool = False) -> float:
    """Root mean square of |∇u|², what Δp is made of, or with ``carried`` of |u − ū| |∇u|, what ∇p is; ū is the mean."""
    with torch.no_grad():
        jet = u.jet(x, frozenset({"value", "grad"}))
    slopes = jet.grad.flatten(1).norm(dim=1)
    mean = (weights[:, None] * jet.value).sum(0) / weights.sum()
    terms = slopes * ((jet.value - mean).norm(dim=1) if carried else slopes)
    return float((weights * terms.square()).sum().sqrt())
