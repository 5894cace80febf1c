"""Sentences for grids and conditions that cannot be, and what the valued conditions share."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuralpde.geometry import Boundary, Box, Dirichlet, Grid, Neumann, Periodic
from neuralpde.types import UsageError

SQUARE = Box((0.0, 0.0), (1.0, 1.0))


@pytest.mark.parametrize(
    ("shape", "sentence"),
    [
        (0, r"at least 3 nodes along each axis; got \(0, 0\)"),
        ((8, -8), r"at least 3 nodes along each axis; got \(8, -8\)"),
        (10.5, r"whole number of nodes, or one per axis, for instance 64 or \(64, 32\); got 10.5"),
        ((8, 8.0), r"whole number of nodes.*; got \(8, 8.0\)"),
        ("64", "whole number of nodes.*; got '64'"),
        (None, "whole number of nodes.*; got None"),
    ],
)
def test_an_impossible_shape_is_refused(shape, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Grid(SQUARE, shape, (False, False))


@pytest.mark.parametrize("shape", [8, (8, 8), [8, 8], np.int64(8), torch.Size((8, 8))], ids=str)
def test_whole_numbers_of_any_kind_are_a_shape(shape) -> None:
    assert Grid(SQUARE, shape, (False, False)).shape == (8, 8)


@pytest.mark.parametrize(
    ("conditions", "sentence"),
    [
        (
            Periodic(),
            r"must be a tuple of .*, for instance \(Periodic\(...\),\); got Periodic\(axes='all'\) a",
        ),
        ("periodic", "must be a tuple of .*conditions.*; got 'periodic'"),
        (0.0, "must be a tuple of .*conditions.*; got 0.0"),
        ((Dirichlet(0.0, "x-"), "periodic"), "must be a tuple of .*conditions.*; it holds 'periodic'"),
        ((Periodic,), "must be a tuple of .*conditions.*; it holds <class"),
    ],
    ids=str,
)
def test_what_is_no_tuple_of_conditions_is_refused(conditions, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Boundary(SQUARE, conditions)


@pytest.mark.parametrize("kind", [Dirichlet, Neumann])
def test_valued_conditions_share_their_faces(kind) -> None:
    assert kind().faces == ("all",)
    assert kind(1.0, "x-").faces == ("x-",) and kind(1.0, ["x-", "y+"]).faces == ("x-", "y+")
    assert "faces" not in vars(kind)
