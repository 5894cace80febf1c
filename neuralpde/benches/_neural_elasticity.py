"""Elastic bodies on neural fields, as benches measure them: the worst of three seeds, median seconds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from neuralpde.benches._marching import SEEDS
from neuralpde.benches._rows import Row
from neuralpde.optimize import NaturalGradient
from neuralpde.problems import ElasticBody
from neuralpde.representations import NeuralField
from neuralpde.simulate import Solution, solve

FIT = NaturalGradient(maxiter=200, stall=1e-4)

RowsOf = Callable[[str, Solution, float], list[Row]]
"""(method, solution, seconds) → the rows of a bench."""


def neural_rows(
    problem: ElasticBody,
    rows_of: RowsOf,
    hidden: tuple[int, ...],
    error: str,
    seeds: Sequence[int] = SEEDS,
    fit: NaturalGradient = FIT,
    points: int | None = None,
) -> list[Row]:
    """Rows of the seed with the largest error, with the median seconds.

    Args:
        problem: a body at rest on a mesh.
        rows_of: what is measured of a solution.
        hidden: widths of the network's hidden layers.
        error: the metric that tells which seed is the worst.
        seeds: of starting weights.
        fit, points: how the energy is minimised, and at how many points.
    """
    name = f"neural {'-'.join(map(str, hidden))}"
    found = list[list[Row]]()
    for seed in seeds:
        begin = time.perf_counter()
        r = NeuralField.for_problem(problem, hidden=hidden, seed=seed)
        run = solve(problem, r, method="potential", fit=fit, points=points, raise_on_failure=False)
        found.append(rows_of(name, run, time.perf_counter() - begin))
    worst = max(found, key=lambda rows: value_of(rows, error))
    seconds = statistics.median(value_of(rows, "seconds") for rows in found)
    return [replace(row, value=seconds) if row.metric == "seconds" else row for row in worst]


def value_of(rows: Sequence[Row], metric: str) -> float:
    """The figure of that name."""
    return next(row.value for row in rows if row.metric == metric)
