"""Good preconditioners help; bad ones cost themselves, never the answer."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from neuralpde.linalg import (
    BoxLaplacian,
    CallableOperator,
    FastBox,
    Jacobi,
    LinearOperator,
    MatrixOperator,
    Preconditioner,
    solve_linear,
)
from neuralpde.linalg.cg import cg
from neuralpde.linalg.cycle import finish
from neuralpde.linalg.facts import MatrixFacts
from neuralpde.linalg.guard import Given, Guard
from neuralpde.linalg.stencil import KINDS
from neuralpde.linalg.watch import Watch
from neuralpde.types import Status

N = 120


def system(condition=1e3, seed=0):
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.normal(size=(N, N)))[0]
    A = (Q * np.geomspace(1.0, condition, N)) @ Q.T
    return (A + A.T) / 2, rng.normal(size=N)


class Raises(Preconditioner):
    def build(self, A):
        raise RuntimeError("no weights")


class ReturnsNone(Preconditioner):
    def build(self, A):
        return None


class Misshapen(Preconditioner):
    def build(self, A):
        return MatrixOperator(np.eye(A.shape[0] + 1))


class Short(LinearOperator):
    """An operator of a user who checks nothing."""

    def matvec(self, x):
        return x[:3]


class Broadcasts(LinearOperator):
    def matvec(self, x):
        return x[:, None]


def random_not_uphill(r):
    z = torch.randn(r.shape, dtype=r.dtype)
    return z * torch.sign(z @ r)


def raise_at_third_call():
    calls = []

    def action(r):
        calls.append(1)
        if len(calls) == 3:
            raise ValueError("third call")
        return r

    return action


def nan_at_fifth_call():
    calls = []

    def action(r):
        calls.append(1)
        return r * (float("nan") if len(calls) >= 5 else 1.0)

    return action


BAD = {
    "nan": (lambda: lambda r: r * float("nan"), "NaN"),
    "inf": (lambda: lambda r: r * float("inf"), "NaN or Inf"),
    "zero": (lambda: lambda r: 0.0 * r, ""),
    "random": (lambda: torch.randn_like, ""),
    "random, never uphill": (lambda: random_not_uphill, ""),
    "wrong shape": (lambda: lambda r: r[:3], "shape (3,)"),
    "block": (lambda: lambda r: r[:, None], f"shape ({N}, 1)"),
    "operator of wrong shape": (lambda: Short((N, N)), "shape (3,)"),
    "operator that broadcasts": (lambda: Broadcasts((N, N)), f"shape ({N}, 1)"),
    "not a tensor": (lambda: lambda r: None, "NoneType"),
    "raises": (lambda: lambda r: 1 / 0, "ZeroDivisionError"),
    "raises later": (raise_at_third_call, "third call"),
    "nan later": (nan_at_fifth_call, "NaN"),
    "build raises": (Raises, "no weights"),
    "build returns nothing": (ReturnsNone, "NoneType"),
    "build of wrong shape": (Misshapen, ""),
    "operator that raises": (lambda: CallableOperator((N, N), lambda r: r.reshape(7, 7)), "RuntimeError"),
}


@pytest.mark.parametrize("solver", ["cg", "gmres"])
@pytest.mark.parametrize("name", BAD)
def test_bad_preconditioner_is_survived_and_noted(name, solver):
    torch.manual_seed(0)
    A, b = system()
    make, word = BAD[name]
    solution = solve_linear(A, b, solver=solver, M=make())
    assert np.linalg.norm(b - A @ solution.x.numpy()) <= 1e-8 * np.linalg.norm(b)
    assert len(solution.notes) == 1
    assert "was dropped" in solution.notes[0] and word in solution.notes[0]
    classical = solve_linear(A, b, solver=solver, M="jacobi")
    assert solution.iterations <= 1.5 * classical.iterations + 50


def test_negative_definite_preconditioner():
    A, b = system()
    by_cg = solve_linear(A, b, M=-np.eye(N))
    assert by_cg.status.ok and "not positive definite" in by_cg.notes[0]
    by_gmres = solve_linear(A, b, solver="gmres", M=-np.eye(N))  # the sign is nothing to GMRES
    assert by_gmres.status.ok and by_gmres.notes == ()


def test_work_done_before_the_failure_is_kept():
    A, b = system()
    solution = solve_linear(A, b, M=nan_at_fifth_call())
    start = solve_linear(A, b, M="identity", maxiter=4, raise_on_failure=False).residual
    assert "iteration 4" in solution.notes[0]
    assert solution.history[4] == pytest.approx(start, rel=0.01)


def test_kernel_names_an_indefinite_preconditioner():
    A = MatrixOperator(np.diag([1.0, 2.0]))
    guard = Guard(Given(MatrixOperator(-np.eye(2)), "minus"), A)
    r = torch.tensor([0.6, 0.8], dtype=torch.float64)
    watch = Watch(MatrixFacts(A), lambda size: None)
    assert finish(cg(A, guard, r, 1e-8, 10, watch)).status is Status.INDEFINITE_PRECONDITIONER


def test_exact_inverse_takes_one_iteration():
    A, b = system()
    for solver in ("cg", "gmres"):
        solution = solve_linear(A, b, solver=solver, M=np.linalg.inv(A))
        assert solution.iterations == 1 and solution.notes == ()


def test_every_way_to_pass_the_same_preconditioner():
    A, b = system()
    A = A * np.outer(np.geomspace(1, 30, N), np.geomspace(1, 30, N))
    inverse = 1.0 / np.diag(A)
    counts = {
        solve_linear(A, b, M=M).iterations
        for M in (
            "jacobi",
            Jacobi(),
            np.diag(inverse),
            sp.diags(inverse),
            sp.linalg.aslinearoperator(sp.diags(inverse)),
            MatrixOperator(np.diag(inverse)),
            lambda r: torch.from_numpy(inverse) * r,
        )
    }
    assert max(counts) - min(counts) <= 1  # rounding may cost one
    assert max(counts) < solve_linear(A, b).iterations


def test_flexible_beta_survives_a_varying_preconditioner():
    # Good linear preconditioners A^−p in turn, each with another factor. The flexible β needs 15 to 25 iterations, the
    # Fletcher–Reeves β of SciPy more than 60, because it loses conjugacy.
    A, b = system(1e4)
    values, Q = np.linalg.eigh(A)
    maps = [torch.from_numpy((Q / values**power) @ Q.T) for power in (0.5, 0.9, 0.7)]
    calls = []

    def varying(r):
        calls.append(1)
        return (1 + len(calls) * 7 % 5) * (maps[len(calls) % 3] @ r)

    solution = solve_linear(A, b, M=varying)
    assert solution.notes == () and solution.iterations <= 35


def test_float32_preconditioner_in_a_float64_solve():
    A, b = system()
    solution = solve_linear(A, b, M=MatrixOperator(np.linalg.inv(A).astype(np.float32)), rtol=1e-12)
    assert solution.iterations <= 5 and solution.notes == ()


def test_jacobi_counts_zero_diagonal_as_one():
    A = np.array([[0.0, 1.0], [1.0, 4.0]])
    assert Jacobi().build(MatrixOperator(A)).diagonal().tolist() == [1.0, 0.25]
    np.testing.assert_allclose(solve_linear(A, [1.0, 2.0], solver="gmres", M="jacobi").x, [-2.0, 1.0], atol=1e-7)


def coefficient_system(kinds, shift):
    """Finite volumes for −∇·(a∇u) + shift u with a in [1, 3], symmetric form, on 24 × 20 nodes."""
    grid, h = (24, 20), (1 / 23, 1 / 19)
    rng = np.random.default_rng(0)
    box = BoxLaplacian(grid, h, kinds, shift, 2.0)
    w = box.weights().reshape(-1).numpy()
    base = sp.coo_matrix(sp.diags(w) @ BoxLaplacian(grid, h, kinds).to_csr())
    a = 1.0 + 2.0 * rng.random(base.shape[0])
    faces = np.sqrt(a[base.row] * a[base.col])
    off = sp.coo_matrix((base.data * faces, (base.row, base.col)), shape=base.shape).tocsr()
    off.setdiag(0.0)
    boundary = np.asarray(base.sum(axis=1)).ravel()
    return box, sp.csr_matrix(off + sp.diags(boundary * 2.0 - np.asarray(off.sum(axis=1)).ravel() + shift * w))


@pytest.mark.parametrize(
    "kinds",
    [
        ("dirichlet", "dirichlet"),
        ("neumann", "neumann"),
        ("periodic", "neumann"),
        ("dirichlet_neumann_cells", "neumann_cells"),
        ("dirichlet_neumann_faces", "dirichlet_cells"),
    ],
)
def test_fast_box_preconditions_variable_coefficients(kinds):
    box, A = coefficient_system(kinds, 1.0)
    assert abs(A - A.T).max() < 1e-10
    b = np.random.default_rng(1).normal(size=A.shape[0])
    fast = solve_linear(A, b, M=FastBox(box))
    assert fast.status.ok and fast.notes == ()
    assert fast.iterations <= 25  # condition at most 3: 2 (0.27)^k
    assert fast.iterations * 3 < solve_linear(A, b, M="jacobi").iterations


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_fast_box_is_symmetric_positive_for_a_symmetric_matrix(kinds, alpha):
    box = BoxLaplacian((5, 4), 0.3, kinds, alpha)
    M = FastBox(box).build(MatrixOperator(np.eye(20))).to_csr().toarray()
    np.testing.assert_allclose(M, M.T, atol=1e-14)
    assert np.linalg.eigvalsh((M + M.T) / 2).min() > 1e-4


def test_fast_box_of_wrong_size_is_dropped():
    A, b = system()
    solution = solve_linear(A, b, M=FastBox(BoxLaplacian((5,), 0.1, "dirichlet")))
    assert solution.status.ok and "5 nodes" in solution.notes[0]
