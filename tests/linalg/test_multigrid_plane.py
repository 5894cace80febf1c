"""Geometric multigrid in the plane: symmetric, positive, right, and as fast on hard grids as on easy ones."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from neuralpde.linalg import GeometricMultigrid, LinearOperator, MatrixOperator, StencilOperator, solve_linear
from neuralpde.linalg.multigrid import _plane_hierarchy
from neuralpde.systems import pressure_system
from neuralpde.types import UsageError


def random_operator(shape: tuple[int, int], periodic: tuple[bool, bool], held: bool, seed: int = 0) -> StencilOperator:
    """Weights between ½ and 1½, closed or periodic sides, held by an excess or not."""
    rng = np.random.default_rng(seed)
    weights = [rng.random(shape) + 0.5 for _ in shape]
    for axis in range(2):
        if not periodic[axis]:
            np.moveaxis(weights[axis], axis, 0)[-1] = 0.0
    return StencilOperator(weights, 0.1 * rng.random(shape) if held else np.zeros(shape))


def dense(M: LinearOperator, n: int) -> np.ndarray:
    return M.matvec(torch.eye(n, dtype=torch.float64)).numpy()


def iterations(A: StencilOperator, b: torch.Tensor, **options: str) -> int:
    solution = solve_linear(A, b, M=GeometricMultigrid(**options), rtol=1e-6, maxiter=100)  # type: ignore[arg-type]
    assert solution.notes == ()
    return solution.iterations


def noise(A: StencilOperator, seed: int = 0) -> torch.Tensor:
    """A right-hand side of all frequencies that A can reach."""
    x = torch.randn(A.shape[0], dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return A @ x


def checkerboard(n: int, tile: int, contrast: float) -> StencilOperator:
    i, j = np.indices((n, n)) // tile
    return StencilOperator.poisson((n, n), 1 / n, coefficient=np.where((i + j) % 2, contrast, 1.0), boundary="open")


SHAPES = ((12, 14), (13, 9))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("periodic", tuple(itertools.product((False, True), repeat=2)))
@pytest.mark.parametrize("held", (True, False))
@pytest.mark.parametrize("smoother", ("points", "lines"))
def test_symmetric_and_close_to_the_inverse(
    shape: tuple[int, int], periodic: tuple[bool, bool], held: bool, smoother: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All eigenvalues of M A lie in (0, 1], as they must with Galerkin operators and an exact coarsest solve."""
    monkeypatch.setattr(_plane_hierarchy, "COARSEST", 20)
    A = random_operator(shape, periodic, held)
    n = A.shape[0]
    M, a = dense(GeometricMultigrid(smoother=smoother).build(A), n), A.to_csr().toarray()
    assert np.abs(M - M.T).max() < 3e-6 * np.abs(M).max()
    root = np.linalg.cholesky(a + (0.0 if held else np.ones((n, n)) / n))
    values = np.linalg.eigvalsh(root.T @ (M + M.T) / 2 @ root)[0 if held else 1 :]
    odd = any(p and n % 2 for p, n in zip(periodic, shape, strict=True))
    assert values[-1] < 1.0 + 1e-4
    assert values[0] > (0.08 if odd else 0.3)


@pytest.mark.parametrize("boundary", ("open", "wall", ("wall", ("wall", "open")), "periodic"))
def test_iterations_do_not_grow_with_the_grid(boundary: object) -> None:
    counts = []
    for n in (40, 80, 160):
        A = StencilOperator.poisson((n, n), 1 / n, boundary=boundary)
        counts.append(iterations(A, noise(A)))
    assert max(counts) <= 8
    assert max(counts) - min(counts) <= 2


def test_exact_solution() -> None:
    """−Δu = 2 π² u for u = cos(π x) cos(π y) between walls: the error is that of the stencil, of second order."""
    errors = []
    for n in (32, 64):
        x = (np.arange(n) + 0.5) / n
        u = torch.from_numpy(np.outer(np.cos(np.pi * x), np.cos(np.pi * x)).reshape(-1))
        A = StencilOperator.poisson((n, n), 1 / n, boundary="wall")
        solution = solve_linear(A, 2 * np.pi**2 * u, M="multigrid", rtol=1e-10)
        errors.append(float((solution.x - u).abs().max()))
    assert errors[0] < 1e-3
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.05)


@pytest.mark.parametrize("family", ("circles", "boxes", "blobs", "rooms", "comb", "gaps", "closed rooms", "walls"))
def test_solids(family: str) -> None:
    for seed in range(3):
        system = pressure_system(family, (128, 128), seed, sides="open")
        assert iterations(system.operator, system.rhs) <= 12, seed


@pytest.mark.parametrize("contrast", (1e3, 1e6))
@pytest.mark.parametrize("tile", (8, 13))
def test_jumps(contrast: float, tile: int) -> None:
    A = checkerboard(128, tile, contrast)
    assert iterations(A, torch.ones(A.shape[0], dtype=torch.float64)) <= 15


@pytest.mark.parametrize("family", ("jump inclusions", "closed rooms"))
def test_gaps_and_walls_thinner_than_coarse_cells(family: str) -> None:
    """Inclusions of 1e6 that nearly touch, and rooms behind walls of one cell, stay apart on coarse grids."""
    more = {"contrast": 1e6, "sides": "open"} if family == "jump inclusions" else {}
    for seed in (1, 3):
        system = pressure_system(family, (512, 512), seed, **more)  # type: ignore[arg-type]
        assert iterations(system.operator, system.rhs) <= 11, seed


@pytest.mark.parametrize(("family", "limit"), (("aligned", 8), ("switching", 15)))
def test_anisotropy_calls_for_lines(family: str, limit: int) -> None:
    system = pressure_system(family, (128, 128), 0, contrast=100.0, sides="open")
    lines = iterations(system.operator, system.rhs)
    assert lines <= limit
    assert iterations(system.operator, system.rhs, smoother="points") > 3 * lines


@pytest.mark.parametrize("period", (2, 3))
def test_corridors_of_one_cell(period: int) -> None:
    """A way to and fro between walls of one cell, where coarse grids have no point for every corridor."""
    mask = np.ones((96, 96), dtype=bool)
    for number, column in enumerate(range(period - 1, 95, period)):
        mask[:, column] = False
        mask[: 1 if number % 2 else None, column] = bool(number % 2)
        mask[-1, column] = not number % 2
    A = StencilOperator.poisson((96, 96), mask=mask, boundary=("wall", ("open", "wall")))
    b = torch.from_numpy(np.where(mask, 1.0, 0.0).reshape(-1))
    assert iterations(A, b) <= 12


def test_parts_without_an_open_side_keep_their_mean() -> None:
    mask = np.ones((40, 40), dtype=bool)
    mask[:, 17] = mask[23] = False
    A = StencilOperator.poisson((40, 40), mask=mask)
    part = np.where(mask, 1 + 2 * (np.arange(40)[:, None] > 23) + (np.arange(40) > 17), 0).reshape(-1)
    z = GeometricMultigrid().build(A).matvec(torch.randn(1600, dtype=torch.float64)).numpy()
    for number in range(1, 5):
        assert abs(z[part == number].sum()) < 1e-10 * np.abs(z).max() * 1600
    x = torch.randn(1600, dtype=torch.float64)
    assert iterations(A, A @ x) <= 10


def test_isolated_cells_are_divided_by_their_diagonal() -> None:
    weights, excess = [np.ones((30, 30)), np.ones((30, 30))], np.zeros((30, 30))
    weights[0][-1] = weights[1][:, -1] = 0.0
    for i, j in ((4, 4), (7, 7), (10, 11), (13, 12)):
        weights[0][[i - 1, i], j] = weights[1][i, [j - 1, j]] = 0.0
        excess[i, j] = 5.0
    excess[13, 12] = 0.0
    z = GeometricMultigrid().build(StencilOperator(weights, excess)).matvec(torch.ones(900, dtype=torch.float64))
    z = z.reshape(30, 30)
    assert z[4, 4] == z[7, 7] == z[10, 11] == pytest.approx(0.2, rel=1e-6)
    assert z[13, 12] == 0.0


@pytest.mark.parametrize(
    "grid", ((1, 1), (1, 7), (7, 1), (2, 2), (3, 3), (1, 300), (300, 2), (5,), (400,), (2, 1, 150))
)
@pytest.mark.parametrize("boundary", ("open", "periodic"))
def test_tiny_and_slender_grids(grid: tuple[int, ...], boundary: str) -> None:
    A = StencilOperator.poisson(grid, boundary=boundary)
    b = noise(A)
    solution = solve_linear(A, b, M="multigrid", rtol=1e-8, maxiter=40)
    assert solution.notes == ()
    assert float((b - A @ solution.x).norm()) <= 1e-8 * float(b.norm()) + 1e-300


def test_nothing_but_solid() -> None:
    A = StencilOperator([np.zeros((50, 50))] * 2, np.full((50, 50), 3.0))
    assert torch.allclose(GeometricMultigrid().build(A).matvec(torch.ones(2500).double()), torch.tensor(1 / 3).double())
    empty = StencilOperator([np.zeros((50, 50))] * 2)
    assert not GeometricMultigrid().build(empty).matvec(torch.ones(2500).double()).any()


@pytest.mark.parametrize("scale", (1e-200, 1e-30, 1e30, 1e200))
def test_scales_of_the_operator_and_of_the_vector(scale: float) -> None:
    """M is linear in r, and M of scale·A is M / scale, to rounding and far outside the range of float32."""
    A = random_operator((48, 40), (False, False), True)
    r = torch.randn(A.shape[0], dtype=torch.float64)
    z = GeometricMultigrid().build(A).matvec(r)
    assert torch.allclose(GeometricMultigrid().build(A).matvec(scale * r) / scale, z, rtol=1e-4, atol=1e-5)
    scaled = StencilOperator([scale * weight for weight in A.weights], scale * A.excess)
    assert torch.allclose(GeometricMultigrid().build(scaled).matvec(r) * scale, z, rtol=1e-4, atol=1e-5)


def test_update_is_a_new_build() -> None:
    first, second = (random_operator((50, 44), (False, True), True, seed) for seed in range(2))
    M = GeometricMultigrid().build(first)
    M.update(second)
    r = torch.randn(first.shape[0], dtype=torch.float64)
    assert torch.equal(M.matvec(r), GeometricMultigrid().build(second).matvec(r))
    with pytest.raises(UsageError, match="build again"):
        M.update(random_operator((44, 44), (False, False), True))


def test_matrix_with_shape_and_mask() -> None:
    mask = np.ones((60, 50), dtype=bool)
    mask[20:30, 10:40] = False
    A = StencilOperator.poisson((60, 50), mask=mask, boundary="open")
    cells = np.flatnonzero(mask)
    csr = A.to_csr()[cells][:, cells]
    r = torch.randn(A.shape[0], dtype=torch.float64)
    r[~torch.from_numpy(mask.reshape(-1))] = 0.0
    expected = GeometricMultigrid().build(A).matvec(r)[cells]
    M = GeometricMultigrid(shape=(60, 50), mask=mask).build(MatrixOperator(csr))
    assert torch.allclose(M.matvec(r[cells]), expected, rtol=1e-5, atol=1e-6)
    two = M.matvec(torch.stack([r[cells], 2 * r[cells]], dim=1))
    assert torch.allclose(two[:, 1], 2 * two[:, 0], rtol=1e-5)


def test_figures_of_the_hierarchy() -> None:
    hierarchy = GeometricMultigrid().build(StencilOperator.poisson((256, 200), boundary="open")).hierarchy
    assert hierarchy.levels[:3] == ((256, 200), (128, 100), (64, 50))
    assert 1.4 < hierarchy.operator_complexity < 1.7
    assert 20 < hierarchy.memory_bytes / (256 * 200) < 60
    assert hierarchy.cycle_bytes > hierarchy.memory_bytes


def test_refusals() -> None:
    A = StencilOperator.poisson((8, 8), boundary="open")
    with pytest.raises(UsageError, match="smoother"):
        GeometricMultigrid(smoother="lime")
    with pytest.raises(UsageError, match="shape"):
        GeometricMultigrid(mask=np.ones((8, 8), dtype=bool))
    with pytest.raises(UsageError, match="needs the grid"):
        GeometricMultigrid().build(MatrixOperator(A.to_csr()))
    with pytest.raises(UsageError, match="M-matrix"):
        GeometricMultigrid().build(StencilOperator([-weight for weight in A.weights], -A.excess))
    z = GeometricMultigrid().build(A).matvec(torch.full((64,), float("nan"), dtype=torch.float64))
    assert torch.isnan(z).all()


def test_symmetric_with_lines_around_solids(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coarse points in a solid that stand for cells of a corridor do not see what a right-hand side holds there."""
    monkeypatch.setattr(_plane_hierarchy, "COARSEST", 60)
    fluid = np.random.default_rng(0).random((24, 24)) > 0.3
    A = StencilOperator.poisson((24, 24), (1.0, 100.0), mask=fluid, boundary="wall")
    for excess in (A.excess, torch.where(torch.as_tensor(fluid), A.excess, 0.0)):
        cycle = GeometricMultigrid(smoother="lines").build(StencilOperator(A.weights, excess))
        M = dense(cycle, 24 * 24)
        assert abs(M - M.T).max() < 1e-5 * abs(M).max()
        assert np.linalg.eigvalsh((M + M.T) / 2)[0] > -1e-6 * abs(M).max()


def test_porous_rock_with_anisotropy() -> None:
    fluid = np.random.default_rng(0).random((128, 128)) > 0.3
    A = StencilOperator.poisson((128, 128), (1.0, 100.0), mask=fluid, boundary="wall")
    assert iterations(A, noise(A)) <= 15
