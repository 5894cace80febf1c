"""Flows: streamlines that follow the flow, arrows that do not flicker, scales that corners do not stretch, channels."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from PIL import Image

from neuralpde.plot import Samples, _animation, animation, comparison, picture
from neuralpde.plot._animation import animation_figure
from neuralpde.plot._comparison import comparison_figure
from neuralpde.plot._picture import picture_figure
from neuralpde.plot._scales import field_scale
from neuralpde.plot._streamlines import _APART, _Frame, spaced_streamlines
from neuralpde.plot._style import style
from neuralpde.types import UsageError

T = np.array([0.0, 0.5, 1.0])


def vortex(n=33, name="grid", height=1.0):
    """A vortex around the middle that slows down, on a box of width 1."""
    x, y = np.linspace(0.0, 1.0, n), np.linspace(0.0, height, n)
    X, Y = np.meshgrid(x, y, indexing="ij")
    decay = np.exp(-T)[:, None, None]
    u, v = -decay * (Y - 0.5 * height), decay * (X - 0.5)
    vorticity = (2.0 * decay * np.cos(4 * X) + 0 * X)[..., None]
    return Samples(name, (x, y), T, vorticity, vorticity + 1e-3, ("ω",), "Vortex", np.stack((u, v), axis=-1))


def with_solid(samples):
    X, Y = np.meshgrid(*samples.axes, indexing="ij")
    inside = np.hypot(X - 0.3, Y - 0.5 * samples.axes[1][-1]) < 0.1
    spoil = {what: getattr(samples, what).copy() for what in ("values", "velocity")}
    for field in spoil.values():
        field[:, inside] = np.nan
    return replace(samples, **spoil)


def collections(figure, kind):
    return [[c for c in ax.collections if isinstance(c, kind)] for ax in figure.axes]


def test_a_velocity_must_fit_the_values_and_lie_on_a_plane():
    good = vortex()
    assert good.velocity.shape == (3, 33, 33, 2)
    for shape in ((3, 33, 33), (3, 33, 33, 3), (2, 33, 33, 2), (3, 32, 33, 2)):
        with pytest.raises(UsageError, match=r"velocity of 'grid' has shape"):
            replace(good, velocity=np.zeros(shape))
    with pytest.raises(UsageError, match="on a plane"):
        Samples("line", good.axes[:1], T, np.zeros((3, 33, 1)), velocity=np.zeros((3, 33, 1)))


def test_streamlines_of_a_vortex_are_circles_that_keep_their_distance():
    samples = vortex(65)
    frame = _Frame(samples, 3.0)
    lines = spaced_streamlines(frame, samples.velocity[0])
    assert len(lines) > 8
    for line in lines:
        radius = np.hypot(*(line - 1.5).T)
        assert np.ptp(radius) < 0.02
        ahead = np.diff(line, axis=0)
        assert np.all(ahead[:, 0] * (line[:-1, 1] - 1.5) <= 1e-9 + ahead[:, 1] * (line[:-1, 0] - 1.5))  # turns left
    closed = [line for line in lines if np.array_equal(line[0], line[-1])]
    radii = np.sort([np.hypot(*(line[0] - 1.5)) for line in closed])
    assert len(radii) >= 5 and np.diff(radii).min() > 0.45 * _APART


def test_streamlines_end_at_solids_and_there_are_none_without_motion():
    samples = with_solid(vortex(65))
    frame = _Frame(samples, 3.0)
    points = np.concatenate(spaced_streamlines(frame, samples.velocity[0]))
    assert np.hypot(*(frame.back(points) - (0.3, 0.5)).T).min() > 0.08
    for nothing in (0.0, np.nan):
        assert spaced_streamlines(frame, np.full_like(samples.velocity[0], nothing)) == []


def test_lines_lie_over_images_but_not_over_errors():
    samples = vortex()
    with style():
        for figure, panels in ((picture_figure(samples), 3), (comparison_figure([samples, samples]), 2)):
            drawn = [bool(lines) for lines in collections(figure, LineCollection)][: 2 * panels]
            assert drawn == [True] * panels + [False] * panels
        plain = picture_figure(replace(samples, velocity=None))
    assert not any(collections(plain, LineCollection)[:6])


def test_arrows_of_a_film_stand_still_and_follow_the_flow():
    samples = vortex()
    with style():
        figure, show = animation_figure([samples, replace(samples, name="b")])
    left, right = (found[-1] for found in collections(figure, PolyCollection)[:2])
    heads = []
    for t in T:
        show(t)
        paths = [path.vertices for path in left.get_paths()]
        assert all(np.array_equal(a, b.vertices) for a, b in zip(paths, right.get_paths(), strict=True))
        heads.append(paths)
    middles = [np.array([path.mean(axis=0) for path in paths if len(path)]) for paths in heads]
    assert len(middles[0]) == len(middles[2]) > 100
    assert np.abs(middles[0] - middles[2]).max() < 0.03
    lengths = [np.mean([np.ptp(path, axis=0).max() for path in paths if len(path)]) for paths in heads]
    assert lengths[0] > lengths[1] > lengths[2]


def test_a_film_of_a_flow_shows_errors_and_one_scale(tmp_path):
    a, b = vortex(33, "neural field"), replace(vortex(17), exact=None)
    with style():
        figure, show = animation_figure([a, b])
        show(1.0)
    images = [ax.images[0] for ax in figure.axes if ax.images]
    assert [image.cmap.name for image in images] == ["RdBu_r", "RdBu_r", "magma"]
    assert images[0].norm.vmin == images[1].norm.vmin == -images[0].norm.vmax
    np.testing.assert_allclose(images[2].get_array(), a.error()[-1, ..., 0].T)
    assert figure.get_suptitle() == "Vortex, t = 1.00"
    with Image.open(animation([a, b], tmp_path / "flow.gif", seconds=0.5)) as film:
        assert film.n_frames == 3 and film.size[0] == 800


def test_a_long_film_loses_only_the_frames_that_it_must(tmp_path, monkeypatch):
    x = np.linspace(0.0, 1.0, 9)
    t = np.linspace(0.0, 1.0, 40)
    samples = Samples("a", (x,), t, np.sin(x + 6 * t[:, None])[..., None])
    whole = animation([samples], tmp_path / "whole.gif").stat().st_size
    monkeypatch.setattr(_animation, "_BYTES", int(0.8 * whole))
    path = animation([samples], tmp_path / "less.gif")
    with Image.open(path) as film:
        assert 24 < film.n_frames < 40 and path.stat().st_size <= 0.8 * whole


@pytest.mark.parametrize("draw", [picture, comparison, animation])
def test_a_channel_keeps_its_proportions_and_stacks_its_panels(tmp_path, draw):
    channel = with_solid(vortex(65, height=0.2))
    with style():
        if draw is picture:
            figure, panels = picture_figure(channel), 3
        else:
            pair = [channel, replace(channel, name="b")]
            figure, panels = (comparison_figure(pair) if draw is comparison else animation_figure(pair)[0]), 2
    figure.canvas.draw()
    boxes = [ax.get_window_extent() for ax in figure.axes[: 4 if draw is animation else 2 * panels]]
    assert all(box.height / box.width == pytest.approx(0.2, rel=0.02) for box in boxes)
    first = [box for box in boxes if box.x0 == pytest.approx(boxes[0].x0, abs=2)]
    assert len(first) == (4 if draw is animation else panels)
    assert np.all(np.diff([box.y0 for box in first]) < 0)
    assert boxes[0].width > 0.35 * figure.bbox.width
    target = tmp_path / ("a.gif" if draw is animation else "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(channel if draw is picture else [channel, channel], target)
    assert target.is_file()


def test_a_solid_is_darker_than_the_paper():
    with style():
        figure = picture_figure(with_solid(vortex()))
    image = figure.axes[0].images[0]
    assert image.get_array().mask.any()
    assert figure.axes[0].get_facecolor()[0] == pytest.approx(0.6)


def test_corners_do_not_stretch_the_scale_but_vortices_are_shown_whole():
    x = np.linspace(0.0, 1.0, 65)
    X, Y = np.meshgrid(x, x, indexing="ij")
    cavity = np.sin(2 * np.pi * X) * np.sin(np.pi * Y)
    cavity[:, -1], cavity[0, -1], cavity[-1, -1] = -8.0, 130.0, -130.0
    scale = field_scale([cavity], peaked=True)
    assert scale.name == "RdBu_r" and scale.extend == "both"
    assert scale.high == -scale.low == pytest.approx(1.0, rel=0.05)
    assert field_scale([cavity]).high == 130.0
    small = [sign * np.exp(-((X - 0.5) ** 2 + (Y - 0.5 - 0.2 * sign) ** 2) / 0.05**2) for sign in (1, -1)]
    pair = field_scale([small[0] + small[1]], peaked=True)
    assert pair.extend == "neither" and pair.high == pytest.approx(1.0, rel=0.01)
    pressure = 1.0 + X
    pressure[-1, -1] = 60.0
    scale = field_scale([pressure], peaked=True)
    assert (scale.name, scale.extend) == ("viridis", "max") and scale.low == 1.0 and scale.high < 2.1
    for odd in (np.zeros((9, 9)), np.full((9, 9), np.nan), np.ones((2, 2))):
        scale = field_scale([odd], peaked=True)
        assert scale.low < scale.high


@pytest.mark.parametrize("spoil", [np.nan, np.inf, 0.0, 1e200])
def test_odd_velocities_give_pictures_and_no_warning(tmp_path, spoil):
    good = vortex(17)
    velocity = good.velocity.copy()
    velocity[1:, 5:] = spoil
    odd = replace(good, velocity=velocity)
    with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
        warnings.simplefilter("error")
        picture(odd, tmp_path / "a.png")
        animation([odd, good], tmp_path / "a.gif", seconds=0.5)
    assert (tmp_path / "a.png").is_file()
