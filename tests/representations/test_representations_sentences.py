"""Sentences for representations that cannot be built."""

from __future__ import annotations

import pytest
from tables import UNIT

from neuralpde.geometry import Dirichlet, Periodic
from neuralpde.problems import Heat
from neuralpde.representations import GridField, NeuralField
from neuralpde.types import UsageError

WALLS = (Dirichlet(0.0),)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: NeuralField(UNIT, WALLS, hidden=8), r"hidden layers, for instance \(16,\) or \(16, 16\); got 8"),
        (lambda: NeuralField(UNIT, WALLS, hidden="16"), r"hidden layers, for instance .*; got '16'"),
        (lambda: NeuralField(UNIT, WALLS, hidden=(8, 4.5)), r"hidden layers, for instance .*; got \(8, 4.5\)"),
        (lambda: NeuralField(UNIT, WALLS, hidden=(8, 0)), r"at least one positive width; got \(8, 0\)"),
        (lambda: NeuralField(UNIT, WALLS, hidden=()), r"at least one positive width; got \(\)"),
        (lambda: NeuralField(UNIT, WALLS, steepness=0), r"steepness must be a positive number \(5 to 30 .*; got 0"),
        (lambda: NeuralField(UNIT, WALLS, steepness=-3.0), "steepness must be a positive number .*; got -3.0"),
        (lambda: NeuralField(UNIT, WALLS, steepness=float("nan")), "steepness must be a positive number .*; got nan"),
        (lambda: NeuralField(UNIT, WALLS, steepness="12"), "steepness must be a positive number .*; got '12'"),
        (lambda: NeuralField(UNIT, WALLS, steepness=0, features="fourier"), "steepness .*must be a positive number"),
        (lambda: NeuralField(UNIT, Periodic()), r"for instance \(Periodic\(...\),\); got Periodic\(axes='all'\) alone"),
        (lambda: GridField(UNIT, Periodic()), r"for instance \(Periodic\(...\),\); got Periodic\(axes='all'\) alone"),
        (
            lambda: GridField.for_problem(Heat(conditions=Periodic())),
            r"for instance \(Periodic\(...\),\); got Periodic",
        ),
        (lambda: GridField(UNIT, WALLS, shape=0), r"at least 3 nodes along each axis; got \(0,\)"),
        (lambda: GridField(UNIT, WALLS, shape=-4), r"at least 3 nodes along each axis; got \(-4,\)"),
        (lambda: GridField(UNIT, WALLS, shape=16.5), r"whole number of nodes.*; got 16.5"),
        (
            lambda: GridField(UNIT, WALLS, shape=8, order=6),
            r"order=6 needs at least 9 nodes along each axis; got \(8,\)",
        ),
    ],
)
def test_what_cannot_be_built_is_refused(make, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        make()


def test_a_list_of_widths_will_do() -> None:
    assert NeuralField(UNIT, WALLS, hidden=[8, 8]).num_dofs == NeuralField(UNIT, WALLS, hidden=(8, 8)).num_dofs
