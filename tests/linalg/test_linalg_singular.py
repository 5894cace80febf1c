"""Singular systems that hold constants of components: x of least residual, in about the iterations of what is left."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from neuralpde.linalg import CallableOperator, MatrixOperator, StencilOperator, prepare, solve_linear
from neuralpde.linalg.constants import null_constants
from neuralpde.types import Status

SIDE = 24
RECIPES = [
    *(("cg", M) for M in (None, "jacobi", "ic", "ssor", "chebyshev", "multigrid")),
    ("fcg", "jacobi"),
    *(("minres", M) for M in (None, "ic")),
    *(("gmres", M) for M in (None, "multigrid")),
    *(("bicgstab", M) for M in (None, "jacobi", "multigrid")),
    ("direct", None),
]


def two_rooms(side: int = SIDE, jump: float = 1.0) -> tuple[StencilOperator, np.ndarray]:
    """Closed rooms of different sizes with a wall between them, and which cell is in which (0 in the wall)."""
    mask = np.ones((side, side), dtype=bool)
    mask[side // 3] = False
    k = np.where(np.random.default_rng(3).uniform(size=mask.shape) < 0.5, 1.0, jump)
    rooms = np.where(mask, 1 + (np.arange(side)[:, None] > side // 3), 0)
    return StencilOperator.poisson(mask.shape, mask=mask, coefficient=k), rooms


def right_sides(A: StencilOperator, rooms: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, float]:
    """One that has a solution; one that has none; and the least relative residual for this one."""
    x = np.random.default_rng(1).normal(size=rooms.shape) * (rooms > 0)
    b = A @ x.ravel()
    means = 0.01 * np.abs(b).mean() * (2.0 * (rooms == 1) - 1.0 * (rooms == 2)).ravel()
    bad = b + means
    return torch.from_numpy(b), torch.from_numpy(bad), float(np.linalg.norm(means) / np.linalg.norm(bad))


@pytest.mark.parametrize(("solver", "M"), RECIPES)
def test_what_a_singular_matrix_cannot_reach_is_left_out(solver: str, M: str | None) -> None:
    A, rooms = two_rooms()
    b, bad, least = right_sides(A, rooms)
    usual = solve_linear(A, b, solver=solver, M=M)
    solution = solve_linear(A, bad, solver=solver, M=M, raise_on_failure=False)
    assert solution.status is Status.INCOMPATIBLE
    assert solution.residual == pytest.approx(least, rel=1e-9)
    assert solution.history[-1] == solution.residual and len(solution.history) >= solution.iterations
    assert solution.iterations <= 1.5 * usual.iterations + (50 if solver == "gmres" else 30)
    apart = (solution.x - usual.x).numpy().reshape(rooms.shape)
    for room in (1, 2):  # the same field but for a constant in each room
        spread = np.ptp(apart[rooms == room])
        assert spread <= 1e-5 * np.ptp(usual.x.numpy())


@pytest.mark.parametrize("form", ["sparse", "dense", "function"])
def test_all_forms_of_a_matrix(form: str) -> None:
    mask_free = StencilOperator.poisson((SIDE, SIDE))
    csr = mask_free.to_csr()
    forms = {
        "sparse": csr,
        "dense": csr.toarray(),
        "function": CallableOperator(csr.shape, mask_free.matvec, symmetric=True),
    }
    x = np.random.default_rng(0).normal(size=csr.shape[0])
    solution = solve_linear(forms[form], csr @ x + 0.01, raise_on_failure=False)
    assert solution.status is Status.INCOMPATIBLE and solution.iterations < 150
    np.testing.assert_allclose(solution.x - solution.x.mean(), x - x.mean(), atol=1e-6)


def test_conservative_matrices_that_are_not_symmetric() -> None:
    n = 40
    A = sp.diags([-1.3 * np.ones(n - 1), 2.0 * np.ones(n), -0.7 * np.ones(n - 1)], [-1, 0, 1]).tolil()
    A[0, 0], A[-1, -1] = 1.3, 0.7
    A = sp.csr_matrix(A)
    assert abs(A.sum(axis=0)).max() < 1e-15 and abs(A.sum(axis=1)).max() > 0.1
    b = A @ np.random.default_rng(0).normal(size=n) + 0.1
    for solver in ("gmres", "bicgstab", "direct"):
        solution = solve_linear(A, b, solver=solver, raise_on_failure=False)
        assert solution.status is Status.INCOMPATIBLE
        assert solution.residual == pytest.approx(0.1 * np.sqrt(n) / np.linalg.norm(b), rel=1e-9)


@pytest.mark.parametrize(("solver", "M"), RECIPES)
def test_a_first_guess_with_a_long_constant(solver: str, M: str | None) -> None:
    A, rooms = two_rooms()
    b, bad, least = right_sides(A, rooms)
    x0 = torch.full_like(b, 1e12)
    assert solve_linear(A, b, solver=solver, M=M, x0=x0).residual <= 1e-8
    solution = solve_linear(A, bad, solver=solver, M=M, x0=x0, raise_on_failure=False)
    assert solution.status is Status.INCOMPATIBLE and solution.residual == pytest.approx(least, rel=1e-9)


@pytest.mark.parametrize(("solver", "M"), RECIPES)
def test_nearly_singular_systems(solver: str, M: str | None) -> None:
    A, rooms = two_rooms()
    b, bad, _ = right_sides(A, rooms)
    for held, reasons, most in (
        (1e-14, (Status.INCOMPATIBLE,), 400),
        (1e-10, (Status.STAGNATED, Status.INCOMPATIBLE), 2000),
    ):
        excess = A.excess.clone()
        excess[0, 0] = excess[-1, -1] = held  # one cell in each room
        near = StencilOperator(A.weights, excess)
        assert solve_linear(near, b, solver=solver, M=M).status.ok
        # Its solution is so long that the rounding errors of A x are above the tolerance.
        solution = solve_linear(near, bad, solver=solver, M=M, raise_on_failure=False)
        assert solution.status in reasons and solution.iterations <= most


def free_body(n: int = 10) -> sp.csr_matrix:
    """A lattice of springs that nothing holds: two translations and a rotation cost nothing."""
    rows = []
    for i in range(n):
        for j in range(n):
            for di, dj in ((0, 1), (1, 0), (1, 1), (1, -1)):
                if 0 <= i + di < n and 0 <= j + dj < n:
                    row, along = np.zeros((n, n, 2)), np.array([di, dj]) / np.hypot(di, dj)
                    row[i, j], row[i + di, j + dj] = along, -along
                    rows.append(row.ravel())
    B = sp.csr_matrix(np.array(rows))
    return sp.csr_matrix(B.T @ B)


@pytest.mark.parametrize(("solver", "M"), [("cg", None), ("cg", "ic"), ("gmres", None), ("direct", None)])
@pytest.mark.parametrize("size", [1.0, 1e-2])
def test_other_null_spaces(solver: str, M: str | None, size: float) -> None:
    A = free_body()
    values, vectors = np.linalg.eigh(A.toarray())
    null = vectors[:, :3]
    assert values[2] < 1e-12 < values[3]
    b = A @ np.random.default_rng(0).normal(size=A.shape[0])
    bad = b + size * np.linalg.norm(b) * null @ np.ones(3)
    solution = solve_linear(A, bad, solver=solver, M=M, raise_on_failure=False)
    assert solution.status is Status.INCOMPATIBLE and solution.iterations < 600
    assert solution.residual == pytest.approx(np.linalg.norm(null.T @ bad) / np.linalg.norm(bad), rel=1e-6)


def test_one_look_serves_all_right_hand_sides() -> None:
    A, rooms = two_rooms()
    b, bad, least = right_sides(A, rooms)
    solver = prepare(A, M="ic")
    seen: list[int] = []
    first = solver.solve(bad, raise_on_failure=False, callback=lambda k, residual: seen.append(k))
    assert seen == list(range(1, len(first.history)))
    second = solver.solve(bad, raise_on_failure=False)
    assert second.residual == pytest.approx(least, rel=1e-9) and second.iterations < first.iterations
    assert solver.solve(torch.from_numpy((rooms == 1).ravel() * 1.0), raise_on_failure=False).iterations == 0
    assert solver.solve(b).status.ok
    solver.update(StencilOperator(A.weights, A.excess + 1.0))
    assert solver.solve(bad).status.ok


def test_a_budget_that_ends_is_said() -> None:
    A, rooms = two_rooms()
    _, bad, _ = right_sides(A, rooms)
    solution = solve_linear(A, bad, maxiter=40, raise_on_failure=False)
    assert solution.status is Status.MAXITER and solution.iterations == 40


def test_constants_of_components() -> None:
    A = sp.block_diag([[[1.0, -1.0], [-1.0, 1.0]], [[2.0, -1.0], [-1.0, 1.0]], [[0.0]]]).tocsr()
    null = null_constants(MatrixOperator(A), (lambda: 3.0, lambda: False))
    assert null is not None
    assert null.means(torch.arange(5.0, dtype=torch.float64)).tolist() == [0.5, 0.5, 0.0, 0.0, 4.0]
    A.data[0] = 0.0  # a stored zero joins nothing
    assert null_constants(MatrixOperator(sp.identity(3)), (lambda: 1.0, lambda: False)) is None
