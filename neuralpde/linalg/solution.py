"""What a linear solve returns."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from neuralpde.types import Status


@dataclass(frozen=True, eq=False)
class LinearSolution:
    """Result of :func:`neuralpde.linalg.solve_linear`.

    Attributes:
        x: solution, shape ``(n,)`` or ``(n, k)`` like b, always float64 (complex128 for complex systems): a float32 x
            cannot hold a residual below about 1e-7·cond(A).
        status: why the solve ended; ``status.ok`` when the tolerance is met by the true residual. Of several columns
            that of the worst one.
        iterations: Krylov iterations, or substitutions of the direct solver; of several columns the most.
        residual: ‖b − A x‖ / ‖b‖, computed from x in float64 (the plain norm when b = 0); of several columns the worst.
        history: relative residual at the start and after each iteration as the recurrence saw it; the last is true.
        setup_seconds: time to build the preconditioner or the factors; 0 when they were there already.
        solve_seconds: time after that.
        notes: what happened on the way, such as a preconditioner that was dropped.
        columns: the result of each column where b has shape ``(n, k)``; else empty.
    """

    x: Tensor
    status: Status
    iterations: int
    residual: float
    history: tuple[float, ...]
    setup_seconds: float
    solve_seconds: float
    notes: tuple[str, ...] = ()
    columns: tuple[LinearSolution, ...] = ()
