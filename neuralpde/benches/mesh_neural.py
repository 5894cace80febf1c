"""Neural fields beside finite elements on real geometry: Poisson's and the heat equation, manufactured solutions.

Cases ``poisson plate``, ``heat plate`` (2 × 1 plate with three round holes) and ``poisson bracket``, ``heat bracket``
(an angle bracket with bolt holes, a fillet and an eye). The exact solution is a sum of two waves with about one period
across the domain; for heat it decays as exp(−t), κ = 0.1 per squared size of the domain, t ≤ 0.5. Data: fluxes on the
plate's four sides and on the bracket's bottom, Dirichlet on all other parts. Errors are relative, in L², at points
spread over the domain, at the last time.

Methods: finite elements ``P1`` and ``P2`` on the mesh; ``neural``: centred features, fitted in the weak form on the
same mesh by Levenberg–Marquardt; all with SDIRK4 in time. ``neural, strong form`` is shown for Poisson's equation;
marched in time with fluxes on all sides its fits do not come close. ``neural, data alone`` is what the field is before
any fit: the smooth extension of the boundary's data. Errors of networks are the worst of three seeds, seconds their
median. One thread each.

The meshes are those of the folder ``meshes`` of a checkout, ``plate_with_holes.msh`` and ``bracket.msh``.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import neuralpde
from neuralpde.benches._marching import SEEDS, one_thread
from neuralpde.benches._rows import Row
from neuralpde.fields import Field
from neuralpde.geometry import Condition, Dirichlet, Flux, MeshDomain, read_mesh
from neuralpde.integrators import SDIRK4
from neuralpde.optimize import GaussNewton
from neuralpde.problems import Heat, Poisson, Problem
from neuralpde.representations import FiniteElementField, NeuralField, Representation
from neuralpde.simulate import Solution, simulate, solve
from neuralpde.types import DataError

DECAY, STEPS, T_END = 1.0, 5, 0.5
POINTS = 4000

STEADY = GaussNewton(maxiter=150, stall=1e-3, damping=1e-3, accept=5e-2)
FORMS = {"neural": "weak", "neural, strong form": "function_space"}


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
        return math.exp(-self.decay * t) * (torch.sin(a) + 0.5 * torch.cos(b))

    def slope(self, t: float, x: Tensor) -> Tensor:
        """∇u, ``(n, d)``."""
        k, m, a, b = self._phases(x)
        return math.exp(-self.decay * t) * (torch.cos(a) * k - 0.5 * torch.sin(b) * m)

    def laplacian(self, t: float, x: Tensor) -> Tensor:
        """Δu, ``(n, 1)``."""
        k, m, a, b = self._phases(x)
        inner = k.square().sum() * torch.sin(a) + 0.5 * m.square().sum() * torch.cos(b)
        return -math.exp(-self.decay * t) * inner


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
    sides = {"bottom": (0.0, 0.0, -1.0)} if place == "bracket" else NORMALS
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
    run = _run(problem, r, method)
    seconds = time.perf_counter() - begin
    t = float(run.times[-1])
    error = _rel_l2(problem, u, t, run.at(t)) if run.status.ok else math.inf
    return _rows(case, method, r, {"seconds": seconds, "rel_l2": error})


def _rows(case: str, method: str, r: Representation, figures: dict[str, float]) -> list[Row]:
    units = {"memory_bytes": "B", "seconds": "s"}
    known = {"dofs": float(r.num_dofs), "memory_bytes": float(r.memory_bytes())}
    return [Row(case, method, name, value, units.get(name, "")) for name, value in (known | figures).items()]


def _rel_l2(problem: Problem, u: Waves, t: float, field: Field) -> float:
    assert isinstance(problem.domain, MeshDomain)
    x = problem.domain.spread(POINTS).points
    with torch.no_grad():
        return float((field(x) - u(t, x)).norm() / u(t, x).norm())


def _run(problem: Problem, r: Representation, method: str) -> Solution:
    options: dict[str, Any] = {"raise_on_failure": False}
    if isinstance(r, NeuralField):
        options["method"] = FORMS[method]
    if problem.time_order == 0:
        return solve(problem, r, **options | ({"fit": STEADY} if isinstance(r, NeuralField) else {}))
    return simulate(problem, r, SDIRK4(), dt=T_END / STEPS, t_end=T_END, **options)


def neural_rows(case: str, problem: Problem, u: Waves, seeds: tuple[int, ...], hidden: tuple[int, ...]) -> list[Row]:
    """Rows of several seeds, median seconds and worst error, and of the boundary's data alone."""
    out = list[Row]()

    def made_by(seed: int) -> NeuralField:
        return NeuralField.for_problem(problem, hidden=hidden, steepness=4.0, seed=seed)

    for method in FORMS if problem.time_order == 0 else ("neural",):
        found = []
        for seed in seeds:
            found.append({r.metric: r.value for r in measured(case, method, problem, u, partial(made_by, seed))})
        figures = {
            "seconds": statistics.median(rows["seconds"] for rows in found),
            "rel_l2": max(rows["rel_l2"] for rows in found),
        }
        out += _rows(case, method, made_by(seeds[0]), figures)
    t = T_END if problem.time_order else 0.0
    bare = made_by(seeds[0])
    alone = bare.initial().index_fill(0, bare.outer, 0.0)
    return [*out, Row(case, "neural, data alone", "rel_l2", _rel_l2(problem, u, t, bare.at(alone, t)))]


def rows(quick: bool = False) -> Iterator[Row]:
    """Size, time and error of every method on every case.

    Args:
        quick: the plate alone, one seed and a small network.

    Yields:
        rows ``dofs``, ``memory_bytes``, ``seconds``, ``rel_l2``.
    """
    with one_thread():
        for place in ("plate",) if quick else ("plate", "bracket"):
            for kind in ("poisson", "heat"):
                case = f"{kind} {place}"
                problem, u = made(case)
                for degree in (1, 2):

                    def make(degree: int = degree, problem: Problem = problem) -> FiniteElementField:
                        return FiniteElementField.for_problem(problem, degree)

                    yield from measured(case, f"P{degree}", problem, u, make)
                yield from neural_rows(case, problem, u, SEEDS[:1] if quick else SEEDS, (8, 8) if quick else (12, 12))
