"""Neural bodies that fall, rub and are pressed as finite elements have it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from neuralpde.dynamics import make_dynamics
from neuralpde.dynamics._field_moment import Moment
from neuralpde.dynamics._neural_potential import STATIC, STEP
from neuralpde.dynamics._stage_energy import StageEnergy
from neuralpde.geometry import Dirichlet, Flux, HalfSpace, MeshDomain, Pressure
from neuralpde.integrators import ImplicitEuler, ImplicitMidpoint, Newmark
from neuralpde.optimize import NaturalGradient
from neuralpde.problems import Contact, Elasticity, NeoHookean, traction
from neuralpde.representations import FiniteElementField, NeuralField
from neuralpde.simulate import simulate, solve
from tests.unit_meshes import unit_mesh

SQUARE = MeshDomain(unit_mesh("triangle", 4))
PLACES = torch.tensor([[0.5, 0.5], [1.0, 1.0]], dtype=torch.float64)


def block(**options: object) -> Elasticity:
    """A square of rubber."""
    known = {"conditions": (traction(0.0),), "density": 1.0, "steady": False, **options}
    return Elasticity(NeoHookean(100.0, 0.3), domain=SQUARE, **known)  # type: ignore[arg-type]


def floor(height: float, **options: object) -> tuple[Contact]:
    """Below the square."""
    return (Contact(HalfSpace((0.0, height), (0.0, 1.0)), on="y-", distance=0.05, **options),)  # type: ignore[arg-type]


def small(problem: Elasticity, hidden: tuple[int, ...] = (6,)) -> NeuralField:
    return NeuralField.for_problem(problem, hidden=hidden, steepness=2.0)


def test_a_body_at_rest_stays_there() -> None:
    problem = block()
    run = simulate(problem, small(problem), ImplicitEuler(), dt=0.1, t_end=0.2)
    assert [info.iterations for info in run.infos] == [1, 1]
    assert float(run.at(0.2)(PLACES).abs().max()) == 0.0


def test_a_thrown_body_flies_on() -> None:
    problem = block(start_velocity=(2.0, 0.0))
    run = simulate(problem, small(problem), ImplicitEuler(), dt=0.1, t_end=0.1)
    assert run.status.ok
    assert torch.allclose(run.at(0.1)(PLACES)[:, 0], torch.full((2,), 0.2, dtype=torch.float64), rtol=5e-3)


def test_a_body_that_is_thrown_with_a_spin_turns_as_finite_elements_have_it() -> None:
    problem = block(start_velocity=lambda x: torch.stack([1.0 - 2 * x[:, 1], 2 * x[:, 0]], dim=1))
    ends = []
    for r in (FiniteElementField.for_problem(problem, degree=2), NeuralField.for_problem(problem, hidden=(12, 12))):
        ends.append(simulate(problem, r, ImplicitMidpoint(), dt=0.05, t_end=0.1).at(0.1)(PLACES)[:, :2])
    assert torch.allclose(*ends, rtol=0.0, atol=2e-3 * float(ends[0].norm()))


def test_a_step_begins_anew_until_its_field_is_close() -> None:
    problem = block(start_velocity=(0.0, -1.0), contact=floor(-0.06))
    few, ends = replace(STEP, maxiter=12), []
    for rounds in (few, replace(STEP, maxiter=60)):
        run = simulate(problem, small(problem), ImplicitEuler(), dt=0.05, t_end=0.05, fit=rounds)
        ends.append(run)
    assert ends[0].infos[0].iterations > few.maxiter
    assert torch.allclose(ends[0].at(0.05)(PLACES), ends[1].at(0.05)(PLACES), atol=2e-3)


@pytest.mark.parametrize(("steady", "usual"), [(True, STATIC), (False, STEP)])
def test_options_that_are_left_out_are_those_of_the_problem(steady: bool, usual: NaturalGradient) -> None:
    problem = block(steady=steady)
    fit = make_dynamics(problem, small(problem), fit=NaturalGradient(maxiter=7)).space.fit_options
    assert (fit.maxiter, fit.scaling, fit.settle) == (7, usual.scaling, usual.settle)
    given = NaturalGradient(scaling="columns", settle=True)
    assert make_dynamics(problem, small(problem), fit=given).space.fit_options == given


LOADS = [
    {"conditions": (Dirichlet(0.0, on="x-"), Pressure(2.0, on="y+", follower=True), Flux(0.0))},
    {
        "conditions": (Dirichlet(0.0, on="x-"), traction((5.0, -3.0), on="y+"), Flux(0.0)),
        "contact": floor(-0.05, friction=0.4),
    },
]


@pytest.mark.parametrize("options", LOADS)
def test_a_body_at_rest_that_is_followed_is_where_finite_elements_have_it(options: dict[str, object]) -> None:
    problem = block(steady=True, **options)
    run = solve(problem, small(problem, (6, 6)))
    known = solve(problem, FiniteElementField.for_problem(problem, degree=2))
    ends = [at.at(0.0)(PLACES) for at in (run, known)]
    assert float((ends[0] - ends[1]).norm()) < 0.02 * float(ends[1].norm())
    for name, value in known.energies.outputs.items():
        if "force" in name:
            assert float(run.energies.outputs[name][0]) == pytest.approx(float(value[0]), rel=0.05, abs=1e-9)


@pytest.mark.parametrize("options", LOADS)
def test_what_is_frozen_has_the_force_that_is_the_slope_of_its_energy(options: dict[str, object]) -> None:
    """At the nodes as well: both move the field by a constant shift of one side's material."""
    problem = block(steady=True, **options)
    r = small(problem)
    space = make_dynamics(problem, r, "potential", points=400).space
    theta = r.initial().index_fill(0, r.outer, 0.0) + 0.01 * torch.sin(torch.arange(r.num_dofs).double())
    space.lag(0.0, theta, torch.zeros_like(space.elements.nodes))
    energy = StageEnergy(space.body, Moment(0.1))
    moved, way = theta + 0.001, torch.cos(torch.arange(r.num_dofs).double())
    slope = float(energy.gradient(moved) @ way)
    differences = (energy.value(moved + 1e-6 * way) - energy.value(moved - 1e-6 * way)) / 2e-6
    assert slope == pytest.approx(differences, rel=1e-6)
    still = torch.zeros_like(space.elements.nodes)
    change = (space.nodal(0.1, moved + 1e-6 * way) - space.nodal(0.1, moved - 1e-6 * way)) / 2e-6
    assert float((space.force(0.1, moved, still) * change).sum()) == pytest.approx(-slope, rel=2e-2)


def test_loads_that_change_do_work_and_energies_balance() -> None:
    def pull(t: float, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([0 * x[:, 0], 2.0 * t + 0 * x[:, 0]], dim=1)

    problem = block(conditions=(Dirichlet(0.0, on="x-"), Flux(pull, on="x+"), Flux(0.0)))
    runs = [
        simulate(problem, r, Newmark(), dt=0.1, t_end=0.5)
        for r in (small(problem, (6, 6)), FiniteElementField.for_problem(problem, degree=2))
    ]
    work, known = (float(run.energies.work[-1]) for run in runs)
    assert abs(known) > 0 and work == pytest.approx(known, rel=0.05)
    e = runs[0].energies
    kept = e.total + e.dissipated - e.work
    assert float((kept - kept[0]).abs().max()) < 0.03 * float(e.parts["elastic"].max())


def test_newmark_takes_the_whole_force_of_a_contact_at_the_end_of_a_step() -> None:
    problem = block(start_velocity=(0.0, -1.0), contact=floor(-0.06))
    ends = [
        simulate(problem, r, Newmark(), dt=0.05, t_end=0.1).at(0.1)(PLACES)
        for r in (small(problem), FiniteElementField.for_problem(problem, degree=2))
    ]
    assert float((ends[0] - ends[1])[:, :2].abs().max()) < 5e-3
    assert float((ends[0] - ends[1])[:, 3].mean().abs()) < 0.1
