"""``solve_linear``: the one door to every linear solver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from neuralpde.linalg.methods import SOLVERS
from neuralpde.linalg.prepare import PreparedSolver
from neuralpde.linalg.solution import LinearSolution

__all__ = ["SOLVERS", "LinearSolution", "solve_linear"]


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
    directions: int = 2,
    raise_on_failure: bool = True,
) -> LinearSolution:
    """Solve A x = b.

    Done when ‖b − A x‖ ≤ max(rtol·‖b‖, atol), where the residual is computed from x in float64 whatever the dtype of A.
    The iteration runs in the dtype of A, a preconditioner in its own.

    x carries gradients with respect to b and to the tensors that A was made from (dense entries, CSR values, a grid's
    weights, what the torch code of a function reads): λ = A⁻ᵀ x̄ is one more solve with the same preconditioner, in the
    backward pass, and then b̄ = λ, Ā = −λ xᵀ where A has entries. It raises when it fails, as this solve does.

    Args:
        A: square operator or matrix ``(n, n)``: LinearOperator, torch or NumPy matrix, SciPy sparse matrix. A complex
            matrix is solved as a real one of twice the size; "cg" and "minres" then need a Hermitian one.
        b: right-hand side, shape ``(n,)``, or ``(n, k)`` for k of them, solved one after the other.
        solver: "cg" for symmetric positive definite A; "fcg" with a longer memory, for an M that is a network;
            "minres" for symmetric A; "gmres" (the same as "fgmres") and "bicgstab" (less memory) for any A; "direct"
            for LU factors (small or 2D).
        M: approximates A⁻¹: ``None``, a name ("multigrid" for a :class:`StencilOperator`, "amg" for other large
            elliptic A; "identity", "jacobi", "ssor", "chebyshev", "ic", "direct"), a Preconditioner, an operator or
            matrix ``(n, n)``, or a function of one vector. A name that cannot serve A, or whose package is missing, is
            refused. Whatever else fails (its build or it raises, it returns NaN, points uphill or gains less than
            Jacobi) is replaced by Jacobi, then by the identity, and ``notes`` says so: a function is on trial beside
            Jacobi for six iterations. For "minres" M must be linear and positive definite.
        rtol, atol: tolerances; 1e-8 is good for a converged field, 1e-4 inside a Newton step.
        maxiter: most iterations; by default 10 n, at least 50 and at most 10,000 (5 substitutions for "direct").
        x0: first guess, of the shape of b.
        callback: called as ``callback(iteration, relative_residual)``, the residual as the recurrence sees it.
        restart: length of a GMRES cycle.
        directions: kept by "fcg".
        raise_on_failure: raise when the status is bad; the exception carries the result.

    Returns:
        A :class:`LinearSolution`.

    Raises:
        UsageError: for unknown names, names that cannot serve A, wrong shapes, negative tolerances.
        NonFiniteError: for NaN or Inf in A, b or x0.
        NotConvergedError: for every other failure.

    Source: see :func:`neuralpde.linalg.cg.cg` and its neighbours; of the gradient, :func:`neuralpde.implicit.root`.

    Example:
        >>> solution = solve_linear([[4.0, 1.0], [1.0, 3.0]], [1.0, 2.0], M="jacobi")
        >>> [round(value, 4) for value in solution.x.tolist()], solution.status.name
        ([0.0909, 0.6364], 'CONVERGED_RTOL')
    """
    prepared = PreparedSolver(A, solver=solver, M=M, restart=restart, directions=directions)
    return prepared.solve(
        b, rtol=rtol, atol=atol, maxiter=maxiter, x0=x0, callback=callback, raise_on_failure=raise_on_failure
    )
