"""The fast solver on boxes against dense matrices, sparse factors and exact solutions."""

import itertools
import math

import numpy as np
import pytest
import scipy.sparse.linalg
import torch

from neuralpde.linalg import BoxLaplacian, dct1
from neuralpde.types import UsageError

# What the ghost beyond the lower and the upper end is, in terms of the index j of the unknown at that end.
GHOSTS = {
    "periodic": ("around", "around"),
    "dirichlet": ("zero", "zero"),
    "neumann": ("mirror", "mirror"),
    "neumann_cells": ("same", "same"),
    "dirichlet_cells": ("opposite", "opposite"),
    "neumann_dirichlet_cells": ("same", "opposite"),
    "dirichlet_neumann_cells": ("opposite", "same"),
    "dirichlet_neumann_faces": ("zero", "same"),
    "neumann_dirichlet_faces": ("same", "zero"),
}
KINDS = tuple(GHOSTS)
OPEN = ("periodic", "neumann", "neumann_cells")
PAIRS = list(itertools.product(KINDS, KINDS))
GENERATOR = torch.Generator().manual_seed(0)


def randn(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=GENERATOR)


def dense_axis(n, h, kind):
    """Row by row from the definition, without the package."""
    A = np.zeros((n, n))
    for j in range(n):
        A[j, j] += 2
        for neighbour in (j - 1, j + 1):
            ghost = GHOSTS[kind][neighbour == n] if not 0 <= neighbour < n else "inside"
            column, value = {
                "inside": (neighbour, 1),
                "around": (neighbour % n, 1),
                "zero": (j, 0),
                "mirror": (2 * j - neighbour, 1),
                "same": (j, 1),
                "opposite": (j, -1),
            }[ghost]
            A[j, column] -= value
    return A / h**2


def dense_box(grid, spacing, kinds, alpha, beta):
    total = alpha * np.eye(math.prod(grid))
    for i, (n, h, kind) in enumerate(zip(grid, spacing, kinds, strict=True)):
        before, after = math.prod(grid[:i]), math.prod(grid[i + 1 :])
        total += beta * np.kron(np.kron(np.eye(before), dense_axis(n, h, kind)), np.eye(after))
    return total


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [2, 3, 8, 11])
def test_eigenvalues_are_those_of_the_dense_stencil(n, kind):
    box = BoxLaplacian((n, 1), (0.3, 1.0), (kind, "periodic"))  # an axis of one periodic node adds nothing
    matrix = dense_axis(n, 0.3, kind)
    expected = np.sort(np.linalg.eigvals(matrix).real)
    np.testing.assert_allclose(np.sort(box.symbol().reshape(-1)), expected, rtol=0, atol=1e-11)
    # A unit of the transformed space is an eigenvector: solving with the symbol of one mode alone returns it.
    for k in range(n if kind != "periodic" else 0):
        one = torch.full((n, 1), float("inf"), dtype=torch.float64)
        one[k] = 1.0
        vector = box.divide(randn(n, 1), one)
        torch.testing.assert_close(box.apply(vector), box.symbol()[k] * vector, rtol=0, atol=1e-11)


@pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
@pytest.mark.parametrize("grid", [(5, 6), (6, 5), (2, 3), (8, 2)])
def test_solve_and_action_match_the_dense_matrix(kinds, grid):
    spacing, alpha, beta = (0.3, 0.7), 0.9, 1.7
    box = BoxLaplacian(grid, spacing, kinds, alpha, beta)
    matrix = dense_box(grid, spacing, kinds, alpha, beta)
    rhs = randn(3, 2, *grid)
    flat = rhs.reshape(6, -1).T
    expected = np.linalg.solve(matrix, flat.numpy())
    np.testing.assert_allclose(box.solve(rhs).reshape(6, -1).T, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(box.apply(rhs).reshape(6, -1).T, matrix @ flat.numpy(), rtol=0, atol=1e-11)
    np.testing.assert_allclose(box @ flat, matrix @ flat.numpy(), rtol=0, atol=1e-11)
    np.testing.assert_allclose(box.rmatvec(flat), matrix.T @ flat.numpy(), rtol=0, atol=1e-11)
    np.testing.assert_allclose(box.to_csr().toarray(), matrix, rtol=0, atol=1e-12)
    np.testing.assert_allclose(box.diagonal(), np.diagonal(matrix), rtol=1e-13)
    assert box.symmetric == np.allclose(matrix, matrix.T)


@pytest.mark.parametrize(
    "kinds",
    [
        ("periodic", "dirichlet", "neumann"),
        ("neumann", "periodic", "periodic"),
        ("neumann", "dirichlet", "periodic"),
        ("neumann_cells", "dirichlet_cells", "periodic"),
        ("dirichlet_neumann_cells", "neumann_cells", "neumann_dirichlet_cells"),
        ("dirichlet_neumann_faces", "dirichlet_cells", "neumann_dirichlet_faces"),
        ("dirichlet", "neumann_cells", "dirichlet_neumann_cells"),
    ],
    ids="-".join,
)
def test_three_axes(kinds):
    grid, spacing = (4, 3, 5), (0.5, 0.4, 0.3)
    matrix = dense_box(grid, spacing, kinds, 0.2, 1.0)
    rhs = randn(*grid)
    expected = np.linalg.solve(matrix, rhs.reshape(-1).numpy())
    np.testing.assert_allclose(BoxLaplacian(grid, spacing, kinds, 0.2).solve(rhs).reshape(-1), expected, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_make_it_symmetric(kind):
    box = BoxLaplacian((5, 4), (0.3, 0.2), (kind, "neumann"), 0.5)
    matrix = box.weights().reshape(-1, 1).numpy() * box.to_csr().toarray()
    np.testing.assert_allclose(matrix, matrix.T, rtol=0, atol=1e-12)
    assert np.linalg.eigvalsh(matrix).min() > 0


def exact_error(kind, cells):
    """Error of −u'' − u_yy + u = f on [0, 1]², u = g(x) g(y) with g smooth and not an eigenfunction of the stencil."""
    n = {"dirichlet": cells - 1, "neumann": cells + 1}.get(kind, cells)
    h = 1 / (cells + 0.5) if kind.endswith("_faces") else 1 / cells  # the slope is zero half a cell beyond the faces
    first = 0.5 if kind.endswith("_cells") or kind == "neumann_dirichlet_faces" else float("dirichlet" in kind)
    x = (torch.arange(n, dtype=torch.float64) + first) * h
    w = 2 * math.pi * x
    if kind.startswith("neumann_dirichlet"):
        x = 1 - x
    if kind == "periodic":
        g, gxx = w.sin().exp(), 4 * math.pi**2 * (w.cos() ** 2 - w.sin()) * w.sin().exp()
    elif "dirichlet_neumann" in kind or "neumann_dirichlet" in kind:  # g(0) = 0, and g' = x (1 − x) e^x at 1
        g, gxx = (-(x**2) + 3 * x - 3) * x.exp() + 3, (1 - x - x**2) * x.exp()
    elif "dirichlet" in kind:
        g, gxx = x * (1 - x) * x.exp(), (-3 * x - x**2) * x.exp()
    else:  # g' = x (1 − x) e^x vanishes at both ends
        g, gxx = (-(x**2) + 3 * x - 3) * x.exp(), (1 - x - x**2) * x.exp()
    u = g[:, None] * g
    rhs = u - gxx[:, None] * g - g[:, None] * gxx
    return [
        float((BoxLaplacian((n, n), h, kind, 1.0, spectral=spectral).solve(rhs) - u).abs().max() / u.abs().max())
        for spectral in (False, True)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_second_order_against_an_exact_solution(kind):
    errors = [exact_error(kind, cells)[0] for cells in (16, 32, 64, 128)]
    slopes = [math.log2(a / b) for a, b in itertools.pairwise(errors)]
    assert all(1.9 < slope < 2.1 for slope in slopes[1:]), (errors, slopes)


def test_spectral_symbol_is_exact_to_rounding():
    stencil, spectral = exact_error("periodic", 48)
    assert spectral < 1e-12 < 1e-4 < stencil


@pytest.mark.parametrize("n", [6, 7])
def test_spectral_operator_is_inverted_by_its_solve(n):
    box = BoxLaplacian((n, 5, n), 0.4, ("periodic", "neumann", "periodic"), 0.7, spectral=True)
    u = randn(2, n, 5, n)
    torch.testing.assert_close(box.solve(box.apply(u)), u, rtol=0, atol=1e-12)
    np.testing.assert_allclose(box.to_csr().diagonal(), box.diagonal(), rtol=1e-12)


@pytest.mark.parametrize("kinds", list(itertools.product(OPEN, OPEN)), ids="-".join)
def test_singular_box(kinds):
    grid, spacing = (6, 7), (0.3, 0.2)
    box = BoxLaplacian(grid, spacing, kinds)
    rhs = randn(*grid) + 3.0
    w = box.weights() / box.weights().sum()
    u = box.solve(rhs)
    assert abs(float((w * u).sum())) < 1e-13
    # What is left of the equation is the constant that was projected out, and it is the trapezoid mean.
    torch.testing.assert_close(box.apply(u), rhs - (w * rhs).sum(), rtol=0, atol=1e-11)
    ratio = float((w * rhs).sum().abs() / (w * rhs**2).sum().sqrt())
    assert float(box.incompatibility(rhs)) == pytest.approx(ratio, rel=1e-12) and ratio > 0.5
    assert float(box.incompatibility(box.apply(randn(*grid)))) < 1e-14
    assert box.incompatibility(torch.ones(2, *grid)).tolist() == pytest.approx([1.0, 1.0])
    assert box.incompatibility(torch.zeros(grid)).tolist() == 0.0


def test_incompatibility_is_zero_when_nothing_is_projected():
    assert float(BoxLaplacian((4, 4), 0.1, "neumann", 1.0).incompatibility(torch.ones(4, 4), alpha=0.0)) == 1.0
    assert float(BoxLaplacian((4, 4), 0.1, "neumann", 1.0).incompatibility(torch.ones(4, 4))) == 0.0
    assert float(BoxLaplacian((4, 4), 0.1, ("neumann", "dirichlet")).incompatibility(torch.ones(4, 4))) == 0.0


@pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
def test_flags_and_null_space(kinds):
    box = BoxLaplacian((5, 4), 0.3, kinds)
    singular = all(kind in OPEN for kind in kinds)
    assert bool((box.symbol() == 0).any()) == singular
    assert box.symmetric == ("neumann" not in kinds)
    assert box.positive_definite == (box.symmetric and not singular)
    assert (float(box.incompatibility(torch.ones(5, 4))) > 0.5) == singular
    if box.symmetric:
        assert (np.linalg.eigvalsh(dense_box((5, 4), (0.3, 0.3), kinds, 0.0, 1.0))[0] > 1e-9) == (not singular)


@pytest.mark.parametrize("kind", KINDS)
def test_against_sparse_factors(kind):
    grid = (33, 20)
    box = BoxLaplacian(grid, (1 / 33, 1 / 20), (kind, "dirichlet_cells"))
    rhs = randn(*grid)
    expected = scipy.sparse.linalg.splu(box.to_csr().tocsc()).solve(rhs.reshape(-1).numpy())
    np.testing.assert_allclose(box.solve(rhs).reshape(-1), expected, rtol=0, atol=1e-12 * abs(expected).max())


@pytest.mark.parametrize("kind", KINDS)
def test_axes_of_one_unknown(kind):
    if kind == "neumann":
        return  # it has both ends, hence two
    matrix = dense_axis(1, 0.5, kind) + np.eye(1)
    rhs = randn(3, 1)
    np.testing.assert_allclose(BoxLaplacian((1,), 0.5, kind, 1.0).solve(rhs), rhs / matrix[0, 0], rtol=1e-13)


def test_tiny_alpha_keeps_the_mean():
    box = BoxLaplacian((8,), 0.1, "neumann", 1e-13)
    torch.testing.assert_close(box.solve(torch.full((8,), 1e-13, dtype=torch.float64)), torch.ones(8).double())


def test_coefficients_of_a_call_override_the_operators():
    rhs = randn(5, 4)
    expected = BoxLaplacian((5, 4), 0.3, "dirichlet", 2.0, 0.5).solve(rhs)
    torch.testing.assert_close(BoxLaplacian((5, 4), 0.3, "dirichlet").solve(rhs, 2.0, 0.5), expected)


@pytest.mark.parametrize("kinds", PAIRS, ids="-".join)
@pytest.mark.parametrize("alpha", [0.0, 0.8])
def test_solve_is_differentiable(kinds, alpha):
    box = BoxLaplacian((3, 4), 0.5, kinds)
    rhs = randn(3, 4).requires_grad_()
    beta = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f, b: box.solve(f, alpha, b), (rhs, beta))


def test_dtypes():
    box = BoxLaplacian((5, 4), 0.3, ("neumann", "periodic"), 1.0)
    rhs = randn(5, 4)
    assert box.solve(rhs.float()).dtype is torch.float32
    torch.testing.assert_close(box.solve(rhs.float()).double(), box.solve(rhs), rtol=0, atol=1e-5)
    assert box.solve(torch.ones(5, 4, dtype=torch.int64)).dtype is torch.float64


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (((4, 4), 0.1, "dirichlett"), "'dirichlet'"),
        (((4, 4), 0.1, "neuman_cells"), "'neumann_cells'"),
        (((4, 4), (0.1, 0.1, 0.1), "dirichlet"), "one spacing"),
        (((4, 4), -0.1, "dirichlet"), "positive"),
        (((1, 4), 0.1, "neumann"), "at least 2"),
        (((0,), 0.1, "periodic"), "at least 1"),
        (((2, 2, 2, 2), 0.1, "periodic"), "1 to 3"),
    ],
)
def test_bad_boxes_are_refused(arguments, word):
    with pytest.raises(UsageError, match=word):
        BoxLaplacian(*arguments)


def test_wrong_right_hand_side_names_both_shapes():
    with pytest.raises(UsageError, match=r"\(4, 5\).*4, 4\)"):
        BoxLaplacian((4, 4), 0.1, "periodic").solve(torch.ones(4, 5))
    with pytest.raises(UsageError, match="complex"):
        BoxLaplacian((4,), 0.1, "periodic").solve(torch.ones(4) * 1j)
    with pytest.raises(UsageError):
        dct1(torch.ones(1))
