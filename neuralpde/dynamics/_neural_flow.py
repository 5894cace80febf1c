"""Incompressible flow on a neural velocity that is free of divergence by construction."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from neuralpde.dynamics._function_space import row_jacobian, stage_of
from neuralpde.dynamics._solenoidal import Momentum, SolenoidalFits
from neuralpde.fields import Field
from neuralpde.geometry import cosine_lattice
from neuralpde.integrators import Blend, Dynamics, Stage, State, Terms
from neuralpde.optimize import GaussNewton, least_squares
from neuralpde.problems import IncompressibleFlow
from neuralpde.representations import NeuralFlow
from neuralpde.types import UsageError

STEADY_FLOW = GaussNewton(maxiter=75, stall=0.0, damping=1e-4, atol=1e-9)
"""A steady flow starts from random weights."""

PRESSURE = GaussNewton(maxiter=60, stall=1e-3, damping=1e-4)
"""The pressure's fit, from the last pressure."""


class NeuralFlowDynamics(Dynamics):
    """Stages θ = argmin Σ_q |u_θ(x_q) − u_base(x_q) − Σ c_j F_j(x_q)|², F = −u·∇u + ν Δu, over velocities u_θ = ∇×A_θ.

    The gradient of a pressure is orthogonal to every velocity without divergence: the fit leaves it over, so it
    projects by itself, and a Runge–Kutta method keeps its order. The gradient part is taken out of the target by
    Fourier transforms on the lattice all the same, because a fit knows by its residual when it is done. The pressure is
    computed where it is asked for: p minimising Σ_q (Δp + Σ_ij ∂_i u_j ∂_j u_i)².

    Args:
        problem: the flow.
        representation: velocity and pressure.
        fit: options of the velocity's fits, or of the steady one (``STEADY_FLOW``).
        points: number of quadrature points (default 3p/d).
        pressure_fit: options of the pressure's fits.

    Source: Leray's projection; for stages in function space TENG, Chen et al., ICML 2024.
    """

    explicit_only = True
    constrained = True
    settles = True

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
        return self.velocity.slope(t, self.representation.split(theta)["velocity"], part)

    def explicit(self, base: State, terms: Terms, t: float, guess: Tensor | None = None) -> Stage:
        r = self.representation
        parts = r.split(base.theta)
        start = None if guess is None else r.split(guess)["velocity"]
        stage = self.velocity.explicit(State(base.t, parts["velocity"]), terms, t, start)
        theta = r.join({"velocity": stage.theta, "pressure": parts["pressure"]})
        return Stage(theta, stage.status, stage.residual, stage.iterations)

    def implicit(
        self, base: State, terms: Terms, gamma: float, t: float, guess: Tensor | None = None, part: str | None = None
    ) -> Stage:
        raise UsageError("a neural flow takes explicit stages; use RK4, or a MacGrid with another integrator.")

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
        if self.representation.velocity.walls is not None:
            raise UsageError("a neural flow between walls is solved to its steady state only; march on a MacGrid.")

    def steady(self, guess: Tensor) -> Stage:
        """θ minimising Σ_q w_q |−u·∇u + ν Δu − ∇p|², velocity and pressure together.

        Points are dense towards walls, and weights fall towards the corners of moving walls, where every term is
        infinite.
        """
        r, problem = self.representation, self.problem
        if not problem.viscosity:
            raise UsageError(f"{problem.name} without viscosity has many steady flows: give it a viscosity.")
        if r.velocity.walls is None:
            raise UsageError(
                "nothing holds the velocity along the periodic axis, so that this flow has many steady states: march "
                "with simulate(problem, representation, RK4(), dt=, t_end=)."
            )
        q = cosine_lattice(r.domain, self.points or 3 * r.num_dofs // r.dim, r.boundary.periodic, r.dtype, r.device)
        x, root = q.points, (q.weights / q.weights.sum()).sqrt()
        if r.velocity.walls is not None:
            root = root * r.velocity.walls.calm(x)
        needs = frozenset({"value", "grad", "laplacian"})

        def rows(theta: Tensor, points: Tensor) -> Tensor:
            parts = r.split(theta)
            u = r.velocity.at(parts["velocity"]).jet(points, needs)
            slope = r.pressure.at(parts["pressure"]).jet(points, frozenset({"grad"})).grad[:, 0]
            return problem.momentum(0.0, points, u) - slope

        def residual(theta: Tensor) -> Tensor:
            return (root[:, None] * rows(theta, x)).T.reshape(-1)

        def jacobian(theta: Tensor) -> Tensor:
            return torch.cat([root[:, None] * row_jacobian(rows, theta, x, c) for c in range(r.dim)])

        options = self.fit or STEADY_FLOW
        fit = least_squares(residual, guess, options, jacobian=jacobian)
        return stage_of(fit, options.accept * fit.history[0])

    def constrain(self, state: State, dt: float, increment: bool = False) -> Stage:
        """The state itself: its divergence is zero."""
        return Stage(state.theta)

    def complete(self, t: float, theta: Tensor) -> Tensor:
        r = self.representation
        parts = r.split(theta)
        x = r.pressure.quadrature().points
        source = pressure_source(r.velocity.at(parts["velocity"], t), x)
        n = x.shape[0]
        level = 1 / r.domain.volume ** (2 / r.dim)  # rows of Δp and of the mean of p have one unit

        def rows(weights: Tensor, points: Tensor) -> Tensor:
            return r.pressure.at(weights, t).jet(points, frozenset({"laplacian"})).laplacian

        def residual(weights: Tensor) -> Tensor:
            mean = r.pressure.at(weights, t)(x).mean()
            return torch.cat([(rows(weights, x) - source)[:, 0] / math.sqrt(n), level * mean[None]])

        def jacobian(weights: Tensor) -> Tensor:
            mean = r.pressure.jacobian(weights, x).mean(0, keepdim=True)
            return torch.cat([row_jacobian(rows, weights, x, 0) / math.sqrt(n), level * mean])

        fit = least_squares(residual, parts["pressure"], self.pressure_fit, jacobian=jacobian)
        return r.join({"velocity": parts["velocity"], "pressure": fit.theta})


def pressure_source(u: Field, x: Tensor) -> Tensor:
    """Δp = −Σ_ij ∂_i u_j ∂_j u_i of a velocity without divergence, ``(n, 1)``."""
    with torch.no_grad():
        gradient = u.jet(x, frozenset({"value", "grad"})).grad
    return -torch.einsum("nij,nji->n", gradient, gradient)[:, None]
