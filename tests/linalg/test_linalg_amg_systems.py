"""Algebraic multigrid for systems and for spaces inside others: blocks, W-cycles, given prolongations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from neuralpde.linalg import AlgebraicMultigrid, MatrixOperator, SparseOperator, solve_linear
from neuralpde.linalg.jacobi_cycle import JacobiCycle
from neuralpde.linalg.multigrid_cycle import GaussSeidelCycle
from neuralpde.linalg.sparse import product_with
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
    assert np.abs(GaussSeidelCycle(made.levels, cycle)(r) - wanted).max() <= 1e-12 * np.abs(wanted).max()
    assert np.abs(GaussSeidelCycle(made.levels, cycle, np.float32)(r) - wanted).max() <= 1e-5 * np.abs(wanted).max()


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


def pyamg_levels(block: int) -> Any:
    import pyamg

    A = coupled(30).tobsr((2, 2)) if block == 2 else square(60)
    return pyamg.smoothed_aggregation_solver(A, max_coarse=20)


@pytest.mark.parametrize("cycle", ["V", "W"])
@pytest.mark.parametrize("block", [1, 2])
def test_a_jacobi_cycle_is_symmetric_and_positive_and_contracts(block: int, cycle: str) -> None:
    levels = pyamg_levels(block)
    A, made = levels.levels[0].A.toarray(), JacobiCycle(levels.levels, cycle)
    n = len(A)
    rows = np.random.default_rng(0).standard_normal((n, 40))
    M = rows.T @ np.stack([made(column) for column in rows.T], axis=1)
    assert np.abs(M - M.T).max() <= 1e-12 * np.abs(M).max()
    assert np.linalg.eigvalsh(0.5 * (M + M.T)).min() > 0
    error = rows[:, 0]
    for _ in range(30):
        left = error - made(A @ error)
        rate = np.sqrt((left @ A @ left) / (error @ A @ error))
        error = left
    assert rate < 0.8  # of the slowest errors, in the norm of energy
    single = JacobiCycle(levels.levels, cycle, np.float32)
    assert np.abs(single(rows[:, 0]) - made(rows[:, 0])).max() <= 1e-5 * np.abs(made(rows[:, 0])).max()


def test_a_jacobi_cycle_of_two_levels_is_its_formula() -> None:
    import pyamg

    levels = pyamg.smoothed_aggregation_solver(coupled(12).tobsr((2, 2)), max_levels=2)
    A, P = levels.levels[0].A.toarray(), levels.levels[0].P.toarray()
    blocks = A.reshape(144, 2, 144, 2)[range(144), :, range(144)]
    D = np.zeros_like(A)
    for i, block in enumerate(blocks):
        D[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = block
    r = np.random.default_rng(0).standard_normal(len(A))
    made = JacobiCycle(levels.levels, "V")
    first = np.linalg.solve(D, r)
    found = made.levels[0].damping(torch.from_numpy(r)).numpy()
    damping = float(found @ first / (first @ first))
    assert np.abs(found - damping * first).max() <= 1e-13 * np.abs(found).max()
    largest = np.abs(np.linalg.eigvals(np.linalg.solve(D, A))).max()
    assert 1.1 < damping * largest < 2 / 1.3 + 1e-12
    x = found + P @ np.linalg.solve(P.T @ A @ P, P.T @ (r - A @ found))
    wanted = x + damping * np.linalg.solve(D, r - A @ x)
    assert np.abs(made(r) - wanted).max() <= 1e-9 * np.abs(wanted).max()


def test_jacobi_sweeps_serve_cg_and_leave_other_methods_alone() -> None:
    options = {"block": 2, "near_nullspace": torch.eye(2, dtype=torch.float64).repeat(900, 1)}
    M = AlgebraicMultigrid("smoothed_aggregation", smoother="jacobi", **options)  # type: ignore[arg-type]
    assert symmetric(coupled(30), M) and solved(coupled(30), M) <= 30
    skew = coupled(30) + sp.diags(np.full(1799, 0.3), 1)
    made = M.build(MatrixOperator(skew))
    assert isinstance(made._cycle, GaussSeidelCycle)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("block", [(1, 1), (2, 2), (3, 3), (6, 6), (3, 6)])
def test_products_are_those_of_dense_matrices(block: tuple[int, int], dtype: type) -> None:
    A = sp.random(60, 120, 0.05, format="csr", random_state=0, dtype=dtype)
    for matrix in (A, A.tobsr(block), 0 * A[:0], sp.csr_matrix((60, 120), dtype=dtype)):
        x = torch.from_numpy(np.random.default_rng(1).standard_normal((120, 3)).astype(dtype))
        wanted = torch.from_numpy(matrix.toarray()) @ x
        product = product_with(matrix)
        for found, right in ((product(x), wanted), (product(x[:, 0].contiguous()), wanted[:, 0])):
            assert found.dtype == x.dtype and torch.allclose(found, right, rtol=0, atol=1e-5)


def test_products_without_mkl_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    A = coupled(6).tobsr((2, 2))
    x = torch.rand(72, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    wanted = product_with(A)(x)
    monkeypatch.setattr(torch.backends.mkl, "is_available", lambda: False)
    assert torch.allclose(product_with(A)(x), wanted, rtol=0, atol=1e-14)


@pytest.mark.parametrize("smoother", ["gauss_seidel", "jacobi"])
@pytest.mark.parametrize("single", [False, True])
def test_update_keeps_blocks_and_given_coarse_spaces(smoother: str, single: bool) -> None:
    A = coupled(31)
    other = sp.csr_matrix(A + sp.diags(np.linspace(0.0, 0.5, A.shape[0])))
    for prolongation in (None, sp.kron(interpolation(15), sp.identity(2), format="csr")):
        rows = A.shape[0] if prolongation is None else prolongation.shape[1]
        M = AlgebraicMultigrid(
            "smoothed_aggregation",
            block=2,
            near_nullspace=torch.eye(2, dtype=torch.float64).repeat(rows // 2, 1),
            prolongation=prolongation,
            smoother=smoother,
            single=single,
        )
        made = M.build(MatrixOperator(A))
        made.update(MatrixOperator(other))
        b = torch.rand(A.shape[0], dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        found, fresh = (solve_linear(MatrixOperator(other), b, M=m, rtol=1e-8) for m in (made, M))
        assert not found.notes and found.iterations <= fresh.iterations + 2


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="the smoothers are 'gauss_seidel' and 'jacobi'; got 'sor'"):
        AlgebraicMultigrid(smoother="sor")
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
