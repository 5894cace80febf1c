"""Algebraic multigrid for systems and for spaces inside others: blocks, W-cycles, given prolongations."""

from __future__ import annotations

import pytest
import scipy.sparse as sp
import torch

from neuralpde.linalg import AlgebraicMultigrid, MatrixOperator, solve_linear
from neuralpde.types import UsageError


def line(n: int) -> sp.csr_matrix:
    return sp.diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(n, n), format="csr")


def square(n: int) -> sp.csr_matrix:
    return sp.csr_matrix(sp.kron(line(n), sp.identity(n)) + sp.kron(sp.identity(n), line(n)))


def interpolation(m: int) -> sp.csr_matrix:
    """Linear functions of m inner points on 2 m + 1 points."""
    one = sp.lil_matrix((2 * m + 1, m))
    for j in range(m):
        one[2 * j : 2 * j + 3, j] = [[0.5], [1.0], [0.5]]
    return sp.csr_matrix(sp.kron(one, one))


def solved(A: sp.csr_matrix, M: AlgebraicMultigrid) -> int:
    b = torch.rand(A.shape[0], dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = solve_linear(MatrixOperator(A, positive_definite=True), b, M=M, rtol=1e-8)
    assert found.status.ok and not found.notes
    return found.iterations


def symmetric(A: sp.csr_matrix, M: AlgebraicMultigrid) -> bool:
    cycle = M.build(MatrixOperator(A))
    x, y = torch.rand(2, A.shape[0], dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return abs(float(y @ cycle.matvec(x) - x @ cycle.matvec(y))) <= 1e-10 * float(y @ cycle.matvec(x))


def test_a_given_coarse_space_saves_iterations() -> None:
    A, P = square(63), interpolation(31)
    plain = AlgebraicMultigrid("smoothed_aggregation", theta=0.0)
    given = AlgebraicMultigrid("smoothed_aggregation", theta=0.0, prolongation=P)
    assert symmetric(A, given) and given.build(MatrixOperator(A)).levels[:2] == (63**2, 31**2)
    assert solved(A, given) < solved(A, plain)


@pytest.mark.parametrize("method", ["smoothed_aggregation", "ruge_stuben"])
def test_w_cycles_take_fewer_iterations(method: str) -> None:
    A = square(80)
    v, w = (AlgebraicMultigrid(method, theta=0.0, cycle=cycle) for cycle in "VW")
    assert symmetric(A, w) and solved(A, w) <= solved(A, v)


def test_unknowns_of_a_node_stay_together() -> None:
    A = sp.csr_matrix(sp.kron(square(30), sp.csr_matrix([[2.0, 0.9], [0.9, 1.0]])))
    modes = torch.eye(2, dtype=torch.float64).repeat(900, 1)
    M = AlgebraicMultigrid("smoothed_aggregation", block=2, near_nullspace=modes)
    assert all(size % 2 == 0 for size in M.build(MatrixOperator(A)).levels)
    assert symmetric(A, M) and solved(A, M) <= 25
    given = AlgebraicMultigrid(
        "smoothed_aggregation",
        block=2,
        near_nullspace=torch.eye(2, dtype=torch.float64).repeat(14**2, 1),
        prolongation=sp.kron(interpolation(14), sp.identity(2), format="csr"),
    )
    B = sp.csr_matrix(sp.kron(square(29), sp.csr_matrix([[2.0, 0.9], [0.9, 1.0]])))
    assert symmetric(B, given) and solved(B, given) <= 15


def test_what_does_not_fit_is_refused() -> None:
    A = MatrixOperator(square(7))
    with pytest.raises(UsageError, match="the cycles are 'V' and 'W'; got 'F'"):
        AlgebraicMultigrid(cycle="F")
    with pytest.raises(UsageError, match="block is used by method='smoothed_aggregation' only"):
        AlgebraicMultigrid(block=2)
    with pytest.raises(UsageError, match=r"prolongation has shape \(49, 9\), expected \(64, m\)"):
        AlgebraicMultigrid(prolongation=interpolation(3)).build(MatrixOperator(square(8)))
    with pytest.raises(UsageError, match=r"near_nullspace has shape \(49, 1\), expected \(9, modes\)"):
        AlgebraicMultigrid(
            "smoothed_aggregation", prolongation=interpolation(3), near_nullspace=torch.ones(49, 1)
        ).build(A)
