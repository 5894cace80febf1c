"""The flow past a cylinder: drag, pressure drop and shedding frequency against the benchmark of Schäfer and Turek.

Cases ``2D-1`` (Re 20, steady) and ``2D-2`` (Re 100, vortex street); each on a sequence of staggered grids with as many
cells across the channel as the method says, cut cells around the cylinder, IncrementalPressureCorrection with
U dt/h = 1/3. The first grid starts from the inflow's parabola, each finer one from the flow before, interpolated.

Against published values (``rel_error_…``; of an interval its middle):

- 2D-1: c_D 5.5795 and Δp 0.11752 (bars: 0.02), c_L 0.0106, which is a five-hundredth of the drag. ``drift`` is the
  change of c_D over the last tenth of the run.
- 2D-2: largest c_D 3.22–3.24 (bar: 0.04), Strouhal 0.295–0.305 (bar: 0.03 of 0.3), largest c_L 0.99–1.01, and Δp
  2.46–2.50 half a period after the largest c_L; all over the last whole periods of the run. ``lift_growth`` is by how
  much more c_L swings in the last of these periods than in the first: a transient still grows.

``seconds`` are those of all grids up to this one, ``max_divergence`` is that of the last state. One thread.

Source: Schäfer & Turek, Benchmark computations of laminar flow around a cylinder, Notes Numer. Fluid Mech. 52 (1996).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from neuralpde.benches._marching import one_thread
from neuralpde.benches._rows import Row
from neuralpde.dynamics import ForceRecord, make_dynamics
from neuralpde.integrators import IncrementalPressureCorrection, State
from neuralpde.problems import CylinderChannel, drag_and_lift, street_figures
from neuralpde.representations import MacGrid
from neuralpde.simulate import simulate

Columns = dict[str, np.ndarray]
COURANT = 1 / 3
"""U dt/h with the largest inflow velocity U; beside the cylinder the fluid is up to 1.5 times as fast."""
SAMPLES = 4
"""Steps between two samples of the forces."""


@dataclass(frozen=True)
class Level:
    """One grid of a sequence.

    Args:
        cells: across the channel.
        time: how long to march, seconds.
    """

    cells: int
    time: float


STEADY = (Level(32, 10.0), Level(64, 3.0), Level(128, 2.0))
STREET = (Level(48, 5.0), Level(96, 2.0), Level(128, 2.0))
QUICK_STEADY = (Level(12, 3.0), Level(24, 2.0))
QUICK_STREET = (Level(24, 6.0),)
PUBLISHED = {
    "2D-1": {"drag": 5.5795, "pressure_drop": 0.11752},
    "2D-2": {"drag_max": 3.23, "lift_max": 1.0, "strouhal": 0.3, "pressure_drop": 2.48},
}


@dataclass(frozen=True)
class Run:
    """The flow on one grid.

    Args:
        grid: where it is kept.
        theta: the last state.
        table: coefficients ``drag`` and ``lift`` and ``pressure_drop`` by ``t``.
        seconds: wall time, coarser grids included.
        steps: on this grid.
        divergence: the last state's largest.
    """

    grid: MacGrid
    theta: Tensor
    table: Columns
    seconds: float
    steps: int
    divergence: float


def march(flow: CylinderChannel, levels: tuple[Level, ...]) -> Iterator[Run]:
    """The flow on one grid after the other."""
    before: Run | None = None
    for level in levels:
        length, height = flow.domain.lengths
        grid = MacGrid.for_problem(flow, (round(level.cells * length / height), level.cells))
        dynamics = make_dynamics(flow, grid)
        start = None if before is None else _interpolated(before, grid, dynamics.constrain)
        front, back = flow.front_and_back
        record = ForceRecord(probes={"front": front, "back": back}, every=SAMPLES)
        solution = simulate(
            flow,
            grid,
            IncrementalPressureCorrection(),
            dt=COURANT * min(grid.spacing) / flow.speed,
            t_end=level.time,
            save_every=10**9,
            restart=start,
            progress=record,
        )
        theta, seconds = solution.last.theta, solution.seconds + (before.seconds if before else 0.0)
        divergence = float(grid.divergence(dynamics.faces(theta, level.time)).abs().max())
        before = Run(grid, theta, drag_and_lift(flow, record.columns()), seconds, len(solution.infos), divergence)
        yield before


def _interpolated(before: Run, grid: MacGrid, constrain: Callable[[State, float], object]) -> State:
    theta = grid.project(before.grid.at(before.theta)).theta
    projected = constrain(State(0.0, theta), 0.0)
    return State(0.0, projected.theta)  # type: ignore[attr-defined]


def steady_figures(table: Columns) -> dict[str, float]:
    """The last values, and how much c_D still moved."""
    drag, t = table["drag"], table["t"]
    late = drag[t >= t[-1] - 0.1 * (t[-1] - t[0])]
    figures = {name: float(table[name][-1]) for name in ("drag", "pressure_drop", "lift")}
    return {**figures, "drift": float((late.max() - late.min()) / late[-1])}


def _rows(case: str, run: Run, figures: dict[str, float]) -> list[Row]:
    out = []
    for metric, value in figures.items():
        out.append(Row(case, f"mac {run.grid.cells[1]}", metric, value))
        if metric in PUBLISHED[case]:
            error = abs(value / PUBLISHED[case][metric] - 1)
            out.append(Row(case, f"mac {run.grid.cells[1]}", f"rel_error_{metric}", error))
    costs = {
        "dofs": (float(run.grid.num_dofs), ""),
        "memory_bytes": (float(run.grid.memory_bytes()), "B"),
        "steps": (float(run.steps), ""),
        "seconds": (run.seconds, "s"),
        "max_divergence": (run.divergence, "1/s"),
    }
    return [*out, *[Row(case, f"mac {run.grid.cells[1]}", name, *cost) for name, cost in costs.items()]]


def rows(quick: bool = False) -> Iterator[Row]:
    """All figures; ``quick`` takes coarse grids and some ten seconds.

    Its street has six cells across the cylinder: periodic (see ``lift_growth``), but with a mean lift of −0.9, where
    that of the flow is about 0: the largest lift says nothing there and is left out.
    """
    steady, street = CylinderChannel(speed=0.3), CylinderChannel(speed=1.5)
    with one_thread():
        for run in march(steady, QUICK_STEADY if quick else STEADY):
            yield from _rows("2D-1", run, steady_figures(run.table))
        for run in march(street, QUICK_STREET if quick else STREET):
            figures = street_figures(street, run.table)
            if quick:
                figures.pop("lift_max", None)
            yield from _rows("2D-2", run, figures)
