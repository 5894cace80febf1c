"""Every solver against NumPy, and the honesty of what it reports."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from neuralpde.linalg import BoxLaplacian, CallableOperator, MatrixOperator, solve_linear
from neuralpde.linalg.gmres import _orthogonalise
from neuralpde.types import NotConvergedError, Status

SEEDS = range(3)


def spd(n, condition, seed):
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.normal(size=(n, n)))[0]
    A = (Q * np.geomspace(1.0, condition, n)) @ Q.T
    return (A + A.T) / 2, rng.normal(size=n)


def nonsymmetric(n, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, n)) + 12.0 * np.eye(n), rng.normal(size=n)


def poisson(m):
    T = sp.diags([-np.ones(m - 1), 2 * np.ones(m), -np.ones(m - 1)], [-1, 0, 1])
    return sp.csr_matrix(sp.kronsum(T, T))


def true_residual(A, b, solution):
    A = A.toarray() if sp.issparse(A) else A
    b = np.asarray(b, dtype=np.float64)
    return np.linalg.norm(b - A.astype(np.float64) @ solution.x.numpy()) / np.linalg.norm(b)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("solver", "M", "form"),
    [
        ("cg", None, np.asarray),
        ("cg", "jacobi", sp.csr_matrix),
        ("gmres", None, np.asarray),
        ("gmres", "jacobi", sp.csr_matrix),
        ("direct", None, np.asarray),
        ("direct", None, sp.csr_matrix),
    ],
)
def test_spd_against_numpy(solver, M, form, seed, dtype):
    A, b = spd(80, 100.0, seed)
    A, b = A.astype(dtype), b.astype(dtype)
    solution = solve_linear(form(A), b, solver=solver, M=M, rtol=1e-9)
    assert solution.status is Status.CONVERGED_RTOL
    assert solution.x.dtype is torch.float64
    exact = np.linalg.solve(A.astype(np.float64), b.astype(np.float64))
    # error / |x| ≤ cond · residual
    assert np.linalg.norm(solution.x.numpy() - exact) <= 1.1e-7 * np.linalg.norm(exact)
    truth = true_residual(A, b, solution)
    assert truth <= 1e-9
    # Residuals of a few eps differ by rounding between two ways to compute them.
    assert solution.residual == pytest.approx(truth, rel=0.01, abs=1e-14)
    assert solution.history[-1] == solution.residual
    assert len(solution.history) == solution.iterations + 1
    assert solution.notes == ()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("solver", ["gmres", "direct"])
@pytest.mark.parametrize("restart", [5, 50])
def test_nonsymmetric_against_numpy(solver, seed, restart):
    A, b = nonsymmetric(70, seed)
    solution = solve_linear(A, b, solver=solver, restart=restart, rtol=1e-10)
    exact = np.linalg.solve(A, b)
    assert np.linalg.norm(solution.x.numpy() - exact) <= 1e-10 * np.linalg.cond(A) * np.linalg.norm(exact)
    assert solution.residual == pytest.approx(true_residual(A, b, solution), rel=0.01, abs=1e-14)


def test_cg_takes_no_more_iterations_than_theory_allows():
    A, b = spd(300, 100.0, 0)
    solution = solve_linear(A, b, rtol=1e-8)
    # 2 ((√κ−1)/(√κ+1))^k ≥ energy error; the residual may lag by √κ.
    bound = np.log(2 * 10 / 1e-8) / -np.log(9 / 11)
    assert solution.iterations <= bound
    assert solve_linear(np.diag([1.0, 2.0, 3.0, 3.0]), np.ones(4)).iterations <= 3  # one per distinct eigenvalue


def test_gmres_is_exact_after_n_steps_and_monotone():
    A, b = nonsymmetric(30, 1)
    solution = solve_linear(A, b, solver="gmres", rtol=1e-13)
    assert solution.iterations <= 31
    history = np.array(solution.history)
    assert (history[1:] <= history[:-1] * (1 + 1e-9)).all()


def test_gmres_basis_stays_orthogonal_next_to_dependence():
    rng = np.random.default_rng(0)
    V = torch.from_numpy(np.linalg.qr(rng.normal(size=(200, 20)))[0].T.copy())
    w = V.T @ torch.ones(20, dtype=torch.float64) + 1e-9 * torch.from_numpy(rng.normal(size=200))
    coefficients, left = _orthogonalise(w, V)
    assert float((V @ left).norm() / left.norm()) < 1e-15 * 20  # one pass leaves 1e-8
    np.testing.assert_allclose(V.T @ torch.from_numpy(coefficients[:-1]) + left, w, rtol=0, atol=1e-14)


def test_gmres_on_a_matrix_of_condition_1e10():
    rng = np.random.default_rng(0)
    U, V = (np.linalg.qr(rng.normal(size=(40, 40)))[0] for _ in range(2))
    A = (U * np.geomspace(1.0, 1e-10, 40)) @ V.T
    assert solve_linear(A, A @ rng.normal(size=40), solver="gmres", rtol=1e-11, maxiter=41).status.ok


def test_jacobi_helps_a_badly_scaled_matrix():
    A, b = spd(100, 10.0, 0)
    scale = np.geomspace(1.0, 1e3, 100)
    A = scale[:, None] * A * scale
    plain = solve_linear(A, b, maxiter=5000, raise_on_failure=False)
    jacobi = solve_linear(A, b, M="jacobi")
    assert jacobi.iterations * 5 < plain.iterations


def test_float32_recurrence_is_refined_to_the_truth():
    A, b = poisson(48), np.ones(48**2)
    solution = solve_linear(A.astype(np.float32), b, rtol=1e-11)
    assert true_residual(A, b, solution) <= 1e-11


def test_float32_costs_little_more_than_float64():
    # A recurrence followed far below float32 rounding wastes its iterations: 1.9 times those of float64.
    A, b = spd(200, 1e4, 0)
    counts = [solve_linear(A.astype(dtype), b).iterations for dtype in (np.float64, np.float32)]
    assert counts[1] <= 1.7 * counts[0]


def test_unreachable_tolerance_is_never_reported_as_reached():
    A, b = poisson(32), np.ones(32**2)
    for solver in ("cg", "gmres", "direct"):
        solution = solve_linear(A, b, solver=solver, rtol=1e-18, raise_on_failure=False, maxiter=2000)
        assert solution.status in (Status.STAGNATED, Status.MAXITER)
        assert solution.residual == pytest.approx(true_residual(A, b, solution), rel=0.5)
        assert solution.residual < 1e-10  # what was reached is kept


def test_float32_callable_that_cannot_do_better_says_so():
    A = MatrixOperator(poisson(48).astype(np.float32))
    only32 = CallableOperator(A.shape, A.matvec, symmetric=True, dtype=torch.float32)
    solution = solve_linear(only32, np.ones(48**2), raise_on_failure=False)
    assert solution.status is Status.STAGNATED
    assert 1e-8 < solution.residual < 1e-3


@pytest.mark.parametrize("solver", ["cg", "gmres", "direct"])
@pytest.mark.parametrize("factor", [1e-250, 1e-30, 1e30, 1e250])
def test_scale_of_b_does_not_matter(solver, factor):
    A, b = spd(40, 50.0, 2)
    solution = solve_linear(A, factor * b, solver=solver)
    expected = np.linalg.solve(A, b)
    np.testing.assert_allclose(solution.x.numpy() / factor, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_atol_and_its_status():
    A, b = spd(40, 50.0, 2)
    solution = solve_linear(A, b, rtol=0.0, atol=1e-3)
    assert solution.status is Status.CONVERGED_ATOL
    assert 1e-6 < np.linalg.norm(b - A @ solution.x.numpy()) <= 1e-3


def test_x0_is_used_and_left_alone():
    A, b = spd(40, 50.0, 2)
    guess = torch.from_numpy(np.linalg.solve(A, b))
    kept = guess.clone()
    solution = solve_linear(A, b, x0=guess)
    assert solution.iterations == 0 and solution.status.ok
    solution.x.zero_()
    assert torch.equal(guess, kept)
    near = solve_linear(A, b, x0=guess + 1e-6 * torch.randn_like(guess))
    assert 0 < near.iterations < solve_linear(A, b).iterations


def test_x0_worse_than_zero_still_converges():
    A, b = spd(40, 50.0, 2)
    assert true_residual(A, b, solve_linear(A, b, x0=1e6 * np.ones(40))) <= 1e-8


def test_callback_sees_every_iteration():
    A, b = spd(40, 50.0, 2)
    for solver in ("cg", "gmres"):
        seen = []
        solution = solve_linear(A, b, solver=solver, callback=lambda k, residual, seen=seen: seen.append((k, residual)))
        assert [k for k, _ in seen] == list(range(1, solution.iterations + 1))
        np.testing.assert_allclose([r for _, r in seen], solution.history[1:], rtol=0.05)


def test_maxiter_is_exact_and_the_partial_answer_is_kept():
    A, b = spd(100, 1e4, 0)
    for solver in ("cg", "gmres"):
        solution = solve_linear(A, b, solver=solver, maxiter=7, raise_on_failure=False)
        assert solution.status is Status.MAXITER and solution.iterations == 7
        assert float(solution.x.norm()) > 0
        assert solution.residual == pytest.approx(true_residual(A, b, solution), rel=0.01)
    with pytest.raises(NotConvergedError, match="maxiter") as caught:
        solve_linear(A, b, maxiter=7)
    assert caught.value.result.iterations == 7


def test_cg_cut_short_has_lowered_the_energy():
    # The residual may grow meanwhile: that must not throw the iterate away.
    A, b = spd(200, 1e8, 1)
    exact = np.linalg.solve(A, b)
    energies = []
    for maxiter in (0, 10, 40, 80):
        error = solve_linear(A, b, maxiter=maxiter, raise_on_failure=False).x.numpy() - exact
        energies.append(error @ A @ error)
    assert energies[0] > energies[1] > energies[2] > energies[3]


def test_no_gradient_is_recorded_unless_asked_for():
    A, b = spd(20, 10.0, 0)
    assert not solve_linear(A, b).x.requires_grad
    with torch.no_grad():
        assert not solve_linear(A, torch.from_numpy(b).requires_grad_()).x.requires_grad


def test_operators_of_other_classes_are_accepted():
    box = BoxLaplacian((6, 5), 0.2, "dirichlet", 1.0)
    b = torch.randn(30, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = np.linalg.solve(box.to_csr().toarray(), b.numpy())
    for solver in ("cg", "gmres", "direct"):
        x = solve_linear(box, b, solver=solver, rtol=1e-11).x
        np.testing.assert_allclose(x.numpy(), expected, rtol=0, atol=1e-9 * np.abs(expected).max())


def test_inputs_of_every_type_give_the_same_answer():
    A = [[4.0, 1.0], [1.0, 3.0]]
    expected = np.array([1.0, 7.0]) / 11.0
    for form in (A, np.array(A), torch.tensor(A), torch.tensor(A).half(), np.array(A, dtype=int), sp.coo_array(A)):
        for b in ([1, 2], np.array([1, 2]), torch.tensor([1.0, 2.0]).half()):
            np.testing.assert_allclose(solve_linear(form, b).x.numpy(), expected, rtol=1e-7)
