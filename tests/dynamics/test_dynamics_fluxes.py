"""What goes through parts of the boundary: balances to rounding, exact fluxes, their order."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from tables import orders
from torch import Tensor
from unit_meshes import unit_mesh

from neuralpde.dynamics import make_dynamics
from neuralpde.dynamics._boundary_fluxes import time_stencil
from neuralpde.geometry import Box, Dirichlet, Flux, Mesh, MeshDomain, Neumann, Robin
from neuralpde.integrators import SDIRK4
from neuralpde.problems import (
    AdvectionDiffusion,
    ByPart,
    Heat,
    LinearElasticity,
    Poisson,
    Problem,
    Rotation,
    Schnakenberg,
    refuse_jumps,
    traction,
)
from neuralpde.problems import ReactionDiffusion as Reacting
from neuralpde.representations import FiniteElementField, GridField
from neuralpde.simulate import simulate, solve
from neuralpde.types import UsageError


def halves(kind: str, n: int, distort: float = 0.0) -> MeshDomain:
    """The unit square or cube with the parts "wood" (x < 1/2) and "steel"; nodes on the interface stay there."""
    mesh = unit_mesh(kind, n)
    points = mesh.points.copy()
    inner = ((points > 1e-9) & (points < 1 - 1e-9)).all(1) & (np.abs(points[:, 0] - 0.5) > 1e-9)
    points[inner] += np.random.default_rng(1).uniform(-distort, distort, points[inner].shape) / n
    left = points[mesh.cells].mean(1)[:, 0] < 0.5
    parts = {"wood": np.flatnonzero(left), "steel": np.flatnonzero(~left)}
    return MeshDomain(Mesh(points, mesh.cells, mesh.kind, parts, mesh.tags))


MATERIALS = ByPart({"wood": 0.2, "steel": 50.0})


def warm(t: float, x: Tensor) -> Tensor:
    return torch.sin(3 * x[:, :1] + t) + x[:, 1:2] ** 2


def source(t: float, x: Tensor) -> Tensor:
    return 1 + x[:, :1] * math.cos(t)


MIXED = (
    Dirichlet(warm, ("x-", "y+")),
    Flux(lambda t, x: x[:, 1:2] - 0.3, "x+"),
    Robin(2.0, lambda t, x: 1 + t + x[:, :1], "y-"),
)


@pytest.mark.parametrize("kind", ["triangle", "quad", "triangle6"])
@pytest.mark.parametrize("degree", [1, 2])
def test_materials_and_mixed_conditions_balance(kind: str, degree: int) -> None:
    problem = Poisson(
        source, domain=halves(kind, 4, 0.2 if kind != "triangle6" else 0.04), conditions=MIXED, diffusivity=MATERIALS
    )
    r = FiniteElementField.for_problem(problem, degree)
    table = solve(problem, r).fluxes()
    fluxes = [float(table[f"flux_{name}"][0]) for name in ("x-", "y+", "x+", "y-")]
    assert abs(sum(fluxes) - float(table["source"][0])) <= 1e-10 and table["storage"][0] == 0
    assert math.isclose(float(table["source"][0]), 1.5, rel_tol=1e-12 if kind != "triangle6" else 1e-5)
    assert math.isclose(fluxes[2], 0.2, rel_tol=1e-12)
    assert min(abs(f) for f in fluxes) > 1e-2


def test_the_balance_in_three_dimensions() -> None:
    conditions = (*MIXED, Neumann(0.5, ("z-", "z+")))
    problem = Poisson(source, domain=halves("tetra", 2), conditions=conditions, diffusivity=MATERIALS)
    table = solve(problem, FiniteElementField.for_problem(problem, 2)).fluxes()
    total = sum(float(v[0]) for name, v in table.items() if name.startswith("flux"))
    assert abs(total - float(table["source"][0])) <= 1e-10
    assert math.isclose(float(table["flux_z+"][0]), -0.5 * 0.5 * 50.2, rel_tol=1e-9)


def test_two_walls_in_series() -> None:
    """1 / (½/κ₁ + ½/κ₂) flows through both, and u is linear in each."""
    problem = Poisson(
        0.0,
        domain=halves("triangle", 4, 0.2),
        conditions=(Dirichlet(0.0, "x-"), Dirichlet(1.0, "x+"), Flux(0.0)),
        diffusivity=MATERIALS,
    )
    run = solve(problem, FiniteElementField.for_problem(problem, 1))
    through = 1 / (0.5 / 0.2 + 0.5 / 50)
    table = run.fluxes()
    assert abs(float(table["flux_x-"][0]) - through) <= 1e-10 and abs(float(table["flux_x+"][0]) + through) <= 1e-10
    x = torch.tensor([[0.25, 0.3], [0.75, 0.6]], dtype=torch.float64)
    wanted = torch.tensor([[through * 0.25 / 0.2], [1 - through * 0.25 / 50]], dtype=torch.float64)
    torch.testing.assert_close(run.at(0.0)(x), wanted, rtol=0, atol=1e-12)


IN_TIME: dict[str, Problem] = {
    "heat": Heat(MATERIALS, source, warm_start := (lambda x: warm(0.0, x)), halves("triangle", 4), MIXED),
    "advection": AdvectionDiffusion(
        Rotation(), 0.1, source, warm_start, domain=halves("triangle", 4), conditions=MIXED
    ),
}


@pytest.mark.parametrize("name", IN_TIME)
def test_the_balance_in_time(name: str) -> None:
    """Σ fluxes + ∫ u_t = ∫ s at every time; and ∫ u_t is what the run does to ∫ u."""
    problem = IN_TIME[name]
    r = FiniteElementField.for_problem(problem, 2)
    run = simulate(problem, r, SDIRK4(), dt=0.0125, t_end=0.1)
    table = run.fluxes()
    total = sum(v for key, v in table.items() if key.startswith("flux")) + table["storage"]
    assert np.abs(total - table["source"]).max() <= 1e-10
    mass = r.mass()
    content = [
        float((mass @ r.values(s, float(t))[:, 0].numpy()).sum()) for t, s in zip(run.times, run.states, strict=True)
    ]
    rate = (content[-3 - 2] - 8 * content[-3 - 1] + 8 * content[-3 + 1] - content[-3 + 2]) / (12 * 0.0125)
    assert abs(rate - table["storage"][-3]) <= 5e-3 * abs(rate)


def driven(value: Callable[[float], float], kappa: float) -> Heat:
    """Heat from rest, with u = value(t) at x = 0 and nothing through the other sides."""
    held = Dirichlet(lambda t, x: torch.full_like(x[:, :1], value(t)), "x-")
    return Heat(kappa, None, lambda x: 0 * x[:, :1], MeshDomain(unit_mesh("triangle", 6)), (held, Flux(0.0)))


def test_storage_with_data_that_move_in_microseconds() -> None:
    """∫ u_t is the rate of ∫ u also at the last time, past which nothing is known of the data."""
    dt, end = 5e-6, 4e-4

    def value(t: float) -> float:
        assert 0 <= t <= end, f"the data were asked for at t = {t}"
        return math.sin(2000 * math.pi * t)

    problem = driven(value, 1e3)
    r = FiniteElementField.for_problem(problem, 1)
    run = simulate(problem, r, SDIRK4(), dt=dt, t_end=end)
    mass, table = r.mass(), run.fluxes()
    content = np.array(
        [float((mass @ r.values(s, float(t)).numpy()).sum()) for t, s in zip(run.times, run.states, strict=True)]
    )
    inner = (content[:-4] - 8 * content[1:-3] + 8 * content[3:-1] - content[4:]) / (12 * dt)
    np.testing.assert_allclose(table["storage"][40:-2], inner[38:], rtol=0, atol=1e-4 * np.abs(inner).max())
    last = content[-5:] @ np.array([3, -16, 36, -48, 25]) / (12 * dt)
    assert abs(table["storage"][-1] - last) <= 1e-4 * np.abs(inner).max()


def test_fluxes_of_data_without_a_past() -> None:
    """√t has no value before t = 0; at t > 0 the fluxes are those of the steps."""
    run = simulate(
        problem := driven(math.sqrt, 1.0),
        r := FiniteElementField.for_problem(problem, 1),
        SDIRK4(),
        dt=0.01,
        t_end=0.2,
    )
    table, mass = run.fluxes(), r.mass()
    content = [float((mass @ r.values(s, float(t)).numpy()).sum()) for t, s in zip(run.times, run.states, strict=True)]
    rate = (content[13] - 8 * content[14] + 8 * content[16] - content[17]) / (12 * 0.01)
    assert abs(table["storage"][15] - rate) <= 1e-3 * abs(rate)
    assert abs(table["storage"][15] + table["flux_x-"][15]) <= 1e-10


def test_the_stencil_in_time_stays_inside_the_run() -> None:
    """Exact for polynomials of degree 4, at both ends too."""
    for t in (2.0, 2.0005, 2.4, 2.9999, 3.0):
        stencil = time_stencil(t, 0.1, 2.0, 3.0)
        assert min(stencil) >= 2 and max(stencil) <= 3
        assert math.isclose(sum(w * s**4 for s, w in stencil.items()), 4 * t**3, rel_tol=1e-8)


@pytest.mark.parametrize("degree", [1, 2])
def test_consistent_fluxes_converge_twice_as_fast_as_gradients(degree: int) -> None:
    """∮ n·f of sin πx sin πy through x = 0 is 2: ∂u/∂n on the boundary is of order k, the reaction of 2k."""
    errors = []
    for n in (8, 16):
        problem = Poisson(domain=MeshDomain(unit_mesh("triangle", n)))
        table = solve(problem, FiniteElementField.for_problem(problem, degree)).fluxes()
        errors.append(abs(float(table["flux_x-"][0]) - 2.0))
        assert (
            abs(sum(float(table[f"flux_{s}"][0]) for s in ("x-", "x+", "y-", "y+")) - float(table["source"][0]))
            <= 1e-10
        )
    assert orders(errors)[0] >= 2 * degree - 0.3


def test_several_unknowns_have_their_own_columns() -> None:
    domain = MeshDomain(unit_mesh("triangle", 2))
    problem = Reacting(Schnakenberg(), (0.1, 0.2), domain=domain, conditions=(Flux((0.1, -0.2), "x-"), Flux(0.0)))
    run = simulate(problem, FiniteElementField.for_problem(problem, 1), SDIRK4(), dt=0.1, t_end=0.2)
    table = run.fluxes()
    np.testing.assert_allclose(table["flux_x-_u"], 0.1, rtol=1e-12)
    np.testing.assert_allclose(table["flux_x-_v"], -0.2, rtol=1e-12)


def test_what_has_no_fluxes_is_refused() -> None:
    problem = Poisson(domain=Box((0.0, 0.0), (1.0, 1.0)))
    with pytest.raises(UsageError, match="are known of finite elements; this is a GridField"):
        solve(problem, GridField.for_problem(problem, 9)).fluxes()


def test_parts_that_do_not_fit_are_refused() -> None:
    domain = halves("triangle", 2)
    for values, sentence in (
        ({"wood": 1.0}, "are in none of the parts wood .*give elsewhere"),
        ({"iron": 1.0}, "has the parts wood, steel; there is no 'iron'"),
        ({"wood": 1.0, "steel": -1.0}, "must be positive"),
    ):
        with pytest.raises(UsageError, match=sentence):
            Poisson(1.0, domain=domain, diffusivity=ByPart(values))
    with pytest.raises(UsageError, match="goes by the parts of a mesh"):
        Poisson(1.0, diffusivity=MATERIALS)
    with pytest.raises(UsageError, match="makes no source where the diffusivity jumps"):
        Poisson(solution=lambda x: x[:, :1], domain=domain, diffusivity=MATERIALS)
    with pytest.raises(UsageError, match=r"the diffusivity of Poisson jumps .* use a FiniteElementField"):
        refuse_jumps(Poisson(1.0, domain=domain, diffusivity=MATERIALS))
    grey = replace(Poisson(1.0, domain=domain, diffusivity=MATERIALS), diffusivity=ByPart({"wood": 2.0}, elsewhere=3.0))
    assert float(make_dynamics(grey, FiniteElementField.for_problem(grey, 1)).problem.diffusivity.elsewhere) == 3.0


def test_names_that_overlap_have_the_sum_of_their_parts() -> None:
    mesh = unit_mesh("triangle", 4)
    tags = {**mesh.tags, "outer": np.concatenate([mesh.tags["x-"], mesh.tags["y-"]])}
    domain = MeshDomain(Mesh(mesh.points, mesh.cells, mesh.kind, mesh.parts, tags))
    plate = Poisson(source_term=1.0, domain=domain, conditions=(Dirichlet(0.0, "x+"), Flux(0.25, "outer"), Flux(0.0)))
    table = solve(plate, FiniteElementField.for_problem(plate)).fluxes()
    assert float(table["flux_outer"][0]) == pytest.approx(0.5, abs=1e-12)
    assert float(table["flux_x-"][0] + table["flux_y-"][0]) == pytest.approx(0.5, abs=1e-12)


def test_two_materials_in_a_row_stretch_as_springs_do() -> None:
    """u_x(1) = T (½/E₁ + ½/E₂) under the traction T, without lateral contraction."""
    mesh = unit_mesh("triangle", 4)
    left = mesh.points[mesh.cells].mean(1)[:, 0] < 0.5
    parts = {"steel": np.flatnonzero(left), "wood": np.flatnonzero(~left)}
    domain = MeshDomain(Mesh(mesh.points, mesh.cells, mesh.kind, parts, mesh.tags))
    conditions = (Dirichlet(0.0, "x-"), traction((2.0, 0.0), "x+"), traction((0.0, 0.0)))
    young = ByPart({"steel": 5.0, "wood": 1.0})
    bar = LinearElasticity(young=young, poisson_ratio=0.0, domain=domain, conditions=conditions)
    end = torch.tensor([[1.0, 0.3]], dtype=torch.float64)
    u = solve(bar, FiniteElementField.for_problem(bar, degree=1)).at(0.0)(end)
    torch.testing.assert_close(u, torch.tensor([[2.0 * (0.5 / 5.0 + 0.5), 0.0]], dtype=torch.float64))
    with pytest.raises(UsageError, match="must be positive"):
        replace(bar, young=ByPart({"steel": 5.0, "wood": -1.0}))
