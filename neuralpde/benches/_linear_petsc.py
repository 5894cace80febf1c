"""Conjugate gradients of PETSc with hypre's BoomerAMG: rows of the solver benches where petsc4py imports."""

from __future__ import annotations

import importlib.util
import time
from typing import Any

import numpy as np

from neuralpde.benches._linear_problem import Method, Problem, Solve

_COMMON = {"ksp_type": "cg", "ksp_norm_type": "unpreconditioned", "pc_type": "hypre"}


def tuned(dim: int) -> dict[str, str]:
    """What hypre's manual recommends for diffusion: HMIS, extended+i interpolation of four entries a row, the strong
    threshold of the dimension, and in 3D one level of aggressive coarsening."""
    prefix = "pc_hypre_boomeramg_"
    return {
        prefix + "coarsen_type": "HMIS",
        prefix + "interp_type": "ext+i",
        prefix + "P_max": "4",
        prefix + "strong_threshold": "0.25" if dim == 2 else "0.5",
        prefix + "agg_nl": "0" if dim == 2 else "1",
    }


def hypre(is_tuned: bool) -> Method:
    """BoomerAMG as it comes, or tuned."""

    def solve(problem: Problem, rtol: float, limit: float) -> Solve:
        from petsc4py import PETSc

        settings = {**_COMMON, **(tuned(len(problem.system.grid)) if is_tuned else {})}
        return _solved(PETSc, problem, settings, rtol)

    return solve


def _solved(PETSc: Any, problem: Problem, settings: dict[str, str], rtol: float) -> Solve:
    options = PETSc.Options()
    for name, value in settings.items():
        options[f"bench_{name}"] = value
    csr = problem.matrix
    arrays = (csr.indptr.astype(np.int32), csr.indices.astype(np.int32), csr.data)
    A = PETSc.Mat().createAIJ(size=csr.shape, csr=arrays, comm=PETSc.COMM_SELF)
    b, x = PETSc.Vec().createWithArray(problem.b.copy(), comm=PETSc.COMM_SELF), A.createVecLeft()
    ksp = PETSc.KSP().create(PETSc.COMM_SELF)
    try:
        ksp.setOptionsPrefix("bench_")
        ksp.setOperators(A)
        ksp.setFromOptions()
        ksp.setTolerances(rtol=rtol, max_it=10_000)
        begin = time.perf_counter()
        ksp.setUp()
        ready = time.perf_counter()
        ksp.solve(b, x)
        end = time.perf_counter()
        return Solve(x.getArray().copy(), ready - begin, end - ready, ksp.getIterationNumber())
    finally:
        for thing in (ksp, A, b, x):
            thing.destroy()
        for name in settings:
            options.delValue(f"bench_{name}")


def hypre_methods() -> dict[str, Method]:
    """Rows of hypre; none where petsc4py is not there."""
    if importlib.util.find_spec("petsc4py") is None:
        return {}
    return {"petsc hypre": hypre(False), "petsc hypre tuned": hypre(True)}
