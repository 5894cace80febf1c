"""Elastic bodies on finite elements whose equilibria, implicit stages and steps keep their gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from neuralpde.dynamics._finite_element_potential import FiniteElementPotential
from neuralpde.dynamics._nodal_motion import NodalMotion
from neuralpde.dynamics._potential import PotentialDynamics
from neuralpde.dynamics._potential_space import Inertia, PotentialSpace
from neuralpde.dynamics._traced import _attached
from neuralpde.dynamics._traced_form import TracedForm, traced_field
from neuralpde.integrators import Stage
from neuralpde.types import UsageError


class TracedBody(PotentialDynamics):
    """The dynamics of a body with the gradients of its minima, and of what integrators make from them.

    Args:
        dynamics: of a body on finite elements.
        points: of the mesh ``(v, d)``, where gradients by their places are wanted.

    Raises:
        UsageError: for a neural field, contact, elements of mean dilatation, pressures that follow the body, and
            damping by the stiffness: what they freeze over a step has no gradient here.
    """

    def __init__(self, dynamics: PotentialDynamics, points: Tensor | None = None) -> None:
        space = dynamics.space
        if not isinstance(space, FiniteElementPotential):
            raise UsageError(
                "gradients through solutions are those of finite elements. A neural field comes as close to its "
                "minimum as its fit goes, and the adjoint of a minimum that is not one has no meaning: use a "
                "FiniteElementField."
            )
        _refuse(space, getattr(dynamics.problem, "damping", None))
        self.__dict__.update(dynamics.__dict__)
        self.plain, self.traced = dynamics, TracedSpace(space, points)
        self.space = self.traced
        if hasattr(dynamics, "motion"):
            self.motion = TracedMotion(dynamics.motion, self.traced, points)

    def steady(self, guess: Tensor) -> Stage:
        with torch.no_grad():
            stage = self.plain.steady(guess)
        return self.traced.attach(stage, 0.0)


def _refuse(space: FiniteElementPotential, damping: Any) -> None:
    if any(part.follows for part in space.parts):
        raise UsageError("gradients through a pressure that follows the body are not there: take follower=False.")
    if len(space.parts) > 1:
        names = ", ".join(part.name for part in space.parts[1:])
        instead = "leave it away"
        if space.representation.dilatation == "mean":
            instead = (
                "with dilatation='exact' elements of degree 2 lock less than those of degree 1; compare their solution "
                "with that of dilatation='mean' before you trust its gradients"
            )
        raise UsageError(f"gradients of solutions are those of a body's own energy, without {names}: {instead}.")
    if damping is not None and damping.stiffness:
        raise UsageError("gradients through damping are there for Rayleigh(mass=…) alone: take stiffness=0.")


class TracedSpace(PotentialSpace):
    """Minima of a body's potential energy as functions of all that it reads.

    Args:
        inner: the body's potential.
        points: see :class:`TracedBody`.
    """

    def __init__(self, inner: FiniteElementPotential, points: Tensor | None) -> None:
        self.inner, self.problem = inner, inner.problem
        self.traced = TracedForm(inner.form, traced_field(inner.representation, points), inner.systems)
        self.field = self.traced.field
        self.representation = self.field
        damping = getattr(inner.problem, "damping", None)
        self.decay = damping.mass if damping is not None else 0.0

    def weighed(self, values: Tensor) -> Tensor:
        """M u of nodal values."""
        return self.traced.weighed(values, self.problem.mass_density)

    def nodal(self, t: float, theta: Tensor) -> Tensor:
        return self.field.values(theta, t)

    def place(self, t: float, nodal: Tensor, guess: Tensor) -> Stage:
        return Stage(self.field.free_part(nodal))

    def force(self, t: float, theta: Tensor, velocity: Tensor) -> Tensor:
        force = self.traced.kept(t, self.nodal(t, theta))
        return force - self.decay * self.weighed(velocity) if self.decay else force

    def energies(self, t: float, theta: Tensor) -> dict[str, float]:
        return self.inner.energies(t, theta.detach())

    def lag(self, t: float, theta: Tensor, velocity: Tensor) -> None:
        with torch.no_grad():
            self.inner.lag(t, theta.detach(), velocity.detach())

    def damp(self, t: float, values: Tensor) -> None:
        with torch.no_grad():
            self.inner.damp(t, values.detach())

    def attach(self, stage: Stage, t: float, inertia: Inertia | None = None) -> Stage:
        """A minimum as the root of its energy's slope."""

        def residual(theta: Tensor) -> Tensor:
            u = self.nodal(t, theta)
            g = -self.traced.residual(t, u)
            if inertia is not None:
                g = g + inertia.mass * self.weighed(u - inertia.target)
                if self.decay:
                    g = g + inertia.rate * self.decay * self.weighed(u - inertia.origin)
            return self.field.free_part(g)

        def matrix() -> Any:
            whole = self.traced.matrix(t, stage.theta)
            if inertia is None:
                return whole
            return whole + (inertia.mass + inertia.rate * self.decay) * self.inner.free_mass

        return _attached(stage, self.traced.root(stage.theta, residual, matrix))

    def minimise(self, t: float, guess: Tensor, inertia: Inertia | None = None, last: Tensor | None = None) -> Stage:
        with torch.no_grad():
            plain = inertia
            if inertia is not None:
                plain = replace(inertia, target=inertia.target.detach(), origin=inertia.origin.detach())
            start = None if last is None else last.detach()
            stage = self.inner.minimise(t, guess.detach(), plain, start)
        return self.attach(stage, t, inertia)


class TracedMotion(NodalMotion):
    """What a motion is at the nodes, as functions of all that it is made from.

    Args:
        inner: the motion.
        space: gives displacements and forces.
        points: see :class:`TracedBody`.
    """

    def __init__(self, inner: NodalMotion, space: TracedSpace, points: Tensor | None) -> None:
        self.__dict__.update(inner.__dict__)
        self._held = {}  # what the plain motion has kept of its supports has no gradient
        self.space, self.velocity = space, traced_field(inner.velocity, points)
        self._fields = [traced_field(field, points) for field in inner._fields]
        self._inner = inner

    def weighed(self, values: Tensor) -> Tensor:
        assert isinstance(self.space, TracedSpace)
        return self.space.weighed(values)

    def _solved(self, g: Tensor) -> Tensor:
        """M⁻¹ g on the free unknowns, of g at all nodes."""
        assert isinstance(self.space, TracedSpace)
        with torch.no_grad():
            x = self._inner._solved(g.detach())
        right, free = self.velocity.free_part(g), self.velocity.free_dofs

        def residual(x: Tensor) -> Tensor:
            return self.velocity.free_part(self.weighed(self.velocity.extended(x))) - right

        return self.space.traced.root(x, residual, lambda: self.mass[free][:, free])
