"""Velocities that hold walls component by component, and their derivatives."""

from __future__ import annotations

import pytest
import torch
from tables import points_in

from neuralpde.fields import autodiff_jet
from neuralpde.geometry import Box, Dirichlet, FreeSlip, Periodic, face_lattice
from neuralpde.problems import LidDrivenCavity, NavierStokes, WalshFlow
from neuralpde.representations import REPRESENTATIONS, NeuralVelocityPressure
from neuralpde.types import Status

SQUARE, CUBE = Box((0.0, 0.0), (1.0, 2.0)), Box((0.0, 0.0, 0.0), (1.0, 1.0, 2.0))


def inflow(t, x):
    profile = (1 + t) * x[:, 1:2] * (2 - x[:, 1:2])
    return torch.cat([profile, 0 * profile], dim=-1)


# per setting: the box, its conditions, and by face the components that are held with their values at t = 0.5
SETTINGS = {
    "no slip": (SQUARE, (Dirichlet(0.0),), dict.fromkeys(SQUARE.faces, (0.0, 0.0))),
    "a lid": (
        SQUARE,
        (Dirichlet((1.0, 0.0), "y+"), Dirichlet(0.0)),
        {"y+": (1.0, 0.0), "y-": (0.0, 0.0), "x-": (0.0, 0.0), "x+": (0.0, 0.0)},
    ),
    "free slip": (SQUARE, (FreeSlip(),), {"x-": (0.0, None), "x+": (0.0, None), "y-": (None, 0.0), "y+": (None, 0.0)}),
    "a sheared strip": (
        SQUARE,
        (Periodic("x"), Dirichlet((2.0, 0.0), "y+"), FreeSlip("y-")),
        {"y+": (2.0, 0.0), "y-": (None, 0.0)},
    ),
    "3D, mixed": (
        CUBE,
        (Periodic("x"), FreeSlip("y-"), FreeSlip("y+"), Dirichlet((1.0, 0.0, 0.0), "z+"), Dirichlet(0.0, "z-")),
        {"y-": (None, 0.0, None), "y+": (None, 0.0, None), "z+": (1.0, 0.0, 0.0), "z-": (0.0, 0.0, 0.0)},
    ),
    "a channel": (
        SQUARE,
        (Dirichlet(inflow, "x-"), Dirichlet(inflow, "x+"), Dirichlet(0.0)),
        {"x-": inflow, "x+": inflow, "y-": (0.0, 0.0), "y+": (0.0, 0.0)},
    ),
}


def made(name: str) -> tuple[NeuralVelocityPressure, torch.Tensor]:
    domain, conditions, _ = SETTINGS[name]
    r = NeuralVelocityPressure(domain, conditions, hidden=(6, 5), pressure_hidden=(4,), seed=2)
    return r, r.initial()


@pytest.mark.parametrize("name", SETTINGS)
def test_walls_are_held_exactly(name: str) -> None:
    r, theta = made(name)
    for face, held in SETTINGS[name][2].items():
        x = face_lattice(r.domain, *r.domain.face(face), 9).points
        u = r.at(theta, 0.5)(x)[:, : r.dim]
        wanted = held(0.5, x) if callable(held) else None
        for i in range(r.dim):
            if wanted is not None:
                torch.testing.assert_close(u[:, i], wanted[:, i], rtol=0, atol=1e-14)
            elif held[i] is not None:
                torch.testing.assert_close(u[:, i], torch.full_like(u[:, i], held[i]), rtol=0, atol=1e-14)
            else:
                assert float(u[:, i].abs().max()) > 1e-3


@pytest.mark.parametrize("name", SETTINGS)
def test_jets_are_derivatives(name: str) -> None:
    r, theta = made(name)
    x, needs = points_in(r.domain), frozenset({"value", "grad", "laplacian", "hess"})
    field = r.at(theta, 0.5)
    jet, reference = field.jet(x, needs), autodiff_jet(field, x, needs)
    for part, wanted in reference.parts().items():
        torch.testing.assert_close(jet.parts()[part], wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", SETTINGS)
def test_jacobians_of_every_component(name: str) -> None:
    r, _ = made(name)
    theta, x = r.velocity.initial(), points_in(r.domain)
    wanted = torch.func.jacfwd(lambda th: r.velocity.at(th, 0.5)(x))(theta)
    for i in range(r.dim):
        torch.testing.assert_close(r.velocity.jacobian(theta, x, i), wanted[:, i], rtol=1e-9, atol=1e-12)


def test_a_lid_is_finite_in_its_corners() -> None:
    r = NeuralVelocityPressure.for_problem(LidDrivenCavity(), hidden=(4,), pressure_hidden=(3,))
    corners = torch.tensor([[0.0, 1.0], [1.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    u = r.at(r.initial())(corners)[:, 0]
    torch.testing.assert_close(u, torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64))


def test_a_lift_is_made_once_for_a_time_and_points() -> None:
    asked = []

    def moving(t, x):
        asked.append((t, x.requires_grad))
        return t * torch.sin(x)

    r = NeuralVelocityPressure(SQUARE, (Dirichlet(moving),), hidden=(4,), pressure_hidden=(3,))
    x, needs = points_in(SQUARE), frozenset({"value", "grad", "laplacian"})
    with torch.no_grad():
        jets = [r.velocity.at(r.velocity.initial() + k, 0.5).jet(x, needs) for k in (0.0, 0.1)]
        seen = len(asked)
        again = r.velocity.at(r.velocity.initial(), 0.5).jet(x, needs)
        assert len(asked) == seen and torch.equal(again.laplacian, jets[0].laplacian)
        assert not torch.equal(jets[1].value, jets[0].value)
        x += 0.01  # other points in the same place
        r.walls.lift_jet(0.5, x, needs)
        moved = len(asked)
        r.walls.lift_jet(0.6, x, needs)
        assert seen < moved < len(asked)
        for k in range(100):
            r.walls.lift(float(k), x)
    assert len(r.walls.kept) <= 16


def test_a_fit_to_what_the_lift_is_stops_at_rounding() -> None:
    walled = NavierStokes(velocity=lambda x: 2 + 0 * x, conditions=(Dirichlet(lambda t, x: 2 + 0 * x),))
    r = NeuralVelocityPressure.for_problem(walled, hidden=(4,), pressure_hidden=(3,))
    fit = r.project(walled.initial)
    assert fit.iterations <= 20 and fit.error <= 1e-14 and fit.status is Status.CONVERGED_ATOL


def test_the_first_fit_and_what_rebuilds_it() -> None:
    flow = WalshFlow(waves=1)
    r = NeuralVelocityPressure.for_problem(flow, hidden=(10, 10), pressure_hidden=(4,), steepness=4.0)
    fit = r.project(flow.initial)
    assert fit.error <= 1e-3 and torch.equal(r.split(fit.theta)["pressure"], r.split(r.initial())["pressure"])
    config = r.config()
    again = REPRESENTATIONS[config.pop("kind")].for_problem(flow, **config | {"dtype": r.dtype})
    x = r.quadrature(50).points
    assert torch.equal(again.at(fit.theta)(x), r.at(fit.theta)(x))
