"""Solids: signed distances, unions, functions of one's own."""

from __future__ import annotations

import math

import pytest
import torch
from tables import SQUARE, points_in
from torch import Tensor

from neuralpde.geometry import Block, Box, Disc, LevelSet, Solid
from neuralpde.types import UsageError

BALL = Disc((0.5, 0.4, 0.6), 0.3)


def _ellipse(x: Tensor) -> Tensor:
    return ((x[:, 0] - 0.5) / 0.3).square() + ((x[:, 1] - 0.5) / 0.2).square() - 1


@pytest.mark.parametrize(
    ("solid", "point", "distance"),
    [
        (Disc((0.5, 0.5), 0.2), (0.5, 0.8), 0.1),
        (Disc((0.5, 0.5), 0.2), (0.5, 0.5), -0.2),
        (BALL, (0.5, 0.4, 1.0), 0.1),
        (Block((0.0, 0.0), (1.0, 0.5)), (0.5, 0.75), 0.25),
        (Block((0.0, 0.0), (1.0, 0.5)), (1.3, 0.9), 0.5),
        (Block((0.0, 0.0), (1.0, 0.5)), (0.5, 0.4), -0.1),
        (Block((0.0, 0.0), (1.0, 0.5)) | Disc((0.5, 1.0), 0.1), (0.5, 0.85), 0.05),
        (LevelSet(_ellipse), (0.5, 0.7), 0.0),
    ],
)
def test_signed_distances(solid: Solid, point: tuple[float, ...], distance: float) -> None:
    x = torch.tensor([point], dtype=torch.float64)
    assert float(solid.distance(x)) == pytest.approx(distance, abs=1e-12)


@pytest.mark.parametrize("solid", [Disc((0.5, 0.5), 0.2), Block((0.2, 0.3), (0.7, 0.6)), BALL], ids=repr)
def test_a_distance_has_slope_one(solid: Solid) -> None:
    d = solid.dim
    assert d is not None
    x = points_in(Box((0.0,) * d, (1.0,) * d), 40).requires_grad_()
    (slope,) = torch.autograd.grad(solid.distance(x).sum(), x)
    assert float((slope.norm(dim=-1) - 1).abs().max()) <= 1e-12


def test_a_level_set_gives_distances_near_its_surface() -> None:
    disc = Disc((0.5, 0.5), 0.2)
    square = LevelSet(lambda x: (x - 0.5).square().sum(-1) - 0.04)
    angle = torch.linspace(0, 2 * math.pi, 9, dtype=torch.float64)
    x = 0.5 + 0.21 * torch.stack([torch.cos(angle), torch.sin(angle)], dim=-1)
    torch.testing.assert_close(square.distance(x), disc.distance(x), rtol=0.03, atol=0)
    assert square.dim is None and (square | disc).dim == 2
    assert not square.distance(points_in(SQUARE)).requires_grad


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Disc((0.0, 0.0), 0.0), "a positive radius"),
        (lambda: Block((0.0, 1.0), (1.0, 1.0)), "lower < upper along each axis"),
        (lambda: Disc((0.0, 0.0), 1.0) | BALL, "2D and 3D do not mix"),
        (lambda: LevelSet(lambda x: x).distance(points_in(SQUARE)), r"must return a tensor of shape \(n,\)"),
    ],
)
def test_what_cannot_be_is_refused(call, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        call()
