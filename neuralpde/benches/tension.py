"""A soft square is pulled to twice its length: the tension of INSR (Chen et al., ICML 2023).

The square [−1, 1]² of Ψ = Σ (σ − 1)² + 1000 (det F − 1)² is held at both ends, both components, and the right end moves
by 2. The material hardly changes its volume, by which elements of degree 1 lock, and strains are infinite at the four
corners where held and free sides meet.

- ``rms_error`` is √ mean |u − ū|² over 10,000 fixed random points, ū that of P2 on a mesh that is graded towards the
  sides. Row ``reference``: what a coarser mesh of this kind is off. Bar: at most 2e-3.
- ``neural``: worst of three seeds. Bar: at most 2e-2 with at most 2,500 numbers in at most 60 s. ``boundary data
  alone`` is the error of what the field holds before it is fitted.
- ``P1``, ``P2`` and ``P2 graded`` have at most as many unknowns as the field has weights; ``P2 mean`` takes the mean
  of the volume.

Published, in figures alike: INSR 8.8e-2 with 14,418 weights in 38 min on a GPU, its finite elements 0.199.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from neuralpde.benches._mapped_meshes import Places, mapped_mesh
from neuralpde.benches._marching import SEEDS, one_thread
from neuralpde.benches._neural_elasticity import FIT, neural_rows
from neuralpde.benches._rows import Row
from neuralpde.dynamics import LoadSteps, Newton
from neuralpde.geometry import Dirichlet, Flux, MeshDomain
from neuralpde.problems import ARAP, Elasticity
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import Solution, solve

CASE, STRETCH = "tension", 2.0
HIDDEN = (14, 14, 14)
POINTS = 10_000

EVEN, GRADED = 1.0, 2.0
"""Powers by which nodes crowd at the sides."""

FINE, COARSER = 32, 22
"""Cells along a side of the reference, and of the mesh that it is compared with."""


def square(power: float, x: Places) -> Places:
    """The unit square as [−1, 1]², nodes at distances from the sides that grow with a power."""
    s = 2 * x - 1
    return np.sign(s) * (1 - (1 - np.abs(s)) ** power)


def problem(cells: int, power: float = EVEN) -> Elasticity:
    """The square on triangles, so many cells along each side."""
    mesh = mapped_mesh("triangle", (cells, cells), partial(square, power), {"x-": "held", "x+": "pulled"})
    return Elasticity(
        ARAP(1.0, 1000.0),
        domain=MeshDomain(mesh),
        conditions=(Dirichlet(0.0, "held"), Dirichlet((STRETCH, 0.0), "pulled"), Flux(0.0)),
    )


def places() -> Tensor:
    """The points at which errors are looked at, ``(n, 2)``."""
    return 2 * torch.rand(POINTS, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 1


def elements(
    cells: int, power: float, degree: int, dilatation: Literal["exact", "mean"] = "exact"
) -> tuple[Solution, float]:
    """Finite elements on one mesh, and the seconds that they took."""
    posed = problem(cells, power)
    begin = time.perf_counter()
    r = FiniteElementField.for_problem(posed, degree, dilatation=dilatation)
    # in longer steps elements at the corners of the finest mesh end folded, in a minimum that is 0.4 % higher
    guess, steps = None, LoadSteps(first=0.1, growth=1.25)
    if degree == 1:  # loads in steps fold P1; from an even stretch it comes down, slowly
        x = r.nodes
        stretched = torch.stack([0.5 * STRETCH * (1 + x[:, 0]), -0.5 * x[:, 1] * (1 - x[:, 0] ** 2)], dim=1)
        guess, steps = r.free_part(stretched), LoadSteps(smallest=1.0)
    run = solve(posed, r, guess=guess, method="potential", newton=Newton(maxiter=3000), load_steps=steps)
    return run, time.perf_counter() - begin


def rms(u: Tensor, known: Tensor) -> float:
    """√ mean |u − ū|² of values ``(n, 2)``."""
    return float((u - known).square().sum(1).mean().sqrt())


def field_rows(known: Tensor, method: str, run: Solution, seconds: float) -> list[Row]:
    """The rows of a solution on any representation, so that every method is measured in one way."""
    figures = {
        "dofs": (float(run.representation.num_dofs), ""),
        "seconds": (seconds, "s"),
        "iterations": (float(run.infos[0].iterations), ""),
        "rms_error": (rms(run.at(0.0)(places()), known), ""),
    }
    return [Row(CASE, method, name, *pair) for name, pair in figures.items()]


def largest(degree: int, dofs: int) -> int:
    """Cells along a side of the largest mesh with at most so many unknowns."""
    # of degree · cells + 1 nodes along the sides two are held
    return max(n for n in range(1, 100) if 2 * (degree * n - 1) * (degree * n + 1) <= dofs)


def compared(known: Tensor, dofs: int) -> Iterator[Row]:
    """Finite elements with as many unknowns."""
    p1, p2 = largest(1, dofs), largest(2, dofs)
    yield from field_rows(known, f"P1, {p1} × {p1}", *elements(p1, EVEN, 1))
    yield from field_rows(known, f"P2, {p2} × {p2}", *elements(p2, EVEN, 2))
    yield from field_rows(known, f"P2 graded, {p2} × {p2}", *elements(p2, GRADED, 2))
    yield from field_rows(known, f"P2 mean, {p2} × {p2}", *elements(p2, EVEN, 2, dilatation="mean"))


def neural(known: Tensor, hidden: tuple[int, ...], seeds: Sequence[int], cells: int, maxiter: int) -> list[Row]:
    """The neural field, and what it holds before it is fitted."""
    # a best output layer at every step costs as much here as it gains
    posed, fit = problem(cells, 1.5), replace(FIT, maxiter=maxiter, settle=False)
    out = neural_rows(posed, partial(field_rows, known), hidden, "rms_error", seeds, fit)
    x = places()
    alone = torch.stack([0.5 * STRETCH * (1 + x[:, 0]), torch.zeros(len(x), dtype=x.dtype)], dim=1)
    return [*out, Row(CASE, "boundary data alone", "rms_error", rms(alone, known))]


def rows(quick: bool = False) -> Iterator[Row]:
    """Size, time and error of every method.

    Args:
        quick: a coarse reference, one seed and a small network.

    Yields:
        rows ``dofs``, ``seconds``, ``iterations``, ``rms_error``.
    """
    with one_thread():
        elements(4, EVEN, 2)  # imports are nobody's time
        fine, coarser = (10, 7) if quick else (FINE, COARSER)
        x, hidden = places(), (8, 8) if quick else HIDDEN
        known = elements(fine, GRADED, 2)[0].at(0.0)(x)
        yield from field_rows(known, f"reference, {coarser} × {coarser}", *elements(coarser, GRADED, 2))
        found = neural(known, hidden, SEEDS[:1] if quick else SEEDS, 6 if quick else 16, 15 if quick else 160)
        yield from found
        dofs = int(next(row.value for row in found if row.metric == "dofs"))
        yield from compared(known, dofs)
