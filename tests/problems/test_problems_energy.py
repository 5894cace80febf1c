"""Problems that state an energy, and linear elasticity: forms that agree, Hessians, exact solutions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
import torch
from tables import orders, random_jet
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde.benches.fem_speed import NeoHookean
from neuralpde.dynamics import FiniteElementDynamics, Newton
from neuralpde.fields import Jet
from neuralpde.geometry import Condition, Dirichlet, Flux, MeshDomain
from neuralpde.integrators import ImplicitMidpoint
from neuralpde.problems import Heat, LinearElasticity, Poisson, Problem, traction
from neuralpde.problems._energy import energy_flux, energy_source
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import simulate, solve
from neuralpde.types import UsageError


@dataclass(frozen=True)
class Membrane(Problem):
    """The surface of least area over the domain, drawn down by its weight."""

    domain: MeshDomain
    conditions: tuple[Condition, ...] = (Dirichlet(lambda t, x: 0.1 * x[:, :1] * x[:, 1:]),)
    time_order: ClassVar[int] = 0
    needs: ClassVar[frozenset[str]] = frozenset({"grad"})

    def energy(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return torch.sqrt(1 + u.grad.square().sum((1, 2))) + (1 + x[:, 0]) * u.value[:, 0] ** 2


@dataclass(frozen=True)
class HeatByEnergy(Problem):
    """u_t = 0.1 Δu as the steepest descent of 0.05 |∇u|²."""

    domain: MeshDomain
    conditions: tuple[Condition, ...] = (Dirichlet(0.0),)
    needs: ClassVar[frozenset[str]] = frozenset({"grad"})

    def energy(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return 0.05 * u.grad.square().sum((1, 2))

    def initial(self, x: Tensor) -> Tensor:
        return torch.sin(math.pi * x).prod(1, keepdim=True)


def rubber(dim: int) -> NeoHookean:
    return NeoHookean(MeshDomain(unit_mesh({2: "triangle", 3: "tetra"}[dim], 2, distort=0.2)))


PROBLEMS = {
    "membrane": lambda: Membrane(MeshDomain(unit_mesh("quad", 3, distort=0.2))),
    "rubber": lambda: rubber(2),
    "rubber 3D": lambda: rubber(3),
    "elasticity": lambda: LinearElasticity(
        young=lambda x: 2 + x[:, :1], domain=MeshDomain(unit_mesh("triangle", 3)), body_force=(1.0, -2.0)
    ),
}


def small(problem: Problem, n: int = 5) -> tuple[Tensor, Jet]:
    jet = random_jet(n, problem.channels, problem.domain.dim)
    return problem.domain.some_points(n), Jet(0.1 * jet.value, 0.1 * jet.grad)


@pytest.mark.parametrize("name", PROBLEMS)
def test_flux_and_source_are_the_slopes_of_the_energy(name: str) -> None:
    """By central differences; a problem that states flux, source and energy agrees with itself."""
    problem = PROBLEMS[name]()
    x, u = small(problem)
    flux, source = problem.flux(0.0, x, u), problem.source(0.0, x, u)
    torch.testing.assert_close(flux, energy_flux(problem, 0.0, x, u), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(source, energy_source(problem, 0.0, x, u), rtol=1e-13, atol=1e-13)
    h = 1e-5
    for a in range(problem.channels):
        step = torch.zeros_like(u.value)
        step[:, a] = h
        ends = [problem.energy(0.0, x, Jet(u.value + s * step, u.grad)) for s in (1, -1)]
        torch.testing.assert_close(source[:, a], -(ends[0] - ends[1]) / (2 * h), rtol=0, atol=1e-8)
        for i in range(problem.domain.dim):
            turn = torch.zeros_like(u.grad)
            turn[:, a, i] = h
            ends = [problem.energy(0.0, x, Jet(u.value, u.grad + s * turn)) for s in (1, -1)]
            torch.testing.assert_close(flux[:, a, i], -(ends[0] - ends[1]) / (2 * h), rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("degree", [1, 2])
def test_hessians_are_symmetric_and_those_of_differences(name: str, degree: int) -> None:
    problem = PROBLEMS[name]()
    field = FiniteElementField.for_problem(problem, degree)
    form = FiniteElementDynamics(problem, field).form
    generator = torch.Generator().manual_seed(0)
    theta, v = (0.02 * torch.rand(field.num_dofs, dtype=torch.float64, generator=generator) for _ in range(2))
    rest, jacobian = form.jacobian(0.0, field.values(theta, 0.0))
    assert abs(jacobian - jacobian.T).max() <= 1e-14 * abs(jacobian).max()
    torch.testing.assert_close(rest, form.residual(0.0, field.values(theta, 0.0)), rtol=1e-12, atol=1e-14)
    h = 1e-4
    ends = [form.residual(0.0, field.values(theta + s * h * v, 0.0))[field.free].reshape(-1) for s in (1, -1)]
    wanted, found = (ends[0] - ends[1]) / (2 * h), torch.from_numpy(jacobian @ v.numpy())
    assert float((found - wanted).norm() / wanted.norm()) <= 1e-7
    again = form.jacobian(0.0, field.values(theta, 0.0))[1]
    assert (again.data == jacobian.data).all()


def test_an_energy_alone_is_solved_and_marched() -> None:
    domain = MeshDomain(unit_mesh("triangle", 6))
    membrane = Membrane(domain)
    assert solve(membrane, FiniteElementField.for_problem(membrane, 2)).infos[0].iterations <= 8
    runs = []
    for problem in (HeatByEnergy(domain), Heat(domain=domain, conditions=(Dirichlet(0.0),), diffusivity=0.1)):
        field = FiniteElementField.for_problem(problem, 1)
        start = replace(problem, profile=HeatByEnergy(domain).initial) if isinstance(problem, Heat) else problem
        runs.append(simulate(start, field, ImplicitMidpoint(), dt=0.1, t_end=0.3).last.theta)
    torch.testing.assert_close(runs[0], runs[1], rtol=1e-9, atol=1e-12)


def test_densities_of_another_shape_are_refused() -> None:
    @dataclass(frozen=True)
    class Wide(Membrane):
        def energy(self, t: float, x: Tensor, u: Jet) -> Tensor:
            return u.value**2

    with pytest.raises(UsageError, match=r"Wide.energy must return a tensor of shape \(n,\)"):
        problem = Wide(MeshDomain(unit_mesh("triangle", 2)))
        solve(problem, FiniteElementField.for_problem(problem, 1))
    with pytest.raises(UsageError, match="Poisson states no energy"):
        Poisson().energy(0.0, torch.zeros(1, 2), Jet(torch.zeros(1, 1)))


def linear(x: Tensor) -> Tensor:
    matrix = x.new_tensor([[0.3, -0.2, 0.1], [0.4, 0.1, -0.3], [0.2, 0.2, 0.5]])[: x.shape[1], : x.shape[1]]
    return 0.1 + x @ matrix


FLAT, SOLID = ("triangle", "quad", "triangle6"), ("tetra", "hexahedron", "tetra10")


@pytest.mark.parametrize(
    ("kind", "plane"), [*((kind, "stress") for kind in FLAT), *((kind, "strain") for kind in (*FLAT, *SOLID))]
)
@pytest.mark.parametrize("degree", [1, 2])
def test_patches_of_elasticity(kind: str, degree: int, plane: str) -> None:
    domain = MeshDomain(unit_mesh(kind, 2, distort=0.25))
    exact = (Dirichlet(lambda t, x: linear(x)),)
    problem = LinearElasticity(young=3.0, plane=plane, solution=linear, domain=domain, conditions=exact)
    found = solve(problem, FiniteElementField.for_problem(problem, degree)).at(0.0)
    x = domain.lattice(200).points
    assert float((found(x) - linear(x)).abs().max()) <= 1e-12


@pytest.mark.parametrize("kind", ["triangle", "tetra"])
def test_tractions_pull_bars(kind: str) -> None:
    """A bar that is pulled along x stretches by p/E and thins by ν p/E (in plane stress, and in 3D)."""
    d = 2 if kind == "triangle" else 3
    young, ratio, pull = 2e11, 0.3, 1e8
    stretch = torch.tensor([pull / young, -ratio * pull / young, -ratio * pull / young], dtype=torch.float64)[:d]
    on = ("x-", "y-", "z-")[:d]
    held = Dirichlet(lambda t, x: x * stretch, on=on)
    problem = LinearElasticity(
        young=young,
        poisson_ratio=ratio,
        plane="stress" if d == 2 else "strain",
        domain=MeshDomain(unit_mesh(kind, 3, distort=0.2)),
        conditions=(held, traction((pull, *[0.0] * (d - 1)), on="x+"), Flux(0.0)),
    )
    found = solve(problem, FiniteElementField.for_problem(problem, 1)).at(0.0)
    x = problem.domain.lattice(100).points
    assert float((found(x) - x * stretch).abs().max()) <= 1e-12 * float(stretch[0])
    moving = traction(lambda t, x: t * x, on="x+")
    assert torch.equal(moving.at(2.0, x, d), -2 * x)


def test_orders_of_elasticity_with_multigrid() -> None:
    def bend(x: Tensor) -> Tensor:
        return torch.stack([torch.sin(x.sum(1)), x[:, 0] ** 2 * x[:, 1], torch.cos(x[:, 2])], dim=1)

    errors = []
    for n in (3, 6):
        domain, exact = MeshDomain(unit_mesh("tetra", n)), (Dirichlet(lambda t, x: bend(x)),)
        problem = LinearElasticity(solution=bend, domain=domain, conditions=exact)
        found = solve(problem, FiniteElementField.for_problem(problem, 2), newton=Newton(linear="cg")).at(0.0)
        q = domain.lattice(4000)
        errors.append(math.sqrt(float(q.weights @ (found(q.points) - bend(q.points)).square().sum(1))))
    assert orders(errors)[0] >= 2.75


@pytest.mark.parametrize("d", [2, 3])
def test_rigid_motions_have_no_stress(d: int) -> None:
    domain = MeshDomain(unit_mesh({2: "triangle", 3: "tetra"}[d], 2))
    problem = LinearElasticity(domain=domain, conditions=(Flux(0.0),))
    field = FiniteElementField.for_problem(problem, 2)
    _, jacobian = FiniteElementDynamics(problem, field).form.jacobian(0.0, field.values(field.initial(), 0.0))
    modes = problem.near_nullspace(field.nodes).flatten(0, 1)
    assert modes.shape[1] == d * (d + 1) // 2 == int(torch.linalg.matrix_rank(modes))
    assert abs(jacobian @ modes.numpy()).max() <= 1e-12


def test_constants_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="Young's modulus must be positive and finite"):
        LinearElasticity(young=-1.0)
    with pytest.raises(UsageError, match=r"Poisson's ratio must lie between −1 and 0.5, .*; got 0.5"):
        LinearElasticity(poisson_ratio=0.5)
    with pytest.raises(UsageError, match="plane is 'strain' or 'stress'; got 'flat'"):
        LinearElasticity(plane="flat")
    with pytest.raises(UsageError, match="body_force in 2D has 2 components"):
        LinearElasticity(body_force=(0.0, 0.0, -9.81))
