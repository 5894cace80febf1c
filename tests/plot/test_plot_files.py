"""Files, films and curves: suffixes, whole files, frames."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from neuralpde.plot import Samples, _animation, animation, comparison, curves, picture
from neuralpde.plot._animation import animation_figure, frame_times
from neuralpde.plot._curves import curves_figure
from neuralpde.plot._film import Palette
from neuralpde.plot._style import style
from neuralpde.types import UsageError

X = np.linspace(0.0, 1.0, 21)


def moving(times, name="grid"):
    t = np.linspace(0.0, 1.0, times)
    values = np.sin(np.pi * (X[None] - t[:, None]))[..., None]
    return Samples(name, (X,), t, values, values + 1e-3, title="Advection")


def on_plane(samples):
    values, exact = (np.repeat(array[:, :, None], len(X), axis=2) for array in (samples.values, samples.exact))
    return replace(samples, axes=(X, X), values=values, exact=exact)


@pytest.mark.parametrize("shape", [lambda s: s, on_plane], ids=["line", "plane"])
def test_animation_is_a_gif_of_the_frames_given(tmp_path, shape):
    path = animation([shape(moving(6, "a")), shape(moving(6, "b"))], tmp_path / "run.gif", seconds=1.0)
    with Image.open(path) as film:
        assert (film.format, film.n_frames, film.size[0]) == ("GIF", 6, 800)
        assert film.info["loop"] == 0
        pauses = []
        for i in range(film.n_frames):
            film.seek(i)
            pauses.append(film.info["duration"])
    assert sum(pauses) == pytest.approx(1000, abs=10)
    assert path.stat().st_size < 2_000_000


def test_long_runs_are_thinned_and_steady_ones_have_one_frame(tmp_path):
    assert len(frame_times([moving(500)], 60)) == 60
    assert frame_times([moving(500)], 60)[-1] == 1.0
    with Image.open(animation([moving(1)], tmp_path / "steady.gif")) as film:
        assert film.n_frames == 1
    with Image.open(animation([moving(40)], tmp_path / "short.gif", seconds=0.4)) as film:
        assert film.n_frames == 10


def test_a_film_that_is_too_large_loses_frames_but_not_the_last(tmp_path, monkeypatch):
    monkeypatch.setattr(_animation, "_BYTES", 1)
    with Image.open(animation([moving(11)], tmp_path / "run.gif", seconds=1.0)) as film:
        assert film.n_frames == 6


def test_animation_shows_the_nearest_time_of_every_method():
    fine, coarse = moving(11, "fine"), moving(3, "coarse")
    with style():
        figure, show = animation_figure([fine, coarse])
        show(0.6)
    left, right = figure.axes[:2]
    np.testing.assert_array_equal(left.get_lines()[0].get_ydata(), fine.values[6, :, 0])
    np.testing.assert_array_equal(left.get_lines()[1].get_ydata(), fine.exact[6, :, 0])
    np.testing.assert_array_equal(right.get_lines()[0].get_ydata(), coarse.values[1, :, 0])
    assert left.get_lines()[1].is_dashed()
    assert figure.get_suptitle() == "Advection, t = 0.60"
    assert left.get_title() == "fine" and right.get_title() == "coarse (t = 0.5)"


def test_the_palette_maps_its_own_colours_exactly():
    palette = Palette({"viridis"})
    pixels = palette.colours.astype(np.uint8)[None]
    np.testing.assert_array_equal(palette.colours[palette.indices(pixels)], pixels)
    assert [255, 255, 255] in palette.colours.tolist() and palette.colours.shape == (256, 3)


def test_curves_draw_what_was_given(tmp_path):
    x, ys = np.array([1.0, 10.0, 100.0]), {"a": np.array([1.0, 0.0, 1e-4]), "b": np.array([2.0, np.nan, 3.0])}
    with style():
        figure = curves_figure(x, ys, ("n", "error"), "Convergence", (True, True))
    ax = figure.axes[0]
    assert (ax.get_xscale(), ax.get_yscale(), ax.get_xlabel(), ax.get_ylabel()) == ("log", "log", "n", "error")
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), [1.0, np.nan, 1e-4])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["b", "a"]
    path = curves(tmp_path / "curves.png", x, ys, "n", "error", logx=True, logy=True)
    with Image.open(path) as image:
        assert image.size == (1088, 640)
    curves(tmp_path / "zero.png", x, {"a": 0.0 * x}, "n", "error", logy=True)


def test_curves_refuse_what_does_not_fit(tmp_path):
    with pytest.raises(UsageError, match="make them equal"):
        curves(tmp_path / "c.png", np.zeros(3), {"a": np.zeros(2)}, "x", "y")
    with pytest.raises(UsageError, match="at least one y"):
        curves(tmp_path / "c.png", np.zeros(3), {}, "x", "y")


def test_unknown_suffixes_folders_and_lengths_are_refused_before_any_work(tmp_path):
    for call, name in ((picture, "run.jpeg"), (comparison, "run"), (animation, "run.mp4")):
        with pytest.raises(UsageError, match="must end in"):
            call(moving(2) if call is picture else [moving(2)], tmp_path / "new" / name)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        picture(moving(2), tmp_path / "folder.png")
    for seconds in (0.0, -1.0, float("nan"), 1e9):
        with pytest.raises(UsageError, match="seconds"):
            animation([moving(2)], tmp_path / "run.gif", seconds)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("suffix", [".pdf", ".svg"])
def test_vector_formats(tmp_path, suffix):
    start = picture(on_plane(moving(1)), tmp_path / f"run{suffix}").read_bytes()[:5]
    assert start == {".pdf": b"%PDF-", ".svg": b"<?xml"}[suffix]


def test_a_failure_in_the_middle_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    def breaks(*arguments, **options):
        for argument in arguments:
            if hasattr(argument, "write_bytes"):
                argument.write_bytes(b"half")
        raise OSError("disk full")

    for name in ("run.png", "run.gif"):
        (tmp_path / name).write_bytes(b"old")
    monkeypatch.setattr(Figure, "savefig", breaks)
    monkeypatch.setattr(_animation, "write_film", breaks)
    with pytest.raises(OSError, match="disk full"):
        picture(moving(2), tmp_path / "run.png")
    with pytest.raises(OSError, match="disk full"):
        animation([moving(2)], tmp_path / "run.gif")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.gif", "run.png"]
    assert {p.read_bytes() for p in tmp_path.iterdir()} == {b"old"}


def test_import_is_light_pyplot_never_comes_and_settings_stay(tmp_path):
    code = f"""
import sys
import numpy as np
from neuralpde.plot import Samples, animation, curves, picture
assert not {{"matplotlib", "PIL"}} & set(sys.modules)
import matplotlib
before = dict(matplotlib.rcParams)
x = np.linspace(0.0, 1.0, 5)
s = Samples("a", (x,), x[:2], np.zeros((2, 5, 1)))
picture(s, r"{tmp_path}/a.png")
animation([s], r"{tmp_path}/a.gif")
curves(r"{tmp_path}/c.png", x, {{"a": x}}, "x", "y")
assert "matplotlib.pyplot" not in sys.modules
assert dict(matplotlib.rcParams) == before
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gif", "a.png", "c.png"]
