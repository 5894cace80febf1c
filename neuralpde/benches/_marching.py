"""What the time-stepping benches share: exact values, one measured run, rows of several seeds."""

from __future__ import annotations

import statistics
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import ClassVar

import torch
from torch import Tensor

from neuralpde.benches._rows import Row
from neuralpde.integrators import Integrator
from neuralpde.optimize import GaussNewton
from neuralpde.problems import Problem
from neuralpde.representations import GridField, NeuralField
from neuralpde.simulate import Solution, simulate

SEEDS = (0, 1, 2)


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for every method: a second gains nothing on arrays this small, and on a busy machine loses much."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Times(ABC):
    """What every run is measured against: a problem and the times at which its values are known.

    Args:
        problem: what is solved.
        times: measured times, all of them multiples of the difference of the first two; the last one ends every run.
    """

    ERRORS: ClassVar[tuple[str, ...]]
    """Names of the errors that :meth:`errors` reports."""

    def __init__(self, problem: Problem, times: Sequence[float]) -> None:
        self.problem, self.times = problem, tuple(times)

    @property
    def spacing(self) -> float:
        """Time between two measured times, which every method must step on."""
        return self.times[1] - self.times[0]

    def errors(self, solution: Solution) -> dict[str, float]:
        """Errors over measured times and points; a run that ended early has infinite ones.

        Only saved states count: nothing is interpolated in time.
        """
        if not solution.status.ok:
            return dict.fromkeys(self.ERRORS, inf)
        return {name: float(value.nan_to_num(inf)) for name, value in self.measure(solution).items()}

    @abstractmethod
    def measure(self, solution: Solution) -> dict[str, Tensor]:
        """The errors of a run that came to its end."""

    def rows(self, solution: Solution) -> list[int]:
        """Where a solution's states at the measured times are.

        Raises:
            ValueError: where one of these times was not saved.
        """
        found = [int((solution.times - t).abs().argmin()) for t in self.times]
        missed = (solution.times[found] - torch.tensor(self.times, dtype=torch.float64)).abs().max()
        if missed > 1e-9:
            raise ValueError(f"the run misses a measured time by {float(missed):.1e}")
        return found


class Reference(Times):
    """Exact values of a problem at all measured times on a uniform lattice, computed once for every method.

    Args:
        problem: with an exact solution, on an interval.
        times: measured times, all of them multiples of the first difference; the last one ends every run.
        points: lattice points, both ends included.
    """

    ERRORS = ("mae", "rel_l2", "rel_l2_final", "max_error")

    def __init__(self, problem: Problem, times: Sequence[float], points: int = 2001) -> None:
        super().__init__(problem, times)
        (lower,), (upper,) = problem.domain.lower, problem.domain.upper
        self.x = torch.linspace(lower, upper, points, dtype=torch.float64)[:, None]
        exact = [problem.exact(t, self.x) for t in self.times]
        self.values = torch.stack([u for u in exact if u is not None])[..., 0]

    def measure(self, solution: Solution) -> dict[str, Tensor]:
        """``mae``, ``rel_l2`` and ``max_error`` over times and points, ``rel_l2_final`` at the last time."""
        e, u = self.deviation(solution), self.values
        return {
            "mae": e.abs().mean(),
            "rel_l2": e.norm() / u.norm(),
            "rel_l2_final": e[-1].norm() / u[-1].norm(),
            "max_error": e.abs().max(),
        }

    def deviation(self, solution: Solution) -> Tensor:
        """Computed minus exact values, ``(times, points)``."""
        return self._values(solution) - self.values

    def _values(self, solution: Solution) -> Tensor:
        rows = self.rows(solution)
        field, states = solution.representation, solution.states[rows]
        if isinstance(field, GridField):  # all times at once, as channels: the interpolation weights are made once
            return field.interpolate(states.T.contiguous(), self.x).T
        with torch.no_grad():
            return torch.stack([field.at(theta)(self.x.to(field.dtype))[:, 0].double() for theta in states])


@dataclass(frozen=True)
class Measured:
    """One run: its size, its time and its errors."""

    dofs: int
    memory_bytes: int
    seconds: float
    setup_seconds: float
    steps: int
    iterations: int
    errors: dict[str, float]

    @classmethod
    def of(cls, solution: Solution, reference: Times) -> Measured:
        """Figures of a solution; ``seconds`` run from the first fit to the last step."""
        field, infos = solution.representation, solution.infos
        return cls(
            field.num_dofs,
            field.memory_bytes(),
            solution.seconds,
            solution.setup_seconds,
            len(infos),
            sum(info.iterations for info in infos),
            reference.errors(solution),
        )


@dataclass(frozen=True)
class NeuralMethod:
    """A centred tanh field, and how it is stepped by function-space Gauss–Newton.

    Args:
        integrator, dt: of the steps.
        hidden, steepness: of the field.
        points: of every fit, on a uniform lattice.
        first: iterations of the first fit, from random weights.
        atol: root mean square residual at which a stage's fit ends.
        maxiter: most iterations of a stage's fit; only the first few steps and the forming of a front need many.
    """

    integrator: Integrator
    dt: float
    hidden: tuple[int, ...]
    steepness: float
    points: int
    first: int
    atol: float
    maxiter: int = 40

    def run(self, reference: Reference, seed: int) -> Measured:
        """One seed; building the network (milliseconds) is not in the time, everything else before the error is."""
        problem = reference.problem
        field = NeuralField.for_problem(problem, hidden=self.hidden, steepness=self.steepness, seed=seed)
        solution = simulate(
            problem,
            field,
            self.integrator,
            dt=self.dt,
            t_end=reference.times[-1],
            initial_fit={
                "options": GaussNewton(maxiter=self.first, damping=1e-4, stall=0.0, atol=1e-7),
                "points": self.points,
            },
            fit=GaussNewton(maxiter=self.maxiter, stall=1e-2, damping=1e-8, scaling="uniform", atol=self.atol),
            points=self.points,
        )
        return Measured.of(solution, reference)


def rows_of(case: str, method: str, runs: Sequence[Measured], errors: Sequence[str]) -> list[Row]:
    """Rows of one method over its seeds: median seconds and iterations, worst error (and the slowest seed)."""

    def median(name: str) -> float:
        return float(statistics.median(getattr(run, name) for run in runs))

    rows = [
        Row(case, method, "dofs", runs[0].dofs),
        Row(case, method, "memory_bytes", runs[0].memory_bytes, "B"),
        Row(case, method, "seconds", median("seconds"), "s"),
        Row(case, method, "setup_seconds", median("setup_seconds"), "s"),
    ]
    if len(runs) > 1:
        rows.append(Row(case, method, "seconds_max", max(run.seconds for run in runs), "s"))
    rows += [Row(case, method, name, max(run.errors[name] for run in runs)) for name in errors]
    rows.append(Row(case, method, "steps", runs[0].steps))
    return [*rows, Row(case, method, "iterations", median("iterations"))]
