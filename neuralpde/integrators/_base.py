"""What integrators know: the verbs of a dynamics, states, and what a step reports."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from neuralpde.types import Status, UsageError


@dataclass(frozen=True)
class State:
    """θ at one time, with the state before it.

    Args:
        t: time.
        theta: ``(p,)``.
        history: earlier (t, θ), newest first; used to predict, and by multi-step methods.
        memory: slopes at the history's states, as far as a multi-step method has them at hand. They follow from the
            history, so that restarts do without.
    """

    t: float
    theta: Tensor
    history: tuple[tuple[float, Tensor], ...] = ()
    memory: tuple[Any, ...] = ()

    def predict(self, t: float) -> Tensor | None:
        """θ extrapolated linearly to time t, or None at the first step.

        Where θ moves evenly (the centres of a travelling neural field) this starts a fit several iterations ahead.
        """
        if not self.history:
            return None
        before, theta = self.history[0]
        return self.theta + (t - self.t) / (self.t - before) * (self.theta - theta)

    @property
    def parts(self) -> tuple[tuple[float, State], ...]:
        """Itself, as :class:`Blend` has its parts."""
        return ((1.0, self),)

    def advance(self, t: float, theta: Tensor) -> State:
        """The next state, which remembers this one."""
        return State(t, theta, ((self.t, self.theta),))


@dataclass(frozen=True)
class Blend:
    """A field Σ c_j u_j made from states, at one time: extrapolated, averaged or reflected.

    Args:
        t: time it stands for.
        parts: ((c_j, state_j), …).
    """

    t: float
    parts: tuple[tuple[float, State], ...]


@dataclass(frozen=True)
class Stage:
    """Outcome of one implicit or explicit stage.

    Args:
        theta: ``(p,)``.
        status: why its solve ended (``COMPLETED`` where there was nothing to solve).
        residual: root mean square residual of the stage equation.
        iterations: linear solves, or gradient steps.
        history: residuals of Newton's method, the first one's before its first step.
    """

    theta: Tensor
    status: Status = Status.COMPLETED
    residual: float = 0.0
    iterations: int = 0
    history: tuple[float, ...] = ()


@dataclass(frozen=True)
class StepInfo:
    """What a step reports: the worst status and residual of its stages, and the sum of their iterations; where a stage
    failed the history of its residuals."""

    status: Status
    residual: float
    iterations: int
    history: tuple[float, ...] = ()

    @classmethod
    def of(cls, stages: Sequence[Stage]) -> StepInfo:
        """Summary of a step's stages."""
        bad = [s.status for s in stages if not s.status.ok]
        status = bad[0] if bad else Status.COMPLETED
        if Status.NON_FINITE in bad:
            status = Status.NON_FINITE
        history = next((s.history for s in stages if not s.status.ok), ())
        return cls(status, max(s.residual for s in stages), sum(s.iterations for s in stages), history)


@dataclass(frozen=True)
class Decay:
    """How fast a problem's fastest mode decays, or a body's vibrates.

    Args:
        rate: λ of exp(−λt) at the start of a run, or ω of exp(iωt), not above the largest one.
        linear: whether the problem is linear and λ the same all the time.
        vibrates: whether it is ω.
    """

    rate: float
    linear: bool
    vibrates: bool = False


Terms = Sequence[tuple[float, Any]]
"""((c_j, slope_j), …) of Σ c_j F_j."""


class Dynamics(ABC):
    """Problem × representation, as integrators see it.

    A base is a :class:`State` and a stage has its own time, because Dirichlet data that move in time are part of the
    field: u_base and u_θ are taken at their own times. Where the problem has a constraint (a velocity free of
    divergence) an explicit stage obeys it; flows and parts, by their names, do not until :meth:`constrain`.
    """

    parts: tuple[Any, ...]
    """The problem's terms; each has a ``name``."""

    explicit_only: bool = False
    """Whether :meth:`implicit` of the whole right-hand side is missing."""

    takes_terms: bool = True
    """Whether there are flows of single terms at all."""

    steps_terms: bool = False
    """Whether a term without a flow is stepped implicitly in its place, where it states its flux."""

    constrained: bool = False
    """Whether the problem has a constraint, and :meth:`constrain` something to do."""

    blends: bool = False
    """Whether the base of :meth:`explicit` and :meth:`implicit` may be a :class:`Blend`, as multi-step methods need."""

    settles: bool = False
    """Whether ``steady`` finds the state in which a problem that moves in time comes to rest."""

    closer: str = ""
    """What brings ``steady`` closer where it was not close enough, beside the remedy of its status."""

    touches: bool = False
    """Whether bodies touch: then every stage must be a state at the end of a step, not one between steps."""

    carried: float | None = None
    """The largest factor of a load that ``steady`` raises in steps and that it found a state for, where it failed."""

    @abstractmethod
    def slope(self, t: float, theta: Tensor, part: str | None = None) -> Any:
        """F(t, u_θ), or the term of that name, in whatever form this dynamics combines."""

    @abstractmethod
    def explicit(self, base: State, terms: Terms, t: float, guess: Tensor | None = None) -> Stage:
        """θ at time t with u_θ = u_base + Σ c_j F_j."""

    @abstractmethod
    def implicit(
        self, base: State, terms: Terms, gamma: float, t: float, guess: Tensor | None = None, part: str | None = None
    ) -> Stage:
        """θ at time t with u_θ − γ F(t, u_θ) = u_base + Σ c_j F_j, F the whole or the term of that name."""

    def newmark(
        self, base: State, slope: Any, dt: float, beta: float, gamma: float, guess: Tensor | None = None
    ) -> Stage:
        """θ at the end of a step by Newmark's formulas, of a problem of second order in time.

        Args:
            base: state at the beginning.
            slope: its velocity and acceleration.
            dt: length of the step.
            beta, gamma: of the method.
            guess: θ to start from.

        Raises:
            UsageError: for a problem of first order in time.
        """
        raise UsageError("Newmark is for bodies in motion (time_order 2); use ImplicitMidpoint or BDF2 here.")

    def energies(self, t: float, theta: Tensor) -> dict[str, float]:
        """Energies in joules by name, whose sum is the total one; empty where they are not known."""
        return {}

    def dissipated(self, before: State, after: State) -> float:
        """The energy that damping and friction have taken in the last step."""
        return 0.0

    def driven(self, before: State, after: State) -> float:
        """The work of moving supports and obstacles, and of loads that change in time, in the last step."""
        return 0.0

    def outputs(self, t: float, theta: Tensor) -> dict[str, float]:
        """What is recorded beside energies, by name: forces and gaps of contacts."""
        return {}

    def flow(
        self,
        part: int,
        base: State | Blend,
        dt: float,
        guess: Tensor | None = None,
        carrier: State | Blend | None = None,
    ) -> Stage:
        """θ at time t + dt after term number ``part`` alone has acted; ``carrier``: what carries, if not the base.

        Raises:
            UsageError: where there are none.
        """
        raise UsageError(f"{type(self).__name__} has no flows of single terms; use RK4.")

    @property
    def flows(self) -> tuple[bool, ...]:
        """Per term of the problem: whether :meth:`flow` exists."""
        stepped = self.steps_terms
        some = [part.flow is not None or (stepped and part.flux is not None) for part in self.parts]
        return tuple(self.takes_terms and one for one in some)

    def constrain(self, state: State, dt: float, increment: bool = False) -> Stage:
        """The nearest state that obeys the problem's constraint.

        Args:
            state: at its time.
            dt: over which the constraint's force (the pressure) has to act.
            increment: add that force to the state's own, instead of putting it in its place.
        """
        raise UsageError("this problem has no constraint; use another integrator.")

    passive: bool = False
    """Whether nothing outside can add to :meth:`energy`: no inflow, no moving wall, no open end, no source."""

    def energy(self, theta: Tensor) -> Tensor | None:
        """The kinetic energy, ``(…)``, or None where there is nothing of the kind."""
        return None

    def work(self, theta: Tensor, slope: Any) -> Tensor | None:
        """∫ u_θ·F of a slope, by which it changes the energy, ``(…)``, or None where that is not at hand."""
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about how it went, though no step failed: sentences, none where all is well."""
        return ()

    def decay(self, theta: Tensor, times: tuple[float, float]) -> Decay | None:
        """The fastest decay or vibration from the first to the last time, or None where it is not known."""
        return None

    def check_march(self) -> None:  # noqa: B027 (most can march)
        """Refuse to march, before the first step, where only the steady state can be solved for.

        Raises:
            UsageError: that says what to use instead.
        """

    def complete(self, t: float, theta: Tensor) -> Tensor:
        """θ with the unknowns that do not move by themselves (a pressure) as they belong to the others at time t."""
        return theta


class Integrator(ABC):
    """A one-step method.

    ``order`` is its nominal order of accuracy in dt.
    """

    order: int

    @property
    def real_limit(self) -> float:
        """The largest dt·λ with which u' = −λu does not grow; infinite where that is not known."""
        return math.inf

    @property
    def imaginary_limit(self) -> float:
        """The largest dt·ω with which u' = iωu does not grow; infinite where that is not known."""
        return math.inf

    def amplification(self, z: complex) -> float:
        """|u_{n+1} / u_n| of u' = λu with z = dt·λ, where :attr:`real_limit` is known."""
        return 1.0

    @abstractmethod
    def step(self, dynamics: Dynamics, state: State, dt: float) -> tuple[State, StepInfo]:
        """The state at t + dt, and how the step went."""

    def check(self, dynamics: Dynamics) -> None:  # noqa: B027 (most methods need nothing)
        """Refuse a dynamics that lacks what the method needs, before the first step.

        Raises:
            UsageError: that says what to use instead.
        """
