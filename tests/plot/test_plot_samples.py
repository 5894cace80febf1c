"""Samples: what is accepted, what is refused and with which words."""

import numpy as np
import pytest

from neuralpde.plot import Samples
from neuralpde.plot._samples import check_alike
from neuralpde.types import UsageError

X = np.linspace(0.0, 1.0, 5)
T = np.array([0.0, 1.0])


def test_dimension_channels_and_error():
    values = np.arange(2 * 5 * 4 * 2, dtype=np.float32).reshape(2, 5, 4, 2)
    samples = Samples("grid", (X, X[:4]), T, values, exact=values + 0.5)
    assert (samples.dim, samples.channels) == (2, 2)
    assert samples.values.dtype == np.float64
    assert samples.labels == ("u₁", "u₂")
    np.testing.assert_array_equal(samples.error(), np.full(values.shape, 0.5))
    assert Samples("grid", (X,), T, np.zeros((2, 5, 1))).error() is None


def test_three_dimensions_are_refused_with_what_is_possible():
    with pytest.raises(UsageError, match=r"3 axes.*line or on a plane.*ParaView"):
        Samples("grid", (X, X, X), T, np.zeros((2, 5, 5, 5, 1)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"values": np.zeros((2, 5))}, r"need \(2, 5, c\)"),
        ({"values": np.zeros((2, 6, 1))}, r"need \(2, 5, c\)"),
        ({"values": np.zeros((2, 5, 0))}, r"need \(2, 5, c\)"),
        ({"exact": np.zeros((2, 5, 2))}, "make them equal"),
        ({"values": np.zeros((2, 5, 1), dtype=complex)}, "real numbers"),
        ({"values": "u"}, "real numbers"),
        ({"axes": (X[::-1],)}, "strictly increasing"),
        ({"axes": (np.array([0.0, 1.0, np.nan, 2.0, 3.0]),)}, "strictly increasing"),
        ({"axes": ()}, "0 axes"),
        ({"axes": (X[:1],), "values": np.zeros((2, 1, 1))}, "at least two"),
        ({"times": np.zeros(2)}, "strictly increasing"),
        ({"times": np.zeros(0), "values": np.zeros((0, 5, 1))}, "n ≥ 1"),
        ({"labels": ("u", "v")}, "one per channel"),
    ],
)
def test_what_does_not_fit_is_refused(change, words):
    given = {"name": "grid", "axes": (X,), "times": T, "values": np.zeros((2, 5, 1))}
    with pytest.raises(UsageError, match=words):
        Samples(**{**given, **change})


def test_methods_must_be_comparable():
    line = Samples("line", (X,), T, np.zeros((2, 5, 1)))
    plane = Samples("plane", (X, X), T, np.zeros((2, 5, 5, 1)))
    check_alike([line, line])
    with pytest.raises(UsageError, match="at least one"):
        check_alike([])
    with pytest.raises(UsageError, match="d = 2"):
        check_alike([line, plane])
