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
from neuralpde.linalg.guard import named
from neuralpde.types import NonFiniteError, NotConvergedError, Status, UsageError


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


@pytest.mark.parametrize("name", ["jacobi", "ssor", "chebyshev", "ic", "amg", "direct", "multigrid"])
def test_a_named_one_whose_build_fails_is_refused_or_replaced_and_noted(name, monkeypatch) -> None:
    A = StencilOperator.poisson((20, 15), boundary="open")
    b = torch.ones(300, dtype=torch.float64)

    def build(error: Exception) -> None:
        def fails(*_: object) -> None:
            raise error

        monkeypatch.setattr(named(name), "build", fails)

    build(MemoryError("no room"))
    found = solve_linear(A, b, M=name)
    assert any("its build raised MemoryError: no room" in note for note in found.notes)
    assert found.residual == pytest.approx(float((b - A @ found.x).norm() / b.norm()), rel=1e-2) and found.status.ok
    build(ModuleNotFoundError("No module named 'pyamg'"))
    with pytest.raises(UsageError, match=f"M='{name}' cannot .*No module named 'pyamg'"):
        solve_linear(A, b, M=name)


def test_what_a_failure_advises_is_about_linear_systems() -> None:
    weights = [weight.numpy().copy() for weight in StencilOperator.poisson((12, 10), boundary="open").weights]
    weights[0][5] *= 1e-12  # two rooms, one of them nearly free
    excess = torch.zeros(12, 10)
    excess[0] = 1.0
    b = torch.randn(120, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with pytest.raises(NotConvergedError, match=r"goes down no further; torch.float64 cannot bring it lower") as caught:
        solve_linear(StencilOperator(weights, excess), b, M="jacobi")
    assert caught.value.result.status is Status.STAGNATED
    A = StencilOperator.poisson((40, 40), boundary="open")
    with pytest.raises(NotConvergedError) as limited:
        solve_linear(A, torch.ones(1600), maxiter=3)
    with pytest.raises(NonFiniteError) as bad:
        solve_linear(A, torch.full((1600,), float("nan")))
    for text in (str(error.value) for error in (caught, limited, bad)):
        assert not any(word in text for word in ("field", "step", "misfit", "representation")), text
