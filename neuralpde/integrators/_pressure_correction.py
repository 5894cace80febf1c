"""Pressure correction: advection explicit, diffusion implicit, the pressure improved step by step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from neuralpde.integrators._base import Dynamics, Integrator, Stage, State, StepInfo, Terms
from neuralpde.types import Status, UsageError

STATES = 3
"""States whose advection is extrapolated. Two (Adams and Bashforth's second-order method) would do for the order, but
make energy of every wave that viscosity does not damp, however short the step. A blend with it (Shchepetkin &
McWilliams, Ocean Modelling 9 (2005)) is stable for steps a tenth longer, and thirty times less true to the energy."""

MOST_GAIN = 0.05
"""Kinetic energy that the extrapolation may make in one step, relative to what there is; runs that are right, sudden
starts included, stay below 1e-3."""


class IncrementalPressureCorrection(Integrator):
    """Advection by Adams and Bashforth, diffusion by Crank and Nicolson, the pressure corrected step by step.

        (u* − uⁿ)/dt = (23 Aⁿ − 16 Aⁿ⁻¹ + 5 Aⁿ⁻²)/12 + ½ (Dⁿ + D*) − ∇pⁿ,   uⁿ⁺¹ = P u*,   pⁿ⁺¹ = pⁿ + φ,

    with φ from the projection; where dt changes, the parabola through the three Aᵏ is integrated. Second order for the
    velocity; one advection, one linear solve per component and one pressure solve a step. dt is limited by advection,
    not by diffusion: no wave grows for Σ_a |u_a| dt/h_a ≤ 0.67 on a grid of second order (0.72 without viscosity, where
    the energy changes with dt³). The first step is Heun's with D* alone: a start that does not fit the walls, as most
    do not, would make Crank and Nicolson's method ring in the stiffest cells for hundreds of steps.

    A step whose extrapolation makes more than a twentieth of the kinetic energy ends as ``UNSTABLE``.

    Source: Van Kan, SIAM J. Sci. Stat. Comput. 7 (1986); Guermond, Minev & Shen, CMAME 195 (2006); Durran, Mon.
    Weather Rev. 119 (1991), for the extrapolation; Rannacher, Numer. Math. 43 (1984), for the first step.
    """

    name = "IncrementalPressureCorrection"
    order = 2

    def __repr__(self) -> str:
        return "IncrementalPressureCorrection()"

    def check(self, dynamics: Dynamics) -> None:
        if not dynamics.constrained or not {"advection"} <= {part.name for part in dynamics.parts}:
            raise UsageError(
                "IncrementalPressureCorrection is for incompressible flow; use RK4 or ImplicitMidpoint here."
            )
        if dynamics.explicit_only and not all(dynamics.flows):
            raise UsageError(
                f"IncrementalPressureCorrection takes diffusion implicitly by itself, which {type(dynamics).__name__} "
                "does not; use RK4 here."
            )

    def step(self, dynamics: Dynamics, state: State, dt: float) -> tuple[State, StepInfo]:
        t = state.t
        known = [(t, state.theta), *state.history[: STATES - 1]]
        slopes = [dynamics.slope(t, state.theta, "advection"), *state.memory[: STATES - 1]]
        slopes += [dynamics.slope(s, theta, "advection") for s, theta in known[len(slopes) :]]
        advection = list(zip(_weights([s for s, _ in known], dt), slopes, strict=True))
        stages = _moved(dynamics, state, advection, dt)
        thetas = [theta for _, theta in known]
        if not state.history and stages[-1].status.ok:
            # a first step by Euler's method would make energy; by Heun's it does not, to the order of dt⁴
            thetas.append(stages[-1].theta)
            slopes.append(dynamics.slope(t + dt, stages[-1].theta, "advection"))
            advection = [(0.5 * dt, slope) for slope in slopes]
            stages += _moved(dynamics, state, advection, dt)
        info = StepInfo.of(stages)
        if info.status.ok and _makes_energy(dynamics, thetas, advection, stages[-1].theta):
            info = StepInfo(Status.UNSTABLE, info.residual, info.iterations)
        kept = len(known[: STATES - 1])
        return State(t + dt, stages[-1].theta, tuple(known[:kept]), tuple(slopes[:kept])), info


def _moved(dynamics: Dynamics, state: State, advection: Terms, dt: float) -> list[Stage]:
    """The step for a given advection: what moves by itself, and that without divergence."""
    end, terms = state.t + dt, [*advection, (dt, dynamics.slope(state.t, state.theta, "pressure"))]
    gamma = 0.0
    if "diffusion" in {part.name for part in dynamics.parts}:
        gamma = 0.5 * dt if state.history else dt
        if state.history:
            terms.append((gamma, dynamics.slope(state.t, state.theta, "diffusion")))
    moved = dynamics.implicit(state, terms, gamma, end, None, "diffusion")
    return [moved, dynamics.constrain(State(end, moved.theta), dt, increment=True)]


def _weights(times: Sequence[float], dt: float) -> list[float]:
    """Of the values at ``times`` (newest first) in the integral over the next dt of the polynomial through them."""
    nodes = (np.array(times) - times[0]) / dt
    weights = np.linalg.solve(np.vander(nodes, increasing=True).T, 1 / np.arange(1, len(nodes) + 1))
    return [dt * float(w) for w in weights]


def _makes_energy(dynamics: Dynamics, thetas: Sequence[Tensor], advection: Terms, end: Tensor) -> bool:
    """Whether extrapolating has made more than ``MOST_GAIN`` of the energy: Σ_k c_k ∫ (ū − u_k)·A_k with the mean ū of
    the step's ends.

    Advection moves energy, and lets some in and out through open faces, ∫ u_k·A_k; what it does to ū beyond that comes
    from the extrapolation.
    """
    energies = [dynamics.energy(thetas[0]), dynamics.energy(end)]
    gains = list[Tensor]()
    for theta, (c, slope) in zip(thetas, advection, strict=True):
        first, last, own = (dynamics.work(u, slope) for u in (thetas[0], end, theta))
        if first is None or last is None or own is None:
            return False
        gains.append(c * (0.5 * (first + last) - own))
    before, after = energies
    assert before is not None and after is not None
    return bool((torch.stack(gains).sum(0) > MOST_GAIN * before.maximum(after)).any())
