"""The grid form of a matrix: found exactly, or refused with the place that is in the way."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from neuralpde.linalg import MatrixOperator, StencilOperator
from neuralpde.types import UsageError

GRIDS = [(1,), (2,), (7,), (1, 1), (2, 1), (1, 2), (2, 2), (6, 5), (1, 4), (4, 1), (3, 3), (2, 5), (5, 4, 3), (3, 3, 3),
         (1, 3, 2), (3, 1, 4), (2, 3, 1), (2, 2, 2), (1, 1, 5), (4, 1, 1), (2, 1, 2)]  # fmt: skip


def random_operator(grid, seed=0, low=0.0):
    """Periodic, with a fifth of its faces closed, and some rows that sum to 0."""
    rng = np.random.default_rng(seed)
    weights = [rng.uniform(low, 2.0, grid) * (rng.random(grid) < 0.8) for _ in grid]
    return StencilOperator(weights, rng.uniform(0.1, 1.0, grid) * (rng.random(grid) < 0.5))


def same(A, B, atol=1e-14):
    np.testing.assert_allclose(A.to_csr().toarray(), B.to_csr().toarray(), rtol=0, atol=atol)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("low", [0.0, -2.0], ids=["m-matrix", "any sign"])
def test_round_trip(grid, low):
    A = random_operator(grid, low=low)
    B = StencilOperator.from_csr(A.to_csr(), grid)
    assert B.grid == grid
    same(A, B)
    np.testing.assert_allclose(B.excess, A.excess, rtol=0, atol=1e-14)
    np.testing.assert_array_equal(B.excess == 0.0, A.excess == 0.0)  # singular where A is
    for axis, n in enumerate(grid):
        if n > 2:  # the two couplings of an axis of length 2 are one entry
            np.testing.assert_array_equal(B.weights[axis], A.weights[axis])
        else:
            assert not np.moveaxis(B.weights[axis].numpy(), axis, 0)[-1].any()


def kinds_of(csr):
    coo = csr.tocoo()
    doubled = sp.coo_matrix((np.tile(coo.data / 2, 2), (np.tile(coo.row, 2), np.tile(coo.col, 2))), shape=csr.shape)
    shuffled = csr.copy()
    for row in range(csr.shape[0]):
        part = slice(*csr.indptr[row : row + 2])
        shuffled.indices[part], shuffled.data[part] = csr.indices[part][::-1], csr.data[part][::-1]
    shuffled.has_sorted_indices = False
    explicit = csr.copy().tolil()
    explicit = sp.csr_matrix(explicit)
    zeros = sp.csr_matrix((np.zeros(3), ([0, 7, 20], [25, 1, 3])), shape=csr.shape)
    with_zeros = sp.csr_matrix(
        (
            np.concatenate([explicit.tocoo().data, zeros.data]),
            (np.concatenate([explicit.tocoo().row, zeros.tocoo().row]),
             np.concatenate([explicit.tocoo().col, zeros.tocoo().col])),
        ),
        shape=csr.shape,
    )  # fmt: skip
    unsummed = sp.csr_matrix(csr.shape)
    unsummed.indptr, unsummed.indices = csr.indptr * 2, np.repeat(csr.indices, 2)
    unsummed.data = np.repeat(csr.data / 2, 2)
    long = csr.copy()
    long.indices, long.indptr = csr.indices.astype(np.int64), csr.indptr.astype(np.int64)
    return {
        "csr": csr, "csc": csr.tocsc(), "coo doubled": doubled, "array": sp.csr_array(csr), "bsr": csr.tobsr((2, 2)),
        "dia": csr.todia(), "unsorted": shuffled, "explicit zeros": with_zeros, "duplicates": unsummed,
        "int64 indices": long, "dense": csr.toarray(), "torch": torch.from_numpy(csr.toarray()).to_sparse(),
        "operator": MatrixOperator(csr),
    }  # fmt: skip


@pytest.mark.parametrize("kind", kinds_of(random_operator((6, 5)).to_csr()), ids=str)
def test_every_kind_of_matrix(kind):
    A = random_operator((6, 5))
    matrix = kinds_of(A.to_csr())[kind]
    before = matrix.data.copy() if sp.issparse(matrix) else None
    same(A, StencilOperator.from_csr(matrix, (6, 5)))
    if before is not None:
        np.testing.assert_array_equal(matrix.data, before)


def test_float32_and_integers():
    A = StencilOperator.poisson((5, 6), boundary=("periodic", "wall"))
    third = StencilOperator([weight / 3.0 for weight in A.weights])
    found = StencilOperator.from_csr(third.to_csr().astype(np.float32), (5, 6))
    assert not found.excess.any()  # its rows sum to 0 within float32
    same(third, found, 1e-7)
    whole = StencilOperator.from_csr(A.to_csr().astype(np.int64), (5, 6))
    same(A, whole, 0.0)


def test_row_sums_of_rounding_size_are_zero_and_small_ones_are_not():
    rng = np.random.default_rng(0)
    weights = [10.0 ** rng.uniform(-3, 6, (8, 9)) for _ in range(2)]
    assert not StencilOperator.from_csr(StencilOperator(weights).to_csr(), (8, 9)).excess.any()
    small = 1e-6 * np.ones((8, 9))
    found = StencilOperator.from_csr(StencilOperator(weights, small).to_csr(), (8, 9)).excess
    np.testing.assert_allclose(found, small, rtol=1e-2)


def test_the_laplacian_of_a_course():
    """kron(I, T) + kron(T, I) with −2 on T's diagonal, as scripts write it."""
    n, m = 4, 5
    line = [sp.diags([[1.0] * (k - 1), [-2.0] * k, [1.0] * (k - 1)], [-1, 0, 1]) for k in (n, m)]
    matrix = sp.kron(line[0], sp.identity(m)) + sp.kron(sp.identity(n), line[1])
    found = StencilOperator.from_csr(-matrix, (n, m))
    assert found.positive_definite
    assert found.excess[0, 0] == 2.0 and found.excess[1, 0] == 1.0 and found.excess[1, 1] == 0.0
    same(StencilOperator([-weight for weight in found.weights], -found.excess), MatrixOperator(matrix))


def test_unknowns_of_a_mask():
    rng = np.random.default_rng(1)
    mask = rng.random((7, 8)) < 0.7
    A = StencilOperator.poisson((7, 8), 0.1, mask=mask, boundary=("periodic", "open"))
    kept = np.flatnonzero(mask)
    matrix = A.to_csr()[kept][:, kept]
    for given in (mask, torch.from_numpy(mask)):
        found = StencilOperator.from_csr(matrix, (7, 8), given)
        same(A, found, 1e-12)
        assert (found.excess[torch.from_numpy(~mask)] == 1.0).all()


def test_empty_rows_are_isolated_cells():
    matrix = sp.csr_matrix(([2.0, -1.0, -1.0, 2.0], ([0, 0, 1, 1], [0, 1, 0, 1])), shape=(4, 4))
    found = StencilOperator.from_csr(matrix, (4,))
    assert found.excess.tolist() == [1.0, 1.0, 0.0, 0.0] and found.weights[0].tolist() == [1.0, 0.0, 0.0, 0.0]


def test_rounding_is_forgiven_and_averaged():
    A = random_operator((5, 5)).to_csr()
    noisy = A.copy()
    noisy.data *= 1.0 + 2e-16 * np.random.default_rng(0).integers(-2, 3, noisy.nnz)
    noisy = noisy + sp.csr_matrix(([1e-17], ([0], [13])), shape=A.shape)
    same(StencilOperator.from_csr(A, (5, 5)), StencilOperator.from_csr(noisy, (5, 5)), 1e-14)


@pytest.mark.parametrize("diagonal", [(1e12, 1.001), (1e12, 1e12), (-1e12, 1.0), (1e300, 1e300)])
@pytest.mark.parametrize("weak", [1e-3, 1e-5, 1e-9])
def test_a_large_diagonal_hides_no_asymmetry(diagonal, weak):
    """A penalty that holds a value says nothing about the rounding of the other entries."""
    matrix = np.diag([*diagonal, 2.0, 1.0])
    matrix[2, 3] = matrix[3, 2] = -1.0
    matrix[0, 1], matrix[1, 0] = -weak, -0.1 * weak
    with pytest.raises(UsageError, match=r"not symmetric: cell \(0,\) feels \(1,\)"):
        StencilOperator.from_csr(matrix, (4,))
    matrix[1, 0] = -weak * (1.0 + 4e-16)  # two units in the last place
    assert StencilOperator.from_csr(matrix, (4,)).weights[0][0] == pytest.approx(weak, rel=1e-15)
    matrix[1, 0] = matrix[0, 1]
    matrix[0, 3] = matrix[3, 0] = 0.0
    matrix[0, 2] = -weak
    with pytest.raises(UsageError, match="shares no face"):
        StencilOperator.from_csr(matrix, (4,))


def test_noise_of_sums_that_cancel_is_forgiven():
    """Two contributions of size 1 that cancel leave 1e-16 in one row and 0 in the other."""
    matrix = StencilOperator.poisson((4, 5)).to_csr().tolil()
    matrix[6, 7], matrix[7, 6] = -1e-16, 0.0
    matrix[6, 6], matrix[7, 7] = 3.0, 3.0
    found = StencilOperator.from_csr(sp.csr_matrix(matrix), (4, 5))
    assert abs(found.weights[1][1, 1]) <= 1e-16


def test_entries_off_the_stencil_that_cancel():
    A = random_operator((5, 5)).to_csr()
    both = sp.csr_matrix((25, 25))
    both.indptr = A.indptr.copy()
    both.indptr[1:] += 2
    both.indices = np.concatenate([[12, 12], A.indices]).astype(np.int32)
    both.data = np.concatenate([[3.0, -3.0], A.data])
    same(StencilOperator.from_csr(A, (5, 5)), StencilOperator.from_csr(both, (5, 5)))


def changed(i, j, value, grid=(4, 5), symmetric=False):
    matrix = StencilOperator.poisson(grid, boundary="open").to_csr().tolil()
    matrix[i, j] = value
    if symmetric:
        matrix[j, i] = value
    return sp.csr_matrix(matrix)


@pytest.mark.parametrize(
    ("matrix", "options", "message"),
    [
        (
            changed(7, 13, -1.0),
            {},
            r"row 7, cell \(1, 2\), has an entry -1 in column 13, cell \(2, 3\).*9- or 27-point",
        ),
        (changed(4, 5, -1.0), {}, r"row 4, cell \(0, 4\).*column 5, cell \(1, 0\)"),
        (changed(0, 17, -1.0, symmetric=True), {}, r"cell \(0, 0\).*cell \(3, 2\).*another grid"),
        (changed(7, 8, -2.0), {}, r"not symmetric: cell \(1, 2\) feels \(1, 3\) with -2, but \(1, 3\) feels \(1, 2\)"),
        (changed(8, 7, 0.0), {}, r"not symmetric: cell \(1, 2\).*with 0\."),
        (changed(0, 15, -1.0), {}, r"not symmetric: cell \(3, 0\) feels \(0, 0\) with 0, but.*with -1"),
        (changed(0, 0, 1.0, (5, 4)), {}, r"It fits shape=\(5, 4\)"),
        (changed(0, 0, np.nan), {}, "1 NaN or Inf"),
        (changed(0, 0, 1.0).astype(complex), {}, "complex"),
        (sp.identity(19), {}, r"A has shape \(19, 19\), but a grid \(4, 5\) has 20 cells; .*mask="),
        (sp.csr_matrix((20, 19)), {}, r"A has shape \(20, 19\)"),
        (sp.identity(20), {"mask": np.eye(4, 5, dtype=bool)}, "has 4 unknown cells"),
        (sp.identity(20), {"mask": np.ones((5, 4), dtype=bool)}, "mask is boolean"),
        (sp.identity(20), {"shape": (1, 1, 4, 5)}, "1, 2 or 3 axes"),
        (sp.identity(20), {"shape": (4.7, 5.2)}, r"whole numbers.*got \(4.7, 5.2\)"),
        (sp.identity(20), {"shape": 20}, "shape is a tuple.*got 20"),
        (sp.identity(20), {"shape": "4,5"}, "shape is a tuple.*got '4,5'"),
        (sp.identity(20), {"shape": (4, None)}, r"shape is a tuple.*got \(4, None\)"),
        ("a matrix", {}, "expected a LinearOperator"),
    ],
)
def test_what_is_no_grid_is_refused_with_its_place(matrix, options, message):
    with pytest.raises(UsageError, match=message):
        StencilOperator.from_csr(matrix, **{"shape": (4, 5), **options})


def test_places_of_a_mask_are_cells_of_the_grid():
    mask = np.ones((3, 4), dtype=bool)
    mask[0, :3] = False  # unknown 0 is cell (0, 3), unknown 1 is cell (1, 0)
    with pytest.raises(UsageError, match=r"row 0, cell \(0, 3\), has an entry 1 in column 1, cell \(1, 0\)"):
        StencilOperator.from_csr(np.ones((9, 9)), (3, 4), mask)


@pytest.mark.parametrize("grid", [(2, 2), (2, 3), (3, 2), (3, 3), (4, 2), (2, 2, 2), (3, 2, 2)], ids=str)
def test_exactly_the_neighbours_are_accepted(grid):
    """One pair of cells at a time: found where a face or a periodic face joins them, refused elsewhere."""
    places = list(itertools.product(*map(range, grid)))
    for i, j in itertools.combinations(range(len(places)), 2):
        matrix = np.zeros((len(places), len(places)))
        matrix[[i, j], [j, i]] = -1.0
        apart = [min(abs(a - b), n - abs(a - b)) for a, b, n in zip(places[i], places[j], grid, strict=True)]
        if sum(apart) == 1:
            np.testing.assert_array_equal(StencilOperator.from_csr(matrix, grid).to_csr().toarray(), matrix)
        else:
            with pytest.raises(UsageError, match="shares no face"):
                StencilOperator.from_csr(matrix, grid)
