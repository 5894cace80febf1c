"""The contract of every linear operator, over a table of them."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import aslinearoperator

from neuralpde.linalg import (
    BoxLaplacian,
    CallableOperator,
    DiagonalOperator,
    IdentityOperator,
    MatrixOperator,
    StencilOperator,
    as_operator,
)
from neuralpde.types import UsageError

RNG = np.random.default_rng(3)
DENSE = RNG.normal(size=(6, 6))
SYMMETRIC = DENSE + DENSE.T
SPARSE = sp.random(6, 6, density=0.4, random_state=5, format="csr") + 2 * sp.identity(6)
TORCH = torch.from_numpy(DENSE)
WIDE = MatrixOperator(DENSE[:4])
GRID = StencilOperator([[[1.0, 3.0], [0.0, 0.0]], [[5.0, 0.0], [7.0, 0.0]]], [[1.0, 0.0], [0.0, 2.0]])
GRID_MATRIX = np.array([[7.0, -5, -1, 0], [-5, 8, 0, -3], [-1, 0, 8, -7], [0, -3, -7, 12]])


def by_function(matrix, **options):
    matrix = torch.from_numpy(matrix)
    return CallableOperator(tuple(matrix.shape), lambda x: matrix @ x, lambda x: matrix.T @ x, **options)


OPERATORS = {
    "dense torch": (MatrixOperator(TORCH), DENSE),
    "dense numpy": (MatrixOperator(DENSE), DENSE),
    "dense float32": (MatrixOperator(DENSE.astype(np.float32)), DENSE.astype(np.float32)),
    "rectangular": (MatrixOperator(DENSE[:4]), DENSE[:4]),
    "rectangular sparse": (MatrixOperator(sp.csc_matrix(DENSE[:4])), DENSE[:4]),
    "integer": (MatrixOperator(np.arange(9).reshape(3, 3)), np.arange(9.0).reshape(3, 3)),
    "symmetric": (MatrixOperator(SYMMETRIC), SYMMETRIC),
    "scipy csr": (MatrixOperator(SPARSE), SPARSE.toarray()),
    "scipy coo array": (MatrixOperator(sp.coo_array(SPARSE)), SPARSE.toarray()),
    "torch coo": (MatrixOperator(TORCH.to_sparse()), DENSE),
    "torch csr": (MatrixOperator(TORCH.relu().to_sparse().to_sparse_coo()), DENSE.clip(min=0)),
    "sparse symmetric": (MatrixOperator(sp.csr_matrix(SYMMETRIC)), SYMMETRIC),
    "callable": (by_function(DENSE), DENSE),
    "callable symmetric": (
        CallableOperator((6, 6), lambda x: torch.from_numpy(SYMMETRIC) @ x, symmetric=True),
        SYMMETRIC,
    ),
    "scipy operator": (as_operator(aslinearoperator(SPARSE)), SPARSE.toarray()),
    "diagonal": (DiagonalOperator(TORCH[0]), np.diag(DENSE[0])),
    "identity": (IdentityOperator(4), np.eye(4)),
    "box": (BoxLaplacian((3,), 0.5, "dirichlet", 1.0), np.array([[9.0, -4, 0], [-4, 9, -4], [0, -4, 9]])),
    "box neumann": (BoxLaplacian((3,), 0.5, "neumann", 1.0), np.array([[9.0, -8, 0], [-4, 9, -4], [0, -8, 9]])),
    "box 1 node": (BoxLaplacian((1,), 0.5, "periodic", 2.0), np.array([[2.0]])),
    "grid": (GRID, GRID_MATRIX),
    "sum": (MatrixOperator(DENSE) + SPARSE, DENSE + SPARSE.toarray()),
    "sum float32": (MatrixOperator(DENSE.astype(np.float32)) * 2, 2 * DENSE.astype(np.float32)),
    "sum of grids": (GRID + 2.0 * GRID + IdentityOperator(4), 3 * GRID_MATRIX + np.eye(4)),
    "product": (MatrixOperator(DENSE[:4]) @ MatrixOperator(DENSE), DENSE[:4] @ DENSE),
    "product transposed": ((MatrixOperator(DENSE[:4]) @ SPARSE).T, (DENSE[:4] @ SPARSE.toarray()).T),
    "normal equations": (WIDE.T @ WIDE, DENSE[:4].T @ DENSE[:4]),
    "multiple": (-0.5 * MatrixOperator(DENSE), -0.5 * DENSE),
    "transposed": (MatrixOperator(DENSE[:4]).T, DENSE[:4].T),
    "callable of blocks": (
        CallableOperator((6, 6), lambda x: TORCH @ x, lambda x: TORCH.T @ x, block=True),
        DENSE,
    ),
    "empty": (MatrixOperator(np.zeros((0, 0))), np.zeros((0, 0))),
    "empty sparse": (MatrixOperator(sp.csr_matrix((0, 0))), np.zeros((0, 0))),
}


@pytest.fixture(params=OPERATORS, ids=str)
def case(request):
    return OPERATORS[request.param]


def close(actual, expected, dtype):
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=0, atol=1e-13 if dtype is torch.float64 else 1e-5)


def test_action_on_vectors_and_blocks(case):
    A, matrix = case
    assert A.shape == matrix.shape
    x = RNG.normal(size=(A.shape[1], 3))
    block = torch.from_numpy(x).to(A.dtype)
    close(A @ block, matrix @ x, A.dtype)
    close(A @ block[:, 0], matrix @ x[:, 0], A.dtype)
    assert (A @ block).dtype == A.dtype


def test_transpose_is_the_adjoint(case):
    A, matrix = case
    y = RNG.normal(size=(A.shape[0], 2))
    block = torch.from_numpy(y).to(A.dtype)
    close(A.rmatvec(block), matrix.T @ y, A.dtype)
    close(A.rmatvec(block[:, 1]), matrix.T @ y[:, 1], A.dtype)


def test_entries(case):
    A, matrix = case
    close(A.diagonal(), np.diagonal(matrix), A.dtype)
    csr = A.to_csr()
    assert sp.issparse(csr) and csr.format == "csr"
    close(csr.toarray(), matrix, A.dtype)


def test_flags_are_true(case):
    A, matrix = case
    if A.symmetric:
        np.testing.assert_allclose(matrix, matrix.T, rtol=0, atol=1e-14)
    if A.positive_definite:
        assert np.linalg.eigvalsh(matrix).min(initial=1.0) > 0


@pytest.mark.parametrize(
    "name", ["symmetric", "sparse symmetric", "diagonal", "identity", "box", "empty", "grid", "normal equations"]
)
def test_symmetry_is_seen(name):
    assert OPERATORS[name][0].symmetric


@pytest.mark.parametrize("name", ["dense torch", "scipy csr", "rectangular", "rectangular sparse", "box neumann"])
def test_asymmetry_is_seen(name):
    assert not OPERATORS[name][0].symmetric


def test_wrong_operand_names_both_shapes(case):
    A, _ = case
    wrong = torch.zeros(A.shape[1] + 1, dtype=A.dtype)
    with pytest.raises(UsageError) as caught:
        A @ wrong
    assert str(A.shape) in str(caught.value) and str(tuple(wrong.shape)) in str(caught.value)
    with pytest.raises(UsageError):
        A @ torch.zeros(A.shape[1], 1, 1, dtype=A.dtype)


def test_float64_operand_is_accepted_whatever_the_dtype(case):
    A, matrix = case
    x = torch.ones(A.shape[1], dtype=torch.float64)
    close(A.matvec(x), matrix @ x.numpy(), A.dtype)


def test_float32_matrix_times_float64_vector_is_not_rounded():
    matrix = DENSE.astype(np.float32)
    x = RNG.normal(size=6)
    for A in (MatrixOperator(matrix), MatrixOperator(sp.csr_matrix(matrix))):
        np.testing.assert_allclose(A.matvec(torch.from_numpy(x)), matrix.astype(np.float64) @ x, rtol=0, atol=1e-14)


def test_short_floats_become_float32_and_integers_float64():
    assert MatrixOperator(torch.eye(2, dtype=torch.float16)).dtype is torch.float32
    assert MatrixOperator(torch.eye(2, dtype=torch.int32)).dtype is torch.float64
    assert MatrixOperator(sp.identity(2, dtype=np.int8)).dtype is torch.float64
    assert MatrixOperator(sp.identity(2, dtype=np.float32)).dtype is torch.float32


def test_callable_without_transpose_says_what_to_give():
    A = CallableOperator((2, 2), lambda x: x)
    with pytest.raises(UsageError, match="rmatvec"):
        A.rmatvec(torch.ones(2, dtype=torch.float64))


def test_callable_with_wrong_output_is_refused():
    A = CallableOperator((3, 3), lambda x: x[:2])
    with pytest.raises(UsageError, match=r"\(3, 3\).*\(2,\)"):
        A.matvec(torch.ones(3, dtype=torch.float64))


def test_large_callable_refuses_to_be_spelled_out():
    with pytest.raises(UsageError, match="override to_csr"):
        CallableOperator((10**6, 10**6), lambda x: x).diagonal()


def test_callers_matrix_is_left_as_it_was():
    rows, columns = np.array([0, 2, 3]), np.array([1, 0, 1])  # unsorted columns in row 0
    matrix = sp.csr_matrix((np.array([1.0, 2.0, 3.0]), columns, rows), shape=(2, 2))
    A = MatrixOperator(matrix)
    assert matrix.indices.tolist() == [1, 0, 1]
    close(A @ torch.tensor([1.0, 10.0], dtype=torch.float64), [12.0, 30.0], torch.float64)


def test_read_only_and_reversed_arrays():
    matrix = np.eye(3)[::-1]
    matrix.flags.writeable = False
    close(MatrixOperator(matrix).matrix, np.eye(3)[::-1], torch.float64)


@pytest.mark.parametrize("bad", [np.eye(2, dtype=complex), sp.identity(2, dtype=complex), np.zeros(3), "A", None, len])
def test_what_is_not_a_real_matrix_is_refused(bad):
    with pytest.raises(UsageError):
        as_operator(bad)


def test_action_is_differentiable():
    x = torch.randn(6, dtype=torch.float64, requires_grad=True)
    for A in (MatrixOperator(DENSE), by_function(DENSE), BoxLaplacian((6,), 0.5, "neumann")):
        assert torch.autograd.gradcheck(A.matvec, (x,))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix])
def test_asymmetry_beside_a_huge_entry_is_seen(form, dtype):
    A = np.eye(6) * 2.5 - np.eye(6, k=1) - np.eye(6, k=-1)
    A[0, 0] = 1e18
    assert MatrixOperator(form(A.astype(dtype))).symmetric
    A[4, 3] = -1.5
    assert not MatrixOperator(form(A.astype(dtype))).symmetric


def test_rounding_of_products_counts_as_symmetric():
    G = np.random.default_rng(0).normal(size=(60, 60)) * np.geomspace(1e-9, 1e9, 60)[:, None]
    for S in (G @ G.T, sum(np.outer(row, row) for row in G.T)):
        assert MatrixOperator(S).symmetric and MatrixOperator(sp.csr_matrix(S)).symmetric
    for nothing in (np.zeros((0, 0)), sp.csr_matrix((3, 3))):
        assert MatrixOperator(nothing).symmetric


@pytest.mark.parametrize("kind", ["numpy", "fortran", "torch", "csr", "torch csr", "torch coo"])
def test_entries_are_copied(kind):
    A = np.array([[2.0, -1.0], [-1.0, 2.0]])
    forms = {
        "numpy": lambda: (A.copy(), lambda given: given),
        "fortran": lambda: (np.asfortranarray(A), lambda given: given),
        "torch": lambda: (torch.tensor(A), lambda given: given),
        "csr": lambda: (sp.csr_matrix(A), lambda given: given.data),
        "torch csr": lambda: (torch.tensor(A).to_sparse_csr(), lambda given: given.values()),
        "torch coo": lambda: (torch.tensor(A).to_sparse_coo().coalesce(), lambda given: given.values()),
    }
    given, entries = forms[kind]()
    operator = MatrixOperator(given)
    entries(given)[:] = 7.0
    assert (operator @ np.ones(2)).tolist() == [1.0, 1.0]
