"""Mistakes in flows, each a sentence; and what the first projection takes away."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch

from neuralpde.geometry import Block, Box, Dirichlet, FreeSlip, LevelSet, Outflow, Periodic
from neuralpde.integrators import RK4
from neuralpde.problems import CylinderChannel, EulerFlow, LidDrivenCavity, NavierStokes, TaylorGreen
from neuralpde.representations import MacGrid, SpectralGrid
from neuralpde.simulate import Solution, simulate
from neuralpde.types import UsageError

SQUARE = Box((0.0, 0.0), (1.0, 1.0))


def _run(problem: Any, kind: Any = MacGrid) -> Solution:
    return simulate(problem, kind.for_problem(problem, 8), RK4(), dt=0.01, t_end=0.02)


REFUSED = [
    (lambda: MacGrid(SQUARE, (Periodic(),), shape=8, solid=LevelSet(lambda x: 1.0)), r"\(64, 2\) it gave float"),
    (lambda: NavierStokes(viscosity="0.1"), "viscosity must be a finite number; got '0.1'"),
    (lambda: NavierStokes(viscosity=math.nan), "viscosity must be a finite number; got nan"),
    (lambda: _run(NavierStokes(velocity=lambda x: x.numpy())), "returns a torch tensor .*it gave ndarray"),
    (lambda: _run(NavierStokes(velocity=lambda x: x[:, :1])), r"it gave a tensor of shape \(3, 1\)"),
    (
        lambda: _run(NavierStokes(velocity=lambda x: x / 0 * 0)),
        "initial velocity of NavierStokes is NaN or infinite at 64",
    ),
    (lambda: _run(NavierStokes(velocity=lambda x: x / 0), SpectralGrid), "initial velocity of NavierStokes is NaN"),
    (lambda: MacGrid(SQUARE, (Periodic(),), shape=2), "at least 4 cells along each axis; got 2"),
    (lambda: MacGrid(SQUARE, (Periodic(),), shape=(8, 3)), "at least 4 cells along each axis"),
    (lambda: CylinderChannel(solid=None), "must be a Disc; got None"),
    (lambda: CylinderChannel(solid=Block((0.1, 0.1), (0.2, 0.2))), "must be a Disc; got Block"),
    (lambda: LidDrivenCavity(conditions=(Periodic(),)), "LidDrivenCavity brings its own conditions"),
    (lambda: CylinderChannel(conditions=(Dirichlet(0.0),)), "CylinderChannel brings its own conditions"),
    (lambda: EulerFlow(conditions=(FreeSlip("y-"), Dirichlet(0.0))), r"no friction .* on x-: use FreeSlip there"),
    (lambda: EulerFlow(conditions=(Dirichlet((1.0, 0.0), "y+"), FreeSlip())), r"got Dirichlet.* on y\+: use FreeSlip"),
]


@pytest.mark.parametrize(("call", "sentence"), REFUSED, ids=[s[:30] for _, s in REFUSED])
def test_a_mistake_is_a_sentence(call, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        call()


def test_what_is_no_mistake_goes_on_working() -> None:
    faster = dataclasses.replace(LidDrivenCavity(), speed=2.0)
    assert faster.conditions == (Dirichlet((2.0, 0.0), on="y+"), Dirichlet(0.0))
    assert dataclasses.replace(CylinderChannel(), speed=1.5).reynolds == pytest.approx(100)
    EulerFlow(conditions=(Dirichlet((1.0, 0.0), "x-"), Outflow("x+"), FreeSlip()))  # an inflow


@pytest.mark.parametrize("kind", [MacGrid, SpectralGrid])
def test_the_start_tells_what_the_projection_took(kind) -> None:
    """A gradient has no part without divergence: all of it goes, and the flow starts from rest."""
    push = NavierStokes(velocity=lambda x: torch.sin(2 * math.pi * x))
    run = _run(push, kind)
    assert run.fit_error == pytest.approx(math.sqrt(0.5)) and "initial fit 7.1e-01" in run.summary()
    assert float(run.states[0].abs().max()) < 1e-10
    assert _run(TaylorGreen(), kind).fit_error < 1e-12
