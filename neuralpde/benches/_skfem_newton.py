"""The baseline of nonlinear elasticity: forms of scikit-fem written by hand, in a loop of Newton's method."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations_with_replacement, product
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla

from neuralpde.benches import _skfem
from neuralpde.dynamics._newton import forcing

SHEAR, BULK = _skfem.SHEAR, _skfem.BULK
LARGEST_LU = {2: 120_000, 3: 25_000}
"""Unknowns up to which SuperLU can be the fastest, by dimension."""

PATIENCE = 8
"""Iterations from which on new factors pay: they take as long as some sixteen solves with them."""


@dataclass
class Clock:
    """Processor seconds by what they were spent on."""

    seconds: dict[str, float] = field(default_factory=dict)

    def __call__(self, name: str, work: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """What the work comes to, its time added up under a name."""
        begin = time.process_time()
        try:
            return work(*args, **options)
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - begin


class NeoHookeanForms:
    """R(u) = ∫ P:∇v − b·v and its matrix of Ψ = μ/2 (tr FᵀF − d) − μ ln J + λ/2 (ln J)², clamped at x = 0.

    P = μ (F − G) + λ ln J G with G = F⁻ᵀ. Its derivative is ``vector``, one form of vectors, or ``scalar``, light forms
    of the scalar products of G's rows with gradients, (G_a·∇v)(G_b·∇u) for a ≤ b: a third of the time in 3D.

    Args:
        mesh: of scikit-fem's.
        degree: of the elements.
        order: of the quadrature.
        force: b.
    """

    def __init__(self, mesh: Any, degree: int, order: int, force: Sequence[float]) -> None:
        self.d, self.force = mesh.dim(), force
        self.vector = _skfem.basis_of(mesh, degree, True, order)
        self.scalar = _skfem.basis_of(mesh, degree, False, order)
        n = self.scalar.N
        mine = _skfem.places(self.scalar.doflocs.T, self.d)
        theirs = np.column_stack([self.vector.doflocs.T, _skfem.components(self.vector, self.d)])
        order_mine, order_theirs = (np.lexsort(np.round(w, 9).T) for w in (mine, theirs))
        self.numbers = np.empty(n * self.d, dtype=np.int64)
        """Of the unknowns of vectors by nodes, components running fastest."""
        self.numbers[order_mine] = order_theirs
        self.order = (np.arange(n)[:, None] + n * np.arange(self.d)).reshape(-1)
        self.where = mine
        self.free = np.flatnonzero(mine[:, 0] > 1e-9)

    def state(self, u: np.ndarray) -> dict[str, np.ndarray]:
        """F, G and ln J at the points, of node-major unknowns."""
        from skfem.helpers import det, grad, identity, inv, transpose

        whole = np.empty_like(u)
        whole[self.numbers] = u
        f = grad(self.vector.interpolate(whole))
        f = f + identity(f)
        return {"f": f, "across": transpose(inv(f)), "log": np.log(det(f))}

    def residual(self, state: dict[str, np.ndarray], factor: float) -> np.ndarray:
        """R at the free unknowns."""
        import skfem
        from skfem.helpers import ddot, grad

        def form(v: Any, w: Any) -> Any:
            stress = SHEAR * (w["f"] - w["across"]) + BULK * w["log"] * w["across"]
            return ddot(stress, grad(v)) - factor * sum(b * v.value[a] for a, b in enumerate(self.force) if b)

        return skfem.LinearForm(form).assemble(self.vector, **state)[self.numbers][self.free]

    def by_vectors(self, state: dict[str, np.ndarray]) -> sp.csr_matrix:
        """∂R/∂u by one form of vectors."""
        import skfem
        from skfem.helpers import ddot, grad, mul, transpose

        def form(du: Any, v: Any, w: Any) -> Any:
            across, log, slope = w["across"], w["log"], grad(du)
            turned = mul(across, mul(transpose(slope), across))
            return (
                SHEAR * ddot(slope, grad(v))
                + (SHEAR - BULK * log) * ddot(turned, grad(v))
                + BULK * ddot(across, slope) * ddot(across, grad(v))
            )

        whole = skfem.BilinearForm(form).assemble(self.vector, across=state["across"], log=state["log"])
        chosen = self.numbers[self.free]
        return whole[chosen][:, chosen]

    def by_scalars(self, state: dict[str, np.ndarray]) -> sp.csr_matrix:
        """∂R/∂u by forms of scalars and sums of sparse matrices."""
        import skfem
        from skfem.helpers import dot, grad

        rows = {f"g{a}": state["across"][a] for a in range(self.d)}
        log = state["log"]
        plain = skfem.BilinearForm(lambda u, v, w: SHEAR * dot(grad(u), grad(v))).assemble(self.scalar)
        blocks: list[list[Any]] = [[None] * self.d for _ in range(self.d)]
        for a, b in combinations_with_replacement(range(self.d), 2):

            def form(u: Any, v: Any, w: Any, a: int = a, b: int = b) -> Any:
                one, two = dot(w[f"g{a}"], grad(v)), dot(w[f"g{b}"], grad(u))
                if a == b:
                    return (SHEAR + BULK - BULK * w["log"]) * one * two
                crossed = dot(w[f"g{b}"], grad(v)) * dot(w[f"g{a}"], grad(u))
                return BULK * one * two + (SHEAR - BULK * w["log"]) * crossed

            made = skfem.BilinearForm(form).assemble(self.scalar, log=log, **{k: rows[k] for k in {f"g{a}", f"g{b}"}})
            blocks[a][b] = made + plain if a == b else made
            blocks[b][a] = blocks[a][b] if a == b else made.T
        matrix = sp.bmat(blocks, format="csr")[self.order][:, self.order]
        return matrix[self.free][:, self.free]

    def idioms(self) -> dict[str, Callable[..., Any]]:
        """Ways to the matrix."""
        return {"vectors": self.by_vectors, "scalars": self.by_scalars}

    def ways(self) -> list[Solver]:
        """Ways to solve."""
        return solvers(self.where[self.free], self.d, len(self.free))


Work = Callable[[Any, np.ndarray, float, Any], tuple[np.ndarray, Any, int]]
"""(matrix, right side, relative residual, what an earlier call made) → solution, what is made, and iterations."""


class Solver:
    """One way to solve the systems of Newton's method.

    Args:
        name: of the way.
        work: solves one.
        keep: whether what the first matrix made, factors or a hierarchy, serves the next ones.
        patience: iterations of a solve after which it is made anew for the next one.
    """

    def __init__(self, name: str, work: Work, keep: bool = False, patience: int = 1000) -> None:
        self.name, self.work, self.keep, self.patience = name, work, keep, patience
        self.seconds, self.made = 0.0, None

    def __call__(self, matrix: Any, right: np.ndarray, rtol: float) -> np.ndarray:
        begin = time.process_time()
        x, made, count = self.work(matrix, right, rtol, self.made)
        self.made = made if self.keep and count <= self.patience else None
        self.seconds += time.process_time() - begin
        return x


def superlu(matrix: sp.csr_matrix) -> spla.SuperLU:
    """Factors with an ordering for symmetric patterns, which halves the fill."""
    options = {"SymmetricMode": True}
    return spla.splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.01, options=options)


def exactly(matrix: sp.csr_matrix, right: np.ndarray, rtol: float, made: Any) -> tuple[np.ndarray, Any, int]:
    """Factors of every matrix."""
    return superlu(matrix).solve(right), None, 0


def iterating(build: Callable[[sp.csr_matrix], spla.LinearOperator]) -> Work:
    """CG with a preconditioner."""

    def work(matrix: sp.csr_matrix, right: np.ndarray, rtol: float, made: Any) -> tuple[np.ndarray, Any, int]:
        made, count = build(matrix) if made is None else made, [0]

        def counted(_: np.ndarray) -> None:
            count[0] += 1

        return spla.cg(matrix, right, rtol=rtol, maxiter=500, M=made, callback=counted)[0], made, count[0]

    return work


def factors(matrix: sp.csr_matrix) -> spla.LinearOperator:
    """SuperLU as a preconditioner."""
    return spla.LinearOperator(matrix.shape, superlu(matrix).solve, dtype=float)


SMOOTHERS: dict[str, dict[str, Any]] = {
    "": {
        "presmoother": ("block_gauss_seidel", {"sweep": "forward"}),
        "postsmoother": ("block_gauss_seidel", {"sweep": "backward"}),
    },
    " Jacobi": dict.fromkeys(("presmoother", "postsmoother"), ("block_jacobi", {"omega": 4 / 3})),
}
"""Of PyAMG's, by what is added to a way's name."""


def multigrids(where: np.ndarray, dim: int) -> Iterator[tuple[str, Callable[[sp.csr_matrix], Any]]]:
    """PyAMG's smoothed aggregations of blocks with rigid motions."""
    import pyamg

    modes = _skfem.rigid_motions(where)
    for (theta, cycle, light), (smoother, sweeps) in product(_skfem.OPTIONS[dim, True], SMOOTHERS.items()):
        options: dict[str, Any] = {"strength": ("symmetric", {"theta": theta}), "max_coarse": 100, "B": modes, **sweeps}
        if light:
            options |= {"smooth": ("jacobi", {"omega": 4 / 3, "weighting": "local"}), "improve_candidates": None}

        def build(matrix: sp.csr_matrix, options: dict[str, Any] = options, cycle: str = cycle) -> Any:
            return pyamg.smoothed_aggregation_solver(matrix.tobsr((dim, dim)), **options).aspreconditioner(cycle=cycle)

        yield f"SA θ={theta} {cycle}" + (" light" if light else "") + smoother, build


def solvers(where: np.ndarray, dim: int, size: int) -> list[Solver]:
    """Every way that is tried."""
    out = list[Solver]()
    for name, build in multigrids(where, dim):
        out += [Solver(name, iterating(build)), Solver(f"{name}, kept", iterating(build), True)]
    if size <= LARGEST_LU[dim]:
        out += [Solver("SuperLU", exactly), Solver("SuperLU, kept", iterating(factors), True, PATIENCE)]
    return out


@dataclass(frozen=True)
class March:
    """What Newton's method took: iterations, processor seconds of one by part, the fastest way; and displacements."""

    iterations: int
    seconds: dict[str, float]
    method: str
    displacement: np.ndarray
    places: np.ndarray


class Forms(Protocol):
    """What Newton's method is told of a body: places of its unknowns, and numbers of those that are solved for."""

    where: np.ndarray
    free: np.ndarray

    def state(self, u: np.ndarray) -> Any: ...

    def residual(self, state: Any, factor: float) -> np.ndarray: ...

    def idioms(self) -> dict[str, Callable[..., Any]]: ...

    def ways(self) -> list[Solver]: ...


def newton(forms: Forms, factors: Sequence[float], rtol: float) -> March:
    """Load steps by full steps of Newton's method, whose systems every solver solves to the same forcing term.

    Args:
        forms: of the body.
        factors: of the load, one after the other.
        rtol: of the residual, over the load.
    """
    clock, u, count = Clock(), np.zeros(len(forms.where)), 0
    ways = forms.ways()
    size = float(np.linalg.norm(forms.residual(forms.state(u), 1.0)))
    idioms = forms.idioms()
    trial = forms.state(u)
    for name, work in idioms.items():
        clock(name, work, trial)
    idiom = min(idioms, key=lambda name: clock.seconds[name])
    clock.seconds.clear()
    for factor in factors:
        before = 0.0
        for _ in range(30):
            state = clock("assembly", forms.state, u)
            right = clock("assembly", forms.residual, state, factor)
            norm = float(np.linalg.norm(right))
            if norm <= rtol * factor * size:
                break
            matrix = clock("assembly", idioms[idiom], state)
            aim = max(0.5 * rtol * factor * size / norm, forcing(norm / before if before else 0.0))
            steps = [way(matrix, right, aim) for way in ways]
            u[forms.free] -= steps[0]
            before, count = norm, count + 1
    fastest = min(ways, key=lambda way: way.seconds)
    rebuilt = min((way.seconds for way in ways if not way.keep), default=fastest.seconds)
    seconds = {"assembly": clock.seconds["assembly"] / count, "solve": fastest.seconds / count}
    seconds["rebuilt"] = rebuilt / count
    return March(count, seconds, f"{fastest.name}, {idiom}", u, forms.where)
