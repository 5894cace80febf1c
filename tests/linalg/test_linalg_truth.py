"""What a solve reports is true: residuals recomputed in NumPy's float64, reasons for what has no solution."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from neuralpde.linalg import CallableOperator, MatrixOperator, StencilOperator, solve_linear
from neuralpde.types import Status, UsageError

EXAMPLES = (
    "airfoil",
    "bar",
    "knot",
    "local_disc_galerkin_diffusion",
    "unit_cube",
    "unit_square",
    "recirc_flow",
    "helmholtz_2D",
)
SOLVERS = ("cg", "fcg", "minres", "gmres", "fgmres", "bicgstab", "direct")
FOR_ANY = ("gmres", "fgmres", "bicgstab", "direct")


def true_residual(A, b, x):
    """‖b − A x‖ / ‖b‖ in float64, by NumPy alone."""
    wide = np.complex128 if np.iscomplexobj(A) or np.iscomplexobj(b) else np.float64
    A, b, x = A.astype(wide), np.asarray(b, dtype=wide), np.asarray(x).astype(wide)
    return np.linalg.norm(b - A @ x) / np.linalg.norm(b)


def check_truth(A, b, solution, rtol):
    x = solution.x.numpy()
    truth = true_residual(A, b, x)
    # NumPy's own figure is rounded too: |A| |x| ε is the error of one product with A.
    noise = 2.0**-53 * np.linalg.norm(abs(A) @ abs(x) + abs(b)) / np.linalg.norm(b)
    assert solution.residual == pytest.approx(truth, rel=0.01, abs=2 * noise)
    assert not solution.status.ok or truth <= rtol * 1.01 + 2 * noise
    return truth


def example(name):
    pyamg = pytest.importorskip("pyamg")
    A = sp.csr_matrix(pyamg.gallery.load_example(name)["A"])
    return A, A @ np.random.default_rng(0).normal(size=A.shape[0])


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("M", [None, "jacobi", "amg"])
def test_matrices_of_pyamg(name, solver, M):
    A, b = example(name)
    solution = solve_linear(A, b, solver=solver, M=M, maxiter=100 if "helm" in name else 1000, raise_on_failure=False)
    check_truth(A, b, solution, 1e-8)
    if name in ("recirc_flow", "helmholtz_2D") and solver not in FOR_ANY:
        assert solution.status is Status.NONSYMMETRIC_MATRIX and solution.iterations <= 100
    elif solver == "direct" or (M == "amg" and name != "helmholtz_2D"):
        assert solution.status.ok, solution.status


@pytest.mark.parametrize("name", EXAMPLES[:6])
def test_float32_matrices_of_pyamg(name):
    A, _ = example(name)
    A = A.astype(np.float32)
    b = A.astype(np.float64) @ np.random.default_rng(1).normal(size=A.shape[0])
    for solver in ("cg", "minres", "gmres"):
        solution = solve_linear(A, b, solver=solver, M="jacobi", rtol=1e-6, maxiter=5000, raise_on_failure=False)
        check_truth(A, b, solution, 1e-6)
        assert solution.status.ok


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_two_hundred_random_systems(dtype):
    rng = np.random.default_rng(7)
    limit = 3000 if dtype is np.float64 else 1000
    for k in range(200):
        n, cond = int(rng.integers(2, 60)), 10.0 ** rng.uniform(0, 10)
        Q = np.linalg.qr(rng.normal(size=(n, n)))[0]
        A = (Q * np.geomspace(1.0, cond, n)) @ Q.T * 10.0 ** rng.uniform(-8, 8)
        A = (0.5 * (A + A.T)).astype(dtype)
        b = rng.normal(size=n) * 10.0 ** rng.uniform(-8, 8)
        solver, M = ("cg", "fcg", "minres")[k % 3], (None, "jacobi")[k % 2]
        rtol = 10.0 ** rng.uniform(-12, -3)
        solution = solve_linear(A, b, solver=solver, M=M, rtol=rtol, maxiter=limit, raise_on_failure=False)
        check_truth(A, b, solution, rtol)
        # Beyond these the matrix may have lost its definiteness, or the tolerance may be below rounding.
        within_reach = np.finfo(dtype).eps * cond < 0.01 and np.finfo(np.float64).eps * cond < rtol
        assert solution.status.ok or not within_reach, (n, cond, rtol, solution.status)


def neumann(n=30):
    T = sp.diags([-np.ones(n - 1), 2 * np.ones(n), -np.ones(n - 1)], [-1, 0, 1]).tolil()
    T[0, 0] = T[-1, -1] = 1.0
    return sp.csr_matrix(T)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("M", [None, "jacobi"])
def test_singular_compatible(solver, M):
    A = neumann()
    b = A @ np.random.default_rng(0).normal(size=30)
    solution = solve_linear(A, b, solver=solver, M=M, raise_on_failure=False)
    check_truth(A, b, solution, 1e-8)
    assert solution.status.ok, solution.status


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("M", [None, "jacobi"])
def test_singular_incompatible_has_its_reason_and_the_best_x(solver, M):
    A = neumann()
    b = A @ np.random.default_rng(0).normal(size=30) + 0.3
    solution = solve_linear(A, b, solver=solver, M=M, raise_on_failure=False)
    check_truth(A, b, solution, 1e-8)
    assert solution.status is Status.INCOMPATIBLE
    best = np.linalg.norm(np.full(30, b.mean())) / np.linalg.norm(b)
    assert solution.residual == pytest.approx(best, rel=1e-6)


def test_several_components_each_with_its_null_vector():
    weights = torch.ones(2, 12, 12, dtype=torch.float64)
    weights[0, -1] = weights[1, :, -1] = weights[0, 5] = 0.0  # two halves
    A = StencilOperator(list(weights))
    b = torch.randn(144, dtype=torch.float64)
    solution = solve_linear(A, b, M="jacobi", raise_on_failure=False)
    assert solution.status is Status.INCOMPATIBLE
    halves = b.reshape(2, 72)
    halves = halves - halves.mean(dim=1, keepdim=True)
    assert solve_linear(A, halves.reshape(-1), M="jacobi").status.ok


@pytest.mark.parametrize("solver", ["minres", "gmres", "fgmres", "bicgstab", "direct"])
def test_indefinite_matrices_are_solved_by_what_can(solver):
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.normal(size=(40, 40)))[0]
    A, b = (Q * np.linspace(-10.0, 21.0, 40)) @ Q.T, rng.normal(size=40)
    solution = solve_linear(A, b, solver=solver)
    check_truth(A, b, solution, 1e-8)


@pytest.mark.parametrize("solver", ["cg", "fcg"])
def test_indefinite_matrices_are_named(solver):
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.normal(size=(40, 40)))[0]
    A, b = (Q * np.linspace(-10.0, 21.0, 40)) @ Q.T, rng.normal(size=40)
    assert solve_linear(A, b, solver=solver, raise_on_failure=False).status is Status.INDEFINITE_MATRIX


@pytest.mark.parametrize("solver", ["cg", "fcg", "minres"])
@pytest.mark.parametrize("skew", [0.3, 3.0])
def test_nonsymmetric_matrices_are_named(solver, skew):
    rng = np.random.default_rng(0)
    N = rng.normal(size=(80, 80))
    A = np.diag(np.geomspace(1.0, 100.0, 80)) + skew * (N - N.T)
    solution = solve_linear(A, rng.normal(size=80), solver=solver, raise_on_failure=False)
    check_truth(A, A @ np.zeros(80) + np.random.default_rng(0).normal(size=(81, 80))[80], solution, 1e-8)
    assert solution.status.ok or solution.status is Status.NONSYMMETRIC_MATRIX


@pytest.mark.parametrize("solver", SOLVERS)
def test_hermitian_and_complex_systems(solver):
    rng = np.random.default_rng(0)
    G = rng.normal(size=(20, 20)) + 1j * rng.normal(size=(20, 20))
    A, b = G @ G.conj().T + 5.0 * np.eye(20), rng.normal(size=20) + 1j * rng.normal(size=20)
    for form in (A, sp.csr_matrix(A), torch.from_numpy(A)):
        solution = solve_linear(form, b, solver=solver, M="jacobi")
        assert solution.x.dtype is torch.complex128
        check_truth(A, b, solution, 1e-8)
    real = A.real.copy()
    solution = solve_linear(real, b, solver=solver)
    check_truth(real, b, solution, 1e-8)
    two = np.stack([b, 2j * b], axis=1)
    np.testing.assert_allclose(solve_linear(A, two, solver=solver).x[:, 1], 2j * np.linalg.solve(A, b), rtol=1e-5)


@pytest.mark.parametrize("solver", SOLVERS)
def test_duplicates_empty_rows_and_short_types(solver):
    A = sp.coo_array(([1.0, 1.0, 3.0, 1.0, 1.0], ([0, 0, 1, 0, 1], [0, 0, 1, 1, 0])), shape=(3, 3))
    dense = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, 0.0], [0.0, 0.0, 0.0]])
    solution = solve_linear(A, np.array([3.0, 4.0, 0.0]), solver=solver, M="jacobi", raise_on_failure=False)
    assert solution.status.ok and true_residual(dense, [3.0, 4.0, 0.0], solution.x) <= 1e-8
    unsolvable = solve_linear(A, np.array([3.0, 4.0, 1.0]), solver=solver, M="jacobi", raise_on_failure=False)
    assert unsolvable.status is Status.INCOMPATIBLE
    np.testing.assert_allclose((dense @ unsolvable.x.numpy())[:2], [3.0, 4.0], rtol=1e-6)
    for dtype in (np.int32, np.int64, np.float16, np.float32):
        x = solve_linear(dense[:2, :2].astype(dtype), np.array([3, 4], dtype=dtype), solver=solver).x
        np.testing.assert_allclose(x, [1.0, 1.0], rtol=1e-7)


@pytest.mark.parametrize("solver", SOLVERS)
def test_nan_in_the_preconditioner_is_survived(solver):
    A, b = np.diag([1.0, 2.0, 3.0]), np.ones(3)
    solution = solve_linear(A, b, solver=solver, M=np.full((3, 3), np.nan))
    check_truth(A, b, solution, 1e-8)
    assert solver == "direct" or "NaN" in solution.notes[0]


@pytest.mark.parametrize("solver", SOLVERS)
def test_no_unknowns_one_unknown_and_nothing_to_do(solver):
    assert solve_linear(np.zeros((0, 0)), np.zeros(0), solver=solver).x.shape == (0,)
    assert solve_linear(np.zeros((0, 0)), np.zeros((0, 3)), solver=solver).x.shape == (0, 3)
    assert solve_linear([[4.0]], [2.0], solver=solver).x.tolist() == pytest.approx([0.5])
    assert solve_linear([[0.0]], [0.0], solver=solver).status.ok
    assert solve_linear([[0.0]], [1.0], solver=solver, raise_on_failure=False).status is Status.INCOMPATIBLE
    assert solve_linear(np.eye(3), np.zeros(3), x0=np.ones(3), solver=solver).x.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("solver", ["cg", "fcg", "minres"])
def test_the_rounding_floor_ends_a_solve(solver):
    n = 400
    D = sp.diags([np.ones(n), -2 * np.ones(n), np.ones(n)], [-1, 0, 1], shape=(n, n))
    A = sp.csr_matrix(D @ D)  # a slender beam: condition number 1e9
    b = np.ones(n)
    solution = solve_linear(A, b, solver=solver, M="jacobi", rtol=1e-13, maxiter=10_000, raise_on_failure=False)
    check_truth(A, b, solution, 1e-13)
    assert solution.status is Status.STAGNATED and solution.iterations < 5_000
    assert any("rounding" in note for note in solution.notes)


def test_columns_are_solved_and_reported_one_by_one():
    A = np.diag(np.arange(1.0, 31.0))
    B = np.random.default_rng(0).normal(size=(30, 4))
    B[:, 1] = 0.0
    solution = solve_linear(A, B, M="jacobi")
    assert solution.x.shape == (30, 4) and len(solution.columns) == 4
    assert solution.columns[1].iterations == 0 and solution.iterations == max(c.iterations for c in solution.columns)
    for j in (0, 2, 3):
        check_truth(A, B[:, j], solution.columns[j], 1e-8)
    assert solve_linear(A, B[:, :1]).x.shape == (30, 1)
    B[3, 2] = np.nan
    broken = solve_linear(A, B, raise_on_failure=False)
    assert broken.status is Status.NON_FINITE and broken.columns[0].status.ok


def test_complex_functions_are_refused():
    with pytest.raises(UsageError, match="complex"):
        solve_linear(sp.linalg.aslinearoperator(np.eye(2) * 1j), np.ones(2))


def test_a_callable_that_is_not_linear_never_counts_as_solved():
    A = CallableOperator((30, 30), lambda x: x + 0.3 * torch.sign(x) * x.abs().sqrt(), symmetric=True)
    b = torch.randn(30, dtype=torch.float64)
    solution = solve_linear(A, b, raise_on_failure=False, maxiter=200)
    truth = float((b - A.matvec(solution.x)).norm() / b.norm())
    assert solution.residual == pytest.approx(truth, rel=0.01)


def test_a_wrong_claim_of_symmetry_is_found_out():
    rng = np.random.default_rng(0)
    A = MatrixOperator(rng.normal(size=(50, 50)) + 8.0 * np.eye(50), symmetric=True)
    assert solve_linear(A, rng.normal(size=50), raise_on_failure=False).status is Status.NONSYMMETRIC_MATRIX


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("solver", ["cg", "minres", "gmres", "direct"])
def test_residuals_near_rounding_are_those_of_exact_arithmetic(solver, sparse):
    # x is 1e8 times as long as b: the rounding errors of A x are a third of the residual
    for seed in range(3):
        g = np.random.default_rng(seed)
        n = 160
        Q = np.linalg.qr(g.standard_normal((n, n)))[0]
        A = ((Q * np.append(np.logspace(0, -1, n - 1), 1e-9)) @ Q.T).astype(np.float32)
        A = (A + A.T) / 2
        b = g.standard_normal(n)
        found = solve_linear(sp.csr_matrix(A) if sparse else A, b, solver=solver, raise_on_failure=False)
        x = [Fraction(value) for value in found.x.tolist()]
        left = [Fraction(b[i]) - sum(Fraction(float(a)) * v for a, v in zip(A[i], x, strict=True)) for i in range(n)]
        truth = np.linalg.norm([float(r) for r in left]) / np.linalg.norm(b)
        assert found.residual == pytest.approx(truth, rel=1e-6) == pytest.approx(found.history[-1], rel=1e-6)
        assert found.status.ok == (truth <= 1e-8)
