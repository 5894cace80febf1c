"""Finite elements in time: the order of every integrator, splitting, reactions, boundary data that move."""

from __future__ import annotations

import functools
import math
from dataclasses import replace

import pytest
import torch
from tables import FLOW_INTEGRATORS, INTEGRATORS, IntegratorRow, orders
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde.dynamics import make_dynamics
from neuralpde.geometry import Dirichlet, Flux, MeshDomain, Robin
from neuralpde.integrators import SDIRK4, State
from neuralpde.problems import (
    AdvectionDiffusion,
    Brusselator,
    Heat,
    LinearDecay,
    Logistic,
    Problem,
    ReactionDiffusion,
    Rotation,
    SineMode,
)
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import simulate, solve
from neuralpde.types import UsageError

MESH = MeshDomain(unit_mesh("triangle", 2, distort=0.2))


def wave(t: float, x: Tensor) -> Tensor:
    """Moves on the boundary too."""
    return torch.sin(2 * x[:, :1] - 3 * t) + x[:, 1:] * math.cos(2 * t)


def forcing(t: float, x: Tensor) -> Tensor:
    """u_t − 0.02 Δu of it."""
    phase = 2 * x[:, :1] - 3 * t
    return 0.08 * torch.sin(phase) - 3 * torch.cos(phase) - 2 * x[:, 1:] * math.sin(2 * t)


MOVING = Heat(0.02, forcing, solution=wave, domain=MESH, conditions=(Dirichlet(wave, ("x-", "y-")), Robin(0.3, wave)))
FISHER = ReactionDiffusion(
    Logistic(3.0), 0.02, profile=lambda x: 0.2 + 0.5 * x[:, :1] * x[:, 1:], domain=MESH, conditions=(Flux(0.0),)
)
TURNING = AdvectionDiffusion(Rotation(), 0.05, profile=SineMode((2.0,)), domain=MESH, conditions=(Dirichlet(0.0),))
CASES = {"data that move": MOVING, "Fisher": FISHER, "advection": TURNING}


def marched(problem: Problem, r: FiniteElementField, row: IntegratorRow, steps: int, t_end: float = 0.5) -> Tensor:
    return simulate(problem, r, row.make(), dt=t_end / steps, t_end=t_end, save_every=10**6).last.theta


@functools.cache
def reference(case: str, degree: int) -> Tensor:
    """The end of the run with a much finer step."""
    problem = CASES[case]
    r = FiniteElementField.for_problem(problem, degree)
    return simulate(problem, r, SDIRK4(), dt=1 / 128, t_end=0.5, save_every=10**6).last.theta


@pytest.mark.parametrize("row", INTEGRATORS, ids=lambda row: row.name)
@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_orders_in_time(case: str, degree: int, row: IntegratorRow) -> None:
    """Against the same elements with a much finer step: the error in time alone. Explicit methods are stable."""
    problem = CASES[case]
    r = FiniteElementField.for_problem(problem, degree)
    fine = reference(case, degree)
    first = 12 if row.name == "bdf2" else {"explicit": 20 * degree, "implicit": 6, "splitting": 6}[row.family]
    errors = [float((marched(problem, r, row, k) - fine).norm() / fine.norm()) for k in (first, 2 * first)]
    assert orders(errors)[0] >= row.order - 0.2 or errors[1] < 1e-9, errors
    assert errors[0] < 0.2


@pytest.mark.parametrize("row", FLOW_INTEGRATORS, ids=lambda row: row.name)
def test_methods_of_flows_are_refused(row: IntegratorRow) -> None:
    with pytest.raises(UsageError, match=r"this problem has none; use Lie|needs a flow|is for incompressible flow"):
        marched(FISHER, FiniteElementField.for_problem(FISHER, 1), row, 4)


def test_the_flow_of_decay_is_exact() -> None:
    problem = replace(FISHER, reaction=LinearDecay(2.0))
    r = FiniteElementField.for_problem(problem, 2)
    theta = r.project(problem.initial).theta
    stage = make_dynamics(problem, r).flow(0, State(0.0, theta), 0.7)
    torch.testing.assert_close(stage.theta, math.exp(-1.4) * theta, rtol=1e-12, atol=1e-15)


def test_terms_sum_to_the_whole() -> None:
    dynamics = make_dynamics(FISHER, r := FiniteElementField.for_problem(FISHER, 2))
    theta = r.project(FISHER.initial).theta
    parts = [dynamics.slope(0.0, theta, part.name) for part in dynamics.parts]
    torch.testing.assert_close(sum(parts), dynamics.slope(0.0, theta), rtol=0, atol=1e-15)
    with pytest.raises(UsageError, match="the terms of ReactionDiffusion are 'reaction', 'diffusion'; got 'advection'"):
        dynamics.slope(0.0, theta, "advection")


def test_two_species_come_to_rest_where_the_reaction_does() -> None:
    """Below B = 1 + A² the Brusselator is at rest at (A, B/A), marched to or solved for."""
    problem = ReactionDiffusion(
        Brusselator(1.0, 1.2),
        (0.1, 0.2),
        profile=lambda x: torch.cat([1 + 0.1 * torch.cos(math.pi * x[:, :1]), 1.2 + 0 * x[:, :1]], dim=-1),
        domain=MESH,
        conditions=(Flux(0.0),),
    )
    r = FiniteElementField.for_problem(problem, 1)
    rest = r.nodes.new_tensor([1.0, 1.2]).repeat(len(r.nodes))
    marched_to = simulate(problem, r, SDIRK4(), dt=1.0, t_end=60.0, save_every=60).last.theta
    assert float((marched_to - rest).abs().max()) < 1e-8
    steady = replace(problem, steady=True)
    assert float((solve(steady, r).last.theta - rest).abs().max()) < 1e-10


def test_moving_boundary_data_enter_stages_as_the_method_says() -> None:
    """SDIRK4 is that of M θ' + M_b g' = −K θ − K_b g for y = θ + M⁻¹ M_b g, solved densely here."""
    heat = Heat(diffusivity=0.5, domain=MESH, conditions=(Dirichlet(wave),), profile=lambda x: wave(0.0, x))
    r, tableau, dt = FiniteElementField.for_problem(heat, degree=2), SDIRK4().tableau, 0.05
    held = torch.ones(len(r.nodes), dtype=torch.bool).index_fill(0, r.free, False)
    mass, stiff = torch.as_tensor(r.mass().toarray()), 0.5 * torch.as_tensor(r.laplace().toarray())
    shift = torch.linalg.solve(mass[r.free][:, r.free], mass[r.free][:, held])
    rate, push = (-torch.linalg.solve(mass[r.free][:, r.free], stiff[r.free][:, on]) for on in (r.free, held))

    def at(t: float) -> Tensor:
        return wave(t, r.nodes[held])[:, 0]

    y, t = r.project(heat.initial).theta + shift @ at(0.0), 0.0
    for _ in range(2):
        slopes: list[Tensor] = []
        for row, c in zip(tableau.a, tableau.c, strict=True):
            stage = y + dt * sum((a * k for a, k in zip(row, slopes, strict=False)), torch.zeros_like(y))
            g, gamma = at(t + c * dt), dt * row[len(slopes)]
            forcing = push @ g - rate @ (shift @ g)
            stage = torch.linalg.solve(torch.eye(len(y)) - gamma * rate, stage + gamma * forcing)
            slopes.append(rate @ stage + forcing)
        y, t = stage, t + dt
    run = simulate(heat, r, SDIRK4(), dt=dt, t_end=2 * dt)
    assert float((run.last.theta - (y - shift @ at(2 * dt))).abs().max()) < 1e-10
