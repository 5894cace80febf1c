"""Preconditioners for elasticity: CG with each of them, and direct solvers, on the repository's meshes.

Bodies of linear elastic material (ν = 0.3), clamped on one side or held by symmetry, under a body force, on elements of
degree 1 and 2 of the meshes ``cook``, ``plate_with_holes``, ``cantilever_3d``, ``cube_with_hole`` and ``nafems_le10``,
refined to 50,000 to 230,000 unknowns. Matrices are the library's own.

``amg`` is what the library takes for the problem: smoothed aggregation with rigid motions, in blocks of a node's
unknowns, and on elements of degree 2 the linear ones as first coarse level. ``amg without modes`` has shifts alone, in
blocks, and no linear elements. ``pyamg sa`` is PyAMG's smoothed aggregation with rigid motions as its
documentation has it for elasticity, with its defaults and its CG; ``pyamg sa tuned`` the fastest of several thresholds
and cycles. The rest are this library's: ``cg`` alone and with ``jacobi``, blocks of it, ``ssor``,
``chebyshev`` of degree 4 and ``ic``, incomplete Cholesky factors without fill. ``direct`` is SuperLU with an ordering
for symmetric matrices, which runs in 2D, and in 3D up to 50,000 unknowns: beyond that it takes minutes and gigabytes.

All go on until the residual, computed from the solution, is 1e-8 of the right-hand side; methods that do not get there
in 2,000 iterations have no seconds. Seconds are processor time of one thread: ``setup_seconds`` of building,
``solve_seconds`` of iterating. ``times_faster`` is the seconds of ``pyamg sa`` over those of ``amg``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from neuralpde.benches import _skfem
from neuralpde.benches._elastic_systems import ElasticSystem, Setting, system_of
from neuralpde.benches._marching import one_thread
from neuralpde.benches._one_process import in_a_process
from neuralpde.benches._rows import Row
from neuralpde.linalg import SSOR as Sweeps
from neuralpde.linalg import (
    AlgebraicMultigrid,
    Chebyshev,
    Identity,
    IncompleteCholesky,
    Jacobi,
    Preconditioner,
    SparseOperator,
    solve_linear,
    symmetric_lu,
)

RTOL, MAXITER = 1e-8, 2_000
LARGEST_DIRECT = {2: 300_000, 3: 50_000}

SETTINGS = (
    Setting("cook", 1, 3),
    Setting("cook", 2, 3),
    Setting("plate_with_holes", 1, 3),
    Setting("plate_with_holes", 2, 2),
    Setting("cantilever_3d", 1, 2),
    Setting("cantilever_3d", 2, 1),
    Setting("cube_with_hole", 1, 2),
    Setting("cube_with_hole", 2, 1),
    Setting("nafems_le10", 1, 2),
    Setting("nafems_le10", 2, 1),
)
QUICK = (Setting("cook", 1, 0), Setting("nafems_le1", 2, 0), Setting("cantilever_3d", 1, 0))


@dataclass(frozen=True)
class Found:
    """What a method came to: the solution, iterations, and processor seconds of building and of the rest."""

    x: np.ndarray
    iterations: int
    setup: float
    solve: float


Method = Callable[[ElasticSystem], Found]


def krylov(make: Callable[[ElasticSystem], Preconditioner]) -> Method:
    """Our CG with one of our preconditioners."""

    def run(system: ElasticSystem) -> Found:
        operator = SparseOperator(system.matrix, symmetric=True, positive_definite=True)
        begin = time.process_time()
        M = make(system).build(operator)
        built = time.process_time()
        found = solve_linear(operator, system.right, M=M, rtol=RTOL, maxiter=MAXITER, raise_on_failure=False)
        end = time.process_time()
        return Found(found.x.numpy(), found.iterations, built - begin, end - built)

    return run


def direct(system: ElasticSystem) -> Found:
    """SuperLU."""
    begin = time.process_time()
    factors = symmetric_lu(system.matrix)
    built = time.process_time()
    return Found(factors.solve(system.right), 0, built - begin, time.process_time() - built)


def pyamg_sa(options: dict[str, Any], cycle: str = "V") -> Method:
    """PyAMG's smoothed aggregation with rigid motions and its CG."""

    def run(system: ElasticSystem) -> Found:
        import pyamg

        begin = time.process_time()
        matrix = system.matrix.tobsr((system.dim,) * 2) if system.whole else system.matrix.tocsr()
        built = pyamg.smoothed_aggregation_solver(matrix, B=_skfem.rigid_motions(system.where), **options)
        ready = time.process_time()
        x, count = np.zeros_like(system.right), 0
        goal = RTOL * np.linalg.norm(system.right)
        for _ in range(5):  # the recurrence may stop a little early
            rest = system.right - matrix @ x
            size = float(np.linalg.norm(rest))
            if size <= goal:
                break
            sizes = list[float]()
            x += built.solve(rest, tol=0.99 * goal / size, accel="cg", cycle=cycle, maxiter=MAXITER, residuals=sizes)
            count += len(sizes) - 1
        return Found(x, count, ready - begin, time.process_time() - ready)

    return run


def tuned(system: ElasticSystem) -> Found:
    """The fastest of PyAMG's ways."""
    runs = list[Found]()
    for theta, cycle, light in _skfem.OPTIONS[system.dim, True]:
        name = "block_gauss_seidel" if system.whole else "gauss_seidel"
        options: dict[str, Any] = {"strength": ("symmetric", {"theta": theta}), "max_coarse": 100}
        options |= {"presmoother": (name, {"sweep": "forward"}), "postsmoother": (name, {"sweep": "backward"})}
        if light:
            options |= {"smooth": ("jacobi", {"omega": 4 / 3, "weighting": "local"}), "improve_candidates": None}
        runs.append(pyamg_sa(options, cycle)(system))
    return min((run for run in runs if residual(system, run) <= RTOL), key=lambda run: run.setup + run.solve)


def without_modes(system: ElasticSystem) -> Preconditioner:
    """Shifts alone."""
    shifts = torch.from_numpy(_skfem.rigid_motions(system.where)[:, : system.dim].copy())
    block = system.dim if system.whole else 1
    return AlgebraicMultigrid(
        "smoothed_aggregation", near_nullspace=shifts, theta=0.02, block=block, single=True, smoother="jacobi"
    )


METHODS: dict[str, Method] = {
    "cg": krylov(lambda system: Identity()),
    "cg jacobi": krylov(lambda system: Jacobi()),
    "cg block jacobi": krylov(lambda system: Jacobi(system.dim if system.whole else 1)),
    "cg ssor": krylov(lambda system: Sweeps(1.2)),
    "cg chebyshev": krylov(lambda system: Chebyshev(4)),
    "cg ic": krylov(lambda system: IncompleteCholesky()),
    "direct": direct,
    "pyamg sa": pyamg_sa({}),
    "pyamg sa tuned": tuned,
    "amg without modes": krylov(without_modes),
    "amg": krylov(lambda system: system.multigrid),
}


def residual(system: ElasticSystem, found: Found) -> float:
    """‖f − K u‖ / ‖f‖."""
    return float(np.linalg.norm(system.right - system.matrix @ found.x) / np.linalg.norm(system.right))


def method_rows(system: ElasticSystem, name: str) -> list[Row]:
    """The figures of one method."""
    found = METHODS[name](system)
    left = residual(system, found)
    rows = [Row(system.case, name, "iterations", found.iterations), Row(system.case, name, "residual", left)]
    if left > RTOL:
        return rows
    parts = {"setup_seconds": found.setup, "solve_seconds": found.solve, "seconds": found.setup + found.solve}
    return rows + [Row(system.case, name, part, value, "s") for part, value in parts.items()]


def setting_rows(setting: Setting) -> Iterator[Row]:
    """Every method on one body."""
    system = system_of(setting)
    seconds = dict[str, float]()
    for name in METHODS:
        if name == "direct" and len(system.right) > LARGEST_DIRECT[system.dim]:
            continue
        for row in method_rows(system, name):
            yield row
            if row.metric == "seconds":
                seconds[name] = row.value
    yield Row(system.case, "amg", "times_faster", seconds["pyamg sa"] / seconds["amg"])


def rows(quick: bool = False) -> Iterator[Row]:
    """Iterations, residuals and seconds of every method, measured in a process of its own with one thread.

    Args:
        quick: the meshes as they are.
    """
    return in_a_process(measured_rows, quick)


def measured_rows(quick: bool) -> Iterator[Row]:
    """The rows, measured in this process."""
    with one_thread():
        for warm in QUICK:  # what is imported, compiled and made once is nobody's
            list(setting_rows(warm))
        for setting in QUICK if quick else SETTINGS:
            yield from setting_rows(setting)
