"""Rows of a case of the solver benches: medians over its systems, and how many times one method is faster."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence

from neuralpde.benches._linear_problem import LIMIT, Measured, Method, OverLimitError, Problem, measured
from neuralpde.benches._rows import Row

Found = dict[str, list[Measured]]
"""By the name of a method, what it did on each system of a case."""

BEST = {
    "pyamg best": ("pyamg rs", "pyamg sa"),
    "pyamg best tuned": ("pyamg rs", "pyamg sa", "pyamg rs tuned", "pyamg sa tuned"),
}
"""The faster ones, system by system."""

RIVALS = {
    "faster_than_pyamg": "pyamg best",
    "faster_than_tuned_pyamg": "pyamg best tuned",
    "faster_than_hypre": "petsc hypre",
    "faster_than_tuned_hypre": "petsc hypre tuned",
    "faster_than_plain": "multigrid plain",
}
"""Ratios of median seconds that stand in the rows of "multigrid"."""


def remark(text: str) -> None:
    """A line on stderr: what was not run, and why."""
    print(text, file=sys.stderr, flush=True)


def case_rows(
    case: str, problems: Sequence[Problem], methods: Mapping[str, Method], repeats: int = 3, limit: float = LIMIT
) -> Iterator[Row]:
    """Rows of all methods on the systems of one case, as they come, then of the best ones and the ratios.

    A method that is over the limit on one system has no row, and a line on stderr.
    """
    found: Found = {}
    for name, method in methods.items():
        try:
            found[name] = [measured(method, problem, repeats, limit) for problem in problems]
        except OverLimitError:
            remark(f"{case}: {name}: not run to its end: over {limit:g} s, or not to 1e-6.")
            continue
        yield from method_rows(case, name, found[name])
    for name, parts in BEST.items():
        there = [found[part] for part in parts if part in found]
        if there:
            found[name] = [min(runs, key=lambda run: run.seconds) for runs in zip(*there, strict=True)]
            yield from method_rows(case, name, found[name])
    yield from _ratios(case, found)


def method_rows(case: str, name: str, runs: Sequence[Measured]) -> Iterator[Row]:
    """Medians over the systems of a case, the most iterations and their spread, the worst residual."""
    for metric, values in (
        ("setup_seconds", [run.setup for run in runs]),
        ("solve_seconds", [run.solve for run in runs]),
        ("seconds", [run.seconds for run in runs]),
    ):
        yield Row(case, name, metric, statistics.median(values), "s")
    iterations = [run.iterations for run in runs]
    yield Row(case, name, "iterations", statistics.median(iterations))
    yield Row(case, name, "most_iterations", max(iterations))
    yield Row(case, name, "iterations_spread", max(iterations) - min(iterations))
    yield Row(case, name, "residual", max(run.residual for run in runs))


def _ratios(case: str, found: Found) -> Iterator[Row]:
    if "multigrid" not in found:
        return
    ours = statistics.median(run.seconds for run in found["multigrid"])
    for metric, rival in RIVALS.items():
        if rival in found:
            yield Row(case, "multigrid", metric, statistics.median(run.seconds for run in found[rival]) / ours)
