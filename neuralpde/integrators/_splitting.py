"""Splitting: the terms of a problem act one after the other, each by its own flow."""

from __future__ import annotations

from neuralpde.integrators._base import Dynamics, Integrator, Stage, State, StepInfo
from neuralpde.types import UsageError


class LieSplitting(Integrator):
    """u_{n+1} = Φ_m(dt) ∘ … ∘ Φ_1(dt) u_n with the flow Φ_j of each term.

    First order in dt with several terms; with a single one it is as accurate as that term's flow (advection: the
    semi-Lagrangian method, exact in time for constant speed, fourth order otherwise; no CFL limit).

    Source: Staniforth & Côté, Monthly Weather Review 119 (1991), for semi-Lagrangian advection.
    """

    name = "LieSplitting"
    order = 1

    def __repr__(self) -> str:
        return "LieSplitting()"

    def check(self, dynamics: Dynamics) -> None:
        if not all(dynamics.flows):
            raise UsageError(
                "LieSplitting needs a flow for every term of the problem; use RK4 or ImplicitMidpoint here."
            )

    def step(self, dynamics: Dynamics, state: State, dt: float) -> tuple[State, StepInfo]:
        current, stages = state, list[Stage]()
        for part in range(len(dynamics.flows)):
            stages.append(dynamics.flow(part, current, dt, state.predict(state.t + dt)))
            current = State(state.t, stages[-1].theta)
        return state.advance(state.t + dt, current.theta), StepInfo.of(stages)
