"""Heat with a diffusivity that varies: u_t = ∇·(κ∇u) + s, on every representation."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from tables import SQUARE, UNIT, orders, points_in, random_jet

from neuralpde.dynamics import DiscreteDynamics, FunctionSpaceDynamics
from neuralpde.fields import Jet, autodiff_jet
from neuralpde.geometry import Box, Dirichlet, Periodic
from neuralpde.integrators import RK4, ImplicitMidpoint, State
from neuralpde.problems import Heat, Problem, check_problem, exact_fits
from neuralpde.representations import GridField, NeuralField
from neuralpde.simulate import simulate
from neuralpde.types import UsageError

# (1 − x²) φ'' − 2x φ' = −12 φ: Legendre's polynomial of degree 3 decays as it is, in the medium κ = 1 − x²
MEDIUM = Box((-0.5,), (0.8,))


def legendre(x):
    return 0.5 * (5 * x**3 - 3 * x)


def decay(t, x):
    return math.exp(-12 * t) * legendre(x)


@dataclass(frozen=True)
class Legendre(Heat):
    def exact(self, t, x):
        return decay(t, x)


def _legendre(kappa=lambda x: 1 - x**2) -> Legendre:
    return Legendre(kappa, profile=legendre, domain=MEDIUM, conditions=(Dirichlet(decay),))


@dataclass(frozen=True)
class Manufactured(Heat):
    """A steady u in 2D, held by s = −∇·(κ∇u)."""

    def exact(self, t, x):
        return self.profile(x)


def wave(x):
    return torch.sin(2 * math.pi * x[:, :1]) * torch.cos(2 * math.pi * x[:, 1:])


def kappa(x):
    return 0.2 + 0.05 * torch.sin(2 * math.pi * x[:, 0]) * torch.sin(2 * math.pi * x[:, 1])


def held(x):
    jet = autodiff_jet(wave, x, frozenset({"grad", "laplacian"}))
    slope = autodiff_jet(lambda p: kappa(p)[:, None], x, frozenset({"grad"})).grad
    return -kappa(x)[:, None] * jet.laplacian - (slope * jet.grad).sum(-1)


def _manufactured() -> Manufactured:
    return Manufactured(kappa, held, wave, SQUARE, (Periodic(),))


@pytest.mark.parametrize("make", [_legendre, _manufactured])
def test_the_exact_solution_has_no_residual_and_the_forms_agree(make) -> None:
    problem = make()
    check_problem(problem)
    assert exact_fits(problem, [0.0, 0.1]) == (True, "")
    d = problem.domain.dim
    x, jet = points_in(problem.domain), random_jet(7, 1, d)
    torch.testing.assert_close(Problem.rhs(problem, 0.0, x, jet), problem.rhs(0.0, x, jet), rtol=1e-13, atol=1e-13)
    assert problem.needs == {"grad", "laplacian"} and replace(problem, diffusivity=1.0).needs == {"laplacian"}


@pytest.mark.parametrize("order", [2, 6])
def test_implicit_steps_on_a_grid_reach_their_order(order: int) -> None:
    problem, errors = _legendre(), []
    levels = (12, 24, 48) if order == 2 else (12, 24)
    for n in levels:
        r = GridField.for_problem(problem, n, order=order)
        run = simulate(problem, r, ImplicitMidpoint(), dt=1e-3 if order == 2 else 2.5e-4, t_end=0.05)
        errors.append(run.error([0.05])["rel_l2"])
    # a cubic is differentiated exactly by order 6: only the steps in time err
    assert orders(errors)[-1] > 1.9 if order == 2 else max(errors) < 2e-6, errors


def test_the_jacobian_of_a_grid_is_exact() -> None:
    problem = _manufactured()
    r = GridField.for_problem(problem, (9, 8))
    stage = DiscreteDynamics(problem, r).implicit(State(0.0, torch.rand(72, dtype=torch.float64)), (), 0.05, 0.05)
    assert stage.status.ok and stage.iterations == 1


def test_a_neural_field_steps_in_a_graded_medium() -> None:
    problem = _legendre()
    r = NeuralField.for_problem(problem, hidden=(8,), steepness=3.0)
    run = simulate(problem, r, ImplicitMidpoint(), dt=0.005, t_end=0.01)
    assert run.error([0.01])["rel_l2"] <= 1e-3
    again = simulate(problem, r, RK4(), dt=0.005, t_end=0.01, method="function_space")
    assert again.error([0.01])["rel_l2"] <= 1e-3
    base = State(0.0, r.initial())
    assert math.isfinite(FunctionSpaceDynamics(problem, r).implicit(base, (), 0.01, 0.01).residual)


class Graded:
    """κ = e^x through NumPy, with its own gradient."""

    def __call__(self, x):
        return torch.as_tensor(np.exp(x.numpy()))

    def grad(self, x):
        return self(x)


def test_a_diffusivity_may_bring_its_own_gradient() -> None:
    x, jet = points_in(UNIT), random_jet(7, 1, 1)
    heat = Heat(Graded())
    torch.testing.assert_close(heat.rhs(0.0, x, jet), torch.exp(x) * (jet.laplacian + jet.grad[..., 0]))


class Crooked(Graded):
    def grad(self, x):
        return self(x)[:, 0]


@pytest.mark.parametrize(
    ("diffusivity", "domain", "sentence"),
    [
        (lambda x: x - 0.5, UNIT, r"positive all over the domain; it is -0.5 at x = \(0\)"),
        (lambda x: x, UNIT, r"positive all over the domain; it is 0 at x = \(0\)"),
        (lambda x: x / 0, UNIT, "positive all over the domain; it is nan"),
        (lambda x: 1 + x, SQUARE, r"function of points \(n, 2\) must return \(n, 1\) or \(n,\).* gave \(1024, 2\)"),
        (lambda x: 0.1, UNIT, "must return .* gave float"),
        (lambda x: torch.as_tensor(np.exp(x.numpy())), UNIT, "write it with torch functions, or give it a method grad"),
        (Crooked(), UNIT, r"grad method of a coefficient must return \(n, d\); for points \(1, 1\) it gave \(1,\)"),
    ],
)
def test_a_diffusivity_that_cannot_be_is_refused(diffusivity, domain: Box, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Heat(diffusivity, domain=domain)


def test_a_jet_without_the_gradient_says_so() -> None:
    with pytest.raises(UsageError, match="no 'grad'"):
        _legendre().rhs(0.0, torch.zeros(2, 1), Jet(torch.zeros(2, 1), laplacian=torch.zeros(2, 1)))
