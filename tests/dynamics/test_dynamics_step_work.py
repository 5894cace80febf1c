"""Energies of a body balance what supports, loads and obstacles do, and what damping and friction take."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from contact_bodies import displacements, moving, placed
from tables import orders
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde import (
    Contact,
    FiniteElementField,
    Flux,
    HalfSpace,
    ImplicitEuler,
    ImplicitMidpoint,
    MeshDomain,
    simulate,
)
from neuralpde.dynamics import make_dynamics
from neuralpde.geometry import Dirichlet, Pressure
from neuralpde.integrators import BDF2, Integrator, Newmark
from neuralpde.problems import Elasticity, Linear, NeoHookean, Rayleigh
from neuralpde.simulate import Solution
from neuralpde.simulate._energies import energies_from, energy_arrays

FLOOR = HalfSpace((0.0, 0.0), (0.0, 1.0))


def shaken(t: float, x: Tensor) -> Tensor:
    """A support that moves from rest."""
    way = 0.2 * math.sin(2 * t) ** 2
    return torch.stack([way + 0 * x[:, 0], 0.5 * way * x[:, 1]], 1)


def swelling(t: float, x: Tensor) -> Tensor:
    return torch.stack([0.4 * math.sin(3 * t) + 0 * x[:, 0], 0.2 * t * x[:, 1]], 1)


CASES: dict[str, tuple] = {
    "supports": (Dirichlet(shaken, "x-"), Flux(0.0)),
    "loads": (Dirichlet(0.0, "x-"), Flux(lambda t, x: -swelling(t, x), "x+"), Flux(0.0)),
    "both": (Dirichlet(shaken, "x-"), Flux(lambda t, x: -swelling(t, x), "x+"), Flux(0.0)),
}


def run_of(problem: Elasticity, integrator: Integrator, dt: float, t_end: float, degree: int = 2) -> Solution:
    return simulate(problem, FiniteElementField.for_problem(problem, degree), integrator, dt=dt, t_end=t_end)


def body(conditions: tuple, **options: object) -> Elasticity:
    given = {"density": 1.0, "steady": False, "material": NeoHookean(young=10.0, poisson_ratio=0.3), **options}
    return Elasticity(domain=MeshDomain(unit_mesh("triangle", 2)), conditions=conditions, **given)  # type: ignore[arg-type]


def imbalance(run: Solution) -> Tensor:
    """Of total + dissipated − work, over the largest part."""
    e = run.energies
    assert e is not None
    size = max(float(part.abs().max()) for part in (*e.parts.values(), e.work))
    kept = e.total + e.dissipated - e.work
    return (kept - kept[0]) / size


def test_changing_loads_and_damping_of_a_linear_body_balance_to_rounding() -> None:
    problem = body(CASES["loads"], material=Linear(10.0, 0.3), damping=Rayleigh(0.3, 0.01))
    run = run_of(problem, Newmark(), 0.05, 1.0)
    assert min(float(run.energies.work.abs().max()), float(run.energies.dissipated.max())) > 1e-3
    assert float(imbalance(run).abs().max()) < 1e-11


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("integrator", [ImplicitMidpoint(), Newmark(), BDF2()], ids=repr)
def test_large_deformations_balance_to_second_order(integrator: Integrator, case: str) -> None:
    errors = [float(imbalance(run_of(body(CASES[case]), integrator, dt, 0.8)).abs().max()) for dt in (0.02, 0.01)]
    assert errors[1] < 0.01
    assert orders(errors)[0] > 1.7, errors


def shaken_in_space(t: float, x: Tensor) -> Tensor:
    way = 0.2 * math.sin(2 * t) ** 2
    return torch.stack([way + 0 * x[:, 0], 0.5 * way * x[:, 1], -way * x[:, 2]], 1)


@pytest.mark.parametrize(("kind", "degree"), [("quad", 2), ("triangle", 1), ("tetra", 2), ("hexahedron", 1)])
@pytest.mark.parametrize("integrator", [Newmark(), BDF2()], ids=repr)
def test_supports_that_move_balance_on_all_elements(integrator: Integrator, kind: str, degree: int) -> None:
    """BDF2 among them with its first step, which is another method's."""
    mesh = unit_mesh(kind, 1)
    held = (Dirichlet(shaken if mesh.dim == 2 else shaken_in_space, "x-"), Flux(0.0))
    problem = Elasticity(NeoHookean(10.0, 0.3), domain=MeshDomain(mesh), conditions=held, density=1.0, steady=False)
    runs = [run_of(problem, integrator, dt, 0.8, degree) for dt in (0.04, 0.02)]
    assert float(runs[1].energies.work.abs().max()) > 1e-2
    errors = [float(imbalance(run).abs().max()) for run in runs]
    assert errors[1] < 0.02
    assert orders(errors)[0] > 1.6, errors


@pytest.mark.parametrize("follower", [False, True])
def test_work_of_a_pressure(follower: bool) -> None:
    """∮ p n·v dS of a body that turns: a dead pressure has an energy, one that follows does what work tells."""
    held = (Dirichlet(0.0, "x-"), Pressure(0.3, "y+", follower=follower), Flux(0.0))
    errors = []
    for dt in (0.02, 0.01):
        run = run_of(body(held), ImplicitMidpoint(), dt, 0.8)
        errors.append(float(imbalance(run).abs().max()))
        assert (float(run.energies.work.abs().max()) > 1e-4) == follower
    assert errors[1] < 0.01
    assert orders(errors)[0] > 1.7, errors


def test_a_support_that_is_pulled_does_the_work_of_its_force() -> None:
    """A bar that is stretched so slowly that it stays in equilibrium: work is what it stores, ½ E A u²/L."""
    pulled = (
        Dirichlet(0.0, "x-", components="x"),
        Dirichlet(lambda t, x: 0.01 * t + 0 * x[:, :1], "x+", components="x"),
    )
    problem = body((*pulled, Dirichlet(0.0, "y-", components="y"), Flux(0.0)), material=Linear(10.0, 0.0), density=1e-6)
    run = run_of(problem, ImplicitEuler(), 0.1, 1.0)
    assert float(run.energies.work[-1]) == pytest.approx(0.5 * 10.0 * 0.01**2, rel=1e-3)


def resting(friction: float, angle: float, **options: object) -> Elasticity:
    contact = Contact(FLOOR, on="y-", friction=friction, distance=2e-5, **options)  # type: ignore[arg-type]
    return moving(
        placed("triangle", 2, 0.1, (0.0, 0.05 + 1.959e-5)),  # where the barrier carries the weight
        (contact,),
        gravity=(9.81 * math.sin(angle), -9.81 * math.cos(angle)),
        material=NeoHookean(1e6, 0.3),
    )


@pytest.mark.parametrize("integrator", [ImplicitEuler(), Newmark()], ids=repr)
def test_friction_takes_its_force_times_the_way(integrator: Integrator) -> None:
    """A block of 10 kg/m slides down a plane: μ m g cos α s."""
    angle, friction = math.atan(0.5), 0.2
    run = run_of(resting(friction, angle), integrator, 0.01, 0.2, degree=1)
    s = float(displacements(run)[-1][:, 0].mean())
    taken = friction * 10.0 * 9.81 * math.cos(angle) * s
    assert s == pytest.approx(0.5 * 9.81 * (math.sin(angle) - friction * math.cos(angle)) * 0.04, rel=0.1)
    assert float(run.energies.dissipated[-1]) == pytest.approx(taken, rel=0.03)
    assert not [name for name in run.energies.parts if "friction" in name]
    assert np.all(np.diff(run.energies.dissipated) >= 0)


def test_a_belt_does_work_on_what_it_carries() -> None:
    """A belt that starts at once at 1 m/s: half of its work becomes heat, half speed, while the block slides."""
    belt: Callable[[float], tuple[float, float]] = lambda t: (1.0 * t, 0.0)  # noqa: E731
    run = run_of(resting(0.2, 0.0, motion=belt), ImplicitEuler(), 0.005, 0.2, degree=1)
    pull, way = 0.2 * 10.0 * 9.81, 0.2
    assert float(run.energies.work[-1]) == pytest.approx(pull * way, rel=0.02)
    slid = way - float(displacements(run)[-1][:, 0].mean())
    assert float(run.energies.dissipated[-1]) == pytest.approx(pull * slid, rel=0.02)


def test_work_is_kept_in_files_and_older_files_have_none() -> None:
    energies = run_of(body(CASES["supports"]), ImplicitEuler(), 0.1, 0.3, degree=1).energies
    arrays = energy_arrays(energies)
    torch.testing.assert_close(energies_from(arrays).work, energies.work)
    del arrays["energy_work"]
    assert not bool(energies_from(arrays).work.any())


def test_damping_beside_contact_takes_the_body_alone() -> None:
    """C = α M + β K with K of the body's strain: the stiff barrier of a contact does not damp."""
    free, touching = (
        moving(placed("triangle", 1, 0.1, (0.0, 0.0501)), contacts, damping=Rayleigh(0.1, 0.01))
        for contacts in ((), (Contact(FLOOR, distance=1e-3),))
    )
    spaces = [make_dynamics(p, FiniteElementField.for_problem(p, 1)).space for p in (free, touching)]
    u = torch.zeros(4, 2, dtype=torch.float64)
    for space in spaces:
        space.damp(0.0, u)
    assert abs(spaces[0].damping - spaces[1].damping).max() == 0
    assert spaces[0].damping.diagonal().min() > 0
