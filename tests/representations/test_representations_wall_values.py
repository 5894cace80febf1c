"""Fields of staggered grids on and beside walls: the wall's own value, and fourth order next to it."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from neuralpde.geometry import Box, Condition, Dirichlet, FreeSlip, Outflow, Periodic, face_lattice
from neuralpde.problems import LidDrivenCavity
from neuralpde.representations import MacGrid

SQUARE, CUBE = Box((0.0, -1.0), (2.0, 0.5)), Box((0.0, 0.0, -1.0), (1.0, 2.0, 0.0))


def _smooth(t: float, x: Tensor) -> Tensor:
    """Any smooth velocity that moves in time."""
    phase = x @ torch.linspace(1.0, 1.7, x.shape[1], dtype=x.dtype) + t
    return torch.stack([torch.sin((1 + 0.3 * i) * phase + i) for i in range(x.shape[1])], dim=-1)


BOXES: dict[str, tuple[Box, tuple[Condition, ...]]] = {
    "square": (SQUARE, (Dirichlet(_smooth),)),
    "cube": (CUBE, (Dirichlet(_smooth),)),
    "strip": (SQUARE, (Periodic("x"), Dirichlet((0.5, -0.25)))),
    "duct": (CUBE, (Periodic("y"), Dirichlet((0.5, -0.25, 1.0), "z+"), Dirichlet((0.5, -0.25, 1.0)))),
    "channel": (SQUARE, (Dirichlet(_smooth, ("x-", "y-", "y+")), Outflow("x+"))),
    "slippery": (CUBE, (Dirichlet(_smooth, ("x-", "z+")), FreeSlip(("y-", "y+")), Outflow("x+"), Dirichlet(0.0))),
}


@pytest.mark.parametrize("name", BOXES)
def test_on_a_wall_the_velocity_is_the_walls(name: str) -> None:
    box, conditions = BOXES[name]
    grid, t = MacGrid(box, conditions, shape=[5 + i for i in range(box.dim)]), 0.3
    theta = torch.randn(grid.num_dofs, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    field = grid.velocity.at(grid.split(theta)["velocity"], t)
    looked_at = 0
    for face in box.faces:
        axis, side = box.face(face)
        condition = grid.boundary.on(axis, side)
        # edges may have two walls that disagree: a lattice of midpoints two cells off them
        x = face_lattice(box, axis, side, 41).points
        middle = torch.tensor([0.5 * (a + b) for a, b in zip(box.lower, box.upper, strict=True)], dtype=torch.float64)
        inner = x if name in ("square", "strip", "duct") else middle + 0.1 * (x - middle)
        inner = inner.clone()
        inner[:, axis] = x[:, axis]
        if isinstance(condition, Dirichlet):
            looked_at += 1
            torch.testing.assert_close(field(inner), condition.at(t, inner, box.dim), rtol=0, atol=_ON[name])
        elif isinstance(condition, FreeSlip):
            looked_at += 1
            assert float(field(inner)[:, axis].abs().max()) <= 1e-13
    assert looked_at >= 2


# constants are met exactly; of data that vary what is between the faces is interpolated along the wall
_ON = {"square": 3e-2, "cube": 3e-2, "strip": 1e-13, "duct": 1e-13, "channel": 3e-2, "slippery": 3e-2}


def test_the_lid_moves_as_it_should_over_any_fluid() -> None:
    for n in (8, 16):
        problem = LidDrivenCavity(viscosity=1e-3)
        field = MacGrid.for_problem(problem, n).at(torch.zeros(n * (n - 1) * 2 + n * n, dtype=torch.float64))
        x = torch.stack([torch.linspace(0.3, 0.7, 9), torch.ones(9)], dim=-1).double()
        torch.testing.assert_close(field(x)[:, 0], torch.ones(9, dtype=torch.float64), rtol=0, atol=1e-13)
        walls = torch.tensor([[0.0, 0.97], [1.0, 0.9], [0.4, 0.0], [0.0, 1.0]], dtype=torch.float64)
        assert float(field(walls)[:, :2].abs().max()) <= 1e-13  # nothing passes through a wall, not even beside the lid


def test_an_inflow_is_the_same_up_to_the_walls_beside_it() -> None:
    box = Box((0.0, 0.0), (2.0, 1.0))
    grid = MacGrid(box, (Dirichlet((1.0, 0.0), "x-"), Outflow("x+"), Dirichlet(0.0)), shape=(16, 8))
    x = torch.stack([torch.zeros(50), torch.linspace(0.0, 1.0, 50)], dim=-1).double()
    for theta in (grid.initial(), torch.ones_like(grid.initial())):
        torch.testing.assert_close(grid.at(theta)(x)[:, 0], torch.ones(50, dtype=torch.float64), rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", ["square", "cube"])
def test_beside_walls_interpolation_is_of_fourth_order(name: str) -> None:
    box, conditions = BOXES[name]
    errors: list[list[float]] = []
    for n in (10, 20, 40):
        grid = MacGrid(box, conditions, shape=n)
        fit = grid.velocity.project(lambda x: _smooth(0.3, x), t=0.3).theta
        share = torch.rand(400, box.dim, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        lower, lengths = torch.tensor(box.lower).double(), torch.tensor(box.lengths).double()
        share[:, -1] /= n  # in the lowest cells: a wall
        on = torch.cat([share, torch.cat([share[:, :-1], torch.zeros(400, 1, dtype=torch.float64)], dim=-1)])
        x = lower + lengths * on
        e = (grid.velocity.at(fit, 0.3)(x) - _smooth(0.3, x)).abs().max(dim=-1).values
        errors.append([float(e[:400].max()), float(e[400:].max())])
    for beside, on_it in zip(
        *[[math.log2(a / b) for a, b in pairwise(c)] for c in zip(*errors, strict=True)], strict=True
    ):
        assert beside >= 3.6 and on_it >= 3.6


def test_pressures_reach_walls_and_open_ends() -> None:
    box = Box((0.0, 0.0), (2.0, 1.0))
    grid = MacGrid(box, (Dirichlet((1.0, 0.0), "x-"), Outflow("x+"), FreeSlip()), shape=(12, 9))

    def falling(x: Tensor) -> Tensor:
        return (2 - x[:, :1]) * (1 + 0.5 * x[:, 1:])

    pressure = grid.pressure.at(grid.pressure.project(falling).theta)
    y = torch.linspace(0.0, 1.0, 11, dtype=torch.float64)
    for end in (0.0, 1.9, 2.0):
        x = torch.stack([torch.full_like(y, end), y], dim=-1)
        torch.testing.assert_close(pressure(x), falling(x), rtol=0, atol=1e-13)
