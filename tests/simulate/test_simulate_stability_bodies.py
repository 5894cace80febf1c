"""Explicit runs of bodies beyond their stability limit are refused, those below it keep their energy."""

from __future__ import annotations

import math

import pytest
import torch
from unit_meshes import unit_mesh

from neuralpde.dynamics import make_dynamics
from neuralpde.geometry import Dirichlet, Flux, MeshDomain
from neuralpde.integrators import RK4, Euler, Heun, ImplicitMidpoint, Midpoint, RungeKutta
from neuralpde.problems import Elasticity, Linear, Material, NeoHookean
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import simulate
from neuralpde.types import UsageError


def body(material: Material) -> Elasticity:
    return Elasticity(
        domain=MeshDomain(unit_mesh("triangle", 3)),
        conditions=(Dirichlet(0.0, "x-"), Flux(0.0)),
        material=material,
        density=2.0,
        steady=False,
        gravity=(0.0, -1.0),
    )


def fastest(problem: Elasticity) -> float:
    """The largest ω of M ω² u = K u, by dense matrices."""
    dynamics = make_dynamics(problem, FiniteElementField.for_problem(problem, 1))
    space = dynamics.space
    rest = torch.zeros(space.form.representation.num_dofs, dtype=torch.float64)
    stiffness = space.parts[0].hessian(0.0, space.nodal(0.0, rest), False).toarray()
    found = torch.linalg.eigvals(torch.linalg.solve(torch.tensor(space.free_mass.toarray()), torch.tensor(stiffness)))
    return math.sqrt(float(found.real.max()))


@pytest.mark.parametrize(
    ("method", "limit"), [(RK4(), 2 * math.sqrt(2)), (Midpoint(), 0.0), (Heun(), 0.0), (Euler(), 0.0)], ids=repr
)
def test_limits_on_the_imaginary_axis(method: RungeKutta, limit: float) -> None:
    assert method.imaginary_limit == pytest.approx(limit, rel=1e-6)
    assert ImplicitMidpoint().imaginary_limit == math.inf


def test_both_sides_of_the_limit() -> None:
    problem = body(Linear(10.0, 0.3))
    r, w = FiniteElementField.for_problem(problem, 1), fastest(problem)
    dynamics = make_dynamics(problem, r)
    decay = dynamics.decay(r.project(problem.initial).theta, (0.0, 1.0))
    assert decay is not None and decay.linear and decay.vibrates
    assert 0.97 * w < decay.rate <= w * (1 + 1e-12)
    dt = 2 * math.sqrt(2) / w
    run = simulate(problem, r, RK4(), dt=0.9 * dt, t_end=90 * dt)
    assert not run.notes
    assert float(run.energies.total.max()) < 1e-9
    with pytest.raises(UsageError, match=r"fastest vibration .* stability limit 2\.83 of RK4\(\): use dt ≤ .*Newmark"):
        simulate(problem, r, RK4(), dt=1.1 * dt, t_end=110 * dt)
    with pytest.raises(UsageError, match=r"stability limit 0 of Midpoint\(\): use RK4, or an implicit"):
        simulate(problem, r, Midpoint(), dt=0.5 * dt, t_end=100 * dt)


def test_large_deformations_are_told_of_in_a_note() -> None:
    problem = body(NeoHookean(10.0, 0.3))
    r = FiniteElementField.for_problem(problem, 1)
    dt = 2 * math.sqrt(2) / fastest(problem)
    assert "errors may grow" in simulate(problem, r, RK4(), dt=1.1 * dt, t_end=1.1 * dt).notes[-1]


def test_the_mean_dilatation_vibrates_too() -> None:
    """Of a nearly incompressible body the volume's stiffness is all of what limits a step."""
    problem = body(NeoHookean(10.0, 0.49))
    r = FiniteElementField.for_problem(problem, 2, dilatation="mean")
    dynamics = make_dynamics(problem, r)
    space, start = dynamics.space, r.project(problem.initial).theta
    values = space.nodal(0.0, dynamics.motion.split(start)[0])
    parts = [part.hessian(0.0, values, False).toarray() for part in space.parts]
    mass = torch.tensor(space.free_mass.toarray())
    whole, alone = (
        math.sqrt(float(torch.linalg.eigvals(torch.linalg.solve(mass, torch.tensor(k))).real.max()))
        for k in (sum(parts), parts[0])
    )
    assert 0.95 * whole < dynamics.decay(start, (0.0, 1.0)).rate <= whole * (1 + 1e-12)
    assert whole > 3 * alone
    dt = 2 * math.sqrt(2) / whole
    assert "errors may grow" in simulate(problem, r, RK4(), dt=1.1 * dt, t_end=1.1 * dt).notes[-1]
