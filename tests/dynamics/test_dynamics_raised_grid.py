"""Large deformations on grids: boundaries that move far, and what fails."""

from __future__ import annotations

import pytest
from problem_rows import bend
from torch import Tensor

from neuralpde import Dirichlet, Elasticity, GridField, NeoHookean, solve
from neuralpde.dynamics import LoadSteps
from neuralpde.geometry import HalfSpace
from neuralpde.problems import ARAP, Contact, Material, SaintVenantKirchhoff
from neuralpde.types import NotConvergedError, UsageError


def half(x: Tensor) -> Tensor:
    """A side of the unit square that moves by half of its length."""
    return 0.5 * bend(x)


def mirrored(t: float, x: Tensor) -> Tensor:
    return (1 - 2 * x) * x.new_tensor([1.0, 0.0])


def square(material: Material) -> Elasticity:
    return Elasticity(material, solution=half, conditions=(Dirichlet(lambda t, x: half(x)),))


@pytest.mark.parametrize("material", [NeoHookean(2.0, 0.3), ARAP(1.0, 1.0), SaintVenantKirchhoff(2.0, 0.3)])
def test_boundaries_move_by_half_of_a_side(material: Material) -> None:
    body = square(material)
    errors = [solve(body, GridField.for_problem(body, n)).error()["rel_l2"] for n in (9, 17)]
    assert errors[1] < 2e-4 and 3.5 < errors[0] / errors[1] < 4.5


def test_loads_are_raised_where_the_whole_fails() -> None:
    """The nodes next to the boundary would be turned inside out by a step from nothing to all."""
    body = square(NeoHookean(2.0, 0.3))
    run = solve(body, GridField.for_problem(body, 17))
    assert any(note.startswith("load steps at the factors 0.") and note.endswith("1") for note in run.notes)


def test_what_is_carried_is_told() -> None:
    """A square whose left and right sides change places is turned inside out on the way."""
    crossed = Elasticity(NeoHookean(2.0, 0.3), conditions=(Dirichlet(mirrored),))
    grid = GridField.for_problem(crossed, 9)
    with pytest.raises(NotConvergedError, match="the load was raised up to the factor 0"):
        solve(crossed, grid, load_steps=LoadSteps(smallest=0.05))


def test_contact_is_refused() -> None:
    """It would be left out: the body would lie in the floor."""
    floor = Contact(HalfSpace((0.0, -0.1), (0.0, 1.0)))
    body = Elasticity(NeoHookean(2.0, 0.3), conditions=(Dirichlet((0.0, -0.5)),), contact=(floor,))
    with pytest.raises(UsageError, match="contact of Elasticity takes method='potential'"):
        solve(body, GridField.for_problem(body, 9))
