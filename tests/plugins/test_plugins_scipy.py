"""The plug-in of SciPy: its Krylov solvers with our preconditioners, and our solvers in their place."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import bicgstab, cg, gmres, minres, spsolve

from neuralpde.plugins.scipy import Solver, as_preconditioner, solve
from neuralpde.types import NotConvergedError, UsageError

KINDS = ("multigrid", "amg", "ic", "ssor", "chebyshev", "jacobi", "direct", "identity")
STRONG = ("multigrid", "amg", "direct")
# SciPy before 1.12 calls it `tol`
TOLERANCE = "rtol" if "rtol" in inspect.signature(cg).parameters else "tol"


def dirichlet(*shape: int) -> sp.csr_matrix:
    """The Laplacian with its −4 (−6) on the diagonal and u = 0 beyond the grid, as scripts write it."""
    A = sp.csr_matrix((1, 1))
    for cells in shape:
        line = sp.diags([1.0, -2.0, 1.0], [-1, 0, 1], shape=(cells, cells))
        A = sp.kronsum(line, A)
    return sp.csr_matrix(A)


def neumann(rows: int, columns: int) -> sp.csr_matrix:
    """The same without flow through the boundary: singular."""

    def line(n: int) -> sp.csr_matrix:
        ones = np.ones(n)
        ones[[0, -1]] = 0.5
        return sp.diags([np.ones(n - 1), -2 * ones, np.ones(n - 1)], [-1, 0, 1])

    return sp.csr_matrix(sp.kronsum(line(columns), line(rows)))


def draw(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(n)


def run(krylov: Callable[..., Any], A: Any, b: np.ndarray, M: Any = None, **options: Any) -> tuple[np.ndarray, int]:
    """x and the iterations of a solver of SciPy's, which must say that it converged."""
    count: list[int] = []
    options.setdefault("maxiter", 2000)
    x, info = krylov(A, b, **{TOLERANCE: 1e-9}, M=M, callback=lambda _: count.append(1), **options)
    assert info == 0
    return x, len(count)


def residual(A: Any, b: np.ndarray, x: np.ndarray) -> float:
    return float(np.linalg.norm(b - A @ x) / np.linalg.norm(b))


def grid_of(kind: str, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"shape": shape} if kind == "multigrid" else {}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_kinds_in_cg(kind: str, sign: float) -> None:
    A, b = sign * dirichlet(40, 30), draw(1200)
    M = as_preconditioner(A, kind, **grid_of(kind, (40, 30)))
    x, iterations = run(cg, A, b, M)
    assert residual(A, b, x) < 1.1e-9
    assert iterations <= (12 if kind in STRONG else 140)


@pytest.mark.parametrize("krylov", [cg, minres, bicgstab, gmres])
def test_every_solver_of_scipy(krylov: Callable[..., Any]) -> None:
    A, b = -dirichlet(32, 32), draw(1024)
    M = as_preconditioner(A, shape=(32, 32))
    options = {"callback_type": "pr_norm"} if krylov is gmres else {}
    x, iterations = run(krylov, A, b, M, **options)
    assert residual(A, b, x) < 1e-7  # MINRES stops on another norm
    assert iterations <= 15


@pytest.mark.parametrize("kind", STRONG)
def test_complex_right_hand_sides_of_a_real_matrix(kind: str) -> None:
    A, b = dirichlet(16, 20), draw(320) + 1j * draw(320, 1)
    M = as_preconditioner(A, kind, **grid_of(kind, (16, 20)))
    np.testing.assert_array_equal(M @ b, M @ b.real + 1j * (M @ b.imag))
    x, iterations = run(cg, A, b, M)
    assert residual(A, b, x) < 1.1e-9
    assert iterations <= 12


def test_three_dimensions() -> None:
    A, b = dirichlet(12, 10, 8), draw(960)
    x, iterations = run(cg, A, b, as_preconditioner(A, shape=(12, 10, 8)))
    assert residual(A, b, x) < 1.1e-9
    assert iterations <= 12


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_m_is_linear_symmetric_and_of_the_sign_of_a(kind: str, sign: float) -> None:
    A = sign * dirichlet(16, 12)
    M = as_preconditioner(A, kind, **grid_of(kind, (16, 12)))
    assert M.shape == A.shape and M.dtype == np.float64
    r, s = draw(192, 1), draw(192, 2)
    Mr, Ms = M @ r, M @ s
    assert abs(s @ Mr - r @ Ms) <= 1e-5 * abs(s) @ abs(Mr)
    assert np.allclose(M @ (2.0 * r - s), 2.0 * Mr - Ms, rtol=0, atol=1e-5 * abs(Mr).max())
    assert np.allclose(M.T @ r, Mr, rtol=0, atol=1e-5 * abs(Mr).max())
    if kind != "identity":
        assert np.sign(r @ Mr) == -sign
    both = M @ np.stack([r, s], axis=1)
    assert np.allclose(both, np.stack([Mr, Ms], axis=1), rtol=0, atol=1e-12 * abs(both).max())
    assert np.allclose(M @ r.astype(np.float32), Mr, atol=1e-5 * abs(Mr).max())


def test_pure_neumann_walls() -> None:
    """p is fixed up to a constant; b has none."""
    A, b = neumann(48, 32), draw(48 * 32)
    b -= b.mean()
    for kind in ("multigrid", "amg"):
        x, iterations = run(cg, A, b, as_preconditioner(A, kind, **grid_of(kind, (48, 32))))
        assert residual(A, b, x) < 1.1e-9
        assert iterations <= 14
    assert residual(A, b, solve(A, b, shape=(48, 32))) <= 1e-8


def test_a_pressure_that_is_held_symmetrically() -> None:
    A = neumann(24, 24).tolil()
    A[0, :], A[:, 0], A[0, 0] = 0.0, 0.0, 1.0  # a positive 1 among diagonals of −4
    A, b = A.tocsr(), draw(576)
    b[0] = 0.0
    x, iterations = run(cg, A, b, as_preconditioner(A, shape=(24, 24)))
    assert residual(A, b, x) < 1.1e-9
    assert x[0] == 0.0
    assert iterations <= 16
    b[0] = 3.0
    assert abs(solve(A, b, shape=(24, 24)) - spsolve(A.tocsc(), b)).max() < 1e-5


def test_a_pressure_that_is_held_by_its_row_alone() -> None:
    A = neumann(24, 24).tolil()
    A[0, :], A[0, 0] = 0.0, 1.0
    A, b = A.tocsr(), draw(576)
    with pytest.raises(UsageError, match=r"row 0 of A fixes an unknown.*b -= A"):
        as_preconditioner(A, shape=(24, 24))
    x = solve(A, b, shape=(24, 24), rtol=1e-10)
    assert x[0] == pytest.approx(b[0])
    assert residual(A, b, x) < 1e-8
    assert abs(x - spsolve(A.tocsc(), b)).max() < 1e-5 * abs(x).max()


def test_values_on_a_boundary_as_rows_of_the_identity() -> None:
    """Unknowns on the boundary too, rows of the identity for them: the first programs on u'' + u'' = f."""
    n = 25
    inner = np.zeros((n, n), dtype=bool)
    inner[1:-1, 1:-1] = True
    chosen = sp.diags(inner.ravel().astype(float))
    A = sp.csr_matrix(chosen @ dirichlet(n, n) + sp.diags(1.0 - inner.ravel()))
    y, x = np.meshgrid(np.linspace(0, 1, n), np.linspace(0, 1, n), indexing="ij")
    harmonic = (x**2 - y**2).ravel()
    b = np.where(inner.ravel(), 0.0, harmonic)
    with pytest.raises(UsageError, match=r"row 1 of A \(and \d+ more\) fixes an unknown"):
        as_preconditioner(A, shape=(n, n))
    for given in ({"shape": (n, n)}, {"kind": "amg"}, {"kind": "direct"}):
        assert abs(solve(A, b, rtol=1e-10, **given) - harmonic).max() < 1e-8


@pytest.mark.parametrize("value", [0.0, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("columns", [0, 2])
def test_tolerances_are_of_the_system_with_its_fixed_rows(value: float, columns: int) -> None:
    n = 32
    A = (neumann(n, n) * float(n) ** 2).tolil()
    A[0], A[0, 0] = 0.0, 1.0
    b = draw(n * n) if columns == 0 else np.stack([draw(n * n, seed) for seed in range(columns)], axis=1)
    b[0] = value
    solver = Solver(A, shape=(n, n))
    x = solver.solve(b, x0=np.ones_like(b), rtol=1e-7)
    each = np.linalg.norm(b - A @ x, axis=0) / np.linalg.norm(b, axis=0)
    assert solver.solution is not None and np.max(each) <= 1e-7
    assert solver.solution.residual == pytest.approx(np.max(each), rel=1e-2)
    with pytest.raises(NotConvergedError):
        solver.solve(b, maxiter=0)


def spread_over_decades(n: int, decades: float, seed: int) -> sp.csr_matrix:
    """Harmonic means of cells whose coefficients go over many decades; the first row of cells is held at 0."""
    k = 10.0 ** np.random.default_rng(seed).uniform(-decades, decades, (n, n))
    number = np.arange(n * n).reshape(n, n)
    sides = [(number[:, :-1], number[:, 1:]), (number[:-1], number[1:])]
    first, second = (np.concatenate([side[end].ravel() for side in sides]) for end in (0, 1))
    weights = 2.0 / (1.0 / k.ravel()[first] + 1.0 / k.ravel()[second])
    links = sp.coo_matrix((weights, (first, second)), shape=(n * n, n * n))
    links = links + links.T
    held = np.r_[2.0 * k[0], np.zeros(n * n - n)]
    return sp.csr_matrix(sp.diags(np.asarray(links.sum(axis=1)).ravel() + held) - links)


def true_residual(A: sp.csr_matrix, b: np.ndarray, x: np.ndarray) -> float:
    """Of the worst column, in more digits than float64 has."""
    r = (b - A.astype(np.longdouble) @ x).astype(float)
    return float(np.max(np.linalg.norm(r, axis=0) / np.linalg.norm(b, axis=0)))


@pytest.mark.parametrize("decades", [5, 6])
@pytest.mark.parametrize("columns", [0, 2])
def test_residuals_are_of_the_matrix_that_was_given(decades: int, columns: int) -> None:
    """The grid form differs from it by rounding errors, which count where coefficients go over ten decades."""
    for seed in range(4):
        A = spread_over_decades(48, decades, seed)
        b = draw(48 * 48, seed) if columns == 0 else np.stack([draw(48 * 48, 7 * seed + j) for j in range(2)], axis=1)
        solver = Solver(A, shape=(48, 48))

        least = true_residual(A, b, spsolve(A.tocsc(), b))
        for rtol in (1e-8, 1e-9, 1e-10):
            try:
                x = solver.solve(b, rtol=rtol)
                assert true_residual(A, b, x) <= rtol
            except NotConvergedError as error:
                x = error.result.x.numpy()
                assert rtol < true_residual(A, b, x) < 3.0 * least  # where elimination ends too
            assert solver.solution is not None
            assert solver.solution.residual == pytest.approx(true_residual(A, b, x), rel=1e-2)


def solid_square(n: int) -> tuple[sp.csr_matrix, np.ndarray]:
    """A channel around a square with rows of the identity in it, and where the fluid is."""
    fluid = np.ones((n, n), dtype=bool)
    fluid[n // 3 : n // 2, n // 3 : n // 2] = False
    A = neumann(n, n).tolil()
    for i in np.flatnonzero(~fluid):
        for j in A.rows[i].copy():
            if j != i and fluid.ravel()[j]:
                A[j, j] += 1.0  # no flow through the wall
            A[i, j], A[j, i] = 0.0, 0.0
        A[i, i] = 1.0
    for last in range(n - 1, n * n, n):
        A[last, last] -= 2.0  # open at the right
    return sp.csr_matrix(A), fluid


def test_solid_cells_as_rows_of_the_identity() -> None:
    A, fluid = solid_square(36)
    b = np.where(fluid.ravel(), draw(36 * 36), 0.0)
    x, iterations = run(cg, A, b, as_preconditioner(A, shape=(36, 36)))
    assert residual(A, b, x) < 1.1e-9
    assert iterations <= 14
    assert (x[~fluid.ravel()] == 0.0).all()
    assert abs(solve(A, b, shape=(36, 36), rtol=1e-10) - x).max() < 1e-6 * abs(x).max()


def test_rows_for_fluid_cells_alone() -> None:
    A, fluid = solid_square(36)
    A = A[fluid.ravel()][:, fluid.ravel()]
    b = draw(A.shape[0])
    x, iterations = run(cg, A, b, as_preconditioner(A, shape=(36, 36), mask=fluid))
    assert residual(A, b, x) < 1.1e-9
    assert iterations <= 14
    solver = Solver(A, shape=(36, 36), mask=fluid)
    assert residual(A, b, solver.solve(b, x0=0.5 * x)) <= 1e-8
    two = solver.solve(np.stack([b, -b], axis=1), rtol=1e-10)
    assert two.shape == (len(b), 2)
    assert np.allclose(two[:, 0], -two[:, 1], atol=1e-6 * abs(two).max())
    with pytest.raises(UsageError):
        as_preconditioner(A, shape=(36, 36))
    with pytest.raises(UsageError, match=r"Boolean array of shape \(36, 36\)"):
        as_preconditioner(A, shape=(36, 36), mask=fluid.ravel())
    with pytest.raises(UsageError, match="mask is for kind='multigrid'"):
        as_preconditioner(A, "amg", mask=fluid)


def test_a_matrix_that_changes() -> None:
    A, b = -dirichlet(32, 32), draw(1024)
    M = as_preconditioner(A, shape=(32, 32))
    solver = Solver(A, shape=(32, 32))
    heavy = A + sp.diags(np.repeat([0.0, 50.0], 512))
    stale, _ = run(cg, heavy, b, M)
    x, iterations = run(cg, heavy, b, M.update(heavy))
    assert iterations == run(cg, heavy, b, as_preconditioner(heavy, shape=(32, 32)))[1]
    assert abs(x - stale).max() < 1e-6
    assert residual(heavy, b, solver.update(heavy).solve(b)) <= 1e-8
    for thing in (M, solver):
        with pytest.raises(UsageError, match=r"for matrices of shape \(1024, 1024\), got \(16, 16\)"):
            thing.update(dirichlet(4, 4))
    A.data[:] = np.nan  # what was read was copied
    assert np.isfinite(M @ b).all()


def test_solve_is_spsolve() -> None:
    A, b = dirichlet(20, 20), draw(400)
    exact = spsolve(A.tocsc(), b)
    for given in ({}, {"shape": (20, 20)}, {"kind": "jacobi"}, {"solver": "direct", "kind": "identity"}):
        assert abs(solve(A, b, rtol=1e-12, **given) - exact).max() < 1e-8 * abs(exact).max()
    whole = sp.csr_matrix(A, dtype=np.int64)
    assert abs(solve(whole, np.ones(400, dtype=int), shape=(20, 20)) - spsolve(A.tocsc(), np.ones(400))).max() < 1e-5


def test_right_hand_sides_of_any_kind() -> None:
    A, b = dirichlet(8, 8), draw(64)
    x = solve(A, b, shape=(8, 8))
    for given in (b[:, None], sp.csr_matrix(b[:, None]), np.stack([b, b, b], axis=1)):
        found = solve(A, given, shape=(8, 8))
        assert found.shape == given.shape
        assert np.allclose(found, x[:, None], rtol=0, atol=1e-6)
    assert np.allclose(solve(A, list(b), shape=(8, 8)), x)
    assert not solve(A, np.zeros(64), shape=(8, 8)).any()


@pytest.mark.parametrize("shape", [(1, 50), (50, 1), (50,), (1, 1), (2, 3), (1, 5, 10)])
def test_flat_and_tiny_grids(shape: tuple[int, ...]) -> None:
    A, b = dirichlet(*shape), draw(int(np.prod(shape)))
    x, iterations = run(cg, A, b, as_preconditioner(A, shape=shape))
    assert residual(A, b, x) < 1.1e-9
    assert iterations <= 3


def test_implicit_heat_and_a_pressure_held_by_a_penalty() -> None:
    for A in (sp.eye(576) - 0.1 * dirichlet(24, 24), neumann(24, 24) - sp.diags(np.r_[1e8, np.zeros(575)])):
        b = draw(576)
        x, iterations = run(cg, A, b, as_preconditioner(A, shape=(24, 24)))
        assert residual(A, b, x) < 1.1e-9
        assert iterations <= 14


def test_a_solve_that_no_x_can_satisfy_says_so() -> None:
    A, b = neumann(24, 24), 1.0 + draw(576)
    with pytest.raises(NotConvergedError, match="singular and the right-hand side is not in its range"):
        solve(A, b, shape=(24, 24))
    b[7] = np.nan
    with pytest.raises(NotConvergedError, match="b holds 1 NaN or Inf among 576"):
        solve(A, b, shape=(24, 24))


def test_solve_a_matrix_that_is_not_symmetric() -> None:
    wind = sp.diags([-1.0, 1.0], [-1, 1], shape=(20, 20))
    A = sp.csr_matrix(-dirichlet(20, 20) + 0.5 * sp.kron(sp.eye(20), wind))
    b = draw(400)
    assert residual(A, b, solve(A, b, rtol=1e-9)) <= 1e-9
    with pytest.raises(UsageError, match="symmetric"):
        solve(A, b, shape=(20, 20))


def test_what_fails_raises() -> None:
    A, b = dirichlet(20, 20), draw(400)
    with pytest.raises(NotConvergedError, match="iteration limit"):
        solve(A, b, kind="jacobi", maxiter=3)
    with pytest.raises(UsageError, match=r"b has shape \(20, 20\).*ravel"):
        solve(A, b.reshape(20, 20), shape=(20, 20))
    with pytest.raises(UsageError, match="x0 has shape"):
        solve(A, b, x0=b[:-1])
    with pytest.raises(UsageError, match="complex"):
        solve(A, 1j * b)
    coupled = A.tolil()
    coupled[0, 1] = coupled[1, 0] = -1.0  # a weight below 0 between the others
    for made in (as_preconditioner, Solver):
        with pytest.raises(UsageError, match=r"M-matrix.*use kind='amg'"):
            made(coupled, shape=(20, 20))
        with pytest.raises(UsageError, match=r"shares no face.*: kind='amg' takes"):
            made(A @ A, shape=(20, 20))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kind": "multigird"}, "did you mean 'multigrid'"),
        ({}, r"needs shape=.*fit shape=\(20, 12\)"),
        ({"shape": 20}, r"shape is a tuple with the number of cells.*such as \(128, 64\), got 20"),
        ({"shape": (20, -12)}, r"whole numbers ≥ 1.*got \(20, -12\)"),
        ({"shape": (20.7, 12.2)}, r"whole numbers ≥ 1.*got \(20.7, 12.2\)"),
        ({"shape": "20,12"}, "is a tuple.*got '20,12'"),
        ({"shape": (None, 12)}, r"is a tuple.*got \(None, 12\)"),
        ({"shape": (12, 20)}, r"fits shape=\(20, 12\)"),
        ({"shape": (20, 11)}, r"has 220 cells"),
        ({"kind": "amg", "smother": 1}, "does not take the options smother: it takes .*near_nullspace"),
        ({"shape": (20, 12), "tol": 1e-3}, "does not take the options tol: it takes smoother; SciPy's tol is rtol"),
        ({"kind": "identity", "omega": 1.0}, "does not take the options omega: it takes none"),
    ],
)
def test_sentences(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        as_preconditioner(dirichlet(20, 12), **given)
