"""Energy that steps make out of nothing: none in drops, and a note where steps are too long."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde import BDF2, Contact, FiniteElementField, Flux, HalfSpace, ImplicitEuler, MeshDomain, Newmark, simulate
from neuralpde.geometry import Mesh
from neuralpde.integrators import Integrator
from neuralpde.problems import Elasticity, NeoHookean
from neuralpde.simulate import Solution
from neuralpde.simulate._energy_growth import energy_rise


def dropped(kind: str, integrator: Integrator, dt: float) -> Solution:
    """A soft block that falls on one of its corners."""
    mesh = unit_mesh(kind, 2)
    c, s = 0.2 * math.cos(0.3), 0.2 * math.sin(0.3)
    points = (mesh.points - 0.5) @ np.array([[c, s], [-s, c]]) + (0.0, 0.14)
    problem = Elasticity(
        NeoHookean(1e5, 0.3),
        domain=MeshDomain(Mesh(points, mesh.cells, kind)),
        conditions=(Flux(0.0),),
        contact=(Contact(HalfSpace((0.0, 0.0), (0.0, 1.0))),),
        density=1000.0,
        gravity=(0.0, -9.81),
        start_velocity=(0.0, -3.0),
        steady=False,
    )
    return simulate(problem, FiniteElementField.for_problem(problem, 1), integrator, dt=dt, t_end=0.08)


@pytest.mark.parametrize("integrator", [ImplicitEuler(), BDF2(), Newmark(), Newmark(0.3, 0.6)], ids=repr)
@pytest.mark.parametrize("kind", ["triangle", "quad"])
def test_a_dropped_body_never_has_more_energy_than_it_began_with(integrator: Integrator, kind: str) -> None:
    run = dropped(kind, integrator, 0.002)
    total = run.energies.total
    assert float(run.energies.outputs["contact force y"].max()) > 1e3
    assert float((total - total[0]).max()) <= 1e-3 * float(total[0])
    assert not any("nothing supplied" in note for note in run.notes)


def turning(x: Tensor) -> Tensor:
    c = x - 0.5
    return torch.stack([-2 * c[:, 1] + 0.3 * torch.sin(3 * x[:, 0]), 2 * c[:, 0]], 1)


def test_long_steps_of_a_body_that_deforms_far_have_a_note() -> None:
    problem = Elasticity(
        NeoHookean(10.0, 0.3),
        domain=MeshDomain(unit_mesh("triangle", 1)),
        conditions=(Flux(0.0),),
        density=1.0,
        start_velocity=turning,
        steady=False,
    )
    runs = [
        simulate(problem, FiniteElementField.for_problem(problem, 2), Newmark(), dt=dt, t_end=4.0) for dt in (0.2, 0.02)
    ]
    rises = [energy_rise(run.energies) for run in runs]
    told = [any("nothing supplied" in note for note in run.notes) for run in runs]
    assert rises[0] > 0.01 > rises[1] and told == [True, False]
