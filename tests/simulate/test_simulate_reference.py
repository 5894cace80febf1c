"""Solutions held against a better one: errors of several at once, pictures, what cannot be compared."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from neuralpde.geometry import Box, Dirichlet, Neumann, Periodic
from neuralpde.integrators import RK4, ImplicitEuler, IncrementalPressureCorrection
from neuralpde.problems import Heat, LidDrivenCavity, NavierStokes, Problem, TaylorGreen, VortexPair
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
    run, other = _heat(), _heat(10)
    plain, held = run.samples(points=33), run.samples(points=33, reference=other)
    assert (plain.known_as, held.known_as) == ("exact", "reference")
    np.testing.assert_allclose(held.exact, other.samples(points=33).values, atol=1e-14)
    assert np.abs(held.exact - plain.exact).max() > 1e-3


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
    from neuralpde.simulate import _compare

    shown = []
    monkeypatch.setattr(_compare, "comparison", lambda several, path: shown.extend(several) or Path(path))
    fine, coarse = _heat(32), _heat(10)
    compare({"fine": fine, "coarse": coarse}, tmp_path / "a.png", reference=fine)
    assert [s.exact is None for s in shown] == [True, False]
    monkeypatch.undo()
    for path in ("b.png", "b.gif"):
        assert compare({"fine": fine, "coarse": coarse}, tmp_path / path, reference=fine).is_file()
    for draw in (coarse.plot, coarse.animate):
        name = "c.png" if draw == coarse.plot else "c.gif"
        assert draw(tmp_path / name, reference=fine).is_file()


def _flow(make: Callable[..., Problem], **options) -> Solution:
    flow = make(**options)
    return simulate(flow, MacGrid.for_problem(flow, 8), IncrementalPressureCorrection(), dt=0.01, t_end=0.02)


def _own(factor: float, bottom: float = 1.0, viscosity: float = 0.1) -> Solution:
    flow = NavierStokes(
        velocity=lambda x: factor * torch.stack([bottom - x[:, 1], 0 * x[:, 1]], dim=-1),
        viscosity=viscosity,
        domain=Box((0.0, 0.0), (1.0, 1.0)),
        conditions=(Periodic("x"), Dirichlet((bottom, 0.0), on="y-"), Dirichlet((0.0, 0.0), on="y+")),
    )
    return simulate(flow, MacGrid.for_problem(flow, 8), IncrementalPressureCorrection(), dt=0.01, t_end=0.02)


OTHERS: dict[str, tuple[Callable[[], Solution], Callable[[], Solution], str]] = {
    "another viscosity": (
        lambda: _flow(TaylorGreen, viscosity=0.1),
        lambda: _flow(TaylorGreen, viscosity=1e-3),
        "its viscosity is 0.001, the solution's 0.1.",
    ),
    "another circulation": (
        lambda: _flow(VortexPair),
        lambda: _flow(VortexPair, circulation=-1.0),
        "its circulation is -1.0, the solution's 1.0.",
    ),
    "another lid": (
        lambda: _flow(LidDrivenCavity),
        lambda: _flow(LidDrivenCavity, speed=0.5),
        "its value on y+ is (0.5, 0.0), the solution's (1.0, 0.0).",
    ),
    "another condition": (
        lambda: _heat(conditions=(Dirichlet(0.0),)),
        lambda: _heat(conditions=(Dirichlet(0.0, "x-"), Neumann(0.0, "x+"))),
        "its condition on x+ is Neumann, the solution's Dirichlet.",
    ),
    "another diffusivity": (_heat, lambda: _heat(diffusivity=0.2), "its diffusivity is 0.2, the solution's 0.1."),
    "another start": (
        lambda: _own(1.0),
        lambda: _own(0.5),
        "its velocity is a function with values ",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_reference_with_other_data_is_refused(name: str) -> None:
    mine, other, sentence = OTHERS[name]
    run, reference = mine(), other()
    for ask in (run.error, run.errors, run.samples):
        with pytest.raises(UsageError) as caught:
            ask(reference=reference)
        message = str(caught.value)
        assert message.startswith(f"the reference must solve the same problem: {sentence}") and message.endswith(".")
    assert run.error(points=9, reference=mine())["max_error"] == 0.0  # built anew, with other functions in memory


def test_a_reference_whose_functions_cannot_be_told_is_taken() -> None:
    run, other = _own(1.0), _own(1.0)

    def fussy(x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("not today")

    other = dataclasses.replace(other, problem=dataclasses.replace(other.problem, velocity=fussy))
    assert run.error(points=9, reference=other)["max_error"] == 0.0


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
