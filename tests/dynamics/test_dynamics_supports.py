"""Supports that hold single components: exact solutions, reactions, multigrid, time steps, and what is refused."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde.dynamics import FiniteElementDynamics, Newton, make_dynamics
from neuralpde.dynamics._free_motions import motion_names
from neuralpde.fields import Jet
from neuralpde.geometry import Box, Condition, Dirichlet, Domain, Flux, MeshDomain
from neuralpde.integrators import SDIRK4
from neuralpde.linalg import solve_linear
from neuralpde.problems import LinearElasticity, Problem, traction
from neuralpde.representations import FiniteElementField, GridField
from neuralpde.simulate import simulate, solve
from neuralpde.types import UsageError

YOUNG, RATIO, PULL = 2e11, 0.3, 1e8


def rollers(dim: int) -> tuple[Condition, ...]:
    """The lower faces slide in themselves."""
    return tuple(Dirichlet(0.0, f"{a}-", components=a) for a in "xyz"[:dim])


@pytest.mark.parametrize("linear", ["direct", "cg"])
@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize(("kind", "plane"), [("triangle", "strain"), ("quad", "stress"), ("tetra", "strain")])
def test_a_bar_on_rollers_in_tension_is_exact(kind: str, plane: str, degree: int, linear: str) -> None:
    domain = MeshDomain(unit_mesh(kind, 3, distort=0.2))
    d = domain.dim
    conditions = (*rollers(d), traction((PULL,) + (0.0,) * (d - 1), "x+"), Flux(0.0))
    problem = LinearElasticity(young=YOUNG, poisson_ratio=RATIO, plane=plane, domain=domain, conditions=conditions)
    run = solve(problem, FiniteElementField.for_problem(problem, degree), newton=Newton(linear=linear))
    along, across = PULL / YOUNG, -RATIO * PULL / YOUNG
    if d == 2 and plane == "strain":  # the walls in front and behind hold the bar from growing thicker or thinner
        along, across = (1 - RATIO**2) * PULL / YOUNG, -RATIO * (1 + RATIO) * PULL / YOUNG
    r = run.representation
    wanted = r.nodes * torch.tensor([along] + [across] * (d - 1), dtype=torch.float64)
    torch.testing.assert_close(r.values(run.states[-1], 0.0), wanted, rtol=0, atol=1e-11 * along)
    table = run.fluxes()
    reaction = [float(table[f"force_on_x-_{'xyz'[k]}"][0]) for k in range(d)]
    assert math.isclose(reaction[0], PULL, rel_tol=1e-9)  # −σ·n on x−, where n = −e_x
    assert max(abs(v) for v in reaction[1:]) <= 1e-9 * PULL
    assert all(abs(float(table[f"force_on_y-_{'xyz'[k]}"][0])) <= 1e-8 * PULL for k in range(d))


@dataclass(frozen=True)
class Diffusing(Problem):
    """Quantities that diffuse side by side: both, or one alone."""

    domain: Domain
    conditions: tuple[Condition, ...]
    columns: tuple[int, ...] = (0, 1)
    needs: ClassVar[frozenset[str]] = frozenset({"grad"})

    @property
    def unknowns(self) -> dict[str, int]:  # type: ignore[override]
        return {"u": len(self.columns)}

    def flux(self, t: float, x: Tensor, u: Jet) -> Tensor:
        return -u.grad

    def initial(self, x: Tensor) -> Tensor:
        return torch.cat([warm(0.0, x), x.prod(1, keepdim=True)], dim=1)[:, list(self.columns)]


def warm(t: float, x: Tensor) -> Tensor:
    return torch.sin(2 * x[:, :1] + t)


@pytest.mark.parametrize("degree", [1, 2])
def test_components_march_as_if_each_were_alone(degree: int) -> None:
    domain = MeshDomain(unit_mesh("triangle", 4, distort=0.2))
    # where a component of a face is free and nothing is said, nothing leaves
    held = (Dirichlet(warm, "x-", "x"), Dirichlet(1.0, ("x+", "y-"), "y"), Flux((0.3, -0.2), "y+"))
    first = (Dirichlet(warm, "x-"), Flux(0.3, "y+"), Flux(0.0))
    second = (Dirichlet(1.0, ("x+", "y-")), Flux(-0.2, "y+"), Flux(0.0))
    problems = Diffusing(domain, held), Diffusing(domain, first, (0,)), Diffusing(domain, second, (1,))
    runs = [simulate(p, FiniteElementField.for_problem(p, degree), SDIRK4(), t_end=0.2, dt=0.05) for p in problems]
    both, *alone = [run.representation.values(run.states[-1], 0.2) for run in runs]
    torch.testing.assert_close(both, torch.cat(alone, dim=1), rtol=0, atol=1e-11)
    tables = [run.fluxes() for run in runs]
    for face in ("x-", "x+", "y-", "y+"):
        for k, name in enumerate(("u", "u1")):
            wanted = tables[1 + k][f"flux_{face}"]
            assert abs(tables[0][f"flux_{face}_{name}"] - wanted).max() <= 1e-8
    r, theta = runs[0].representation, runs[0].states[-1]
    torch.testing.assert_close(r.free_part(both), theta, rtol=0, atol=0)
    data = r.values(torch.zeros_like(theta), 0.2)
    torch.testing.assert_close(r.extended(theta) + data, both, rtol=0, atol=0)


@pytest.mark.parametrize(("kind", "n", "degree"), [("triangle", 24, 1), ("triangle", 12, 2), ("tetra", 5, 2)])
def test_multigrid_needs_no_more_iterations_on_rollers(kind: str, n: int, degree: int) -> None:
    domain = MeshDomain(unit_mesh(kind, n))
    counts = []
    for supports in ((Dirichlet(0.0, "x-"),), rollers(domain.dim)):
        problem = LinearElasticity(domain=domain, conditions=(*supports, Flux(0.0)), body_force=(1.0,) * domain.dim)
        r = FiniteElementField.for_problem(problem, degree)
        dynamics = FiniteElementDynamics(problem, r, Newton(linear="cg"))
        rest, jacobian = dynamics.form.jacobian(0.0, r.values(r.initial(), 0.0))
        made = dynamics.systems.factors(-jacobian)
        found = solve_linear(made.operator, r.free_part(rest), solver=made.solver, M=made.M, rtol=1e-10)
        counts.append(found.iterations)
    assert counts[1] <= counts[0] + 4


SQUARE, CUBE = (MeshDomain(unit_mesh(kind, 2)) for kind in ("triangle", "tetra"))


@pytest.mark.parametrize(
    ("domain", "supports", "free"),
    [
        (SQUARE, (), "move along x and y, and to turn"),
        (SQUARE, (Dirichlet(0.0, "x-", "x"),), "move along y"),
        (SQUARE, (Dirichlet(0.0, "x-", "y"),), "move along x, and to turn"),
        (CUBE, (), "move along x, y and z, and to turn about x, y and z"),
        (CUBE, (Dirichlet(0.0, "z-", "z"),), "move along x and y, and to turn about z"),
        (CUBE, (Dirichlet(0.0, "x-", "xz"),), "move along y"),
    ],
)
def test_motions_that_no_support_holds_are_named(
    domain: MeshDomain, supports: tuple[Condition, ...], free: str
) -> None:
    body = LinearElasticity(domain=domain, conditions=(*supports, Flux(0.0)), body_force=(1.0,) * domain.dim)
    for degree in (1, 2):
        with pytest.raises(UsageError, match=f"free to {free}: give u"):
            solve(body, FiniteElementField.for_problem(body, degree))


def test_a_slanted_direction_is_named() -> None:
    """A shift along no axis, in the modes of a body that are not centred on the origin."""
    body = LinearElasticity(domain=SQUARE, conditions=(Dirichlet(0.0, "x-", "x"), Flux(0.0)), body_force=(0.0, 1.0))
    r = FiniteElementField.for_problem(body)
    modes = body.near_nullspace(r.nodes)
    along = modes[..., 0] * math.cos(0.5) + modes[..., 1] * math.sin(0.5)
    motion = torch.linalg.lstsq(modes.flatten(0, 1), along.reshape(-1, 1)).solution.numpy()
    assert motion_names(motion, 2) == "move along (0.88, 0.48)"


@pytest.mark.parametrize(
    ("conditions", "sentence"),
    [
        ((Dirichlet(0.0, "x-", "z"),), "holds a component 'z'; the unknown has x, y alone"),
        ((Dirichlet(0.0, "x-", "xy"), Dirichlet(1.0, "x-", "y")), "face 'x-' has two conditions"),
        ((Dirichlet(0.0, "x-", "x"), Dirichlet(1.0, "x-")), "face 'x-' has two conditions"),
        ((Dirichlet(0.0, "x-"), Flux(1.0, "x-")), "face 'x-' has two conditions"),
        ((Dirichlet(0.0, "x-", "x"), Flux(1.0, "x-"), Flux(2.0, "x-")), "face 'x-' has two conditions"),
        ((Dirichlet(0.0, "all", "x"), Dirichlet(0.0, "all", "xy")), "two conditions claim all remaining faces"),
        ((Dirichlet((1.0, 2.0, 3.0), "x-", "x"),), "gives 3 value"),
        (
            (Dirichlet(lambda t, x: x[:, [0, 0, 0]], "x-", "x"),),
            r"must return a tensor \(5, 1\).* returned \(5, 3\)",
        ),
    ],
)
def test_contradictory_supports(conditions: tuple[Condition, ...], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        r = FiniteElementField(SQUARE, (*conditions, Dirichlet(0.0, "x+")), 2)
        r.values(r.initial(), 0.0)


@pytest.mark.parametrize("letters", ["", "xx", "q1", "a", 0])
def test_components_are_letters(letters: object) -> None:
    with pytest.raises(UsageError, match="names what a Dirichlet condition holds by letters"):
        Dirichlet(0.0, "x-", components=letters)  # type: ignore[arg-type]


def test_values_of_components() -> None:
    x = torch.rand(4, 3, dtype=torch.float64)
    for value in (2.0, (3.0, 2.0), lambda t, x: x[:, [2, 0]], lambda t, x: x):
        found = Dirichlet(value, "x-", components="zx").at(0.0, x, 3)
        z, first = (2.0, 2.0) if value == 2.0 else (3.0, 2.0) if isinstance(value, tuple) else (x[:, 2], x[:, 0])
        assert bool((found[:, 2] == z).all() and (found[:, 0] == first).all() and (found[:, 1] == 0).all())


def test_two_components_of_one_face_and_a_traction() -> None:
    """Two rollers on one face are the same as a clamp."""
    pulled = Flux((1.0, 2.0), "x+")
    clamp = LinearElasticity(domain=SQUARE, conditions=(Dirichlet((0.1, 0.2), "x-"), pulled, Flux(0.0)))
    apart = (Dirichlet(0.1, "x-", "x"), Dirichlet(0.2, "x-", "y"))
    parts = replace(clamp, conditions=(*apart, pulled, Flux(0.0)))
    runs = [solve(p, FiniteElementField.for_problem(p)) for p in (clamp, parts)]
    torch.testing.assert_close(runs[0].states, runs[1].states, rtol=0, atol=1e-12)
    for run in runs:
        for k, wanted in enumerate((-1.0, -2.0)):
            assert math.isclose(run.fluxes()[f"force_on_x-_{'xyz'[k]}"][0], wanted, rel_tol=1e-10)
    loaded = replace(clamp, conditions=(*apart, Flux((5.0, 7.0), "x-"), pulled, Flux(0.0)))
    with pytest.raises(UsageError, match=r"all components of x- are held .* has nothing to move there; drop one"):
        FiniteElementField.for_problem(loaded)


def test_a_load_against_a_roller_is_its_reaction() -> None:
    """What a traction says of the component that is held goes into the support, and moves nothing."""
    slide, pulled = Dirichlet(0.0, "x-", "x"), Flux((1.0, 2.0), "x+")
    free = LinearElasticity(domain=SQUARE, conditions=(slide, Dirichlet(0.0, "y-"), pulled, Flux(0.0)))
    pressed = replace(free, conditions=(*free.conditions[:3], Flux((5.0, 0.0), "x-"), Flux(0.0)))
    runs = [solve(p, FiniteElementField.for_problem(p)) for p in (free, pressed)]
    torch.testing.assert_close(runs[0].states, runs[1].states, rtol=0, atol=1e-12)
    tables = [run.fluxes() for run in runs]
    for name in tables[0]:  # what leaves is the same: 5 of it by the load, the rest by the reaction
        assert np.allclose(tables[0][name], tables[1][name], rtol=0, atol=1e-10)


def test_pairs_with_other_components_are_refused() -> None:
    body = LinearElasticity(domain=SQUARE, conditions=(*rollers(2), Flux(0.0)))
    other = replace(body, conditions=(Dirichlet(0.0, "x-", "x"), Dirichlet(0.0, "y-", "x"), Flux(0.0)))
    with pytest.raises(UsageError, match="the representation holds the conditions"):
        make_dynamics(body, FiniteElementField.for_problem(other))
    assert make_dynamics(body, FiniteElementField.for_problem(replace(body)))
    with pytest.raises(UsageError, match="a GridField holds all components of a face or none; x- has Dirichlet"):
        GridField(Box((0.0, 0.0), (1.0, 1.0)), rollers(2), 2, shape=(4, 4))
