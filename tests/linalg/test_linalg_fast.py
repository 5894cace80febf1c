"""The fast solver on boxes against dense matrices, SciPy's transforms and exact solutions."""

import itertools
import math

import numpy as np
import pytest
import scipy.fft
import torch

from neuralpde.linalg import BoxLaplacian, dct1, dst1
from neuralpde.types import UsageError

KINDS = ("periodic", "dirichlet", "neumann")
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
            if kind == "periodic":
                A[j, neighbour % n] -= 1
            elif 0 <= neighbour < n:
                A[j, neighbour] -= 1
            elif kind == "neumann":
                A[j, 2 * j - neighbour] -= 1
    return A / h**2


def dense_box(grid, spacing, kinds, alpha, beta):
    total = alpha * np.eye(math.prod(grid))
    for i, (n, h, kind) in enumerate(zip(grid, spacing, kinds, strict=True)):
        before, after = math.prod(grid[:i]), math.prod(grid[i + 1 :])
        total += beta * np.kron(np.kron(np.eye(before), dense_axis(n, h, kind)), np.eye(after))
    return total


@pytest.mark.parametrize("n", [2, 3, 4, 7, 16])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_transforms_match_scipy(n, axis):
    x = randn(n, n, n)
    np.testing.assert_allclose(dst1(x, axis), scipy.fft.dst(x.numpy(), type=1, axis=axis), atol=1e-12)
    np.testing.assert_allclose(dct1(x, axis), scipy.fft.dct(x.numpy(), type=1, axis=axis), atol=1e-12)


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
    "kinds", [("periodic", "dirichlet", "neumann"), ("neumann", "periodic", "periodic"), KINDS[::-1]]
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
    n = {"periodic": cells, "dirichlet": cells - 1, "neumann": cells + 1}[kind]
    x = torch.arange(n, dtype=torch.float64) / cells + (1 / cells if kind == "dirichlet" else 0.0)
    w = 2 * math.pi * x
    if kind == "periodic":
        g, gxx = w.sin().exp(), 4 * math.pi**2 * (w.cos() ** 2 - w.sin()) * w.sin().exp()
    elif kind == "dirichlet":
        g, gxx = x * (1 - x) * x.exp(), (-3 * x - x**2) * x.exp()
    else:  # g' = x (1 − x) e^x vanishes at both ends
        g, gxx = (-(x**2) + 3 * x - 3) * x.exp(), (1 - x - x**2) * x.exp()
    u = g[:, None] * g
    rhs = u - gxx[:, None] * g - g[:, None] * gxx
    return [
        float(
            (BoxLaplacian((n, n), 1 / cells, kind, 1.0, spectral=spectral).solve(rhs) - u).abs().max() / u.abs().max()
        )
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


@pytest.mark.parametrize(
    "kinds", [("periodic", "periodic"), ("neumann", "neumann"), ("neumann", "periodic")], ids="-".join
)
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
