"""Stream functions: no divergence, derivatives that agree with automatic ones, walls held exactly."""

from __future__ import annotations

import pytest
import torch
from tables import points_in
from torch import Tensor
from torch.func import jacrev

from neuralpde.fields import autodiff_jet
from neuralpde.geometry import Box, Condition, Dirichlet, FreeSlip, Neumann, Outflow, Periodic
from neuralpde.optimize import GaussNewton
from neuralpde.problems import TaylorGreen
from neuralpde.representations import StreamFunctionField
from neuralpde.types import UsageError

PLATE = Box((0.0, -1.0), (2.0, 0.5))
CUBE = Box((0.0, 0.0, 0.0), (1.0, 2.0, 1.0))
ALL = frozenset({"value", "grad", "laplacian"})

SETTINGS: dict[str, tuple[Box, tuple[Condition, ...]]] = {
    "torus": (PLATE, (Periodic(),)),
    "torus 3D": (CUBE, (Periodic(),)),
    "box at rest": (PLATE, (Dirichlet(0.0),)),
    "lid": (PLATE, (Dirichlet((1.5, 0.0), on="y+"), Dirichlet(0.0))),
    "floor": (PLATE, (Dirichlet((-0.5, 0.0), on="y-"), Dirichlet(0.0))),
    "conveyors": (PLATE, (Dirichlet((0.0, 2.0), on="x-"), Dirichlet((0.0, -1.0), on="x+"), Dirichlet(0.0))),
    "free slip": (PLATE, (FreeSlip(),)),
    "half free": (PLATE, (FreeSlip("x-"), FreeSlip("y+"), Dirichlet(0.0))),
    "free strip": (PLATE, (Periodic("y"), FreeSlip())),
    "film": (PLATE, (Periodic("x"), Dirichlet((1.0, 0.0), on="y-"), FreeSlip("y+"))),
    "open trough": (PLATE, (Dirichlet((1.0, 0.0), on="y-"), FreeSlip("y+"), Dirichlet(0.0))),
    "Couette": (PLATE, (Periodic("x"), Dirichlet((1.0, 0.0), on="y+"), Dirichlet(0.0))),
}
settings = pytest.mark.parametrize("name", SETTINGS)


def _made(name: str) -> tuple[StreamFunctionField, Tensor]:
    domain, conditions = SETTINGS[name]
    r = StreamFunctionField(domain, conditions, hidden=(7, 5), steepness=3.0)
    theta = r.initial()
    noise = torch.randn(theta.shape, generator=torch.Generator().manual_seed(2), dtype=theta.dtype)
    return r, theta + 0.3 * noise


@settings
def test_there_is_no_divergence(name: str) -> None:
    r, theta = _made(name)
    jet = r.at(theta).jet(points_in(r.domain, 50), ALL)
    size = float(jet.grad.abs().max())
    assert float(jet.grad.diagonal(dim1=-2, dim2=-1).sum(-1).abs().max()) <= 1e-12 * size and size > 0.1


@settings
def test_jets_are_those_of_automatic_differentiation(name: str) -> None:
    r, theta = _made(name)
    x = points_in(r.domain, 20)
    mine, theirs = r.at(theta).jet(x, ALL), autodiff_jet(r.at(theta), x, ALL)
    for part in ALL:
        torch.testing.assert_close(getattr(mine, part), getattr(theirs, part), rtol=1e-9, atol=1e-9)


@settings
def test_the_jacobian_is_the_derivative_by_theta(name: str) -> None:
    r, theta = _made(name)
    x = points_in(r.domain, 6)
    wanted = jacrev(lambda th: r.at(th)(x))(theta)
    mine = torch.stack([r.jacobian(theta, x, c) for c in range(r.channels)], dim=1)
    torch.testing.assert_close(mine, wanted, rtol=1e-10, atol=1e-11)


WALLED = [name for name in SETTINGS if "torus" not in name]


@pytest.mark.parametrize("name", WALLED)
def test_walls_are_held_exactly(name: str) -> None:
    r, theta = _made(name)
    s = torch.linspace(0.02, 0.98, 13, dtype=torch.float64)
    for face in r.domain.faces:
        axis, side = r.domain.face(face)
        condition = r.boundary.on(axis, side)
        x = torch.stack([a + length * s for a, length in zip(r.domain.lower, r.domain.lengths, strict=True)], dim=-1)
        x[:, axis] = r.domain.upper[axis] if side else r.domain.lower[axis]
        jet = r.at(theta).jet(x, ALL)
        u = jet.value
        if isinstance(condition, Dirichlet):
            torch.testing.assert_close(u, condition.at(0.0, x, 2).expand_as(u), rtol=0, atol=1e-12)
        elif isinstance(condition, FreeSlip):
            assert float(u[:, axis].abs().max()) <= 1e-12 and float(u[:, 1 - axis].abs().max()) > 1e-3
            friction = jet.grad[:, 1 - axis, axis]
            assert float(friction.abs().max()) <= 1e-11 * float(jet.grad.abs().max())


def test_a_fit_leaves_the_gradient_of_a_potential_over() -> None:
    """The best fit to a velocity plus ∇(cos πx cos πy) is the best fit to the velocity, if the points are dense."""
    flow = TaylorGreen()
    r = StreamFunctionField(flow.domain, flow.conditions, hidden=(10, 10), features="harmonic", steepness=4.0)
    options = GaussNewton(maxiter=80, damping=1e-4, stall=0.0)

    def disturbed(x: Tensor) -> Tensor:
        angle = torch.pi * x
        s, c = torch.sin(angle), torch.cos(angle)
        return flow.initial_velocity(x) + 0.3 * torch.stack([s[:, 0] * c[:, 1], c[:, 0] * s[:, 1]], dim=-1)

    plain = r.project(flow.initial_velocity, options=options)
    fit = r.project(disturbed, guess=plain.theta, options=options, points=1600)
    x = points_in(flow.domain, 200)
    moved = (r.at(fit.theta)(x) - r.at(plain.theta)(x)).abs().max()
    assert plain.error <= 2e-3 and fit.error > 0.1 and float(moved) <= 5e-3


def test_a_mean_velocity_is_part_of_the_state() -> None:
    r = StreamFunctionField(PLATE, (Periodic(),), hidden=(6,), features="harmonic")
    fit = r.project(
        lambda x: torch.tensor([0.7, -0.2], dtype=x.dtype).expand(len(x), 2), options=GaussNewton(60, stall=0.0)
    )
    assert fit.error <= 1e-6


@pytest.mark.parametrize(("name", "along"), [("Couette", 0), ("free strip", 1), ("film", 0)])
def test_a_net_flux_is_part_of_the_state(name: str, along: int) -> None:
    """The mean velocity along the periodic axis is a dof: it changes by that much, and nothing else carries it."""
    r, theta = _made(name)
    q = r.quadrature(8000)
    mean = [q.weights @ r.at(th)(q.points) / r.domain.volume for th in (theta, theta + torch.eye(len(theta))[-1])]
    expected = torch.zeros(2, dtype=torch.float64)
    expected[along] = 1.0
    torch.testing.assert_close(mean[1] - mean[0], expected, rtol=0, atol=1e-10)
    still = r.at(torch.cat([theta[:-1], theta.new_zeros(1)]))
    torch.testing.assert_close(q.weights @ still(q.points), torch.zeros_like(expected), rtol=0, atol=1e-9)


REFUSED = [
    (lambda: StreamFunctionField(Box((0.0,), (1.0,)), ()), "a 2D domain, a vector potential a 3D one; got 1D"),
    (
        lambda: StreamFunctionField(CUBE, (Dirichlet(0.0),)),
        "along every axis; use a NeuralVelocityPressure or a MacGrid with walls",
    ),
    (lambda: StreamFunctionField(PLATE, (Outflow("x+"), Dirichlet(0.0))), "x\\+ has Outflow.*use a MacGrid"),
    (lambda: StreamFunctionField(PLATE, (Neumann(0.0),)), "takes Dirichlet, FreeSlip and Periodic"),
    (
        lambda: StreamFunctionField(PLATE, (Dirichlet((1.0, 0.0), "x-"), Dirichlet(0.0))),
        "through a wall.*use a NeuralVel",
    ),
    (lambda: StreamFunctionField(PLATE, (Dirichlet(lambda t, x: x),)), "constant velocity; use a NeuralVel"),
    (
        lambda: StreamFunctionField(PLATE, (Dirichlet((1.0, 0.0), "y+"), FreeSlip("x-"), Dirichlet(0.0))),
        "a moving wall beside a FreeSlip wall",
    ),
]


@pytest.mark.parametrize(("make", "sentence"), REFUSED, ids=[s[:30] for _, s in REFUSED])
def test_what_cannot_be_held_is_refused(make, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        make()
