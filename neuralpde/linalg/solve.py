"""``solve_linear``: the one door to every linear solver."""

from __future__ import annotations

import difflib
import functools
import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from neuralpde.linalg.cg import cg
from neuralpde.linalg.cycle import Kernel, norm, true_residual
from neuralpde.linalg.direct import direct
from neuralpde.linalg.gmres import gmres
from neuralpde.linalg.guard import as_preconditioner, guards
from neuralpde.linalg.matrix import as_operator, as_tensor, real_dtype
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.preconditioners import Identity
from neuralpde.linalg.refinement import Refinement, refine
from neuralpde.types import Status, UsageError, raise_for

SOLVERS = ("cg", "gmres", "direct")


@dataclass(frozen=True, eq=False)
class LinearSolution:
    """Result of :func:`solve_linear`.

    Attributes:
        x: solution, shape ``(n,)``, always float64: a float32 x cannot hold a residual below about 1e-7·cond(A).
        status: why the solve ended; ``status.ok`` when the tolerance is met by the true residual.
        iterations: Krylov iterations, or substitutions of the direct solver.
        residual: ‖b − A x‖ / ‖b‖, computed from x in float64 (the plain norm when b = 0).
        history: relative residual at the start and after each iteration as the recurrence saw it; the last is true.
        setup_seconds: time to build the preconditioner or the factors.
        solve_seconds: time after that.
        notes: what happened on the way, such as a preconditioner that was dropped.
    """

    x: Tensor
    status: Status
    iterations: int
    residual: float
    history: tuple[float, ...]
    setup_seconds: float
    solve_seconds: float
    notes: tuple[str, ...] = ()


def solve_linear(
    A: Any,
    b: Any,
    *,
    solver: str = "cg",
    M: Any = None,
    rtol: float = 1e-8,
    atol: float = 0.0,
    maxiter: int | None = None,
    x0: Any = None,
    callback: Callable[[int, float], object] | None = None,
    restart: int = 50,
    raise_on_failure: bool = True,
) -> LinearSolution:
    """Solve A x = b.

    Done when ‖b − A x‖ ≤ max(rtol·‖b‖, atol), where the residual is computed from x in float64 whatever the dtype of A.
    The iteration runs in the dtype of A. No gradient flows through it.

    Args:
        A: square operator or matrix ``(n, n)``: LinearOperator, torch or NumPy matrix, SciPy sparse matrix.
        b: right-hand side, shape ``(n,)``.
        solver: "cg" for symmetric positive definite A, "gmres" for any A, "direct" for LU factors (small or 2D).
        M: approximates A⁻¹: ``None``, "jacobi", "identity", "amg" (algebraic multigrid, for large elliptic A), a
            Preconditioner, an operator or matrix ``(n, n)``, or a function of one vector. One that raises, returns NaN
            or points uphill is replaced by Jacobi, then by the identity, and ``notes`` says so.
        rtol, atol: tolerances; 1e-8 is good for a converged field, 1e-4 inside a Newton step.
        maxiter: most iterations; by default 10 n, at least 50 and at most 10,000 (5 substitutions for "direct").
        x0: first guess, shape ``(n,)``.
        callback: called as ``callback(iteration, relative_residual)``, the residual as the recurrence sees it.
        restart: length of a GMRES cycle.
        raise_on_failure: raise when the status is bad; the exception carries the result.

    Returns:
        A :class:`LinearSolution`.

    Raises:
        UsageError: for unknown names, wrong shapes, negative tolerances.
        NonFiniteError: for NaN or Inf in A, b or x0.
        NotConvergedError: for every other failure.

    Source: see :func:`neuralpde.linalg.cg.cg` and :func:`neuralpde.linalg.gmres.gmres`.

    Example:
        >>> solution = solve_linear([[4.0, 1.0], [1.0, 3.0]], [1.0, 2.0], M="jacobi")
        >>> [round(value, 4) for value in solution.x.tolist()], solution.status.name
        ([0.0909, 0.6364], 'CONVERGED_RTOL')
    """
    _check_options(solver, rtol, atol, maxiter, restart)
    A = as_operator(A)
    b, x = _vectors(A, b, x0)
    preconditioner = as_preconditioner(M, A)
    if maxiter is None:
        maxiter = 5 if solver == "direct" else min(max(10 * b.numel(), 50), 10_000)
    with torch.no_grad():
        started = time.perf_counter()
        early = _settled_early(A, b, x)
        if early is not None:
            solution = early
        else:
            kernel = _kernel(solver, A, restart)
            rest = guards(Identity() if solver == "direct" else preconditioner, A)
            chain = itertools.chain([next(rest)], rest)  # next builds the first one, which belongs to the set-up time
            ready = time.perf_counter()
            target = max(rtol * norm(b), atol)
            state = refine(A, b, x, kernel, chain, target, maxiter, callback)
            solution = _solution(state, rtol * norm(b), norm(b), (ready - started, time.perf_counter() - ready))
    if raise_on_failure:
        raise_for(solution.status, _what(solver, A, solution), solution)
    return solution


def _check_options(solver: str, rtol: float, atol: float, maxiter: int | None, restart: int) -> None:
    if solver not in SOLVERS:
        nearest = difflib.get_close_matches(str(solver), SOLVERS, n=1, cutoff=0.0)[0]
        raise UsageError(f"unknown solver {solver!r}: did you mean {nearest!r}? Known: {', '.join(SOLVERS)}")
    for name, value in (("rtol", rtol), ("atol", atol)):
        if not (math.isfinite(value) and value >= 0.0):
            raise UsageError(f"{name} must be a finite number ≥ 0, got {value}")
    if maxiter is not None and maxiter < 0:
        raise UsageError(f"maxiter must be ≥ 0, got {maxiter}")
    if restart < 1:
        raise UsageError(f"restart must be ≥ 1, got {restart}")


def _vectors(A: LinearOperator, b: Any, x0: Any) -> tuple[Tensor, Tensor]:
    """b and a fresh copy of x0 (or zeros), both ``(n,)``, float64, on A's device."""
    if A.shape[0] != A.shape[1]:
        raise UsageError(f"A has shape {A.shape}, but a linear solve needs a square one")
    b = _vector("b", b, A)
    return b, torch.zeros_like(b) if x0 is None else _vector("x0", x0, A).clone()


def _vector(name: str, value: Any, A: LinearOperator) -> Tensor:
    if isinstance(value, Tensor) and value.device != A.device:
        raise UsageError(f"{name} is on {value.device}, but A is on {A.device}: move one of them")
    vector = as_tensor(value)
    if tuple(vector.shape) != (A.shape[0],):
        raise UsageError(f"{name} has shape {tuple(vector.shape)}, but A has shape {A.shape}: {name} must be (n,)")
    real_dtype(vector.dtype)  # refuses complex numbers
    return vector.detach().to(A.device, torch.float64)


def _kernel(solver: str, A: LinearOperator, restart: int) -> Kernel:
    if solver == "direct":
        return direct(A)
    return cg if solver == "cg" else functools.partial(gmres, restart=restart)


def _settled_early(A: LinearOperator, b: Tensor, x: Tensor) -> LinearSolution | None:
    """The result when there is nothing to iterate on: NaN in b or x0, no unknowns, or b = 0 (then x = 0)."""
    for name, vector in (("b", b), ("x0", x)):
        bad = int((~torch.isfinite(vector)).sum())
        if bad:
            note = f"{name} holds {bad} NaN or Inf among {vector.numel()} entries"
            return LinearSolution(x, Status.NON_FINITE, 0, math.nan, (math.nan,), 0.0, 0.0, (note,))
    if bool((b != 0).any()):
        return None
    x = torch.zeros_like(b)
    size = true_residual(A, b, x)[1] if b.numel() else 0.0  # 0 unless A holds NaN
    status = Status.CONVERGED_RTOL if size == 0.0 else Status.NON_FINITE
    return LinearSolution(x, status, 0, size, (size,), 0.0, 0.0)


def _solution(state: Refinement, relative: float, scale: float, seconds: tuple[float, float]) -> LinearSolution:
    status = state.status
    if status is Status.CONVERGED_RTOL and state.size > relative:
        status = Status.CONVERGED_ATOL
    history = tuple(state.history)
    return LinearSolution(state.x, status, state.iterations, state.size / scale, history, *seconds, state.notes)


def _what(solver: str, A: LinearOperator, solution: LinearSolution) -> str:
    """The first half of the sentence that an exception says; the status is the second."""
    notes = [*solution.notes]
    if solver == "cg" and solution.status is not Status.NON_FINITE and not A.symmetric:
        notes.append("A is not known to be symmetric, which CG needs")
    if solution.status is Status.STAGNATED:
        notes.append(f"{A.dtype} cannot bring it lower: loosen rtol, raise restart, or A is close to singular")
    where = f"solve_linear ({solver}, n = {A.shape[0]}) stopped at relative residual {solution.residual:.2e}"
    return "; ".join([f"{where} after {solution.iterations} iterations", *notes])
