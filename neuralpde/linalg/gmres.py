"""Flexible, right-preconditioned GMRES: one cycle between restarts."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from neuralpde.linalg.cycle import Cycle, Steps
from neuralpde.linalg.guard import Guard
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.watch import Watch
from neuralpde.types import Status

_PROGRESS = 0.1


def gmres(
    A: LinearOperator, guard: Guard, r: Tensor, tol: float, maxiter: int, watch: Watch, *, restart: int = 50
) -> Steps:
    """Minimise ‖r − A y‖ over y in span(z₁ … z_m), z_j = M v_j, for any square A.

    Arnoldi builds A Z_m = V_{m+1} H with orthonormal V, so that ‖r − A Z c‖ = ‖‖r‖ e₁ − H c‖. Preconditioning from the
    right keeps this the residual of A y = r itself, and storing Z lets M change from vector to vector: this is FGMRES,
    and with a fixed M it is right-preconditioned GMRES, so one code serves both names.

    Args:
        A: shape ``(n, n)``.
        guard: the preconditioner; unlike in CG it may be indefinite.
        r: right-hand side of norm 1, shape ``(n,)``, in the dtype of the recurrence.
        tol: stop when the least-squares residual is at most this.
        maxiter: most iterations.
        watch: told the least-squares residual once an iteration.
        restart: longest cycle m; memory is 2 m vectors (m without a preconditioner).

    Returns:
        Steps, which give −log of the residual, and in the end a :class:`Cycle` with status CONVERGED_RTOL, MAXITER (the
        cycle is full), BREAKDOWN (the Krylov space is exhausted and holds no solution: A is singular),
        PRECONDITIONER_FAILED, STAGNATED (a full cycle with a preconditioner of the user gained next to nothing) or
        NON_FINITE.

    Source: Saad, A flexible inner-outer preconditioned GMRES algorithm, SIAM J. Sci. Comput. 14 (1993), algorithm 2.2.
    """
    m = min(restart, maxiter, r.numel())
    start = float(torch.linalg.vector_norm(r))
    V = r.new_empty(m + 1, r.numel())
    V[0] = r / start
    Z: list[Tensor] = []
    H = np.zeros((m + 1, m))
    estimate = _ResidualEstimate(m, start)
    status = Status.MAXITER
    for j in range(m):
        z = guard.apply(V[j])
        if z is None:
            status = Status.PRECONDITIONER_FAILED
            break
        w = A.matvec(z.to(r.dtype)).to(r.dtype)
        length = float(torch.linalg.vector_norm(w))
        if not math.isfinite(length):
            status = Status.NON_FINITE
            break
        Z.append(z.to(r.dtype, copy=True))  # M may give the same buffer each time
        H[: j + 2, j], w = _orthogonalise(w, V[: j + 1])
        exhausted = H[j + 1, j] <= 10 * torch.finfo(r.dtype).eps * length
        left = _least_squares(H[: j + 2, : j + 1], start)[1] if exhausted else estimate.update(H[: j + 2, j])
        watch.record(left)
        if left <= tol or exhausted:
            status = Status.CONVERGED_RTOL if left <= tol else Status.BREAKDOWN
            break
        V[j + 1] = w / H[j + 1, j]
        yield -math.log(max(left, 1e-300))
    y = torch.zeros_like(r, dtype=torch.float64)
    k = len(Z)
    for coefficient, z in zip(_least_squares(H[: k + 1, :k], start)[0], Z, strict=True):
        y.add_(z, alpha=float(coefficient))
    if status is Status.MAXITER and k == restart and not guard.classical and _lags(A, r, y, k):
        status = Status.STAGNATED
    return Cycle(y, k, status)


def _lags(A: LinearOperator, r: Tensor, y: Tensor, steps: int) -> bool:
    """True when a step of this cycle gained less than a tenth of what a plain minimal-residual step would now.

    Gains are −log of the reduction of the residual; the plain step along s = r − A y reduces it by √(1 − cos²(s, A s)).
    """
    s = r - A.matvec(y.to(r.dtype)).to(r.dtype)
    w = A.matvec(s).to(r.dtype)
    square = float(torch.dot(s, s)) * float(torch.dot(w, w))
    cosine = float(torch.dot(s, w)) ** 2 / square if square > 0.0 else 0.0
    plain = -0.5 * math.log1p(-min(cosine, 1.0 - 1e-15))
    gained = math.log(float(torch.linalg.vector_norm(r)) / max(float(torch.linalg.vector_norm(s)), 1e-300))
    return gained / steps < _PROGRESS * plain


def _orthogonalise(w: Tensor, V: Tensor) -> tuple[np.ndarray, Tensor]:
    """Coefficients ``(j + 1,)`` of w ``(n,)`` in the rows of V ``(j, n)`` and of what is left, and what is left.

    Gram–Schmidt twice, each time against all rows at once: orthogonal to rounding, which modified Gram–Schmidt once is
    not, and two matrix products instead of 2 j dot products (Giraud, Langou, Rozložník 2005).
    """
    first = V @ w
    w = w - V.T @ first
    second = V @ w
    w = w - V.T @ second
    coefficients = (first.double() + second.double()).cpu().numpy()
    return np.append(coefficients, float(torch.linalg.vector_norm(w))), w


def _least_squares(H: np.ndarray, start: float) -> tuple[np.ndarray, float]:
    """c ``(k,)`` of least norm that minimises ‖start·e₁ − H c‖, H ``(k + 1, k)``, and that minimum."""
    if H.shape[1] == 0:
        return np.zeros(0), start
    target = np.zeros(H.shape[0])
    target[0] = start
    c = np.linalg.lstsq(H, target, rcond=None)[0]
    return c, float(np.linalg.norm(target - H @ c))


class _ResidualEstimate:
    """Keeps the QR factors of H by Givens rotations, one column at a time, for the residual alone."""

    def __init__(self, m: int, start: float) -> None:
        self._rotations: list[tuple[float, float]] = []
        self._left = start

    def update(self, column: np.ndarray) -> float:
        """min ‖start·e₁ − H c‖ after the next column ``(j + 2,)`` of H, whose last entry is not zero."""
        h = column.copy()
        for i, (c, s) in enumerate(self._rotations):
            h[i], h[i + 1] = c * h[i] + s * h[i + 1], -s * h[i] + c * h[i + 1]
        radius = math.hypot(h[-2], h[-1])
        self._rotations.append((h[-2] / radius, h[-1] / radius))
        self._left *= abs(h[-1]) / radius
        return self._left
