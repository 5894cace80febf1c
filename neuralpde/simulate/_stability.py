"""Explicit runs whose steps are longer than diffusion allows."""

from __future__ import annotations

import math

from neuralpde.integrators import Dynamics, Integrator, State
from neuralpde.types import UsageError

NEAR = 0.98
"""Share of the limit from which a note is made: the fastest decay is known from below, to some two percent."""

GROWTH = 10.0
"""Growth of the fastest mode over a run, from which its steps are refused."""


def check_step(integrator: Integrator, dynamics: Dynamics, start: State, dt: float, steps: int) -> tuple[str, ...]:
    """Notes on steps beyond the method's limit: dt·λ on the negative real axis with λ the fastest decay, or dt·ω on the
    imaginary axis with ω the fastest vibration of a body.

    The fastest mode of a linear problem grows by |R(−dt λ)| or |R(i dt ω)| in every step, R the method's stability
    function.

    Raises:
        UsageError: for a linear problem in which that is at least 10 by the end.
    """
    if integrator.real_limit == math.inf or steps < 1:
        return ()
    decay = dynamics.decay(start.theta, (start.t, start.t + steps * dt))
    if decay is None:
        return ()
    limit = integrator.imaginary_limit if decay.vibrates else integrator.real_limit
    way, letter, name = (1j, "ω", "vibration") if decay.vibrates else (-1.0, "λ", "decay")
    if not dt * decay.rate > NEAR * limit:
        return ()
    text = (
        f"dt·{letter} = {dt * decay.rate:.3g} with the fastest {name} {letter} = {decay.rate:.3g} is "
        f"{'beyond' if dt * decay.rate > limit else 'next to'} the stability limit {limit:.3g} of {integrator!r}"
    )
    instead = "ImplicitMidpoint or Newmark" if decay.vibrates else "SDIRK4"
    smaller = f"use dt ≤ {_rounded_down(NEAR * limit / decay.rate):.2g}" if limit else "use RK4"
    remedy = f"{smaller}, or an implicit method ({instead})"
    beyond = decay.linear and dt * decay.rate > limit
    if beyond and steps * math.log(integrator.amplification(way * dt * decay.rate)) > math.log(GROWTH):
        raise UsageError(f"{text}: {remedy}.")
    return (f"at the start {text}: errors may grow; {remedy}",)


def _rounded_down(value: float) -> float:
    """Two digits of it, not above it."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.floor(value / unit) * unit
