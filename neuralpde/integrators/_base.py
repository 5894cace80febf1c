"""What integrators know: the verbs of a dynamics, states, and what a step reports."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from neuralpde.types import Status


@dataclass(frozen=True)
class State:
    """θ at one time, with the state before it.

    Args:
        t: time.
        theta: ``(p,)``.
        history: earlier (t, θ), newest first; used to predict, and by multi-step methods.
    """

    t: float
    theta: Tensor
    history: tuple[tuple[float, Tensor], ...] = ()

    def predict(self, t: float) -> Tensor | None:
        """θ extrapolated linearly to time t, or None at the first step.

        Where θ moves evenly (the centres of a travelling neural field) this starts a fit several iterations ahead.
        """
        if not self.history:
            return None
        before, theta = self.history[0]
        return self.theta + (t - self.t) / (self.t - before) * (self.theta - theta)

    def advance(self, t: float, theta: Tensor) -> State:
        """The next state, which remembers this one."""
        return State(t, theta, ((self.t, self.theta),))


@dataclass(frozen=True)
class Stage:
    """Outcome of one implicit or explicit stage.

    Args:
        theta: ``(p,)``.
        status: why its solve ended (``COMPLETED`` where there was nothing to solve).
        residual: root mean square residual of the stage equation.
        iterations: linear solves, or gradient steps.
    """

    theta: Tensor
    status: Status = Status.COMPLETED
    residual: float = 0.0
    iterations: int = 0


@dataclass(frozen=True)
class StepInfo:
    """What a step reports: the worst status and residual of its stages, and the sum of their iterations."""

    status: Status
    residual: float
    iterations: int

    @classmethod
    def of(cls, stages: Sequence[Stage]) -> StepInfo:
        """Summary of a step's stages."""
        bad = [s.status for s in stages if not s.status.ok]
        status = bad[0] if bad else Status.COMPLETED
        if Status.NON_FINITE in bad:
            status = Status.NON_FINITE
        return cls(status, max(s.residual for s in stages), sum(s.iterations for s in stages))


Terms = Sequence[tuple[float, Any]]
"""((c_j, slope_j), …) of Σ c_j F_j."""


class Dynamics(Protocol):
    """Problem × representation, as integrators see it.

    A base is a :class:`State` and a stage has its own time, because Dirichlet data that move in time are part of the
    field: u_base and u_θ are taken at their own times.
    """

    def slope(self, t: float, theta: Tensor) -> Any:
        """F(t, u_θ), in whatever form this dynamics combines."""

    def explicit(self, base: State, terms: Terms, t: float, guess: Tensor | None = None) -> Stage:
        """θ at time t with u_θ = u_base + Σ c_j F_j."""

    def implicit(self, base: State, terms: Terms, gamma: float, t: float, guess: Tensor | None = None) -> Stage:
        """θ at time t with u_θ − γ F(t, u_θ) = u_base + Σ c_j F_j."""

    def flow(self, part: int, base: State, dt: float, guess: Tensor | None = None) -> Stage:
        """θ at time t + dt after term number ``part`` alone has acted."""

    @property
    def flows(self) -> tuple[bool, ...]:
        """Per term of the problem: whether :meth:`flow` exists."""

    @property
    def explicit_only(self) -> bool:
        """Whether :meth:`implicit` is missing."""


class Integrator(ABC):
    """A one-step method.

    ``order`` is its nominal order of accuracy in dt.
    """

    order: int

    @abstractmethod
    def step(self, dynamics: Dynamics, state: State, dt: float) -> tuple[State, StepInfo]:
        """The state at t + dt, and how the step went."""

    def check(self, dynamics: Dynamics) -> None:  # noqa: B027 (most methods need nothing)
        """Refuse a dynamics that lacks what the method needs, before the first step.

        Raises:
            UsageError: that says what to use instead.
        """
