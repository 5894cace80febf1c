"""Solutions held against a better one: errors of several at once, pictures, what cannot be compared."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from neuralpde.geometry import Box
from neuralpde.integrators import RK4, ImplicitEuler, IncrementalPressureCorrection
from neuralpde.problems import Heat, LidDrivenCavity
from neuralpde.representations import GridField, MacGrid
from neuralpde.simulate import Solution, compare, simulate, solve
from neuralpde.simulate._errors import errors_of_all
from neuralpde.types import UsageError


def _heat(n: int = 16, dt: float = 0.01, t_end: float = 0.1, **options) -> Solution:
    heat = Heat(**options)
    return simulate(heat, GridField.for_problem(heat, n, order=6), ImplicitEuler(), dt=dt, t_end=t_end)


def test_errors_of_several_are_those_of_each() -> None:
    fine = _heat(32, 0.002)
    runs = {"a": _heat(), "b": _heat(10, 0.02), "c": _heat(10, 0.02, 0.06)}
    times = {name: [float(t) for t in run.times] for name, run in runs.items()}
    for reference in (None, fine):
        found = errors_of_all(runs, times, 65, reference)
        for name, run in runs.items():
            assert found[name] == run.errors(points=65, reference=reference)
    assert found["a"]["u"]["rel_l2"] < found["b"]["u"]["rel_l2"]


def test_a_reference_in_another_precision_is_cast() -> None:
    heat = Heat()
    single = GridField.for_problem(heat, 16, order=6, dtype=torch.float32)
    run = simulate(heat, single, ImplicitEuler(), dt=0.01, t_end=0.1)
    assert run.error(points=65, reference=_heat())["rel_l2"] < 1e-5
    assert _heat().error(points=65, reference=run)["rel_l2"] < 1e-5


def test_pictures_show_the_reference_in_place_of_the_exact_solution() -> None:
    run, other = _heat(), _heat(diffusivity=0.2)
    plain, held = run.samples(points=33), run.samples(points=33, reference=other)
    assert (plain.known_as, held.known_as) == ("exact", "reference")
    np.testing.assert_allclose(held.exact, other.samples(points=33).values, atol=1e-14)
    assert np.abs(held.exact - plain.exact).max() > 0.1


def test_a_reference_that_ends_early_is_not_shown_but_one_at_rest_is(tmp_path: Path) -> None:
    run = _heat()
    assert run.samples(reference=_heat(t_end=0.05)).exact is None
    cavity = LidDrivenCavity(viscosity=0.1)
    grid = MacGrid.for_problem(cavity, 8)
    marched = simulate(cavity, grid, IncrementalPressureCorrection(), dt=0.05, t_end=1.0)
    held = marched.samples(points=9, reference=solve(cavity, grid))
    assert held.exact is not None and np.abs(held.exact[0] - held.exact[-1]).max() == 0.0
    assert np.nanmax(held.error()[-1]) < 0.01 * np.nanmax(held.error()[0])


def test_comparisons_are_drawn_with_a_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from neuralpde.simulate import _solution

    shown = []
    monkeypatch.setattr(_solution, "comparison", lambda several, path: shown.extend(several) or Path(path))
    fine, coarse = _heat(32), _heat(10)
    compare({"fine": fine, "coarse": coarse}, tmp_path / "a.png", reference=fine)
    assert [s.exact is None for s in shown] == [True, False]
    monkeypatch.undo()
    for path in ("b.png", "b.gif"):
        assert compare({"fine": fine, "coarse": coarse}, tmp_path / path, reference=fine).is_file()
    for draw in (coarse.plot, coarse.animate):
        name = "c.png" if draw == coarse.plot else "c.gif"
        assert draw(tmp_path / name, reference=fine).is_file()


def test_what_solves_another_problem_is_refused() -> None:
    run = _heat()
    wide = Heat(domain=Box((0.0,), (2.0,)))
    other = simulate(wide, GridField.for_problem(wide, 16), RK4(), dt=0.01, t_end=0.1)
    for call in (run.error, run.samples):
        with pytest.raises(UsageError, match="the reference must solve the same problem: its domain is"):
            call(reference=other)
        with pytest.raises(UsageError, match="the reference must be a Solution; got str"):
            call(reference="fine")
    assert math.isfinite(run.error(reference=_heat(32))["rel_l2"])
