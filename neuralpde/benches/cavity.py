"""The lid-driven cavity: steady flows at Re 100, 400 and 1000 against published profiles.

Against Ghia, Ghia & Shin (1982), Tables I and II: ``deviation_u`` and ``deviation_v``, the largest |u − table| on
x = 1/2 and |v − table| on y = 1/2 in lid speeds (bar: 0.01), and ``points_beyond`` it. Their Re 400 entry at x = 0.9063
is a misprint and left out. Against Botella & Peyret (1998), Re 1000: ``spectral_u`` and ``spectral_v``, the same
largest differences from their spectral solution, and the relative errors of the three extrema (bar: 0.005).

At Re 1000 Ghia's v misses the spectral solution by up to 0.018 beside the right wall (x > 0.9), so that no converged
solution is within 0.01 of it there: ``points_beyond`` counts those points, and ``spectral_v`` tells who is right.

Methods:

- ``mac N²``: Newton's method on a staggered grid of N² cells, from rest by way of coarser grids.
- ``neural`` (Re 100; bar for it: 0.03): a stream function and a pressure that minimise the residual of the momentum
  equation, walls exact; each of three seeds. ``iterations`` are those of Levenberg–Marquardt.
- ``mac N²/M²``: both solutions extrapolated to spacing 0, (4 u_M − u_N)/3 (Richardson); costs both.

``seconds`` are those of ``solve`` from nothing, ``iterations`` its Newton steps on all grids together. ``memory_bytes``
is the state; the sparse LU takes about 0.4 GB at 256². One thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neuralpde.benches._cavity_tables import EXTREMA, REYNOLDS, botella, ghia
from neuralpde.benches._marching import SEEDS, one_thread
from neuralpde.benches._rows import Row
from neuralpde.optimize import GaussNewton
from neuralpde.problems import LidDrivenCavity
from neuralpde.representations import MacGrid, NeuralFlow
from neuralpde.simulate import Solution, solve

CELLS = (64, 128, 256)
QUICK = (32, 64)
NEURAL_REYNOLDS = 100
BEYOND = 0.01
"""What ``points_beyond`` counts from, in lid speeds."""


@dataclass(frozen=True)
class Run:
    """One method's flow, and what it cost.

    Args:
        flow: points ``(n, 2)`` → values, the velocity first.
        dofs, memory_bytes, seconds, iterations: of the solution.
    """

    flow: Callable[[Tensor], Tensor]
    dofs: int
    memory_bytes: int
    seconds: float
    iterations: int

    @classmethod
    def of(cls, solution: Solution) -> Run:
        """Figures of a solution at its last time."""
        field = solution.representation
        return cls(
            solution.at(float(solution.times[-1])),
            field.num_dofs,
            field.memory_bytes(),
            solution.seconds,
            sum(info.iterations for info in solution.infos),
        )

    @classmethod
    def extrapolated(cls, coarse: Run, fine: Run) -> Run:
        """Both to spacing 0; fine has half the spacing and both errors are of second order."""

        def flow(x: Tensor) -> Tensor:
            return (4 * fine.flow(x) - coarse.flow(x)) / 3

        return cls(
            flow,
            coarse.dofs + fine.dofs,
            coarse.memory_bytes + fine.memory_bytes,
            coarse.seconds + fine.seconds,
            coarse.iterations + fine.iterations,
        )


def profile(flow: Callable[[Tensor], Tensor], name: str, s: np.ndarray) -> np.ndarray:
    """``"u"`` at the points (1/2, s), or ``"v"`` at (s, 1/2); both ``(k,)``."""
    along = torch.as_tensor(s, dtype=torch.float64)
    half = torch.full_like(along, 0.5)
    x = torch.stack([half, along] if name == "u" else [along, half], dim=-1)
    with torch.no_grad():
        return flow(x)[:, "uv".index(name)].double().cpu().numpy()


def deviations(flow: Callable[[Tensor], Tensor], table: dict[str, tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
    """|u − table| and |v − table| at the table's points."""
    return [np.abs(profile(flow, name, where) - values) for name, (where, values) in table.items()]


def extremum(flow: Callable[[Tensor], Tensor], which: str) -> tuple[float, float]:
    """Place and value of ``"u_min"``, ``"v_max"`` or ``"v_min"`` on its line, by parabolas through dense samples."""
    s = np.linspace(0.0, 1.0, 4001)
    values = profile(flow, which[0], s)
    k = int(values.argmin() if which.endswith("min") else values.argmax())
    if not 0 < k < len(s) - 1:
        return float(s[k]), float(values[k])
    before, here, after = values[k - 1 : k + 2]
    shift = 0.5 * (before - after) / (before - 2 * here + after)
    return float(s[k] + shift * (s[1] - s[0])), float(here - 0.25 * (before - after) * shift)


def measured(reynolds: int, method: str, run: Run) -> list[Row]:
    """Rows of one method at one Reynolds number."""
    case = f"Re {reynolds}"
    u, v = deviations(run.flow, ghia(reynolds))
    out = [
        Row(case, method, "dofs", run.dofs),
        Row(case, method, "memory_bytes", run.memory_bytes, "B"),
        Row(case, method, "seconds", run.seconds, "s"),
        Row(case, method, "iterations", run.iterations),
        Row(case, method, "deviation_u", float(u.max())),
        Row(case, method, "deviation_v", float(v.max())),
        Row(case, method, "points_beyond", int((np.concatenate([u, v]) > BEYOND).sum())),
    ]
    if reynolds == 1000:
        u, v = deviations(run.flow, botella())
        out += [Row(case, method, "spectral_u", float(u.max())), Row(case, method, "spectral_v", float(v.max()))]
        found = {which: extremum(run.flow, which) for which in EXTREMA}
        for which, (_, value) in EXTREMA.items():
            out.append(Row(case, method, f"{which}_error", abs(found[which][1] / value - 1)))
        places = [abs(found[which][0] - place) for which, (place, _) in EXTREMA.items()]
        out.append(Row(case, method, "place_error", max(places)))
    return out


def mac_runs(reynolds: int, cells: tuple[int, ...]) -> dict[str, Run]:
    """A run per grid, and the extrapolation of the two finest."""
    problem = LidDrivenCavity(viscosity=1 / reynolds)
    runs = {f"mac {n}²": Run.of(solve(problem, MacGrid.for_problem(problem, n))) for n in cells}
    coarse, fine = list(runs.values())[-2:]
    assert math.isclose(cells[-1], 2 * cells[-2])
    return {**runs, f"mac {cells[-2]}²/{cells[-1]}²": Run.extrapolated(coarse, fine)}


def neural_run(reynolds: int, seed: int, quick: bool = False) -> Run:
    """The neural flow of one seed; ``quick``: a tiny one, barely fitted."""
    problem = LidDrivenCavity(viscosity=1 / reynolds)
    if quick:
        field = NeuralFlow.for_problem(problem, hidden=(8,), pressure_hidden=(6,), seed=seed)
        few = GaussNewton(maxiter=5, damping=1e-4, stall=0.0, accept=math.inf)
        return Run.of(solve(problem, field, fit=few, points=100))
    field = NeuralFlow.for_problem(problem, hidden=(20, 20), pressure_hidden=(12, 12), seed=seed)
    return Run.of(solve(problem, field))


def rows(quick: bool = False) -> Iterator[Row]:
    """Size, time and deviations of every method at every Reynolds number.

    Args:
        quick: grids of 32² and 64² cells.

    Yields:
        rows ``dofs``, ``memory_bytes``, ``seconds``, ``iterations``, ``deviation_u``, ``deviation_v``,
        ``points_beyond``; at Re 1000 ``spectral_u``, ``spectral_v``, ``u_min_error``, ``v_max_error``, ``v_min_error``
        and ``place_error``, how far the farthest extremum is from its place.
    """
    with one_thread():
        for reynolds in REYNOLDS:
            for method, run in mac_runs(reynolds, QUICK if quick else CELLS).items():
                yield from measured(reynolds, method, run)
            if reynolds == NEURAL_REYNOLDS:
                for seed in SEEDS[: 1 if quick else None]:
                    yield from measured(reynolds, f"neural (seed {seed})", neural_run(reynolds, seed, quick))
