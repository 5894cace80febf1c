"""Neural fields in the weak form: residuals, their norm, jumps of coefficients, natural conditions, marches."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from neuralpde import (
    SDIRK4,
    Dirichlet,
    FiniteElementField,
    Flux,
    Heat,
    ImplicitMidpoint,
    LieSplitting,
    MeshDomain,
    NeuralField,
    Poisson,
    Robin,
    simulate,
    solve,
)
from neuralpde.dynamics import WeakNeuralDynamics, make_dynamics, methods_for
from neuralpde.dynamics._dual_norm import DualNorm
from neuralpde.fields import autodiff_jet
from neuralpde.geometry import Mesh
from neuralpde.optimize import Adam, GaussNewton
from neuralpde.problems import AllenCahn, ByPart, ReactionDiffusion, Schnakenberg
from neuralpde.types import UsageError
from tests.unit_meshes import unit_mesh

GRAD = frozenset({"grad"})
SQUARE = MeshDomain(unit_mesh("triangle", 8, 0.2))


def halves(n: int = 8) -> MeshDomain:
    """The unit square, its left half called left and its right half right."""
    mesh = unit_mesh("triangle", n)
    left = mesh.points[mesh.cells].mean(1)[:, 0] < 0.5
    parts = {"left": np.flatnonzero(left), "right": np.flatnonzero(~left)}
    return MeshDomain(Mesh(mesh.points, mesh.cells, mesh.kind, parts, mesh.tags))


def wave(x: Tensor) -> Tensor:
    return torch.sin(2 * x[:, :1]) * torch.exp(x[:, 1:2])


def test_the_dual_norm_of_what_a_field_exerts_is_its_energy() -> None:
    fe = FiniteElementField(SQUARE, (Dirichlet(0.0),), degree=2)
    gram = fe.laplace()[fe.free_dofs][:, fe.free_dofs]
    u = np.random.default_rng(0).normal(size=(gram.shape[0], 3))
    found = DualNorm(gram).whiten(gram @ u).norm(dim=0).numpy()
    np.testing.assert_allclose(found, np.sqrt((u * (gram @ u)).sum(0)), rtol=1e-10)


def test_a_matrix_that_is_not_positive_definite_has_no_norm() -> None:
    fe = FiniteElementField(SQUARE, (), degree=1)
    with pytest.raises(UsageError, match="positive definite"):
        DualNorm((fe.laplace() - fe.mass()).tocsr())


PROBLEMS = {
    "held, flux and exchange": Poisson(
        source_term=1.0,
        domain=SQUARE,
        conditions=(Dirichlet(lambda t, x: x[:, :1], "x-"), Robin(2.0, 1.0, "x+"), Flux(0.3)),
    ),
    "nonlinear": ReactionDiffusion(AllenCahn(), domain=SQUARE, conditions=(Dirichlet(0.5, "x-"), Flux(0.0))),
    "two species": ReactionDiffusion(
        Schnakenberg(), diffusivity=(1.0, 0.1), domain=SQUARE, conditions=(Robin(1.0, (0.5, 1.0)),)
    ),
}


@pytest.mark.parametrize("part", [None, "first"])
@pytest.mark.parametrize("name", PROBLEMS)
def test_derivatives_of_the_residual_are_those_of_differences(name: str, part: str | None) -> None:
    problem = PROBLEMS[name]
    field = NeuralField.for_problem(problem, hidden=(5, 4), steepness=4.0)
    tests = WeakNeuralDynamics(problem, field).tests
    chosen = part and problem.terms()[0].name
    theta, h = field.initial(), 1e-6
    way = torch.randn(field.num_dofs, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ends = [tests.functional(field.at(theta + s * h * way, 0.3), 0.3, 1.0, 0.7, chosen) for s in (1, -1)]
    along = tests.derivatives(theta, 0.3, 1.0, 0.7, chosen) @ way.numpy()
    np.testing.assert_allclose(along, (ends[0] - ends[1]).reshape(-1) / (2 * h), rtol=1e-6, atol=1e-8)


def test_functionals_are_those_of_finite_elements() -> None:
    """A field that the elements hold exactly exerts on the test functions what it exerts as finite elements."""
    problem = PROBLEMS["held, flux and exchange"]
    dynamics = WeakNeuralDynamics(problem, NeuralField.for_problem(problem, hidden=(4,)), degree=2)
    space = dynamics.tests.space
    theta = space.project(lambda x: x[:, :1] * (1 + x[:, 1:])).theta
    found = dynamics.tests.functional(space.at(theta), 0.0, 0.0, -1.0)
    wanted = dynamics.tests.form.residual(0.0, space.values(theta, 0.0))[space.free].numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-13)


def test_the_residual_is_the_error_in_the_energy_norm() -> None:
    poisson = Poisson(solution=wave, domain=SQUARE, conditions=(Dirichlet(lambda t, x: wave(x)),))
    field = NeuralField.for_problem(poisson, hidden=(8, 7), steepness=5.0)
    fit = GaussNewton(maxiter=40, damping=1e-3, accept=0.05)
    run = solve(poisson, field, method="weak", fit=fit)
    assert run.error()["rel_l2"] < 1e-4
    lattice = SQUARE.lattice(20_000)
    x = lattice.points
    slopes = [f.grad[:, 0] for f in (run.at(0.0).jet(x, GRAD), autodiff_jet(wave, x, GRAD))]
    energy = float((lattice.weights[:, None] * (slopes[0] - slopes[1]).square()).sum().sqrt())
    assert 0.2 * energy < run.infos[-1].residual <= 1.001 * energy  # of the error's projection on the test functions


def test_flux_is_continuous_where_a_coefficient_jumps() -> None:
    """−(κu')' = 0 with u = 0 and 1 on the sides: κ u' is 2 κ₁κ₂/(κ₁ + κ₂) everywhere."""
    domain, (a, b) = halves(10), (1.0, 4.0)
    plate = Poisson(
        diffusivity=ByPart({"left": a, "right": b}),
        source_term=0.0,
        domain=domain,
        conditions=(Dirichlet(0.0, "x-"), Dirichlet(1.0, "x+"), Flux(0.0)),
    )
    field = NeuralField.for_problem(plate, hidden=(12, 8), steepness=20.0)
    assert methods_for(plate, field) == ["weak"]
    run = solve(plate, field, fit=GaussNewton(maxiter=60, damping=1e-3, accept=0.2))
    flux = 2 * a * b / (a + b)
    x = torch.tensor([[0.25, 0.3], [0.5, 0.7], [0.75, 0.5]], dtype=torch.float64)
    wanted = torch.tensor([0.25 * flux / a, 0.5 * flux / a, 1 - 0.25 * flux / b])
    torch.testing.assert_close(run.at(0.0)(x)[:, 0], wanted.double(), atol=0.02, rtol=0)
    with pytest.raises(UsageError, match="jumps: a NeuralField takes method='weak' alone"):
        solve(plate, field, method="function_space")


def test_exchange_alone_holds_a_field() -> None:
    poisson = Poisson(source_term=lambda x: 5 * x[:, :1], domain=SQUARE, conditions=(Robin(1.0, 0.5),))
    field = NeuralField.for_problem(poisson, hidden=(7, 6), steepness=4.0)
    run = solve(poisson, field, method="weak", fit=GaussNewton(maxiter=40, damping=1e-3, accept=0.05))
    elements = solve(poisson, FiniteElementField.for_problem(poisson))
    x = SQUARE.some_points(40)
    torch.testing.assert_close(run.at(0.0)(x), elements.at(0.0)(x), atol=2e-3, rtol=0)


@pytest.mark.parametrize("integrator", [ImplicitMidpoint(), SDIRK4()])
def test_marches_follow_the_exact_solution(integrator: object) -> None:
    """u = exp(−2π²κt) cos πx cos πy with no flux, and the same held on two sides in time."""
    kappa = 0.1

    def exact(t: float, x: Tensor) -> Tensor:
        return math.exp(-2 * kappa * math.pi**2 * t) * torch.cos(math.pi * x).prod(-1, keepdim=True)

    for conditions in ((Flux(0.0),), (Dirichlet(exact, ("x-", "x+")), Flux(0.0))):
        heat = Heat(
            diffusivity=kappa, profile=lambda x: exact(0.0, x), source_term=0.0, domain=SQUARE, conditions=conditions
        )
        field = NeuralField.for_problem(heat, hidden=(8, 8), steepness=4.0)
        run = simulate(heat, field, integrator, dt=0.05, t_end=0.1, method="weak")
        x = SQUARE.some_points(50)
        error = (run.at(0.1)(x) - exact(0.1, x)).norm() / exact(0.1, x).norm()
        assert float(error) < 4e-3


def test_terms_are_split() -> None:
    problem = ReactionDiffusion(
        AllenCahn(),
        diffusivity=0.05,
        profile=lambda x: torch.cos(math.pi * x).prod(-1, keepdim=True),
        domain=SQUARE,
        conditions=(Flux(0.0),),
    )
    field = NeuralField.for_problem(problem, hidden=(8, 8), steepness=4.0)
    run = simulate(problem, field, LieSplitting(), dt=0.02, t_end=0.04, method="weak")
    same = simulate(problem, FiniteElementField.for_problem(problem), LieSplitting(), dt=0.02, t_end=0.04)
    x = SQUARE.some_points(50)
    torch.testing.assert_close(run.at(0.04)(x), same.at(0.04)(x), atol=2e-3, rtol=0)


HEAT = Heat(domain=SQUARE, conditions=(Flux(0.0),))
REFUSED = [
    (lambda: WeakNeuralDynamics(HEAT, NeuralField.for_problem(HEAT, hidden=(40, 40))), "cannot determine 1881 weights"),
    (lambda: WeakNeuralDynamics(HEAT, NeuralField.for_problem(HEAT), fit=Adam()), "fitted by GaussNewton; got Adam"),
    (
        lambda: make_dynamics(Poisson(), NeuralField.for_problem(Poisson()), "weak"),
        "method='weak' needs a mesh and the flux of Poisson; use 'function_space' or 'galerkin'",
    ),
    (
        lambda: solve(
            Poisson(source_term=1.0, domain=SQUARE, conditions=(Flux(0.25),)),
            NeuralField(SQUARE, (Flux(0.25),), hidden=(4,)),
            method="weak",
        ),
        "only up to a constant",
    ),
]


@pytest.mark.parametrize(("call", "sentence"), REFUSED, ids=[s[:30] for _, s in REFUSED])
def test_misuse_is_refused(call, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        call()
