"""Newmark's method, for problems of second order in time."""

from __future__ import annotations

from neuralpde.integrators._base import Dynamics, Integrator, State, StepInfo
from neuralpde.types import UsageError


class Newmark(Integrator):
    """u_{n+1} = u_n + dt v_n + dt² ((½ − β) a_n + β a_{n+1}),   v_{n+1} = v_n + dt ((1 − γ) a_n + γ a_{n+1}).

    With β = ¼, γ = ½ (average acceleration) it is of order 2, unconditionally stable for linear bodies, and damps
    nothing; γ > ½ is of order 1 and damps, the highest frequencies only with β ≥ (γ + ½)²/4 (γ = 2β, as contact wants
    it, damps those about ω dt = 10: by 0.82 a step with β = 0.3). Forces are in balance at the end of every step, where
    a body may touch an obstacle. a_n is what the forces on the state at hand give, so that a run can start anywhere.

    Forces of contact and friction act as a whole at the end of a step, in place of half of them at both ends (this
    takes γ = 2β). With β = ¼ and γ = ½ an impact on a plane then makes no energy in a linear body, and friction takes
    what it rubs to rounding. A large deformation makes or takes some in an impact that a few steps resolve, as it does
    without contact: shorter steps, or ImplicitEuler or BDF2, which damp.

    Args:
        beta: β ≥ 0.1; γ²/2 or more is stable for steps of any length.
        gamma: γ ≥ ½.

    Raises:
        UsageError: for numbers out of range.

    Source: Newmark, J. Eng. Mech. Div. 85 (1959); Hughes, The Finite Element Method (2000), chapter 9.
    """

    name = "Newmark"

    def __init__(self, beta: float = 0.25, gamma: float = 0.5) -> None:
        if not (beta >= 0.1 and 0.5 <= gamma <= 2):
            raise UsageError(f"Newmark takes beta ≥ 0.1 and gamma from 0.5 to 2; got beta={beta}, gamma={gamma}.")
        self.beta, self.gamma = beta, gamma
        self.order = 2 if gamma == 0.5 else 1

    def __repr__(self) -> str:
        own = (self.beta, self.gamma) != (0.25, 0.5)
        return f"Newmark(beta={self.beta:g}, gamma={self.gamma:g})" if own else "Newmark()"

    def check(self, dynamics: Dynamics) -> None:
        if type(dynamics).newmark is Dynamics.newmark:
            raise UsageError("Newmark is for bodies in motion (time_order 2); use ImplicitMidpoint or BDF2 here.")

    def step(self, dynamics: Dynamics, state: State, dt: float) -> tuple[State, StepInfo]:
        slope = dynamics.slope(state.t, state.theta)
        stage = dynamics.newmark(state, slope, dt, self.beta, self.gamma, state.predict(state.t + dt))
        return state.advance(state.t + dt, stage.theta), StepInfo.of([stage])
