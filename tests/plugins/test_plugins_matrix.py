"""What the plug-ins read off a matrix."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from neuralpde.plugins._matrix import entries, fixed_unknowns, likely_grid, scaled, signs, without_columns
from neuralpde.types import UsageError

LINE = np.array([[-2.0, 1.0, 0.0], [1.0, -2.0, 1.0], [0.0, 1.0, -2.0]])


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "lil", "dok", "dia", "bsr"])
def test_every_format_gives_the_same_entries_and_stays_as_it_is(kind: str) -> None:
    for made in (sp.csr_matrix, sp.csr_array):
        A = made(LINE).asformat(kind)
        csr = entries(A)
        assert np.array_equal(csr.toarray(), LINE)
        csr.data[:] = 0.0
        assert np.array_equal(A.toarray(), LINE)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32, np.float64, np.int8])
def test_numbers_become_float64(dtype: type) -> None:
    csr = entries(sp.csr_matrix(LINE.astype(dtype)))
    assert csr.dtype == np.float64
    assert np.array_equal(csr.toarray(), LINE)
    assert np.array_equal(entries(LINE.astype(dtype)).toarray(), LINE)


def test_dense_float16_and_booleans() -> None:
    assert np.array_equal(entries(LINE.astype(np.float16)).toarray(), LINE)
    assert np.array_equal(entries(np.eye(2, dtype=bool)).toarray(), np.eye(2))


def test_duplicates_are_added_and_zeros_dropped() -> None:
    A = sp.coo_matrix(([1.0, 2.0, 0.0, 4.0], ([0, 0, 0, 1], [0, 0, 1, 1])), shape=(2, 2))
    csr = entries(A)
    assert csr.toarray().tolist() == [[3.0, 0.0], [0.0, 4.0]]
    assert csr.nnz == 2


@pytest.mark.parametrize(
    ("A", "words"),
    [
        (lambda x: x, "SciPy sparse matrix or a NumPy array, got function"),
        (np.ones(3), "must be square"),
        (np.ones((2, 3)), r"shape \(2, 3\)"),
        (sp.csr_matrix(1j * LINE), "real numbers"),
        (np.array([["a", "b"], ["c", "d"]]), "real numbers"),
        (np.where(LINE > 0, np.nan, LINE), "4 NaN or Inf among 7"),
    ],
)
def test_what_is_no_matrix_is_refused(A: object, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        entries(A)


def test_signs() -> None:
    assert signs(entries(-LINE)) == 1.0
    assert signs(entries(LINE)) == -1.0
    assert np.array_equal(scaled(entries(LINE), -1.0).toarray(), -LINE)
    solid = sp.block_diag([LINE, sp.eye(2)])  # cells in a solid as rows of the identity
    s = signs(entries(solid))
    assert np.array_equal(s, [-1.0, -1.0, -1.0, 1.0, 1.0])
    assert np.array_equal(scaled(entries(solid), s).toarray(), sp.block_diag([-LINE, sp.eye(2)]).toarray())
    indefinite = np.array([[1.0, 2.0], [2.0, -1.0]])  # one part, of both signs
    assert signs(entries(indefinite)) == 1.0


def test_fixed_unknowns_and_their_columns() -> None:
    A = LINE.copy()
    A[0] = [1.0, 0.0, 0.0]
    csr = entries(A)
    fixed = fixed_unknowns(csr)
    assert fixed.tolist() == [0]
    kept, taken = without_columns(csr, fixed)
    assert np.array_equal((kept + taken).toarray(), A)
    assert np.array_equal(taken.toarray(), [[0, 0, 0], [1, 0, 0], [0, 0, 0]])
    A[1, 0] = 0.0  # row and column: symmetric
    assert fixed_unknowns(entries(A)).size == 0
    assert fixed_unknowns(entries(np.eye(3))).size == 0


@pytest.mark.parametrize("shape", [(7,), (5, 4), (4, 5), (3, 4, 5)])
def test_likely_grid(shape: tuple[int, ...]) -> None:
    lines = [sp.diags([1.0, -2.0, 1.0], [-1, 0, 1], shape=(k, k)) for k in shape]
    A = lines[0]
    for line in lines[1:]:
        A = sp.kronsum(line, A)
    assert likely_grid(entries(A)) == shape


def test_no_likely_grid() -> None:
    assert likely_grid(entries(np.eye(4))) is None
    assert likely_grid(entries(np.ones((9, 9)))) is None
    assert likely_grid(entries(np.eye(7) + np.eye(7, k=1) + np.eye(7, k=3))) is None
