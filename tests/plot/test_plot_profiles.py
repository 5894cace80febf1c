"""Profiles against a table: the points that were given, in the colour of their curve."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from neuralpde.plot import profiles
from neuralpde.plot._profiles import profiles_figure
from neuralpde.plot._style import METHODS, style
from neuralpde.types import UsageError

Y = np.linspace(0.0, 1.0, 21)
CURVES = {
    "x = 0.5": {"Re = 100, grid": (Y**2, Y), "Re = 1000": (Y**3, Y)},
    "y = 0.5": {"Re = 1000": (Y, -Y), "Re = 100, grid": (Y, np.sin(Y))},
}
TABLE = {"x = 0.5": {"Re = 1000": (Y[::5] ** 3, Y[::5]), "Re = 100": (Y[::5] ** 2, Y[::5]), "Re = 7": (Y[:2], Y[:2])}}


def test_curves_and_markers_are_what_was_given():
    with style():
        figure = profiles_figure(CURVES, TABLE, {"x = 0.5": ("u", "y")}, "Cavity", "Ghia et al. (1982)")
    left, right = figure.axes
    lines = {line.get_label(): line for line in left.get_lines()}
    np.testing.assert_array_equal(lines["Re = 1000"].get_xdata(), Y**3)
    np.testing.assert_array_equal(lines["Re = 1000"].get_ydata(), Y)
    markers = [line for line in left.get_lines() if line.get_linestyle() == "None"]
    np.testing.assert_array_equal(markers[1].get_xdata(), Y[::5] ** 2)
    assert [to_hex(line.get_color()).upper() for line in markers] == [METHODS[1], METHODS[0], "#4C4C4C"]
    assert [line.get_color() for line in right.get_lines()][-2:] == [METHODS[1], METHODS[0]]
    assert (left.get_xlabel(), left.get_ylabel(), left.get_title()) == ("u", "y", "x = 0.5")
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["Re = 100, grid", "Re = 1000", "Ghia et al. (1982)"]


def test_the_file_and_no_table(tmp_path):
    path = profiles(CURVES, {}, tmp_path / "new" / "p.png", title="Cavity")
    with Image.open(path) as image:
        assert image.size == (1184, 672)
    four = {str(j): {"a": (Y, np.where(Y > 0.5, np.nan, Y))} for j in range(4)}
    assert profiles(four, {"1": {"a": (Y[:3], Y[:3])}}, tmp_path / "four.svg").is_file()


@pytest.mark.parametrize(
    ("curves", "table", "words"),
    [
        ({}, {}, "at least one panel"),
        ({"a": {}}, {}, "at least one curve"),
        (CURVES, {"z": {"Re = 100": (Y, Y)}}, "no curve in the panel 'z'"),
        ({"a": {"b": (Y, Y[:3])}}, {}, "make them equal"),
        ({"a": {"b": (Y,)}}, {}, "a pair"),
        ({"a": {"b": (Y, "y")}}, {}, "real numbers"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, curves, table, words):
    with pytest.raises(UsageError, match=words):
        profiles(curves, table, tmp_path / "p.png")
    assert not list(tmp_path.iterdir())
