"""One linear system and one solve of it: what every method of the solver benches is measured by."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from neuralpde.systems import PressureSystem

RTOL = 1e-6
"""True relative residual that every method has to reach."""

LIMIT = 40.0
"""Seconds after which a solve is given up."""

QUICK_ENOUGH = 2.0
"""Seconds up to which a solve is repeated."""


class OverLimitError(Exception):
    """A solve took longer than it may."""


@dataclass(frozen=True)
class Problem:
    """A system as both sides want it: by its grid, and as the matrix of its unknown cells.

    Attributes:
        system: by its grid.
        matrix: CSR of the unknown cells, float64.
        b: right-hand side of these.
        unknown: their numbers among the cells.
    """

    system: PressureSystem
    matrix: sp.csr_matrix
    b: np.ndarray
    unknown: np.ndarray

    @classmethod
    def of(cls, system: PressureSystem) -> Problem:
        """Both forms of a system."""
        matrix, b = system.matrix()
        return cls(system, matrix, b, np.flatnonzero(system.unknown()))

    def residual(self, x: np.ndarray) -> float:
        """‖b − A x‖ / ‖b‖ in float64, by SciPy's product."""
        return float(np.linalg.norm(self.b - self.matrix @ x) / np.linalg.norm(self.b))


@dataclass(frozen=True)
class Solve:
    """What one method did: x of the unknown cells, and its costs in seconds and iterations."""

    x: np.ndarray
    setup: float
    solve: float
    iterations: int

    @property
    def seconds(self) -> float:
        """Set-up and solve."""
        return self.setup + self.solve


Method = Callable[[Problem, float, float], Solve]
"""(problem, relative tolerance, seconds that it may take) → what was done."""


@dataclass(frozen=True)
class Measured:
    """A method on one problem: medians over its repeats, and the true residual."""

    setup: float
    solve: float
    seconds: float
    iterations: int
    residual: float


def deadline(limit: float) -> Callable[..., None]:
    """A callback that raises :class:`OverLimitError` once the time is over."""
    end = time.perf_counter() + limit

    def check(*_: object) -> None:
        if time.perf_counter() > end:
            raise OverLimitError

    return check


def measured(method: Method, problem: Problem, repeats: int = 3, limit: float = LIMIT) -> Measured:
    """Time a method until its true residual is below ``RTOL``.

    Methods judge themselves by residuals of other kinds; where the true one is still too large the tolerance they get
    is halved, and only the run that reaches the bar is counted.

    Raises:
        OverLimitError: where it takes longer than ``limit``, or does not get there.
    """
    tolerance = RTOL
    for _ in range(12):
        first = method(problem, tolerance, limit)
        residual = problem.residual(first.x)
        if residual <= RTOL:
            break
        tolerance /= 2
    else:
        raise OverLimitError
    if first.seconds > limit:
        raise OverLimitError
    again = repeats - 1 if first.seconds <= QUICK_ENOUGH else 0
    runs = [first, *(method(problem, tolerance, limit) for _ in range(again))]
    setup, solve, seconds = (
        statistics.median(getattr(run, part) for run in runs) for part in ("setup", "solve", "seconds")
    )
    return Measured(setup, solve, seconds, first.iterations, residual)
