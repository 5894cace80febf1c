"""What takes over from geometric multigrid where that fails or is slow, and its use from several threads."""

from __future__ import annotations

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from neuralpde.linalg import (
    CallableOperator,
    GeometricMultigrid,
    LinearOperator,
    StencilOperator,
    prepare,
    solve_linear,
)


class Weakened(GeometricMultigrid):
    """Geometric multigrid whose operator is another one."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def build(self, A: LinearOperator) -> LinearOperator:
        action = (lambda r: -r) if self.kind == "uphill" else (lambda r: r)
        return CallableOperator(A.shape, action, symmetric=True, positive_definite=True)


@pytest.fixture
def system() -> tuple[StencilOperator, torch.Tensor]:
    A = StencilOperator.poisson((64, 64), 1 / 64, boundary="open")
    return A, torch.randn(64 * 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("kind", "after"), [("uphill", 0), ("slow", 75)])
@pytest.mark.parametrize("solver", ["cg", "fcg"])
def test_algebraic_multigrid_takes_over_from_the_geometric(system, kind: str, after: int, solver: str) -> None:
    A, b = system
    algebraic = solve_linear(A, b, solver=solver, M="amg")
    solution = solve_linear(A, b, solver=solver, M=Weakened(kind))
    assert solution.iterations <= after + algebraic.iterations + 1
    assert len(solution.notes) == 1 and f"dropped at iteration {after}" in solution.notes[0]
    np.testing.assert_allclose(solution.x, algebraic.x, rtol=0, atol=1e-6 * float(algebraic.x.abs().max()))


@pytest.mark.parametrize("grid", [(200, 190), (24, 22, 20)])
def test_threads_may_share_a_prepared_multigrid(grid: tuple[int, ...]) -> None:
    A = StencilOperator.poisson(grid, 1.0, boundary="open")
    solver = prepare(A, M="multigrid")
    right = torch.randn(8, A.shape[0], dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    alone = [solver.solve(b).x for b in right]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda b: solver.solve(b).x, right))
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12 * float(one.abs().max()))


def test_a_copy_of_a_built_multigrid_works(system) -> None:
    A, b = system
    built = GeometricMultigrid().build(A)
    assert torch.equal(copy.deepcopy(built) @ b, built @ b)
