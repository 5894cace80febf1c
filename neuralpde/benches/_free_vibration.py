"""A cantilever that is bent and let go: how a held body swings on elements and on neural fields.

It starts at rest in the first mode of Euler and Bernoulli's beam,

    w(s) = ½ (cosh βs − cos βs − σ (sinh βs − sin βs)),  βL = 1.8751,

cross-sections staying straight and normal. In plane strain that beam's period is 2π L² √(12 ρ / (E′ h²)) / (βL)² with
E′ = E / (1 − ν²). The body also shears a little and swings slower.

Source: Rao, Vibration of Continuous Systems (2007), section 11.5.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neuralpde.benches._mapped_meshes import Places, mapped_mesh
from neuralpde.benches._moving_beam import extremes
from neuralpde.geometry import Dirichlet, Flux, MeshDomain
from neuralpde.integrators import Newmark
from neuralpde.problems import LinearElasticity
from neuralpde.representations import Representation
from neuralpde.simulate import Solution, simulate

LENGTH, HEIGHT = 1.0, 0.1
YOUNG, POISSON_RATIO, DENSITY = 1e6, 0.3, 1000.0
AMPLITUDE = 0.01
"""Of the end, in m."""

BETA = 1.8751040687119611
"""The smallest root of cosh β cos β = −1."""

PERIOD = 2 * math.pi * LENGTH**2 * math.sqrt(12 * DENSITY * (1 - POISSON_RATIO**2) / (YOUNG * HEIGHT**2)) / BETA**2
"""Euler and Bernoulli's, in s."""

STEPS = 30
"""Of one period."""

PERIODS = 2.2
"""As long a run has two peaks after its start."""


def bent(x: Tensor) -> Tensor:
    """The first mode ``(n, 2)`` at points ``(n, 2)``."""
    z = BETA * x[:, 0] / LENGTH
    sigma = (math.cosh(BETA) + math.cos(BETA)) / (math.sinh(BETA) + math.sin(BETA))
    w = 0.5 * (torch.cosh(z) - torch.cos(z) - sigma * (torch.sinh(z) - torch.sin(z)))
    slope = 0.5 * BETA / LENGTH * (torch.sinh(z) + torch.sin(z) - sigma * (torch.cosh(z) - torch.cos(z)))
    return AMPLITUDE * torch.stack([-(x[:, 1] - 0.5 * HEIGHT) * slope, w], dim=1)


def strip(x: Places) -> Places:
    """The unit square as the cantilever."""
    return x * np.array([LENGTH, HEIGHT])


def cantilever(cells: tuple[int, int]) -> LinearElasticity:
    """The body on triangles, so many cells along and across."""
    return LinearElasticity(
        young=YOUNG,
        poisson_ratio=POISSON_RATIO,
        density=DENSITY,
        steady=False,
        start=bent,
        domain=MeshDomain(mapped_mesh("triangle", cells, strip, {"x-": "wall"})),
        conditions=(Dirichlet(0.0, "wall"), Flux(0.0)),
    )


@dataclass(frozen=True)
class Swing:
    """What is measured of a run.

    Args:
        dofs, seconds: its size and its time.
        period: between its two peaks, in s; NaN where it ended before.
        amplitude: the higher of them, over that of the start.
        energy_drift: the largest change of the energy, over that of the start.
    """

    dofs: int
    seconds: float
    period: float
    amplitude: float
    energy_drift: float


def swing(problem: LinearElasticity, r: Representation, begin: float, quick: bool = False) -> Swing:
    """The swing of one method with Newmark's method.

    Args:
        problem: the cantilever.
        r: where its displacement is kept.
        begin: when the method began, as ``time.perf_counter`` has it.
        quick: with few steps.
    """
    dt = PERIOD / (12 if quick else STEPS)
    run = simulate(problem, r, Newmark(), dt=dt, t_end=PERIODS * PERIOD, raise_on_failure=False)
    return measured(run, time.perf_counter() - begin)


def measured(run: Solution, seconds: float) -> Swing:
    """The figures of a run."""
    end = torch.tensor([[LENGTH, 0.5 * HEIGHT]], dtype=torch.float64)
    times, heights = extremes(run.times.numpy(), run.probe(end)[:, 0, 1].numpy())
    period = float(times[1] - times[0]) if len(times) > 1 else math.nan
    energy = run.energies.total if run.energies is not None else torch.full((1,), math.nan)
    drift = float((energy / energy[0] - 1).abs().max()) if run.status.ok else math.nan
    amplitude = float(heights.max()) / AMPLITUDE if len(heights) else math.nan
    return Swing(run.representation.num_dofs, seconds, period, amplitude, drift)
