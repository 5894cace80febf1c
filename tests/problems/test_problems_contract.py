"""What every row of the table of problems promises: a true exact solution, forms that agree, consistent data."""

from __future__ import annotations

import dataclasses
import doctest
import importlib
import pkgutil

import pytest
import torch
from tables import FLOWS, PROBLEMS, ProblemRow, points_in, random_jet
from torch import Tensor

import neuralpde.problems
from neuralpde.fields import Jet, autodiff_jet
from neuralpde.geometry import Boundary, Dirichlet, Neumann, Periodic, face_lattice
from neuralpde.problems import PROBLEMS as BY_NAME
from neuralpde.problems import Advection, Problem, check_problem

rows = pytest.mark.parametrize("row", PROBLEMS, ids=lambda row: row.name)

# central differences of order 8
FIRST = {1: 4 / 5, 2: -1 / 5, 3: 4 / 105, 4: -1 / 280}
SECOND = {0: -205 / 72, 1: 8 / 5, 2: -1 / 5, 3: 8 / 315, 4: -1 / 560}


def _first(f, h: float) -> Tensor:
    return sum(w * (f(k * h) - f(-k * h)) for k, w in FIRST.items()) / h


def _second(f, h: float) -> Tensor:
    centre = SECOND[0] * f(0.0)
    return (centre + sum(w * (f(k * h) + f(-k * h)) for k, w in SECOND.items() if k)) / h**2


def _jet_by_differences(u, x: Tensor, h: float) -> Jet:
    """Value, gradient and Hessian of a function that cannot be differentiated automatically (an ODE solve inside)."""
    d = x.shape[1]
    e = torch.eye(d, dtype=x.dtype)
    grad = torch.stack([_first(lambda s, i=i: u(x + s * e[i]), h) for i in range(d)], dim=-1)

    def mixed(i: int, j: int) -> Tensor:
        if i == j:
            return _second(lambda s: u(x + s * e[i]), h)
        return _first(lambda s: _first(lambda r: u(x + s * e[i] + r * e[j]), h), h)

    hess = torch.stack([torch.stack([mixed(i, j) for j in range(d)], dim=-1) for i in range(d)], dim=-2)
    return Jet(u(x), grad, hess=hess)


def _jet(row: ProblemRow, problem: Problem, t: float, x: Tensor) -> Jet:
    if isinstance(problem, Advection) and callable(problem.speed):
        return _jet_by_differences(lambda p: problem.exact(t, p), x, 0.2 * row.width)
    needs = frozenset({"grad", "laplacian", "hess"})
    return autodiff_jet(lambda p: problem.exact(t, p), x, needs)


@rows
def test_the_exact_solution_has_no_residual(row: ProblemRow) -> None:
    problem = row.make()
    x = points_in(problem.domain, 40)
    for t in row.times:
        rate = 0.0
        if problem.time_order:
            rate = _first(lambda s, t=t: problem.exact(t + s, x), 0.2 * row.width)
        residual = rate - problem.rhs(t, x, _jet(row, problem, t, x))
        assert residual.shape == (40, problem.channels)
        scale = max(1.0, float(torch.as_tensor(rate).abs().max()))
        assert float(residual.abs().max()) <= row.tolerance * scale


@rows
def test_the_exact_solution_is_not_trivial(row: ProblemRow) -> None:
    problem = row.make()
    values = problem.exact(row.times[0], points_in(problem.domain, 400))
    assert float(values.abs().max()) > 0.1 and float(values.std()) > 0.02


@rows
def test_it_starts_where_the_exact_solution_starts(row: ProblemRow) -> None:
    problem = row.make()
    x = points_in(problem.domain, 40)
    if problem.time_order:
        torch.testing.assert_close(problem.initial(x), problem.exact(0.0, x), rtol=0, atol=1e-14)
    else:
        assert problem.initial(x).shape == (40, problem.channels)


@rows
def test_boundary_data_agree_with_the_exact_solution(row: ProblemRow) -> None:
    problem = row.make()
    boundary = Boundary(problem.domain, problem.conditions)
    for t in (0.0, *row.times):
        for name in problem.domain.faces:
            axis, side = problem.domain.face(name)
            condition, q = boundary.on(axis, side), face_lattice(problem.domain, axis, side, 11)
            if isinstance(condition, Dirichlet):
                wanted, got = condition.at(t, q.points, problem.channels), problem.exact(t, q.points)
            elif isinstance(condition, Neumann):
                jet = autodiff_jet(lambda p, t=t: problem.exact(t, p), q.points, frozenset({"grad"}))
                wanted = condition.at(t, q.points, problem.channels)
                got = torch.einsum("ncd,nd->nc", jet.grad, q.normals)
            elif isinstance(condition, Periodic):
                shift = torch.zeros(problem.domain.dim, dtype=torch.float64)
                shift[axis] = problem.domain.lengths[axis] * (-1) ** side
                wanted, got = problem.exact(t, q.points + shift), problem.exact(t, q.points)
            else:
                continue
            torch.testing.assert_close(got, wanted, rtol=0, atol=1e-11)


@rows
def test_strong_and_conservation_form_agree(row: ProblemRow) -> None:
    problem = row.make()
    if not row.states_flux:
        with pytest.raises(ValueError, match="states no flux; define `flux` \\(and `source`\\) or `rhs`"):
            problem.flux(0.0, points_in(problem.domain), random_jet(7, problem.channels, problem.domain.dim))
        return
    x, jet = points_in(problem.domain), random_jet(7, problem.channels, problem.domain.dim)
    torch.testing.assert_close(Problem.rhs(problem, 0.4, x, jet), problem.rhs(0.4, x, jet), rtol=1e-13, atol=1e-13)


@rows
def test_the_terms_sum_to_the_right_hand_side(row: ProblemRow) -> None:
    problem = row.make()
    x, jet = points_in(problem.domain), random_jet(7, problem.channels, problem.domain.dim)
    total = sum(term.rhs(0.4, x, jet) for term in problem.terms())
    torch.testing.assert_close(total, problem.rhs(0.4, x, jet), rtol=1e-13, atol=1e-13)


@rows
def test_a_problem_is_frozen(row: ProblemRow) -> None:
    problem = row.make()
    with pytest.raises(dataclasses.FrozenInstanceError):
        problem.domain = None  # type: ignore[assignment]
    assert problem.name == type(problem).__name__


@rows
def test_a_problem_reads_only_the_derivatives_it_declares(row: ProblemRow) -> None:
    problem = row.make()
    check_problem(problem)
    jet = random_jet(7, problem.channels, problem.domain.dim).parts()
    lean = Jet(**{name: part for name, part in jet.items() if name in problem.needs | {"value"}})
    assert bool(torch.isfinite(problem.rhs(0.4, points_in(problem.domain), lean)).all())


def test_every_problem_of_the_package_has_a_row() -> None:
    assert set(BY_NAME.values()) <= {type(row.make()) for row in (*PROBLEMS, *FLOWS)}


@pytest.mark.parametrize("name", [m.name for m in pkgutil.iter_modules(neuralpde.problems.__path__)])
def test_docstring_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"neuralpde.problems.{name}")).failed == 0
