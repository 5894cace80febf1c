"""Steady neural flows: exact profiles from the first, and wrong flows that are told from right ones."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from neuralpde.geometry import Box, Dirichlet, FreeSlip, Periodic
from neuralpde.optimize import GaussNewton
from neuralpde.problems import LidDrivenCavity, NavierStokes
from neuralpde.representations import MacGrid, NeuralFlow
from neuralpde.simulate import solve
from neuralpde.types import NotConvergedError

SQUARE = Box((0.0, 0.0), (1.0, 1.0))


def across(x: float = 0.5) -> Tensor:
    y = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    return torch.stack([torch.full_like(y, x), y], dim=-1)


@pytest.mark.parametrize("hidden", [(4,), (8, 8)])
def test_the_flow_of_couette(hidden: tuple[int, ...]) -> None:
    """u = y, with a net flux of ½ and no pressure."""
    flow = NavierStokes(0.1, SQUARE, (Periodic("x"), Dirichlet((1.0, 0.0), "y+"), Dirichlet(0.0, "y-")))
    run = solve(flow, NeuralFlow.for_problem(flow, hidden=hidden, pressure_hidden=(4,)))
    x = across()
    assert float((run.at(0.0)(x)[:, 0] - x[:, 1]).abs().max()) <= 1e-8


def test_a_channel_that_is_dragged_along() -> None:
    """A wall without friction opposite one that slides: the whole fluid moves as one, u = 1."""
    flow = NavierStokes(0.1, SQUARE, (Periodic("x"), Dirichlet((1.0, 0.0), "y+"), FreeSlip("y-")))
    run = solve(flow, NeuralFlow.for_problem(flow, hidden=(8, 8), pressure_hidden=(4,)))
    assert float((run.at(0.0)(across())[:, 0] - 1).abs().max()) <= 1e-8


def test_a_flow_that_is_wrong_is_not_done() -> None:
    """Four features cannot hold the cavity's eddies at Re 1000; what they leave is more than half of every term."""
    flow = LidDrivenCavity(viscosity=1e-3)
    r = NeuralFlow.for_problem(flow, hidden=(4,), pressure_hidden=(4,))
    fit = GaussNewton(maxiter=40, stall=0.0, damping=1e-4, accept=0.05)
    with pytest.raises(NotConvergedError, match=r"residual .* of its largest term; more degrees") as caught:
        solve(flow, r, fit=fit, points=200)
    (info,) = caught.value.result.infos
    assert info.residual > 0.3 and not caught.value.result.status.ok


def test_a_fit_that_was_cut_short_is_not_done() -> None:
    flow = LidDrivenCavity(viscosity=0.01)
    r = NeuralFlow.for_problem(flow, hidden=(8, 8), pressure_hidden=(6,))
    with pytest.raises(NotConvergedError, match=r"a fit used its iterations before it came close; .* more degrees of"):
        solve(flow, r, fit=GaussNewton(maxiter=3, damping=1e-4, accept=0.05), points=200)


def test_the_cavity_of_a_viscous_fluid() -> None:
    """Re 10 beside the staggered grid; a network this small is far from the corners' stresses."""
    flow = LidDrivenCavity(viscosity=0.1)
    r = NeuralFlow.for_problem(flow, hidden=(10, 8), pressure_hidden=(8,))
    fit = GaussNewton(maxiter=20, stall=0.0, damping=1e-4, accept=math.inf)
    neural, grid = solve(flow, r, fit=fit, points=250), solve(flow, MacGrid.for_problem(flow, 64))
    x = across()
    start, end = (
        float((field(x) - grid.at(0.0)(x))[:, :2].abs().max()) for field in (r.at(r.initial()), neural.at(0.0))
    )
    assert start > 0.1 and end <= 0.04


def test_a_guess_is_kept() -> None:
    flow = LidDrivenCavity(viscosity=0.1)
    r = NeuralFlow.for_problem(flow, hidden=(6,), pressure_hidden=(6,))
    few = GaussNewton(maxiter=6, stall=0.0, damping=1e-4, accept=math.inf)
    first = solve(flow, r, fit=few, points=150)
    more = solve(flow, r, fit=few, points=150, guess=first.last.theta)
    assert more.infos[0].residual < first.infos[0].residual
