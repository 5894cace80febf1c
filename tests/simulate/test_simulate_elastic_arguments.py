"""What a beginner gets wrong with elastic bodies in Python: every message is a sentence."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from unit_meshes import unit_mesh

from neuralpde import Contact, Disc, HalfSpace, ImplicitEuler, Solution, differentiable, solve
from neuralpde.geometry import Block, Dirichlet, Flux, LevelSet, MeshDomain, SignedDistance
from neuralpde.problems import LinearElasticity
from neuralpde.representations import FiniteElementField
from neuralpde.types import UsageError

DOMAIN = MeshDomain(unit_mesh("triangle", 2))
BODY = LinearElasticity(
    young=1e3, domain=DOMAIN, conditions=(Dirichlet(0.0, on="x-"), Flux(0.0)), body_force=(0.0, -1.0)
)
FIELD = FiniteElementField.for_problem(BODY, degree=1)
FLOOR = HalfSpace((0.0, -1.0), (0.0, 1.0))


def held(other: Dirichlet) -> Solution:
    body = dataclasses.replace(BODY, conditions=(*BODY.conditions, other))
    return solve(body, FiniteElementField.for_problem(body, degree=1))


@pytest.fixture(scope="module")
def run() -> Solution:
    return solve(BODY, FIELD)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: LinearElasticity(domain="cook.msh"), "needs a domain, such as MeshDomain.*got a str"),
        (lambda: LinearElasticity(domain=DOMAIN.mesh), "needs a domain, such as MeshDomain.*got a Mesh"),
        (lambda: MeshDomain("cook.msh"), "a MeshDomain takes a mesh, such as .*got 'cook.msh'"),
        (lambda: Disc(0.0, 1.0), "the centre of a disc is one finite number for each axis.*got 0.0"),
        (lambda: Disc((0.0, 0.0), "1"), "a disc needs a positive radius; got '1'"),
        (lambda: Disc((0.0, np.nan), 1.0), "the centre of a disc is one finite number"),
        (lambda: Block(0.0, 1.0), "the lower corner of a block is one finite number"),
        (lambda: HalfSpace((0.0, 0.0), "up"), "the normal of a half-space is one finite number"),
        (lambda: SignedDistance(3), "a SignedDistance takes a function of points"),
        (lambda: LevelSet(None), "a LevelSet takes a function of points"),
        (lambda: Contact(FLOOR, on=3), "on= of a contact names parts of the boundary"),
        (lambda: Contact(FLOOR, friction="0.3"), "a coefficient of friction is a number, 0 or more; got '0.3'"),
        (lambda: Contact(FLOOR, distance="1 mm"), r"the distance of a contact must be positive and finite \(m\)"),
        (lambda: Contact(FLOOR, motion=(0.0, 1.0)), "the motion of an obstacle is a function of the time t"),
        (lambda: Contact(FLOOR, motion=lambda: (0.0, 1.0)), "the motion of an obstacle is a function of the time t"),
        (lambda: solve(BODY, FIELD, guess=torch.zeros(3)), r"is θ, a tensor \(12,\).*got a tensor \(3,\)"),
        (lambda: solve(BODY, FIELD, guess=np.zeros(12)), "is θ, a tensor .*got ndarray"),
        (lambda: differentiable.solve(BODY, FIELD, guess="rest"), "is θ, a tensor .*got str 'rest'"),
        (lambda: differentiable.solve(BODY, FIELD, points=DOMAIN.mesh.points), "points= is a tensor, such as"),
        (lambda: differentiable.simulate(BODY, FIELD, "bdf2", dt=0.1, t_end=1.0), "the integrator must be one of"),
        (lambda: differentiable.simulate(BODY, FIELD, ImplicitEuler(), dt=0.1, t_end="1"), "t_end must be a number"),
        (
            lambda: held(Dirichlet((0.0, 0.5), on="x+", components="y")),
            r"holds 1 component\(s\) and gives 2 value\(s\): give one number for each component that is held",
        ),
        (lambda: FiniteElementField.for_problem(BODY, degree="2"), "have degree 1 or 2; got '2'"),
    ],
)
def test_mistakes_are_told_in_sentences(call: Callable[[], object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        call()


def test_mistakes_with_a_solution_are_told_in_sentences(run: Solution, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="probe needs points, 2 numbers for each of them; got 'tip'"):
        run.probe("tip")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="drawn times a factor of 0 or more; got 'big'"):
        run.plot(tmp_path / "u.png", magnification="big")  # type: ignore[arg-type]
