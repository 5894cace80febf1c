"""Steady flows on staggered grids: their matrices, what they obey, and that marching comes to the same flow."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from neuralpde.dynamics import MacDynamics, _mac_steady, make_dynamics
from neuralpde.dynamics._mac_jacobian import FaceJacobian, curl_matrix
from neuralpde.geometry import Box, Condition, Dirichlet, FreeSlip, Outflow, Periodic
from neuralpde.integrators import IncrementalPressureCorrection, State
from neuralpde.problems import EulerFlow, LidDrivenCavity, NavierStokes
from neuralpde.representations import MacGrid
from neuralpde.simulate import solve
from neuralpde.types import NotConvergedError, UsageError

WIDE = Box((0.0, 0.0), (2.0, 1.0))


def _through(t: float, x: Tensor) -> Tensor:
    """In at the left and out at the right, by the same parabola."""
    return torch.stack([6 * x[:, 1] * (1 - x[:, 1]), 0 * x[:, 1]], dim=-1)


def _moving(t: float, x: Tensor) -> Tensor:
    return torch.full_like(x, math.sin(t))


SETTINGS: dict[str, tuple[Box, tuple[Condition, ...]]] = {
    "walls": (WIDE, (Dirichlet(0.0),)),
    "free slip": (WIDE, (FreeSlip(),)),
    "strip": (WIDE, (Periodic("x"), Dirichlet(0.0, "y-"), FreeSlip("y+"))),
    "upright strip": (WIDE, (Periodic("y"), Dirichlet((0.0, 1.0), "x-"), Dirichlet(0.0))),
    "through": (WIDE, (Dirichlet(_through, ("x-", "x+")), Dirichlet(0.0))),
}
settings = pytest.mark.parametrize("name", SETTINGS)


def _made(name: str, shape: tuple[int, int] = (10, 7)) -> tuple[MacGrid, MacDynamics]:
    domain, conditions = SETTINGS[name]
    problem = NavierStokes(viscosity=0.02, domain=domain, conditions=conditions)
    grid = MacGrid.for_problem(problem, shape)
    return grid, make_dynamics(problem, grid)


def _random(size: int, seed: int = 0) -> Tensor:
    return torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@settings
def test_the_curl_spans_the_velocities_without_divergence(name: str) -> None:
    grid, _ = _made(name)
    curl, velocity = curl_matrix(grid.velocity), grid.velocity
    u = torch.as_tensor(curl @ _random(curl.shape[1]).numpy())
    assert float(grid.divergence(velocity.spread(velocity.unpack(u))).abs().max()) <= 1e-12 * float(u.abs().max()) * 10
    p = grid.pressure.array(_random(grid.pressure.num_dofs))
    push = velocity.pack(grid.gradient(p)).numpy()
    assert np.abs(curl.T @ push).max() <= 1e-12 * np.abs(push).max() * abs(curl).max()
    # as many values of ψ as there are velocities without divergence, and none too many
    cells = math.prod(grid.cells)
    assert curl.shape[1] == velocity.num_dofs - (cells - 1)
    assert np.linalg.matrix_rank(curl.toarray()) == curl.shape[1]


@settings
@pytest.mark.parametrize("shape", [(10, 7), (8, 9), (5, 4)])
@pytest.mark.parametrize("part", [None, "diffusion"])
def test_the_coloured_matrix_is_the_derivative(name: str, shape: tuple[int, int], part: str | None) -> None:
    grid, dynamics = _made(name, shape)
    pressure = torch.zeros(grid.pressure.num_dofs, dtype=torch.float64)

    def slope(u: Tensor) -> Tensor:
        return dynamics.slope(0.0, grid.join({"velocity": u, "pressure": pressure.expand(*u.shape[:-1], -1)}), part)

    u, v = _random(grid.velocity.num_dofs), _random(grid.velocity.num_dofs, 1)
    matrix = FaceJacobian(grid.velocity)(slope, u, size=3.0)
    along = ((slope(u + v) - slope(u - v)) / 2).numpy()
    assert np.abs(matrix @ v.numpy() - along).max() <= 1e-13 * np.abs(along).max()


@pytest.mark.parametrize("reynolds", [1.0, 100.0, 1000.0])
def test_a_cavity_comes_to_rest_in_itself(reynolds: float) -> None:
    problem = LidDrivenCavity(viscosity=1 / reynolds)
    grid = MacGrid.for_problem(problem, 40)
    solution = solve(problem, grid)
    theta = solution.last.theta
    dynamics = make_dynamics(problem, grid)
    terms = [dynamics.slope(0.0, theta, part) for part in ("advection", "diffusion", "pressure")]
    assert float(sum(terms).abs().max()) <= 1e-10 * max(float(term.abs().max()) for term in terms)
    assert float(grid.divergence(dynamics.faces(theta, 0.0)).abs().max()) <= 1e-10
    assert solution.infos[0].residual <= 1e-10


def test_marching_comes_to_the_same_flow() -> None:
    problem = LidDrivenCavity(viscosity=0.01)
    grid = MacGrid.for_problem(problem, 32)
    steady = solve(problem, grid).last.theta
    dynamics, method, dt = make_dynamics(problem, grid), IncrementalPressureCorrection(), 0.02
    state, change = State(0.0, grid.initial()), math.inf
    while change >= 1e-8 and state.t < 100:
        before = state.theta
        state, _ = method.step(dynamics, state, dt)
        change = float((grid.split(state.theta - before)["velocity"]).abs().max()) / dt
    assert change < 1e-8
    end = grid.split(dynamics.complete(state.t, state.theta))
    for name, part in grid.split(steady).items():
        assert float((end[name] - part).abs().max()) <= 1e-6


def test_flows_between_plates_are_exact() -> None:
    """Couette's flow is linear, which every stencil holds; beneath free slip the fluid moves as the wall does."""
    for periodic, on in (("x", ("y-", "y+")), ("y", ("x-", "x+"))):
        along = ["x", "y"].index(periodic)
        wall = tuple(1.0 if i == along else 0.0 for i in range(2))
        for other, expected in ((Dirichlet(0.0, on[0]), lambda s: s), (FreeSlip(on[0]), lambda s: torch.ones_like(s))):
            domain = Box((0.0, 0.0), (1.0, 1.0))
            problem = NavierStokes(
                viscosity=0.5, domain=domain, conditions=(Periodic(periodic), Dirichlet(wall, on[1]), other)
            )
            grid = MacGrid.for_problem(problem, (6, 8))
            field = grid.at(solve(problem, grid).last.theta)
            x = torch.rand(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
            value = field(x)
            torch.testing.assert_close(value[:, along], expected(x[:, 1 - along]), rtol=0, atol=1e-10)
            assert float(value[:, [1 - along, 2]].abs().max()) <= 1e-10


def test_a_wall_may_let_fluid_through() -> None:
    """Poiseuille's flow, in at one end and out at the other: p_x = −12 ν."""
    domain, conditions = SETTINGS["through"]
    problem = NavierStokes(viscosity=0.1, domain=domain, conditions=conditions)
    grid = MacGrid.for_problem(problem, (32, 32))
    y = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    x = torch.stack([torch.ones_like(y), y], dim=-1)
    value = grid.at(solve(problem, grid).last.theta)(x)
    assert float((value[:, 0] - 6 * y * (1 - y)).abs().max()) <= 2 * grid.spacing[1] ** 2
    assert float(value[:, 1].abs().max()) <= 1e-3


def test_a_turned_cavity_has_the_turned_flow() -> None:
    """A lid that moves upwards on the right: (x, y) → (y, x) of the cavity."""
    first = LidDrivenCavity(viscosity=0.005)
    second = NavierStokes(
        viscosity=0.005, domain=first.domain, conditions=(Dirichlet((0.0, 1.0), "x+"), Dirichlet(0.0))
    )
    x = torch.rand(40, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    one, two = (solve(p, MacGrid.for_problem(p, 32)).at(0.0) for p in (first, second))
    torch.testing.assert_close(two(x.flip(1))[:, [1, 0, 2]], one(x), rtol=0, atol=1e-8)


def test_a_guess_saves_steps_and_changes_nothing() -> None:
    near, problem = LidDrivenCavity(viscosity=1 / 420), LidDrivenCavity(viscosity=1 / 400)
    grid = MacGrid.for_problem(problem, 48)
    alone = solve(problem, grid)
    helped = solve(problem, grid, guess=solve(near, grid).last.theta)
    assert helped.infos[0].iterations < alone.infos[0].iterations
    torch.testing.assert_close(helped.last.theta, alone.last.theta, rtol=0, atol=1e-8)
    single = MacGrid.for_problem(problem, 48, dtype=torch.float32)
    rough = solve(problem, single).last.theta
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough.double(), alone.last.theta, rtol=0, atol=1e-3)


def test_what_is_not_found_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_mac_steady, "NEWTON_STEPS", 0)
    problem = LidDrivenCavity()
    with pytest.raises(NotConvergedError, match="LidDrivenCavity: no step reduces the misfit"):
        solve(problem, MacGrid.for_problem(problem, 8))


def _flow(**options: object) -> NavierStokes:
    return NavierStokes(**{"viscosity": 0.1, "domain": WIDE, "conditions": (Dirichlet(0.0),), **options})


REFUSED = [
    (_flow(domain=Box((0.0,) * 3, (1.0,) * 3)), "2D; NavierStokes is in 3D: march in time instead: simulate"),
    (_flow(conditions=(Dirichlet(0.0, ("y-", "y+")), Outflow(("x-", "x+")))), "has an Outflow: march in time instead"),
    (EulerFlow(domain=WIDE, conditions=(FreeSlip(),)), "many steady flows: give it a viscosity"),
    (_flow(conditions=(Periodic(),)), "give a Dirichlet velocity on a face"),
    (_flow(conditions=(Periodic("x"), FreeSlip())), "give a Dirichlet velocity on a face"),
    (_flow(conditions=(FreeSlip(("x-", "x+", "y-")), Dirichlet(_moving, "y+"))), "balance them|move in time"),
    (_flow(conditions=(Periodic("x"), Dirichlet(lambda t, x: _moving(t, x) * x.new_tensor((1.0, 0.0))))), "move in"),
]


@pytest.mark.parametrize(("problem", "sentence"), REFUSED, ids=[s[:25] for _, s in REFUSED])
def test_what_cannot_be_solved_for_is_refused(problem: NavierStokes, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        solve(problem, MacGrid.for_problem(problem, 8))
