"""Newton's method far from the solution: steps that lead downhill, folds, and one solve where a problem is linear."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde.dynamics import Newton
from neuralpde.dynamics._newton import Iterate, downhill
from neuralpde.fields import Jet
from neuralpde.geometry import Box, Condition, Dirichlet, Domain, MeshDomain
from neuralpde.problems import Poisson, Problem
from neuralpde.representations import FiniteElementField, GridField
from neuralpde.simulate import Solution, solve
from neuralpde.types import NotConvergedError, Status

SQUARE = MeshDomain(unit_mesh("triangle", 10))
NEEDS = frozenset({"grad", "hess"})


def saddle(t: float, x: Tensor) -> Tensor:
    return x[:, :1] * x[:, 1:2]


@dataclass(frozen=True)
class MinimalSurface(Problem):
    height: float = 0.3
    domain: Domain = SQUARE
    time_order: ClassVar[int] = 0
    needs: ClassVar[frozenset[str]] = NEEDS

    @property
    def conditions(self) -> tuple[Condition, ...]:  # type: ignore[override]
        return (Dirichlet(lambda t, x: self.height * saddle(t, x)),)

    def energy(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return (1 + u.grad.square().sum((1, 2))).sqrt()


@dataclass(frozen=True)
class Bratu(Problem):
    strength: float = 6.0
    domain: Domain = SQUARE
    conditions: tuple[Condition, ...] = (Dirichlet(0.0),)
    time_order: ClassVar[int] = 0
    needs: ClassVar[frozenset[str]] = NEEDS

    def flux(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return -u.grad

    def source(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return self.strength * torch.exp(u.value)


@dataclass(frozen=True)
class Stiffening(Problem):
    """−∇·((1 + u⁴) ∇u) = f: with w = u + u⁵/5 it is −Δw = f."""

    load: float = 1e4
    domain: Domain = SQUARE
    conditions: tuple[Condition, ...] = (Dirichlet(0.0),)
    time_order: ClassVar[int] = 0
    needs: ClassVar[frozenset[str]] = NEEDS

    def flux(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return -(1 + u.value**4)[..., None] * u.grad

    def source(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return torch.full_like(u.value, self.load)


def solved(problem: Any, **options: Any) -> Solution:
    box = isinstance(problem.domain, Box)
    r = GridField.for_problem(problem, 33) if box else FiniteElementField.for_problem(problem, degree=2)
    return solve(problem, r, raise_on_failure=False, newton=Newton(**options))


@pytest.mark.parametrize("height", [0.3, 30.0])
def test_minimal_surfaces_are_found_from_zero(height: float) -> None:
    run = solved(MinimalSurface(height))
    assert run.status.ok and run.infos[0].iterations <= 20
    # it hangs between its lowest and highest boundary values, and is symmetric about the diagonal
    values = run.probe([[0.3, 0.6], [0.6, 0.3]])[0, :, 0]
    assert 0 < float(values[0]) < height
    # a guess near the solution leads to the same one: the energy is convex
    near = solve(run.problem, run.representation, guess=0.9 * run.states[0])
    assert float((near.states - run.states).abs().max()) <= 1e-8 * height


def test_the_last_steps_square_the_residual() -> None:
    history = solved(MinimalSurface(0.3), rtol=1e-14).infos[0].history
    small = [r / history[0] for r in history if 1e-4 > r / history[0] > 1e-14]
    assert small[1] <= 1e-2 * small[0]


@pytest.mark.parametrize("load", [10.0, 1e4, 1e6])
def test_a_diffusivity_that_grows_with_u(load: float) -> None:
    run = solved(Stiffening(load))
    linear = solve(p := Poisson(domain=SQUARE, source_term=load), FiniteElementField.for_problem(p, degree=2))
    u, w = (float(s.probe([[0.5, 0.5]])[0, 0, 0]) for s in (run, linear))
    assert run.status.ok and u + u**5 / 5 == pytest.approx(w, rel=0.02)


@pytest.mark.parametrize("domain", [SQUARE, Box((0.0, 0.0), (1.0, 1.0))])
def test_bratu_on_both_sides_of_its_fold(domain: Domain) -> None:
    below = solved(Bratu(6.8, domain))
    assert below.status.ok and float(below.states.max()) == pytest.approx(1.33, abs=0.02)
    beyond = solved(Bratu(7.0, domain))
    assert beyond.status is Status.UPHILL
    history = beyond.infos[0].history
    assert len(history) == 1 + beyond.infos[0].iterations and history[-1] == beyond.infos[0].residual > 0
    with pytest.raises(NotConvergedError, match="beyond a fold"):
        solve(beyond.problem, beyond.representation)


def test_minimal_surface_on_a_grid() -> None:
    assert solved(MinimalSurface(0.3, Box((0.0, 0.0), (1.0, 1.0)))).status.ok


@pytest.mark.parametrize(("n", "status"), [(10, Status.CONVERGED_RTOL), (160, Status.CONVERGED_ATOL)])
def test_a_linear_problem_is_solved_once_by_cg(n: int, status: Status) -> None:
    # with 100 000 values rounding leaves more than 1e-12 of the residual
    run = solved(Poisson(domain=MeshDomain(unit_mesh("triangle", n))), linear="cg")
    assert run.status is status and run.infos[0].iterations == 1
    assert run.infos[0].residual <= 1e-11 * run.infos[0].history[0]


def test_states_without_a_residual_are_left_by_halving() -> None:
    def root(theta: Tensor) -> Iterate:  # of ln θ: the full step from 4 leads below zero
        g = torch.log(theta)
        return Iterate(theta, g, float(g.norm()))

    start = root(torch.tensor([4.0]))
    step = start.theta * start.residual
    found = downhill(root, start, step, 1.0)
    assert found is not None and float(found.theta) == pytest.approx(4.0 - 0.5 * float(step))
    assert downhill(root, start, -step, 1.0) is None
