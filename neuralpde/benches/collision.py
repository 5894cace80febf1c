"""A square is pushed on a disc, and a cantilever swings: bodies in motion on elements and on neural fields.

``collision`` is that of INSR (Chen et al., ICML 2023): the square [0, 2]² of Ψ = 20 Σ (σ − 1)² + 1000 (det F − 1)² and
density 20 lies 0.01 above a disc of radius 1, is pushed down by 200 N/m³ in the first two of 20 steps of 0.1 s of
implicit Euler, is squeezed until t = 1 and springs back. Other than there a barrier of distance 0.02 keeps the square
outside of the disc.

- ``rms_error_t`` is √ mean |u − ū|² over 2,000 fixed random points at time t (at 0.1 s the square has just met the
  disc), ū that of P2 on a fine mesh with the same steps. Row ``reference``: what a coarser mesh is off; ``dt 0.05``:
  what the steps leave.
- ``least_distance`` from the disc of 2,000 points all along the boundary, over all steps: negative where they are
  inside.
- ``energy_lost``: the share of the kinetic and stored energy at the end of the push that implicit Euler takes from then
  on.
- ``reached``: the time that the run came to; errors after that are infinite.

``vibration``: a clamped beam, ten times as long as high, is let go in the first mode of Euler and Bernoulli's beam, and
swings with Newmark's method, 30 steps a period.

- ``period`` is that between two peaks of its end; ``rel_error`` is that against P2 on the finest mesh,
  ``rel_error_beam`` against the beam's. ``amplitude`` is that of the higher peak over the start's.
- ``energy_drift``: the largest change of the energy, which Newmark's method keeps.

``neural``: one seed, as every step is a fit of seconds. ``dofs`` are those of the displacement and of the velocity,
which is kept on quadratic elements.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from neuralpde.benches import _free_vibration as vibration
from neuralpde.benches._mapped_meshes import Places, mapped_mesh
from neuralpde.benches._marching import SEEDS, one_thread
from neuralpde.benches._rows import Row
from neuralpde.geometry import Disc, Flux, MeshDomain
from neuralpde.integrators import ImplicitEuler
from neuralpde.problems import ARAP, Contact, Elasticity
from neuralpde.representations import FiniteElementField, NeuralField, Representation
from neuralpde.simulate import Solution, simulate
from neuralpde.types import raise_for

COLLISION, VIBRATION = "collision", "vibration"
SIDE, HEIGHT = 2.0, 0.01
DISC = Disc((1.0, -1.0), 1.0)
PUSH, PUSHED = 200.0, 0.2
DT, T_END = 0.1, 2.0
TIMES = (0.1, 0.5, 1.0, 2.0)
POINTS = 2_000
NEURAL_CELLS = 8
"""Cells along a side of the mesh on which a field's energy is summed."""


def square(x: Places) -> Places:
    """The unit square as the body."""
    return SIDE * x


def push(t: float, x: Tensor) -> Tensor:
    """The force per volume ``(n, 2)``; implicit Euler takes it at the ends of its steps."""
    return torch.stack([torch.zeros_like(x[:, 0]), torch.full_like(x[:, 0], -PUSH * (t <= PUSHED + 1e-9))], dim=1)


def body(cells: int) -> Elasticity:
    """The square on triangles, so many cells along each side."""
    return Elasticity(
        ARAP(20.0, 1000.0),
        density=20.0,
        body_force=push,
        steady=False,
        start=(0.0, HEIGHT),
        domain=MeshDomain(mapped_mesh("triangle", (cells, cells), square)),
        conditions=(Flux(0.0),),
        contact=(Contact(DISC, distance=0.02),),
    )


def inner_places() -> Tensor:
    """Where errors are looked at, ``(n, 2)``."""
    return SIDE * torch.rand(POINTS, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def outer_places() -> Tensor:
    """Points along the boundary, ``(n, 2)``."""
    s = torch.linspace(0.0, SIDE, POINTS // 4 + 1, dtype=torch.float64)[:-1]
    zero, far = torch.zeros_like(s), torch.full_like(s, SIDE)
    sides = ((s, zero), (far, s), (SIDE - s, far), (zero, SIDE - s))
    return torch.cat([torch.stack(side, dim=1) for side in sides])


def elements(cells: int, degree: int, dilatation: Literal["exact", "mean"] = "exact", dt: float = DT) -> Run:
    """Finite elements on one mesh."""
    begin, problem = time.perf_counter(), body(cells)
    return marched(problem, FiniteElementField.for_problem(problem, degree, dilatation=dilatation), begin, dt)


def network(hidden: tuple[int, ...], seed: int) -> Run:
    """A neural field."""
    begin, problem = time.perf_counter(), body(NEURAL_CELLS)
    r = NeuralField.for_problem(problem, hidden=hidden, seed=seed)
    return marched(problem, r, begin)


@dataclass(frozen=True)
class Run:
    """A run and the seconds that it took."""

    solution: Solution
    seconds: float

    def values(self) -> Tensor:
        """Displacements of the points inside at the times looked at, ``(k, n, 2)``; infinite after the run's end."""
        x, out = inner_places(), torch.full((len(TIMES), POINTS, 2), math.inf, dtype=torch.float64)
        for k, t in enumerate(TIMES):
            if self.solution.spans(t):
                out[k] = self.solution.at(t)(x)[:, :2]
        return out

    def least_distance(self) -> float:
        """Of the points along the boundary from the disc, over all saved times."""
        x = outer_places()
        moved = (x + self.solution.at(t)(x)[:, :2] for t in self.solution.times.tolist())
        return min(float(DISC.distance(places).min()) for places in moved)

    def energy_lost(self) -> float:
        """The share that was lost after the push, when nothing does work any more; NaN of a run that did not end."""
        energies = self.solution.energies
        if energies is None or not self.solution.status.ok:
            return math.nan
        held = energies.total - energies.parts["external"]
        return 1 - float(held[-1] / held[int((energies.times - PUSHED).abs().argmin())])

    def figures(self, known: Tensor) -> dict[str, tuple[float, str]]:
        """All of them by name, with their units; known are the reference's values."""
        errors = (self.values() - known).square().sum(2).mean(1).sqrt().tolist()
        return {
            "dofs": (float(self.solution.representation.num_dofs), ""),
            "seconds": (self.seconds, "s"),
            "iterations": (float(sum(info.iterations for info in self.solution.infos)), ""),
            "reached": (float(self.solution.times[-1]), "s"),
            **{f"rms_error_{t:g}": (error, "m") for t, error in zip(TIMES, errors, strict=True)},
            "least_distance": (self.least_distance(), "m"),
            "energy_lost": (self.energy_lost(), ""),
        }


def marched(problem: Elasticity, r: Representation, begin: float, dt: float = DT) -> Run:
    """The body's motion on any representation."""
    run = simulate(problem, r, ImplicitEuler(), dt=dt, t_end=T_END, raise_on_failure=False)
    return Run(run, time.perf_counter() - begin)


def rows_of(method: str, runs: Sequence[Run], known: Tensor) -> list[Row]:
    """The rows of a method on any representation, so that every one is measured in one way."""
    found = [run.figures(known) for run in runs]
    return [
        Row(COLLISION, method, name, _of_seeds(name, [f[name][0] for f in found]), unit)
        for name, (_, unit) in found[0].items()
    ]


def _of_seeds(name: str, values: Sequence[float]) -> float:
    """The median of costs, the worst of all others."""
    if name in ("dofs", "seconds", "iterations"):
        return float(statistics.median(values))
    worst = min if name in ("reached", "least_distance") else max
    return math.nan if any(map(math.isnan, values)) else worst(values)


def collision_rows(quick: bool) -> Iterator[Row]:
    """Every method beside the reference."""
    fine, coarser = (6, 5) if quick else (20, 12)
    reference = elements(fine, 2)
    raise_for(reference.solution.status, f"the reference of the collision, P2 on {fine} × {fine} cells")
    known = reference.values()
    yield from rows_of(f"reference, {coarser} × {coarser}", [elements(coarser, 2)], known)
    for cells in (6,) if quick else (12, 24, 48):
        yield from rows_of(f"P1, {cells} × {cells}", [elements(cells, 1)], known)
    for cells in (3,) if quick else (6,):
        yield from rows_of(f"P2, {cells} × {cells}", [elements(cells, 2)], known)
    if not quick:
        yield from rows_of("P2 mean, 12 × 12", [elements(12, 2, "mean")], known)
        yield from rows_of("P2, 12 × 12, dt 0.05", [elements(12, 2, dt=0.5 * DT)], known)
        yield from rows_of("neural 12-12 (one seed)", [network((12, 12), SEEDS[0])], known)


def vibration_rows(quick: bool) -> Iterator[Row]:
    """Every method beside the finest mesh and Euler and Bernoulli's beam."""
    known = swung((20, 2) if quick else (80, 8), 2, quick)
    yield from swing_rows("P2, 20 × 2 (finest)" if quick else "P2, 80 × 8 (finest)", [known], known.period)
    for cells in ((10, 1),) if quick else ((20, 2), (40, 4), (80, 8)):
        yield from swing_rows(f"P1, {cells[0]} × {cells[1]}", [swung(cells, 1, quick)], known.period)
    for cells in ((10, 1),) if quick else ((10, 1), (20, 2)):
        yield from swing_rows(f"P2, {cells[0]} × {cells[1]}", [swung(cells, 2, quick)], known.period)
    if not quick:
        yield from swing_rows("neural 6-6 (one seed)", [neural_swing((6, 6), SEEDS[0])], known.period)


def swung(cells: tuple[int, int], degree: int, quick: bool) -> vibration.Swing:
    """Finite elements on one mesh."""
    begin, problem = time.perf_counter(), vibration.cantilever(cells)
    return vibration.swing(problem, FiniteElementField.for_problem(problem, degree), begin, quick)


def neural_swing(hidden: tuple[int, ...], seed: int) -> vibration.Swing:
    """A neural field."""
    begin, problem = time.perf_counter(), vibration.cantilever((20, 2))
    r = NeuralField.for_problem(problem, hidden=hidden, seed=seed)
    return vibration.swing(problem, r, begin)


def swing_rows(method: str, swings: Sequence[vibration.Swing], known: float) -> list[Row]:
    """The rows of a method, known the period of the finest mesh."""
    worst = max(swings, key=lambda s: math.inf if math.isnan(s.period) else abs(s.period - known))
    figures = {
        "dofs": (float(worst.dofs), ""),
        "seconds": (statistics.median(s.seconds for s in swings), "s"),
        "period": (worst.period, "s"),
        "rel_error": (abs(worst.period / known - 1), ""),
        "rel_error_beam": (abs(worst.period / vibration.PERIOD - 1), ""),
        "amplitude": (worst.amplitude, ""),
        "energy_drift": (_of_seeds("energy_drift", [s.energy_drift for s in swings]), ""),
    }
    return [Row(VIBRATION, method, name, *pair) for name, pair in figures.items()]


def rows(quick: bool = False) -> Iterator[Row]:
    """Size, time and errors of every method in both motions.

    Args:
        quick: few elements, and no networks.

    Yields:
        rows ``dofs``, ``seconds``, ``iterations``, ``reached``, ``rms_error_0.1`` … ``rms_error_2``,
        ``least_distance``, ``energy_lost``; ``period``, ``rel_error``, ``rel_error_beam``, ``amplitude``,
        ``energy_drift``.
    """
    with one_thread():
        swung((2, 1), 1, quick=True), elements(2, 1)  # imports are nobody's time
        yield from collision_rows(quick)
        yield from vibration_rows(quick)
