"""Explicit runs on finite elements beyond their stability limit are refused, those below it are not."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde.dynamics import make_dynamics
from neuralpde.geometry import Dirichlet, MeshDomain
from neuralpde.integrators import RK4, SDIRK4, Euler, Heun, ImplicitEuler, Midpoint, RungeKutta
from neuralpde.problems import Heat, Logistic, ReactionDiffusion
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import simulate
from neuralpde.types import UsageError

MESH = MeshDomain(unit_mesh("triangle", 8, distort=0.2))


def bump(x: Tensor) -> Tensor:
    return (math.pi * x).sin().prod(1, keepdim=True)


HEAT = Heat(diffusivity=0.1, domain=MESH, conditions=(Dirichlet(0.0),), profile=bump)
EXPLICIT = [(Euler(), 2.0), (Midpoint(), 2.0), (Heun(), 2.0), (RK4(), 2.785293563405282)]


@pytest.mark.parametrize(("method", "limit"), EXPLICIT, ids=repr)
def test_limits_of_the_methods(method: RungeKutta, limit: float) -> None:
    assert math.isclose(method.real_limit, limit, rel_tol=1e-9)
    assert math.isclose(method.amplification(0.01), math.exp(0.01), rel_tol=1e-4)


@pytest.mark.parametrize("method", [SDIRK4(), ImplicitEuler()])
def test_implicit_methods_have_none(method: RungeKutta) -> None:
    assert method.real_limit == math.inf
    assert math.isclose(method.amplification(-1e-3), math.exp(-1e-3), rel_tol=1e-5)
    r = FiniteElementField.for_problem(HEAT, degree=2)
    assert not simulate(HEAT, r, method, dt=0.01, t_end=0.05).notes


@pytest.mark.parametrize(("method", "limit"), EXPLICIT, ids=repr)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_both_sides_of_the_limit(method: RungeKutta, limit: float, dtype: torch.dtype) -> None:
    r = FiniteElementField.for_problem(HEAT, degree=2, dtype=dtype)
    dynamics = make_dynamics(HEAT, r)
    decay = dynamics.decay(r.project(HEAT.initial).theta, (0.0, 1.0))
    assert decay is not None
    assert decay.linear
    dt = limit / decay.rate
    run = simulate(HEAT, r, method, dt=0.97 * dt, t_end=97 * dt)
    exact = math.exp(-0.2 * math.pi**2 * 97 * dt)
    assert abs(float(run.probe([[0.5, 0.5]])[-1]) - exact) < 2e-3
    assert not run.notes
    with pytest.raises(UsageError, match=r"is beyond the stability limit 2.* use dt ≤ .* or an implicit method"):
        simulate(HEAT, r, method, dt=1.1 * dt, t_end=110 * dt)
    assert "errors may grow" in simulate(HEAT, r, method, dt=1.1 * dt, t_end=1.1 * dt).notes[-1]


def test_the_rate_is_the_largest_eigenvalue() -> None:
    r = FiniteElementField.for_problem(HEAT, degree=2)
    free = r.free_dofs
    k, m = ((0.1 * r.laplace())[free][:, free].toarray(), r.mass()[free][:, free].toarray())
    largest = max(torch.linalg.eigvals(torch.linalg.solve(torch.as_tensor(m), torch.as_tensor(k))).real).item()
    decay = make_dynamics(HEAT, r).decay(r.initial(), (0.0, 1.0))
    assert decay is not None
    assert 0.9 * largest < decay.rate <= largest * (1 + 1e-12)


def test_nonlinear_problems_get_a_note() -> None:
    fisher = ReactionDiffusion(
        reaction=Logistic(), diffusivity=0.1, domain=MESH, conditions=(Dirichlet(0.0),), profile=bump
    )
    r = FiniteElementField.for_problem(fisher, degree=1)
    run = simulate(fisher, r, Heun(), dt=0.02, t_end=0.04, growth_limit=None)
    assert any("errors may grow" in note for note in run.notes)
