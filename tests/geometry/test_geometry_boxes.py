"""Boxes, conditions and the table of which face carries which."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest
import torch

import neuralpde.geometry
from neuralpde.geometry import Boundary, Box, Dirichlet, Neumann, Periodic
from neuralpde.types import UsageError


def test_a_box_knows_its_sizes() -> None:
    box = Box((0.0, -1.0, 2.0), (2.0, 0.0, 2.5))
    assert (box.dim, box.lengths, box.volume) == (3, (2.0, 1.0, 0.5), 1.0)
    assert box.faces == ("x-", "x+", "y-", "y+", "z-", "z+")
    assert [box.face(name) for name in ("x-", "y+")] == [(0, 0), (1, 1)]


def test_numbers_stand_for_an_interval() -> None:
    assert Box(-2, 2) == Box((-2.0,), (2.0,))  # type: ignore[arg-type]


def test_a_closed_box_contains_its_ends() -> None:
    x = torch.tensor([[0.0], [1.0], [0.5], [-1e-6], [1 + 1e-6]], dtype=torch.float64)
    assert Box((0.0,), (1.0,)).contains(x).tolist() == [True, True, True, False, False]


def test_points_of_the_unit_cube_fill_the_box() -> None:
    unit = torch.tensor([[0.0, 0.0], [1.0, 0.25]])
    assert Box((1.0, -2.0), (3.0, 2.0)).from_unit(unit).tolist() == [[1.0, -2.0], [3.0, -1.0]]


@pytest.mark.parametrize(
    ("lower", "upper", "sentence"),
    [
        ((0.0,), (1.0, 2.0), "as many lower as upper coordinates; got 1 and 2"),
        ((0.0, 1.0), (1.0, 1.0), "lower < upper along y; got 1 and 1"),
        ((0.0,), (float("nan"),), "lower < upper along x"),
        ((), (), "1 to 10 dimensions; got 0"),
    ],
)
def test_impossible_boxes_are_refused(lower: tuple, upper: tuple, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Box(lower, upper)


SQUARE = Box((0.0, 0.0), (1.0, 2.0))


def test_all_fills_the_faces_that_are_left() -> None:
    wall, slope = Dirichlet(1.0), Neumann(2.0, "x+")
    boundary = Boundary(SQUARE, (wall, slope))
    assert boundary.table == {"x-": wall, "x+": slope, "y-": wall, "y+": wall}
    assert boundary.on(0, 1) is slope and boundary.on(1, 0) is wall
    assert boundary.faces_with(Neumann) == ((0, 1, slope),)


def test_periodic_axes_have_periods() -> None:
    boundary = Boundary(SQUARE, (Periodic("y"),))
    assert boundary.periodic == (False, True) and boundary.periods == (None, 2.0)
    assert boundary.on(0, 0) is None
    assert Boundary(SQUARE, (Periodic(("x", "y")),)).periods == (1.0, 2.0)


@pytest.mark.parametrize(
    ("conditions", "sentence"),
    [
        ((Dirichlet(0.0, "x-"), Neumann(0.0, ("x-", "y+"))), "face 'x-' has two conditions"),
        ((Periodic("x"), Dirichlet(0.0, "x+")), "face 'x\\+' has two conditions"),
        ((Dirichlet(0.0, "z-"),), "faces x-, x\\+, y-, y\\+; there is no face 'z-'"),
        ((Periodic("z"),), "there is no face 'z-'"),
        (
            (Dirichlet(0.0), Neumann(0.0)),
            r"two conditions claim all remaining faces \(x-, x\+, y-, y\+\): Dirichlet.*Neum",
        ),
        (
            (Dirichlet(1.0, "x-"), Periodic(), Dirichlet(0.0)),
            r"all remaining faces \(x\+, y-, y\+\): Periodic.* and Dir",
        ),
        ((Periodic(), Dirichlet(0.0, on="x-")), "axis x cannot be periodic on one face only: x- has Dirichlet"),
        ((Neumann(0.0, on="y+"), Periodic()), "axis y cannot be periodic on one face only: y\\+ has Neumann"),
    ],
)
def test_contradictions_are_refused(conditions: tuple, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Boundary(SQUARE, conditions)


def test_a_filler_may_find_no_face_left() -> None:
    walls = tuple(Dirichlet(1.0, face) for face in SQUARE.faces)
    assert set(Boundary(SQUARE, (*walls, Neumann(0.0))).table.values()) == set(walls)
    sides = Dirichlet(0.0, ("x-", "x+"))
    assert Boundary(SQUARE, (sides, Periodic())).periodic == (False, True)


@pytest.mark.parametrize("kind", [Dirichlet, Neumann])
def test_values_are_numbers_or_functions_of_time_and_place(kind: type) -> None:
    x = torch.tensor([[0.0, 1.0], [0.5, 1.0]], dtype=torch.float64)
    assert kind(3.0).at(0.0, x, channels=2).tolist() == [[3.0, 3.0], [3.0, 3.0]]
    assert kind(lambda t, p: t * p[:, 0]).at(2.0, x).tolist() == [[0.0], [1.0]]
    assert kind(lambda t, p: t * p).at(2.0, x, channels=2).tolist() == [[0.0, 2.0], [1.0, 2.0]]


@pytest.mark.parametrize("name", [m.name for m in pkgutil.iter_modules(neuralpde.geometry.__path__)])
def test_docstring_examples(name: str) -> None:
    assert doctest.testmod(importlib.import_module(f"neuralpde.geometry.{name}")).failed == 0
