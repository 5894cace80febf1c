"""Neural fields that hold single components: on boxes and meshes, at all times, with exact jets."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde.geometry import Box, Condition, Dirichlet, Domain, Flux, MeshDomain, Periodic
from neuralpde.problems import LinearElasticity, traction
from neuralpde.representations import FiniteElementField, NeuralField
from neuralpde.simulate import solve
from neuralpde.types import UsageError

SQUARE, CUBE = Box((0.0, 0.0), (1.0, 1.0)), Box((0.0,) * 3, (1.0,) * 3)
MESH, SOLID = MeshDomain(unit_mesh("triangle", 4)), MeshDomain(unit_mesh("tetra", 2))


def moving(t: float, x: Tensor) -> Tensor:
    return torch.sin(x[:, :1] + 2 * x[:, 1:2] + t)


def rollers(dim: int) -> tuple[Condition, ...]:
    """Two moving rollers, and one at rest."""
    last = "xyz"[dim - 1]
    return (
        Dirichlet(moving, "x-", "y"),
        Dirichlet(0.0, f"{last}-", last),
        Dirichlet(moving, f"{last}+", "x"),
        Flux(0.0),
    )


@pytest.mark.parametrize("domain", [SQUARE, CUBE, MESH, SOLID])
def test_components_are_held_exactly_and_the_others_are_not(domain: Domain) -> None:
    d = domain.dim
    r = NeuralField(domain, rollers(d), d, hidden=(6, 6))
    theta = r.initial() + 0.3
    last = "xyz"[d - 1]
    for t in (0.0, 0.7):
        field = r.at(theta, t)
        for name, k, value in (("x-", 1, moving), (f"{last}-", d - 1, None), (f"{last}+", 0, moving)):
            x = domain.face_lattice(name, 20).points
            u = field(x)
            wanted = value(t, x)[:, 0] if value else 0 * x[:, 0]
            # in 2D the component y is held on two sides that meet, with data that do not agree
            inside = ((x[:, 1:] > 1e-3) & (x[:, 1:] < 1 - 1e-3)).all(1) if d == 2 and k == 1 else x[:, 0] > -1
            torch.testing.assert_close(u[inside, k], wanted[inside], rtol=0, atol=1e-6)
            others = [j for j in range(d) if j != k and j not in r.boundary.held(name, d)]
            assert all(float((u[:, j] - u[:, j].mean()).abs().max()) > 1e-3 for j in others)


@pytest.mark.parametrize("domain", [SQUARE, MESH])
def test_jets_of_components(domain: Domain) -> None:
    r = NeuralField(domain, rollers(2), 2, hidden=(5, 5))
    theta, x = r.initial() + 0.2, domain.some_points(7)
    field = r.at(theta, 0.4)
    needs = frozenset({"value", "grad", "laplacian", "hess"})
    found = field.jet(x, needs)
    step = 1e-5
    for j in range(2):
        move = step * torch.eye(2, dtype=torch.float64)[j]
        slope = (field(x + move) - field(x - move)) / (2 * step)
        torch.testing.assert_close(found.grad[..., j], slope, rtol=1e-7, atol=2e-8)
        bend = (field.jet(x + move, needs).grad - field.jet(x - move, needs).grad) / (2 * step)
        torch.testing.assert_close(found.hess[..., j], bend, rtol=0, atol=2e-5)
    torch.testing.assert_close(found.laplacian, found.hess.diagonal(dim1=-2, dim2=-1).sum(-1), rtol=0, atol=1e-5)
    rows = [r.jacobian(theta, x, k) for k in range(2)]
    direction = torch.linspace(-1, 1, len(theta), dtype=torch.float64)
    change = (r.at(theta + 1e-6 * direction, 0.4)(x) - r.at(theta - 1e-6 * direction, 0.4)(x)) / 2e-6
    torch.testing.assert_close(torch.stack([row @ direction for row in rows], dim=1), change, rtol=0, atol=1e-8)


@pytest.mark.parametrize("domain", [SQUARE, MESH])
def test_a_neural_bar_on_rollers(domain: Domain) -> None:
    """Stretched by traction: the exact solution is linear, and the supports slide."""
    supports = Dirichlet(0.0, "x-", "x"), Dirichlet(0.0, "y-", "y")
    body = LinearElasticity(
        young=10.0, plane="stress", domain=domain, conditions=(*supports, traction((2.0, 0.0), "x+"), Flux(0.0))
    )
    run = solve(body, NeuralField.for_problem(body, hidden=(6, 6)))
    x = domain.some_points(50)
    wanted = x * torch.tensor([0.2, -0.06], dtype=torch.float64)
    assert float((run.at(0.0)(x) - wanted).norm() / wanted.norm()) <= 2e-3


def test_a_neural_sheet_that_is_sheared_by_its_supports() -> None:
    """Nothing but supports: against finite elements, on a mesh, with components held all around."""
    conditions = (
        Dirichlet(lambda t, x: 0.1 * torch.sin(math.pi * x[:, 1:2]), "x+", "x"),
        Dirichlet(0.0, "x-"),
        Dirichlet(0.0, ("y-", "y+"), "y"),
    )
    body = LinearElasticity(domain=MESH, conditions=conditions)
    exact = solve(body, FiniteElementField.for_problem(replace(body), 2))
    run = solve(body, NeuralField.for_problem(body, hidden=(6, 6)))
    x = MESH.some_points(30)
    u = exact.at(0.0)(x)
    assert float((run.at(0.0)(x) - u).norm() / u.norm()) <= 2e-2


def test_periodic_axes_and_what_turns_freely() -> None:
    around = NeuralField(SQUARE, (Periodic("x"), Dirichlet(0.5, "y-", "y"), Flux(0.0)), 2, hidden=(6, 6))
    x = SQUARE.face_lattice("y-", 9).points
    torch.testing.assert_close(around.at(around.initial() + 0.1)(x)[:, 1], 0.5 + 0 * x[:, 0], rtol=0, atol=1e-14)
    free = LinearElasticity(
        domain=SQUARE,
        conditions=(Dirichlet(0.0, "x-", "y"), Dirichlet(0.0, "y-", "x"), Flux(0.0)),
        body_force=(1.0, 0.0),
    )
    for domain in (SQUARE, MESH):
        problem = replace(free, domain=domain)
        with pytest.raises(UsageError, match="free to turn"):
            solve(problem, NeuralField.for_problem(problem, hidden=(6, 6)))
