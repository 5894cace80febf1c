"""What users pass to a solve: the right answer, or a sentence that says what was expected."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from neuralpde.linalg import CallableOperator, Jacobi, prepare, solve_linear
from neuralpde.types import Status, UsageError

N = 8
T = sp.diags([-np.ones(N - 1), 2.5 * np.ones(N), -np.ones(N - 1)], [-1, 0, 1]).tocsr()
A = T.toarray()
B = np.arange(1.0, N + 1)
X = np.linalg.solve(A, B)

MATRICES: dict[str, Any] = {
    "big-endian double": A.astype(">f8"),
    "big-endian single": A.astype(">f4"),
    "long double": A.astype(np.longdouble),
    "complex long double": A.astype(np.clongdouble),
    "objects": A.astype(object),
    "fractions": [[Fraction(value) for value in row] for row in A],
    "sparse long double": T.astype(np.longdouble),
    "blocks by rows": torch.tensor(A).to_sparse_bsr((2, 2)),
    "blocks by columns": torch.tensor(A).to_sparse_bsc((4, 4)),
    "list of tensors": [torch.tensor(row) for row in A],
}
RIGHT: dict[str, Any] = {
    "big-endian": B.astype(">f8"),
    "big-endian integers": B.astype(">i4"),
    "long double": B.astype(np.longdouble),
    "complex long double": B.astype(np.clongdouble),
    "objects": B.astype(object),
    "complex objects": B.astype(complex).astype(object),
    "fractions": [Fraction(value) for value in B],
    "sparse column": sp.csr_matrix(B[:, None]),
    "sparse vector": sp.coo_array(B),
    "torch sparse": torch.tensor(B).to_sparse(),
    "torch sparse column": torch.tensor(B[:, None]).to_sparse_csr(),
    "memory": memoryview(B),
    "reversed": B[::-1].copy()[::-1],
    "nothing masked": np.ma.array(B),
}


@pytest.mark.parametrize("kind", MATRICES)
def test_matrices_of_all_kinds(kind: str) -> None:
    found = solve_linear(MATRICES[kind], B).x
    np.testing.assert_allclose(found.real if found.is_complex() else found, X, rtol=1e-6)


@pytest.mark.parametrize("kind", RIGHT)
def test_right_hand_sides_of_all_kinds(kind: str) -> None:
    found = solve_linear(A, RIGHT[kind], x0=RIGHT[kind]).x
    np.testing.assert_allclose((found.real if found.is_complex() else found).reshape(-1), X, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"b": None}, "b must be .*NoneType"),
        ({"b": ["a"] * N}, "b must be .*dtype <U1"),
        ({"b": [None] * N}, "b must be .*object"),
        ({"b": {"b": 1}}, "b must be .*dict"),
        ({"b": (value for value in B)}, "b must be .*generator"),
        ({"b": [[1.0], [2.0, 3.0]]}, "same length"),
        ({"b": np.zeros(N, "M8[s]")}, "datetime64"),
        ({"b": np.ma.array(B, mask=B > 3)}, "masked"),
        ({"b": sp.csr_matrix(B[None, :])}, r"shape \(1, 8\)"),
        ({"x0": "zero"}, "x0 must be .*str"),
        ({"A": [["a", "b"], ["c", "d"]]}, "numbers"),
        ({"A": [torch.zeros(2), torch.zeros(3)]}, "one shape"),
        ({"rtol": "1e-6"}, "rtol must be a finite number ≥ 0, got '1e-6'"),
        ({"rtol": None}, "rtol"),
        ({"rtol": 1j}, "rtol"),
        ({"atol": np.ones(3)}, "atol"),
        ({"maxiter": 1.5}, "maxiter must be a whole number ≥ 0, got 1.5"),
        ({"maxiter": -1}, "maxiter must be ≥ 0"),
        ({"restart": "many"}, "restart must be a whole number ≥ 1"),
        ({"directions": None}, "directions"),
        ({"callback": 3}, "callback"),
        ({"solver": ["cg"]}, "unknown solver"),
    ],
)
def test_what_cannot_be_used_is_named(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        solve_linear(**{"A": A, "b": B, **arguments})


def test_lists_of_tensors_keep_gradients() -> None:
    b = [torch.tensor(float(value), requires_grad=True) for value in B]
    solve_linear(A, b).x.sum().backward()
    np.testing.assert_allclose([float(value.grad) for value in b], np.linalg.solve(A, np.ones(N)), rtol=1e-6)


@pytest.mark.parametrize("columns", [0, 1, 3])
@pytest.mark.parametrize("complex_matrix", [False, True])
def test_several_complex_right_hand_sides(columns: int, complex_matrix: bool) -> None:
    rng = np.random.default_rng(columns)
    b, x0 = (rng.normal(size=(N, columns)) + 1j * rng.normal(size=(N, columns)) for _ in range(2))
    matrix = A + (0.3j * (np.triu(A, 1) - np.tril(A, -1)) if complex_matrix else 0.0)  # Hermitian
    solution = solve_linear(matrix, b, x0=x0, rtol=1e-10)
    assert solution.x.shape == (N, columns) and len(solution.columns) == columns
    np.testing.assert_allclose(solution.x, np.linalg.solve(matrix, b), rtol=1e-8, atol=1e-12)
    for j, column in enumerate(solution.columns):
        truth = np.linalg.norm(b[:, j] - matrix @ column.x.numpy()) / np.linalg.norm(b[:, j])
        assert column.residual == pytest.approx(truth, rel=0.01) and column.residual <= solution.residual


def test_a_complex_matrix_is_solved_from_two_threads() -> None:
    from concurrent.futures import ThreadPoolExecutor

    matrix = A + 0.3j * (np.triu(A, 1) - np.tril(A, -1))
    solver = prepare(matrix)
    right = np.random.default_rng(0).normal(size=(40, N)) + 1j
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda b: solver.solve(b).x.numpy(), right))
    np.testing.assert_allclose(np.stack(found, axis=1), np.linalg.solve(matrix, right.T), rtol=1e-6)


@pytest.mark.parametrize("solver", ["cg", "fcg", "minres"])
@pytest.mark.parametrize("M", [None, "jacobi"])
def test_an_unsymmetric_matrix_is_the_reason(solver: str, M: str | None) -> None:
    complex_symmetric = solve_linear([[2, 1j], [1j, 3]], [1, 1j], solver=solver, M=M, raise_on_failure=False)
    assert complex_symmetric.status is Status.NONSYMMETRIC_MATRIX
    rng = np.random.default_rng(0)
    for _ in range(30):
        n = int(rng.integers(2, 12))
        solution = solve_linear(rng.normal(size=(n, n)), rng.normal(size=n), solver=solver, M=M, raise_on_failure=False)
        assert solution.status.ok or solution.status is Status.NONSYMMETRIC_MATRIX


def test_a_name_that_cannot_serve_is_refused() -> None:
    with pytest.raises(UsageError, match=r"M='multigrid' cannot serve .*GeometricMultigrid\(shape=...\)"):
        solve_linear(T, B, M="multigrid")
    with pytest.raises(UsageError, match=r"class Jacobi: pass .*Jacobi\(\)"):
        solve_linear(T, B, M=Jacobi)
    with pytest.raises(UsageError, match="pass −A and −b"):
        solve_linear(-T, -B, M="ic")
    assert solve_linear(np.full((2, 2), np.nan), [1.0, 2.0], M="ic", raise_on_failure=False).status is Status.NON_FINITE


def test_an_update_that_is_refused_leaves_nothing_of_the_old_matrix() -> None:
    solver = prepare(T, M="ic")
    for _ in range(2):
        with pytest.raises(UsageError, match="pass −A and −b"):
            solver.update(-T)
        with pytest.raises(UsageError, match="pass −A and −b"):
            solver.solve(B)
        solver.update(T)
        np.testing.assert_allclose(solver.solve(B).x, X, rtol=1e-6)


@pytest.mark.parametrize("form", ["bsr", "dia", "lil", "coo", "csc", "dok"])
@pytest.mark.parametrize("M", [None, "ic", "amg", "ssor"])
def test_sparse_formats(form: str, M: str | None) -> None:
    for matrix in (T.asformat(form), getattr(sp, f"{form}_array")(T), T.asformat(form).astype(np.float32)):
        np.testing.assert_allclose(solve_linear(matrix, B, M=M).x, X, rtol=1e-6)


def test_read_only_and_narrow_arrays() -> None:
    dense, csr, b = A.copy(), T.copy(), B.copy()
    for array in (dense, csr.data, csr.indices, b):
        array.flags.writeable = False
    for matrix in (dense, csr, np.matrix(A)):
        for M in (None, "ic", "amg"):
            np.testing.assert_allclose(solve_linear(matrix, b, M=M, x0=b).x, X, rtol=1e-6)
    assert solve_linear(np.eye(N, dtype=bool), B).x.tolist() == B.tolist()
    doubled = solve_linear((2 * T).astype(np.int8), B.astype(np.uint8), M="ic").x
    np.testing.assert_allclose(doubled, X / 2.0, rtol=1e-6)


@pytest.mark.parametrize("answer", [np.asarray, list, lambda y: torch.as_tensor(y), lambda y: y.astype(">f8")])
def test_functions_that_work_in_numpy(answer: Any) -> None:
    operator = CallableOperator((N, N), lambda x: answer(T @ x.numpy()), symmetric=True)
    np.testing.assert_allclose(solve_linear(operator, B, M=lambda r: answer(r.numpy() / 2.5)).x, X, rtol=1e-6)


def test_functions_that_return_no_vector_are_named() -> None:
    for nothing, words in ((None, "NoneType"), ("x", "str"), ([[1.0], [2.0, 3.0]], "same length")):
        with pytest.raises(UsageError, match=f"returned no vector: .*{words}"):
            solve_linear(CallableOperator((N, N), lambda x, nothing=nothing: nothing, symmetric=True), B)


@pytest.mark.parametrize("solver", ["cg", "fcg", "minres", "gmres", "bicgstab", "direct"])
@pytest.mark.parametrize("M", [None, "jacobi", "ic", "amg"])
def test_scales(solver: str, M: str | None) -> None:
    for scale in (1e-300, 1e-160, 1e-80, 1e80, 1e160, 1e290):
        found = solve_linear(T * scale, B, solver=solver, M=M)
        np.testing.assert_allclose(found.x * scale, X, rtol=1e-6)
        np.testing.assert_allclose(solve_linear(T, B * scale, solver=solver, M=M).x / scale, X, rtol=1e-6)
    single = (T * 1e30).astype(np.float32)
    np.testing.assert_allclose(solve_linear(single, B, solver=solver, M=M).x * 1e30, X, rtol=1e-5)


@pytest.mark.parametrize("solver", ["cg", "minres", "gmres", "bicgstab", "direct"])
def test_columns_of_all_sizes(solver: str) -> None:
    right = np.stack([B, 0.0 * B, 1e-200 * B, 1e200 * B, np.ones(N), 1e-310 * B], axis=1)
    found = solve_linear(T, right, solver=solver, M="jacobi")
    assert [column.status.ok for column in found.columns] == [True] * 6 and found.columns[1].iterations == 0
    np.testing.assert_allclose(found.x[:, :5], np.linalg.solve(A, right[:, :5]), rtol=1e-6)


@pytest.mark.parametrize("solver", ["cg", "minres", "gmres", "bicgstab"])
def test_tiny_singular_matrices_are_no_zero_ones(solver: str) -> None:
    ring = sp.csr_matrix(1e-200 * (2.0 * np.eye(N) - np.roll(np.eye(N), 1, 0) - np.roll(np.eye(N), -1, 0)))
    b = B - B.mean()
    x = solve_linear(ring, b, solver=solver).x.numpy()
    np.testing.assert_allclose(ring @ x, b, atol=1e-6)
    found = solve_linear(ring, B, solver=solver, raise_on_failure=False)
    assert found.status is Status.INCOMPATIBLE
    assert found.residual == pytest.approx(B.mean() * np.sqrt(N) / np.linalg.norm(B), rel=1e-9)


def test_minres_at_small_scales() -> None:
    for scale in (1e-4, 1e-16, 1e-28):
        np.testing.assert_allclose(solve_linear(scale * A, scale * B, solver="minres").x, X, rtol=1e-6)


@pytest.mark.parametrize("solver", ["cg", "minres", "gmres", "bicgstab"])
@pytest.mark.parametrize("most", [1, 5, 37])
def test_no_more_iterations_than_allowed(solver: str, most: int) -> None:
    indefinite = np.diag(np.r_[np.ones(100), -np.ones(100)]) + 1e-3
    solution = solve_linear(indefinite, np.ones(200), solver=solver, maxiter=most, raise_on_failure=False)
    assert solution.iterations <= most


def test_names_in_capitals() -> None:
    with pytest.raises(UsageError, match="did you mean 'cg'"):
        solve_linear(A, B, solver="CG")
    with pytest.raises(UsageError, match="did you mean 'jacobi'"):
        solve_linear(A, B, M="JACOBI")
