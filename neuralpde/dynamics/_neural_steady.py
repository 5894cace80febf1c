"""Steady incompressible flow on a neural velocity and a neural pressure, by least squares of the momentum equation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from neuralpde.dynamics._function_space import stage_of
from neuralpde.fields import Field
from neuralpde.geometry import cosine_lattice
from neuralpde.integrators import Stage
from neuralpde.optimize import GaussNewton, least_squares
from neuralpde.types import UsageError

STEADY_FLOW = GaussNewton(maxiter=200, stall=0.0, damping=1e-4, atol=1e-9, accept=0.05)
"""A steady flow is close where its residual is a twentieth of its largest term: the cavity's at Re 100 is then within
a hundredth of the lid's speed of published profiles."""

DENSITY = 5
"""Rows a weight by default. With two and a half the fit of a cavity goes on to lower its residual at the points and
moves away from the flow between them: after 200 iterations it is off by a tenth, with five by less than a
thousandth."""

NEEDS = frozenset({"value", "grad", "laplacian"})


def steady_flow(dynamics: Any, guess: Tensor) -> Stage:
    """θ minimising Σ_q w_q |−u·∇u + ν Δu − ∇p|², velocity and pressure together.

    It starts from the guess, or from Stokes flow where the guess is the representation's own random start. Points are
    dense towards walls, and weights fall towards the corners of moving walls, where every term is infinite.

    The residual says whether this is a solution, against the largest term of the equation at that flow: |u·∇u|, |ν Δu|,
    |∇p|, or ν |∇u| over the width of the box (in a flow with straight profiles the others vanish).

    Args:
        dynamics: the :class:`~neuralpde.dynamics.NeuralFlowDynamics`.
        guess: θ to start from.

    Returns:
        θ, the residual against the largest term, iterations; the status is bad where that residual is above ``accept``.

    Raises:
        UsageError: for a flow without viscosity, or where nothing holds the velocity along a periodic axis.
    """
    _refuse(dynamics)
    momentum = SteadyMomentum(dynamics)
    guess = momentum.stokes(guess) if torch.equal(guess, dynamics.representation.initial()) else guess
    options = dynamics.fit or STEADY_FLOW
    fit = least_squares(momentum.residual, guess, options, jacobian=momentum.jacobian)
    size = momentum.terms(fit.theta).largest
    stage = stage_of(fit, options.accept * size)
    return Stage(stage.theta, stage.status, stage.residual / size, stage.iterations)


@dataclass(frozen=True)
class MomentumTerms:
    """Weighted root mean squares of the terms of a flow's momentum equation.

    Args:
        advection, diffusion, push: of u·∇u, ν Δu and ∇p.
        friction: of ν ∇u over the width of the box.
    """

    advection: float
    diffusion: float
    push: float
    friction: float

    @property
    def largest(self) -> float:
        """What a residual is small against; a rounding where the fluid is at rest."""
        return max(self.advection, self.diffusion, self.push, self.friction, 1e-12)


class SteadyMomentum:
    """Weighted rows √w_q (−u·∇u + ν Δu − ∇p)(x_q), ``(d q,)``, as a function of θ, and their Jacobian."""

    def __init__(self, dynamics: Any) -> None:
        self.problem, self.representation = dynamics.problem, dynamics.representation
        r = self.representation
        points = dynamics.points or DENSITY * r.num_dofs // r.dim
        q = cosine_lattice(r.domain, points, r.boundary.periodic, r.dtype, r.device)
        self.points, root = q.points, (q.weights / q.weights.sum()).sqrt()
        if r.velocity.walls is not None:
            root = root * r.velocity.walls.calm(self.points)
        self.root = root[:, None]

    def residual(self, theta: Tensor) -> Tensor:
        """The rows."""
        return (self.root * self._rows(*self._fields(theta))).T.reshape(-1)

    def jacobian(self, theta: Tensor) -> Tensor:
        """Their derivatives, ``(d q, p)``."""
        r, parts = self.representation, self.representation.split(theta)
        velocity, pressure = r.velocity.taped(parts["velocity"]), r.pressure.taped(parts["pressure"])
        with torch.enable_grad():
            rows = (self.root * self._rows(velocity, pressure)).unbind(-1)
        return torch.cat([torch.cat([f.gradients(row) for f in (velocity, pressure)], dim=1) for row in rows])

    def _rows(self, velocity: Field, pressure: Field, inertia: bool = True) -> Tensor:
        u = velocity.jet(self.points, NEEDS)
        slope = pressure.jet(self.points, frozenset({"grad"})).grad[:, 0]
        push = self.problem.momentum(0.0, self.points, u) if inertia else self.problem.viscosity * u.laplacian
        return push - slope

    def _fields(self, theta: Tensor) -> tuple[Field, Field]:
        r, parts = self.representation, self.representation.split(theta)
        return r.velocity.at(parts["velocity"]), r.pressure.at(parts["pressure"])

    def stokes(self, theta: Tensor) -> Tensor:
        """The same hidden layers with the output layers and the net flux of Stokes flow, ν Δu = ∇p.

        These enter linearly, so it is one linear least-squares problem. From random weights the nonlinear fit finds
        flows that are small where they should not be, and a net flux of nothing: a quarter of the terms is then left.
        """
        r = self.representation

        def rows(outer: Tensor) -> Tensor:
            whole = theta.index_copy(0, places, outer)
            return (self.root * self._rows(*self._fields(whole), inertia=False)).T.reshape(-1)

        velocity, pressure = r.velocity, r.pressure
        means = torch.arange(velocity.potential.num_dofs, velocity.num_dofs)
        places = torch.cat([velocity.potential.outer, means, velocity.num_dofs + pressure.outer]).to(theta.device)
        at_rest = theta.new_zeros(len(places))
        with torch.no_grad():
            wanted = -rows(at_rest)
            columns = [rows(unit) + wanted for unit in torch.eye(len(places)).to(theta)]
            # the pressure's level is free
            outer = torch.linalg.lstsq(torch.stack(columns, -1), wanted[:, None], rcond=1e-10, driver="gelsd").solution
        return theta.index_copy(0, places, outer[:, 0])

    def terms(self, theta: Tensor) -> MomentumTerms:
        """Sizes at one θ."""
        r, nu = self.representation, self.problem.viscosity
        velocity, pressure = self._fields(theta)
        with torch.no_grad():
            u = velocity.jet(self.points, NEEDS)
            push = pressure.jet(self.points, frozenset({"grad"})).grad[:, 0]
        advection = torch.einsum("nij,nj->ni", u.grad, u.value)
        friction = nu * u.grad.flatten(1) / min(r.domain.lengths)
        sizes = (float((self.root * term).norm()) for term in (advection, nu * u.laplacian, push, friction))
        return MomentumTerms(*sizes)


def _refuse(dynamics: Any) -> None:
    r, problem = dynamics.representation, dynamics.problem
    if not problem.viscosity:
        raise UsageError(f"{problem.name} without viscosity has many steady flows: give it a viscosity.")
    if r.velocity.means and not (r.velocity.walls and r.velocity.walls.rough):
        raise UsageError(
            "nothing holds the velocity along the periodic axis, so that this flow has many steady states: march "
            "with simulate(problem, representation, RK4(), dt=, t_end=)."
        )
