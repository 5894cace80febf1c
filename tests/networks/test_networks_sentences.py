"""Sentences for networks that cannot be built."""

from __future__ import annotations

import pytest

from neuralpde.networks import MLP, CentredLayer, Coordinates, FourierFeatures, hidden_widths
from neuralpde.types import UsageError

BOX = ((0.0,), (1.0,))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: MLP(Coordinates(*BOX), 8), r"hidden must be the widths .* for instance \(16,\) or \(16, 16\); got 8"),
        (lambda: MLP(Coordinates(*BOX), (8, -1)), r"at least one positive width; got \(8, -1\)"),
        (lambda: CentredLayer(*BOX, 8, (None,), 0.0), "steepness must be a positive number .*; got 0.0"),
        (lambda: CentredLayer(*BOX, 8, (None,), -1), "steepness must be a positive number .*; got -1"),
        (lambda: FourierFeatures(*BOX, 8, -6.0), "scale of Fourier features.* must be a positive number .*; got -6.0"),
    ],
)
def test_what_cannot_be_built_is_refused(make, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        make()


def test_no_hidden_layer_is_allowed_in_a_bare_network() -> None:
    assert hidden_widths(()) == [] and MLP(CentredLayer(*BOX, 4, (None,)), ()).channels == 1
