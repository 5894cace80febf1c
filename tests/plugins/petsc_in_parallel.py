"""Poisson's equation on a grid, each process preconditioning its block: `mpirun -n 2 python petsc_in_parallel.py`."""

from __future__ import annotations

import json

import numpy as np
import scipy.sparse as sp
from petsc4py import PETSc

from neuralpde.plugins.petsc import attach

SHAPE = (50, 37)
line = [sp.diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(n, n)) for n in SHAPE]
A = sp.csr_matrix(sp.kronsum(line[1], line[0]))
b = np.random.default_rng(0).standard_normal(A.shape[0])

matrix = PETSc.Mat().createAIJ(A.shape, nnz=5)
first, last = matrix.getOwnershipRange()
for i in range(first, last):
    row = slice(A.indptr[i], A.indptr[i + 1])
    matrix.setValues(i, A.indices[row], A.data[row])
matrix.assemble()
x, rhs = matrix.createVecs()
rhs.setArray(b[first:last])


def iterations(kind: str) -> int:
    """Of CG with one kind of preconditioner; the solution is left in x."""
    ksp = PETSc.KSP().create()
    ksp.setOperators(matrix)
    ksp.setType("cg")
    ksp.setTolerances(rtol=1e-9)
    ksp.setNormType(PETSc.KSP.NormType.UNPRECONDITIONED)
    attach(ksp, kind, SHAPE if kind == "multigrid" else None)
    ksp.solve(rhs, x)
    assert ksp.reason > 0
    taken = int(ksp.its)
    ksp.destroy()
    return taken


jacobi, multigrid = iterations("jacobi"), iterations("multigrid")
residual = rhs.duplicate()
matrix.mult(x, residual)
residual.aypx(-1.0, rhs)
size = residual.norm() / rhs.norm()
if PETSc.COMM_WORLD.rank == 0:
    report = {"processes": PETSc.COMM_WORLD.size, "iterations": multigrid, "jacobi": jacobi, "residual": size}
    print(json.dumps(report))
for thing in (residual, x, rhs, matrix):
    thing.destroy()
