"""Supports that meet with different values: refused of bodies, noted of other fields; values that are no numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from unit_meshes import unit_mesh

from neuralpde.dynamics import make_dynamics
from neuralpde.geometry import (
    Boundary,
    Box,
    Condition,
    Dirichlet,
    Flux,
    MeshDomain,
    PointLoad,
    Pressure,
    contradictions,
)
from neuralpde.problems import LinearElasticity, Poisson, traction
from neuralpde.representations import FiniteElementField, NeuralField
from neuralpde.simulate import solve
from neuralpde.types import UsageError

SQUARE, CUBE = MeshDomain(unit_mesh("triangle", 3)), MeshDomain(unit_mesh("tetra", 2))
PINNED = MeshDomain(replace(SQUARE.mesh, sets={"pin": np.array([[0]])}))


def body(*conditions: Condition, domain: MeshDomain | Box = SQUARE, steady: bool = True) -> LinearElasticity:
    return LinearElasticity(domain=domain, conditions=(*conditions, Flux(0.0)), density=1.0, steady=steady)


CLAMP = Dirichlet(0.0, "x-")
CONTRADICTIONS = {
    "moved": (body(CLAMP, Dirichlet((0.1, 0.0), "y-")), r"at \(0, 0\) x- holds u_x at 0 and y- at 0.1\."),
    "turned round": (body(Dirichlet((0.1, 0.0), "y-"), CLAMP), r"at \(0, 0\) y- holds u_x at 0.1 and x- at 0\."),
    "one component": (body(CLAMP, Dirichlet(0.5, "y+", "y")), r"at \(0, 1\) x- holds u_y at 0 and y\+ at 0.5"),
    "functions": (body(CLAMP, Dirichlet(lambda t, x: x + 0.1, "y-")), r"holds u_x at 0 and y- at 0.1"),
    "a point": (
        body(Dirichlet(0.2, "x-"), Dirichlet(0.1, "pin"), domain=PINNED),
        r"x- holds u_x at 0.2 and pin at 0.1",
    ),
    "later": (
        body(CLAMP, Dirichlet(lambda t, x: t * torch.ones_like(x), "y-"), steady=False),
        r"x- holds u_x at 0 and y- at 0.37 at t = 0.37",
    ),
    "3D": (body(CLAMP, Dirichlet(0.1, "z+", "z"), domain=CUBE), r"at \(0, .*, 1\) x- holds u_z at 0 and z\+ at 0.1"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
@pytest.mark.parametrize("kind", [FiniteElementField, NeuralField])
def test_supports_that_contradict_each_other_are_refused(name: str, kind: type) -> None:
    problem, sentence = CONTRADICTIONS[name]
    if kind is NeuralField and name == "a point":
        pytest.skip("neural fields have no supports at points")
    with pytest.raises(UsageError, match=f"^the supports .*contradict each other where they meet: .*{sentence}"):
        make_dynamics(problem, kind.for_problem(problem))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "supports",
    [
        (CLAMP, Dirichlet(lambda t, x: 0.5 * x, "y-")),  # agree at the corner
        (CLAMP, Dirichlet(lambda t, x: torch.sin(torch.pi * (x + 1)), "y-")),  # to rounding
        (Dirichlet(0.1, "x-", "x"), Dirichlet(0.2, "y-", "y")),  # other components
        (CLAMP, Dirichlet((0.1, 0.0), "x+")),  # apart
        (Dirichlet(lambda t, x: x, ("x-", "y-", "x+")),),  # one condition
    ],
)
def test_supports_that_agree_are_taken(supports: tuple[Condition, ...]) -> None:
    problem = body(*supports)
    assert solve(problem, FiniteElementField.for_problem(problem, 1)).notes == ()


def test_other_fields_have_a_note() -> None:
    """A temperature that jumps at a corner is nothing strange."""
    walls = (Dirichlet(0.0, "x-"), Dirichlet(0.5, "y+"), Flux(0.0))
    hot = Poisson(domain=SQUARE, conditions=walls)
    run = solve(hot, FiniteElementField.for_problem(hot))
    assert run.notes == (
        "x- and y+ meet with different values of u: what they share has that of y+, whose condition comes last",
    )
    assert float(run.at(0.0)(torch.tensor([[0.0, 1.0]], dtype=torch.float64))) == pytest.approx(0.5, abs=1e-12)


def test_boxes() -> None:
    box = Box((0.0, 0.0, 0.0), (2.0, 1.0, 1.0))
    walls = Boundary(
        box, (CLAMP, Dirichlet(lambda t, x: x[:, 0] * (2 - x[:, 0]), "y-"), Dirichlet(1.0, "x+", "y"), Flux(0.0))
    )
    (found,) = contradictions(walls, 3)
    assert (found.first, found.second, found.component, found.values) == ("y-", "x+", 1, (0.0, 1.0))
    assert found.place == (2.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        (traction(lambda t, x: x / 0, "x+"), r"the flux \(or traction\) on x\+ is NaN or infinite at t = 0, x = \(1, "),
        (Pressure(lambda t, x: x[:, 0] * float("nan"), "x+"), r"the pressure on x\+ is NaN"),
        (Dirichlet(lambda t, x: x.log(), "y-"), r"the Dirichlet value on y- is NaN"),
        (PointLoad(lambda t, x: x / 0, (0.5, 0.5)), r"the load at \(0.5, 0.5\) is NaN .* x = \(0.5, 0.5\)"),
        (traction(lambda t, x: x[:, :0], "x+"), r"on x\+ .* must return a tensor \(\d+, 2\), .* returned \(\d+, 0\)"),
    ],
)
def test_values_that_are_no_numbers_are_told(condition: Condition, sentence: str) -> None:
    problem = body(CLAMP, condition)
    with pytest.raises(UsageError, match=sentence):
        solve(problem, FiniteElementField.for_problem(problem, 1))
