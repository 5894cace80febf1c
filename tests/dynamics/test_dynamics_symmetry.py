"""Conjugate gradients on grids: only where the matrix is symmetric."""

from __future__ import annotations

import pytest
import torch
from tables import SQUARE, UNIT

from neuralpde.dynamics import DiscreteDynamics, Newton
from neuralpde.geometry import Dirichlet, Neumann, Periodic
from neuralpde.integrators import Stage, State
from neuralpde.problems import Burgers, Heat, Problem, SineMode
from neuralpde.representations import GridField
from neuralpde.types import UsageError

WALLS = SineMode(wavenumbers=(0.5,))


def _step(problem: Problem, order, linear: str) -> Stage:
    r = GridField.for_problem(problem, 12, order=order)
    theta = torch.rand(r.num_dofs, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return DiscreteDynamics(problem, r, Newton(linear)).implicit(State(0.0, theta), (), 0.02, 0.02)


@pytest.mark.parametrize(
    ("problem", "order"),
    [
        (Heat(diffusivity=lambda x: 0.1 + 0.05 * torch.sin(6.283185307179586 * x)), 2),
        (Burgers(0.1), 2),
        (Heat(profile=WALLS, conditions=(Neumann(0.0),)), 2),
        (Heat(profile=WALLS, conditions=(Dirichlet(0.0),)), 6),
    ],
    ids=["varying coefficient", "first derivative", "Neumann", "order 6 at walls"],
)
def test_cg_refuses_a_matrix_that_is_not_symmetric(problem: Problem, order: int) -> None:
    with pytest.raises(UsageError, match=r"linear='cg' needs a symmetric matrix; .* use linear='gmres' or linear='dir"):
        _step(problem, order, "cg")
    torch.testing.assert_close(_step(problem, order, "gmres").theta, _step(problem, order, "direct").theta)


@pytest.mark.parametrize(
    ("problem", "order"),
    [
        (Heat(domain=UNIT, conditions=(Dirichlet(0.0),)), 2),
        (Heat(domain=SQUARE, conditions=(Periodic("x"), Dirichlet(0.0))), 2),
        (Heat(domain=SQUARE), 6),
        (Heat(domain=SQUARE), "fourier"),
    ],
    ids=["Dirichlet", "mixed", "order 6", "Fourier"],
)
def test_cg_takes_diffusion_on_periodic_and_dirichlet_axes(problem: Problem, order) -> None:
    torch.testing.assert_close(_step(problem, order, "cg").theta, _step(problem, order, "direct").theta)
