"""Turek and Hron's beam in motion, CSM3: it starts at rest, straight, and swings about the bent state."""

from __future__ import annotations

import math
import time

import numpy as np
import torch
from numpy.typing import NDArray

from neuralpde.benches._rows import Row
from neuralpde.integrators import Newmark
from neuralpde.problems import Elasticity
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import simulate

PUBLISHED = {"x": (-14.305e-3, 14.305e-3), "y": (-63.607e-3, 65.160e-3)}
"""Mean and amplitude of the end's displacement."""

FREQUENCY = 1.0995
T_END = 2.0
STEPS = (0.01, 0.005)
"""The second halves the first: what the time step leaves is their difference."""

Series = NDArray[np.float64]


def motion_rows(problem: Elasticity, end: tuple[float, float], degree: int, title: str, quick: bool) -> list[Row]:
    """Mean, amplitude and frequency of the end's displacement with Newmark's method, of two time steps.

    As in the source mean and amplitude are half the sum and half the difference of the largest and smallest values.
    """
    out = list[Row]()
    for dt in (0.05,) if quick else STEPS:
        begin = time.perf_counter()
        r = FiniteElementField.for_problem(problem, degree)
        run = simulate(problem, r, Newmark(), dt=dt, t_end=T_END)
        seconds = time.perf_counter() - begin
        u = run.probe(torch.tensor([end], dtype=torch.float64))[:, 0, :2].numpy()
        figures = {"dofs": (float(r.num_dofs), ""), "seconds": (seconds, "s"), **swing(run.times.numpy(), u)}
        out += [Row("CSM3", f"{title}, dt {dt:g}", name, *pair) for name, pair in figures.items()]
    return out


def swing(t: Series, u: Series) -> dict[str, tuple[float, str]]:
    """Figures of a motion ``(k, 2)`` at times ``(k,)``, and their errors."""
    out: dict[str, tuple[float, str]] = {}
    for a, (name, (mean, amplitude)) in enumerate(PUBLISHED.items()):
        low, high = -extremes(t, -u[:, a])[1].max(initial=-u[:, a].min()), u[:, a].max()
        found = {"mean": (0.5 * (low + high), mean), "amplitude": (0.5 * (high - low), amplitude)}
        for what, (value, known) in found.items():
            out[f"{what}_{name}"] = (value, "m")
            out[f"rel_error_{what}_{name}"] = (abs(value / known - 1), "")
    times = extremes(t, -u[:, 1])[0]
    frequency = (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else math.nan
    out |= {"frequency": (frequency, "Hz"), "rel_error_frequency": (abs(frequency / FREQUENCY - 1), "")}
    return {name: (float(value), unit) for name, (value, unit) in out.items()}


def extremes(t: Series, y: Series) -> tuple[Series, Series]:
    """Times and heights of the highest points of a series' swings, by parabolas: local peaks above its mean."""
    inner = np.flatnonzero((y[1:-1] >= y[:-2]) & (y[1:-1] > y[2:]) & (y[1:-1] > 0.5 * (y.max() + y.min()))) + 1
    dt, (before, here, after) = t[1] - t[0], (y[inner + k] for k in (-1, 0, 1))
    shift = 0.5 * (before - after) / (before - 2 * here + after)
    return t[inner] + shift * dt, here - 0.25 * (before - after) * shift
