"""Is this installation sound? Versions, devices, and small solves against exact solutions."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rich.console import Console

from neuralpde.cases._folder import devices, versions
from neuralpde.geometry import MeshDomain, read_mesh
from neuralpde.integrators import RK4, ImplicitMidpoint, LieSplitting
from neuralpde.optimize import GaussNewton
from neuralpde.problems import Advection, Heat, Poisson, SineMode
from neuralpde.representations import FiniteElementField, GridField, NeuralField
from neuralpde.simulate import simulate, solve


def _heat_explicit() -> float:
    heat = Heat()
    grid = GridField.for_problem(heat, 32, order="fourier")
    return simulate(heat, grid, RK4(), dt=1e-3, t_end=0.1).error()["rel_l2"]


def _heat_implicit() -> float:
    heat = Heat()
    grid = GridField.for_problem(heat, 64, order=6)
    return simulate(heat, grid, ImplicitMidpoint(), dt=2e-3, t_end=0.1).error()["rel_l2"]


def _poisson() -> float:
    poisson = Poisson()
    return solve(poisson, GridField.for_problem(poisson, 17, order=6)).error()["rel_l2"]


def _poisson_on_a_mesh() -> float:
    """A mesh of the unit square goes through a file and the process that reads files."""
    n = 12
    corners = [(i, j) for i in range(n) for j in range(n)]
    number = {(i, j): 1 + i * (n + 1) + j for i in range(n + 1) for j in range(n + 1)}
    lines = [f"v {i / n} {j / n} 0" for i, j in number]
    for i, j in corners:
        a, b, c, d = (number[i + p, j + q] for p, q in ((0, 0), (1, 0), (1, 1), (0, 1)))
        lines += [f"f {a} {b} {c}", f"f {a} {c} {d}"]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "square.obj"
        file.write_text("\n".join(lines) + "\n")
        poisson = Poisson(domain=MeshDomain(read_mesh(file)))
    return solve(poisson, FiniteElementField.for_problem(poisson, degree=2)).error()["rel_l2"]


def _advection_neural() -> float:
    advection = Advection(profile=SineMode(lengths=(4.0,)))
    field = NeuralField.for_problem(advection, hidden=(6, 6), steepness=4.0)
    first = {"options": GaussNewton(maxiter=40, damping=1e-4)}
    return simulate(advection, field, LieSplitting(), dt=0.2, t_end=0.6, initial_fit=first).error()["rel_l2"]


CHECKS: dict[str, tuple[Callable[[], float], float]] = {
    "heat, grid, RK4": (_heat_explicit, 1e-7),
    "heat, grid, implicit midpoint": (_heat_implicit, 1e-4),
    "Poisson, grid, Newton": (_poisson, 1e-6),
    "Poisson, mesh file, finite elements": (_poisson_on_a_mesh, 1e-3),
    "advection, neural field, splitting": (_advection_neural, 1e-2),
}
"""Self-tests: a solve that returns its relative error, and the largest one that is sound."""


def examine() -> bool:
    """Print versions, devices and threads, and how each self-test went; whether all went well."""
    console = Console()
    for name, version in versions().items():
        console.print(f"{name:14}{version}", highlight=False)
    console.print(f"{'devices':14}{', '.join(devices())}", highlight=False, soft_wrap=True)
    console.print(f"{'threads':14}{torch.get_num_threads()}", highlight=False)
    sound = True
    for name, (solve_it, largest) in CHECKS.items():
        begin = time.perf_counter()
        error = solve_it()
        good = error <= largest
        sound &= good
        verdict = "well" if good else f"BAD, expected at most {largest:.0e}"
        console.print(
            f"{name}: relative error {error:.1e}, {time.perf_counter() - begin:.1f} s, {verdict}", highlight=False
        )
    console.print("all is well" if sound else "the results above are wrong: this installation is not sound")
    return sound
