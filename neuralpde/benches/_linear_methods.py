"""The methods of the solver benches: this room's own, pyamg's and SciPy's, each as strong as its users can make it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from neuralpde.benches._linear_problem import Method, Problem, Solve, deadline
from neuralpde.benches._linear_processes import direct
from neuralpde.linalg import StencilOperator, solve_linear

MAXITER = 20_000


def room(M: Any, *, on_grid: bool = True) -> Method:
    """Conjugate gradients of this package with a preconditioner.

    Args:
        M: its name, or a function that makes a new one.
        on_grid: whether A comes by its grid, or as the matrix of the unknown cells.
    """

    def solve(problem: Problem, rtol: float, limit: float) -> Solve:
        if on_grid:
            given = problem.system.operator
            # a new operator each time: nothing that an earlier solve left behind is of use
            A: Any = StencilOperator(given.weights, given.excess)
            b: Any = problem.system.rhs
        else:
            A, b = problem.matrix, problem.b
        begin = time.perf_counter()
        found = solve_linear(
            A,
            b,
            M=M() if callable(M) else M,
            rtol=rtol,
            maxiter=MAXITER,
            callback=deadline(limit),
            raise_on_failure=False,
        )
        seconds = time.perf_counter() - begin
        x = found.x.numpy()
        x = x[problem.unknown] if on_grid else x
        return Solve(x, found.setup_seconds, seconds - found.setup_seconds, found.iterations)

    return solve


def from_csr(problem: Problem, rtol: float, limit: float) -> Solve:
    """Multigrid for a user who has a matrix: the grid form is recovered from it first."""
    mask = np.zeros(problem.system.grid, dtype=bool)
    mask.ravel()[problem.unknown] = True
    begin = time.perf_counter()
    A = StencilOperator.from_csr(problem.matrix, problem.system.grid, mask=mask)
    b = torch.zeros(mask.size, dtype=torch.float64)
    b[torch.from_numpy(problem.unknown)] = torch.from_numpy(problem.b)
    ready = time.perf_counter() - begin
    found = solve_linear(A, b, M="multigrid", rtol=rtol, callback=deadline(limit), raise_on_failure=False)
    seconds = time.perf_counter() - begin
    setup = ready + found.setup_seconds
    return Solve(found.x.numpy()[problem.unknown], setup, seconds - setup, found.iterations)


def pyamg(build: Callable[[Any, int], Any]) -> Method:
    """pyamg's conjugate gradients with one of its hierarchies.

    Args:
        build: (the matrix, its dimensions of space) → a solver of pyamg.
    """

    def solve(problem: Problem, rtol: float, limit: float) -> Solve:
        begin = time.perf_counter()
        solver = build(problem.matrix, len(problem.system.grid))
        ready = time.perf_counter()
        residuals: list[float] = []
        x = solver.solve(
            problem.b, tol=rtol, accel="cg", maxiter=MAXITER, residuals=residuals, callback=deadline(limit)
        )
        return Solve(x, ready - begin, time.perf_counter() - ready, len(residuals) - 1)

    return solve


def ruge_stuben(matrix: Any, dim: int) -> Any:
    """pyamg's classical AMG as it comes."""
    import pyamg as package

    return package.ruge_stuben_solver(matrix)


def smoothed_aggregation(matrix: Any, dim: int) -> Any:
    """pyamg's smoothed aggregation as it comes."""
    import pyamg as package

    return package.smoothed_aggregation_solver(matrix)


def ruge_stuben_tuned(matrix: Any, dim: int) -> Any:
    """The fastest of eight settings: one sweep there and one back, which are symmetric together at half of the cost of
    the default; in 3D direct interpolation, whose set-up takes half of the time."""
    import pyamg as package

    return package.ruge_stuben_solver(
        matrix,
        interpolation="classical" if dim == 2 else "direct",
        presmoother=("gauss_seidel", {"sweep": "forward"}),
        postsmoother=("gauss_seidel", {"sweep": "backward"}),
    )


def smoothed_aggregation_tuned(matrix: Any, dim: int) -> Any:
    """The fastest of eight settings: Chebyshev's polynomials, and no relaxation of the constants, which are in the
    near-null space already."""
    import pyamg as package

    smoother = ("chebyshev", {"degree": 2})
    return package.smoothed_aggregation_solver(
        matrix, improve_candidates=None, presmoother=smoother, postsmoother=smoother
    )


PYAMG: dict[str, Method] = {
    "pyamg rs": pyamg(ruge_stuben),
    "pyamg rs tuned": pyamg(ruge_stuben_tuned),
    "pyamg sa": pyamg(smoothed_aggregation),
    "pyamg sa tuned": pyamg(smoothed_aggregation_tuned),
}

CG: dict[str, Method] = {"cg": room(None), "cg jacobi": room("jacobi"), "cg ic": room("ic", on_grid=False)}

DIRECT: dict[str, Method] = {"direct": direct}


@contextmanager
def threads(count: int) -> Iterator[None]:
    """So many threads of torch in here, which our own loops follow."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def with_threads(method: Method, count: int) -> Method:
    """The same method with so many threads."""

    def solve(problem: Problem, rtol: float, limit: float) -> Solve:
        with threads(count):
            return method(problem, rtol, limit)

    return solve
