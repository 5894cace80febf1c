"""Neural fields that hold single components: on boxes and meshes, at all times, with exact jets."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde.dynamics._free_motions import refuse_unsupported
from neuralpde.dynamics._weak_tests import WeakTests
from neuralpde.geometry import Box, Condition, Dirichlet, Domain, Flux, MeshDomain, Periodic, Robin
from neuralpde.problems import LinearElasticity, traction
from neuralpde.representations import NeuralField
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


@pytest.mark.parametrize(("domain", "method", "hidden"), [(SQUARE, "function_space", (6, 6)), (MESH, "weak", (6,))])
def test_a_neural_bar_on_rollers(domain: Domain, method: str, hidden: tuple[int, ...]) -> None:
    """Stretched by traction: the exact solution is linear, and the supports slide."""
    supports = Dirichlet(0.0, "x-", "x"), Dirichlet(0.0, "y-", "y")
    body = LinearElasticity(
        young=10.0, plane="stress", domain=domain, conditions=(*supports, traction((2.0, 0.0), "x+"), Flux(0.0))
    )
    run = solve(body, NeuralField.for_problem(body, hidden=hidden), method=method)
    x = domain.some_points(50)
    wanted = x * torch.tensor([0.2, -0.06], dtype=torch.float64)
    assert float((run.at(0.0)(x) - wanted).norm() / wanted.norm()) <= 2e-3


def test_weak_functionals_see_what_is_free() -> None:
    """∫ φ_i u − R_i of a field is that of its interpolant on the free unknowns, and zero on what supports hold."""
    body = LinearElasticity(domain=MESH, conditions=rollers(2), body_force=(1.0, 2.0))
    r = NeuralField.for_problem(body, hidden=(4,))
    tests, theta = WeakTests(body, r, 2), r.initial() + 0.1
    found = tests.functional(r.at(theta, 0.0), 0.0, 0.0, -1.0)
    held = tests.space.fixed[tests.space.free].numpy()
    assert held.any() and not found[held].any() and bool((found[~held] != 0).all())
    derivatives = tests.derivatives(theta, 0.0, 1.0, 0.5).reshape(*found.shape, -1)
    assert not derivatives[held].any()
    step = 1e-6 * torch.linspace(-1, 1, len(theta), dtype=torch.float64)
    ends = [tests.functional(r.at(theta + s * step, 0.0), 0.0, 1.0, 0.5) for s in (1, -1)]
    assert np.allclose(derivatives @ step.numpy(), 0.5 * (ends[0] - ends[1]), rtol=0, atol=1e-13)
    gram = tests.gram(tests.space.mass()).toarray()
    flat = held.reshape(-1)
    assert not gram[flat][:, ~flat].any() and np.linalg.eigvalsh(gram).min() > 0
    free = tests.space.free_dofs
    assert np.array_equal(gram[~flat][:, ~flat], tests.space.mass()[free][:, free].toarray())


def test_periodic_axes() -> None:
    around = NeuralField(SQUARE, (Periodic("x"), Dirichlet(0.5, "y-", "y"), Flux(0.0)), 2, hidden=(6, 6))
    x = SQUARE.face_lattice("y-", 9).points
    torch.testing.assert_close(around.at(around.initial() + 0.1)(x)[:, 1], 0.5 + 0 * x[:, 0], rtol=0, atol=1e-14)


def test_what_turns_freely_is_refused_without_a_matrix() -> None:
    crossed = Dirichlet(0.0, "x-", "y"), Dirichlet(0.0, "y-", "x")
    free = LinearElasticity(domain=SQUARE, conditions=(*crossed, Flux(0.0)), body_force=(1.0, 0.0))
    with pytest.raises(UsageError, match="free to turn: give u"):
        solve(free, NeuralField.for_problem(free, hidden=(6, 6)))
    for conditions, motions in (
        (crossed, "turn"),
        ((), "move along x and y, and to turn"),
        ((Dirichlet(0.0, "y-", "y"),), "move along x"),
        ((*crossed, Robin(1.0, 0.0, "x+")), None),
        ((crossed[0], Dirichlet(0.0, "x+", "x")), None),
    ):
        body = replace(free, domain=MESH, conditions=(*conditions, Flux(0.0)))
        r = NeuralField.for_problem(body, hidden=(6, 6))
        with pytest.raises(UsageError, match=f"free to {motions}: give u") if motions else nullcontext():
            refuse_unsupported(body, r)
