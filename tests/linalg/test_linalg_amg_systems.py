"""Algebraic multigrid for systems and for spaces inside others: blocks, W-cycles, given prolongations."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from neuralpde.linalg import AlgebraicMultigrid, MatrixOperator, SparseOperator, solve_linear
from neuralpde.linalg.multigrid_cycle import GaussSeidelCycle
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


def coupled(n: int) -> sp.csr_matrix:
    return sp.csr_matrix(sp.kron(square(n), sp.csr_matrix([[2.0, 0.9], [0.9, 1.0]])))


@pytest.mark.parametrize("cycle", ["V", "W"])
@pytest.mark.parametrize("block", [1, 2])
def test_the_cycle_is_that_of_pyamg(block: int, cycle: str) -> None:
    import pyamg

    A = coupled(30).tobsr((2, 2)) if block == 2 else square(60)
    name = "block_gauss_seidel" if block == 2 else "gauss_seidel"
    sweeps = {"presmoother": (name, {"sweep": "forward"}), "postsmoother": (name, {"sweep": "backward"})}
    made = pyamg.smoothed_aggregation_solver(A, max_coarse=20, **sweeps)
    r = np.random.default_rng(0).standard_normal(A.shape[0])
    wanted = made.aspreconditioner(cycle=cycle) @ r
    assert len(made.levels) > 2
    assert np.abs(GaussSeidelCycle(made, cycle)(r) - wanted).max() <= 1e-12 * np.abs(wanted).max()
    assert np.abs(GaussSeidelCycle(made, cycle, np.float32)(r) - wanted).max() <= 1e-5 * np.abs(wanted).max()


def test_single_precision_costs_no_iterations() -> None:
    A, options = coupled(30), {"block": 2, "near_nullspace": torch.eye(2, dtype=torch.float64).repeat(900, 1)}
    for scale in (1e-15, 1.0, 2e11):
        single, double = (AlgebraicMultigrid("smoothed_aggregation", single=s, **options) for s in (True, False))  # type: ignore[arg-type]
        assert abs(solved(scale * A, single) - solved(scale * A, double)) <= 1
    steep = sp.diags(np.geomspace(1e-5, 1e5, 60**2)) @ square(60) @ sp.diags(np.geomspace(1e-5, 1e5, 60**2))
    M = [AlgebraicMultigrid("smoothed_aggregation", single=s).build(MatrixOperator(steep)) for s in (True, False)]
    r = torch.rand(60**2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(M[0].matvec(r), M[1].matvec(r))  # float32 would not do there


@pytest.mark.parametrize("form", ["csr", "bsr"])
def test_sparse_operators_hold_what_they_get(form: str) -> None:
    A = coupled(4).asformat(form)
    A.data[0] += 1.0
    operator, dense = SparseOperator(A), torch.from_numpy(A.toarray())
    x = torch.rand(32, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert operator.matrix is A and not operator.symmetric
    for columns in (x, x[:, 0]):
        assert torch.allclose(operator @ columns, dense @ columns, rtol=0, atol=1e-14)
        assert torch.allclose(operator.rmatvec(columns), dense.T @ columns, rtol=0, atol=1e-14)
    assert torch.equal(operator.diagonal(), dense.diagonal())
    assert (operator.to_csr() != sp.csr_matrix(A)).nnz == 0


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
