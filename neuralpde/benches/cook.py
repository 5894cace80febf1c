"""Cook's membrane: a tapered panel that is clamped on one side and sheared on the other.

Corners (0, 0), (48, 44), (48, 60), (0, 44), E = 1, thickness 1, clamped on x = 0, a traction of 1/16 upwards on x = 48;
the figure is the vertical displacement of the middle (48, 52) of the loaded edge.

- ``plane stress``, ν = 1/3: 23.966 is published. Bar: P2 within 0.1 %.
- ``at 1 %``: the smallest mesh of each method on which that error is at most 1 %.
- ``neural``: a neural field, the worst of three seeds. Bar: within 1 % with at most 1,000 weights.
- ``nearly incompressible``, ν = 0.4999 in plane strain: P1 locks. Bar: a form that does not, within 1 % of its own
  converged value. ``mean`` is :class:`MeanDilatation`; the converged value is its own on Q2 and the finest mesh.
  ``neural`` is a field of the plain energy that settles its output layer at every step, see
  :class:`~neuralpde.optimize.NaturalGradient`; without that it stalls 14 % below.

Source: Cook, J. Struct. Div. ASCE 100 (1974); Simo & Rifai, Int. J. Numer. Meth. Eng. 29 (1990).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from neuralpde.benches._mapped_meshes import Places, mapped_mesh
from neuralpde.benches._marching import SEEDS, one_thread
from neuralpde.benches._neural_elasticity import neural_rows, value_of
from neuralpde.benches._rows import Row
from neuralpde.geometry import Dirichlet, Flux, MeshDomain
from neuralpde.problems import LinearElasticity, traction
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import Solution, solve

STRESS, ENOUGH, LOCKING = "plane stress", "at 1 %", "nearly incompressible"
RATIOS = {STRESS: 1 / 3, ENOUGH: 1 / 3, LOCKING: 0.4999}
TIP, PUBLISHED = (48.0, 52.0), 23.966


def panel(x: Places) -> Places:
    """The unit square as Cook's membrane."""
    low, high = 44 * x[:, 0], 44 + 16 * x[:, 0]
    return np.stack([48 * x[:, 0], low + (high - low) * x[:, 1]], axis=1)


def problem(case: str, kind: str, cells: int) -> LinearElasticity:
    """The problem of a case on elements of a kind, so many cells along each side."""
    mesh = mapped_mesh(kind, (cells, cells), panel, {"x-": "clamped", "x+": "loaded"})
    return LinearElasticity(
        young=1.0,
        poisson_ratio=RATIOS[case],
        plane="strain" if case == LOCKING else "stress",
        domain=MeshDomain(mesh),
        conditions=(Dirichlet(0.0, "clamped"), traction((0.0, 1 / 16), "loaded"), Flux(0.0)),
    )


@dataclass(frozen=True)
class Method:
    """Elements of a degree, and how they take the volume."""

    degree: int
    kind: str = "triangle"
    mean: bool = False

    @property
    def name(self) -> str:
        """What tables call it, without its mesh."""
        letter = "P" if self.kind == "triangle" else "Q"
        return f"{letter}{self.degree}{' mean' if self.mean else ''}"

    def run(self, case: str, cells: int) -> tuple[Solution, float]:
        """The solution on a mesh, and the seconds it took."""
        posed = problem(case, self.kind, cells)
        dilatation = "mean" if self.mean else "exact"
        begin = time.perf_counter()
        found = solve(posed, FiniteElementField.for_problem(posed, self.degree, dilatation=dilatation))
        return found, time.perf_counter() - begin


P1, P2, Q1, Q2 = Method(1), Method(2), Method(1, "quad"), Method(2, "quad")
MEAN = (Method(2, mean=True), Method(1, "quad", mean=True), Method(2, "quad", mean=True))
LADDER = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)
"""Cells along a side, from which the smallest that suffice are taken."""

FINEST = 64

NETWORKS = ((4,), (6,), (4, 4), (6, 6), (8, 8), (12, 12))
"""Hidden layers, from which the smallest that suffice are taken."""


def deflection(run: Solution) -> float:
    """The vertical displacement of the middle of the loaded edge."""
    return float(run.probe(torch.tensor([TIP], dtype=torch.float64))[0, 0, 1])


def field_rows(case: str, method: str, run: Solution, seconds: float, target: float) -> list[Row]:
    """The rows of a solution on any representation, so that every method is measured in one way."""
    value = deflection(run)
    figures = {
        "dofs": (float(run.representation.num_dofs), ""),
        "seconds": (seconds, "s"),
        "deflection": (value, ""),
        "rel_error": (abs(value / target - 1), ""),
    }
    return [Row(case, method, name, *pair) for name, pair in figures.items()]


def measured(case: str, method: Method, cells: int, target: float) -> list[Row]:
    """The rows of finite elements on one mesh."""
    return field_rows(case, f"{method.name}, {cells} × {cells}", *method.run(case, cells), target)


def enough(method: Method, share: float = 0.01) -> list[Row]:
    """The rows of the smallest mesh on which the error is at most that share."""
    for cells in LADDER:
        found = measured(ENOUGH, method, cells, PUBLISHED)
        if next(row.value for row in found if row.metric == "rel_error") <= share:
            return found
    raise RuntimeError(f"{method.name} is not within {share:.0%} on {LADDER[-1]} × {LADDER[-1]} cells.")


def neural(case: str, hidden: tuple[int, ...], target: float, seeds: Sequence[int] = SEEDS) -> list[Row]:
    """The rows of a neural field."""

    def rows_of(method: str, run: Solution, seconds: float) -> list[Row]:
        return field_rows(case, method, run, seconds, target)

    return neural_rows(problem(case, "triangle", 16), rows_of, hidden, "rel_error", seeds)


def enough_weights(share: float = 0.01) -> list[Row]:
    """The rows of the smallest network that suffices."""
    for hidden in NETWORKS:
        found = neural(ENOUGH, hidden, PUBLISHED)
        if value_of(found, "rel_error") <= share:
            return found
    raise RuntimeError(f"a neural field {NETWORKS[-1]} is not within {share:.0%}.")


def locking_rows(sizes: tuple[int, ...], networks: tuple[tuple[int, ...], ...], finest: int) -> Iterator[Row]:
    """Plain elements, means of the volume and networks, against the converged value of the mean."""
    converged, seconds = MEAN[-1].run(LOCKING, finest)
    target = deflection(converged)
    yield from field_rows(LOCKING, f"{MEAN[-1].name}, {finest} × {finest} (converged)", converged, seconds, target)
    for method in (P1, P2, Q1, Q2, *MEAN):
        for cells in sizes:
            yield from measured(LOCKING, method, cells, target)
    for hidden in networks:
        yield from neural(LOCKING, hidden, target)


def rows(quick: bool = False) -> Iterator[Row]:
    """Deflection, size and time of every method.

    Args:
        quick: few elements.

    Yields:
        rows ``dofs``, ``seconds``, ``deflection``, ``rel_error`` (against the published or converged value).
    """
    with one_thread():
        P1.run(STRESS, 2), MEAN[0].run(LOCKING, 2)  # imports are nobody's time
        for method in (P1, P2, Q1, Q2):
            for cells in (8,) if quick else (16, 32, 64):
                yield from measured(STRESS, method, cells, PUBLISHED)
        yield from neural(STRESS, (4,), PUBLISHED, SEEDS[:1]) if quick else neural(STRESS, (16, 16), PUBLISHED)
        for method in (P2,) if quick else (P1, P2):
            yield from enough(method)
        yield from [] if quick else enough_weights()
        yield from locking_rows((8,), (), 16) if quick else locking_rows((8, 16, 32), ((16, 16),), FINEST)
