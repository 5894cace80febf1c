"""Splitting: the terms of a problem act one after the other, each by its own flow."""

from __future__ import annotations

from neuralpde.integrators._base import Blend, Dynamics, Integrator, Stage, State, StepInfo
from neuralpde.types import UsageError


def _check_flows(integrator: Integrator, dynamics: Dynamics) -> None:
    if not all(dynamics.flows):
        use = "RK4" if dynamics.constrained else "RK4 or ImplicitMidpoint"
        raise UsageError(f"{type(integrator).__name__} needs a flow for every term of the problem; use {use} here.")


class LieSplitting(Integrator):
    """u_{n+1} = Φ_m(dt) ∘ … ∘ Φ_1(dt) u_n with the flow Φ_j of each term; then the constraint, where there is one.

    First order in dt with several terms; with a single one it is as accurate as that term's flow (advection: the
    semi-Lagrangian method, exact in time for constant speed, of the order of its back-trace otherwise; no CFL limit).
    For incompressible flow it is Stam's advect-and-project.

    Source: Staniforth & Côté, Monthly Weather Review 119 (1991), for semi-Lagrangian advection; Stam, SIGGRAPH 1999.
    """

    name = "LieSplitting"
    order = 1

    def __repr__(self) -> str:
        return "LieSplitting()"

    def check(self, dynamics: Dynamics) -> None:
        _check_flows(self, dynamics)

    def step(self, dynamics: Dynamics, state: State, dt: float) -> tuple[State, StepInfo]:
        current, stages = state, list[Stage]()
        for part in range(len(dynamics.flows)):
            stages.append(dynamics.flow(part, current, dt, state.predict(state.t + dt)))
            current = State(state.t, stages[-1].theta)
        if dynamics.constrained:
            stages.append(dynamics.constrain(State(state.t + dt, current.theta), dt))
        return state.advance(state.t + dt, stages[-1].theta), StepInfo.of(stages)


class AdvectionReflection(Integrator):
    """Advect for half a step, reflect at the constraint, advect for the other half, project.

        ũ = A(dt/2) uⁿ,   u½ = P ũ,   û = 2 u½ − ũ,   uⁿ⁺¹ = P A(dt/2) û,

    with diffusion after the first and before the second advection. Advect-and-project is of first order even when
    symmetrised, because projecting twice is projecting once; a reflection keeps the energy that a projection takes, and
    the method is of second order. What carries is extrapolated to the middle of each half step, from the last step and
    from u½; frozen carriers would be of first order in a flow that moves.

    Source: Zehnder, Narain & Thomaszewski, An advection-reflection solver for detail-preserving fluid simulation,
    ACM Trans. Graph. 37 (2018).
    """

    name = "AdvectionReflection"
    order = 2

    def __repr__(self) -> str:
        return "AdvectionReflection()"

    def check(self, dynamics: Dynamics) -> None:
        _check_flows(self, dynamics)
        if not dynamics.constrained:
            raise UsageError(
                "AdvectionReflection reflects at a constraint, and this problem has none; use LieSplitting or RK4."
            )

    def step(self, dynamics: Dynamics, state: State, dt: float) -> tuple[State, StepInfo]:
        half, middle, end = 0.5 * dt, state.t + 0.5 * dt, state.t + dt
        others = range(1, len(dynamics.flows))
        carrier = _extrapolated(state, state.t + 0.25 * dt)
        stages = [dynamics.flow(0, state, half, state.predict(middle), carrier)]
        for part in others:
            stages.append(dynamics.flow(part, State(state.t, stages[-1].theta), half))
        advected = State(middle, stages[-1].theta)
        stages.append(dynamics.constrain(advected, half))
        projected = State(middle, stages[-1].theta, ((state.t, state.theta),))
        current: State | Blend = Blend(middle, ((2.0, projected), (-1.0, advected)))
        for part in others:
            stages.append(dynamics.flow(part, current, half, projected.theta))
            current = State(middle, stages[-1].theta)
        guess = projected.predict(end)
        stages.append(dynamics.flow(0, current, half, guess, _extrapolated(projected, state.t + 0.75 * dt)))
        stages.append(dynamics.constrain(State(end, stages[-1].theta), half))
        return state.advance(end, stages[-1].theta), StepInfo.of(stages)


def _extrapolated(state: State, t: float) -> State | Blend:
    """The field on the line through a state and the one before it; the state itself where there is none."""
    if not state.history:
        return state
    before, theta = state.history[0]
    slope = (t - state.t) / (state.t - before)
    return Blend(t, ((1 + slope, state), (-slope, State(before, theta))))
