"""A flow that moves, with an exact solution: Walsh's eddies in a wind, on a periodic square.

u = U + ∇⊥ψ(x − U t) e^{−5νt} with Δψ = −5ψ, U = (1, ½), four waves with random phases and amplitudes, [0, 2π]², t ≤ 1,
viscosity 0.01 and 0. Error: ``rel_l2`` of the velocity over 20 times and a lattice of 64² points (bar for ``neural``:
1e-3 with at most 6,627 dofs for the worst of three seeds); ``frozen field`` must fail.

Methods:

- ``neural``: a stream function and a pressure, stepped by projected RK4.
- ``neural velocity–pressure``: two plain networks, velocity and pressure, made free of divergence by fits of Poisson's
  equation in every stage of RK4. One seed. Splittings run on it too, and let the errors of more fits add up.
- ``grid same memory``, ``grid same error``: the best of staggered and Fourier grids and of their step sizes.
- ``frozen field``: the initial velocity for ever.
- ``splitting``: observed order of advection–reflection and of pressure correction (bar: 1.85), and of
  advect-and-project beside them: ``order_in_time`` on a Fourier grid, which has no error in space here; ``order`` on
  staggered grids, step and spacing halved together, since a semi-Lagrangian step of any length interpolates anew.

One thread each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from neuralpde.benches._flows import FlowReference, FlowSearch, frozen_field
from neuralpde.benches._grids import grid_rows
from neuralpde.benches._marching import SEEDS, one_thread, rows_of
from neuralpde.benches._neural_flows import NeuralFlowMethod, VelocityPressureMethod
from neuralpde.benches._rows import Row
from neuralpde.integrators import RK4, AdvectionReflection, IncrementalPressureCorrection, Integrator, LieSplitting
from neuralpde.problems import WalshFlow
from neuralpde.representations import MacGrid, SpectralGrid
from neuralpde.simulate import simulate

CASES = {"viscosity 0.01": WalshFlow(), "viscosity 0": WalshFlow(viscosity=0.0)}
ERRORS = ("rel_l2", "rel_l2_final", "mse", "max_error", "pressure_rel_l2")
SPLITTINGS: tuple[Integrator, ...] = (AdvectionReflection(), IncrementalPressureCorrection(), LieSplitting())

NEURAL = NeuralFlowMethod(0.05, (24, 24), (16, 16), density=1.5, first=100, atol=1e-4)
PLAIN = VelocityPressureMethod(RK4(), 0.05)
QUICK = replace(NEURAL, hidden=(10, 10), pressure_hidden=(6,), first=40, atol=1e-2, accept=math.inf)
PLAIN_QUICK = replace(PLAIN, hidden=(10, 10), pressure_hidden=(6,), first=40, atol=1e-2, accept=math.inf)

STAGGERED_CELLS = (32, 64, 128)
"""Cells along each axis, with steps of 0.1 on the first grid."""


def rows(quick: bool = False) -> Iterator[Row]:
    """Size, time and errors of every method on both cases, and orders of splittings.

    Args:
        quick: until t = 0.1, one seed, a small field.

    Yields:
        rows ``dofs``, ``memory_bytes``, ``seconds``, ``setup_seconds``, ``seconds_max``, ``rel_l2``, ``rel_l2_final``,
        ``mse``, ``max_error``, ``pressure_rel_l2``, ``steps``, ``iterations``; ``order_in_time``, ``order``.
    """
    with one_thread():
        method, seeds, t_end = (QUICK, SEEDS[:1], 0.1) if quick else (NEURAL, SEEDS, 1.0)
        for case, problem in CASES.items():
            count = round(t_end / method.dt)
            reference = FlowReference(problem, [method.dt * k for k in range(1, count + 1)])
            runs = [method.run(reference, seed) for seed in seeds]
            search = FlowSearch(reference, halvings=1 if quick else 6, slowest=0.1 if quick else 10.0)
            nodes = (8, 12) if quick else (8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
            yield from rows_of(case, "neural", runs, ERRORS)
            plain = (PLAIN_QUICK if quick else PLAIN).run(reference, SEEDS[0])
            yield from rows_of(case, "neural velocity–pressure (RK4)", [plain], ERRORS)
            yield from grid_rows(case, search, runs, nodes, ERRORS)
            yield from frozen_field(case, reference, ERRORS)
            for integrator in SPLITTINGS:
                label = f"splitting ({integrator!r}, Fourier 16²)".replace("()", "")
                yield Row(case, label, "order_in_time", observed_order(problem, integrator, quick))
                finest = STAGGERED_CELLS[1 if quick else -1]
                label = f"splitting ({integrator!r}, MAC {finest}²)".replace("()", "")
                yield Row(case, label, "order", observed_order_together(problem, integrator, quick))


def observed_order(problem: WalshFlow, integrator: Integrator, quick: bool = False) -> float:
    """log₂ of the ratio of the errors at t = 0.4 with the two smallest of four (two) steps, each half of the last."""
    grid = SpectralGrid.for_problem(problem, 16)
    errors = []
    for k in range(2 if quick else 4):
        run = simulate(problem, grid, integrator, dt=0.1 / 2**k, t_end=0.4, save_every=2**10)
        errors.append(run.error([0.4], points=33)["rel_l2"])
    return math.log2(errors[-2] / errors[-1])


def observed_order_together(problem: WalshFlow, integrator: Integrator, quick: bool = False) -> float:
    """log₂ of the ratio of the errors at t = 0.4 on the two finest of three (two) staggered grids, whose steps are as
    much shorter as their cells are smaller."""
    errors = []
    for k, cells in enumerate(STAGGERED_CELLS[: 2 if quick else 3]):
        grid = MacGrid.for_problem(problem, cells)
        run = simulate(problem, grid, integrator, dt=0.1 / 2**k, t_end=0.4, save_every=2**10)
        errors.append(run.error([0.4], points=33)["rel_l2"])
    return math.log2(errors[-2] / errors[-1])
