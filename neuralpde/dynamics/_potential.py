"""Elastic bodies by their potential energy: statics, and motion on any representation of the displacement."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from neuralpde.dynamics._boundary_fluxes import Balance, balance
from neuralpde.dynamics._contact import shared
from neuralpde.dynamics._decay import fastest_decay
from neuralpde.dynamics._finite_element_potential import FiniteElementPotential
from neuralpde.dynamics._free_motions import refuse_unsupported
from neuralpde.dynamics._load_steps import LoadSteps, raised
from neuralpde.dynamics._newton import Newton
from neuralpde.dynamics._nodal_motion import NodalMotion
from neuralpde.dynamics._potential_space import Inertia
from neuralpde.dynamics._potential_spaces import make_space
from neuralpde.dynamics._stable import settled
from neuralpde.dynamics._step_work import StepWork
from neuralpde.integrators import Blend, Decay, Dynamics, Stage, State, Terms
from neuralpde.optimize import NaturalGradient
from neuralpde.problems import Problem
from neuralpde.representations import FiniteElementField, Motion, Representation, meeting_notes
from neuralpde.types import UsageError

ITERATIONS, TOUCHING = 100, 300
"""Most iterations of Newton's method: a body that is pressed to half of its size or pulled to five times of it takes
50, what buckles far some more. Barriers of contact shorten steps: an impact that a time step hardly resolves takes
100."""


class PotentialDynamics(Dynamics):
    """ρ ü = −∂Π/∂u − C u̇ of a body, or its equilibrium ∂Π/∂u = 0, by minimising energies.

    An implicit stage u − γ v = y, v − γ a(u, v) = z is the minimum of ½ |u − (y + γ z)|²_ρ + γ² Π(t, u), with
    v = (u − y)/γ: every diagonally implicit method has its stages from one verb, on finite elements and on neural
    fields. A slope is (v, a) at the nodes of the velocity's elements. Supports that move enter through their own
    displacements and velocities at both ends of a stage, so that methods keep their order.

    In statics Newton's method tries the whole load first, and raises it in steps where that fails.

    Args:
        problem: of an elastic body.
        representation: of its displacement; of a body that moves a :class:`Motion`.
        newton: options of Newton's method (finite elements).
        load_steps: of statics, see :class:`LoadSteps`.
        fit, points: how energies of neural fields are minimised, and at how many points inside they are integrated, see
            :class:`~neuralpde.optimize.NaturalGradient`.

    Source: Hairer, Lubich & Wanner, Geometric Numerical Integration (2006), chapter VI; Kharevych et al., Geometric,
    variational integrators for computer animation (2006), for steps as minima.
    """

    takes_terms = False
    blends = True

    def __init__(
        self,
        problem: Problem,
        representation: Representation,
        newton: Newton | None = None,
        load_steps: LoadSteps | None = None,
        fit: NaturalGradient | None = None,
        points: int | None = None,
    ) -> None:
        self.problem, self.representation = problem, representation
        self.parts = problem.terms()
        self.load_steps = load_steps or LoadSteps()
        newton = newton or Newton()
        if newton.maxiter is None:
            newton = replace(newton, maxiter=TOUCHING if self.touches else ITERATIONS)
        self.space = make_space(problem, representation, newton, fit, points)
        self._notes: tuple[str, ...] = ()
        self._lagged: State | None = None
        self._stage: tuple[Tensor, Tensor] | None = None
        if isinstance(representation, Motion):
            self.motion = NodalMotion(problem, representation, self.space)

    @property
    def notes(self) -> tuple[str, ...]:  # type: ignore[override]
        return (*self._meeting, *self._notes)

    @cached_property
    def _meeting(self) -> tuple[str, ...]:
        """About supports that meet with different data."""
        found = self.representation
        field = found.blocks["displacement"] if isinstance(found, Motion) else found
        return meeting_notes(field) if isinstance(field, FiniteElementField) else ()

    @property
    def touches(self) -> bool:  # type: ignore[override]
        return bool(getattr(self.problem, "contact", ()))

    def steady(self, guess: Tensor) -> Stage:
        """θ with ∂Π/∂u = 0, reached from the guess by raising loads and moving supports.

        It is a minimum of Π where direct solvers tell that, see :func:`settled`: saddle points are left, or noted.
        """
        refuse_unsupported(self.problem, self.representation)
        stage, factors = raised(self.space, guess, self.load_steps)
        self._notes = ()
        if factors and factors != (1.0,):
            self._notes = (f"load steps at the factors {', '.join(f'{f:.4g}' for f in factors)}",)
        if stage.status.ok:
            stage, found = settled(self.space, stage, self.load_steps.stable)
            self._notes += found
        elif isinstance(self.space, FiniteElementPotential):  # neural fields take the whole load
            self.carried = max(factors, default=0.0)
        return stage

    def slope(self, t: float, theta: Tensor, part: str | None = None) -> Tensor:
        """(v, a) at the nodes, ``(N, 2d)``; of an implicit stage as its equation has it."""
        if self._stage is not None and self._stage[0] is theta:
            return self._stage[1]
        u, v = self.motion.split(theta)
        velocity = self.motion.velocities(t, v)
        self.space.lag(t, u, velocity)
        self.space.damp(t, self.space.nodal(t, u))
        self._lagged = None
        return torch.cat([velocity, self.motion.acceleration(t, u, velocity)], dim=1)

    def explicit(self, base: State | Blend, terms: Terms, t: float, guess: Tensor | None = None) -> Stage:
        y, z = self._combined(base, terms)
        start = _newest(base).theta if guess is None else guess
        stage = self.space.place(t, y, self.motion.split(start)[0])
        return _joined(stage, self.motion.join(stage.theta, self.motion.placed(t, z)))

    def implicit(
        self,
        base: State | Blend,
        terms: Terms,
        gamma: float,
        t: float,
        guess: Tensor | None = None,
        part: str | None = None,
    ) -> Stage:
        y, z = self._combined(base, terms)
        place, speed = self.motion.held(t, 0), self.motion.held(t, 1)
        target = self.motion.free_or(y + gamma * z, place - gamma * (speed - z))
        origin = self.motion.free_or(y, place - gamma * speed)
        stage = self._minimised(base, t, guess, Inertia(1 / gamma**2, target, 1 / gamma, origin))
        velocity = (self.space.nodal(t, stage.theta) - origin) / gamma
        out = _joined(stage, self.motion.join(stage.theta, self.motion.velocity.free_part(velocity)))
        self._stage = (out.theta, torch.cat([velocity, (velocity - z) / gamma], dim=1))
        return out

    def newmark(
        self, base: State, slope: Any, dt: float, beta: float, gamma: float, guess: Tensor | None = None
    ) -> Stage:
        t, (v, a), motion = base.t + dt, slope.chunk(2, dim=1), self.motion
        contacts = self.space.parts if self.touches else ()
        if contacts:  # half of their force at the beginning of a step would make energy
            if gamma != 2 * beta:
                raise UsageError(f"contact takes Newmark with gamma = 2 beta; got beta={beta:g}, gamma={gamma:g}.")
            with shared(contacts, 0.0):
                a = motion.acceleration(base.t, motion.split(base.theta)[0], v)
        y = motion.nodal(base)[0] + dt * v + (0.5 - beta) * dt**2 * a
        z, reach, rate = v + (1 - gamma) * dt * a, beta * dt**2, gamma / (beta * dt)
        place, speed, change = (motion.held(t, order) for order in range(3))
        target = motion.free_or(y, place - reach * change)
        origin = motion.free_or(y - z / rate, place - speed / rate)
        with shared(contacts, 0.5 / beta):
            stage = self._minimised(base, t, guess, Inertia(1 / reach, target, rate, origin))
        velocity = rate * (self.space.nodal(t, stage.theta) - origin)
        return _joined(stage, self.motion.join(stage.theta, self.motion.velocity.free_part(velocity)))

    def _combined(self, base: State | Blend, terms: Terms) -> tuple[Tensor, Tensor]:
        """Displacement and velocity Σ c_k (u_k, v_k) of states, plus Σ c_j of slopes, at the nodes."""
        pairs = [(c, self.motion.nodal(state)) for c, state in base.parts]
        total = sum(c * torch.cat(pair, dim=1) for c, pair in pairs) + sum(c * slope for c, slope in terms)
        y, z = total.chunk(2, dim=1)
        return y, z

    def _minimised(self, base: State | Blend, t: float, guess: Tensor | None, inertia: Inertia) -> Stage:
        """The stage's displacement. Friction is frozen at the beginning of the step, the stiffness of the damping where
        the body would be at the stage's time if it kept its velocity: a method of order 2 stays one."""
        newest = _newest(base)
        last, velocity = self.motion.nodal(newest)
        if self._lagged is not newest:
            self.space.lag(newest.t, self.motion.split(newest.theta)[0], velocity)
            self._lagged = newest
        self.space.damp(t, last + (t - newest.t) * velocity)
        start = newest.theta if guess is None else guess
        return self.space.minimise(t, self.motion.split(start)[0], inertia, last)

    def energies(self, t: float, theta: Tensor) -> dict[str, float]:
        if not isinstance(self.representation, Motion):
            return self.space.energies(t, theta)
        u, v = self.motion.split(theta)
        return {"kinetic": self.motion.kinetic(t, v), **self.space.energies(t, u)}

    def dissipated(self, before: State, after: State) -> float:
        return StepWork(self.motion).dissipated(before, after)

    def driven(self, before: State, after: State) -> float:
        return StepWork(self.motion).driven(before, after)

    def outputs(self, t: float, theta: Tensor) -> dict[str, float]:
        moves = isinstance(self.representation, Motion)
        return self.space.outputs(t, self.motion.split(theta)[0] if moves else theta)

    def balance(self, t: float, theta: Tensor, dt: float = 1.0, span: tuple[float, float] = (0.0, 1.0)) -> Balance:
        """Forces of the body on what holds and pulls it, by part of the boundary; contacts count among the sources.

        They balance inertia and body forces to rounding, at every state: accelerations are those of its own forces.
        """
        space = self.space
        if not isinstance(space, FiniteElementPotential):
            raise UsageError("forces on supports are known of finite elements; take a FiniteElementField.")
        if isinstance(self.representation, Motion):
            values, velocity = self.motion.nodal(State(t, theta))
            stored = self.motion.weighed(self.slope(t, theta).chunk(2, dim=1)[1])
            damped = space.damped(velocity)
        else:
            values = space.nodal(t, theta)
            stored = damped = torch.zeros_like(values)
        space.form.lag(values)
        others = damped + sum((part.gradient(t, values) for part in space.parts[1:]), start=torch.zeros_like(values))
        found = balance(space.form, t, values, stored + others)
        return Balance(found.fluxes, found.source - others.sum(0), stored.sum(0))

    def decay(self, theta: Tensor, times: tuple[float, float]) -> Decay | None:
        """The fastest vibration of the body, its loads and its mean dilatation included. Explicit methods refuse
        contacts."""
        if not isinstance(self.space, FiniteElementPotential):
            return None
        mass, solve = self.space.free_mass, self.motion.solved
        u, others = self.motion.split(theta)[0], self.space.parts[1:]
        found = fastest_decay(self.space.form, mass, solve, u, times, others)
        return found and Decay(math.sqrt(max(found.rate, 0.0)), found.linear, vibrates=True)

    def check_march(self) -> None:
        if not isinstance(self.representation, Motion):
            raise UsageError(f"{self.problem.name} is steady: use solve(problem, representation).")


def _newest(base: State | Blend) -> State:
    """The state that a step begins with."""
    return max((state for _, state in base.parts), key=lambda state: state.t)


def _joined(stage: Stage, theta: Tensor) -> Stage:
    """A stage of the displacement as one of the motion."""
    return Stage(theta, stage.status, stage.residual, stage.iterations, stage.history)
