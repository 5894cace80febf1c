"""Matrices that change: what is refused leaves a solver and a preconditioner as they were."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import spsolve

from neuralpde.plugins._cells import Cells
from neuralpde.plugins._reduced import reduced
from neuralpde.plugins.scipy import Solver, as_preconditioner
from neuralpde.types import UsageError

N = 16


def laplacian() -> sp.csr_matrix:
    line = sp.diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(N, N))
    return sp.csr_matrix(sp.kronsum(line, line))


def held_by_its_row() -> sp.csr_matrix:
    A = laplacian().tolil()
    A[0, :], A[0, 0] = 0.0, 4.0
    return sp.csr_matrix(A)


def unsuited() -> dict[str, Any]:
    line = sp.diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(N, N))
    nan = laplacian()
    nan.data[7] = np.nan
    return {
        "off the stencil": sp.csr_matrix(sp.kron(line, line)),
        "negative row sums": laplacian() - sp.eye(N * N),
        "another size": sp.eye(9),
        "not finite": nan,
        "no matrix": None,
    }


@pytest.mark.parametrize("before", [laplacian(), -laplacian(), held_by_its_row()], ids=["plus", "minus", "held"])
@pytest.mark.parametrize("why", list(unsuited()))
def test_a_solver_survives_what_it_refuses(before: sp.csr_matrix, why: str) -> None:
    b = np.random.default_rng(0).standard_normal(N * N)
    solver = Solver(before, shape=(N, N))
    with pytest.raises(UsageError):
        solver.update(unsuited()[why])
    x = solver.solve(b, rtol=1e-10)
    assert solver.solution is not None and solver.solution.notes == ()  # multigrid still, not what replaces it
    assert abs(x - spsolve(before.tocsc(), b)).max() < 1e-7
    after = -2.0 * laplacian()
    assert abs(solver.update(after).solve(b, rtol=1e-10) - spsolve(after.tocsc(), b)).max() < 1e-7


def test_a_solver_survives_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    b = np.ones(N * N)
    solver = Solver(-laplacian(), shape=(N, N))
    real = type(solver._prepared).update
    calls: list[int] = []

    def interrupted(self: Any, A: Any) -> None:
        real(self, A)
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(type(solver._prepared), "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        solver.update(laplacian())
    assert len(calls) == 2
    assert np.linalg.norm(-laplacian() @ solver.solve(b) - b) < 1e-6


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("why", list(unsuited()))
def test_a_preconditioner_survives_what_it_refuses(sign: float, why: str) -> None:
    r = np.random.default_rng(1).standard_normal(N * N)
    M = as_preconditioner(sign * laplacian(), shape=(N, N))
    before = M @ r
    with pytest.raises(UsageError):
        M.update(-sign * unsuited()[why] if why in ("off the stencil", "negative row sums") else unsuited()[why])
    np.testing.assert_array_equal(M @ r, before)


def test_what_rows_fix_is_moved() -> None:
    """s (A − T) (x − x_F) = s (b − T x_F), 0 in the rows of F, has the solution of A x = b."""
    A, b = held_by_its_row(), np.arange(1.0, N * N + 1)
    system = reduced(-A, Cells())
    known = system.known(b)
    assert known[0] == b[0] / -4.0 and not known[1:].any()
    x = spsolve(-A.tocsc(), b)
    left = system.operator.to_csr() @ (x - known)
    np.testing.assert_allclose(left, system.right(b, known), rtol=0, atol=1e-9 * abs(b).max())
