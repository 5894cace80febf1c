"""Pressure systems of fluids around solids: geometric multigrid against AMG packages, direct factors and plain CG.

Each case holds three systems of a size: moving circles (spheres), rooms behind walls one cell thick, and a frame of a
smoke plume; one side is open, b is the divergence of a velocity and x₀ = 0. Every method runs until the true relative
residual, recomputed with SciPy in float64, is below 1e-6. ``seconds`` is set-up and solve; figures are medians over the
three systems. Methods with a matrix get that of the unknown cells, ready made; "multigrid from csr" finds the grid in
it first. Loops were compiled before; what that takes is a row of its own. Our loops follow the threads of torch, whose
number OMP_NUM_THREADS sets; pyamg, hypre and SuperLU run with one, and so does "multigrid, 1 thread". On a busy machine
set OMP_NUM_THREADS=1: threads that wait for each other cost more there than they gain.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator, Sequence

import torch

from neuralpde.benches._linear_cycle import cycle_rows
from neuralpde.benches._linear_methods import CG, DIRECT, PYAMG, from_csr, room, with_threads
from neuralpde.benches._linear_petsc import hypre_methods
from neuralpde.benches._linear_problem import Measured, Method, OverLimitError, Problem, measured
from neuralpde.benches._linear_processes import compilation
from neuralpde.benches._linear_rows import case_rows, method_rows, remark
from neuralpde.benches._rows import Row
from neuralpde.linalg import PlainMultigrid
from neuralpde.systems import pressure_system

GRIDS = ((256, 256), (512, 512), (1024, 1024), (64, 64, 64), (96, 96, 96), (128, 128, 128))
QUICK_GRIDS = ((32, 32), (12, 12, 12))
WARM_GRIDS = ((128, 128), (64, 64, 64))
"""Grids with two levels and a coarsest one, on which every loop runs before anything is timed."""

FAMILIES = ("circles", "rooms", "plume")
SEED = 1

EVERY = ("circles", "boxes", "blobs", "walls", "rooms", "comb", "gaps", "closed rooms", "plume")
"""Families without jumps, on which iterations alone are counted."""


def case_name(grid: Sequence[int]) -> str:
    """As the cases are called: 256^2, 64^3."""
    return f"{grid[0]}^{len(grid)}"


def problems(grid: Sequence[int]) -> list[Problem]:
    """The three systems of a size."""
    sides = (("wall", "open"), *[("wall", "wall")] * (len(grid) - 1))
    systems = (
        pressure_system(family, grid, SEED, frame=2 if family != "rooms" else 0, sides=sides, pockets=False)
        for family in FAMILIES
    )
    return [Problem.of(system) for system in systems]


def methods() -> dict[str, Method]:
    """All of them."""
    multigrid = room("multigrid")
    found = {**CG, **DIRECT, **PYAMG, **hypre_methods(), "multigrid plain": room(PlainMultigrid)}
    if torch.get_num_threads() > 1:
        found["multigrid, 1 thread"] = with_threads(multigrid, 1)
    return {**found, "multigrid from csr": from_csr, "multigrid": multigrid}


def rows(quick: bool = False) -> Iterator[Row]:
    """Rows of all sizes.

    Args:
        quick: tiny grids.
    """
    if importlib.util.find_spec("petsc4py") is None:
        remark("petsc hypre: not run: petsc4py does not import.")
    if not quick:
        yield from _first_calls()
    yield Row("machine", "threads of torch", "threads", torch.get_num_threads())
    _warm(methods(), QUICK_GRIDS if quick else WARM_GRIDS)
    spreads: dict[int, list[int]] = {2: [], 3: []}
    for grid in QUICK_GRIDS if quick else GRIDS:
        for row in _size(grid, quick):
            if row.method == "multigrid" and row.metric in ("most_iterations", "iterations_spread"):
                least = row.value if row.metric == "most_iterations" else spreads[len(grid)][-1] - row.value
                spreads[len(grid)].append(int(least))
            yield row
    for dim, seen in spreads.items():
        if seen:
            yield Row(f"{dim}D, all sizes", "multigrid", "most_iterations", max(seen))
            yield Row(f"{dim}D, all sizes", "multigrid", "iterations_spread", max(seen) - min(seen))
    yield from _all_families((24, 24) if quick else (256, 256), 1 if quick else 3)
    yield from _all_families((10, 10, 10) if quick else (48, 48, 48), 1 if quick else 3)


def _size(grid: Sequence[int], quick: bool) -> Iterator[Row]:
    here = problems(grid)
    case = case_name(grid)
    yield Row(case, "system", "cells", math.prod(grid))
    yield Row(case, "system", "fewest_unknowns", min(problem.b.size for problem in here))
    yield from case_rows(case, here, methods(), repeats=1 if quick else 3)
    yield from cycle_rows(case, here[0])


def _warm(every: dict[str, Method], grids: Sequence[Sequence[int]]) -> None:
    """Each method once on small grids, so that loops are compiled and packages imported before anything is timed."""
    for grid in grids:
        problem = problems(grid)[0]
        for name, method in every.items():
            if name not in DIRECT:  # it has a process of its own
                measured(method, problem, repeats=1)


def _first_calls() -> Iterator[Row]:
    for case, grid in (("first call 2D", (256, 256)), ("first call 3D", (48, 48, 48))):
        installed, loaded = compilation("circles", grid)
        yield Row(case, "multigrid", "compile_seconds", installed, "s")
        yield Row(case, "multigrid", "load_seconds", loaded, "s")


def _all_families(grid: Sequence[int], seeds: int) -> Iterator[Row]:
    """Iterations of the default on every family, whatever its sides, closed pieces included."""
    name = f"families {case_name(grid)}"
    for family in EVERY:
        runs: list[Measured] = []
        for seed in range(seeds):
            try:
                runs.append(measured(room("multigrid"), Problem.of(pressure_system(family, grid, seed)), repeats=1))
            except OverLimitError:
                remark(f"{name}: {family}, seed {seed}: multigrid does not reach 1e-6.")
        if runs:
            yield from (
                Row(name, f"multigrid, {family}", row.metric, row.value, row.unit)
                for row in method_rows(name, "multigrid", runs)
                if "second" not in row.metric
            )
