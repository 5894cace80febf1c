"""``prepare``: everything that many solves with one matrix share."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import torch
from torch import Tensor

from neuralpde.implicit import root
from neuralpde.linalg.columns import complex_columns, side_by_side, unstacked_solution
from neuralpde.linalg.compatibility import refine_in_range
from neuralpde.linalg.complex_systems import is_complex, parted, real_form, stacked
from neuralpde.linalg.cycle import true_residual
from neuralpde.linalg.facts import MatrixFacts
from neuralpde.linalg.guard import Guard, Guards, as_preconditioner
from neuralpde.linalg.inputs import as_count, as_tolerance, as_vector
from neuralpde.linalg.locks import Lock
from neuralpde.linalg.matrix import as_operator
from neuralpde.linalg.methods import method_named
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.preconditioners import Identity
from neuralpde.linalg.proof import prove
from neuralpde.linalg.reasons import final_reason
from neuralpde.linalg.refinement import Refinement, System
from neuralpde.linalg.sentences import raise_failed
from neuralpde.linalg.solution import LinearSolution
from neuralpde.linalg.stencil_operator import StencilOperator
from neuralpde.linalg.transposed import TransposedOperator
from neuralpde.linalg.vectors import copied, norm
from neuralpde.types import Status, UsageError

Limits: TypeAlias = tuple[float, float, int | None]
"""rtol, atol, maxiter."""


class PreparedSolver:
    """A matrix with its solver and preconditioner, for many right-hand sides.

    Args:
        A, solver, M, restart, directions: see :func:`neuralpde.linalg.solve_linear`.

    Attributes:
        A: the operator (of a complex matrix its real form).
        setup_seconds: time that the last set-up took, from :func:`prepare` or :meth:`update`.

    Raises:
        UsageError: for unknown names, or an A that is not square.

    Example:
        >>> solver = prepare([[4.0, 1.0], [1.0, 3.0]], M="jacobi")
        >>> solver.solve([5.0, 4.0]).x.round(decimals=6).tolist()
        [1.0, 1.0]
        >>> solver.update([[2.0, 0.0], [0.0, 2.0]])
        >>> solver.solve([2.0, 4.0]).x.round(decimals=6).tolist()
        [1.0, 2.0]
    """

    def __init__(self, A: Any, *, solver: str = "cg", M: Any = None, restart: int = 50, directions: int = 2) -> None:
        self.method = method_named(solver)
        self._lengths = (as_count("restart", restart, 1), as_count("directions", directions, 1))
        self.A = self._operator(A)
        if is_complex(M):
            M = real_form(M)
        self._name = M if isinstance(M, str) and solver != "direct" else None
        self._recipe = Identity() if solver == "direct" else as_preconditioner(M, self.A)
        self._system: System | None = None
        self._unreported = 0.0
        self._adjoint: PreparedSolver | None = None
        self.setup_seconds = 0.0
        self._one_at_a_time = Lock()  # an update writes into what solves read

    def _operator(self, A: Any) -> LinearOperator:
        self._complex = is_complex(A)
        operator = as_operator(real_form(A) if self._complex else A)
        if operator.shape[0] != operator.shape[1]:
            raise UsageError(f"A has shape {operator.shape}, but a linear solve needs a square one")
        return operator

    def ready(self) -> System:
        """What was set up; the first call does it."""
        if self._system is None:
            started = time.perf_counter()
            with torch.no_grad():
                guards = Guards(self._recipe, self.A)
                self._insist(guards[0])  # it belongs to the set-up time; the others may never be needed
                kernel = self.method.kernel(self.A, *self._lengths)
                self._system = System(self.A, self.method, kernel, guards, MatrixFacts(self.A))
            self.setup_seconds = self._unreported = time.perf_counter() - started
        return self._system

    def _insist(self, guard: Guard) -> None:
        """What was asked for by its name is refused where it cannot serve A. An accident of its build, such as memory
        that ran out, costs the preconditioner and not the solve, as with what a user wrote; the notes say so."""
        if self._name is None or guard.refusal is None:
            return
        ones = torch.ones(self.A.shape[1], dtype=torch.float64, device=self.A.device)
        if bool(torch.isfinite(self.A.matvec(ones)).all()):  # else the matrix is what a solve will complain of
            raise UsageError(f"M={self._name!r} cannot serve this matrix: {guard.refusal}") from guard.refusal

    def update(self, A: Any) -> None:
        """Take another matrix of the same shape, such as the next step's coefficients.

        A preconditioner that can be updated keeps what does not depend on coefficients; others are built anew, and a
        finished operator that was passed in as M stays as it is.

        Raises:
            UsageError: when A has another shape.

        Solves in other threads come before it or after it.
        """
        with self._one_at_a_time:
            self._update(A)

    def _update(self, A: Any) -> None:
        old, was_complex = self.A, self._complex
        new = self._operator(A)
        if new.shape != old.shape or self._complex != was_complex:
            self._complex = was_complex
            raise UsageError(f"A of shape {new.shape} cannot take the place of one of shape {old.shape}: prepare anew")
        self.A, self._adjoint = new, None
        if self._system is None:
            return
        started = time.perf_counter()
        guards, self._system = self._system.guards, None  # where something raises, the next solve begins anew
        with torch.no_grad():
            guards.update(new)
            self._insist(guards[0])
            kernel = self.method.kernel(new, *self._lengths)
            self._system = System(new, self.method, kernel, guards, MatrixFacts(new))
        self.setup_seconds = self._unreported = time.perf_counter() - started

    def solve(
        self,
        b: Any,
        *,
        rtol: float = 1e-8,
        atol: float = 0.0,
        maxiter: int | None = None,
        x0: Any = None,
        callback: Callable[[int, float], object] | None = None,
        raise_on_failure: bool = True,
    ) -> LinearSolution:
        """Solve A x = b; arguments, result and errors are those of :func:`neuralpde.linalg.solve_linear`.

        Only the first solve after a set-up reports its seconds.
        """
        limits = (as_tolerance("rtol", rtol), as_tolerance("atol", atol), maxiter)
        if maxiter is not None:
            limits = (*limits[:2], as_count("maxiter", maxiter, 0))
        if callback is not None and not callable(callback):
            raise UsageError(f"callback must be a function of (iteration, relative_residual), got {callback!r}")
        n = self.A.shape[0] // (2 if self._complex else 1)
        right = as_vector("b", b, n, self.A.device)
        start = None if x0 is None else as_vector("x0", x0, n, self.A.device).detach()
        if start is not None and start.shape != right.shape:
            raise UsageError(f"x0 has shape {tuple(start.shape)}, but b has shape {tuple(right.shape)}")
        if self._complex:
            start = None if start is None else stacked(start)
            return unstacked_solution(self._real(stacked(right), start, limits, callback, raise_on_failure))
        if right.is_complex() or (start is not None and start.is_complex()):
            start = None if start is None else parted(start)
            limits = (limits[0], limits[1] / math.sqrt(2.0), limits[2])
            return complex_columns(self._real(parted(right), start, limits, callback, raise_on_failure), right)
        return self._real(right, start, limits, callback, raise_on_failure)

    def _real(
        self, b: Tensor, x0: Tensor | None, limits: Limits, callback: Any, raise_on_failure: bool
    ) -> LinearSolution:
        """Of real vectors for the real A."""
        with self._one_at_a_time:
            with torch.no_grad():
                solution = self._columns(b.detach(), x0, limits, callback)
            if raise_on_failure:
                raise_failed(self.method, self.A, solution)
            return replace(solution, x=self._attached(b, solution.x, limits[0] or 1e-8))

    def transposed(self) -> PreparedSolver:
        """The same for Aᵀ, with the transpose of the same preconditioner; this one itself where A is symmetric."""
        if self.A.symmetric or (self.method.symmetric and not self.ready().facts.asymmetric):
            return self
        if self._adjoint is None:
            restart, directions = self._lengths
            M = self.ready().guards[0].transposed(self.A)
            At = TransposedOperator(self.A)
            self._adjoint = PreparedSolver(At, solver=self.method.name, M=M, restart=restart, directions=directions)
        return self._adjoint

    def _as_it_was(self, A: LinearOperator) -> PreparedSolver:
        """The solver of A: this one, or where it was updated since then, one that is prepared anew."""
        if self.A is A:
            return self
        restart, directions = self._lengths
        return PreparedSolver(A, solver=self.method.name, M=self._recipe, restart=restart, directions=directions)

    def _columns(self, b: Tensor, x0: Tensor | None, limits: Limits, callback: Any) -> LinearSolution:
        if b.ndim == 1:
            return self._one(b, x0, limits, callback)
        starts = [None] * b.shape[1] if x0 is None else [column.contiguous() for column in x0.unbind(1)]
        rights = [column.contiguous() for column in b.unbind(1)]
        found = [self._one(right, start, limits, callback) for right, start in zip(rights, starts, strict=True)]
        return side_by_side(found, b)

    def _one(self, b: Tensor, x0: Tensor | None, limits: Limits, callback: Any) -> LinearSolution:
        rtol, atol, maxiter = limits
        started = time.perf_counter()
        size = norm(b)
        if not (0.0 < size < math.inf and (x0 is None or math.isfinite(norm(x0)))):
            early = _settled_early(self.A, b, x0)
            if early is not None:
                return early
        direct = self.method.name == "direct"
        most = math.inf if maxiter is None else maxiter
        maxiter = (5 if direct else min(max(10 * b.numel(), 50), 10_000)) if maxiter is None else maxiter
        asked = time.perf_counter()
        system = self.ready()
        started += time.perf_counter() - asked  # a set-up, here or in prepare, has its own seconds
        setup, self._unreported = self._unreported, 0.0
        start = None if x0 is None else copied(x0, x0.dtype)
        state = refine_in_range(system, b, size, start, max(rtol * size, atol), maxiter, callback)
        final_reason(system, state, b, max(rtol * size, atol), most)
        prove(system, state, b, max(rtol * size, atol))
        return _solution(state, rtol * size, size, (setup, time.perf_counter() - started))

    def _attached(self, b: Tensor, x: Tensor, rtol: float) -> Tensor:
        """x with its gradients with respect to b and what A was made from, if any asks for them."""
        if not torch.is_grad_enabled() or not (b.requires_grad or _follows(self.A, x)):
            return x

        A = self.A

        def adjoint(v: Tensor) -> Tensor:
            with self._one_at_a_time, torch.no_grad():
                solver = self._as_it_was(A).transposed()
                # Of a singular A, x and λ are those of the pseudoinverse: what v holds of the null space has no say.
                constant = torch.ones_like(v) if v.ndim == 1 else torch.ones_like(v[:, 0])
                if v.numel() and solver.ready().facts.annihilates(constant):
                    v = v - v.mean(dim=0)
                found = solver._columns(v, None, (rtol, 0.0, None), None)
            if found.status is not Status.INCOMPATIBLE:
                raise_failed(solver.method, solver.A, found, "adjoint: ")
            return found.x

        return root(x, lambda x: A.matvec(x).to(torch.float64) - b, adjoint)


def prepare(A: Any, *, solver: str = "cg", M: Any = None, restart: int = 50, directions: int = 2) -> PreparedSolver:
    """Build what the solves with one matrix share: preconditioner or factors.

    The entries of a matrix are copied: what is written into it later counts after ``.update(A)``. Operators are taken
    as they are, and must not change. Threads may share the solver; they take turns.

    Args:
        A, solver, M, restart, directions: see :func:`neuralpde.linalg.solve_linear`.

    Returns:
        A :class:`PreparedSolver`: ``.solve(b)`` as often as you like, ``.update(A)`` when coefficients change.

    Raises:
        UsageError: for unknown names, or an A that is not square.

    Example:
        >>> solver = prepare([[4.0, 1.0], [1.0, 3.0]])
        >>> solver.solve([[5.0, 4.0], [4.0, 1.0]]).x.round(decimals=6).tolist()
        [[1.0, 1.0], [1.0, 0.0]]
    """
    prepared = PreparedSolver(A, solver=solver, M=M, restart=restart, directions=directions)
    prepared.ready()
    return prepared


def _settled_early(A: LinearOperator, b: Tensor, x0: Tensor | None) -> LinearSolution | None:
    """The result when there is nothing to iterate on: NaN in b or x0, no unknowns, or b = 0 (then x = 0)."""
    for name, vector in (("b", b), ("x0", x0)):
        # A sum is one pass without a temporary; only when it is not finite are the entries looked at one by one.
        if vector is None or bool(torch.isfinite(vector.sum())):
            continue
        bad = int((~torch.isfinite(vector)).sum())
        if bad:
            note = f"{name} holds {bad} NaN or Inf among {vector.numel()} entries"
            x = torch.zeros_like(b) if x0 is None else x0
            return LinearSolution(x, Status.NON_FINITE, 0, math.nan, (math.nan,), 0.0, 0.0, (note,))
    if bool(b.any()):
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


def _follows(A: LinearOperator, x: Tensor) -> bool:
    """Whether A x carries gradients of what A was made from."""
    if isinstance(A, StencilOperator):
        return A.follows_gradients
    try:
        return bool(A.matvec(x).requires_grad)
    except RuntimeError:  # a function that only works without gradients
        return False
