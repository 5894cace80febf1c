"""What runs in a process of its own: sparse factors, which nothing else can stop, and compilation from nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import numpy as np

from neuralpde.benches._linear_problem import OverLimitError, Problem, Solve

MEMORY = 12 * 2**30
"""Bytes that factors may take."""

START = 30.0
"""Seconds that a process may take to begin, beside its limit."""

_FACTORS = """
import sys, time
import numpy as np
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu
if sys.platform == "linux":
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
given = np.load(sys.argv[1] + "/given.npz")
matrix = csc_matrix((given["data"], given["indices"], given["indptr"]))
begin = time.perf_counter()
factors = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
ready = time.perf_counter()
x = factors.solve(given["b"])
end = time.perf_counter()
np.savez(sys.argv[1] + "/found.npz", x=x, setup=ready - begin, solve=end - ready)
"""


def direct(problem: Problem, rtol: float, limit: float) -> Solve:
    """SuperLU with minimum degree of A + Aᵀ and without pivoting, its best for symmetric positive definite matrices.

    Raises:
        OverLimitError: where the factors take too much time or memory.
    """
    matrix = problem.matrix  # symmetric: its rows are its columns
    with tempfile.TemporaryDirectory() as folder:
        parts = {"data": matrix.data, "indices": matrix.indices, "indptr": matrix.indptr, "b": problem.b}
        np.savez(f"{folder}/given.npz", **parts)
        command = [sys.executable, "-c", _FACTORS, folder, str(MEMORY)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=START + limit)
        except subprocess.TimeoutExpired:
            raise OverLimitError from None
        if "MemoryError" in done.stderr:
            raise OverLimitError
        if done.returncode:
            raise RuntimeError(f"the process of the factors ended with code {done.returncode}: {done.stderr}")
        found = np.load(f"{folder}/found.npz")
        return Solve(found["x"], float(found["setup"]), float(found["solve"]), 1)


_FIRST = """
import sys, time
from neuralpde.linalg import solve_linear
from neuralpde.systems import pressure_system
system = pressure_system(sys.argv[1], [int(n) for n in sys.argv[2].split("x")], 1)
seconds = []
for _ in range(2):
    begin = time.perf_counter()
    solve_linear(system.operator, system.rhs, M="multigrid", rtol=1e-6)
    seconds.append(time.perf_counter() - begin)
print(seconds[0] - seconds[1])
"""


def compilation(family: str, grid: tuple[int, ...]) -> tuple[float, float]:
    """Seconds that the first multigrid solve of an installation takes more than the second, and that of a process.

    Args:
        family: of the system that is solved.
        grid: a small one.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        command = [sys.executable, "-c", _FIRST, family, "x".join(map(str, grid))]
        found = []
        for _ in range(2):
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            found.append(float(done.stdout.split()[-1]))
    return found[0], found[1]
