"""Sums, products, multiples and transposes of operators, of every kind that users have."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.sparse.linalg import aslinearoperator

from neuralpde.linalg import (
    CallableOperator,
    DiagonalOperator,
    IdentityOperator,
    MatrixOperator,
    ProductOperator,
    StencilOperator,
    SumOperator,
    as_operator,
)
from neuralpde.types import UsageError

RNG = np.random.default_rng(3)
DENSE, OTHER = RNG.normal(size=(2, 6, 6))
TALL = MatrixOperator(RNG.normal(size=(6, 4)))
A, B = MatrixOperator(DENSE), MatrixOperator(sp.csr_matrix(OTHER))
GRID = StencilOperator.poisson((2, 3), boundary="open")


def spelled(operator):
    return operator.to_csr().toarray()


def test_the_other_side_may_be_any_matrix():
    for other in (
        OTHER,
        torch.from_numpy(OTHER),
        sp.csr_matrix(OTHER),
        sp.csr_array(OTHER),
        B,
        aslinearoperator(OTHER),
    ):
        np.testing.assert_allclose(spelled(A + other), DENSE + OTHER)
        np.testing.assert_allclose(spelled(A - other), DENSE - OTHER)
    for other in (OTHER, B, torch.from_numpy(OTHER)):
        np.testing.assert_allclose(spelled(other + A), OTHER + DENSE)
        np.testing.assert_allclose(spelled(other - A), OTHER - DENSE)
        np.testing.assert_allclose(spelled(other @ A), OTHER @ DENSE)
    for other in (sp.csr_matrix(OTHER), B, aslinearoperator(OTHER), torch.from_numpy(OTHER).to_sparse_csr()):
        np.testing.assert_allclose(spelled(A @ other), DENSE @ OTHER)


@pytest.mark.parametrize(
    "factor", [2.0, 2, np.float32(2.0), np.float64(2.0), torch.tensor(2.0), np.array(2.0)], ids=repr
)
def test_factors_of_every_kind(factor):
    for scaled in (factor * A, A * factor, A / (1 / factor)):
        np.testing.assert_allclose(spelled(scaled), 2.0 * DENSE)
        assert scaled.dtype is torch.float64
    assert isinstance(factor * GRID, StencilOperator)
    np.testing.assert_allclose(spelled(-GRID), -spelled(GRID))


def test_arrays_are_answered_by_arrays():
    x = RNG.normal(size=(6, 2))
    for operator in (A, A + B, GRID):
        for operand in (x, x[:, 0], x.astype(np.float32), np.ones(6, dtype=int), x[::-1]):
            y = operator @ operand
            assert isinstance(y, np.ndarray)
            np.testing.assert_allclose(y, spelled(operator) @ operand, atol=1e-5)


def test_flags_follow_from_the_parts():
    symmetric = MatrixOperator(DENSE + DENSE.T)
    definite = DiagonalOperator(torch.arange(1.0, 7.0, dtype=torch.float64))
    assert (symmetric + definite).symmetric and not (symmetric + definite).positive_definite
    assert (GRID + definite).positive_definite and (GRID + B @ B.T).symmetric
    assert not (A + definite).symmetric
    assert (3.0 * definite).positive_definite and not (-1.0 * definite).positive_definite
    assert not (-1.0 * GRID).positive_definite and (-1.0 * GRID).symmetric
    assert (A.T @ A).symmetric and (A.T @ definite @ A).symmetric and (symmetric @ symmetric).symmetric
    assert not (A @ A).symmetric and not (A.T @ B).symmetric and not (symmetric @ definite).symmetric
    assert ProductOperator([A, B], symmetric=True, positive_definite=True).positive_definite


def test_transposes():
    assert A.T.T is A and GRID.T is GRID
    np.testing.assert_array_equal(spelled(TALL.T), spelled(TALL).T)
    assert TALL.T.shape == (4, 6)
    np.testing.assert_allclose(spelled((A @ TALL).T), (DENSE @ spelled(TALL)).T)


def test_nested_sums_and_products_are_opened():
    assert len((A + B + GRID + (A + B)).parts) == 5 and len((A @ B @ (A @ B)).parts) == 4
    twice = A + A
    np.testing.assert_allclose(spelled(twice - A), DENSE, atol=1e-14)


def test_types_are_promoted():
    short = MatrixOperator(DENSE.astype(np.float32))
    assert (short + short).dtype is torch.float32 and (short @ A).dtype is torch.float64
    x = torch.ones(6)
    assert ((short + short) @ x).dtype is torch.float32 and ((short + A) @ x).dtype is torch.float64


def test_grids_stay_grids():
    shift = torch.arange(6.0, dtype=torch.float64)
    for other in (DiagonalOperator(shift), 0.5 * DiagonalOperator(2.0 * shift)):
        for total in (GRID + other, other + GRID):
            assert isinstance(total, StencilOperator)
            np.testing.assert_allclose(spelled(total), spelled(GRID) + np.diag(shift))
    assert isinstance(IdentityOperator(6) + 0.1 * GRID, StencilOperator)
    difference = GRID - 0.5 * StencilOperator.poisson((2, 3))
    assert isinstance(difference, StencilOperator)
    np.testing.assert_allclose(spelled(difference), spelled(GRID) - 0.5 * spelled(StencilOperator.poisson((2, 3))))
    assert isinstance(GRID + StencilOperator.poisson((3, 2)), SumOperator)
    assert GRID.to("cpu").grid == GRID.grid


def test_many_columns_at_once():
    seen = []

    def forward(x):
        seen.append(tuple(x.shape))
        return torch.from_numpy(DENSE) @ x

    operator = CallableOperator((6, 6), forward, block=True)
    x = torch.randn(6, 5, dtype=torch.float64)
    torch.testing.assert_close(operator @ x, torch.from_numpy(DENSE) @ x)
    assert seen == [(6, 5)]
    with pytest.raises(UsageError, match=r"\(6, 6\) returned shape \(5, 6\), expected \(6, 5\)"):
        CallableOperator((6, 6), lambda x: x.T, block=True) @ x
    scipy = as_operator(aslinearoperator(DENSE))
    torch.testing.assert_close(scipy @ x, torch.from_numpy(DENSE) @ x)
    torch.testing.assert_close(scipy.rmatvec(x), torch.from_numpy(DENSE.T) @ x)


@pytest.mark.parametrize("layout", ["dense", "coo", "csr", "csr of values"])
def test_gradients_reach_the_entries(layout):
    csr = sp.csr_matrix(OTHER * (abs(OTHER) > 0.5))
    entries = torch.from_numpy(csr.data.copy()).requires_grad_()
    rows, columns = torch.from_numpy(csr.indptr).long(), torch.from_numpy(csr.indices).long()
    coo = torch.from_numpy(np.array(csr.nonzero()))
    x = torch.randn(6, 2, dtype=torch.float64)

    def act(entries, x):
        if layout == "csr of values":
            matrix = torch.sparse_csr_tensor(rows, columns, entries, (6, 6))
        else:
            matrix = torch.sparse_coo_tensor(coo, entries, (6, 6))
            matrix = {"dense": matrix.to_dense, "coo": matrix.coalesce, "csr": matrix.to_sparse_csr}[layout]()
        operator = MatrixOperator(matrix)
        combined = 2.0 * operator + operator.T @ operator
        return operator @ x, operator @ x[:, 0], operator.rmatvec(x), combined @ x

    assert torch.autograd.gradcheck(act, (entries, x.requires_grad_()))


def test_gradient_of_a_large_sparse_matrix_is_sparse_work():
    n = 200_000  # a dense gradient of n² would need 320 GB
    entries = torch.ones(n, dtype=torch.float64, requires_grad=True)
    places = torch.stack([torch.arange(n), torch.arange(n).flip(0)])
    matrix = torch.sparse_coo_tensor(places, entries, (n, n))
    x = torch.arange(n, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((MatrixOperator(matrix) @ x).sum(), entries)
    assert torch.equal(gradient, x.flip(0))
    leaf = matrix.detach().to_sparse_csr().requires_grad_()
    (gradient,) = torch.autograd.grad((MatrixOperator(leaf) @ x).sum(), leaf)
    assert gradient.layout is torch.sparse_csr and torch.equal(gradient.values(), x.flip(0))


def test_gradients_reach_factors_and_diagonals():
    def act(factor, entries, x):
        return (factor * (A + DiagonalOperator(entries)) @ x, (factor * GRID + DiagonalOperator(entries)) @ x)

    arguments = [torch.rand(size, dtype=torch.float64, requires_grad=True) for size in ((), (6,), (6,))]
    assert torch.autograd.gradcheck(act, arguments)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: A + TALL, r"\(6, 6\) and \(6, 4\) cannot be added"),
        (lambda: TALL @ A, r"\(6, 4\) and \(6, 6\) cannot be multiplied: the left one needs 6 columns"),
        (lambda: SumOperator([]), "at least one"),
        (lambda: A + "B", "got str"),
        (lambda: A @ len, "got builtin_function_or_method"),
        (lambda: A + CallableOperator((6, 6), lambda x: x, device="meta"), "cpu and meta"),
    ],
)
def test_what_cannot_be_combined_is_refused(make, message):
    with pytest.raises(UsageError, match=message):
        make()


@pytest.mark.parametrize("factor", ["two", None, [1.0, 2.0], torch.ones(6), 1j])
def test_what_is_no_factor_is_a_type_error(factor):
    with pytest.raises(TypeError):
        A * factor


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_named():
    with pytest.raises(UsageError, match=r"'cuda'.*cannot be used"):
        CallableOperator((6, 6), lambda x: x, device="cuda")
