"""Runge–Kutta methods with a lower-triangular tableau, explicit and diagonally implicit by one code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from neuralpde.integrators._base import Dynamics, Integrator, Stage, State, StepInfo
from neuralpde.types import UsageError


@dataclass(frozen=True)
class Tableau:
    """Coefficients of u_i = u_n + dt Σ_j a_ij F_j, u_{n+1} = u_n + dt Σ_i b_i F_i, F_i = F(t + c_i dt, u_i)."""

    a: tuple[tuple[float, ...], ...]
    b: tuple[float, ...]
    c: tuple[float, ...]

    @property
    def stiffly_accurate(self) -> bool:
        """Whether the last stage is the result (its row of a equals b, and it is implicit)."""
        return self.a[-1] == self.b and self.a[-1][-1] != 0


class RungeKutta(Integrator):
    """One step of a tableau: u_{n+1} = u_n + dt Σ b_i F_i.

    Args:
        tableau: its coefficients; the diagonal entries are zero where a stage is explicit.
        order: nominal order of accuracy.
        name: what to call it.

    Source: Hairer, Nørsett & Wanner, Solving Ordinary Differential Equations I, II.1; II, IV.6.
    """

    def __init__(self, tableau: Tableau, order: int, name: str) -> None:
        self.tableau, self.order, self.name = tableau, order, name

    def __repr__(self) -> str:
        return f"{self.name}()"

    def check(self, dynamics: Dynamics) -> None:
        implicit = any(row[i] != 0 for i, row in enumerate(self.tableau.a))
        if implicit and dynamics.explicit_only:
            use = "RK4, or method='function_space' on a neural field"
            if dynamics.constrained:
                use = "RK4, or IncrementalPressureCorrection on a grid"
            raise UsageError(f"{type(dynamics).__name__} is explicit and {self!r} has implicit stages; use {use}.")
        if dynamics.touches and not self.tableau.stiffly_accurate:
            raise UsageError(
                f"{self!r} ends its steps beyond its last stage, where a body may have entered what it touches; use "
                "ImplicitEuler, BDF2 or Newmark, which hold their last state apart."
            )

    @property
    def real_limit(self) -> float:
        """The end of the stability interval on the negative real axis of an explicit method: 2.785 for RK4."""
        return self._limit(-1.0)

    @property
    def imaginary_limit(self) -> float:
        """That on the imaginary axis: 2.828 for RK4, 0 for explicit methods of order 1 and 2."""
        found = self._limit(1j)
        return found if found > 0.05 else 0.0

    def _limit(self, way: complex) -> float:
        """How far |R| ≤ 1 reaches from 0 into a direction."""
        if any(row[i] != 0 for i, row in enumerate(self.tableau.a)):
            return math.inf
        low = high = 0.0
        while self.amplification(way * high) <= 1 + 1e-12:
            low, high = high, high + 0.05
        for _ in range(50):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self.amplification(way * middle) <= 1 else (low, middle)
        return low

    def amplification(self, z: complex) -> float:
        """|R(z)| of the stability function R(z) = 1 + z bᵀ (1 − z A)⁻¹ 1 (Hairer & Wanner II, IV.3)."""
        stages: list[complex] = []
        for i, row in enumerate(self.tableau.a):
            known = sum(a * u for a, u in zip(row[:i], stages, strict=True))
            stages.append((1 + z * known) / (1 - z * row[i]))
        return abs(1 + z * sum(b * u for b, u in zip(self.tableau.b, stages, strict=True)))

    def step(self, dynamics: Dynamics, state: State, dt: float) -> tuple[State, StepInfo]:
        tableau, end = self.tableau, state.t + dt
        slopes: list[object] = []
        stages: list[Stage] = []
        last = len(tableau.b) - 1
        known = [*state.history, (state.t, state.theta)]
        for i, (row, c) in enumerate(zip(tableau.a, tableau.c, strict=True)):
            t = state.t + c * dt
            terms = [(dt * a, k) for a, k in zip(row[:i], slopes, strict=True) if a != 0]
            theta = state.theta
            if row[i] != 0:
                stages.append(dynamics.implicit(state, terms, dt * row[i], t, _predict(known, t)))
                theta = stages[-1].theta
            elif terms:
                stages.append(dynamics.explicit(state, terms, t, _predict(known, t)))
                theta = stages[-1].theta
            if i == last and tableau.stiffly_accurate:
                return state.advance(end, theta), StepInfo.of(stages)
            known.append((t, theta))
            slopes.append(dynamics.slope(t, theta))
        terms = [(dt * b, k) for b, k in zip(tableau.b, slopes, strict=True) if b != 0]
        stages.append(dynamics.explicit(state, terms, end, _predict(known, end)))
        return state.advance(end, stages[-1].theta), StepInfo.of(stages)


def _predict(known: Sequence[tuple[float, Tensor]], t: float) -> Tensor | None:
    """θ at time t on the line through the two known states nearest to it, or None while there is only one.

    Stages count: at c = 3/4, c = 1 or between two stages they are much nearer than the step before. Fits of a neural
    field then take a third of the iterations that extrapolation from the last two steps takes, and no longer stall; a
    parabola through three states was worse.
    """
    latest = dict(known)  # of several stages at one time the last
    nearest = sorted(latest, key=lambda s: abs(s - t))[:2]
    if len(nearest) < 2:
        return None
    a, b = nearest
    return latest[a] + (t - a) / (b - a) * (latest[b] - latest[a])


def Euler() -> RungeKutta:
    """Explicit Euler, order 1: u_{n+1} = u_n + dt F(t, u_n)."""
    return RungeKutta(Tableau(((0.0,),), (1.0,), (0.0,)), 1, "Euler")


def Midpoint() -> RungeKutta:
    """Explicit midpoint rule, order 2."""
    return RungeKutta(Tableau(((0.0, 0.0), (0.5, 0.0)), (0.0, 1.0), (0.0, 0.5)), 2, "Midpoint")


def Heun() -> RungeKutta:
    """Heun's method (explicit trapezoid), order 2."""
    return RungeKutta(Tableau(((0.0, 0.0), (1.0, 0.0)), (0.5, 0.5), (0.0, 1.0)), 2, "Heun")


def RK4() -> RungeKutta:
    """The classical Runge–Kutta method, order 4."""
    a = ((0.0, 0.0, 0.0, 0.0), (0.5, 0.0, 0.0, 0.0), (0.0, 0.5, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0))
    return RungeKutta(Tableau(a, (1 / 6, 1 / 3, 1 / 3, 1 / 6), (0.0, 0.5, 0.5, 1.0)), 4, "RK4")


def ImplicitEuler() -> RungeKutta:
    """Implicit Euler, order 1, L-stable: u_{n+1} − dt F(t_{n+1}, u_{n+1}) = u_n."""
    return RungeKutta(Tableau(((1.0,),), (1.0,), (1.0,)), 1, "ImplicitEuler")


def ImplicitMidpoint() -> RungeKutta:
    """Implicit midpoint rule, order 2, A-stable and symplectic: u_{n+1} = u_n + dt F(t + dt/2, (u_n + u_{n+1})/2)."""
    return RungeKutta(Tableau(((0.5,),), (1.0,), (0.5,)), 2, "ImplicitMidpoint")


def SDIRK4() -> RungeKutta:
    """Five diagonally implicit stages, order 4, L-stable and stiffly accurate.

    Large steps at high accuracy, which a neural field wants: every stage is a fit, and every fit adds its own error.
    With Dirichlet data that move in time and stiff diffusion the order falls from 4 towards the stage order, to 1–2
    (order reduction; Hairer & Wanner II, IV.15).

    Source: Hairer & Wanner, Solving Ordinary Differential Equations II, Table IV.6.5 (γ = 1/4).
    """
    g = 1 / 4
    last = (25 / 24, -49 / 48, 125 / 16, -85 / 12, g)
    a = (
        (g, 0.0, 0.0, 0.0, 0.0),
        (1 / 2, g, 0.0, 0.0, 0.0),
        (17 / 50, -1 / 25, g, 0.0, 0.0),
        (371 / 1360, -137 / 2720, 15 / 544, g, 0.0),
        last,
    )
    return RungeKutta(Tableau(a, last, (1 / 4, 3 / 4, 11 / 20, 1 / 2, 1.0)), 4, "SDIRK4")
