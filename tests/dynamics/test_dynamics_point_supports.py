"""Supports of named points and edges, loads at points, pressures."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from unit_meshes import unit_mesh

from neuralpde.dynamics import make_dynamics
from neuralpde.geometry import (
    Box,
    Dirichlet,
    Flux,
    Mesh,
    MeshDomain,
    PointLoad,
    Pressure,
    read_mesh,
    repair_mesh,
    with_points,
)
from neuralpde.problems import Heat, LinearElasticity, traction
from neuralpde.representations import FiniteElementField, GridField, NeuralField
from neuralpde.simulate import solve
from neuralpde.simulate._problem_data import first_difference, problem_data
from neuralpde.types import UsageError

SQUARE = unit_mesh("triangle", 4, distort=0.2)
PINS = (Dirichlet(0.0, "pin"), Dirichlet(0.0, "slide", "y"))
PINNED = MeshDomain(with_points(SQUARE, pin=(0.0, 0.0), slide=(1.0, 0.0)))


@pytest.mark.parametrize("degree", [1, 2])
def test_a_body_on_a_pin_and_a_roller(degree: int) -> None:
    """Pulled on both sides it needs supports that carry nothing: they hold the rigid motions alone."""
    pulled = (traction((2.0, 0.0), "x+"), traction((-2.0, 0.0), "x-"), Flux(0.0))
    body = LinearElasticity(young=10.0, plane="stress", domain=PINNED, conditions=(*PINS, *pulled))
    r = FiniteElementField.for_problem(body, degree)
    assert r.num_dofs == 2 * r.tables.num_nodes - 3
    run = solve(body, r)
    wanted = r.nodes * torch.tensor([0.2, -0.06], dtype=torch.float64)
    torch.testing.assert_close(r.values(run.states[-1], 0.0), wanted, rtol=0, atol=1e-13)
    with pytest.raises(UsageError, match="free to turn: give u"):
        single = replace(body, conditions=(PINS[0], *pulled))
        solve(single, FiniteElementField.for_problem(single, degree))


def test_reactions_of_pins_balance_a_load() -> None:
    body = LinearElasticity(domain=PINNED, conditions=(*PINS, PointLoad((3.0, -8.0), (0.5, 1.0)), Flux(0.0)))
    table = solve(body, FiniteElementField.for_problem(body)).fluxes()
    flux = {name: [float(table[f"force_on_{name}_{'xyz'[k]}"][0]) for k in range(2)] for name in ("pin", "slide")}
    # what leaves through supports is minus their reaction on the body: moments about the pin give that of the roller
    assert np.allclose(flux["slide"], (0.0, -(8 * 0.5 + 3 * 1.0)), atol=1e-10)
    assert np.allclose(flux["pin"], (3.0, -8 + 7.0), atol=1e-10)


def test_a_load_at_a_place_is_its_work() -> None:
    """Between nodes too: the displacement there, over the load, is the same wherever load and probe change places."""
    free = LinearElasticity(domain=PINNED, conditions=(Dirichlet(0.0, "x-"), Flux(0.0)))
    a, b = (0.813, 0.377), (0.591, 0.774)
    found = []
    for here, there in ((a, b), (b, a)):
        body = replace(free, conditions=(*free.conditions, PointLoad((0.0, 1.0), here)))
        run = solve(body, FiniteElementField.for_problem(body))
        found.append(float(run.at(0.0)(torch.tensor([there], dtype=torch.float64))[0, 1]))
    assert math.isclose(*found, rel_tol=1e-11) and found[0] > 0.1


@pytest.mark.parametrize("kind", ["triangle", "tetra", "hexahedron"])
def test_pressure_all_around(kind: str) -> None:
    """p everywhere is the stress −p I: the body shrinks evenly."""
    domain = MeshDomain(unit_mesh(kind, 2, distort=0.2))
    d, bulk = domain.dim, 1 / (3 * (1 - 2 * 0.3))
    held = tuple(Dirichlet(0.0, f"{a}-", a) for a in "xyz"[:d])
    body = LinearElasticity(domain=domain, conditions=(*held, Pressure(0.5, tuple(f"{a}+" for a in "xyz"[:d]))))
    r = FiniteElementField.for_problem(body)
    strain = -0.5 / (3 * bulk) if d == 3 else -0.5 * (1 + 0.3) * (1 - 2 * 0.3)
    torch.testing.assert_close(r.values(solve(body, r).states[-1], 0.0), strain * r.nodes, rtol=0, atol=1e-12)
    faces = tuple(f"{a}+" for a in "xyz"[:d])
    varying = replace(body, conditions=(*held, Pressure(lambda t, x: 0.5 + 0 * x[:, :1], faces)))
    torch.testing.assert_close(solve(varying, r).states, solve(body, r).states, rtol=1e-12, atol=0)
    later = replace(body, conditions=(*held, Pressure(0.5, faces, follower=True)))
    with pytest.raises(UsageError, match="follows the boundary as it deforms, which LinearElasticity does not know"):
        solve(later, FiniteElementField.for_problem(later))


CUBE_FILE = """$MeshFormat
2.2 0 8
$EndMeshFormat
$PhysicalNames
4
0 7 "corner"
1 8 "edge"
2 9 "floor"
3 10 "body"
$EndPhysicalNames
$Nodes
{nodes}
$EndNodes
$Elements
{elements}
$EndElements
"""


def cube_file(path: Path) -> Path:
    """The unit cube with physical groups of every dimension: a corner, an edge, a face."""
    mesh = unit_mesh("tetra", 2)
    number = {tuple(x): k + 1 for k, x in enumerate(mesh.points)}
    floor = mesh.facet_nodes(mesh.tags["z-"]) + 1
    lines = [[15, 2, 7, 1, number[1.0, 1.0, 1.0]]]
    lines += [[1, 2, 8, 1, number[x, 0.0, 1.0], number[x + 0.5, 0.0, 1.0]] for x in (0.0, 0.5)]
    lines += [[15, 2, 0, 1, number[0.0, 0.0, 0.0]], *([2, 2, 9, 1, *f] for f in floor.tolist())]
    lines += [[4, 2, 10, 1, *c] for c in (mesh.cells + 1).tolist()]
    nodes = [len(mesh.points), *(f"{k + 1} {x} {y} {z}" for k, (x, y, z) in enumerate(mesh.points))]
    elements = [len(lines), *(" ".join(map(str, [k + 1, *row])) for k, row in enumerate(lines))]
    text = CUBE_FILE.format(nodes="\n".join(map(str, nodes)), elements="\n".join(map(str, elements)))
    path.write_text(text)
    return path


def test_physical_groups_of_points_and_edges(tmp_path: Path) -> None:
    mesh = read_mesh(cube_file(tmp_path / "cube.msh"))
    assert set(mesh.sets) == {"corner", "edge"} and mesh.sets["edge"].shape == (2, 2)
    domain = MeshDomain(mesh)
    # the corner alone, and an edge with its middle nodes, along which it slides
    held = (Dirichlet(0.0, "floor", "z"), Dirichlet(0.0, "edge", "yz"), Dirichlet((0.1, 0.2, 0.3), "corner"))
    for degree, nodes in ((1, 3), (2, 5)):
        r = FiniteElementField(domain, (*held, Flux(0.0)), 3, degree=degree)
        fixed = r.nodes[r.fixed[:, 1] & ~r.fixed[:, 0]]
        assert len(fixed) == nodes and bool((fixed[:, 1] == 0).all() and (fixed[:, 2] == 1).all())
        values = r.values(r.initial(), 0.0)
        top = values[(r.nodes == 1).all(1)][0]
        torch.testing.assert_close(top, torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64))
        assert int((values != 0).any(1).sum()) == 1
    assert repair_mesh(mesh).sets.keys() == mesh.sets.keys()


def test_abaqus_sets_of_nodes(tmp_path: Path) -> None:
    """A set of nodes of a whole side holds that side, with the nodes between."""
    nodes = "".join(f"{k + 1}, {x}, {y}\n" for k, (x, y) in enumerate(SQUARE.points))
    cells = "".join(f"{k + 1}, {a + 1}, {b + 1}, {c + 1}\n" for k, (a, b, c) in enumerate(SQUARE.cells))
    side = ", ".join(str(k + 1) for k in np.flatnonzero(SQUARE.points[:, 0] == 0))
    path = tmp_path / "square.inp"
    path.write_text(f"*NODE\n{nodes}*ELEMENT, TYPE=CPS3\n{cells}*NSET, NSET=wall\n{side}\n")
    domain = MeshDomain(read_mesh(path))
    assert domain.sets.keys() == {"wall"} and domain.faces == ("untagged",)
    clamp = LinearElasticity(domain=MeshDomain(SQUARE), conditions=(Dirichlet(0.0, "x-"), Flux(0.0)))
    body = replace(clamp, domain=domain, conditions=(Dirichlet(0.0, "wall"), Flux(0.0)))
    for degree in (1, 2):
        fields = [FiniteElementField.for_problem(p, degree) for p in (clamp, body)]
        assert fields[0].num_dofs == fields[1].num_dofs


def test_points_of_a_mesh_by_name() -> None:
    mesh = with_points(SQUARE, pin=(0.02, 0.98))
    assert np.allclose(mesh.points[mesh.sets["pin"][0, 0]], (0.0, 1.0))
    with pytest.raises(UsageError, match=r"pin = \(2.0, 0.0\) is not near the mesh: its nearest point is \(1, 0\)"):
        with_points(SQUARE, pin=(2.0, 0.0))
    with pytest.raises(UsageError, match="'x-' is a part of the mesh's boundary already"):
        with_points(SQUARE, **{"x-": (0.0, 0.0)})
    with pytest.raises(UsageError, match="has 2 coordinates"):
        with_points(SQUARE, pin=(2.0, 0.0, 0.0))
    other = MeshDomain(with_points(SQUARE, pin=(1.0, 1.0)))
    assert MeshDomain(mesh) != other and other.difference(PINNED) == "points and edges that have names"
    assert MeshDomain(mesh) == MeshDomain(with_points(SQUARE, pin=(0.0, 1.0)))


@pytest.mark.parametrize(
    ("conditions", "sentence"),
    [
        ((traction((1.0, 0.0), "pin"),), "'pin' is a set of points or edges, which has no area"),
        ((Dirichlet(0.0, "pin"), Dirichlet(0.0, "pin", "x")), "'pin' has two conditions"),
        ((Dirichlet(0.0, "pinn"),), "and the points and edges pin, slide; there is no 'pinn'; did you mean pin?"),
        ((traction((1.0, 0.0), "X-"),), "there is no 'X-'; did you mean x-?"),
        ((PointLoad((1.0, 0.0), (2.0, 0.5)),), "lies outside the domain"),
        ((PointLoad((1.0, 0.0), (2.0, 0.5, 0.0)),), "a place in 2D has 2 numbers"),
    ],
)
def test_what_points_cannot_carry(conditions: tuple, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        FiniteElementField(PINNED, (*conditions, Flux(0.0)), 2)


def test_who_knows_no_points() -> None:
    load = PointLoad((0.0, 1.0), (0.5, 0.5))
    with pytest.raises(UsageError, match="a GridField knows no single points"):
        GridField(Box((0.0, 0.0), (1.0, 1.0)), (Dirichlet(0.0), load), 2, shape=(4, 4))
    with pytest.raises(UsageError, match="a NeuralField knows no single points"):
        NeuralField(PINNED, (*PINS, Flux(0.0)), 2)
    heat = Heat(steady=True, domain=PINNED, conditions=(Dirichlet(0.0, "x-"), Pressure(1.0, "x+"), Flux(0.0)))
    with pytest.raises(UsageError, match="presses on a solid, whose displacement has 2 components"):
        make_dynamics(heat, FiniteElementField.for_problem(heat))
    with pytest.raises(UsageError, match="the place of a PointLoad is one number for each axis"):
        PointLoad(1.0)


def test_meshes_that_differ_in_parts_alone() -> None:
    half = np.arange(len(SQUARE.cells) // 2)
    one, two = (Mesh(SQUARE.points, SQUARE.cells, "triangle", {"a": ids}, SQUARE.tags) for ids in (half, half[:3]))
    body = LinearElasticity(domain=MeshDomain(one))
    with pytest.raises(UsageError, match="and their meshes differ in parts; build it with"):
        make_dynamics(body, FiniteElementField.for_problem(replace(body, domain=MeshDomain(two))))


def test_pairs_with_other_points_and_loads_are_refused() -> None:
    load = PointLoad((0.0, 1.0), (0.5, 0.5))
    body = LinearElasticity(domain=PINNED, conditions=(*PINS, load, Flux(0.0)))
    r = FiniteElementField.for_problem(body)
    assert make_dynamics(replace(body, conditions=(*PINS, PointLoad((0.0, 1.0), (0.5, 0.5)), Flux(0.0))), r)
    others = (
        (*PINS, Flux(0.0)),
        (*PINS, PointLoad((0.0, 1.0), (0.5, 0.6)), Flux(0.0)),
        (*PINS, PointLoad((0.0, 2.0), (0.5, 0.5)), Flux(0.0)),
        (Dirichlet(1.0, "pin"), PINS[1], load, Flux(0.0)),
    )
    for conditions in others:
        with pytest.raises(UsageError, match="the representation holds the conditions"):
            make_dynamics(replace(body, conditions=conditions), r)


def test_saved_runs_know_their_supports_and_loads() -> None:
    load = PointLoad((0.0, 1.0), (0.5, 0.5))
    body = LinearElasticity(domain=PINNED, conditions=(*PINS, load, Flux(0.0)))
    saved = json.loads(json.dumps(problem_data(body)))
    assert first_difference(saved, problem_data(replace(body))) is None
    for conditions in ((PINS[0], Dirichlet(0.0, "slide", "x"), load), (*PINS, PointLoad((0.0, 2.0), (0.5, 0.5)))):
        found = first_difference(saved, problem_data(replace(body, conditions=(*conditions, Flux(0.0)))))
        assert found is not None and found[0] == "supports of components and points, loads at points"
