"""Statics of what changes with the body: pressures that follow it, friction, contacts that close, buckling."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.special import ellipe, ellipk
from unit_meshes import unit_mesh

from neuralpde import (
    Contact,
    Dirichlet,
    Elasticity,
    FiniteElementField,
    HalfSpace,
    MeshDomain,
    NeoHookean,
    Pressure,
    SaintVenantKirchhoff,
    Solution,
    solve,
    traction,
)
from neuralpde.benches._mapped_meshes import mapped_mesh
from neuralpde.dynamics import LoadSteps, Newton, make_dynamics
from neuralpde.dynamics._body_energy import BodyEnergy
from neuralpde.dynamics._stable import settled
from neuralpde.geometry import Mesh
from neuralpde.integrators import Stage
from neuralpde.types import NotConvergedError

YOUNG, POISSON = 1e6, 0.4
MU, LAMBDA = YOUNG / (2 * (1 + POISSON)), YOUNG * POISSON / ((1 + POISSON) * (1 - 2 * POISSON))


def box(kind: str, n: int, size: tuple[float, float], low: float = 0.0) -> Mesh:
    mesh = unit_mesh(kind, n)
    return replace(mesh, points=mesh.points * size + (0.0, low))


def radial(along: float, around: float) -> float:
    """P_R of log neo-Hooke with the stretches of a ring in plane strain."""
    return MU * (along - 1 / along) + LAMBDA * math.log(along * around) / along


def ring_pressure(outer: float) -> tuple[float, float]:
    """The inner pressure of a ring 1 ≤ R ≤ 2 whose outer radius has become ``outer``, and its inner radius, by a march
    from the free outside to the inside."""

    def rise(R: float, y: list[float]) -> list[float]:
        r, along = y
        around = r / R
        hoop = MU * (around - 1 / around) + LAMBDA * math.log(along * around) / around
        by_along = MU * (1 + along**-2) + LAMBDA * (1 - math.log(along * around)) / along**2
        by_around = LAMBDA / (along * around)
        return [along, ((hoop - radial(along, around)) / R - by_around * (along - around) / R) / by_along]

    free = brentq(lambda along: radial(along, outer / 2), 0.01, 1.5)
    r, along = solve_ivp(rise, (2, 1), [outer, free], rtol=1e-10, atol=1e-12).y[:, -1]
    return -radial(along, r) / r, r


def ring(pressure: float, n: int) -> Elasticity:
    mesh = unit_mesh("triangle6", n)
    r, angle = 1 + mesh.points[:, 0], mesh.points[:, 1] * math.pi / 2
    points = mesh.points.copy()
    points[:, 0], points[:, 1] = r * torch.from_numpy(angle).cos().numpy(), r * torch.from_numpy(angle).sin().numpy()
    rollers = (Dirichlet(0.0, "y-", components="y"), Dirichlet(0.0, "y+", components="x"))
    loads = (Pressure(pressure, on="x-", follower=True), traction(0.0, on="x+"))
    domain = MeshDomain(replace(mesh, points=points))
    return Elasticity(NeoHookean(YOUNG, POISSON), domain=domain, conditions=(*rollers, *loads))


def test_ring_under_inner_pressure_that_follows_it() -> None:
    outer = brentq(lambda b: ring_pressure(b)[0] - 2e5, 2.1, 4.0)
    problem = ring(2e5, 5)
    solution = solve(problem, FiniteElementField.for_problem(problem, degree=2))
    assert float(solution.probe([[1.0, 0.0]])[0, 0, 0]) == pytest.approx(ring_pressure(outer)[1] - 1, rel=1e-3)
    space = make_dynamics(problem, solution.representation, "potential").space
    theta = solution.last.theta
    space.lag(0.0, theta, torch.zeros(0))
    values = space.nodal(0.0, theta)
    left = solution.representation.free_part(space.force(0.0, theta, torch.zeros_like(values)))
    assert float(left.norm()) < 1e-9 * 2e5
    history = solution.infos[-1].history
    assert history[-1] < 1e-2 * history[-2] < 1e-4 * history[-3]  # with the load stiffness Newton's method is quadratic


def test_pressure_above_what_a_ring_can_bear_is_refused() -> None:
    most = max(ring_pressure(outer)[0] for outer in (5.0, 10.0, 20.0, 40.0))
    problem = ring(1.1 * most, 2)
    with pytest.raises(NotConvergedError, match="load was raised up to the factor 0"):
        solve(problem, FiniteElementField.for_problem(problem, degree=2), load_steps=LoadSteps(smallest=0.2))


def resting(mu: float, gap: float = 5e-4, slope: float = 20.0) -> Elasticity:
    angle = math.radians(slope)
    return Elasticity(
        NeoHookean(1e6, 0.3),
        domain=MeshDomain(box("triangle", 4, (2.0, 1.0), gap)),
        conditions=(traction(0.0),),
        density=1000.0,
        gravity=(9.81 * math.sin(angle), -9.81 * math.cos(angle)),
        contact=(Contact(HalfSpace((0, 0), (0, 1)), on="y-", friction=mu, distance=2e-3),),
    )


def solved(problem: Elasticity, **options: object) -> Solution:
    return solve(problem, FiniteElementField.for_problem(problem, degree=1), **options)


@pytest.mark.parametrize(("mu", "gap"), [(0.5, 5e-4), (0.37, 5e-4), (0.5, 1.9e-3)])
def test_block_on_a_slope_that_holds_it(mu: float, gap: float) -> None:
    """tan 20° = 0.364: friction and pressure carry the weight to rounding."""
    forces, weight = solved(resting(mu, gap)).energies.outputs, 2 * 9810.0
    assert float(forces["friction force x"][-1]) == pytest.approx(-weight * math.sin(math.radians(20)), rel=1e-8)
    assert float(forces["contact force y"][-1]) == pytest.approx(weight * math.cos(math.radians(20)), rel=1e-8)


@pytest.mark.parametrize("mu", [0.1, 0.35])
def test_block_that_has_to_slide_is_refused(mu: float) -> None:
    with pytest.raises(NotConvergedError, match="where a body has to slide"):
        solved(resting(mu), load_steps=LoadSteps(smallest=0.3))


def dragged(gap: float, first: float) -> tuple[float, float, float]:
    """Friction, force of contact and displacement of a block that is pressed by 2 kN and pulled by 3 kN."""
    problem = Elasticity(
        NeoHookean(1e5, 0.3),
        domain=MeshDomain(box("triangle", 4, (2.0, 1.0), gap)),
        conditions=(
            Dirichlet(0.0, on="x-", components="x"),
            traction((0.0, -1e3), on="y+"),
            traction((3e3, 0.0), on="x+"),
            traction(0.0),
        ),
        contact=(Contact(HalfSpace((0, 0), (0, 1)), on="y-", friction=0.5, distance=2e-3),),
    )
    solution = solved(problem, load_steps=LoadSteps(first=first, growth=1.0))
    forces = solution.energies.outputs
    place = float(solution.probe([[2.0, 0.5 + gap]])[0, 0, 0])
    return -float(forces["friction force x"][-1]), float(forces["contact force y"][-1]), place


def test_friction_is_coulombs_whatever_the_gap_and_the_load_steps() -> None:
    friction, force, place = dragged(5e-4, 1.0)
    assert force == pytest.approx(2000.0, rel=1e-9)
    assert 0.8 * 1000 < friction <= 1000.0  # near the wall it slides slower than the slip speed
    for gap, first in ((1.9e-3, 1.0), (3e-3, 1.0), (5e-4, 0.25)):
        assert dragged(gap, first) == pytest.approx((friction, force, place), rel=1e-6)


def test_load_that_closes_a_gap_of_a_body_which_nothing_else_holds() -> None:
    """Its shape does not depend on how far it falls."""
    found = []
    for gap in (5e-4, 0.03, 0.1):
        domain = MeshDomain(box("triangle", 4, (2.0, 1.0), gap))
        contact = Contact(HalfSpace((0, 0), (0, 1)), on="y-", distance=2e-3)
        loads = (traction((0.0, -1e3), on="y+"), traction(0.0))
        solution = solved(Elasticity(NeoHookean(1e5, 0.3), domain=domain, conditions=loads, contact=(contact,)))
        assert float(solution.energies.outputs["contact force y"][-1]) == pytest.approx(2000.0, rel=1e-8)
        found.append(float(solution.probe([[1.0, 1.0 + gap]])[0, 0, 1]) + gap)
    assert found == pytest.approx([found[0]] * 3, abs=1e-9)


def column(share: float, length: float = 10.0, n: int = 10) -> Solution:
    """A straight cantilever under a share of Euler's load π² E I/(4 L²) at its end."""
    h = 0.5
    euler = math.pi**2 * 1e6 * (h**3 / 12) / (4 * length**2)
    mesh = box("quad9", n, (length, h), -h / 2)
    loads = (traction((-share * euler / h, 0.0), on="x+"), traction(0.0))
    problem = Elasticity(
        SaintVenantKirchhoff(1e6, 0.0), domain=MeshDomain(mesh), conditions=(Dirichlet(0.0, on="x-"), *loads)
    )
    return solve(problem, FiniteElementField.for_problem(problem, degree=2))


def test_column_buckles_at_eulers_load() -> None:
    below, above = column(0.97), column(1.03)
    assert not below.notes
    assert abs(float(below.probe([[10.0, 0.0]])[0, 0, 1])) < 1e-6
    assert any("not stable" in note for note in above.notes)


@pytest.mark.parametrize(("share", "aside", "down"), [(1.02, 0.05, 0.11), (1.2, 3e-3, 0.01), (2.0, 3e-3, 3e-3)])
def test_column_is_led_out_of_the_saddle_point_onto_the_elastica(share: float, aside: float, down: float) -> None:
    """K(k) = π/2 √share, y = 2k L/K and x = (2 E(k)/K − 1) L at its end. It is pressed and shears too: its
    critical load differs by some (h/L)² from Euler's, which counts most just above that."""
    whole = math.pi / 2 * math.sqrt(share)
    k = brentq(lambda k: ellipk(k * k) - whole, 0.1, 0.9999)
    solution = column(share, 10.0, 10)
    x, y = (solution.probe([[10.0, 0.0]])[0, 0] / 10.0).tolist()
    assert abs(y) == pytest.approx(2 * k / whole, rel=aside)
    assert x == pytest.approx(2 * ellipe(k * k) / whole - 2, rel=down)


def slender(share: float) -> Elasticity:
    """A straight column in 3D under a share of Euler's load."""
    h, length = 0.5, 5.0
    load = share * math.pi**2 * 1e6 * h**2 / (12 * 4 * length**2)

    def place(x: np.ndarray) -> np.ndarray:
        return x * (length, h, h) - (0.0, h / 2, h / 2)

    domain = MeshDomain(mapped_mesh("hexahedron", (8, 1, 1), place, {"x-": "wall", "x+": "tip"}))
    held = (Dirichlet(0.0, on="wall"), traction((-load, 0.0, 0.0), on="tip"), traction(0.0))
    return Elasticity(SaintVenantKirchhoff(1e6, 0.0), domain=domain, conditions=held)


def test_krylov_methods_tell_saddle_points_too() -> None:
    for share in (0.9, 1.2):
        problem = slender(share)
        r = FiniteElementField.for_problem(problem, degree=2)
        straight = solve(problem, r, load_steps=LoadSteps(stable=False))
        space = make_dynamics(problem, r, "potential", newton=Newton(linear="cg")).space
        stage = Stage(straight.last.theta)
        kept, notes = settled(space, stage, leave=False)
        assert kept is stage and len(notes) == (share > 1)
        hessian = BodyEnergy(space, 0.0, None).hessian(stage.theta).toarray()
        least = float(np.linalg.eigvalsh(0.5 * (hessian + hessian.T))[0])
        assert (least < 0) == (share > 1)
        if notes:
            assert float(re.search(r"eigenvalue \((.*?)\)", notes[0])[1]) == pytest.approx(least, rel=0.05)
