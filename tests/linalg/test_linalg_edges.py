"""Inputs that break solvers: empty, zero, NaN, singular, indefinite, misspelt."""

import doctest
import importlib
import pkgutil

import numpy as np
import pytest
import scipy.sparse as sp
import torch

import neuralpde.linalg
from neuralpde.linalg import CallableOperator, MatrixOperator, solve_linear
from neuralpde.types import NonFiniteError, NotConvergedError, Status, UsageError

SOLVERS = ["cg", "gmres", "direct"]
FORMS = {"dense": np.asarray, "sparse": sp.csr_matrix}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("form", FORMS)
def test_no_unknowns(solver, form):
    solution = solve_linear(FORMS[form](np.zeros((0, 0))), np.zeros(0), solver=solver)
    assert solution.status.ok and solution.x.shape == (0,) and solution.residual == 0.0


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("M", [None, "jacobi"])
def test_one_unknown(solver, form, M):
    assert solve_linear(FORMS[form](np.array([[4.0]])), [2.0], solver=solver, M=M).x.tolist() == [0.5]


@pytest.mark.parametrize("solver", SOLVERS)
def test_zero_right_hand_side_gives_zero_even_from_a_guess(solver):
    solution = solve_linear(np.eye(3), np.zeros(3), solver=solver, x0=np.ones(3))
    assert solution.status.ok and solution.x.tolist() == [0.0, 0.0, 0.0] and solution.residual == 0.0


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("where", ["A", "A with b = 0", "b", "x0"])
@pytest.mark.parametrize("M", [None, "jacobi"])
def test_nan_is_reported(solver, form, value, where, M):
    A, b, x0 = 2.0 * np.eye(4), np.ones(4), np.ones(4)
    if where.startswith("A"):
        A[1, 1] = value
        b = b * (where == "A")
    else:
        {"b": b, "x0": x0}[where][2] = value
    arguments = {"solver": solver, "x0": x0, "M": M}
    with np.errstate(invalid="ignore"):
        A = FORMS[form](A)
    solution = solve_linear(A, b, raise_on_failure=False, **arguments)
    assert solution.status is Status.NON_FINITE and solution.iterations == 0
    with pytest.raises(NonFiniteError, match="NaN"):
        solve_linear(A, b, **arguments)


def test_operator_that_turns_nan_midway():
    calls = []

    def action(x):
        calls.append(1)
        return x * torch.arange(1.0, 21.0, dtype=x.dtype) * (float("nan") if len(calls) > 5 else 1.0)

    solution = solve_linear(CallableOperator((20, 20), action, symmetric=True), np.ones(20), raise_on_failure=False)
    assert solution.status is Status.NON_FINITE and bool(torch.isfinite(solution.x).all())


def singular_spd(seed=0, n=40, rank=36):
    B = np.random.default_rng(seed).normal(size=(n, rank))
    return B @ B.T


def neumann(n=50):
    T = sp.diags([-np.ones(n - 1), 2 * np.ones(n), -np.ones(n - 1)], [-1, 0, 1]).tolil()
    T[0, 0] = T[-1, -1] = 1.0
    return T.toarray()


@pytest.mark.parametrize("solver", ["cg", "gmres"])
@pytest.mark.parametrize("A", [singular_spd(), neumann()], ids=["random", "neumann"])
def test_singular_but_solvable(solver, A):
    b = A @ np.random.default_rng(1).normal(size=len(A))
    solution = solve_linear(A, b, solver=solver)
    assert np.linalg.norm(b - A @ solution.x.numpy()) <= 1e-8 * np.linalg.norm(b)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("A", [singular_spd(), neumann(), np.zeros((5, 5))], ids=["random", "neumann", "zero"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("M", [None, "jacobi"])
def test_singular_and_unsolvable_is_never_converged(solver, A, form, M):
    b = np.random.default_rng(1).normal(size=len(A))
    solution = solve_linear(FORMS[form](A), b, solver=solver, M=M, raise_on_failure=False)
    assert not solution.status.ok
    truth = np.linalg.norm(b - A @ solution.x.numpy()) / np.linalg.norm(b)
    assert solution.residual == pytest.approx(truth, rel=0.01)
    assert truth <= 1.0 + 1e-12  # no worse than x = 0


@pytest.mark.parametrize("M", [None, "jacobi"])
def test_indefinite_matrix_is_named(M):
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.normal(size=(50, 50)))[0]
    A = (Q * np.linspace(-20.0, 60.0, 50)) @ Q.T
    b = rng.normal(size=50)
    assert solve_linear(A, b, M=M, raise_on_failure=False).status is Status.INDEFINITE_MATRIX
    with pytest.raises(NotConvergedError, match="gmres"):
        solve_linear(A, b, M=M)
    assert solve_linear(A, b, solver="gmres", M=M).status.ok


def test_cg_on_a_nonsymmetric_matrix_is_not_believed():
    rng = np.random.default_rng(0)
    A, b = rng.normal(size=(50, 50)) + 8.0 * np.eye(50), rng.normal(size=50)
    solution = solve_linear(A, b, raise_on_failure=False)
    truth = np.linalg.norm(b - A @ solution.x.numpy()) / np.linalg.norm(b)
    assert not solution.status.ok and truth <= 1.0  # it diverges by 1e80 if let
    with pytest.raises(NotConvergedError, match="not known to be symmetric"):
        solve_linear(A, b)


def test_gmres_that_stagnates_between_restarts():
    shift = np.roll(np.eye(40), 1, axis=0)
    b = np.eye(40)[0]
    assert solve_linear(shift, b, solver="gmres", restart=10, raise_on_failure=False).status is Status.STAGNATED
    assert solve_linear(shift, b, solver="gmres", restart=40).status.ok


def test_operator_of_wrong_output_shape():
    class Wrong(MatrixOperator):
        def matvec(self, x):
            return super().matvec(x)[:-1]

    with pytest.raises(UsageError, match=r"\(2,\)"):
        solve_linear(Wrong(np.eye(3)), np.ones(3))


@pytest.mark.parametrize(
    ("A", "b", "options", "words"),
    [
        (np.eye(3), np.ones(2), {}, ["(3, 3)", "(2,)"]),
        (np.eye(3), np.ones((1, 3)), {}, ["(3, 3)", "(1, 3)"]),
        (np.eye(3), np.ones((3, 1, 1)), {}, ["(3, 3)", "(3, 1, 1)"]),
        (np.ones((3, 2)), np.ones(3), {}, ["(3, 2)", "square"]),
        (np.eye(3), np.ones(3), {"x0": np.ones(4)}, ["x0", "(4,)", "(3, 3)"]),
        (np.eye(3), np.ones(3), {"M": np.eye(4)}, ["(4, 4)", "(3, 3)"]),
        (np.eye(3), np.ones(3), {"solver": "gmre"}, ["'gmre'", "'gmres'"]),
        (np.eye(3), np.ones(3), {"solver": "conjugate gradients"}, ["Known"]),
        (np.eye(3), np.ones(3), {"M": "jakobi"}, ["'jakobi'", "'jacobi'"]),
        (np.eye(3), np.ones(3), {"rtol": -1.0}, ["rtol", "-1.0"]),
        (np.eye(3), np.ones(3), {"rtol": float("nan")}, ["rtol", "nan"]),
        (np.eye(3), np.ones(3), {"atol": -1.0}, ["atol"]),
        (np.eye(3), np.ones(3), {"maxiter": -1}, ["maxiter"]),
        (np.eye(3), np.ones(3), {"restart": 0}, ["restart"]),
        (np.eye(3), np.ones((3, 2)), {"x0": np.ones(3)}, ["x0", "(3,)", "(3, 2)"]),
        (np.eye(3), np.ones(3), {"directions": 0}, ["directions"]),
    ],
)
def test_usage_errors_say_what_is_wrong(A, b, options, words):
    with pytest.raises(UsageError) as caught:
        solve_linear(A, b, **options)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_zero_iterations():
    solution = solve_linear(2 * np.eye(3), np.ones(3), maxiter=0, raise_on_failure=False)
    assert solution.status is Status.MAXITER and solution.iterations == 0 and solution.residual == 1.0


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(neuralpde.linalg.__path__)])
def test_docstring_examples_run(name):
    module = importlib.import_module(f"neuralpde.linalg.{name}")
    assert doctest.testmod(module).failed == 0


def test_lists_of_numbers_keep_double_precision() -> None:
    solution = solve_linear([[2.0, 0.0], [0.0, 3.0]], [0.1, 0.3])
    assert solution.x.tolist() == pytest.approx([0.05, 0.1], rel=1e-15)
    with pytest.raises(UsageError, match="same length"):
        solve_linear([[1.0, 2.0], [3.0]], [1.0, 2.0])
