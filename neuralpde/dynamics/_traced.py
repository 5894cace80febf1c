"""Dynamics of finite elements whose stages keep their gradients: adjoints of every method in time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neuralpde.dynamics._finite_element import FiniteElementDynamics
from neuralpde.dynamics._traced_form import TracedForm, traced_field
from neuralpde.dynamics._weak_form import WeakForm
from neuralpde.integrators import Blend, Dynamics, Stage, State, Terms
from neuralpde.types import UsageError


class TracedDynamics(Dynamics):
    """M θ̇ = R(t, θ), or R = 0, with the gradient of every stage.

    A stage is solved as ever, without a graph. Its θ is then the root of its equation as a function of the states,
    slopes and data that the equation reads; integrators combine these, and the chain of all of them is the adjoint of
    the discrete method itself, exact to the tolerance of its stages.

    Args:
        dynamics: of finite elements.
        points: of the mesh ``(v, d)``, where gradients by their places are wanted.

    Raises:
        UsageError: with a stabilisation.
    """

    def __init__(self, dynamics: FiniteElementDynamics, points: Tensor | None = None) -> None:
        if type(dynamics.form) is not WeakForm:
            raise UsageError("gradients of solutions are those of plain weak forms: leave stabilisation= away.")
        self.inner, self.parts = dynamics, dynamics.parts
        self.traced = TracedForm(dynamics.form, traced_field(dynamics.representation, points), dynamics.systems)

    def slope(self, t: float, theta: Tensor, part: str | None = None) -> Tensor:
        return self.traced.kept(t, self.traced.field.values(theta, t))

    def explicit(self, base: State | Blend, terms: Terms, t: float, guess: Tensor | None = None) -> Stage:
        return self._stage(base, terms, 0.0, t, guess)

    def implicit(
        self,
        base: State | Blend,
        terms: Terms,
        gamma: float,
        t: float,
        guess: Tensor | None = None,
        part: str | None = None,
    ) -> Stage:
        return self._stage(base, terms, gamma, t, guess)

    def steady(self, guess: Tensor) -> Stage:
        """θ with R(0, θ) = 0."""
        with torch.no_grad():
            stage = self.inner.steady(guess)

        def residual(theta: Tensor) -> Tensor:
            return -self._free(self.traced.residual(0.0, self.traced.field.values(theta, 0.0)))

        return _attached(stage, self.traced.root(stage.theta, residual, lambda: self.traced.matrix(0.0, stage.theta)))

    def _stage(self, base: State | Blend, terms: Terms, gamma: float, t: float, guess: Tensor | None) -> Stage:
        """Solve M u − γ R(t, u) = M u_base + Σ c_j R_j."""
        field = self.traced.field
        values = torch.stack([c * field.values(state.theta, state.t) for c, state in base.parts]).sum(0)
        target = self.traced.weighed(values) + sum(c * slope for c, slope in terms)
        with torch.no_grad():
            start = base.parts[0][1].theta if guess is None else guess
            stage = self.inner._newton(None, target.detach(), 1.0, gamma, t, start.detach())

        def residual(theta: Tensor) -> Tensor:
            u = field.values(theta, t)
            g = self.traced.weighed(u)
            return self._free(g - gamma * self.traced.residual(t, u) if gamma else g)

        def matrix() -> Any:
            mass = self.inner._free_mass
            return mass + gamma * self.traced.matrix(t, stage.theta) if gamma else mass

        # the target is no part of what is evaluated twice: it has a graph of its own
        free = self._free(target)
        return _attached(stage, self.traced.root(stage.theta, lambda theta: residual(theta) - free, matrix))

    def _free(self, values: Tensor) -> Tensor:
        return self.traced.field.free_part(values)


def _attached(stage: Stage, theta: Tensor) -> Stage:
    """A stage whose θ has its gradient."""
    return Stage(theta, stage.status, stage.residual, stage.iterations, stage.history)
