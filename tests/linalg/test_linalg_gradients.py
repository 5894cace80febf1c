"""Gradients through solves: x = A⁻¹ b with respect to b and to what A was made from."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from neuralpde.linalg import (
    CallableOperator,
    DiagonalOperator,
    MatrixOperator,
    PreparedSolver,
    StencilOperator,
    prepare,
    solve_linear,
)
from neuralpde.types import NotConvergedError, UsageError

TIGHT = {"rtol": 1e-13}
SYMMETRIC = ("cg", "fcg", "minres")
ANY = ("gmres", "bicgstab", "direct")


def positive(n=6, seed=0):
    G = torch.randn(n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return (G @ G.T + n * torch.eye(n, dtype=torch.float64)).requires_grad_()


def right(*shape):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()


@pytest.mark.parametrize("solver", SYMMETRIC)
@pytest.mark.parametrize("shape", [(6,), (6, 3), (6, 1)])
def test_symmetric_dense(solver, shape):
    def solve(A, b):
        return solve_linear(0.5 * (A + A.T), b, solver=solver, M="jacobi", **TIGHT).x

    assert torch.autograd.gradcheck(solve, (positive(), right(*shape)))


@pytest.mark.parametrize("solver", ANY)
@pytest.mark.parametrize("M", [None, "jacobi", "direct"])
def test_nonsymmetric_dense(solver, M):
    A = (positive().detach() + torch.triu(torch.ones(6, 6), 1)).requires_grad_()
    assert torch.autograd.gradcheck(lambda A, b: solve_linear(A, b, solver=solver, M=M, **TIGHT).x, (A, right(6)))


def test_entries_of_a_sparse_matrix():
    pattern = sp.csr_matrix(np.diag([4.0, 5.0, 6.0, 7.0]) + np.diag([1.0, 2.0, 0.5], 1) + np.diag([0.3, 1.0, 2.0], -1))
    rows, columns = torch.from_numpy(pattern.indptr), torch.from_numpy(pattern.indices)

    def solve(values, b):
        A = MatrixOperator(torch.sparse_csr_tensor(rows, columns, values, pattern.shape, check_invariants=True))
        return solve_linear(A, b, solver="gmres", M="jacobi", **TIGHT).x

    assert torch.autograd.gradcheck(solve, (torch.from_numpy(pattern.data).requires_grad_(), right(4)))


def test_diagonal():
    entries = torch.tensor([1.0, 2.0, 5.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda d, b: solve_linear(DiagonalOperator(d), b, **TIGHT).x, (entries, right(3)))


@pytest.mark.parametrize("grid", [(4, 3), (3, 2, 3)])
def test_weights_and_row_sums_of_a_grid(grid):
    weights = [torch.rand(grid, dtype=torch.float64) + 0.5 for _ in grid]
    for axis, weight in enumerate(weights):
        weight.select(axis, -1).zero_()
    excess = torch.rand(grid, dtype=torch.float64) + 0.1
    tensors = [part.requires_grad_() for part in (*weights, excess)]

    def solve(b, *parts):
        return solve_linear(StencilOperator(parts[:-1], parts[-1]), b, M="jacobi", **TIGHT).x

    assert torch.autograd.gradcheck(solve, (right(int(np.prod(grid))), *tensors))


def test_parameters_of_a_function():
    c = torch.tensor([0.3, 2.0], dtype=torch.float64, requires_grad=True)

    def solve(c, b):
        def action(x):
            return c[1] * x + c[0] * (torch.roll(x, 1) + torch.roll(x, -1))

        return solve_linear(CallableOperator((8, 8), action, symmetric=True), b, **TIGHT).x

    assert torch.autograd.gradcheck(solve, (c, right(8)))


@pytest.mark.parametrize("solver", ["gmres", "direct"])
def test_complex_systems(solver):
    b = torch.randn(4, dtype=torch.complex128, generator=torch.Generator().manual_seed(3)).requires_grad_()
    A = torch.randn(4, 4, dtype=torch.complex128, generator=torch.Generator().manual_seed(4)) + 4 * torch.eye(4)
    assert torch.autograd.gradcheck(lambda A, b: solve_linear(A, b, solver=solver, **TIGHT).x, (A.requires_grad_(), b))


def test_second_derivatives_are_refused():
    A, b = positive(), right(6)
    x = solve_linear(A, b, **TIGHT).x
    (gradient,) = torch.autograd.grad(x.square().sum(), b, create_graph=True)
    with pytest.raises(UsageError, match="second derivatives"):
        gradient.sum().backward()


@pytest.mark.parametrize("power", [1, 3])
def test_second_derivatives_are_refused_beside_other_terms(power):
    """Where the path to b or A leads past the solve as well, a part of the Hessian would be lost."""
    A, b = positive().requires_grad_(), right(6)
    value = (solve_linear(A, b, **TIGHT).x ** power).sum() + b.pow(3).sum() + A.pow(3).sum()
    for gradient in torch.autograd.grad(value, (A, b), create_graph=True):
        with pytest.raises(UsageError, match="second derivatives"):
            torch.autograd.grad(gradient.sum(), A, retain_graph=True)


def test_gradient_is_that_of_a_dense_inverse():
    A, b = positive(30), right(30)
    solve_linear(A, b, **TIGHT).x.sin().sum().backward()
    found = A.grad.clone(), b.grad.clone()
    A.grad = b.grad = None
    torch.linalg.solve(A, b).sin().sum().backward()
    torch.testing.assert_close(found, (A.grad, b.grad), rtol=1e-9, atol=1e-11)


def test_the_adjoint_uses_the_same_preconditioner():
    box = StencilOperator([torch.ones(12, 12, dtype=torch.float64)] * 2, torch.ones(12, 12, dtype=torch.float64))
    solver = prepare(box, M="jacobi")
    built = solver.ready().guards[0]
    b = right(144)
    solver.solve(b).x.sum().backward()
    assert solver.transposed() is solver and solver.ready().guards[0] is built
    nonsymmetric = PreparedSolver(np.array([[2.0, 1.0], [0.0, 3.0]]), solver="gmres", M="direct")
    assert nonsymmetric.transposed().transposed().A.shape == (2, 2)
    assert nonsymmetric.transposed().solve([1.0, 1.0]).iterations == 1  # the transposed factors are exact


def test_an_adjoint_solve_that_fails_raises():
    A, b = torch.diag(torch.arange(1.0, 41.0, dtype=torch.float64)), right(40)
    calls = []

    def action(x):
        calls.append(1)
        return A @ x * (float("nan") if len(calls) > 60 else 1.0)

    solver = prepare(CallableOperator((40, 40), action, symmetric=True))
    x = solver.solve(b).x
    calls.extend([1] * 60)
    with pytest.raises(NotConvergedError, match="adjoint"):
        x.sum().backward()


def test_no_gradient_where_none_is_asked_for():
    A = positive().detach()
    assert not solve_linear(A, right(6).detach()).x.requires_grad
    with torch.no_grad():
        assert not solve_linear(A, right(6)).x.requires_grad


def test_update_serves_new_coefficients():
    A, b = positive().detach(), right(6).detach()
    solver = prepare(A, M="jacobi")
    first = solver.solve(b)
    solver.update(3.0 * A)
    second = solver.solve(b)
    torch.testing.assert_close(second.x, first.x / 3.0, rtol=1e-6, atol=1e-9)
    assert first.setup_seconds > 0.0 and second.setup_seconds > 0.0 and solver.solve(b).setup_seconds == 0.0


def test_gradients_are_those_of_the_matrix_that_was_solved_with():
    A, b = positive().detach(), right(6).detach().requires_grad_()
    solver = prepare(A, M="jacobi")
    x = solver.solve(b, rtol=1e-12).x
    solver.update(3.0 * A)
    x.sum().backward()
    torch.testing.assert_close(b.grad, torch.linalg.solve(A, torch.ones(6, dtype=torch.float64)))


def test_cg_that_solved_with_an_unsymmetric_matrix_goes_back_with_its_transpose():
    A = torch.tensor([[2.0, 1.0], [0.0, 2.0]], dtype=torch.float64)
    b = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    (solve_linear(A, b).x * torch.tensor([1.0, 0.0], dtype=torch.float64)).sum().backward()
    assert b.grad.tolist() == pytest.approx([0.5, -0.25])


@pytest.mark.parametrize("M", [None, "multigrid"])
def test_gradients_of_singular_systems_are_those_of_the_pseudoinverse(M):
    A = StencilOperator.poisson((12, 10), 1.0)
    generator = torch.Generator().manual_seed(0)
    b, weights = (torch.randn(120, dtype=torch.float64, generator=generator) for _ in range(2))
    b = (b - b.mean()).requires_grad_()
    (solve_linear(A, b, M=M, rtol=1e-11).x @ weights).backward()
    inverse = torch.from_numpy(np.linalg.pinv(A.to_csr().toarray(), hermitian=True))
    torch.testing.assert_close(b.grad, inverse @ weights, rtol=1e-8, atol=1e-9)
