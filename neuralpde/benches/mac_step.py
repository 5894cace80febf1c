"""One step of incompressible flow on a staggered grid: what advection, diffusion and pressure cost, cell by cell.

A step is one of IncrementalPressureCorrection with its history: advection, one right-hand side and one solve of the
diffusion per component, one projection. A stage is one of a Runge–Kutta method: a slope and a projection. A step of
AdvectionReflection is two semi-Lagrangian advections, two diffusions and two projections; it may be many times as long
as the others. Float64, one thread, periodic boxes, a lid-driven cavity and a wind around a disc or a ball, whose cells
are cut: there ``setup_seconds`` are those of the operators, multigrid and factors. Beside a step's time stands its
ratio to the least that memory needs: it must read u, p and two earlier slopes and write u, p and a slope, 8 (5d + 2)
bytes a cell, at the bandwidth of a large copy measured in the same run. The growth of the time is the exponent of the
number of cells, 1 being linear.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from neuralpde.benches._marching import one_thread
from neuralpde.benches._rows import Row
from neuralpde.dynamics import MacDynamics
from neuralpde.geometry import Box, Dirichlet, Disc, FreeSlip, Outflow
from neuralpde.integrators import AdvectionReflection, Blend, IncrementalPressureCorrection, State
from neuralpde.problems import IncompressibleFlow, LidDrivenCavity, NavierStokes
from neuralpde.representations import MacGrid

DT = 1e-3
STEP, STAGE, REFLECTION = "pressure correction", "Runge–Kutta stage", "advection–reflection"
COURANT = 2
"""Cells that the fastest fluid crosses in a step of advection–reflection."""
BATCH = 16


@dataclass(frozen=True)
class Setting:
    """A flow, how many cells along each axis it is tried with, and whether AdvectionReflection is tried too."""

    name: str
    make: Callable[[], IncompressibleFlow]
    sizes: tuple[int, ...]
    quick: tuple[int, ...]
    reflects: bool = True


def _swirl(x: Tensor) -> Tensor:
    """A velocity without divergence on the unit square or cube."""
    return torch.sin(2 * math.pi * x.roll(1, dims=1))


def _periodic(dim: int) -> NavierStokes:
    return NavierStokes(viscosity=1e-3, velocity=_swirl, domain=Box((0.0,) * dim, (1.0,) * dim))


def _wind(dim: int) -> NavierStokes:
    """Past a disc or a ball in a channel that is open at its end."""
    stream, centre = (1.0, 0.0, 0.0)[:dim], (0.4, 0.5, 0.5)[:dim]
    return NavierStokes(
        viscosity=1e-3,
        velocity=stream,
        domain=Box((0.0,) * dim, (1.0,) * dim),
        conditions=(Dirichlet(stream, "x-"), Outflow("x+"), FreeSlip()),
        solid=Disc(centre, 0.15),
    )


SETTINGS = (
    Setting("periodic 2D", lambda: _periodic(2), (64, 128, 256, 512), (16, 32)),
    Setting("cavity 2D", lambda: LidDrivenCavity(viscosity=1e-3), (64, 128, 256, 512), (16, 32)),
    Setting("periodic 3D", lambda: _periodic(3), (64, 96), (6, 8)),
    Setting("disc 2D", lambda: _wind(2), (128, 256, 512, 1024), (16, 32), reflects=False),
    Setting("ball 3D", lambda: _wind(3), (32, 64, 96), (10, 12), reflects=False),
)


def copy_bandwidth(mebibytes: int = 64, repeats: int = 7) -> float:
    """Bytes a second that a copy of a large array reads and writes, the best of a few."""
    source = torch.rand(mebibytes * 2**17, dtype=torch.float64)
    target = torch.empty_like(source)
    best = min(_seconds(lambda: target.copy_(source)) for _ in range(repeats))
    return 2 * source.numel() * 8 / best


def least_bytes(cells: int, dim: int) -> int:
    """Bytes that a step moves at least: u, p and two earlier slopes read, u, p and a slope written."""
    return 8 * (5 * dim + 2) * cells


def _seconds(function: Callable[[], object]) -> float:
    begin = time.perf_counter()
    function()
    return time.perf_counter() - begin


Parts = Callable[[MacDynamics, State], dict[str, Callable[[], object]]]


def _parts(dynamics: MacDynamics, state: State) -> dict[str, Callable[[], object]]:
    """The step, its parts as it calls them, and a stage."""
    integrator, theta, t = IncrementalPressureCorrection(), state.theta, state.t

    def advection() -> None:
        dynamics.slope(t, theta, "advection")

    def diffusion() -> None:
        dynamics.slope(t, theta, "diffusion")
        dynamics.implicit(state, (), 0.5 * DT, t + DT, None, "diffusion")

    def pressure() -> None:
        dynamics.slope(t, theta, "pressure")
        dynamics.constrain(State(t + DT, theta), DT, increment=True)

    return {
        "seconds": lambda: integrator.step(dynamics, state, DT),
        "advection_seconds": advection,
        "diffusion_seconds": diffusion,
        "pressure_seconds": pressure,
        "stage": lambda: dynamics.explicit(state, ((DT, dynamics.slope(t, theta)),), t + DT),
    }


def _reflection_parts(dynamics: MacDynamics, state: State) -> dict[str, Callable[[], object]]:
    """The step of AdvectionReflection, and its parts as it calls them."""
    integrator, t, (before, old) = AdvectionReflection(), state.t, state.history[0]
    u = state.theta[..., : dynamics.representation.velocity.num_dofs]
    dt = COURANT * min(dynamics.representation.spacing) / float(u.abs().max().clamp(min=1.0))
    half, earlier = 0.5 * dt, State(before, old)
    wind = Blend(t, ((1.5, state), (-0.5, earlier)))
    reflected = Blend(t, ((2.0, state), (-1.0, earlier)))

    def advection() -> None:
        dynamics.flow(0, state, half, None, wind)
        dynamics.flow(0, state, half, None, wind)

    def diffusion() -> None:
        dynamics.flow(1, state, half)
        dynamics.flow(1, reflected, half)

    def pressure() -> None:
        dynamics.constrain(state, half)
        dynamics.constrain(state, half)

    return {
        "seconds": lambda: integrator.step(dynamics, state, dt),
        "advection_seconds": advection,
        "diffusion_seconds": diffusion,
        "pressure_seconds": pressure,
    }


def _measure(
    problem: IncompressibleFlow, n: int, repeats: int, batch: int = 1, parts: Parts | None = None
) -> dict[str, float]:
    """Least seconds of each part: a busy machine only adds to them. Every round calls every part once."""
    grid = MacGrid.for_problem(problem, n)
    begin = time.perf_counter()
    dynamics = MacDynamics(problem, grid)
    setup = time.perf_counter() - begin
    theta = dynamics.constrain(State(0.0, grid.project(problem.initial).theta), 1.0).theta
    if batch > 1:
        theta = theta.repeat(batch, 1)
    state = State(0.0, theta)
    for _ in range(2):  # from then on a step remembers two earlier slopes
        state, _ = IncrementalPressureCorrection().step(dynamics, state, DT)
    calls = (parts or _parts)(dynamics, state)
    rounds = [{name: _seconds(call) for name, call in calls.items()} for _ in range(repeats + 1)][1:]
    found = {name: min(r[name] for r in rounds) for name in calls}
    return found if grid.cut is None else {**found, "setup_seconds": setup}


def growth(seconds: Mapping[int, float]) -> float:
    """Exponent a of seconds ∝ cells^a by least squares of the logarithms."""
    x, y = ([math.log(v) for v in values] for values in (seconds.keys(), seconds.values()))
    mean_x, mean_y = statistics.fmean(x), statistics.fmean(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)


def _rows_of(
    case: str, found: Mapping[str, float], cells: int, dim: int, bandwidth: float, method: str = STEP
) -> list[Row]:
    least = least_bytes(cells, dim) / bandwidth
    parts = [Row(case, method, name, value, "s") for name, value in found.items() if name.endswith("seconds")]
    step = [
        *parts,
        Row(case, method, "cells_per_second", cells / found["seconds"]),
        Row(case, method, "over_memory_time", found["seconds"] / least),
    ]
    if "stage" not in found:
        return step
    return [
        *step,
        Row(case, STAGE, "seconds", found["stage"], "s"),
        Row(case, STAGE, "cells_per_second", cells / found["stage"]),
    ]


def rows(quick: bool = False) -> Iterator[Row]:
    """Seconds of a step and of its parts, cells a second, time over the time of the least memory traffic, growth.

    Args:
        quick: tiny grids and few repeats.

    Yields:
        Rows of the cases ``"periodic 2D, 64 cells"`` and so on, of a batch of 16 flows on the smallest 2D grid
        (seconds and cells of all of them), and of each setting's ``growth`` (over all sizes, and over the last two).
    """
    with one_thread(), torch.no_grad():
        bandwidth = copy_bandwidth(16 if quick else 64)
        yield Row("memory", "copy", "bandwidth", bandwidth / 1e9, "GB/s")
        for setting in SETTINGS:
            problem = setting.make()
            dim, seconds = problem.domain.dim, dict[int, float]()
            for n in setting.quick if quick else setting.sizes:
                cells = n**dim
                repeats = 7 if quick else max(5, min(51, 4_000_000 // cells))
                found = _measure(problem, n, repeats)
                seconds[cells] = found["seconds"]
                case = f"{setting.name}, {n} cells"
                yield from _rows_of(case, found, cells, dim, bandwidth)
                if setting.reflects:
                    found = _measure(problem, n, max(2, min(21, 200_000 // cells)), parts=_reflection_parts)
                    yield from _rows_of(case, found, cells, dim, bandwidth, REFLECTION)
            yield Row(setting.name, STEP, "growth", growth(seconds))
            yield Row(setting.name, STEP, "growth_last", growth(dict(list(pairwise(seconds.items()))[-1])))
        setting = SETTINGS[0]
        n = (setting.quick if quick else setting.sizes)[0]
        found = _measure(setting.make(), n, 3 if quick else 21, BATCH)
        case = f"{setting.name}, {n} cells, {BATCH} flows at once"
        yield from _rows_of(case, found, BATCH * n**2, 2, bandwidth)
        found = _measure(setting.make(), n, 3 if quick else 5, BATCH, _reflection_parts)
        yield from _rows_of(case, found, BATCH * n**2, 2, bandwidth, REFLECTION)
