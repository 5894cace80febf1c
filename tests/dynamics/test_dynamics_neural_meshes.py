"""Neural fields in strong form on boxes and meshes: natural conditions, what determines a field, marches, precision."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from neuralpde import Heat, NeuralField, Poisson, simulate, solve
from neuralpde.dynamics import FunctionSpaceDynamics, make_dynamics
from neuralpde.dynamics._wall_rows import WallRows, rows_at
from neuralpde.geometry import Box, Condition, Dirichlet, Domain, Flux, Mesh, MeshDomain, MeshError, Neumann, Robin
from neuralpde.integrators import ImplicitMidpoint
from neuralpde.optimize import Adam, GaussNewton
from neuralpde.representations import FiniteElementField
from neuralpde.simulate import load_solution
from neuralpde.types import Status, UsageError
from tests.unit_meshes import unit_mesh

KAPPA, ALPHA = 2.0, 3.0
DOMAINS: dict[str, Domain] = {
    "box": Box((0.0, 0.0), (1.0, 1.0)),
    "mesh": MeshDomain(unit_mesh("triangle", 6, 0.2)),
}
FIT = GaussNewton(maxiter=30, damping=1e-3, accept=0.05)
SMALL = {"hidden": (7, 6), "steepness": 4.0}


def wave(x: Tensor) -> Tensor:
    return torch.sin(2 * x[:, :1]) * torch.exp(x[:, 1:2])


def slope(face: str) -> Callable[[float, Tensor], Tensor]:
    """∂u/∂n of the wave on a side of the unit square."""
    sign = 1.0 if face[1] == "+" else -1.0

    def value(t: float, x: Tensor) -> Tensor:
        along = 2 * torch.cos(2 * x[:, :1]) if face[0] == "x" else torch.sin(2 * x[:, :1])
        return sign * along * torch.exp(x[:, 1:2])

    return value


def neumann(face: str) -> Condition:
    return Neumann(slope(face), face)


def flux(face: str) -> Condition:
    return Flux(lambda t, x: -KAPPA * slope(face)(t, x), face)


def robin(face: str) -> Condition:
    """−κ ∂u/∂n = α (u − v)."""
    return Robin(ALPHA, lambda t, x: wave(x) + KAPPA / ALPHA * slope(face)(t, x), face)


def held(face: str) -> Condition:
    return Dirichlet(lambda t, x: wave(x), face)


def poisson(domain: Domain, *sides: Callable[[str], Condition]) -> Poisson:
    conditions = tuple(side(face) for side, face in zip(sides, ("x-", "x+", "y-", "y+"), strict=True))
    return Poisson(solution=wave, diffusivity=KAPPA, domain=domain, conditions=conditions)


@pytest.mark.parametrize("where", DOMAINS)
@pytest.mark.parametrize(
    "sides",
    [(held, neumann, flux, robin), (robin, robin, robin, robin), (neumann, flux, robin, flux)],
    ids=["all kinds", "exchange alone", "exchange on one side"],
)
def test_natural_conditions_have_the_exact_solution(where: str, sides: tuple) -> None:
    problem = poisson(DOMAINS[where], *sides)
    field = NeuralField.for_problem(problem, **SMALL)
    run = solve(problem, field, method="function_space", fit=FIT)
    assert run.status.ok and run.error()["rel_l2"] < 5e-3


@pytest.mark.parametrize("where", DOMAINS)
def test_rows_vanish_where_a_field_is_the_solution_and_nowhere_else(where: str) -> None:
    problem = poisson(DOMAINS[where], held, neumann, flux, robin)
    dynamics = FunctionSpaceDynamics(problem, NeuralField.for_problem(problem, **SMALL))
    assert [type(wall.condition) for wall in dynamics.walls] == [Neumann, Flux, Robin]
    space = FiniteElementField(DOMAINS["mesh"], degree=2)
    elements = space.at(space.project(wave).theta)
    for wall in dynamics.walls:
        right = rows_at(wall, 0.0, _jets(wave))
        assert float(right.abs().max()) < 1e-12
        assert float(rows_at(wall, 0.0, elements.jet).abs().mean()) < 0.05  # second order in the slopes
        assert float(rows_at(wall, 0.0, _jets(lambda x: wave(x) + x.sum(1, keepdim=True))).abs().min()) > 0.9
        assert float(wall.quadrature.weights.sum()) == pytest.approx(1.0)


def _jets(function: Callable[[Tensor], Tensor]) -> Callable:
    from neuralpde.fields import autodiff_jet

    return lambda x, needs: autodiff_jet(function, x, needs)


@pytest.mark.parametrize("where", DOMAINS)
@pytest.mark.parametrize("side", [Neumann(0.25), Flux(-0.25), Robin(0.0, 1.0)], ids=lambda c: type(c).__name__)
def test_what_only_slopes_hold_is_refused(where: str, side: Condition) -> None:
    problem = Poisson(source_term=-1.0, domain=DOMAINS[where], conditions=(side,))
    with pytest.raises(UsageError, match=r"fixes u only up to a constant .* give u on one face, or Robin"):
        solve(problem, NeuralField.for_problem(problem, hidden=(4,)), method="function_space")


def test_fields_and_elements_agree() -> None:
    """u is 1 on a side, exchanges with 1/2 on the other, and leaves through a third."""
    conditions = (Dirichlet(1.0, "x-"), Robin(2.0, 0.5, "x+"), Flux(0.3, "y+"), Neumann(0.0))
    problem = Poisson(source_term=lambda x: 2 * x[:, 1:], domain=DOMAINS["mesh"], conditions=conditions)
    run = solve(problem, NeuralField.for_problem(problem, **SMALL), method="function_space", fit=FIT)
    elements = solve(problem, FiniteElementField.for_problem(problem, degree=2))
    x = DOMAINS["mesh"].some_points(60)
    torch.testing.assert_close(run.at(0.0)(x), elements.at(0.0)(x), atol=5e-3, rtol=0)


def fading(t: float, x: Tensor) -> Tensor:
    """cos x cos y exp(−2κt) with κ = 1/4."""
    return math.exp(-0.5 * t) * torch.cos(x).prod(-1, keepdim=True)


def heat(domain: Domain, *conditions: Condition) -> Heat:
    return Heat(
        diffusivity=0.25, source_term=0.0, solution=fading, profile=lambda x: fading(0.0, x), domain=domain,
        conditions=conditions or (Dirichlet(fading),),
    )  # fmt: skip


MARCH = {"dt": 0.1, "t_end": 0.2, "method": "function_space"}
TINY = {"hidden": (6,), "steepness": 4.0}


@pytest.mark.parametrize("where", DOMAINS)
def test_data_that_move_in_time_are_held_and_followed(where: str) -> None:
    domain = DOMAINS[where]
    cooled = Robin(1.0, lambda t, x: fading(t, x) - 0.25 * x[:, :1].tan() * fading(t, x), "x+")
    for conditions in ((), (cooled, Neumann(0.0, "x-"), Dirichlet(fading))):
        problem = heat(domain, *conditions)
        run = simulate(problem, NeuralField.for_problem(problem, **TINY), ImplicitMidpoint(), **MARCH)
        assert run.error([0.2])["rel_l2"] < 1e-3
        x = domain.face_lattice("y+", 30).points
        torch.testing.assert_close(run.at(0.2)(x), fading(0.2, x), atol=1e-7, rtol=0)


def test_a_march_on_a_mesh_goes_on_bit_by_bit(tmp_path: Path) -> None:
    problem = heat(DOMAINS["mesh"], Flux(lambda t, x: 0.25 * x[:, :1].tan() * fading(t, x), "x+"), Dirichlet(fading))
    field = NeuralField.for_problem(problem, hidden=(5,))
    whole = simulate(problem, field, ImplicitMidpoint(), **MARCH)
    half = simulate(problem, field, ImplicitMidpoint(), **MARCH, progress=lambda k, steps, state, info: k < 1)
    assert half.status is Status.INTERRUPTED
    again = heat(MeshDomain(unit_mesh("triangle", 6, 0.2)), *problem.conditions)
    back = load_solution(half.save(tmp_path / "half.h5"), again)
    x = DOMAINS["mesh"].some_points(20)
    assert torch.equal(back.at(0.1)(x), half.at(0.1)(x))
    rest = simulate(again, back.representation, ImplicitMidpoint(), **MARCH, restart=back.last)
    assert torch.equal(rest.last.theta, whole.last.theta) and rest.last.t == whole.last.t


@pytest.mark.parametrize("resample", [True, False])
def test_adam_steps_on_a_mesh(resample: bool) -> None:
    """Few steps from a field that is nothing: the misfit falls, points lie in the domain, and the sides are held."""
    problem = poisson(DOMAINS["mesh"], held, neumann, flux, robin)
    field = NeuralField.for_problem(problem, hidden=(6,))
    sizes = []
    for steps in (1, 60):
        options = Adam(maxiter=steps, learning_rate=0.05, resample=resample)
        run = solve(problem, field, method="function_space", fit=options, raise_on_failure=False)
        sizes.append(run.error()["rel_l2"])
    assert sizes[1] < 0.7 * sizes[0]
    x = DOMAINS["mesh"].face_lattice("x-", 20).points
    torch.testing.assert_close(run.at(0.0)(x), wave(x), atol=1e-7, rtol=0)


def test_single_precision_on_a_mesh() -> None:
    problem = poisson(DOMAINS["mesh"], held, neumann, flux, robin)
    field = NeuralField.for_problem(problem, **SMALL, dtype=torch.float32)
    run = solve(problem, field, method="function_space", fit=FIT)
    assert run.last.theta.dtype == torch.float32 and run.error()["rel_l2"] < 5e-3
    marched = heat(DOMAINS["mesh"])
    field = NeuralField.for_problem(marched, hidden=(6,), dtype=torch.float32)
    run = simulate(marched, field, ImplicitMidpoint(), **MARCH)
    assert run.at(0.2)(DOMAINS["mesh"].some_points(3).float()).dtype == torch.float32
    assert run.error([0.2])["rel_l2"] < 2e-3


def test_surfaces_and_free_sides_are_refused() -> None:
    flat = unit_mesh("triangle", 2)
    bent = np.c_[flat.points, flat.points[:, 0] ** 2]
    with pytest.raises(MeshError, match="a surface in space where a domain is needed"):
        NeuralField(MeshDomain(Mesh(bent, flat.cells, "triangle")), (Dirichlet(0.0),))
    open_side = Poisson(domain=DOMAINS["mesh"], conditions=(Dirichlet(0.0, ("x-", "x+")), Flux(0.0, "y-")))
    sentence = r"no condition on y\+: give Dirichlet or Neumann there \(Flux or Robin too"
    with pytest.raises(UsageError, match=sentence):
        make_dynamics(open_side, NeuralField.for_problem(open_side, hidden=(4,)), "function_space")


def test_rows_weigh_what_their_side_does_to_the_domain() -> None:
    """The squares' sum does not depend on how many points a side has, or on the units of length."""
    for size in (1.0, 1000.0):
        mesh = unit_mesh("triangle", 3)
        domain = MeshDomain(Mesh(size * mesh.points, mesh.cells, mesh.kind, mesh.parts, mesh.tags))
        problem = Poisson(source_term=1.0, domain=domain, conditions=(Dirichlet(0.0, "x-"), Flux(0.3)))
        for points in (60, 400):
            (wall, *_) = FunctionSpaceDynamics(
                problem, NeuralField.for_problem(problem, hidden=(4,)), points=points
            ).walls
            assert isinstance(wall, WallRows)
            assert float((wall.scale(True, 1.0) ** 2).sum()) == pytest.approx(size**-2, rel=1e-9)


def test_lifts_on_boxes_are_differentiated_once_and_follow_their_data() -> None:
    size, calls = [1.0], []

    def data(t: float, x: Tensor) -> Tensor:
        calls.append(t)
        return size[0] * (1 + t) * wave(x)

    field = NeuralField(DOMAINS["box"], (Dirichlet(data),), hidden=(4,))
    x, needs = DOMAINS["box"].some_points(10), frozenset({"laplacian"})
    first = field.hard.lift_jet(0.0, x, needs).laplacian
    once = len(calls)
    assert torch.equal(field.hard.lift_jet(0.0, x.clone(), needs).laplacian, first)
    assert len(calls) - once < once / 2  # values alone, by which the data are known
    torch.testing.assert_close(field.hard.lift_jet(1.0, x, needs).laplacian, 2 * first)
    size[0] = 3.0
    torch.testing.assert_close(field.hard.lift_jet(0.0, x, needs).laplacian, 3 * first)
