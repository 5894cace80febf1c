"""Classical preconditioners: one contract for all of them, their formulas, iteration counts, and bad inputs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from neuralpde.linalg import (
    SSOR,
    AlgebraicMultigrid,
    CallableOperator,
    Chebyshev,
    DiagonalOperator,
    Direct,
    IncompleteCholesky,
    Jacobi,
    MatrixOperator,
    Preconditioner,
    rigid_motions,
    solve_linear,
)
from neuralpde.linalg.chebyshev import ChebyshevOperator, largest_eigenvalue
from neuralpde.linalg.incomplete_cholesky import CholeskyFactors
from neuralpde.types import UsageError

MAKE: dict[str, Callable[[], Preconditioner]] = {
    "jacobi": Jacobi,
    "jacobi blocks": lambda: Jacobi(block=2),
    "ssor": SSOR,
    "ssor 1.5 single": lambda: SSOR(1.5, single=True),
    "chebyshev": Chebyshev,
    "chebyshev blocks": lambda: Chebyshev(5, block=2),
    "ic": IncompleteCholesky,
    "ic plain": lambda: IncompleteCholesky(modified=0.0),
    "ic modified": lambda: IncompleteCholesky(modified=1.0),
    "ic drop": lambda: IncompleteCholesky(drop=1e-2),
    "ic drop modified few": lambda: IncompleteCholesky(drop=1e-3, modified=0.5, fill=1.0),
    "ic rcm single": lambda: IncompleteCholesky(ordering="rcm", single=True),
    "direct": Direct,
    "amg": AlgebraicMultigrid,
}


def line(n: int) -> sp.csr_matrix:
    return sp.diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(n, n), format="csr")


def square(n: int) -> sp.csr_matrix:
    return sp.csr_matrix(sp.kron(line(n), sp.identity(n)) + sp.kron(sp.identity(n), line(n)))


def cube(n: int) -> sp.csr_matrix:
    one = sp.identity(n)
    return sp.csr_matrix(sp.kron(square(n), one) + sp.kron(sp.kron(one, one), line(n)))


def random_definite(n: int, seed: int, condition: float = 1e4, density: float = 0.1) -> sp.csr_matrix:
    """BᵀB + δ I with entries of both signs and rows of very different sizes: no M-matrix, pivots of IC(0) fail."""
    rng = np.random.default_rng(seed)
    b = sp.random(n, n, density=density, random_state=rng, data_rvs=rng.standard_normal)
    a = b.T @ b
    d = sp.diags(np.geomspace(1.0, 30.0, n)[rng.permutation(n)])
    return sp.csr_matrix(d @ (a + abs(a).max() / condition * sp.identity(n)) @ d)


MATRICES = {
    "square": square(8),
    "cube": cube(4),
    "line": line(2),
    "with empty rows": sp.csr_matrix(sp.block_diag([square(5), sp.csr_matrix((3, 3))])),
    "one": sp.csr_matrix([[4.0, 0.0], [0.0, 0.5]]),
    **{f"random {seed}": random_definite(40, seed) for seed in range(4)},
}


def dense(M: Preconditioner, A: sp.csr_matrix) -> np.ndarray:
    return M.build(MatrixOperator(A)).to_csr().toarray()


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("name", MAKE)
def test_action_is_linear_symmetric_and_positive(name: str, matrix: str) -> None:
    A = MATRICES[matrix]
    if name in ("direct",) and matrix == "with empty rows":
        with pytest.raises(UsageError, match="needs a regular matrix"):
            Direct().build(MatrixOperator(A))
        return
    if "blocks" in name and A.shape[0] % 2:
        A = sp.csr_matrix(A[: A.shape[0] - 1, : A.shape[0] - 1])
        A = A if A.shape[0] % 2 == 0 else sp.csr_matrix(A[:-1, :-1])
    operator = MAKE[name]().build(MatrixOperator(A))
    M = operator.to_csr().toarray()
    scale = np.sqrt(np.outer(M.diagonal(), M.diagonal()))  # of a matrix whose rows differ by 1e6
    assert operator.shape == A.shape and operator.symmetric
    assert operator.positive_definite or name == "direct"  # which claims it only where no pivot left the diagonal
    active = M.diagonal() > 0  # multigrid sets unknowns of empty rows to 0
    scaled = (M / np.where(scale > 0, scale, 1.0))[active][:, active]
    tolerance = 1e-6 if "single" in name else 1e-9
    np.testing.assert_allclose(scaled, scaled.T, rtol=0, atol=tolerance)
    assert np.linalg.eigvalsh((scaled + scaled.T) / 2)[0] > 0
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(A.shape[0], 3, dtype=torch.float64, generator=generator)
    together = operator @ x
    wanted = torch.from_numpy(M) @ x
    size = wanted.abs().max(dim=1, keepdim=True).values + 1e-300
    assert bool(((together - wanted).abs() <= 1e-8 * size.max()).all())
    for k in range(3):
        assert torch.allclose(operator @ x[:, k], together[:, k], rtol=1e-9, atol=1e-12 * float(size.max()))
    combined = operator @ (2.0 * x[:, 0] - 3.0 * x[:, 1])
    assert torch.allclose(combined, 2.0 * together[:, 0] - 3.0 * together[:, 1], rtol=0, atol=1e-8 * float(size.max()))


@pytest.mark.parametrize("name", MAKE)
def test_dtype_in_is_dtype_out_and_nothing_given_is_changed(name: str) -> None:
    A = square(8)
    before = A.copy()
    for entries in (np.float32, np.float64):
        operator = MAKE[name]().build(MatrixOperator(A.astype(entries)))
        for dtype in (torch.float32, torch.float64):
            x = torch.linspace(-1, 1, 64, dtype=dtype)
            kept = x.clone()
            z = operator @ x
            if operator.dtype is torch.float64 or dtype is torch.float32:
                assert z.dtype is (
                    dtype if not name.startswith("jacobi") else torch.promote_types(dtype, operator.dtype)
                )
            assert torch.equal(x, kept) and z.shape == x.shape
        strided = torch.linspace(-1, 1, 128, dtype=torch.float64)[::2]
        assert torch.allclose((operator @ strided).double(), (operator @ strided.clone()).double(), rtol=1e-6)
        assert (operator @ torch.zeros(64, 0, dtype=torch.float64)).shape == (64, 0)
    assert (before != A).nnz == 0


@pytest.mark.parametrize("name", ["jacobi", "ssor", "chebyshev", "ic", "direct"])
def test_every_name_solves_and_helps(name: str) -> None:
    A = square(40)
    A = sp.csr_matrix(sp.diags(np.geomspace(1, 30, 1600)) @ A @ sp.diags(np.geomspace(1, 30, 1600)))
    b = A @ np.random.default_rng(0).normal(size=1600)
    found = solve_linear(A, b, M=name)
    assert found.status.ok and found.notes == ()
    assert np.linalg.norm(b - A @ found.x.numpy()) <= 1e-8 * np.linalg.norm(b)
    most = {"jacobi": 0.7, "ssor": 0.3, "chebyshev": 0.2, "ic": 0.2, "direct": 0.005}[name]
    assert found.iterations <= most * solve_linear(A, b).iterations + 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", range(20))
def test_random_matrices_are_solved_to_their_true_residual(seed: int, dtype: type) -> None:
    A = random_definite(60, seed, condition=1e3).astype(dtype)
    b = np.random.default_rng(seed).normal(size=60)
    rtol = 1e-8 if dtype is np.float64 else 1e-5
    for name in ("ssor", "chebyshev", "ic"):
        found = solve_linear(A, b, M=name, rtol=rtol, raise_on_failure=False)
        true = np.linalg.norm(b - A.astype(np.float64) @ found.x.numpy()) / np.linalg.norm(b)
        assert found.status.ok and found.notes == (), name
        assert true <= rtol and math.isclose(true, found.residual, rel_tol=0.01)


def test_ssor_is_its_formula() -> None:
    A = square(4).toarray() + np.diag(np.arange(16.0))
    L, U, D = np.tril(A, -1), np.triu(A, 1), np.diag(A.diagonal())
    for omega in (0.7, 1.0, 1.6):
        wanted = omega * (2 - omega) * np.linalg.inv(D + omega * U) @ D @ np.linalg.inv(D + omega * L)
        np.testing.assert_allclose(dense(SSOR(omega), sp.csr_matrix(A)), wanted, rtol=1e-12)


def test_ssor_serves_gmres() -> None:
    n = 400
    A = square(20) + sp.diags(np.full(n - 1, 0.8), 1)
    b = np.random.default_rng(0).normal(size=n)
    operator = SSOR().build(MatrixOperator(A))
    assert not operator.symmetric
    better = solve_linear(A, b, solver="gmres", M="ssor")
    assert better.notes == () and better.iterations < 0.6 * solve_linear(A, b, solver="gmres").iterations


def test_ssor_with_the_best_omega_takes_iterations_like_the_root_of_n() -> None:
    counts = []
    for n in (32, 128):
        A, b = square(n), np.random.default_rng(0).random(n * n)
        counts.append(solve_linear(A, b, M=SSOR(2 / (1 + 2 * np.sin(np.pi / (2 * n))))).iterations)
    assert counts[1] <= 2.3 * counts[0], counts  # O(n) would be 4


def test_chebyshev_is_the_polynomial_that_is_smallest_on_its_interval() -> None:
    eigenvalues = np.linspace(0.01, 2.0, 50)
    A = MatrixOperator(sp.diags(eigenvalues * np.geomspace(1, 9, 50)))
    scaling = torch.from_numpy(np.geomspace(1, 9, 50))
    for degree in (1, 2, 5, 8):
        a, b = 0.2, 2.0
        made = ChebyshevOperator(A, DiagonalOperator(1.0 / scaling), degree, (a, b))
        left = 1.0 - (made @ A.diagonal()).numpy()  # 1 − λ p(λ)
        T = np.polynomial.chebyshev.Chebyshev.basis(degree)
        wanted = T((b + a - 2 * eigenvalues) / (b - a)) / T((b + a) / (b - a))
        np.testing.assert_allclose(left, wanted, atol=1e-12)


@pytest.mark.parametrize("seed", range(20))
def test_the_bound_of_the_largest_eigenvalue_holds(seed: int) -> None:
    A = random_definite(80, seed)
    scaling = Jacobi().build(MatrixOperator(A))
    root = np.sqrt(A.diagonal())
    true = np.linalg.eigvalsh(A.toarray() / np.outer(root, root))[-1]
    assert true <= 1.0001 * largest_eigenvalue(MatrixOperator(A), scaling) <= 2.5 * true


def test_chebyshev_needs_no_entries() -> None:
    A = square(30)
    entries = torch.from_numpy(A.toarray())
    free = CallableOperator((900, 900), lambda x: entries @ x, diagonal=torch.full((900,), 4.0), symmetric=True)
    b = np.random.default_rng(0).random(900)
    found = solve_linear(free, b, M=Chebyshev(6))
    assert found.notes == () and found.iterations <= 0.25 * solve_linear(free, b).iterations


def test_incomplete_cholesky_of_a_whole_pattern_is_exact() -> None:
    for A in (line(60), sp.csr_matrix(random_definite(30, 0, density=0.9).toarray())):
        inverse = np.linalg.inv(A.toarray())
        for M in (IncompleteCholesky(), IncompleteCholesky(ordering="rcm"), IncompleteCholesky(drop=0.0)):
            np.testing.assert_allclose(dense(M, A), inverse, rtol=1e-5, atol=1e-9 * abs(inverse).max())
    whole = IncompleteCholesky(drop=0.0, fill=1e3)
    np.testing.assert_allclose(dense(whole, square(9)), np.linalg.inv(square(9).toarray()), rtol=1e-10)


def zero_fill(A: np.ndarray, modified: float) -> np.ndarray:
    """IC(0) by its definition: elimination of a dense matrix, fill set to zero and added to both diagonals."""
    S, pattern = A.copy(), A != 0
    L = np.zeros_like(A)
    for k in range(len(A)):
        L[k:, k] = S[k:, k] / np.sqrt(S[k, k])
        S -= np.outer(L[:, k], L[:, k])
        for i in range(k + 1, len(A)):
            for j in range(k + 1, i):
                if not pattern[i, j]:
                    S[i, i] += modified * S[i, j]
                    S[j, j] += modified * S[i, j]
                    S[i, j] = S[j, i] = 0.0
    return np.linalg.inv(L @ L.T)


@pytest.mark.parametrize("modified", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("scaled", [False, True])
def test_incomplete_cholesky_is_its_definition(modified: float, scaled: bool) -> None:
    A = square(6)
    if scaled:
        d = sp.diags(np.random.default_rng(0).uniform(0.1, 10.0, 36))
        A = sp.csr_matrix(A + d)
    np.testing.assert_allclose(
        dense(IncompleteCholesky(modified=modified), A), zero_fill(A.toarray(), modified), rtol=1e-9
    )


def test_modified_factors_keep_row_sums() -> None:
    A = sp.csr_matrix(square(9) + sp.diags(np.random.default_rng(0).uniform(0, 3, 81)))
    for drop in (None, 0.05):
        M = IncompleteCholesky(modified=1.0, drop=drop).build(MatrixOperator(A))
        ones = torch.ones(81, dtype=torch.float64)
        np.testing.assert_allclose(M @ torch.from_numpy(A @ ones.numpy()), ones, rtol=1e-10)


def test_modified_factors_take_iterations_like_the_root_of_n() -> None:
    """Gustafsson (1978): condition O(h⁻¹) instead of O(h⁻²) on Poisson's equation, so iterations ∝ √n, not n."""
    counts: dict[float, list[int]] = {}
    for modified in (0.0, 0.99, 1.0):
        for n in (32, 128):
            b = np.random.default_rng(0).random(n * n)
            found = solve_linear(square(n), b, M=IncompleteCholesky(modified=modified))
            counts.setdefault(modified, []).append(found.iterations)
    assert counts[1.0][1] <= 2.5 * counts[1.0][0] and counts[0.99][1] <= 2.5 * counts[0.99][0], counts
    assert counts[0.0][1] >= 3.0 * counts[0.0][0] and counts[0.0][1] >= 2.0 * counts[0.99][1], counts


def test_thresholds_trade_entries_for_iterations() -> None:
    A, b = square(60), np.random.default_rng(0).random(3600)
    entries, iterations = [], []
    for drop in (None, 0.1, 0.02, 0.004):
        M = IncompleteCholesky(drop=drop).build(MatrixOperator(A))
        entries.append(M.entries)
        iterations.append(solve_linear(A, b, M=M).iterations)
    assert sorted(entries) == entries and sorted(iterations, reverse=True) == iterations and iterations[-1] <= 15
    few = IncompleteCholesky(drop=0.004, fill=1.0).build(MatrixOperator(A))
    assert few.entries <= 2 * (2 * (A.nnz - 3600) // 2 + 3600) + 2 * 3600  # two triangles, one entry more a column


def test_closed_boxes_and_pockets_need_no_shift() -> None:
    closed = sp.csr_matrix(square(20) - sp.diags(np.asarray(square(20).sum(axis=1)).ravel()))
    pocket = sp.csr_matrix([[1.0, -1.0], [-1.0, 1.0]])
    A = sp.csr_matrix(sp.block_diag([closed, pocket, 3 * pocket]))
    M = IncompleteCholesky().build(MatrixOperator(A))
    assert isinstance(M, CholeskyFactors) and M.shift == 0.0
    b = A @ np.random.default_rng(0).normal(size=404)
    found = solve_linear(A, b, M=M)
    assert found.notes == () and found.iterations <= 40
    assert np.linalg.norm(b - A @ found.x.numpy()) <= 1e-8 * np.linalg.norm(b)


def test_pivots_that_fail_are_shifted() -> None:
    # Kershaw's matrix (1978): positive definite, but the last pivot of IC(0) is −5.
    A = sp.csr_matrix([[3.0, -2, 0, 2], [-2, 3, -2, 0], [0, -2, 3, -2], [2, 0, -2, 3]])
    assert np.linalg.eigvalsh(A.toarray())[0] > 0
    M = IncompleteCholesky().build(MatrixOperator(A))
    assert M.shift > 0.0
    found = solve_linear(A, [1.0, 2.0, 3.0, 4.0], M=M)
    assert found.notes == () and found.iterations <= 5


def test_rounding_in_the_entries_is_no_asymmetry() -> None:
    A = square(20)
    noisy = sp.csr_matrix(A + sp.triu(A, 1) * 1e-7)
    b = np.random.default_rng(0).random(400)
    assert solve_linear(noisy, b, M="ic", rtol=1e-6).notes == ()
    M = IncompleteCholesky().build(MatrixOperator(noisy)).to_csr().toarray()
    np.testing.assert_allclose(M, M.T, rtol=0, atol=1e-12)


def test_orderings() -> None:
    A, rng = square(30), np.random.default_rng(0)
    mixed = rng.permutation(900)
    B = sp.csr_matrix(A[mixed][:, mixed])
    b = rng.random(900)
    natural, random, cuthill = (
        solve_linear(matrix, b, M=IncompleteCholesky(ordering=ordering)).iterations
        for matrix, ordering in ((A, "natural"), (B, "natural"), (B, "rcm"))
    )
    assert cuthill <= natural + 5 < random


def test_block_jacobi_solves_blocks() -> None:
    rng = np.random.default_rng(0)
    blocks = [b @ b.T + 0.1 * np.eye(3) for b in rng.normal(size=(5, 3, 3))]
    A = sp.block_diag(blocks, format="csr")
    M = Jacobi(block=3).build(MatrixOperator(A))
    np.testing.assert_allclose((M @ torch.from_numpy(A.toarray())), np.eye(15), atol=1e-9)
    assert M.diagonal().tolist() == pytest.approx(np.linalg.inv(A.toarray()).diagonal().tolist())
    broken = A.tolil()
    broken[:3, :3] = [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    made = Jacobi(block=3).build(MatrixOperator(sp.csr_matrix(broken))).to_csr().toarray()
    assert made[:3, :3].tolist() == np.eye(3).tolist()


def test_rigid_motions_are_what_elasticity_sends_to_zero() -> None:
    points = np.random.default_rng(0).random((7, 3)) * 5 + 20
    B = rigid_motions(points).reshape(7, 3, 6).numpy()
    assert np.linalg.matrix_rank(B.reshape(21, 6)) == 6 and np.linalg.cond(B.reshape(21, 6)) < 10
    apart = points[:, None] - points
    for k in range(6):
        moved = B[:, None, :, k] - B[None, :, :, k]
        assert abs((apart * moved).sum(-1)).max() < 1e-12  # distances keep
    assert rigid_motions(points[:, :2]).shape == (14, 3) and rigid_motions(points[:, :1]).shape == (7, 1)
    with pytest.raises(UsageError, match=r"points have shape \(n, d\)"):
        rigid_motions(np.zeros(3))


BAD = {
    "negative": (-square(4), "positive diagonal, but entry"),
    "zero diagonal": (sp.csr_matrix([[0.0, 1.0], [1.0, 2.0]]), "entry 0 is 0"),
    "nan": (sp.csr_matrix([[np.nan, 1.0], [1.0, 2.0]]), "NaN"),
    "rectangular": (sp.csr_matrix([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), "square"),
}


@pytest.mark.parametrize("matrix", BAD)
@pytest.mark.parametrize("name", ["ssor", "chebyshev", "ic", "amg"])
def test_bad_matrices_are_refused_in_sentences(name: str, matrix: str) -> None:
    A, word = BAD[matrix]
    if (name, matrix) == ("chebyshev", "zero diagonal"):
        return  # a product tells no empty row from this one; CG finds that A is indefinite
    with pytest.raises(UsageError, match=word if (name, matrix) != ("chebyshev", "nan") else "nan"):
        MAKE[name]().build(MatrixOperator(A))


def test_a_long_plateau_drops_no_classical_preconditioner() -> None:
    # Plain IC(0) at this size has 25 steps in a row that gain less than a tenth of what steepest descent would.
    A, b = square(400), np.random.default_rng(0).random(160_000)
    for M in (IncompleteCholesky(modified=0.0), IncompleteCholesky(modified=0.0).build(MatrixOperator(A))):
        found = solve_linear(MatrixOperator(A, symmetric=True), b, M=M)
        assert found.status.ok and found.notes == ()


def test_a_refused_preconditioner_costs_itself_and_not_the_answer() -> None:
    A = square(10) + sp.diags(np.full(99, 0.5), 1)
    b = np.random.default_rng(0).random(100)
    found = solve_linear(A, b, solver="gmres", M=IncompleteCholesky())
    assert found.status.ok and "needs a symmetric matrix" in found.notes[0]
    large = solve_linear(square(10), b, M=Direct(limit=99))
    assert large.status.ok and "the limit is 99" in large.notes[0]


@pytest.mark.parametrize("n", [0, 1])
@pytest.mark.parametrize("name", ["jacobi", "ssor", "chebyshev", "ic", "ic drop", "ic rcm single", "direct", "amg"])
def test_no_unknowns_and_one(name: str, n: int) -> None:
    A = sp.csr_matrix(np.full((n, n), 4.0))
    b = np.full(n, 2.0)
    found = solve_linear(A, b, M=MAKE[name]())
    assert found.status.ok and found.notes == () and found.x.tolist() == pytest.approx([0.5] * n)


def test_options_out_of_range() -> None:
    for make in (
        lambda: SSOR(2.0),
        lambda: Chebyshev(0),
        lambda: Chebyshev(ratio=1.0),
        lambda: Chebyshev(largest=-1.0),
        lambda: IncompleteCholesky(drop=1.0),
        lambda: IncompleteCholesky(fill=-1.0),
        lambda: IncompleteCholesky(modified=1.1),
        lambda: IncompleteCholesky(ordering="amd"),
        lambda: Jacobi(0),
        lambda: Jacobi(3).build(MatrixOperator(square(2))),
    ):
        with pytest.raises(UsageError):
            make()
