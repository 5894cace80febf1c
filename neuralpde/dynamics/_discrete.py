"""A problem on a grid: slopes are nodal values, an explicit stage is a sum, an implicit stage is Newton's method."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from neuralpde.dynamics._grid_systems import GridSystems
from neuralpde.dynamics._linearised import Coefficients, coefficients, refuse_undetermined
from neuralpde.dynamics._load_steps import LoadSteps
from neuralpde.dynamics._newton import Iterate, Newton, downhill
from neuralpde.dynamics._raised_grid import raised_on_grid
from neuralpde.dynamics._terms import chosen_rhs, field_of, stepped_flow, term_flow
from neuralpde.integrators import Blend, Dynamics, Stage, State, Terms
from neuralpde.problems import ElasticBody, Problem
from neuralpde.representations import GridField
from neuralpde.types import NonFiniteError, NotConvergedError, Status


class DiscreteDynamics(Dynamics):
    """Method of lines on a grid: θ̇ = F(t, θ) at the free nodes.

    Args:
        problem: what is true.
        representation: the grid.
        newton: options of implicit stages.
        load_steps: of bodies at rest with large deformations: where the whole load at once fails its boundary data and
            body forces are raised, see :class:`LoadSteps`.
    """

    steps_terms = True
    blends = True

    def __init__(
        self,
        problem: Problem,
        representation: GridField,
        newton: Newton | None = None,
        load_steps: LoadSteps | None = None,
    ) -> None:
        self.problem, self.representation = problem, representation
        self.newton, self.load_steps = newton or Newton(), load_steps or LoadSteps()
        self.parts = problem.terms()
        self.systems = GridSystems(problem, representation, self.newton.linear, self.newton.linear_rtol)
        self._notes: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        return self._notes

    def slope(self, t: float, theta: Tensor, part: str | None = None) -> Tensor:
        r = self.representation
        u = r.at(theta, t).jet(r.points, self.problem.needs)
        return chosen_rhs(self.problem, part)(t, r.points, u).reshape(-1)

    def explicit(self, base: State, terms: Terms, t: float, guess: Tensor | None = None) -> Stage:
        theta = _sum(base, terms)
        finite = bool(torch.isfinite(theta).all())
        return Stage(theta, Status.COMPLETED if finite else Status.NON_FINITE)

    def implicit(
        self, base: State, terms: Terms, gamma: float, t: float, guess: Tensor | None = None, part: str | None = None
    ) -> Stage:
        target = _sum(base, terms)
        return self._newton(target, 1.0, gamma, t, base.theta if guess is None else guess, part)

    def steady(self, guess: Tensor) -> Stage:
        """θ with F(0, θ) = 0."""
        refuse_undetermined(self.problem, self.representation)
        stage = self._newton(torch.zeros_like(guess), 0.0, 1.0, 0.0, guess)
        if stage.status.ok or not isinstance(self.problem, ElasticBody) or self.problem.linear:
            return stage
        stage, factors = raised_on_grid(self.problem, self.representation, self._still, self.load_steps)
        if stage.status.ok:
            self._notes = (f"load steps at the factors {', '.join(f'{f:.4g}' for f in factors)}",)
        else:
            self.carried = max(factors, default=0.0)
        return stage

    def _still(self, body: ElasticBody, grid: GridField, guess: Tensor, most: int | None) -> Stage:
        """The state at rest of a body near a guess, or what some iterations come to."""
        newton = self.newton if most is None else replace(self.newton, maxiter=most)
        return DiscreteDynamics(body, grid, newton)._newton(torch.zeros_like(guess), 0.0, 1.0, 0.0, guess)

    def flow(
        self,
        part: int,
        base: State | Blend,
        dt: float,
        guess: Tensor | None = None,
        carrier: State | Blend | None = None,
    ) -> Stage:
        r, term = self.representation, self.parts[part]
        if term.flow is None:
            return stepped_flow(self, term, base, dt, guess, carrier)
        values = term_flow(term, carrier)(base.t, field_of(r, base), r.points, dt)
        return Stage(values.reshape(-1))

    def _newton(
        self, target: Tensor, mass: float, gamma: float, t: float, theta: Tensor, part: str | None = None
    ) -> Stage:
        """Solve mass·θ − γ F(t, θ) = target."""
        r, options = self.representation, self.newton
        needs, size = self.problem.needs | {"value"}, 0.0
        floor = torch.finfo(theta.dtype).eps

        def evaluate(theta: Tensor) -> Iterate:
            u = r.at(theta, t).jet(r.points, needs)
            f, parts = coefficients(self.problem, t, r.points, u, needs, part)
            g = mass * theta - gamma * f.reshape(-1) - target
            return Iterate(theta, g, float(g.abs().max()), (parts, float((gamma * f).abs().max())))

        at = evaluate(theta)
        history = [at.norm]

        def stage(status: Status) -> Stage:
            return Stage(at.theta, status, at.norm, len(history) - 1, tuple(history))

        while math.isfinite(at.norm):
            parts, largest = at.linear
            scale = max(float(target.abs().max()), largest, mass * float(at.theta.abs().max()))
            size = max(size, scale)
            if at.norm <= max(options.rtol, 4 * floor) * max(scale, floor):
                return stage(Status.CONVERGED_RTOL)
            if at.norm <= self._rounding(parts, mass, gamma, at.theta):
                return stage(Status.CONVERGED_ATOL)
            if len(history) > options.most:
                return stage(Status.MAXITER)
            try:
                solve = partial(self.systems.solve, mass, gamma, parts)
                found = downhill(evaluate, at, solve(at.residual), size, natural=solve)
            except NotConvergedError as error:  # the march reports it, with the solution so far
                status = Status.NON_FINITE if isinstance(error, NonFiniteError) else Status.SINGULAR_MATRIX
                return stage(getattr(error.result, "status", status))
            if found is None:
                return stage(Status.UPHILL)
            at = found
            history.append(at.norm)
        return stage(Status.NON_FINITE)

    def _rounding(self, parts: Coefficients, mass: float, gamma: float, theta: Tensor) -> float:
        """What rounding alone leaves in mass·θ − γ F: eps times the largest stencil coefficients times the state.

        No iterate can have a smaller residual, so this is where Newton's method has converged in this precision.
        """
        h = min(self.representation.grid.spacing)
        power = {"value": 0, "grad": 1, "laplacian": 2, "hess": 2}
        stencil = sum(float(c.abs().max()) * h ** -power[name] for name, c in parts.items())
        eps = torch.finfo(theta.dtype).eps
        return 32 * eps * (mass + abs(gamma) * stencil) * float(theta.abs().max())


def _sum(base: State | Blend, terms: Terms) -> Tensor:
    theta = torch.stack([state.theta if c == 1 else c * state.theta for c, state in base.parts]).sum(0)
    for c, slope in terms:
        theta = theta + c * slope
    return theta
