"""A re-entrant corner: Laplace's and Poisson's equations on an L-shaped domain by finite elements and neural fields.

Cases ``laplace`` (Δu = 0, u = x² on the boundary of [0, 2]² without [1, 2]²; u(0.99, 0.99) = 1.0267919261073: Gopal &
Trefethen, SIAM J. Numer. Anal. 57 (2019); bar for P2 on at most 200,000 unknowns: 1e-5) and ``torsion`` (−Δu = 1,
u = 0; ∫u = 0.2140758; bar: 1e-5). At the corner u behaves as r^(2/3): on uniform meshes the error falls with h^(4/3),
whatever the degree of the elements. Graded meshes have rings about the corner that lie the closer the nearer they are
to it, and P2 then keeps its order.

Methods: ``P1`` and ``P2``, ``uniform`` and ``graded``, and scikit-fem's own assembly on the same graded mesh with
SciPy's direct solver; ``neural`` (bar on ``laplace``: 1e-3 for the worst of three seeds), a field of centred features
and the corner's singular functions, fitted to the strong form. One thread each. The memory is what keeps the solution:
the unknowns, or the weights of a network.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from neuralpde.benches._marching import SEEDS, one_thread
from neuralpde.benches._rows import Row
from neuralpde.geometry import Dirichlet, Mesh, MeshDomain
from neuralpde.optimize import GaussNewton
from neuralpde.problems import Poisson
from neuralpde.representations import FiniteElementField, NeuralField
from neuralpde.simulate import Solution, solve

POINT = (0.99, 0.99)
VALUE = 1.0267919261073
INTEGRAL = 0.2140758

POWER = {1: 3.0, 2: 5.0}
"""Exponent of the grading by the elements' degree: ring k of n lies at (k/n)^power. More than (degree + 1)·3/2 restores
the order in L²."""


def square_data(t: float, x: Tensor) -> Tensor:
    """u = x²."""
    return x[:, :1] ** 2


LAPLACE, TORSION = "laplace", "torsion"


def problem(case: str, mesh: Mesh) -> Poisson:
    """The problem of a case on a mesh."""
    domain = MeshDomain(mesh)
    if case == LAPLACE:
        return Poisson(0.0, domain=domain, conditions=(Dirichlet(square_data),))
    return Poisson(1.0, domain=domain, conditions=(Dirichlet(0.0),))


def l_mesh(rings: int, power: float = 1.0) -> Mesh:
    """Triangles on [0, 2]² without [1, 2]², in rings about the corner (1, 1).

    Ring k lies on the square with half the side (k/rings)^power about the corner, with nodes at equal distances; ring 0
    is the corner itself.

    Args:
        rings: number of rings; ring k has 6k segments.
        power: 1 for a uniform mesh, more to grade it.
    """
    points, cells = [np.zeros((1, 2))], []
    for k in range(1, rings + 1):
        points.append((k / rings) ** power * _half_square(k))
        cells.append(_between(k))
    return Mesh(1 + np.concatenate(points), np.concatenate(cells), "triangle")


def _half_square(k: int) -> np.ndarray:
    """6k + 1 points on the part of the square [−1, 1]² that is the boundary of the L, from (0, 1) round to (1, 0)."""
    corners = np.array([(0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0)], dtype=float)
    s = np.linspace(0, 6, 6 * k + 1)
    return np.stack([np.interp(s, np.arange(7), corners[:, a]) for a in (0, 1)], axis=1)


def _first(k: int) -> int:
    """Number of the first node of ring k."""
    return 0 if k == 0 else 1 + 3 * k * (k - 1) + (k - 1)


def _between(k: int) -> np.ndarray:
    """Triangles between rings k − 1 and k: in each of the six sectors k that stand on the outer ring, k − 1 that hang
    from it."""
    i = np.arange(6)[:, None]
    outer = _first(k) + i * k
    inner = _first(k - 1) + i * (k - 1)
    up, down = np.arange(k)[None], np.arange(k - 1)[None]
    standing = np.stack([outer + up, outer + up + 1, inner + up], axis=-1).reshape(-1, 3)
    hanging = np.stack([outer + down + 1, inner + down + 1, inner + down], axis=-1).reshape(-1, 3)
    return np.concatenate([standing, hanging])


@dataclass(frozen=True)
class Method:
    """Finite elements of a degree on a mesh of so many rings."""

    degree: int
    rings: int
    power: float = 1.0

    @property
    def name(self) -> str:
        """What tables call it."""
        return f"P{self.degree} {'graded' if self.power > 1 else 'uniform'}, {self.rings} rings"


METHODS = tuple(
    Method(degree, rings, power)
    for degree, sizes in ((1, (32, 128, 240)), (2, (16, 64, 128)))
    for power in (1.0, POWER[degree])
    for rings in sizes
)
QUICK = tuple(Method(degree, 12, power) for degree in (1, 2) for power in (1.0, POWER[degree]))


def figure(case: str, field: Callable[[Tensor], Tensor], integral: Callable[[], float]) -> tuple[float, float]:
    """What the case looks at, and its error."""
    value = float(field(torch.tensor([POINT], dtype=torch.float64))) if case == LAPLACE else integral()
    return value, abs(value - (VALUE if case == LAPLACE else INTEGRAL))


def field_rows(case: str, method: str, run: Solution, integral: Callable[[], float]) -> list[Row]:
    """The rows of a solution on any representation, so that every method is measured in one way."""
    value, error = figure(case, run.at(0.0), integral)
    figures = {
        "dofs": (float(run.representation.num_dofs), ""),
        "seconds": (run.seconds, "s"),
        "memory_bytes": (float(run.representation.memory_bytes()), "B"),
        "value": (value, ""),
        "error": (error, ""),
    }
    return [Row(case, method, name, *pair) for name, pair in figures.items()]


def elements_rows(case: str, method: Method) -> list[Row]:
    """One method of the package on one case."""
    posed = problem(case, l_mesh(method.rings, method.power))
    begin = time.perf_counter()
    r = FiniteElementField.for_problem(posed, method.degree)
    made = time.perf_counter() - begin
    run = solve(posed, r)

    def integral() -> float:
        return float((r.mass() @ r.values(run.last.theta, 0.0)[:, 0].numpy()).sum())

    return field_rows(case, method.name, replace(run, setup_seconds=run.setup_seconds + made), integral)


def scikit_rows(case: str, method: Method) -> list[Row]:
    """scikit-fem alone, on the same mesh."""
    import skfem
    from skfem.models.poisson import laplace, mass, unit_load

    mesh = l_mesh(method.rings, method.power)
    begin = time.perf_counter()
    made = skfem.MeshTri1(mesh.points.T.copy(), mesh.cells.T.copy())
    basis = skfem.Basis(made, skfem.ElementTriP1() if method.degree == 1 else skfem.ElementTriP2())
    stiff = laplace.assemble(basis)
    load = unit_load.assemble(basis) if case == TORSION else basis.zeros()
    held = basis.get_dofs().all()
    known = basis.zeros()
    if case == LAPLACE:
        known[held] = basis.doflocs[0, held] ** 2
    u = skfem.solve(*skfem.condense(stiff, load, x=known, D=held))
    seconds = time.perf_counter() - begin
    value, error = figure(
        case,
        lambda x: torch.from_numpy(basis.probes(x.numpy().T) @ u),
        lambda: float((mass.assemble(basis) @ u).sum()),
    )
    name = f"scikit-fem {method.name}"
    return [
        Row(case, name, "dofs", len(u) - len(held)),
        Row(case, name, "seconds", seconds, "s"),
        Row(case, name, "memory_bytes", 8.0 * (len(u) - len(held)), "B"),
        Row(case, name, "value", value),
        Row(case, name, "error", error),
    ]


def neural_rows(case: str, seeds: Sequence[int], hidden: tuple[int, ...], maxiter: int) -> list[Row]:
    """A neural field of three seeds: median seconds, the value and the error of the worst."""
    posed = problem(case, l_mesh(24, 2.0))
    lattice = MeshDomain(l_mesh(40, POWER[2])).lattice(60_000)
    found = []
    for seed in seeds:
        begin = time.perf_counter()
        r = NeuralField.for_problem(posed, hidden=hidden, steepness=4.0, seed=seed)
        made = time.perf_counter() - begin
        fit = GaussNewton(maxiter=maxiter, stall=1e-3, damping=1e-3)
        run = solve(posed, r, method="function_space", fit=fit, raise_on_failure=False)

        def integral(run: Solution = run) -> float:
            with torch.no_grad():
                return float(lattice.weights @ run.at(0.0)(lattice.points)[:, 0])

        measured = field_rows(case, "neural", replace(run, setup_seconds=run.setup_seconds + made), integral)
        found.append({row.metric: row for row in measured})
    worst = max(found, key=lambda rows: rows["error"].value)
    seconds = statistics.median(rows["seconds"].value for rows in found)
    return [replace(row, value=seconds) if row.metric == "seconds" else row for row in worst.values()]


def rows(quick: bool = False) -> Iterator[Row]:
    """Size, time and error of every method on both cases.

    Args:
        quick: twelve rings, one seed and a small network.

    Yields:
        rows ``dofs``, ``seconds``, ``memory_bytes``, ``value``, ``error``.
    """
    with one_thread():
        methods = QUICK if quick else METHODS
        for case in (LAPLACE, TORSION):
            for method in methods:
                yield from elements_rows(case, method)
            for degree in (1, 2):
                graded = [m for m in methods if m.degree == degree and m.power > 1]
                yield from scikit_rows(case, max(graded, key=lambda m: m.rings))
            yield from neural_rows(
                case, SEEDS[:1] if quick else SEEDS, (8, 8) if quick else (14, 14), 60 if quick else 150
            )
