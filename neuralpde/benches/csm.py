"""Turek and Hron's structural benchmark: an elastic beam behind a rigid cylinder bends under its weight.

The beam is 0.02 thick, from the circle of radius 0.05 about (0.2, 0.2), on whose arc it is clamped, to x = 0.6; St.
Venant–Kirchhoff, plane strain, ρ = 1000, ν = 0.4, gravity 2 downwards. The figure is the displacement of the end
(0.6, 0.2).

- ``CSM1``, μ = 0.5e6: (−7.187, −66.10)e-3. Bar of P2: 0.5 %.
- ``CSM2``, μ = 2e6: (−0.469, −16.97)e-3. The same bar.
- ``CSM3``, μ = 0.5e6, in motion from rest: mean ± amplitude −14.305 ± 14.305 and −63.607 ± 65.160 (e-3) at 1.0995 Hz,
  Newmark's method with two time steps. Bar of P2: 3 % of each.
- ``neural``: a neural field, the worst of three seeds. Bar on CSM1: 2 %.

``rel_error`` is that of the displacement as a vector, |u − ū| / |ū|, ``rel_error_x`` and ``rel_error_y`` those of its
components. Elements are curved at the arc. ``iterations`` are Newton's.

Source: Turek & Hron, Proposal for numerical benchmarking of fluid–structure interaction (2006), section 4.2.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from neuralpde.benches._mapped_meshes import Places, mapped_mesh
from neuralpde.benches._marching import SEEDS, one_thread
from neuralpde.benches._moving_beam import motion_rows
from neuralpde.benches._neural_elasticity import FIT, neural_rows
from neuralpde.benches._rows import Row
from neuralpde.geometry import Dirichlet, Flux, MeshDomain
from neuralpde.optimize import NaturalGradient
from neuralpde.problems import Elasticity, SaintVenantKirchhoff
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import Solution, solve

DENSITY, POISSON_RATIO, GRAVITY = 1000.0, 0.4, (0.0, -2.0)
SHEAR_MODULUS = {"CSM1": 0.5e6, "CSM2": 2e6, "CSM3": 0.5e6}
PUBLISHED = {"CSM1": (-7.187e-3, -66.10e-3), "CSM2": (-0.469e-3, -16.97e-3)}
END = (0.6, 0.2)
CENTRE, RADIUS, THICKNESS = (0.2, 0.2), 0.05, 0.02


def strip(x: Places) -> Places:
    """The unit square as the beam, from the arc to its end."""
    y = CENTRE[1] + THICKNESS * (x[:, 1] - 0.5)
    start = CENTRE[0] + np.sqrt(RADIUS**2 - (y - CENTRE[1]) ** 2)
    return np.stack([start + (END[0] - start) * x[:, 0], y], axis=1)


def beam(case: str, kind: str, cells: tuple[int, int]) -> Elasticity:
    """The beam of a case on elements of a kind, so many cells along and across it; CSM3 is the one that moves."""
    mesh = mapped_mesh(kind, cells, strip, {"x-": "arc", "x+": "end", "y-": "bottom", "y+": "top"})
    shear = SHEAR_MODULUS[case]
    return Elasticity(
        SaintVenantKirchhoff(young=2 * shear * (1 + POISSON_RATIO), poisson_ratio=POISSON_RATIO),
        density=DENSITY,
        gravity=GRAVITY,
        steady=case != "CSM3",
        domain=MeshDomain(mesh),
        conditions=(Dirichlet(0.0, "arc"), Flux(0.0)),
    )


@dataclass(frozen=True)
class Method:
    """Elements of a degree on so many cells along and across the beam."""

    name: str
    kind: str
    degree: int
    cells: tuple[int, int]

    @property
    def title(self) -> str:
        """What tables call it."""
        return f"{self.name}, {self.cells[0]} × {self.cells[1]}"


METHODS = (
    Method("P1", "triangle", 1, (70, 4)),
    Method("P1", "triangle", 1, (280, 16)),
    Method("P2", "triangle6", 2, (35, 2)),
    Method("P2", "triangle6", 2, (70, 4)),
    Method("P2", "triangle6", 2, (140, 8)),
    Method("Q2", "quad9", 2, (35, 2)),
    Method("Q2", "quad9", 2, (70, 4)),
)
QUICK = (Method("P1", "triangle", 1, (35, 2)), Method("P2", "triangle6", 2, (35, 2)))


def field_rows(case: str, method: str, run: Solution, seconds: float) -> list[Row]:
    """The rows of a solution on any representation, so that every method is measured in one way."""
    u = run.probe(torch.tensor([END], dtype=torch.float64))[0, 0, :2].tolist()
    known = PUBLISHED[case]
    figures = {
        "dofs": (float(run.representation.num_dofs), ""),
        "seconds": (seconds, "s"),
        "iterations": (float(run.infos[0].iterations), ""),
        "displacement_x": (u[0], "m"),
        "displacement_y": (u[1], "m"),
        "rel_error_x": (abs(u[0] / known[0] - 1), ""),
        "rel_error_y": (abs(u[1] / known[1] - 1), ""),
        "rel_error": (math.dist(u, known) / math.hypot(*known), ""),
    }
    return [Row(case, method, name, *pair) for name, pair in figures.items()]


def measured(case: str, method: Method) -> list[Row]:
    """The rows of finite elements on one case."""
    problem = beam(case, method.kind, method.cells)
    begin = time.perf_counter()
    run = solve(problem, FiniteElementField.for_problem(problem, method.degree))
    return field_rows(case, method.title, run, time.perf_counter() - begin)


def neural(case: str, hidden: tuple[int, ...], seeds: Sequence[int] = SEEDS, fit: NaturalGradient = FIT) -> list[Row]:
    """The rows of a neural field."""
    return neural_rows(beam(case, "triangle", (70, 4)), partial(field_rows, case), hidden, "rel_error", seeds, fit)


def rows(quick: bool = False) -> Iterator[Row]:
    """Displacement of the end, size and time of every method.

    Args:
        quick: few elements.

    Yields:
        rows ``dofs``, ``seconds``, ``iterations``, ``displacement_x``, ``displacement_y``, ``rel_error_x``,
        ``rel_error_y``, ``rel_error``.
    """
    with one_thread():
        measured("CSM1", QUICK[0])  # imports are nobody's time
        for case, method in itertools.product(PUBLISHED, QUICK if quick else METHODS):
            yield from measured(case, method)
        for method in QUICK[1:] if quick else METHODS[2:4]:
            yield from motion_rows(beam("CSM3", method.kind, method.cells), END, method.degree, method.title, quick)
        if quick:
            yield from neural("CSM1", (6, 6), SEEDS[:1], replace(FIT, maxiter=10))
            return
        for case in PUBLISHED:
            yield from neural(case, (12, 12))
