"""Elastic bodies on neural fields: energies, their slopes and metrics, and the states that minimise them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from neuralpde.dynamics import make_dynamics, methods_for
from neuralpde.dynamics._field_energy import FieldEnergy
from neuralpde.dynamics._field_moment import Moment
from neuralpde.dynamics._field_watch import Watch
from neuralpde.dynamics._neural_potential import NeuralPotential
from neuralpde.dynamics._stage_energy import StageEnergy
from neuralpde.fields import Jet
from neuralpde.geometry import Box, Dirichlet, Flux, HalfSpace, MeshDomain, PointLoad, Pressure, Quadrature, Robin
from neuralpde.integrators import BDF2, ImplicitEuler, Newmark
from neuralpde.optimize import Energy, NaturalGradient
from neuralpde.problems import BodyContact, Contact, Elasticity, LinearElasticity, NeoHookean, Rayleigh, traction
from neuralpde.representations import FiniteElementField, NeuralField
from neuralpde.simulate import simulate, solve
from neuralpde.types import UsageError
from tests.unit_meshes import unit_mesh

SQUARE = MeshDomain(unit_mesh("triangle", 4))
LOADED = (Dirichlet(0.0, on="x-"), traction((0.0, -0.05), on="x+"), Flux(0.0, on=("y-", "y+")))
END = torch.tensor([[1.0, 0.5]], dtype=torch.float64)


def block(conditions: tuple[object, ...] = LOADED, **options: object) -> Elasticity:
    """A square of rubber."""
    return Elasticity(NeoHookean(1.0, 0.3), domain=SQUARE, conditions=conditions, **options)  # type: ignore[arg-type]


def field(problem: Elasticity | LinearElasticity, **options: object) -> NeuralField:
    """A small neural field of a problem."""
    return NeuralField.for_problem(problem, hidden=(6, 6), steepness=2.0, corners=False, **options)


def somewhere(r: NeuralField) -> Tensor:
    """Weights of a slightly deformed body."""
    theta = r.initial()
    return theta.index_fill(0, r.outer, 0.0) + 0.02 * torch.sin(torch.arange(len(theta), dtype=theta.dtype))


@pytest.mark.parametrize(
    "conditions",
    [
        LOADED,
        (Dirichlet((0.0, 0.1), on="x-"), Pressure(0.2, on="x+"), Flux(0.0, on=("y-", "y+"))),
        (Dirichlet(0.0, on="x-"), Robin(2.0, 0.1, on="x+"), Flux(0.0, on=("y-", "y+"))),
    ],
)
def test_the_gradient_is_the_slope_of_the_energy_under_a_part_of_the_loads(conditions: tuple[object, ...]) -> None:
    problem = block(conditions, body_force=(0.1, -0.2), contact=(Contact(HalfSpace((0.0, -0.1), (0.0, 1.0))),))
    r = field(problem)
    dynamics = make_dynamics(problem, r, "potential", points=300)
    energy = StageEnergy(dynamics.space.body, Moment(0.0, 0.7))
    theta, way = somewhere(r), torch.cos(torch.arange(r.num_dofs, dtype=torch.float64))
    differences = (energy.value(theta + 1e-6 * way) - energy.value(theta - 1e-6 * way)) / 2e-6
    assert float(energy.gradient(theta) @ way) == pytest.approx(differences, rel=1e-6)


def test_in_the_output_layer_of_a_linear_body_the_metric_is_the_hessian() -> None:
    problem = LinearElasticity(1.0, 0.3, domain=SQUARE, conditions=LOADED)
    r = field(problem)
    energy = StageEnergy(FieldEnergy(problem, r, 200), Moment(0.0))
    theta = somewhere(r)
    metric = energy.metric(theta, math.inf)
    outer = r.outer
    start, columns = energy.gradient(theta), []
    for k in outer.tolist():  # the energy is quadratic in these weights
        columns.append(energy.gradient(theta.index_add(0, torch.tensor([k]), torch.ones(1).to(theta))) - start)
    hessian = torch.stack(columns)[:, outer]
    found = metric[outer][:, outer].tril()
    assert torch.allclose(found, hessian.tril(), rtol=1e-9, atol=1e-12 * float(hessian.abs().max()))


def test_the_output_layer_of_a_linear_body_is_the_best_for_its_hidden_layers() -> None:
    problem = LinearElasticity(1.0, 0.3, domain=SQUARE, conditions=LOADED)
    r = field(problem)
    energy = StageEnergy(FieldEnergy(problem, r, 400), Moment(0.0))
    before = somewhere(r)
    after = energy.settled(before)
    change = (after != before).nonzero()[:, 0]
    assert set(change.tolist()) <= set(r.outer.tolist())
    slopes = [float(energy.gradient(theta)[r.outer].norm()) for theta in (before, after)]
    assert slopes[1] < 1e-6 * slopes[0] and energy.value(after) < energy.value(before)


def test_nearly_incompressible_fields_find_their_way_by_settling_their_output_layer() -> None:
    domain = MeshDomain(unit_mesh("triangle", 8))
    problem = LinearElasticity(1.0, 0.4999, domain=domain, conditions=LOADED)
    known = solve(problem, FiniteElementField.for_problem(problem, 2, dilatation="mean")).at(0.0)(END)
    errors = []
    for settle in (True, False):
        r = NeuralField.for_problem(problem, hidden=(8, 8), steepness=2.0)
        run = solve(problem, r, fit=NaturalGradient(maxiter=30, settle=settle), raise_on_failure=False)
        errors.append(float((run.at(0.0)(END) - known).norm() / known.norm()))
    assert errors[0] < 0.08 and errors[1] > 0.2


def test_a_loaded_block_is_where_finite_elements_have_it() -> None:
    problem = block()
    r = NeuralField.for_problem(problem, hidden=(10, 10), steepness=2.0, corners=False)
    assert methods_for(problem, r)[0] == "potential"
    run, elements = solve(problem, r), solve(problem, FiniteElementField.for_problem(problem, degree=2))
    known = elements.at(0.0)(END)
    assert run.status.ok
    assert float((run.at(0.0)(END) - known).norm()) < 0.01 * float(known.norm())


def test_energies_are_those_of_finite_elements_with_the_same_field() -> None:
    problem = block(body_force=(0.1, -0.2))
    r = field(problem)
    space = NeuralPotential(problem, r)
    theta = somewhere(r)
    elements = FiniteElementField(SQUARE, problem.conditions, 2, degree=2)
    beside = make_dynamics(problem, elements, "potential").space
    nodal = elements.free_part(space.nodal(0.0, theta))
    for name, value in beside.energies(0.0, nodal).items():
        assert space.energies(0.0, theta)[name] == pytest.approx(value, rel=5e-3)
    assert torch.allclose(
        space.force(0.0, theta, torch.zeros_like(space.nodal(0.0, theta))).sum(0),
        beside.force(0.0, nodal, torch.zeros_like(space.nodal(0.0, theta))).sum(0),
    )


class Bowl(Energy):
    """θ² times a number, which two sets of points may see differently."""

    def __init__(self, steep: float) -> None:
        self.steep = steep

    def value(self, theta: Tensor) -> float:
        return self.steep * float(theta.square().sum())

    def gradient(self, theta: Tensor) -> Tensor:
        return 2 * self.steep * theta

    def metric(self, theta: Tensor, rows: float) -> Tensor:
        return 2 * self.steep * torch.eye(len(theta))

    def size(self, theta: Tensor) -> float:
        return 1.0


@pytest.mark.parametrize(("other", "parts"), [(0.9, False), (0.6, False), (0.4, True), (-0.5, True)])
def test_a_fall_that_other_points_do_not_see_is_doubted(other: float, parts: bool) -> None:
    start, lower = torch.tensor([2.0]), torch.tensor([1.0])
    watch = Watch(Bowl(other), Bowl(1.0), start)
    assert watch.parts(lower, 1.0) is parts
    assert watch.theta is (start if parts else lower)


def test_a_body_is_looked_at_with_more_points_where_they_part() -> None:
    problem = block()
    r = field(problem)
    space = NeuralPotential(problem, r, NaturalGradient(maxiter=25), points=45)
    few, calls = space.body, list[int]()
    denser = space._denser

    def counted(points: int) -> FieldEnergy:
        calls.append(points)
        return denser(points)

    space._denser = counted  # type: ignore[method-assign]
    space.body.inside = [replace(group, points=_halved(group.points)) for group in few.inside]
    space.minimise(0.0, r.initial())
    assert calls[:3] == [90, 180, 360] and space.points >= 180


def _halved(points: Quadrature) -> Quadrature:
    """Weights of a fifth: strains cost less there than loads do work."""
    return replace(points, weights=0.2 * points.weights)


def test_a_block_rests_on_an_obstacle_at_the_points_of_its_boundary() -> None:
    floor = Contact(HalfSpace((0.0, -0.05), (0.0, 1.0)), on="y-", distance=0.02)
    problem = block(contact=(floor,))
    run = solve(problem, field(problem))
    bottom = torch.stack([torch.linspace(0, 1, 200), torch.zeros(200)], dim=1).double()
    lowest = float((bottom + run.at(0.0)(bottom))[:, 1].min())
    assert -0.05 < lowest < -0.05 + 0.02


def test_a_block_falls_as_finite_elements_have_it() -> None:
    free = (Dirichlet(0.0, on="x-"), Flux(0.0, on=("x+", "y-", "y+")))
    problem = block(free, density=1.0, gravity=(0.0, -0.05), steady=False)
    ends = []
    for r in (
        FiniteElementField.for_problem(problem, degree=2),
        NeuralField.for_problem(problem, hidden=(8, 8), steepness=2.0),
    ):
        run = simulate(problem, r, ImplicitEuler(), dt=0.5, t_end=1.5)
        ends.append(run.at(1.5)(END)[0])
    assert float((ends[1] - ends[0])[:2].norm()) < 0.02 * float(ends[0][:2].norm())
    assert float((ends[1] - ends[0])[2:].norm()) < 0.05 * float(ends[0][2:].norm())


@pytest.mark.parametrize("integrator", [BDF2(), Newmark()])
def test_a_damped_block_falls_as_finite_elements_have_it(integrator: BDF2 | Newmark) -> None:
    free, slow = (Dirichlet(0.0, on="x-"), Flux(0.0, on=("x+", "y-", "y+"))), Rayleigh(mass=2.0, stiffness=0.5)
    problem = block(free, density=1.0, gravity=(0.0, -0.05), steady=False, damping=slow)
    ends = []
    for r in (
        FiniteElementField.for_problem(problem, degree=2),
        NeuralField.for_problem(problem, hidden=(6, 6), steepness=2.0),
    ):
        run = simulate(problem, r, integrator, dt=0.5, t_end=1.0)
        ends.append(run.at(1.0)(END)[0])
    known, found = ends
    assert float((found - known)[:2].norm()) < 0.04 * float(known[:2].norm())
    assert float((found - known)[2:].norm()) < 0.06 * float(known[2:].norm())


def test_damping_at_points_is_that_at_nodes() -> None:
    problem = block(density=2.0, steady=False, damping=Rayleigh(mass=3.0, stiffness=0.5))
    motion = NeuralField.for_problem(problem, hidden=(6, 6), steepness=2.0)
    space = make_dynamics(problem, motion, "potential").space
    nodes = space.elements.nodes
    origin = 0.1 * torch.stack([nodes[:, 0] ** 2, nodes.prod(1)], dim=1)
    space.damp(0.0, 0 * nodes)
    drag, points = space.damping.drag(4.0, origin), space.body.quadrature
    moved = Jet(3 * drag.value, 3 * drag.grad)
    found = float(points.weights @ drag.density(torch.arange(len(points.weights)), moved))
    assert found == pytest.approx(0.5 * 4.0 * space.damping_power(2 * origin), rel=2e-3)


def test_a_bar_between_rollers_is_exact() -> None:
    young, ratio, pull = 1.0, 0.3, 0.1
    rollers = (Dirichlet(0.0, on="x-", components="x"), Dirichlet(0.0, on="y-", components="y"))
    conditions = (*rollers, traction((pull, 0.0), on="x+"), Flux(0.0))
    problem = LinearElasticity(young, ratio, domain=SQUARE, conditions=conditions)
    run = solve(problem, field(problem))
    x = SQUARE.some_points(40)
    stretch = pull * (1 - ratio**2) / young
    exact = torch.stack([stretch * x[:, 0], -pull * ratio * (1 + ratio) / young * x[:, 1]], dim=1)
    assert torch.allclose(run.at(0.0)(x), exact, rtol=0, atol=1e-9)
    assert float(run.energies.parts["elastic"][0]) == pytest.approx(0.5 * pull * stretch, rel=1e-9)
    assert float(run.energies.parts["external"][0]) == pytest.approx(-pull * stretch, rel=1e-9)


def test_loads_at_points_are_refused() -> None:
    problem = block((*LOADED, PointLoad((0.0, -0.1), (1.0, 1.0))))
    with pytest.raises(UsageError, match="knows no single points"):
        field(problem)


def test_contact_between_bodies_is_refused() -> None:
    problem = block(contact=(BodyContact(),))
    with pytest.raises(UsageError, match="contact between bodies"):
        NeuralPotential(problem, field(problem))


def test_energies_are_integrated_on_a_mesh() -> None:
    problem = Elasticity(NeoHookean(1.0, 0.3), domain=Box((0.0, 0.0), (1.0, 1.0)))
    with pytest.raises(UsageError, match="MeshDomain"):
        NeuralPotential(problem, NeuralField.for_problem(problem, hidden=(4,)))
