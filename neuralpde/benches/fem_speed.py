"""Finite elements against scikit-fem and PyAMG: assembly and solve of Poisson and elasticity, Hessians of energies.

Both sides start from the same mesh and the same free unknowns and end with the solution of the same linear system, to a
relative residual of 1e-8 that is computed from the solution. scikit-fem assembles forms written by hand, with the
cheapest quadrature that is exact, each side of the equation once; its system is solved by the fastest of several
methods, which are all run: PyAMG's smoothed aggregation with CG, of scalars and of blocks with rigid motions, with
V- and W-cycles and two thresholds of strength, and in 2D SuperLU. Ours is what ``solve`` does: the weak form of a
:class:`Poisson` or :class:`LinearElasticity` problem by differentiation of its flux, and the method that it chooses.
Nonlinear assembly is the Hessian of a neo-Hookean energy: ours from the energy alone, scikit-fem's from its second
derivative written by hand. ``first`` makes the tables of the mesh and the pattern of the matrix too, ``assembly`` is
what every further iteration of Newton's method takes.

Seconds are processor time of one thread, the least of the repeats: a busy machine slows nobody. ``ratio`` is ours over
the fastest baseline's, ``matrix`` the largest difference of entries over the largest entry, ``solution`` the relative
difference of the two solutions.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import SuperLU
from torch import Tensor

from neuralpde.benches import _skfem, _torch_fem
from neuralpde.benches._marching import one_thread
from neuralpde.benches._one_process import in_a_process
from neuralpde.benches._rows import Row
from neuralpde.dynamics import FiniteElementDynamics, Newton
from neuralpde.fields import Jet
from neuralpde.geometry import Condition, Dirichlet, Flux, Mesh, MeshDomain, repair_mesh
from neuralpde.problems import LinearElasticity, Poisson, Problem
from neuralpde.representations import FiniteElementField

RTOL = 1e-8
OURS, THEIRS, OTHERS = "neuralpde", "scikit-fem", "torch-fem"


@dataclass(frozen=True)
class Setting:
    """An operator on a mesh of the unit square or cube.

    Args:
        kind: ``"poisson"`` or ``"elasticity"``.
        dim, degree: of the elements.
        cells: along each axis.
        repeats: of both sides.
    """

    kind: str
    dim: int
    degree: int
    cells: int
    repeats: int = 2


SETTINGS = (
    Setting("poisson", 2, 1, 315, 3),
    Setting("poisson", 2, 1, 631, 2),
    Setting("poisson", 2, 2, 157, 3),
    Setting("poisson", 2, 2, 315, 2),
    Setting("poisson", 3, 1, 46, 3),
    Setting("poisson", 3, 1, 73),
    Setting("poisson", 3, 2, 23, 3),
    Setting("poisson", 3, 2, 36),
    Setting("elasticity", 2, 1, 222, 3),
    Setting("elasticity", 2, 1, 446, 2),
    Setting("elasticity", 2, 2, 111, 3),
    Setting("elasticity", 2, 2, 223, 2),
    Setting("elasticity", 3, 1, 31, 2),
    Setting("elasticity", 3, 1, 50),
    Setting("elasticity", 3, 2, 16, 2),
    Setting("elasticity", 3, 2, 25),
)
QUICK = (
    Setting("poisson", 2, 1, 12, 1),
    Setting("poisson", 3, 2, 3, 1),
    Setting("elasticity", 2, 2, 8, 1),
    Setting("elasticity", 3, 1, 4, 1),
)
HESSIANS = (Setting("", 2, 1, 222, 6), Setting("", 2, 2, 111, 6), Setting("", 3, 1, 22, 2), Setting("", 3, 2, 11, 2))
QUICK_HESSIANS = (Setting("", 2, 2, 6), Setting("", 3, 1, 3))


@dataclass(frozen=True)
class NeoHookean(Problem):
    """Ψ = μ/2 (tr FᵀF − d) − μ ln J + λ/2 (ln J)², F = I + ∇u, J = det F: a solid of rubber."""

    domain: MeshDomain
    conditions: tuple[Condition, ...] = (Flux(0.0),)
    time_order: ClassVar[int] = 0
    needs: ClassVar[frozenset[str]] = frozenset({"grad"})

    @property
    def unknowns(self) -> dict[str, int]:  # type: ignore[override]
        return {"displacement": self.domain.dim}

    def energy(self, t: float, x: Tensor, u: Jet) -> Tensor:
        d = u.grad.shape[-1]
        f = u.grad + torch.eye(d, dtype=x.dtype, device=x.device)
        # entries by unbind: each index of its own costs the backward pass a whole array of zeros
        if d == 2:
            xx, xy, yx, yy = f.flatten(1).unbind(1)
            volume = xx * yy - xy * yx
        else:
            first, second, third = f.unbind(1)
            volume = (first * torch.linalg.cross(second, third)).sum(1)
        log = volume.log()
        return 0.5 * _skfem.SHEAR * (f.square().sum((1, 2)) - d) - _skfem.SHEAR * log + 0.5 * _skfem.BULK * log**2


def domain_of(mesh: Any) -> MeshDomain:
    """A mesh of scikit-fem with its side x = 0 tagged."""
    kind = "triangle" if mesh.dim() == 2 else "tetra"
    bare = repair_mesh(Mesh(mesh.p.T.copy(), mesh.t.T.copy(), kind))  # scikit-fem lets elements be turned over
    middles = bare.points[bare.facet_nodes(bare.boundary)].mean(1)
    tags = {"x-": bare.boundary[middles[:, 0] < 1e-9]}
    return MeshDomain(Mesh(bare.points, bare.cells, kind, tags=tags))


def problem_of(setting: Setting, domain: MeshDomain) -> Problem:
    """What a setting solves."""
    if setting.kind == "poisson":
        return Poisson(source_term=1.0, domain=domain, conditions=(Dirichlet(0.0),))
    force = (0.0,) * (setting.dim - 1) + (-1.0,)
    clamped = (Dirichlet(0.0, on="x-"), Flux(0.0))
    young, ratio = _skfem.YOUNG, _skfem.POISSON_RATIO
    return LinearElasticity(young=young, poisson_ratio=ratio, body_force=force, domain=domain, conditions=clamped)


@dataclass(frozen=True)
class Found:
    """A matrix and a solution on the free unknowns, what they took, and how.

    Args:
        matrix, solution: in its own numbering.
        places: of its free unknowns, ``(n, d + 1)``: the node and the component.
        seconds: by part.
        residual: relative, as computed from the solution.
        method: how the system was solved.
    """

    matrix: sp.csr_matrix
    solution: np.ndarray
    places: np.ndarray
    seconds: dict[str, float]
    residual: float
    method: str


def ours(setting: Setting, domain: MeshDomain) -> Found:
    """Assembly and solve by the parts that ``solve`` is made of."""
    clock = time.process_time
    begin = clock()
    problem = problem_of(setting, domain)
    field = FiniteElementField.for_problem(problem, setting.degree)
    dynamics = FiniteElementDynamics(problem, field, Newton(linear_rtol=RTOL))
    rest, jacobian = dynamics.form.jacobian(0.0, field.values(field.initial(), 0.0))
    matrix, right = -jacobian, field.free_part(rest)
    assembled = clock()
    factors = dynamics.systems.factors(matrix, once=True)
    x = dynamics.systems.solve(factors, right).numpy()
    seconds = {"assembly": assembled - begin, "solve": clock() - assembled}
    where = _skfem.places(field.nodes[field.free].numpy(), field.channels)
    method = "SuperLU" if isinstance(factors, SuperLU) else "multigrid"
    return Found(matrix.tocsr(), x, where, seconds, _residual(matrix, x, right.numpy()), method)


def theirs(setting: Setting, mesh: Any) -> Found:
    """The fastest assembly and the fastest solver of scikit-fem's and PyAMG's, each on its own."""
    clock = time.process_time
    vector = setting.kind == "elasticity"
    ways = (_skfem.elasticity_by_scalars, _skfem.elasticity) if vector else (_skfem.poisson,)
    assembly, solving, method = math.inf, math.inf, ""
    for way in ways:
        begin = clock()
        whole, load, where = way(mesh, setting.degree)
        free = _skfem.free_numbers(setting.kind, where)
        matrix, right = whole[free][:, free], load[free]
        assembly = min(assembly, clock() - begin)
        if way is ways[0]:
            system = (matrix, right, where[free])
        del whole, load, matrix, right
    matrix, right, where = system
    for name, solver in _skfem.solvers(setting.dim, vector, len(right), RTOL):
        begin = clock()
        x, _ = solver(matrix, right, where)
        taken = clock() - begin
        if taken < solving and _residual(matrix, x, right) <= RTOL:
            solving, method, best = taken, name, x
    seconds = {"assembly": assembly, "solve": solving}
    return Found(matrix, best, where, seconds, _residual(matrix, best, right), method)


def _residual(matrix: sp.spmatrix, x: np.ndarray, right: np.ndarray) -> float:
    return float(np.linalg.norm(right - matrix @ x) / np.linalg.norm(right))


def order_of(where: np.ndarray) -> np.ndarray:
    """The order of unknowns by their places: that of both sides, however each numbers them."""
    return np.lexsort(np.round(where, 9).T)


def difference(a: sp.spmatrix, b: sp.spmatrix, where: tuple[np.ndarray, np.ndarray]) -> float:
    """Largest difference of entries of two matrices, over the largest entry."""
    first, second = (m.tocsr()[o][:, o] for m, o in zip((a, b), map(order_of, where), strict=True))
    return float(abs(first - second).max() / abs(second).max())


def operator_rows(setting: Setting) -> list[Row]:
    """One operator: seconds of both sides, their ratio, and how far they agree."""
    mesh = _skfem.unit_mesh(setting.dim, setting.cells)
    domain = domain_of(mesh)
    # a domain of its own for every run: names of its sides are found while our time is taken
    runs = [(ours(setting, domain_of(mesh)), theirs(setting, mesh)) for _ in range(setting.repeats)]
    mine, other = runs[-1]
    case = f"{setting.kind} {setting.dim}D P{setting.degree}, {len(mine.solution)} unknowns"
    rows, sums = [], []
    for side, (name, last) in enumerate(((OURS, mine), (THEIRS, other))):
        best = {part: min(run[side].seconds[part] for run in runs) for part in last.seconds}
        sums.append(sum(best.values()))
        rows += [Row(case, f"{name}, {last.method}", part, value, "s") for part, value in best.items()]
        rows.append(Row(case, f"{name}, {last.method}", "residual", last.residual))
    apart = np.linalg.norm(
        mine.solution[order_of(mine.places)] - other.solution[order_of(other.places)]
    ) / np.linalg.norm(other.solution)
    if setting.kind == "elasticity" and setting.degree == 1 and _torch_fem.installed():
        third = _torch_fem.elasticity(domain.mesh, RTOL)
        sums.append(sum(third.seconds.values()))
        rows += [Row(case, OTHERS, part, value, "s") for part, value in third.seconds.items()]
        rows.append(Row(case, OTHERS, "residual", third.residual))
    return [
        *rows,
        Row(case, "both", "ratio", sums[0] / min(sums[1:])),
        Row(case, "both", "matrix", difference(mine.matrix, other.matrix, (mine.places, other.places))),
        Row(case, "both", "solution", float(apart)),
    ]


def _bent(x: np.ndarray) -> np.ndarray:
    """A displacement of the unit square or cube, which vanishes at x = 0."""
    out = 0.03 * x[:, :1] * np.sin(1 + x @ np.arange(1.0, x.shape[1] + 1)[:, None])
    return out * np.arange(1.0, x.shape[1] + 1)


def hessian_rows(setting: Setting) -> list[Row]:
    """Nonlinear assembly: the Hessian of the neo-Hookean energy at a bent state."""
    mesh = _skfem.unit_mesh(setting.dim, setting.cells)
    seconds = list[tuple[float, ...]]()
    for _ in range(setting.repeats):
        domain = domain_of(mesh)
        begin = time.process_time()
        field = FiniteElementField.for_problem(NeoHookean(domain), setting.degree)
        form = FiniteElementDynamics(NeoHookean(domain), field).form
        values = torch.from_numpy(_bent(field.nodes.numpy()))
        matrix = -form.jacobian(0.0, values)[1]
        made = time.process_time()
        form.jacobian(0.0, 0.5 * values)
        mine = made - begin, time.process_time() - made
        (other, where), *spent = _skfem.hessian(mesh, setting.degree, _bent, field.quadrature_degree)
        seconds.append((*mine, *spent))
    case = f"Hessian {setting.dim}D P{setting.degree}, {matrix.shape[0]} unknowns"
    first, again, other_first, other_again = (min(part) for part in zip(*seconds, strict=True))
    own = _skfem.places(field.nodes.numpy(), setting.dim)
    return [
        Row(case, OURS, "first", first, "s"),
        Row(case, OURS, "assembly", again, "s"),
        Row(case, THEIRS, "first", other_first, "s"),
        Row(case, THEIRS, "assembly", other_again, "s"),
        Row(case, "both", "first_times_faster", other_first / first),
        Row(case, "both", "times_faster", other_again / again),
        Row(case, "both", "matrix", difference(matrix, other, (own, where))),
    ]


def rows(quick: bool = False) -> Iterator[Row]:
    """Seconds, ratios and differences of every operator, and of the Hessians.

    All is measured in a process of its own, whose linear algebra starts with one thread: threads that wait for each
    other take processor time from both sides.

    Args:
        quick: tiny meshes.
    """
    return in_a_process(measured_rows, quick)


def measured_rows(quick: bool) -> Iterator[Row]:
    """The rows, measured in this process."""
    yield Row("baselines", OTHERS, "installed", float(_torch_fem.installed()))
    with one_thread():
        for warm in QUICK:  # what is imported and made once is nobody's
            operator_rows(warm)
        for warm in QUICK_HESSIANS:
            hessian_rows(warm)
        for setting in QUICK if quick else SETTINGS:
            yield from operator_rows(setting)
        for setting in QUICK_HESSIANS if quick else HESSIANS:
            yield from hessian_rows(setting)
