"""Parts of a grid whose constants nothing holds, or an excess that float32 cannot see."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuralpde.linalg import StencilOperator, solve_linear
from neuralpde.linalg.multigrid._components import Constants
from neuralpde.linalg.multigrid._torch_cycle import DeviceCycle
from neuralpde.linalg.multigrid.geometric import GeometricMultigrid

GRIDS = ((90, 70), (20, 20, 20))
PLACES = ("everywhere", "one cell", "one of two rooms")


def weakly_held(grid: tuple[int, ...], excess: float, where: str, unit: float = 1.0) -> StencilOperator:
    """Between walls, held by next to nothing."""
    weights = [weight.numpy() * unit for weight in StencilOperator.poisson(grid).weights]
    sums = np.zeros(grid)
    if where == "everywhere":
        sums[:] = excess * unit
    else:
        sums[tuple(n // 4 for n in grid)] = excess * unit
    if where == "one of two rooms":
        weights[0][grid[0] // 2] = 0.0
    return StencilOperator(weights, sums)


def without_means(b: np.ndarray, where: str) -> torch.Tensor:
    rooms = [b[: len(b) // 2 + 1], b[len(b) // 2 + 1 :]] if where == "one of two rooms" else [b]
    return torch.from_numpy(np.concatenate([room - room.mean() for room in rooms]).reshape(-1))


@pytest.mark.parametrize("where", PLACES)
@pytest.mark.parametrize("grid", GRIDS, ids=("plane", "space"))
def test_any_excess_is_as_good_as_none(grid, where) -> None:
    g = np.random.default_rng(0)
    b, x = without_means(g.standard_normal(grid), where), torch.from_numpy(g.standard_normal(np.prod(grid)))
    for exponent in range(-16, -3):
        A = weakly_held(grid, 10.0**exponent, where)
        for right in (b, A @ x):
            found = solve_linear(A, right, M="multigrid")
            true = float((right - A @ found.x).norm() / right.norm())
            assert found.iterations <= 12 and not found.notes, (exponent, found)
            assert true <= 1e-8 and found.residual == pytest.approx(true, rel=0.01)


@pytest.mark.parametrize("unit", [1e-30, 1e30])
@pytest.mark.parametrize("grid", GRIDS, ids=("plane", "space"))
def test_a_constant_that_a_small_excess_answers_is_found(grid, unit) -> None:
    for excess in (1e-13, 1e-9, 1e-6):
        A = weakly_held(grid, excess, "everywhere", unit)
        x = 3.0 + 0.01 * excess * torch.randn(A.shape[0], dtype=torch.float64)  # A x holds a constant of this size
        found = solve_linear(A, A @ x, M="multigrid", rtol=1e-6)
        assert found.iterations <= 12 and not found.notes
        torch.testing.assert_close(found.x.mean(), x.mean(), rtol=1e-6, atol=0.0)


def test_the_cycle_with_weakly_held_parts_is_symmetric_and_definite_and_the_same_on_devices() -> None:
    A = weakly_held((40, 30), 1e-12, "one of two rooms")
    M = GeometricMultigrid().build(A)
    u, v = torch.randn(2, A.shape[0], dtype=torch.float64, generator=torch.Generator().manual_seed(0)).unbind(0)
    # the constants answer with 1e12 times what other fields do
    assert float(u @ (M @ v)) == pytest.approx(float(v @ (M @ u)), rel=1e-9)
    assert float(u @ (M @ u)) > 0.0
    w = without_means(u.numpy().reshape(A.grid), "one of two rooms")
    assert float(w @ (M @ w)) > 0.0
    there = DeviceCycle(M.hierarchy, M._constants, M._unit, torch.device("cpu"))
    assert float((there(u, A.grid) - M @ u).norm() / (M @ u).norm()) < 1e-6
    # of w the constants answer the rounding errors of its means
    z, other = (without_means(z.numpy().reshape(A.grid), "one of two rooms") for z in (M @ w, there(w, A.grid)))
    assert float((other - z).norm() / z.norm()) < 1e-5


def test_which_parts_are_counted() -> None:
    def count(excess: float, where: str) -> tuple[int, list[float]]:
        A = weakly_held((40, 30), excess, where)
        found = Constants([w.numpy() for w in A.weights], A.excess.numpy(), 1.0)
        return found.count, found.energies.tolist()

    assert count(0.0, "one of two rooms") == (2, [0.0, 0.0])
    assert count(1e-12, "one of two rooms") == (2, [1e-12, 0.0])
    assert count(1e-16, "one of two rooms") == (2, [0.0, 0.0])  # below rounding in float64: a null vector
    assert count(1.0, "one of two rooms") == (1, [0.0])
    # 1e-12 of all weights, but as much as those of its cell
    weights = [np.full((40, 30), 1e10) for _ in range(2)]
    weights[0][:3] = weights[1][:3] = 1.0
    excess = np.zeros((40, 30))
    excess[1, 1] = 1.0
    assert Constants(weights, excess, 1e10).count == 0


def test_an_update_takes_and_drops_a_small_excess() -> None:
    M = GeometricMultigrid().build(weakly_held((40, 30), 1.0, "one cell"))
    for excess in (1e-13, 0.0, 1e-5, 1e-13):
        A = weakly_held((40, 30), excess, "one cell")
        M.update(A)
        assert solve_linear(A, A @ torch.randn(1200, dtype=torch.float64), M=M).iterations <= 12
