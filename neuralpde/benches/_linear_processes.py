"""What runs in a process of its own: sparse factors, which nothing else can stop, and compilation from nothing."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from multiprocessing.connection import Connection

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from neuralpde.benches._linear_problem import OverLimitError, Problem, Solve

MEMORY = 12 * 2**30
"""Bytes that factors may take."""


def direct(problem: Problem, rtol: float, limit: float) -> Solve:
    """SuperLU with minimum degree of A + Aᵀ and without pivoting, its best for symmetric positive definite matrices.

    Raises:
        OverLimitError: where the factors take too much time or memory.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_factorised, args=(problem.matrix, problem.b, sender), daemon=True)
    process.start()
    sender.close()
    try:
        receiver.recv()  # it has the matrix, and begins
        if not receiver.poll(limit):
            raise OverLimitError
        return Solve(*receiver.recv())
    except EOFError:
        process.join()
        if process.exitcode:  # not for want of memory
            raise RuntimeError(f"the process of the factors ended with code {process.exitcode}.") from None
        raise OverLimitError from None
    finally:
        process.terminate()
        process.join()


def _factorised(matrix: sp.csr_matrix, b: np.ndarray, sender: Connection) -> None:
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    csc = matrix.tocsc()
    sender.send(None)
    begin = time.perf_counter()
    try:
        factors = splu(csc, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    except MemoryError:
        return
    ready = time.perf_counter()
    x = factors.solve(b)
    sender.send((x, ready - begin, time.perf_counter() - ready, 1))


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
