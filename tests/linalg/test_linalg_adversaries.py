"""Preconditioners that are no good: the right answer in the iterations of Jacobi plus six, and a note that says why."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuralpde.linalg import StencilOperator, solve_linear
from neuralpde.types import Status

EXTRA = 6
SOLVERS = ("cg", "fcg", "minres", "gmres", "fgmres", "bicgstab")


def system(name):
    """A and b: a dense matrix of condition 1e3 with an uneven diagonal, or a grid with jumping coefficients."""
    generator = torch.Generator().manual_seed(5)
    if name == "grid":
        weights = [10.0 ** torch.randint(0, 3, (24, 20), generator=generator).double() for _ in range(2)]
        A = StencilOperator(weights, 0.05 * torch.ones(24, 20, dtype=torch.float64))
        return A, torch.randn(480, dtype=torch.float64, generator=generator)
    Q = torch.linalg.qr(torch.randn(150, 150, dtype=torch.float64, generator=generator))[0]
    A = (Q * torch.logspace(0, 2, 150, dtype=torch.float64)) @ Q.T
    scale = torch.logspace(0, 0.5, 150, dtype=torch.float64)
    return scale[:, None] * A * scale, torch.randn(150, dtype=torch.float64, generator=generator)


def relu_network(n):
    W = torch.randn(n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(9)) / n**0.5
    return lambda r: W.T @ torch.relu(W @ r)


def noise(r):
    return torch.randn_like(r)


def positive_noise(r):
    z = torch.randn_like(r)
    return z * torch.sign(torch.dot(z, r))


def raises(r):
    raise ArithmeticError("weights of another grid")


BAD = {
    "nan": lambda n: lambda r: r * float("nan"),
    "zero": lambda n: torch.zeros_like,
    "minus identity": lambda n: lambda r: -r,
    "random matrix": lambda n: (lambda R: lambda r: R @ r)(
        torch.randn(n, n, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    ),
    "relu": lambda n: torch.relu,
    "relu network": relu_network,
    "noise": lambda n: noise,
    "noise downhill": lambda n: positive_noise,
    "wrong shape": lambda n: lambda r: r[: n // 2],
    "wrong dtype": lambda n: lambda r: r.to(torch.int8),
    "complex": lambda n: lambda r: r * 1j,
    "raises": lambda n: raises,
}


class GoodAtFirst:
    """Jacobi for four calls, then what it is made from."""

    def __init__(self, good, bad):
        self.good, self.bad, self.calls = good, bad, 0

    def __call__(self, r):
        self.calls += 1
        return (self.good if self.calls < 5 else self.bad)(r)


def jacobi(A):
    diagonal = A.diagonal()
    return lambda r: r / diagonal


@pytest.mark.parametrize("later", [False, True], ids=["always", "from the fifth call"])
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", ["dense", "grid"])
def test_bad_preconditioners_cost_six_iterations(name, solver, bad, later):
    A, b = system(name)
    n = len(b)
    M = BAD[bad](n)
    M = GoodAtFirst(jacobi(A), M) if later else M
    classical = solve_linear(A, b, solver=solver, M="jacobi", rtol=1e-7, restart=60)
    solution = solve_linear(A, b, solver=solver, M=M, rtol=1e-7, restart=60)
    product = A.matvec(solution.x) if name == "grid" else A @ solution.x
    truth = float((b - product).norm() / b.norm())
    assert truth <= 1e-7 and solution.residual == pytest.approx(truth, rel=0.01)
    # To methods of the residual the sign is nothing: −I is the identity, which may need more iterations than Jacobi.
    assert solution.iterations <= classical.iterations + EXTRA, (
        classical.iterations,
        solution.iterations,
        solution.notes,
    )
    assert len(solution.history) == solution.iterations + 1
    if not (bad == "minus identity" and solver in ("gmres", "fgmres", "bicgstab") and not solution.notes):
        assert len(solution.notes) >= 1 and "was dropped" in solution.notes[0]


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_good_preconditioner_is_left_alone(solver):
    A, b = system("dense")
    inverse = torch.linalg.inv(A + 0.5 * torch.eye(150, dtype=torch.float64))
    solution = solve_linear(A, b, solver=solver, M=lambda r: inverse @ r)
    assert solution.notes == () and solution.iterations <= 12
    assert solve_linear(A, b, solver=solver, M=jacobi(A)).notes == ()


def test_one_that_writes_into_what_it_gets():
    A, b = system("dense")
    solution = solve_linear(A, b, M=lambda r: r.mul_(0.5))
    assert solution.status.ok and float((b - A @ solution.x).norm() / b.norm()) <= 1e-8


def test_the_same_buffer_every_time():
    A, b = system("dense")
    buffer = torch.empty(150, dtype=torch.float64)
    for solver in SOLVERS:
        solution = solve_linear(A, b, solver=solver, M=lambda r: buffer.copy_(r / A.diagonal()))
        assert solution.status.ok and solution.notes == (), (solver, solution.notes)


def test_nothing_helps_against_a_broken_matrix():
    solution = solve_linear(np.full((4, 4), np.nan), np.ones(4), M=lambda r: r, raise_on_failure=False)
    assert solution.status is Status.NON_FINITE
