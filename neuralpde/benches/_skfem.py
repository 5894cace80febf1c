"""The baseline of finite elements: forms of scikit-fem, solved by PyAMG or SuperLU."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla

YOUNG, POISSON_RATIO = 1.0, 0.3
SHEAR = YOUNG / (2 * (1 + POISSON_RATIO))
BULK = YOUNG * POISSON_RATIO / ((1 + POISSON_RATIO) * (1 - 2 * POISSON_RATIO))
LARGEST_DIRECT = 120_000
"""Unknowns in 2D up to which SuperLU can be the fastest."""

OPTIONS = {
    (2, False): ((0.05, "V", False), (0.05, "W", True), (0.0, "W", True)),
    (3, False): ((0.0, "V", False), (0.0, "V", True), (0.0, "W", True)),
    (2, True): ((0.1, "W", False), (0.1, "W", True)),
    (3, True): ((0.02, "V", False), (0.02, "W", True)),
}
"""Thresholds of strength, cycles, and whether prolongations are smoothed by row sums instead of an estimate of the
spectral radius and candidates stay as they are (setting up then takes a third), by dimension and for several unknowns a
node: the fastest of all combinations at 1e5 unknowns, and what PyAMG does of itself."""


def unit_mesh(dim: int, cells: int) -> Any:
    """Triangles or tetrahedra of the unit square or cube, whose inner points are shifted by up to a fifth of a cell."""
    import skfem

    x = np.linspace(0.0, 1.0, cells + 1)
    made = skfem.MeshTri.init_tensor(x, x) if dim == 2 else skfem.MeshTet.init_tensor(x, x, x)
    points = made.p.copy()
    inner = ((points > 1e-9) & (points < 1 - 1e-9)).all(0)
    points[:, inner] += np.random.default_rng(0).uniform(-0.2, 0.2, (dim, inner.sum())) / cells
    return type(made)(points, made.t)


def basis_of(mesh: Any, degree: int, vector: bool, order: int) -> Any:
    """Basis functions with a quadrature of that order."""
    import skfem

    name = {2: "ElementTriP", 3: "ElementTetP"}[mesh.dim()] + str(degree)
    element = getattr(skfem, name)()
    return skfem.Basis(mesh, skfem.ElementVector(element) if vector else element, intorder=order)


def components(basis: Any, channels: int) -> np.ndarray:
    """Component of every unknown of a basis."""
    out = np.zeros(basis.N, dtype=np.int64)
    for dofs in (basis.dofs.nodal_dofs, basis.dofs.facet_dofs, basis.dofs.edge_dofs):
        for row, numbers in enumerate(dofs if dofs is not None else ()):
            out[numbers] = row % channels
    return out


def places(nodes: np.ndarray, channels: int) -> np.ndarray:
    """Node and component of unknowns whose components run fastest, ``(n c, d + 1)``."""
    each = np.repeat(nodes, channels, axis=0)
    return np.column_stack([each, np.tile(np.arange(channels), len(nodes))])


def poisson(mesh: Any, degree: int) -> tuple[sp.csr_matrix, np.ndarray, np.ndarray]:
    """∫ ∇u·∇v, ∫ v, and the places of the unknowns."""
    import skfem
    from skfem.helpers import dot, grad

    basis = basis_of(mesh, degree, False, max(1, 2 * (degree - 1)))
    matrix = skfem.BilinearForm(lambda u, v, w: dot(grad(u), grad(v))).assemble(basis)
    right = skfem.LinearForm(lambda v, w: 1.0 * v).assemble(basis)
    return matrix, right, places(basis.doflocs.T, 1)


def elasticity(mesh: Any, degree: int) -> tuple[sp.csr_matrix, np.ndarray, np.ndarray]:
    """∫ σ(u):ε(v) by the form of vectors, −∫ v_d, and the places of the unknowns."""
    import skfem
    from skfem.helpers import ddot, div, sym_grad

    def form(u: Any, v: Any, w: Any) -> Any:
        return BULK * div(u) * div(v) + 2 * SHEAR * ddot(sym_grad(u), sym_grad(v))

    basis = basis_of(mesh, degree, True, max(1, 2 * (degree - 1)))
    matrix = skfem.BilinearForm(form).assemble(basis)
    right = skfem.LinearForm(lambda v, w: -1.0 * v.value[-1]).assemble(basis)
    return matrix, right, np.column_stack([basis.doflocs.T, components(basis, mesh.dim())])


def elasticity_by_scalars(mesh: Any, degree: int) -> tuple[sp.csr_matrix, np.ndarray, np.ndarray]:
    """The same from ∫ ∂_a φ_i ∂_b φ_j of scalar elements: d (d + 1)/2 light forms, and sums of sparse matrices."""
    import skfem

    d = mesh.dim()
    basis = basis_of(mesh, degree, False, max(1, 2 * (degree - 1)))
    parts: dict[tuple[int, int], Any] = {}
    for a, b in combinations_with_replacement(range(d), 2):
        # the row is the test function's: ∂_a v ∂_b u
        parts[a, b] = skfem.BilinearForm(lambda u, v, w, a=a, b=b: u.grad[b] * v.grad[a]).assemble(basis)
        parts[b, a] = parts[a, b].T if a != b else parts[a, b]
    whole = sum(parts[a, a] for a in range(d))
    blocks = [
        [BULK * parts[a, b] + SHEAR * parts[b, a] + (SHEAR * whole if a == b else 0 * whole) for b in range(d)]
        for a in range(d)
    ]
    order = (np.arange(basis.N)[:, None] + basis.N * np.arange(d)).reshape(-1)
    matrix = sp.bmat(blocks, format="csr")[order][:, order]
    load = skfem.LinearForm(lambda v, w: -1.0 * v).assemble(basis)
    right = np.zeros((basis.N, d))
    right[:, -1] = load
    return matrix, right.reshape(-1), places(basis.doflocs.T, d)


def free_numbers(kind: str, where: np.ndarray) -> np.ndarray:
    """Numbers of the unknowns that are not held: at u = 0 on the boundary, or clamped at x = 0."""
    x = where[:, :-1]
    held = ((x < 1e-9) | (x > 1 - 1e-9)).any(1) if kind == "poisson" else x[:, 0] < 1e-9
    return np.flatnonzero(~held)


def rigid_motions(where: np.ndarray) -> np.ndarray:
    """Shifts and rotations at unknowns of known places."""
    x, component = where[:, :-1], where[:, -1].astype(int)
    d = x.shape[1]
    modes = [(component == i).astype(float) for i in range(d)]
    for i in range(d):
        for j in range(i + 1, d):
            modes.append((component == j) * x[:, i] - (component == i) * x[:, j])
    return np.stack(modes, axis=1)


Solver = Callable[[sp.csr_matrix, np.ndarray, np.ndarray], tuple[np.ndarray, int]]
"""(matrix, right side, places) → the solution and the number of iterations."""


def solvers(dim: int, vector: bool, size: int, rtol: float) -> Iterator[tuple[str, Solver]]:
    """Ways to solve a system, by their names."""
    for theta, cycle, light in OPTIONS[dim, vector]:
        name = f"SA θ={theta} {cycle}" + (" light" if light else "")
        yield name, _aggregation(dim if vector else 1, theta, cycle, light, rtol)
    if dim == 2 and size <= LARGEST_DIRECT:
        yield "SuperLU", _direct


def _direct(matrix: sp.csr_matrix, right: np.ndarray, where: np.ndarray) -> tuple[np.ndarray, int]:
    options = {"SymmetricMode": True}
    factors = spla.splu(matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.01, options=options)
    return factors.solve(right), 0


def _aggregation(block: int, theta: float, cycle: str, light: bool, rtol: float) -> Solver:
    def solve(matrix: sp.csr_matrix, right: np.ndarray, where: np.ndarray) -> tuple[np.ndarray, int]:
        import pyamg

        name = "block_gauss_seidel" if block > 1 else "gauss_seidel"
        sweeps = {"presmoother": (name, {"sweep": "forward"}), "postsmoother": (name, {"sweep": "backward"})}
        options: dict[str, Any] = {"strength": ("symmetric", {"theta": theta}), "max_coarse": 100, **sweeps}
        if light:
            options |= {"smooth": ("jacobi", {"omega": 4 / 3, "weighting": "local"}), "improve_candidates": None}
        if block > 1:
            matrix, options["B"] = matrix.tobsr((block, block)), rigid_motions(where)
        multigrid = pyamg.smoothed_aggregation_solver(matrix, **options).aspreconditioner(cycle=cycle)
        x, count = np.zeros_like(right), [0]
        goal = rtol * np.linalg.norm(right)

        def counted(_: np.ndarray) -> None:
            count[0] += 1

        for _ in range(5):  # the recurrence may stop a little early
            rest = right - matrix @ x
            size = np.linalg.norm(rest)
            if size <= goal:
                break
            x = x + spla.cg(matrix, rest, rtol=goal / size, maxiter=500, M=multigrid, callback=counted)[0]
        return x, count[0]

    return solve


def hessian(
    mesh: Any, degree: int, displacement: Callable[[np.ndarray], np.ndarray], order: int
) -> tuple[Any, float, float]:
    """∂²/∂u∂v ∫ Ψ of the neo-Hookean energy at a displacement of the nodes, by its second derivative, and its seconds,
    with the basis and without: P = μ (F − F⁻ᵀ) + λ ln J F⁻ᵀ, dP = μ dF + (μ − λ ln J) F⁻ᵀ dFᵀ F⁻ᵀ + λ (F⁻ᵀ:dF) F⁻ᵀ."""
    import skfem
    from skfem.helpers import ddot, det, grad, identity, inv, mul, transpose

    def form(du: Any, v: Any, w: Any) -> Any:
        across, log, slope = w["across"], w["log"], grad(du)
        turned = mul(across, mul(transpose(slope), across))
        return (
            SHEAR * ddot(slope, grad(v))
            + (SHEAR - BULK * log) * ddot(turned, grad(v))
            + BULK * ddot(across, slope) * ddot(across, grad(v))
        )

    begin = time.process_time()
    basis = basis_of(mesh, degree, True, order)
    component = components(basis, mesh.dim())
    u = displacement(basis.doflocs.T)[np.arange(basis.N), component]
    made = time.process_time()
    f = grad(basis.interpolate(u))
    f = f + identity(f)
    across = transpose(inv(f))
    matrix = skfem.BilinearForm(form).assemble(basis, across=across, log=np.log(det(f)))
    end = time.process_time()
    return (matrix, np.column_stack([basis.doflocs.T, component])), end - begin, end - made
