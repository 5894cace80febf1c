"""Neural fields beside finite elements on real geometry: Poisson's and the heat equation, manufactured solutions.

Cases ``poisson plate``, ``heat plate`` (2 × 1 plate with three round holes) and ``poisson bracket``, ``heat bracket``
(an angle bracket with bolt holes, a fillet and an eye). The exact solution is a sum of two waves with about one period
across the domain; for heat it decays as exp(−t), κ = 0.1 per squared size of the domain, t ≤ 0.5. Data: fluxes on the
plate's four sides (heat: on its top) and on the bracket's bottom, Dirichlet on all other parts. Errors are relative, in
L², at points spread over the domain, at the last time.

Methods: finite elements ``P1`` and ``P2`` on the mesh, with SDIRK4 in time, and ``neural``: centred features, fitted to
the strong form by Levenberg–Marquardt, its errors the worst of three seeds, its seconds their median (aim: 1e-3 with at
most 1,000 weights). One thread each.

The meshes are those of the folder ``meshes`` of a checkout, ``plate_with_holes.msh`` and ``bracket.msh``.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import neuralpde
from neuralpde.benches._marching import SEEDS, one_thread
from neuralpde.benches._rows import Row
from neuralpde.geometry import Condition, Dirichlet, Flux, MeshDomain, read_mesh
from neuralpde.integrators import SDIRK4
from neuralpde.optimize import GaussNewton
from neuralpde.problems import Heat, Poisson, Problem
from neuralpde.representations import FiniteElementField, NeuralField, Representation
from neuralpde.simulate import Solution, simulate, solve
from neuralpde.types import DataError

DECAY, STEPS, T_END = 1.0, 5, 0.5
POINTS = 4000

STEADY = GaussNewton(maxiter=250, stall=1e-3, damping=1e-3, accept=5e-2)
FIRST = GaussNewton(maxiter=80, damping=1e-4, stall=0.0, atol=1e-5)
STAGE = GaussNewton(maxiter=15, damping=1e-8, stall=1e-2, scaling="uniform", atol=1e-4, accept=0.1)


def mesh_file(name: str) -> Path:
    """A mesh of the checkout that the package was installed from.

    Raises:
        DataError: where there is none.
    """
    path = Path(neuralpde.__file__).resolve().parent.parent / "meshes" / f"{name}.msh"
    if not path.exists():
        raise DataError(
            f"the bench needs {name}.msh from the folder meshes of a checkout, which an installed wheel does not have; "
            "clone the repository, install it with pip install -e . and run the bench again."
        )
    return path


@dataclass(frozen=True)
class Waves:
    """u = e^(−λt) (sin(k·x + 0.4) + ½ cos(m·x)), with k and m about one period across the domain.

    Args:
        first, second: k and m.
        decay: λ.
    """

    first: tuple[float, ...]
    second: tuple[float, ...]
    decay: float = 0.0

    def _phases(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        k, m = x.new_tensor(self.first), x.new_tensor(self.second)
        return k, m, (x * k).sum(1, keepdim=True) + 0.4, (x * m).sum(1, keepdim=True)

    def __call__(self, t: float, x: Tensor) -> Tensor:
        """``(n, 1)``."""
        _, _, a, b = self._phases(x)
        return float(torch.exp(torch.tensor(-self.decay * t))) * (torch.sin(a) + 0.5 * torch.cos(b))

    def slope(self, t: float, x: Tensor) -> Tensor:
        """∇u, ``(n, d)``."""
        k, m, a, b = self._phases(x)
        return float(torch.exp(torch.tensor(-self.decay * t))) * (torch.cos(a) * k - 0.5 * torch.sin(b) * m)

    def laplacian(self, t: float, x: Tensor) -> Tensor:
        """Δu, ``(n, 1)``."""
        k, m, a, b = self._phases(x)
        inner = k.square().sum() * torch.sin(a) + 0.5 * m.square().sum() * torch.cos(b)
        return -float(torch.exp(torch.tensor(-self.decay * t))) * inner


NORMALS = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "bottom": (0.0, -1.0), "top": (0.0, 1.0)}
"""Outward normals of the flat parts that carry fluxes; the bracket's bottom is z = 0."""


def made(case: str) -> tuple[Problem, Waves]:
    """The problem of a case and its solution."""
    kind, place = case.split()
    domain = MeshDomain(read_mesh(mesh_file("plate_with_holes" if place == "plate" else "bracket")))
    size = max(domain.lengths)
    first, second = ((5.0, 3.0, 2.0), (-2.0, 4.0, 3.0))
    k, m = (tuple(v / size for v in wave[: domain.dim]) for wave in (first, second))
    kappa = 1.0 if kind == "poisson" else 0.1 * size**2
    u = Waves(k, m, 0.0 if kind == "poisson" else DECAY)
    flat = NORMALS if kind == "poisson" else {"top": NORMALS["top"]}
    sides = {"bottom": (0.0, 0.0, -1.0)} if place == "bracket" else flat
    conditions: tuple[Condition, ...] = (
        *(Flux(_flux(u, kappa, normal), on=face) for face, normal in sides.items()),
        Dirichlet(u),
    )
    if kind == "poisson":
        return Poisson(lambda x: -u.laplacian(0.0, x), domain=domain, conditions=conditions), u

    def source(t: float, x: Tensor) -> Tensor:
        return -u.decay * u(t, x) - kappa * u.laplacian(t, x)

    return Heat(kappa, source, lambda x: u(0.0, x), domain, conditions), u


def _flux(u: Waves, kappa: float, normal: tuple[float, ...]) -> Callable[[float, Tensor], Tensor]:
    return lambda t, x: -kappa * (u.slope(t, x) @ x.new_tensor(normal))[:, None]


def measured(case: str, method: str, problem: Problem, u: Waves, make: Callable[[], Representation]) -> list[Row]:
    """Rows of one run; ``seconds`` from making the representation to the last step."""
    begin = time.perf_counter()
    r = make()
    run = _run(problem, r)
    seconds, t = time.perf_counter() - begin, float(run.times[-1])
    x = problem.domain.spread(POINTS).points  # type: ignore[attr-defined]
    with torch.no_grad():
        misfit = run.at(t)(x) - u(t, x)
    ok = run.status.ok
    figures = {
        "dofs": (float(r.num_dofs), ""),
        "memory_bytes": (float(r.memory_bytes()), "B"),
        "seconds": (seconds, "s"),
        "rel_l2": (float(misfit.norm() / u(t, x).norm()) if ok else float("inf"), ""),
    }
    return [Row(case, method, name, *pair) for name, pair in figures.items()]


def _run(problem: Problem, r: Representation) -> Solution:
    if problem.time_order == 0:
        steady: dict[str, Any] = {"fit": STEADY, "method": "function_space"} if isinstance(r, NeuralField) else {}
        return solve(problem, r, raise_on_failure=False, **steady)
    march: dict[str, Any] = {"dt": T_END / STEPS, "t_end": T_END, "raise_on_failure": False}
    if isinstance(r, NeuralField):
        march |= {"initial_fit": {"options": FIRST}, "fit": STAGE, "method": "function_space"}
    return simulate(problem, r, SDIRK4(), **march)


def neural_rows(case: str, problem: Problem, u: Waves, seeds: tuple[int, ...], hidden: tuple[int, ...]) -> list[Row]:
    """Rows of several seeds: median seconds, worst error."""
    found = []
    for seed in seeds:

        def make(seed: int = seed) -> NeuralField:
            return NeuralField.for_problem(problem, hidden=hidden, steepness=4.0, seed=seed)

        found.append({row.metric: row for row in measured(case, "neural", problem, u, make)})
    seconds = statistics.median(rows["seconds"].value for rows in found)
    worst = max(rows["rel_l2"].value for rows in found)
    chosen = {**found[0], "seconds": Row(case, "neural", "seconds", seconds, "s")}
    return list({**chosen, "rel_l2": Row(case, "neural", "rel_l2", worst)}.values())


@one_thread()
def rows(quick: bool = False) -> list[Row]:
    """Size, time and error of every method on every case.

    Args:
        quick: the plate alone, one seed and a small network.

    Returns:
        rows ``dofs``, ``memory_bytes``, ``seconds``, ``rel_l2``.
    """
    out = list[Row]()
    for place in ("plate",) if quick else ("plate", "bracket"):
        for kind in ("poisson", "heat"):
            case = f"{kind} {place}"
            problem, u = made(case)
            for degree in (1, 2):

                def make(degree: int = degree, problem: Problem = problem) -> FiniteElementField:
                    return FiniteElementField.for_problem(problem, degree)

                out += measured(case, f"P{degree}", problem, u, make)
            out += neural_rows(case, problem, u, SEEDS[:1] if quick else SEEDS, (8, 8) if quick else (12, 12))
    return out
