"""Newton's method on finite elements: single precision, and guesses near and far."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde.dynamics import Newton
from neuralpde.fields import Jet
from neuralpde.geometry import Dirichlet, MeshDomain
from neuralpde.integrators import RK4, SDIRK4, ImplicitMidpoint, Integrator
from neuralpde.problems import Heat, Poisson, Problem
from neuralpde.representations import FiniteElementField, GridField
from neuralpde.simulate import simulate, solve

MESH = MeshDomain(unit_mesh("triangle", 8, distort=0.2))
LINEAR = ["direct", "cg", "gmres"]


def wave(x: Tensor) -> Tensor:
    return torch.sin(x[:, :1]) * torch.exp(x[:, 1:])


def bump(x: Tensor) -> Tensor:
    return (math.pi * x).sin().prod(1, keepdim=True)


class Quasilinear(Problem):
    """−∇·(1 + |∇u|²)∇u = 1."""

    name = "Quasilinear"
    domain = MESH
    unknowns = {"u": 1}  # noqa: RUF012
    time_order = 0
    needs = frozenset({"grad", "hess"})
    conditions = (Dirichlet(lambda t, x: wave(x)),)

    def flux(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return -(1 + u.grad.square().sum(-1, keepdim=True)) * u.grad

    def source(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return torch.ones_like(u.value)


LOADED = Poisson(source_term=1.0, domain=MESH, conditions=(Dirichlet(0.0),))
HELD = Poisson(solution=wave, domain=MESH, conditions=(Dirichlet(lambda t, x: wave(x)),))
ZERO = Poisson(source_term=0.0, domain=MESH, conditions=(Dirichlet(0.0),))
STEADY = [LOADED, HELD, ZERO, Quasilinear()]


@pytest.mark.parametrize("linear", LINEAR)
@pytest.mark.parametrize("degree", [1, 2])
def test_steady_in_single_precision(linear: str, degree: int) -> None:
    found = {}
    for dtype in (torch.float32, torch.float64):
        r = FiniteElementField.for_problem(HELD, degree=degree, dtype=dtype)
        found[dtype] = solve(HELD, r, newton=Newton(linear=linear)).last.theta
    assert found[torch.float32].dtype is torch.float32
    assert float((found[torch.float32] - found[torch.float64]).abs().max()) < 1e-5


@pytest.mark.parametrize("linear", LINEAR)
@pytest.mark.parametrize(("integrator", "dt"), [(RK4(), 5e-4), (SDIRK4(), 1e-2), (ImplicitMidpoint(), 1e-2)])
def test_time_in_single_precision(integrator: Integrator, dt: float, linear: str) -> None:
    heat = Heat(diffusivity=0.1, domain=MESH, conditions=(Dirichlet(0.0),), profile=bump)
    found = {}
    for dtype in (torch.float32, torch.float64):
        r = FiniteElementField.for_problem(heat, degree=2, dtype=dtype)
        found[dtype] = simulate(heat, r, integrator, dt=dt, t_end=0.02, newton=Newton(linear=linear)).last.theta
    assert found[torch.float32].dtype is torch.float32
    assert float((found[torch.float32] - found[torch.float64]).abs().max()) < 1e-5


@pytest.mark.parametrize("problem", STEADY, ids=lambda p: p.name)
@pytest.mark.parametrize("linear", LINEAR)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_any_guess_ends_at_the_solution(problem: Problem, linear: str, dtype: torch.dtype) -> None:
    r, newton = FiniteElementField.for_problem(problem, degree=2, dtype=dtype), Newton(linear=linear)
    reference = solve(problem, FiniteElementField.for_problem(problem, degree=2)).last.theta
    theta = solve(problem, r, newton=newton).last.theta
    noise = torch.randn(len(theta), generator=torch.Generator().manual_seed(0), dtype=dtype)
    most = 1e-10 if dtype is torch.float64 else 2e-5
    for guess in (theta, theta + 1e-7 * noise, theta + 1e-3 * noise, theta + 100.0):
        again = solve(problem, r, guess=guess, newton=newton)
        assert float((again.last.theta - reference).abs().max()) < most
    assert solve(problem, r, guess=theta, newton=newton).infos[0].iterations <= 1


@pytest.mark.parametrize("problem", [Quasilinear()])
def test_a_far_guess_or_few_iterations_are_not_called_converged(problem: Problem) -> None:
    r = FiniteElementField.for_problem(problem, degree=2)
    theta = solve(problem, r).last.theta
    noise = torch.randn(len(theta), generator=torch.Generator().manual_seed(0), dtype=theta.dtype)
    short = solve(problem, r, guess=theta + 1e-2 * noise, newton=Newton(maxiter=1), raise_on_failure=False)
    assert not short.status.ok
    assert float((short.last.theta - theta).abs().max()) > 1e-8


@pytest.mark.parametrize("source", [0.0, 1.0])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_grids_may_start_at_their_solution_too(source: float, dtype: torch.dtype) -> None:
    problem = Poisson(source_term=source, conditions=(Dirichlet(lambda t, x: wave(x)),))
    r = GridField.for_problem(problem, 17, order=6, dtype=dtype)
    theta = solve(problem, r).last.theta
    for guess in (theta, theta * (1 + 1e-6)):
        again = solve(problem, r, guess=guess)
        assert again.infos[0].iterations <= 1
        assert float((again.last.theta - theta).abs().max()) < (1e-11 if dtype is torch.float64 else 1e-5)
