"""Algebraic multigrid: few iterations, whatever the grid, the coefficients and the mask; symmetric positive action."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from neuralpde.linalg import AlgebraicMultigrid, BoxLaplacian, CallableOperator, as_operator, solve_linear
from neuralpde.linalg.algebraic_multigrid import METHODS
from neuralpde.types import UsageError


def finite_volumes(a, wall=0.0):
    """−∇·(a∇u) on cells, closed walls but for ``wall`` times a u through the first row's; a = 0 removes a cell."""
    index = np.arange(a.size).reshape(a.shape)
    rows, columns, values = [], [], []
    for p, q, x, y in (
        (index[1:], index[:-1], a[1:], a[:-1]),
        (index[:, 1:], index[:, :-1], a[:, 1:], a[:, :-1]),
    ):
        with np.errstate(invalid="ignore"):
            w = np.nan_to_num(2 * x * y / (x + y)).ravel()
        p, q = p.ravel(), q.ravel()
        rows += [p, q, p, q]
        columns += [q, p, p, q]
        values += [-w, -w, w, w]
    rows.append(index[0])
    columns.append(index[0])
    values.append(wall * a[0])
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return sp.csr_matrix(entries, shape=(a.size, a.size))


def jumps(n, seed=0):
    blocks = np.random.default_rng(seed).random((n // 8, n // 8)) < 0.5
    return np.where(blocks, 1.0, 1e4).repeat(8, axis=0).repeat(8, axis=1)


def around_a_disc(n):
    y, x = (np.indices((n, n)) + 0.5) / n
    return ((x - 0.4) ** 2 + (y - 0.5) ** 2 > 0.04).astype(float)


def speckled(n):
    """A random mask: many pockets without a way out, and single cells."""
    return (np.random.default_rng(0).random((n, n)) > 0.42).astype(float)


def divided(n):
    """A wall that cuts the domain in two."""
    a = np.ones((n, n))
    a[n // 3] = 0.0
    return a


SYSTEMS = {
    "Poisson": lambda n: BoxLaplacian((n, n), 1 / n, "dirichlet").to_csr(),
    "Neumann": lambda n: BoxLaplacian((n, n), 1 / n, "neumann_cells").to_csr(),
    "jumps": lambda n: finite_volumes(jumps(n), wall=2.0),
    "jumps, Neumann": lambda n: finite_volumes(jumps(n)),
    "disc": lambda n: finite_volumes(around_a_disc(n), wall=2.0),
    "disc, Neumann": lambda n: finite_volumes(around_a_disc(n)),
    "speckles": lambda n: finite_volumes(speckled(n)),
    "divided": lambda n: finite_volumes(divided(n)),
}


def compatible(A, seed=0):
    """A right-hand side that A can reach, with the masked rows left out."""
    return A @ np.random.default_rng(seed).normal(size=A.shape[0])


@pytest.mark.parametrize("name", SYSTEMS)
def test_few_iterations_on_every_grid(name):
    counts = []
    for n in (64, 128, 256):
        A = SYSTEMS[name](n)
        b = compatible(A)
        solution = solve_linear(A, b, M="amg")
        assert solution.notes == ()
        assert np.linalg.norm(b - A @ solution.x.numpy()) <= 1e-8 * np.linalg.norm(b)
        counts.append(solution.iterations)
    assert max(counts) <= 15 and counts[-1] <= counts[0] + 3, counts


@pytest.mark.parametrize("name", ["Poisson", "Neumann", "jumps", "disc, Neumann"])
def test_smoothed_aggregation_needs_a_few_more(name):
    A = SYSTEMS[name](128)
    solution = solve_linear(A, compatible(A), M=AlgebraicMultigrid("smoothed_aggregation"))
    assert solution.notes == () and solution.iterations <= 20


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", SYSTEMS)
def test_action_is_symmetric_and_positive(name, method):
    A = SYSTEMS[name](24)
    operator = AlgebraicMultigrid(method).build(as_operator(A))
    assert operator.symmetric and operator.positive_definite
    M = operator.to_csr().toarray()
    scale = abs(M).max()
    np.testing.assert_allclose(M, M.T, rtol=0, atol=1e-9 * scale)
    values = np.linalg.eigvalsh((M + M.T) / 2)
    null = int((np.linalg.eigvalsh(A.toarray()) < 1e-9 * abs(A).max()).sum())
    assert values[0] > -1e-9 * scale
    np.testing.assert_allclose(values[:null], 0.0, rtol=0, atol=1e-9 * scale)
    assert values[null] > 1e-2 / abs(A).max()  # definite wherever A is: 1 / (2 max a_ii) or more is usual


def test_neumann_solution_has_no_mean():
    A = SYSTEMS["Neumann"](64)
    b = compatible(A)
    solution = solve_linear(A, b, M="amg", rtol=1e-11)
    expected = BoxLaplacian((64, 64), 1 / 64, "neumann_cells").solve(torch.from_numpy(b).reshape(64, 64)).reshape(-1)
    assert abs(float(solution.x.mean())) < 1e-14 * float(solution.x.abs().max())
    torch.testing.assert_close(solution.x, expected, rtol=0, atol=1e-9)


def test_each_part_of_a_divided_domain_has_no_mean():
    mask = divided(64)
    A = finite_volumes(mask)
    x = solve_linear(A, compatible(A), M="amg").x.reshape(64, 64)
    wall = 64 // 3
    assert abs(float(x[:wall].mean())) < 1e-13 and abs(float(x[wall + 1 :].mean())) < 1e-13
    assert bool((x[wall] == 0).all())


def test_masked_cells_with_rows_of_the_identity_keep_their_values():
    mask = around_a_disc(64).ravel()
    A = finite_volumes(around_a_disc(64), wall=2.0) + sp.diags(3.0 * (mask == 0))
    b = compatible(A)
    operator = AlgebraicMultigrid().build(as_operator(A))
    assert operator.levels[0] == int(mask.sum())  # they fill no level
    x = solve_linear(A, b, M=operator).x.numpy()
    np.testing.assert_allclose(x[mask == 0], b[mask == 0] / 3.0, rtol=1e-6)


def test_one_hierarchy_serves_many_solves():
    A = SYSTEMS["jumps"](64)
    M = AlgebraicMultigrid().build(as_operator(A))
    nearby = finite_volumes(jumps(64) * np.random.default_rng(1).uniform(0.8, 1.2, (64, 64)), wall=2.0)
    for seed, matrix in enumerate((A, A, nearby)):
        solution = solve_linear(matrix, compatible(matrix, seed), M=M)
        assert solution.notes == () and solution.iterations <= 20
    assert M.levels[0] == A.shape[0] and M.levels[-1] <= 100 and 1.0 < M.operator_complexity < 4.0
    block = torch.randn(A.shape[0], 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close((M @ block)[:, 1], M @ block[:, 1])


def test_gmres_takes_it_for_a_matrix_that_is_not_symmetric():
    n = 64
    wind = sp.kron(sp.diags([np.full(n - 1, -1.0), np.ones(n)], [-1, 0]), sp.identity(n)) * n * 20.0
    A = sp.csr_matrix(SYSTEMS["Poisson"](n) + wind)
    solution = solve_linear(A, compatible(A), solver="gmres", M="amg")
    assert solution.notes == () and solution.iterations <= 15
    assert not AlgebraicMultigrid().build(as_operator(A)).symmetric


def test_single_precision_matrix():
    A = SYSTEMS["Neumann"](64).astype(np.float32)
    solution = solve_linear(A, compatible(A.astype(np.float64)), M="amg", rtol=1e-5)
    assert solution.notes == () and solution.iterations <= 15


@pytest.mark.parametrize("method", ("ruge_stuben", "smoothed_aggregation"))
@pytest.mark.parametrize("scale", (1e-300, 1e-180, 1e-40, 1e-16, 1e16, 1e40, 1e180, 1e300))
def test_units_change_no_iteration(method, scale, capfd):
    """PyAMG has no coarse level beyond 1e±154, where squares end, and prints thousands of lines from 1e16 on."""
    A = SYSTEMS["jumps"](32)
    b = compatible(A)
    one, other = (solve_linear(s * A, b, M=AlgebraicMultigrid(method)) for s in (1.0, scale))
    assert abs(one.iterations - other.iterations) <= 1 and not other.notes
    assert not "".join(capfd.readouterr())


def test_rigid_motions_help_an_elastic_plate():
    n = 24
    A, motions = plate(n)
    b = np.random.default_rng(0).normal(size=A.shape[0])
    plain = solve_linear(A, b, M=AlgebraicMultigrid("smoothed_aggregation"))
    rigid = solve_linear(A, b, M=AlgebraicMultigrid("smoothed_aggregation", near_nullspace=torch.from_numpy(motions)))
    assert rigid.notes == () and rigid.iterations <= 25 and rigid.iterations < plain.iterations


def plate(n):
    """A square of bilinear elements, clamped at one edge, poisson_ratio 0.3; and its three rigid motions."""
    from pyamg.gallery import linear_elasticity

    return linear_elasticity((n, n), format="csr")


def test_small_and_diagonal_matrices():
    for A, x in (
        (np.array([[4.0]]), [0.25]),
        (np.diag([2.0, 4.0]), [0.5, 0.25]),
        (np.array([[2.0, -1.0], [-1.0, 2.0]]), [1.0, 1.0]),
    ):
        np.testing.assert_allclose(solve_linear(A, np.ones(len(x)), M="amg").x, x, rtol=1e-8)


@pytest.mark.parametrize(
    ("matrix", "word"),
    [
        (np.ones((3, 2)), r"square.*\(3, 2\)"),
        (np.array([[1.0, np.nan], [np.nan, 1.0]]), "2 NaN or Inf"),
        (-np.array([[2.0, -1.0], [-1.0, 2.0]]), "positive diagonal.*pass −A"),
        (np.array([[2.0, -1.0], [-1.0, 0.0]]), "entry 1 is 0"),
    ],
)
def test_matrices_that_are_refused(matrix, word):
    with pytest.raises(UsageError, match=word):
        AlgebraicMultigrid().build(as_operator(matrix))


def test_other_mistakes_are_sentences():
    with pytest.raises(UsageError, match="'ruge_stuben'"):
        AlgebraicMultigrid("ruge-stuben")
    with pytest.raises(UsageError, match="theta"):
        AlgebraicMultigrid(theta=-0.1)
    with pytest.raises(UsageError, match="near_nullspace"):
        AlgebraicMultigrid(near_nullspace=torch.ones(4, 1))
    with pytest.raises(UsageError, match="shape"):
        AlgebraicMultigrid("smoothed_aggregation", near_nullspace=torch.ones(3, 1)).build(
            as_operator(SYSTEMS["Poisson"](8))
        )
    with pytest.raises(UsageError, match="to_csr"):
        AlgebraicMultigrid().build(CallableOperator((6000, 6000), lambda x: x))


def test_what_it_refuses_is_solved_without_it():
    A = np.array([[2.0, 3.0], [3.0, -2.0]])
    solution = solve_linear(A, np.ones(2), solver="gmres", M=AlgebraicMultigrid())
    assert solution.status.ok and "positive diagonal" in solution.notes[0]


def test_importing_the_package_does_not_import_pyamg():
    code = "import sys, neuralpde.linalg; sys.exit('pyamg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("wall", [0.0, 2.0])
@pytest.mark.parametrize("make", [np.ones, jumps, around_a_disc, divided])
def test_update_serves_other_coefficients_on_the_same_levels(make, wall, method):
    a = make((64, 64)) if make is np.ones else make(64)
    A = finite_volumes(a, wall)
    other = finite_volumes(a * np.random.default_rng(0).uniform(1.0, 5.0, a.shape), wall)
    M = AlgebraicMultigrid(method).build(as_operator(A))
    levels = M.levels
    M.update(as_operator(other))
    assert M.levels == levels and M.symmetric and M.positive_definite
    b = compatible(other)
    solution = solve_linear(other, b, M=M)
    fresh = solve_linear(other, b, M=AlgebraicMultigrid(method))
    assert solution.notes == () and solution.iterations <= fresh.iterations + 3
    M.update(as_operator(A))  # and back: as if nothing had happened
    r = torch.from_numpy(compatible(A, 2))
    again = AlgebraicMultigrid(method).build(as_operator(A)) @ r
    torch.testing.assert_close(M @ r, again, rtol=0, atol=1e-9 * float(again.abs().max()))


def test_update_refuses_other_unknowns_and_stays_what_it_was():
    A = SYSTEMS["disc"](24)
    M = AlgebraicMultigrid().build(as_operator(A))
    r = torch.from_numpy(compatible(A))
    before = M @ r
    for matrix, word in (
        (SYSTEMS["Poisson"](24), "other unknowns without neighbours"),
        (SYSTEMS["disc"](16), r"for matrices of shape \(576, 576\), got \(256, 256\)"),
        (-A, "positive diagonal"),
        (A * np.nan, "NaN"),
    ):
        with pytest.raises(UsageError, match=word):
            M.update(as_operator(matrix))
    assert torch.equal(M @ r, before)
    empty = AlgebraicMultigrid().build(as_operator(sp.identity(3, format="csr")))
    empty.update(as_operator(2.0 * sp.identity(3, format="csr")))
    assert (empty @ torch.ones(3, dtype=torch.float64)).tolist() == [0.5, 0.5, 0.5]
