"""Results of several right-hand sides as one result."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from neuralpde.linalg.complex_systems import unstacked
from neuralpde.linalg.solution import LinearSolution
from neuralpde.linalg.vectors import norm
from neuralpde.types import Status


def side_by_side(found: Sequence[LinearSolution], b: Tensor) -> LinearSolution:
    """One result for b ``(n, k)``, of the k results of its columns: what is worst, longest or most of them."""
    if not found:
        return LinearSolution(torch.zeros_like(b), Status.CONVERGED_RTOL, 0, 0.0, (0.0,), 0.0, 0.0)
    return replace(
        max(found, key=_badness),
        x=torch.stack([solution.x for solution in found], dim=1),
        iterations=max(solution.iterations for solution in found),
        setup_seconds=sum(solution.setup_seconds for solution in found),
        solve_seconds=sum(solution.solve_seconds for solution in found),
        notes=tuple(f"column {j}: {note}" for j, solution in enumerate(found) for note in solution.notes),
        columns=tuple(found),
    )


def complex_columns(found: LinearSolution, b: Tensor) -> LinearSolution:
    """The result for a complex b ``(n,)`` or ``(n, k)``, of that for (Re b, Im b), ``(n, 2 k)``; x keeps its gradient.

    Residuals are those of the complex columns, ‖r‖² = ‖Re r‖² + ‖Im r‖².
    """
    k = found.x.shape[1] // 2
    x = torch.complex(found.x[:, :k], found.x[:, k:])
    flat = b.detach().reshape(len(b), k)
    columns = tuple(_complex(found.columns[j], found.columns[k + j], flat[:, j]) for j in range(k))
    if b.ndim == 1:
        return replace(found, x=x[:, 0], residual=columns[0].residual)
    residual = max((column.residual for column in columns), default=0.0)
    return replace(found, x=x, residual=residual, columns=columns)


def unstacked_solution(found: LinearSolution) -> LinearSolution:
    """The result of a complex system, of that of its real form of twice the size."""
    columns = tuple(replace(column, x=unstacked(column.x)) for column in found.columns)
    return replace(found, x=unstacked(found.x), columns=columns)


def _complex(real: LinearSolution, imaginary: LinearSolution, b: Tensor) -> LinearSolution:
    sizes = (norm(b.real), norm(b.imag))
    parts = [part.residual * (size or 1.0) for part, size in zip((real, imaginary), sizes, strict=True)]
    return replace(
        max(real, imaginary, key=_badness),
        x=torch.complex(real.x.detach(), imaginary.x.detach()),
        iterations=max(real.iterations, imaginary.iterations),
        residual=math.hypot(*parts) / (math.hypot(*sizes) or 1.0),
        setup_seconds=real.setup_seconds + imaginary.setup_seconds,
        solve_seconds=real.solve_seconds + imaginary.solve_seconds,
        notes=real.notes + imaginary.notes,
    )


def _badness(solution: LinearSolution) -> tuple[bool, float]:
    return not solution.status.ok, math.inf if math.isnan(solution.residual) else solution.residual
