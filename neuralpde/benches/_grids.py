"""The strongest uniform grid beside a neural field: of the same memory, and of the same error."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from neuralpde.benches._marching import Measured, Times, rows_of
from neuralpde.benches._rows import Row
from neuralpde.dynamics import DiscreteDynamics
from neuralpde.integrators import Dynamics, Integrator
from neuralpde.problems import Problem
from neuralpde.representations import GridField, Representation
from neuralpde.simulate import simulate

ORDERS: tuple[int | str, ...] = ("fourier", 6, 2)
ROUNDING = 1e-12
"""Errors below this are rounding: none is better than another."""


@dataclass(frozen=True)
class Scheme:
    """How a grid is stepped.

    Args:
        integrator: in time.
        form: of the equation on the grid; a subclass of the package's own dynamics may state another one.
        label: what to call another form.
        options: of the dynamics.
    """

    integrator: Integrator
    form: type[Dynamics] = DiscreteDynamics
    label: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.label} {self.integrator!r}".strip().replace("()", "")


@dataclass(frozen=True)
class Kind:
    """A kind of grid that may compete.

    Args:
        make: the grid of so many nodes (along its longest axis) for a problem.
        fill: the most nodes (along the longest axis) in so many bytes.
        schemes: the methods to try on it.
    """

    make: Callable[[Problem, int], Representation]
    fill: Callable[[int], int]
    schemes: tuple[Scheme, ...]


@dataclass(frozen=True)
class Candidate:
    """A grid method, and what one run of it gave."""

    kind: int | str
    scheme: Scheme
    nodes: int
    dt: float
    measured: Measured

    @property
    def name(self) -> str:
        """``fourier, RK4, dt 0.01``."""
        kind = self.kind if isinstance(self.kind, str) else f"order {self.kind}"
        return f"{kind}, {self.scheme}, dt {self.dt:.3g}"


class Search:
    """Tries grids of every kind with every scheme.

    Steps divide the time between two measured times by 1, 2, 4, …, so that no value is interpolated in time. They are
    halved until the error no longer falls by 2 % (the grid's own error is left then), or a run becomes too slow.

    Args:
        reference: problem, times and values.
        kinds: of grids, by their names.
        metric: the error that counts.
        halvings: most halvings of the step.
        slowest: no smaller step is tried where one run took that many seconds.
    """

    def __init__(
        self,
        reference: Times,
        kinds: Mapping[Any, Kind],
        metric: str,
        halvings: int = 11,
        slowest: float = 10.0,
    ) -> None:
        self.reference, self.kinds, self.metric = reference, dict(kinds), metric
        self.halvings, self.slowest = halvings, slowest

    @property
    def methods(self) -> list[tuple[int | str, Scheme]]:
        """Every kind with every scheme that it takes."""
        return [(name, scheme) for name, kind in self.kinds.items() for scheme in kind.schemes]

    def error(self, candidate: Candidate) -> float:
        """The error that counts."""
        return candidate.measured.errors[self.metric]

    def run(self, kind: int | str, scheme: Scheme, nodes: int, steps: int) -> Candidate:
        """One run with ``steps`` steps between two measured times."""
        problem, dt = self.reference.problem, self.reference.spacing / steps
        solution = simulate(
            problem,
            self.kinds[kind].make(problem, nodes),
            scheme.integrator,
            dt=dt,
            t_end=self.reference.times[-1],
            save_every=steps,
            method=scheme.form,
            raise_on_failure=False,
            **scheme.options,
        )
        return Candidate(kind, scheme, nodes, dt, Measured.of(solution, self.reference))

    def halve(self, kind: int | str, scheme: Scheme, nodes: int, slowest: float) -> Iterator[Candidate]:
        """Runs with smaller and smaller steps, as long as they help."""
        before = inf
        for k in range(self.halvings + 1):
            candidate = self.run(kind, scheme, nodes, 2**k)
            yield candidate
            error = self.error(candidate)
            settled = error > 0.98 * before and before < 0.5  # above that the step, not the grid, may be to blame
            if settled or candidate.measured.seconds > slowest:
                return
            before = error

    def same_memory(self, memory_bytes: int) -> Candidate:
        """The smallest error that a float64 grid of these bytes reaches; of those within 2 % of it the fastest."""
        every = [
            candidate
            for kind, scheme in self.methods
            for candidate in self.halve(kind, scheme, self.kinds[kind].fill(memory_bytes), self.slowest)
        ]
        least = min(self.error(candidate) for candidate in every)
        enough = max(1.02 * least, ROUNDING)
        return self._timed(min((c for c in every if self.error(c) <= enough), key=_seconds))

    def same_error(self, target: float, nodes: Sequence[int]) -> Candidate | None:
        """The fastest grid whose error is at most ``target``, over kinds, schemes, numbers of nodes and steps."""
        best: Candidate | None = None
        for kind, scheme in self.methods:
            reached = 0
            for n in nodes:
                limit = min(self.slowest, _seconds(best) if best else inf)
                runs = list(self.halve(kind, scheme, n, limit))
                good = [c for c in runs if self.error(c) <= target]
                best = min([*good, *([best] if best else [])], key=_seconds, default=None)
                reached += bool(good)
                # more nodes only cost more once two sizes reach it, or once the largest step is too slow
                if reached == 2 or _seconds(runs[0]) > limit:
                    break
        return self._timed(best) if best else None

    def _timed(self, candidate: Candidate, repeats: int = 3) -> Candidate:
        """The same candidate with the median seconds of a few more runs."""
        steps = round(self.reference.spacing / candidate.dt)
        again = [self.run(candidate.kind, candidate.scheme, candidate.nodes, steps).measured for _ in range(repeats)]
        seconds = statistics.median(m.seconds for m in again)
        setup = statistics.median(m.setup_seconds for m in again)
        return replace(candidate, measured=replace(candidate.measured, seconds=seconds, setup_seconds=setup))


class GridSearch(Search):
    """Tries node grids on intervals, of every order with every scheme.

    Args:
        reference, metric, halvings, slowest: as for :class:`Search`.
        schemes: the methods to try.
    """

    def __init__(
        self, reference: Times, schemes: Sequence[Scheme], metric: str, halvings: int = 11, slowest: float = 10.0
    ) -> None:
        kinds = {order: Kind(_of_order(order), lambda size: size // 8, tuple(schemes)) for order in ORDERS}
        super().__init__(reference, kinds, metric, halvings, slowest)


def _of_order(order: int | str) -> Callable[[Problem, int], Representation]:
    return lambda problem, nodes: GridField.for_problem(problem, nodes, order=order)


def _seconds(candidate: Candidate) -> float:
    return candidate.measured.seconds


def grid_rows(
    case: str, search: Search, neural: Sequence[Measured], nodes: Sequence[int], errors: Sequence[str]
) -> list[Row]:
    """Rows of the best grid of the neural field's memory, and of the fastest with its error (of its worst seed)."""
    found = {
        "grid same memory": search.same_memory(neural[0].memory_bytes),
        "grid same error": search.same_error(max(run.errors[search.metric] for run in neural), nodes),
    }
    rows = []
    for kind, candidate in found.items():
        if candidate is not None:
            rows += rows_of(case, f"{kind} ({candidate.name})", [candidate.measured], errors)
    return rows
