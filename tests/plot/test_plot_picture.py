"""Pictures and comparisons: valid files, the data that was given, odd fields."""

import warnings
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
from PIL import Image

from neuralpde.plot import Samples, comparison, picture
from neuralpde.plot._comparison import comparison_figure
from neuralpde.plot._picture import picture_figure
from neuralpde.plot._style import style

X = np.linspace(0.0, 1.0, 33)
T = np.linspace(0.0, 0.5, 11)


def gaussian(name="grid", error=1e-5):
    exact = np.exp(-(((X[None] - 0.25 - T[:, None]) / 0.1) ** 2))[..., None]
    values = exact + error * np.sin(9.0 * X)[None, :, None] * (0.1 + T[:, None, None])
    return Samples(name, (X,), T, values, exact, title="Advection")


def plane(times=4, error=1e-5):
    y = np.linspace(0.0, 0.5, 17)
    shape = np.sin(np.pi * X)[:, None] * np.sin(2.0 * np.pi * y)[None, :]
    exact = np.exp(-np.arange(times))[:, None, None, None] * shape[None, ..., None]
    return Samples("grid", (X, y), np.arange(times), exact + error * X[:, None, None], exact, title="Heat")


def open_checked(path):
    with Image.open(path) as image:
        image.load()
        return image.format, image.size, image.info


def images_of(figure):
    return [ax.images[0] for ax in figure.axes if ax.images]


def test_picture_of_a_line_is_a_png_of_160_dpi_in_a_new_folder(tmp_path):
    path = tmp_path / "new" / "folder" / "run.png"
    assert picture(gaussian(), path) == path
    kind, size, info = open_checked(path)
    assert kind == "PNG" and size == (1920, 608)
    assert info["dpi"] == pytest.approx((160, 160), abs=0.1)
    assert [p.name for p in path.parent.iterdir()] == ["run.png"]


def test_profiles_errors_and_space_time_show_what_was_given():
    samples = gaussian()
    with style():
        figure = picture_figure(samples)
    profiles, image, errors = figure.axes[:3]
    picks = [0, 2, 4, 6, 8, 10]
    solid, dashed = profiles.get_lines()[:6], profiles.get_lines()[6:]
    for i, computed, exact, error in zip(picks, solid, dashed, errors.get_lines(), strict=True):
        np.testing.assert_array_equal(computed.get_ydata(), samples.values[i, :, 0])
        np.testing.assert_array_equal(exact.get_ydata(), samples.exact[i, :, 0])
        np.testing.assert_array_equal(error.get_ydata(), samples.error()[i, :, 0])
        assert exact.get_zorder() > computed.get_zorder() and exact.get_color() == "black" and exact.is_dashed()
    assert len({str(line.get_color()) for line in solid}) == 6
    np.testing.assert_array_equal(image.images[0].get_array(), samples.values[..., 0])
    assert errors.get_yscale() == "log"
    assert [text.get_text() for text in figure.legends[0].get_texts()][-1] == "exact"


def test_picture_of_a_plane_has_four_images_and_their_errors(tmp_path):
    samples = plane(times=7)
    with style():
        images = images_of(picture_figure(samples))
    assert len(images) == 8
    for image, i in zip(images[:4], [0, 2, 4, 6], strict=True):
        np.testing.assert_array_equal(image.get_array(), samples.values[i, ..., 0].T)
    assert len({(image.norm.vmin, image.norm.vmax, image.cmap.name) for image in images[:4]}) == 1
    assert {image.cmap.name for image in images[4:]} == {"magma"}
    assert open_checked(picture(samples, tmp_path / "plane.png"))[0] == "PNG"


@pytest.mark.parametrize("samples", [replace(gaussian(), exact=None), replace(plane(), exact=None)])
def test_without_a_reference_there_is_no_error_panel(samples):
    with style():
        figure = picture_figure(samples)
    assert not any("error" in ax.get_ylabel() for ax in figure.axes)


def test_steady_fields():
    line = gaussian()
    line = replace(line, times=T[:1], values=line.values[:1], exact=line.exact[:1])
    with style():
        assert len(picture_figure(line).axes) == 2
        assert len(images_of(picture_figure(plane(times=1)))) == 2
        assert len(comparison_figure([line, line]).axes) == 2
        assert len(images_of(comparison_figure([plane(times=1)] * 3))) == 6


def test_channels_stand_in_rows_with_their_labels():
    samples = gaussian()
    two = replace(samples, values=np.repeat(samples.values, 2, -1), exact=None, labels=("height", "speed"))
    with style():
        figure = picture_figure(two)
    labels = [ax.get_ylabel() for ax in figure.axes]
    assert "height" in labels and "speed" in labels and len(images_of(figure)) == 2


def test_comparison_on_a_line_shows_last_profiles_and_one_space_time_image_each(tmp_path):
    methods = [gaussian("a", 1e-5), gaussian("b", 1e-2), replace(gaussian("c"), exact=None)]
    with style():
        figure = comparison_figure(methods)
    profiles, errors = figure.axes[:2]
    for line, method in zip(profiles.get_lines(), methods, strict=False):
        np.testing.assert_array_equal(line.get_ydata(), method.values[-1, :, 0])
        assert line.get_label() == method.name
    np.testing.assert_array_equal(profiles.get_lines()[3].get_ydata(), methods[0].exact[-1, :, 0])
    assert len(errors.get_lines()) == 2
    assert len({(image.norm.vmin, image.norm.vmax) for image in images_of(figure)}) == 1 and len(images_of(figure)) == 3
    assert open_checked(comparison(methods, tmp_path / "methods.png"))[0] == "PNG"


def test_comparison_on_a_plane_takes_different_lattices_and_a_missing_reference():
    fine = plane()
    coarse = replace(fine, name="coarse", axes=(X[::2], fine.axes[1]), values=fine.values[:, ::2], exact=None)
    with style():
        figure = comparison_figure([fine, coarse])
    images = images_of(figure)
    assert len(images) == 3
    np.testing.assert_array_equal(images[1].get_array(), coarse.values[-1, ..., 0].T)


def test_a_method_that_ended_early_says_when():
    whole = gaussian("a")
    short = replace(whole, name="b", times=T[:5], values=whole.values[:5], exact=whole.exact[:5])
    with style():
        labels = comparison_figure([whole, short]).axes[0].get_legend_handles_labels()[1]
    assert labels == ["a (t = 0.5)", "b (t = 0.2)", "exact"]


def ink(path):
    """Share of a picture's pixels that are not white."""
    with Image.open(path) as image:
        return float((np.asarray(image.convert("L")) < 250).mean())


ODD = {
    "hole": lambda u: np.where(X[None, :, None] > 0.6, np.nan, u),
    "nan": lambda u: np.full_like(u, np.nan),
    "inf": lambda u: np.full_like(u, np.inf),
    "zero": np.zeros_like,
    "one": np.ones_like,
    "blew up": lambda u: np.where(T[:, None, None] > 0.2, 1e200, u),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_fields_still_give_pictures_and_no_warning(name, tmp_path):
    good = gaussian()
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        path = picture(replace(good, values=ODD[name](good.values)), tmp_path / "odd.png")
    assert ink(path) > 0.01, "the picture is empty"


def test_odd_fields_can_be_compared_and_a_constant_plane_drawn_without_warning(tmp_path):
    good = gaussian()
    zero = replace(plane(), values=0.0 * plane().values, exact=0.0 * plane().values)
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        comparison(
            [replace(good, name=name, values=spoil(good.values)) for name, spoil in ODD.items()], tmp_path / "a.png"
        )
        comparison([zero, plane()], tmp_path / "b.png")
    assert min(ink(tmp_path / "a.png"), ink(tmp_path / "b.png")) > 0.01, "a picture is empty"


def test_nan_is_blank():
    samples = plane()
    values = samples.values.copy()
    values[:, :5] = np.nan
    with style():
        image = images_of(picture_figure(replace(samples, values=values)))[0]
    shown = image.get_array()
    assert shown.mask[:, :5].all() and not shown.mask[:, 5:].any()
    assert image.cmap(shown)[0, 0, 3] == 0.0


def test_the_users_settings_neither_matter_nor_change(tmp_path):
    first = picture(gaussian(), tmp_path / "first.png").read_bytes()
    with matplotlib.rc_context({"font.size": 31.0, "lines.linewidth": 9.0, "axes.facecolor": "black"}):
        before = dict(matplotlib.rcParams)
        assert picture(gaussian(), tmp_path / "second.png").read_bytes() == first
        assert dict(matplotlib.rcParams) == before
