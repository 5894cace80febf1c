"""Textbook multigrid: as good as textbooks say on plain grids, and as bad as they say where coefficients jump."""

import numpy as np
import pytest
import torch

from neuralpde.linalg import MatrixOperator, PlainMultigrid, StencilOperator, solve_linear
from neuralpde.types import UsageError

poisson = StencilOperator.poisson
OPENINGS = ["open", "wall", "periodic", (("wall", "open"), "wall"), (("open", "wall"), "periodic")]


def iterations(A, seed=0):
    b = A @ torch.randn(A.shape[0], dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return solve_linear(A, b, M=PlainMultigrid(), rtol=1e-6, maxiter=400).iterations


@pytest.mark.parametrize("boundary", OPENINGS, ids=str)
@pytest.mark.parametrize("grid", [(32, 32), (128, 128), (65, 131)], ids=str)
def test_iterations_do_not_grow(grid, boundary):
    assert iterations(poisson(grid, 1.0 / grid[0], boundary=boundary)) <= (9 if grid[0] % 2 == 0 else 11)


@pytest.mark.parametrize("grid", [(200,), (20, 20, 20), (17, 24, 30), (1, 40, 40), (3, 3), (2, 1), (1, 1)], ids=str)
def test_other_dimensions(grid):
    assert iterations(poisson(grid, boundary="open", reaction=0.1)) <= 10


def test_jumps_and_walls_cost_iterations():
    fluid = torch.ones(128, 128, dtype=torch.bool)
    fluid[50, :100] = False
    assert iterations(poisson((128, 128), mask=fluid, boundary="open")) > 12
    k = 10.0 ** (3 * (torch.rand(128, 128, generator=torch.Generator().manual_seed(0)) < 0.5))
    assert iterations(poisson((128, 128), coefficient=k, boundary="open")) > 25


def systems():
    rng = np.random.default_rng(0)
    mask = rng.random((17, 22)) < 0.8
    yield poisson((17, 22), mask=mask, boundary=("periodic", "open"))
    yield poisson((17, 22), mask=mask)
    yield poisson((10, 9, 8), coefficient=rng.uniform(1, 9, (10, 9, 8)), boundary=("open", "periodic", "wall"))


@pytest.mark.parametrize("A", list(systems()), ids=repr)
def test_a_cycle_is_linear_and_symmetric(A):
    M = PlainMultigrid().build(A)
    r = torch.randn(A.shape[0], 2, dtype=torch.float64)
    z = M @ r
    assert z.dtype is torch.float64 and z.shape == r.shape
    torch.testing.assert_close(M @ (r[:, 0] - 2.0 * r[:, 1]), z[:, 0] - 2.0 * z[:, 1], rtol=1e-4, atol=1e-5)
    left, right = float(r[:, 0] @ z[:, 1]), float(r[:, 1] @ z[:, 0])
    assert left == pytest.approx(right, rel=1e-4, abs=1e-4 * float(z.norm()))
    assert float(r[:, 0] @ z[:, 0]) > 0.0


@pytest.mark.parametrize("boundary", OPENINGS, ids=str)
def test_coarse_operators_are_those_of_the_coarse_grid(boundary):
    M = PlainMultigrid().build(poisson((32, 24), 1.0, boundary=boundary, reaction=0.25))
    assert M.levels[:2] == ((32, 24), (16, 12))
    u = torch.randn(16, 12)
    # per cell and not per volume, hence 4 times as large, as the four cells together
    expected = 4.0 * (poisson((16, 12), 2.0, boundary=boundary, reaction=0.25) @ u.reshape(-1))
    torch.testing.assert_close(M.all[1].apply(u).reshape(-1), expected, rtol=1e-5, atol=1e-5)


def test_restriction_is_the_transpose_of_interpolation():
    M = PlainMultigrid().build(poisson((29, 34), boundary=("periodic", ("open", "wall"))))
    fine, coarse = torch.randn(M.levels[0]), torch.randn(M.levels[1])
    left, right = (M.all[0].restricted(fine) * coarse).sum(), (fine * M.all[0].interpolated(coarse)).sum()
    torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-4)


def test_a_matrix_is_refused():
    with pytest.raises(UsageError, match="from_csr"):
        PlainMultigrid().build(MatrixOperator(torch.eye(4)))
