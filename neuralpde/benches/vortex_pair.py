"""Two vortices that turn around each other: a neural flow beside grids of the same memory.

Gaussian vortices of circulation 1 and width 0.06 at distance 0.28 on the periodic unit square, viscosity 1e-3 (Reynolds
number 1,000), t ≤ 1.2: smooth, so that the reference converges (two resolutions differ by less than 1e-6; INSR's own
vortices, sheets 0.05 wide, never do), and long enough for more than half a turn. Error: ``rel_l2`` of the velocity over
twelve times and a lattice of 64² points; bar for ``neural``: at most half the error of the staggered grid with the same
memory.

Methods:

- ``neural``: a stream function and a pressure, stepped by projected RK4. Worst of three seeds.
- ``MAC same memory``: the staggered grid with as many bytes, its best integrator and step.
- ``grid same memory``, ``grid same error``: the best of staggered and Fourier grids.
- ``spectral reference``: the fine run, how far the one of half its resolution differs, and the turn made (degrees).

One thread each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch

from neuralpde.benches._flows import FlowSearch, flow_kinds, spectral_reference
from neuralpde.benches._grids import Search, grid_rows
from neuralpde.benches._marching import SEEDS, one_thread, rows_of
from neuralpde.benches._neural_flows import NeuralFlowMethod
from neuralpde.benches._rows import Row
from neuralpde.problems import VortexPair
from neuralpde.simulate import Solution

PROBLEM = VortexPair(viscosity=1e-3, width=0.06, separation=0.28)
CASE = "Reynolds number 1000"
ERRORS = ("rel_l2", "rel_l2_final", "mse", "max_error", "pressure_rel_l2")

NEURAL = NeuralFlowMethod(0.02, (20, 20), (8, 8), density=1.5, first=100, atol=5e-4, maxiter=15, stall=0.05)
QUICK = replace(NEURAL, hidden=(10, 10), pressure_hidden=(6,), first=30, atol=0.1, accept=math.inf)


def rows(quick: bool = False) -> Iterator[Row]:
    """Size, time and errors of every method.

    Args:
        quick: until t = 0.04, one seed, a small field, a coarse reference.

    Yields:
        rows ``dofs``, ``memory_bytes``, ``seconds``, ``setup_seconds``, ``seconds_max``, ``rel_l2``, ``rel_l2_final``,
        ``mse``, ``max_error``, ``pressure_rel_l2``, ``steps``, ``iterations``; ``rel_l2_to_half_resolution``, ``turn``.
    """
    with one_thread():
        method, seeds = (QUICK, SEEDS[:1]) if quick else (NEURAL, SEEDS)
        times = [0.02, 0.04] if quick else [0.1 * k for k in range(1, 13)]
        fine = spectral_reference(PROBLEM, times, 64 if quick else 256, steps=4 if quick else 160)
        runs = [method.run(fine.reference, seed) for seed in seeds]
        yield from rows_of(CASE, "neural", runs, ERRORS)
        search = FlowSearch(fine.reference, halvings=1 if quick else 6, slowest=0.1 if quick else 10.0)
        nodes = (16, 24) if quick else (16, 24, 32, 48, 64, 96, 128, 192, 256)
        staggered = Search(
            fine.reference, {"MAC": flow_kinds(PROBLEM)["MAC"]}, "rel_l2", search.halvings, search.slowest
        )
        mac = staggered.same_memory(runs[0].memory_bytes)
        yield from rows_of(CASE, f"MAC same memory ({mac.name})", [mac.measured], ERRORS)
        yield from grid_rows(CASE, search, runs, nodes, ERRORS)
        yield from fine.rows(CASE)
        yield Row(CASE, "spectral reference", "turn", turn(fine.solution), "deg")


def turn(solution: Solution) -> float:
    """Degrees by which the pair has turned: the angle of the vorticity's second moments, followed through time.

    The axis of a pair is the long axis of Σ ω⁺ (x − c)(x − c)ᵀ, known up to half a turn; between two saved times it
    must turn by less than a right angle.
    """
    domain = solution.problem.domain
    centre = torch.tensor([0.5 * (a + b) for a, b in zip(domain.lower, domain.upper, strict=True)], dtype=torch.float64)
    axis = torch.linspace(-0.25, 0.25, 101, dtype=torch.float64) * min(domain.lengths)
    x = torch.cartesian_prod(axis, axis)
    vorticity = solution.problem.quantities()[0]
    total, before = 0.0, 0.0
    for t in solution.times.tolist():
        w = vorticity.of(solution.at(t).jet(centre + x, vorticity.needs))[:, 0].clamp(min=0.0)
        (xx, xy), (_, yy) = torch.einsum("n,ni,nj->ij", w, x, x).tolist()
        angle = 0.5 * math.atan2(2 * xy, xx - yy)
        total += (angle - before + 0.5 * math.pi) % math.pi - 0.5 * math.pi
        before = angle
    return math.degrees(total)
