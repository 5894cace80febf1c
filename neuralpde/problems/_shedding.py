"""What is read off the forces on a cylinder: coefficients, periods, the Strouhal number."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from neuralpde.problems._cylinder import CylinderChannel

Columns = dict[str, np.ndarray]


def drag_and_lift(flow: CylinderChannel, columns: Mapping[str, np.ndarray]) -> Columns:
    """Coefficients from a record of forces.

    Args:
        flow: past the cylinder.
        columns: ``t``, ``force_x``, ``force_y`` as a ForceRecord has them; probes ``front`` and ``back`` at
            ``flow.front_and_back`` are optional.

    Returns:
        ``t``, ``drag`` (c_D), ``lift`` (c_L) and, with the probes, ``pressure_drop`` (front less back).
    """
    scale = 2 / (flow.mean_speed**2 * flow.diameter)
    out = {"t": columns["t"], "drag": scale * columns["force_x"], "lift": scale * columns["force_y"]}
    if {"front_pressure", "back_pressure"} <= set(columns):
        out["pressure_drop"] = columns["front_pressure"] - columns["back_pressure"]
    return out


def period_starts(t: np.ndarray, lift: np.ndarray, most: int = 4) -> np.ndarray:
    """Times at which a lift begins a period: it rises through its mean (that of the second half of the series).

    Args:
        t: times, rising, ``(n,)``.
        lift: lift, or its coefficient, ``(n,)``.
        most: the last that many whole periods.

    Returns:
        At most ``most + 1`` times, interpolated linearly; fewer than two where there is no whole period.
    """
    around = lift - lift[t >= 0.5 * (t[0] + t[-1])].mean()
    up = np.flatnonzero((around[:-1] < 0) & (around[1:] >= 0))
    starts = t[up] - around[up] * (t[up + 1] - t[up]) / (around[up + 1] - around[up])
    return np.asarray(starts[-most - 1 :])


def strouhal_number(t: np.ndarray, lift: np.ndarray, length: float, speed: float) -> float:
    """St = f L/U with the frequency f of a lift over its last whole periods, at most four; NaN where there is none.

    Args:
        t: times, rising, ``(n,)``; a few dozen a period.
        lift: lift, or its coefficient, ``(n,)``.
        length: L, the diameter of a cylinder.
        speed: U, the mean speed of what flows towards it.

    Example:
        >>> t = np.linspace(0.0, 2.0, 401)
        >>> round(strouhal_number(t, np.sin(2 * np.pi * 3 * t), length=0.1, speed=1.0), 4)
        0.3
    """
    starts = period_starts(t, lift)
    if len(starts) < 2:
        return math.nan
    return length / (speed * float(np.diff(starts).mean()))


def street_figures(flow: CylinderChannel, series: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Figures of a vortex street over the last whole periods of the lift, at most four.

    Args:
        flow: past the cylinder.
        series: of :func:`drag_and_lift`.

    Returns:
        ``strouhal``; ``drag_max``, ``lift_max``; ``pressure_drop`` half a period after the largest lift, where the
        series has it; ``lift_growth``, by how much the lift swings more in the last period than in the first: where it
        is not small, the street is still forming, and these are figures of a transient. Without a whole period
        ``strouhal`` is NaN and nothing else there.
    """
    t, lift = series["t"], series["lift"]
    starts = period_starts(t, lift)
    if len(starts) < 2:
        return {"strouhal": math.nan}
    period = float(np.diff(starts).mean())
    here = (t >= starts[0]) & (t <= starts[-1])
    first, last = ((t >= a) & (t < a + period) for a in (starts[0], starts[-1] - period))
    out = {
        "strouhal": strouhal_number(t, lift, flow.diameter, flow.mean_speed),
        "drag_max": float(series["drag"][here].max()),
        "lift_max": float(lift[here].max()),
        "lift_growth": float(np.ptp(lift[last]) / np.ptp(lift[first]) - 1),
    }
    if "pressure_drop" in series:
        peak = float(t[first][lift[first].argmax()])
        out["pressure_drop"] = float(np.interp(peak + 0.5 * period, t, series["pressure_drop"]))
    return out
