"""Backward differentiation: two states and one implicit stage a step."""

from __future__ import annotations

import math

from neuralpde.integrators._base import Blend, Dynamics, Integrator, State, StepInfo
from neuralpde.integrators._runge_kutta import RungeKutta, Tableau
from neuralpde.types import UsageError

SAME = 1e-9
"""Relative difference of two steps of one length: their times are rounded."""


class BDF2(Integrator):
    """u_{n+1} − (1 + w)/(1 + 2w) dt F(t_{n+1}, u_{n+1}) = ((1 + w)² u_n − w² u_{n−1})/(1 + 2w), w = dt/(t_n − t_{n−1}).

    Order 2, L-stable, one implicit stage a step: with equal steps u_{n+1} − ⅔ dt F = (4 u_n − u_{n−1})/3. It damps what
    the steps do not resolve, far less than implicit Euler damps what they do. The first step is :func:`SDIRK2`.

    Source: Hairer, Nørsett & Wanner, Solving Ordinary Differential Equations I, III.1 and III.5.
    """

    name = "BDF2"
    order = 2

    def __repr__(self) -> str:
        return "BDF2()"

    def check(self, dynamics: Dynamics) -> None:
        if dynamics.explicit_only or not dynamics.blends:
            use = "IncrementalPressureCorrection or RK4" if dynamics.constrained else "RK4"
            raise UsageError(f"BDF2 has implicit stages, which {type(dynamics).__name__} does not take; use {use}.")

    def step(self, dynamics: Dynamics, state: State, dt: float) -> tuple[State, StepInfo]:
        if not state.history:
            return SDIRK2().step(dynamics, state, dt)
        (before, theta), end = state.history[0], state.t + dt
        w = dt / (state.t - before)
        w = 1.0 if abs(w - 1) < SAME else w
        parts = (((1 + w) ** 2 / (1 + 2 * w), state), (-(w**2) / (1 + 2 * w), State(before, theta)))
        base = Blend(state.t, parts)
        gamma = (1 + w) / (1 + 2 * w) * dt
        stage = dynamics.implicit(base, (), gamma, end, state.predict(end))  # type: ignore[arg-type]  # see blends
        return state.advance(end, stage.theta), StepInfo.of([stage])


def SDIRK2() -> RungeKutta:
    """Two diagonally implicit stages with γ = 1 − √½, order 2, L-stable and stiffly accurate.

    Source: Alexander, SIAM J. Numer. Anal. 14 (1977).
    """
    g = 1 - math.sqrt(0.5)
    return RungeKutta(Tableau(((g, 0.0), (1 - g, g)), (1 - g, g), (g, 1.0)), 2, "SDIRK2")
