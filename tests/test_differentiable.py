"""Gradients of solutions against differences of solutions, by everything that a problem is made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde import differentiable
from neuralpde import simulate as march
from neuralpde import solve as plain_solve
from neuralpde.dynamics import Newton
from neuralpde.geometry import Dirichlet, Flux, Mesh, MeshDomain
from neuralpde.implicit import root
from neuralpde.integrators import BDF2, RK4, SDIRK4, ImplicitEuler, ImplicitMidpoint, Integrator, Newmark
from neuralpde.problems import (
    ARAP,
    AdvectionDiffusion,
    ByPart,
    Elasticity,
    Heat,
    Linear,
    LinearElasticity,
    MooneyRivlin,
    NeoHookean,
    Poisson,
    Rayleigh,
    SaintVenantKirchhoff,
    traction,
)
from neuralpde.representations import FiniteElementField, NeuralField
from neuralpde.types import NonFiniteError, UsageError

TIGHT = Newton(rtol=1e-13)
AGREE = 1e-6
"""Relative difference of an adjoint's gradient from that of central differences."""


def number(*values: float) -> Tensor:
    return torch.tensor(values if len(values) > 1 else values[0], dtype=torch.float64)


def check(scalar: Callable[..., Tensor], *leaves: Tensor, h: float = 1e-5) -> None:
    """Gradients of a scalar by all of its arguments, along a fixed direction each, against differences."""
    traced = [leaf.clone().requires_grad_() for leaf in leaves]
    scalar(*traced).backward()
    generator = torch.Generator().manual_seed(0)
    for i, leaf in enumerate(leaves):
        way = 0.5 + torch.rand(leaf.shape, dtype=leaf.dtype, generator=generator)
        ends = [scalar(*[v + s * h * way if k == i else v for k, v in enumerate(leaves)]).item() for s in (1, -1)]
        wanted = (ends[0] - ends[1]) / (2 * h)
        grad = traced[i].grad
        assert grad is not None
        assert abs(float((grad * way).sum()) - wanted) <= AGREE * abs(wanted), i


def square(n: int = 2) -> MeshDomain:
    return MeshDomain(unit_mesh("triangle", n, 0.1))


def body(
    material: object, domain: MeshDomain, load: Tensor, force: Tensor, held: Tensor, **options: object
) -> Elasticity:
    conditions = (
        Dirichlet(lambda t, x: held * (1 + t) * x[:, 1:2].expand(-1, domain.dim), on="x-"),
        traction(lambda t, x: load * (1 + t + x[:, :1]), on="x+"),
        Flux(0.0),
    )
    weight = lambda x: force * x[:, :1]  # noqa: E731
    return Elasticity(material, domain=domain, conditions=conditions, body_force=weight, **options)  # type: ignore[arg-type]


def looked_at(u: differentiable.DifferentiableField, problem: Elasticity) -> Tensor:
    """A value in a point, an energy, an integral over an edge and a node's value in one number."""
    energy = u.integral(lambda x, jet: problem.material.energy(x, jet.grad))
    edge = u.integral(lambda x, jet: jet.value[:, 0], on="y+")
    place = number(0.41, 0.33, 0.17)[None, : problem.domain.dim]  # inside an element: on edges ∇u jumps
    return u(place).sum() + 2 * energy + edge + u.values[3].square().sum()


START = (number(1.0), number(0.3), number(0.1, -0.2), number(0.05, 0.1), number(0.02, -0.03))


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("material", [Linear, SaintVenantKirchhoff, NeoHookean])
def test_statics_by_material_loads_supports_and_shape(material: type, degree: int) -> None:
    domain = square()

    def scalar(young: Tensor, ratio: Tensor, load: Tensor, force: Tensor, held: Tensor, points: Tensor) -> Tensor:
        problem = body(material(young, ratio), domain, load, force, held)
        r = FiniteElementField.for_problem(problem, degree)
        return looked_at(differentiable.solve(problem, r, points=points, newton=TIGHT), problem)

    check(scalar, *START, torch.from_numpy(domain.mesh.points.copy()))


@pytest.mark.parametrize(
    "made",
    [lambda a, b: MooneyRivlin(a, b, 4.0), lambda a, b: ARAP(a, 3 * b), lambda a, b: NeoHookean(a, b, form="stable")],
)
def test_statics_of_every_material(made: Callable[[Tensor, Tensor], object]) -> None:
    domain = square()

    def scalar(first: Tensor, second: Tensor) -> Tensor:
        problem = body(made(first, second), domain, *START[2:])
        return looked_at(
            differentiable.solve(problem, FiniteElementField.for_problem(problem, 2), newton=TIGHT), problem
        )

    check(scalar, *START[:2])


def test_solids_in_space_on_curved_elements() -> None:
    domain = MeshDomain(unit_mesh("tetra10", 1))
    start = number(0.02, -0.03, 0.04)

    def scalar(young: Tensor, load: Tensor, points: Tensor) -> Tensor:
        problem = body(NeoHookean(young, 0.3), domain, load, start, 0.5 * start)
        r = FiniteElementField.for_problem(problem, 2)
        return looked_at(differentiable.solve(problem, r, points=points, newton=TIGHT), problem)

    check(scalar, START[0], start, torch.from_numpy(domain.mesh.points.copy()))


def parted() -> MeshDomain:
    mesh = unit_mesh("triangle", 2)
    left = mesh.points[mesh.cells].mean(1)[:, 0] < 0.5
    parts = {"steel": np.flatnonzero(left), "wood": np.flatnonzero(~left)}
    return MeshDomain(Mesh(mesh.points, mesh.cells, mesh.kind, parts, mesh.tags))


def test_numbers_by_part() -> None:
    domain = parted()

    def scalar(young: Tensor) -> Tensor:
        problem = LinearElasticity(
            young=ByPart({"steel": young[0], "wood": young[1]}),
            domain=domain,
            conditions=(Dirichlet(0.0, "x-"), traction((0.1, 0.2), "x+"), Flux(0.0)),
        )
        return differentiable.solve(problem, FiniteElementField.for_problem(problem, 1)).values.square().sum()

    check(scalar, number(2.0, 0.7))


def test_equations_that_are_not_elastic() -> None:
    domain = square()

    def poisson(kappa: Tensor, source: Tensor, points: Tensor) -> Tensor:
        problem = Poisson(
            source_term=lambda x: source * x[:, :1], diffusivity=lambda x: kappa + x[:, :1], domain=domain
        )
        u = differentiable.solve(problem, FiniteElementField.for_problem(problem, 2), points=points)
        return u.integral(lambda x, jet: jet.value[:, 0].square())

    check(poisson, number(0.5), number(2.0), torch.from_numpy(domain.mesh.points.copy()))

    def carried(speed: Tensor) -> Tensor:  # a matrix that is not symmetric
        problem = AdvectionDiffusion(
            velocity=lambda x: torch.stack([speed * x[:, 1], 0 * x[:, 0] + 1.0], 1),
            diffusivity=0.3, source_term=1.0, domain=domain, conditions=(Dirichlet(0.0),), steady=True,
        )  # fmt: skip
        return differentiable.solve(problem, FiniteElementField.for_problem(problem, 2)).values.sum()

    check(carried, number(2.0))


def moving(young: Tensor, rho: Tensor, load: Tensor, held: Tensor, domain: MeshDomain) -> Elasticity:
    return body(
        NeoHookean(young, 0.3), domain, load, 0 * load, held,
        density=lambda x: rho * (1 + x[:, :1]), steady=False, damping=Rayleigh(mass=0.2),
    )  # fmt: skip


@pytest.mark.parametrize(
    "integrator", [ImplicitEuler(), ImplicitMidpoint(), SDIRK4(), RK4(), BDF2(), Newmark()], ids=repr
)
def test_motion_by_material_density_loads_supports_start_and_shape(integrator: Integrator) -> None:
    domain = square()

    def scalar(young: Tensor, rho: Tensor, load: Tensor, held: Tensor, start: Tensor, points: Tensor) -> Tensor:
        problem = moving(young, rho, load, held, domain)
        r = FiniteElementField.for_problem(problem, 1)
        u = differentiable.simulate(problem, r, integrator, dt=0.1, t_end=0.3, points=points, start=start, newton=TIGHT)
        assert u[-1].velocity is not None
        return looked_at(u[-1], problem) + u[1].values.square().sum() + u[-1].velocity.square().sum()

    count = FiniteElementField.for_problem(moving(*START[:4], domain), 1).num_dofs  # type: ignore[arg-type]
    start = 0.1 * torch.rand(count, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    check(scalar, START[0], number(0.8), START[2], START[4], start, torch.from_numpy(domain.mesh.points.copy()))


def test_motion_by_gravity_and_a_start_of_numbers() -> None:
    domain = square()

    def scalar(gravity: Tensor, start: Tensor, velocity: Tensor) -> Tensor:
        held = (Dirichlet(0.0, "x-"), Flux(0.0))
        problem = Elasticity(
            NeoHookean(2.0, 0.3), domain=domain, conditions=held, density=0.8, steady=False,
            gravity=gravity, start=start, start_velocity=velocity,
        )  # fmt: skip
        r = FiniteElementField.for_problem(problem, 1)
        u = differentiable.simulate(problem, r, ImplicitEuler(), dt=0.1, t_end=0.2, newton=TIGHT)
        return looked_at(u[-1], problem)

    check(scalar, number(0.1, -0.3), number(0.05, 0.02), number(0.1, -0.2))


def test_motion_is_that_of_simulate() -> None:
    problem = moving(*(v.clone() for v in (START[0], number(0.8), START[2], START[4])), square())  # type: ignore[misc]
    r = FiniteElementField.for_problem(problem, 1)
    found = differentiable.simulate(problem, r, BDF2(), dt=0.1, t_end=0.3)
    run = march(problem, r, BDF2(), dt=0.1, t_end=0.3)
    assert len(found) == len(run.times) == 4
    u, _ = r.split(run.last.theta).values()
    torch.testing.assert_close(found[-1].theta, u, rtol=1e-9, atol=1e-12)


def test_heat_in_time() -> None:
    domain = square()

    def scalar(kappa: Tensor, points: Tensor) -> Tensor:
        problem = Heat(
            diffusivity=lambda x: kappa * (1 + x[:, :1]), source_term=1.0, profile=lambda x: 0 * x[:, :1],
            domain=domain, conditions=(Dirichlet(lambda t, x: t * x[:, :1], "x-"), Flux(0.0)),
        )  # fmt: skip
        r = FiniteElementField.for_problem(problem, 2)
        return differentiable.simulate(problem, r, SDIRK4(), dt=0.1, t_end=0.2, points=points)[-1].values.square().sum()

    check(scalar, number(0.5), torch.from_numpy(domain.mesh.points.copy()))


def test_gradcheck_by_every_entry() -> None:
    domain = MeshDomain(unit_mesh("triangle", 1))

    def values(young: Tensor, load: Tensor, points: Tensor) -> Tensor:
        problem = body(NeoHookean(young, 0.3), domain, load, 0 * load, 0 * load)
        return differentiable.solve(
            problem, FiniteElementField.for_problem(problem, 1), points=points, newton=TIGHT
        ).values

    points = torch.from_numpy(domain.mesh.points.copy())
    leaves = [leaf.clone().requires_grad_() for leaf in (START[0], START[2], points)]
    assert torch.autograd.gradcheck(values, leaves, eps=1e-5, atol=1e-8, rtol=1e-6)


def test_one_factorisation_serves_all_backward_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    from neuralpde.dynamics._finite_element_systems import FiniteElementSystems

    young = number(1.0).requires_grad_()
    problem = body(NeoHookean(young, 0.3), square(), *START[2:])
    u = differentiable.solve(problem, FiniteElementField.for_problem(problem, 2), newton=TIGHT)
    counted, whole = list[int](), FiniteElementSystems.factors

    def factors(self: FiniteElementSystems, *args: object, **options: object) -> object:
        counted.append(1)
        return whole(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(FiniteElementSystems, "factors", factors)
    for node in range(3):
        torch.autograd.grad(u.values[node].sum() + u.values[-1].sum(), young, retain_graph=True)
    assert len(counted) == 1


def test_the_solution_is_that_of_solve_and_looks_the_same() -> None:
    problem = body(NeoHookean(1.0, 0.3), square(), *START[2:])
    r = FiniteElementField.for_problem(problem, 2)
    found, run = differentiable.solve(problem, r), plain_solve(problem, r)
    assert torch.equal(found.theta, run.last.theta)
    x = torch.rand(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(found(x), run.at(0.0)(x))
    assert not found.theta.requires_grad


def test_what_has_no_gradient_is_refused() -> None:
    domain = square()
    free = (Dirichlet(0.0, "x-"), Flux(0.0))
    still = Elasticity(NeoHookean(1.0, 0.3), domain=domain, conditions=free, density=1.0, gravity=(0.0, -1.0))
    r = FiniteElementField.for_problem(still, 1)
    with pytest.raises(UsageError, match=r"differentiable\.solve"):
        differentiable.simulate(still, r, ImplicitEuler(), dt=0.1, t_end=0.1)
    swung = replace(still, steady=False, damping=Rayleigh(stiffness=0.1))
    both = FiniteElementField.for_problem(swung, 1)
    with pytest.raises(UsageError, match=r"differentiable\.simulate"):
        differentiable.solve(swung, both)
    with pytest.raises(UsageError, match="stiffness"):
        differentiable.simulate(swung, both, ImplicitEuler(), dt=0.1, t_end=0.1)
    with pytest.raises(UsageError, match="points of shape"):
        differentiable.solve(still, r, points=torch.zeros(3, 2, dtype=torch.float64))
    field = NeuralField.for_problem(still, hidden=(4,))
    with pytest.raises(UsageError, match="FiniteElementField"):
        differentiable.solve(still, field)  # type: ignore[arg-type]


def test_roots_refuse_another_number_of_equations() -> None:
    p = number(2.0).requires_grad_()
    with pytest.raises(UsageError, match="as many equations"):
        root(torch.ones(2, dtype=torch.float64), lambda x: p * x[:1], lambda v: v)
    x = number(2.0)
    assert root(x, lambda x: x - 2, lambda v: v) is not None
    assert not root(x, lambda x: x - 2, lambda v: v).requires_grad


def test_moved_elements_keep_their_options() -> None:
    """Elements of mean dilatation are refused with other points too, and not replaced by plain ones."""
    domain = square()
    still = Elasticity(NeoHookean(1.0, 0.3), domain=domain, conditions=(Dirichlet(0.0, "x-"), Flux(0.0)))
    r = FiniteElementField.for_problem(still, 2, dilatation="mean")
    for points in (None, torch.from_numpy(domain.mesh.points.copy())):
        with pytest.raises(UsageError, match="dilatation"):
            differentiable.solve(still, r, points=points)


def test_steps_that_are_too_long_are_told() -> None:
    fast = moving(number(2e4), number(1.0), number(1.0, 0.0), number(0.1, 0.0), square())
    r = FiniteElementField.for_problem(fast, 1)
    with pytest.raises(NonFiniteError, match="an explicit step may be unstable"):
        differentiable.simulate(fast, r, RK4(), dt=0.1, t_end=1.0)
    hooke = LinearElasticity(young=2e4, density=1.0, domain=square(), steady=False, start_velocity=(1.0, 0.0))
    with pytest.raises(UsageError, match="beyond the stability limit"):
        differentiable.simulate(hooke, FiniteElementField.for_problem(hooke, 1), RK4(), dt=0.1, t_end=1.0)
