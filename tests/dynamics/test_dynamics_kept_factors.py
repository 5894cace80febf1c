"""Factors of an earlier matrix precondition the next ones: the same solutions, and the truth about definiteness."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from mesh_support import RUBBER

from neuralpde.dynamics import Newton, _finite_element_systems
from neuralpde.dynamics._finite_element_systems import FiniteElementSystems, Iteration
from neuralpde.dynamics._kept_preconditioner import PATIENCE, KeptFactors
from neuralpde.linalg import positive_definite, symmetric_lu
from neuralpde.problems import traction
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import solve
from neuralpde.types import NotConvergedError

N = 400


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_finite_element_systems, "NEARBY", {2: 0, 3: 0})


def matrix(shift: float = 0.0, bump: float = 0.0) -> sp.csr_matrix:
    """A chain of springs, with one more at half of the nodes."""
    chain = sp.diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(N, N))
    return sp.csr_matrix(chain + sp.diags(shift + bump * np.linspace(0, 1, N) ** 2))


def right() -> torch.Tensor:
    return torch.rand(N, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def residual(a: sp.csr_matrix, x: torch.Tensor) -> float:
    g = right().numpy()
    return float(np.linalg.norm(a @ x.numpy() - g) / np.linalg.norm(g))


def test_pivots_tell_what_eigenvalues_tell() -> None:
    lowest = np.linalg.eigvalsh(matrix().toarray())[0]
    for shift in (0.0, -0.99 * lowest, -1.01 * lowest, -0.5):
        definite = np.linalg.eigvalsh(matrix(shift).toarray())[0] > 0
        assert positive_definite(symmetric_lu(matrix(shift))) == definite


def test_a_near_matrix_is_solved_with_the_factors_of_an_earlier_one() -> None:
    systems = FiniteElementSystems("a chain", 2, Newton())
    first = systems.factors(matrix(0.01), once=True, near=True)
    assert not isinstance(first, Iteration)
    near = matrix(0.01, 0.02)
    found = systems.factors(near, once=True, near=True)
    assert isinstance(found, Iteration)
    for rtol in (1e-2, 1e-8):
        assert residual(near, systems.solve(found, right(), rtol, inexact=True)) <= rtol
    assert not isinstance(systems.factors(near, once=True), Iteration)  # what is asked for definiteness


def test_a_matrix_that_is_far_gets_factors_of_its_own() -> None:
    systems = FiniteElementSystems("a chain", 2, Newton())
    systems.factors(matrix(1e-4), once=True, near=True)
    far = sp.csr_matrix(sp.diags(np.geomspace(1, 1e6, N)) + matrix())
    found = systems.factors(far, once=True, near=True)
    assert residual(far, systems.solve(found, right(), 1e-10, inexact=True)) <= 1e-12
    again = systems.factors(far, once=True, near=True)  # the new ones serve from now on
    assert residual(far, systems.solve(again, right(), 1e-10, inexact=True)) <= 1e-10


def test_a_matrix_that_is_not_definite_is_told() -> None:
    systems = FiniteElementSystems("a chain", 2, Newton())
    systems.factors(matrix(0.01), once=True, near=True)
    found = systems.factors(matrix(-0.5), once=True, near=True)
    with pytest.raises(NotConvergedError, match="positive definite"):
        systems.solve(found, right(), 1e-2, inexact=True)
    assert not isinstance(systems.factors(matrix(0.01), once=True, near=True), Iteration)


def test_factors_that_have_become_slow_are_left() -> None:
    kept = KeptFactors()
    kept.keep(symmetric_lu(matrix(-0.5)))
    assert not kept.serve((N, N))
    kept.keep(symmetric_lu(matrix()))
    kept.note(PATIENCE)
    assert kept.serve((N, N)) and not kept.serve((2, 2))
    kept.note(PATIENCE + 1)
    assert not kept.serve((N, N))


def test_the_body_is_the_same_with_fewer_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    pulled = replace(RUBBER, conditions=(RUBBER.conditions[0], traction((0.0, -0.02), "x+"), traction(0.0)))
    made = list[int]()

    def counted(self: FiniteElementSystems, a: sp.csr_matrix) -> object:
        made.append(a.shape[0])
        return symmetric_lu(a)

    monkeypatch.setattr(FiniteElementSystems, "_factors", counted)
    field = FiniteElementField.for_problem(pulled, 2)
    runs = {}
    for linear in ("direct", "auto"):
        made.clear()
        runs[linear] = solve(pulled, field, newton=Newton(linear=linear))
        runs[linear, "factors"] = len(made)
    one, other = (runs[linear].last.theta for linear in ("direct", "auto"))
    assert float((one - other).norm()) <= 1e-9 * float(one.norm())
    assert runs["auto", "factors"] < runs["direct", "factors"]
