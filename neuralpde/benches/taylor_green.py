"""INSR's Taylor–Green vortices: an inviscid flow that should stand still.

u = (sin X cos Y, −cos X sin Y)/π, X = π(x + 1), on [−1, 1]², Δt 0.05, 100 steps. Error: the mean square of the
velocity's error over all steps after the first instant and a lattice of 64² points (``mse``; bar 1e-8 in 5 min with at
most 6,627 dofs, stretch 1e-10; INSR publishes 3.35e-4 in 14 h). The exact flow is steady: ``frozen field``, which does
nothing, has no error at all, and the bench tells whether a solver keeps what it has; ``neuralpde bench walsh`` moves.

Methods:

- ``neural``: a stream function and a pressure, stepped by projected RK4. Worst of three seeds.
- ``neural velocity–pressure``: two plain networks, velocity and pressure, which every stage of RK4 makes free of
  divergence by a fit of Poisson's equation. One seed.
- ``grid same memory``, ``grid same error``: the best of staggered and Fourier grids and of their step sizes.
- ``spectral``: a Fourier grid of 16² with INSR's own step, to which this flow is a single mode.
- ``frozen field``: the initial velocity for ever.

One thread each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from neuralpde.benches._flows import FlowReference, FlowSearch, frozen_field
from neuralpde.benches._grids import grid_rows
from neuralpde.benches._marching import SEEDS, Measured, one_thread, rows_of
from neuralpde.benches._neural_flows import NeuralFlowMethod, VelocityPressureMethod
from neuralpde.benches._rows import Row
from neuralpde.integrators import RK4
from neuralpde.problems import TaylorGreen
from neuralpde.representations import SpectralGrid
from neuralpde.simulate import simulate

CASE = "inviscid, steady"
ERRORS = ("mse", "mse_final", "rel_l2", "max_error", "pressure_rel_l2")
DT, STEPS = 0.05, 100

NEURAL = NeuralFlowMethod(DT, (20, 20), (12, 12), density=1.5, first=200, atol=5e-7, maxiter=6, stall=0.05)
PLAIN = VelocityPressureMethod(RK4(), DT, (14, 14), (10, 10), first=200, atol=5e-6, divergence=1e-4)
QUICK = replace(NEURAL, hidden=(8, 8), pressure_hidden=(6,), first=40, atol=1e-3, accept=math.inf)
PLAIN_QUICK = replace(PLAIN, hidden=(8, 8), pressure_hidden=(6,), first=40, atol=1e-3, accept=math.inf)


def rows(quick: bool = False) -> Iterator[Row]:
    """Size, time and errors of every method.

    Args:
        quick: four steps, one seed, a small field.

    Yields:
        rows ``dofs``, ``memory_bytes``, ``seconds``, ``setup_seconds``, ``seconds_max``, ``mse``, ``mse_final``,
        ``rel_l2``, ``max_error``, ``pressure_rel_l2``, ``steps``, ``iterations``.
    """
    with one_thread():
        method, seeds, steps = (QUICK, SEEDS[:1], 4) if quick else (NEURAL, SEEDS, STEPS)
        plain = PLAIN_QUICK if quick else PLAIN
        problem = TaylorGreen()
        reference = FlowReference(problem, [DT * k for k in range(1, steps + 1)])
        runs = [method.run(reference, seed) for seed in seeds]
        yield from rows_of(CASE, "neural", runs, ERRORS)
        search = FlowSearch(reference, "mse", halvings=1 if quick else 6, slowest=0.1 if quick else 10.0)
        nodes = (8, 16) if quick else (8, 16, 32, 64, 128, 256)
        spectral = simulate(problem, SpectralGrid.for_problem(problem, 16), RK4(), dt=DT, t_end=reference.times[-1])
        yield from rows_of(CASE, "neural velocity–pressure (RK4)", [plain.run(reference, SEEDS[0])], ERRORS)
        yield from grid_rows(CASE, search, runs, nodes, ERRORS)
        yield from rows_of(CASE, "spectral (16², RK4, dt 0.05)", [Measured.of(spectral, reference)], ERRORS)
        yield from frozen_field(CASE, reference, ERRORS)
