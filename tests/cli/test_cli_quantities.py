"""What pictures show: chosen in the case, or by ``neuralpde plot --quantity``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_command import Command, Done

from neuralpde.plot import Samples

CASE = """\
[problem]
name = "taylor_green"
[time]
integrator = "rk4"
dt = 0.05
t_end = 0.1
[[run]]
name = "a"
representation = {kind = "mac_grid", shape = 8}
[[run]]
name = "b"
representation = {kind = "spectral_grid", shape = 8}
[output]
plot = false
animate = false
"""


@pytest.fixture
def out(tmp_path: Path, neuralpde: Command) -> Path:
    (tmp_path / "case.toml").write_text(CASE)
    assert neuralpde("run", tmp_path / "case.toml", "--out", tmp_path / "out").code == 0
    return tmp_path / "out"


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, ...]]]:
    """Labels of everything that is drawn, in order."""
    seen: list[tuple[str, ...]] = []

    def look(draw):
        def drawing(samples, *rest):
            seen.extend(s.labels for s in ([samples] if isinstance(samples, Samples) else samples))
            return draw(samples, *rest)

        return drawing

    from neuralpde.simulate import _compare, _solution

    for module, names in ((_solution, ("picture", "animation")), (_compare, ("comparison", "animation"))):
        for name in names:
            monkeypatch.setattr(module, name, look(getattr(module, name)))
    yield seen


@pytest.mark.parametrize("quantity", ["vorticity", "speed", "pressure", "velocity"])
def test_plot_shows_the_quantity_that_is_asked_for(
    quantity: str, out: Path, neuralpde: Command, drawn: list[tuple[str, ...]]
) -> None:
    labels = ("velocity_x", "velocity_y") if quantity == "velocity" else (quantity,)
    for path, picture in ((out, out / f"comparison-{quantity}.png"), (out / "a.h5", out / f"a-{quantity}.png")):
        done = neuralpde("plot", path, "--quantity", quantity)
        assert (done.code, done.out) == (0, f"{picture}\n"), done.err
        assert picture.read_bytes().startswith(b"\x89PNG")
    assert drawn == [labels] * 3
    film = neuralpde("plot", out / "a.h5", "--out", out / "film.gif", "--quantity", quantity)
    assert film.code == 0 and drawn[-1] == labels


@pytest.mark.parametrize("what", [".", "a.h5"])
def test_a_quantity_that_there_is_not_is_refused(what: str, out: Path, neuralpde: Command) -> None:
    done = neuralpde("plot", out / what, "--quantity", "vortcity")
    expected = "expected one of vorticity, speed, pressure, velocity; got 'vortcity'; did you mean vorticity?"
    assert (done.code, done.err) == (2, f"--quantity vortcity: {expected}\n")
    wrong = neuralpde("run", out / "case.toml", "--set", "output.quantity=vortcity")
    assert (wrong.code, wrong.err) == (2, f"{out / 'case.toml'}: output.quantity: {expected}\n")


def test_the_quantity_of_a_case_is_shown_by_its_run_and_later(
    out: Path, neuralpde: Command, drawn: list[tuple[str, ...]]
) -> None:
    chosen = ("--set", "output.quantity=speed", "--set", "output.plot=true", "--set", "output.animate=true")
    assert neuralpde("run", out / "case.toml", "--out", out.parent / "speed", *chosen).code == 0
    assert drawn == [("speed",)] * 6  # a, b, both side by side, both in a film
    drawn.clear()
    done = neuralpde("plot", out.parent / "speed")
    assert done == Done(0, f"{out.parent / 'speed' / 'comparison.png'}\n", "") and drawn == [("speed",)] * 2
    assert neuralpde("plot", out.parent / "speed" / "a.h5", "--quantity", "pressure").code == 0
    assert drawn[-1] == ("pressure",)
