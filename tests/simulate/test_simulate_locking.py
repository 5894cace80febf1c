"""Linear elements that lock are told so; those that do not are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from unit_meshes import unit_mesh

from neuralpde.geometry import Dirichlet, Mesh, MeshDomain
from neuralpde.integrators import ImplicitEuler
from neuralpde.problems import ARAP, ByPart, Elasticity, LinearElasticity, Material, NeoHookean, Problem, traction
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import simulate, solve
from neuralpde.simulate._locking import locking_notes

RUBBER = NeoHookean(young=1.0, poisson_ratio=0.499)


def body(material: Material, kind: str = "triangle", **options: Any) -> Elasticity:
    held = (Dirichlet(0.0, on="x-"), traction(0.0))
    return Elasticity(material=material, domain=MeshDomain(halves(kind)), conditions=held, **options)


def halves(kind: str) -> Mesh:
    """The unit square or cube, its left half a part."""
    mesh = unit_mesh(kind, 2)
    left = mesh.points[mesh.cells].mean(1)[:, 0] < 0.5
    return Mesh(mesh.points, mesh.cells, kind, {"left": np.flatnonzero(left)}, mesh.tags)


@pytest.mark.parametrize(
    ("problem", "degree", "dilatation", "told"),
    [
        (body(RUBBER), 1, "exact", "Poisson's ratio 0.499"),
        (body(RUBBER), 1, "mean", "degree=2"),
        (body(RUBBER), 2, "exact", ""),
        (body(RUBBER, "quad"), 1, "exact", "dilatation='mean'"),
        (body(RUBBER, "quad"), 1, "mean", ""),
        (body(RUBBER, "tetra"), 1, "exact", "λ/μ reaches 499"),
        (body(ARAP(stiffness=1.0, volume=1e3)), 1, "exact", "λ/μ reaches"),
        (body(NeoHookean(young=1.0, poisson_ratio=0.48)), 1, "exact", ""),
    ],
)
def test_elements_that_lock(problem: Problem, degree: int, dilatation: str, told: str) -> None:
    r = FiniteElementField.for_problem(problem, degree=degree, dilatation=dilatation)
    notes = locking_notes(problem, r)
    assert len(notes) == bool(told)
    assert not told or told in notes[0]


def test_one_part_of_rubber_is_enough() -> None:
    ratio = ByPart({"left": 0.4999}, elsewhere=0.3)
    problem = body(NeoHookean(young=1.0, poisson_ratio=ratio))
    (note,) = locking_notes(problem, FiniteElementField.for_problem(problem, degree=1))
    assert "Poisson's ratio 0.4999" in note


def test_plane_stress_does_not_lock() -> None:
    for plane, count in (("strain", 1), ("stress", 0)):
        domain = MeshDomain(unit_mesh("triangle", 2))
        problem = LinearElasticity(
            young=1.0, poisson_ratio=0.4999, plane=plane, domain=domain, conditions=(Dirichlet(0.0),)
        )
        assert len(locking_notes(problem, FiniteElementField.for_problem(problem, degree=1))) == count


def test_a_solution_tells_it() -> None:
    """At rest and in motion, with constants that are tensors."""
    young = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
    still = body(NeoHookean(young=young, poisson_ratio=0.499))
    assert "lock" in solve(still, FiniteElementField.for_problem(still, degree=1)).notes[0]
    moving = body(RUBBER, steady=False, density=1.0)
    run = simulate(moving, FiniteElementField.for_problem(moving, degree=1), ImplicitEuler(), dt=0.1, t_end=0.1)
    assert "lock" in run.notes[0] and "note: elements of degree 1" in run.summary()
