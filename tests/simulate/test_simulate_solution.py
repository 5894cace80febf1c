"""What one asks of a solution: fields between times, errors, probes, files, pictures."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import ClassVar

import h5py
import numpy as np
import pytest
import torch
from tables import SQUARE, UNIT, Drift, Waves, orders, points_in

from neuralpde.geometry import Box, Dirichlet, Periodic
from neuralpde.integrators import RK4, State
from neuralpde.optimize import GaussNewton
from neuralpde.problems import Advection, Burgers, Heat, Poisson, SineMode
from neuralpde.representations import GridField, NeuralField
from neuralpde.simulate import Solution, compare, load_solution, simulate, solve
from neuralpde.types import DataError, Status, UsageError


def _exact_states(problem, r, times) -> Solution:
    """A solution whose saved states are exact."""
    states = torch.stack([r.project(lambda x, t=t: problem.exact(t, x)).theta for t in times])
    last = State(times[-1], states[-1])
    return Solution(problem, r, torch.tensor(times, dtype=torch.float64), states, (), last, Status.COMPLETED, 0.0, 0.0)


def _drift(n: int) -> Solution:
    r = GridField.for_problem(Drift(), 16, order="fourier")
    return _exact_states(Drift(), r, np.linspace(0, 1, n).tolist())


def test_saved_times_give_saved_states() -> None:
    run = _drift(9)
    for t, theta in zip(run.times.tolist(), run.states, strict=True):
        r = run.representation
        assert torch.equal(run.at(t)(r.points), r.at(theta)(r.points))


def test_between_saved_times_it_is_fourth_order() -> None:
    x, errors = points_in(Drift().domain, 30), []
    asked = np.linspace(0, 1, 57).tolist()
    needs = frozenset({"value", "grad", "laplacian"})
    for n in (11, 21, 41, 81):
        run = _drift(n)
        errors.append(max(float((run.at(t)(x) - Drift().exact(t, x)).abs().max()) for t in asked))
        jet = run.at(0.333).jet(x, needs)
        torch.testing.assert_close(jet.laplacian, -jet.value, rtol=0, atol=1e-9)
    assert errors[-1] > 1e-11
    assert orders(errors)[-1] >= 4 - 0.15, errors


def test_the_four_nearest_times_are_used() -> None:
    run, x = _drift(10), points_in(Drift().domain, 3)
    for t, near in ((4.5, {3, 4, 5, 6}), (0.2, {0, 1, 2, 3}), (8.9, {6, 7, 8, 9})):
        used = set()
        for k in range(10):
            changed = run.states.clone()
            changed[k] += 1.0
            if not torch.equal(dataclasses.replace(run, states=changed).at(t / 9)(x), run.at(t / 9)(x)):
                used.add(k)
        assert used == near


@pytest.mark.parametrize("n", [2, 3])
def test_few_saved_times_are_enough(n: int) -> None:
    x = points_in(Drift().domain, 30)
    error = float((_drift(n).at(0.25)(x) - Drift().exact(0.25, x)).abs().max())
    assert 1e-4 < error < 0.6


def test_times_outside_are_refused() -> None:
    with pytest.raises(UsageError, match=r"the solution spans t = 0 … 1; got t = 1.5"):
        _drift(5).at(1.5)
    with pytest.raises(UsageError, match=r"got t = -0\.1"):
        _drift(5).at(-0.1)


def test_boundary_data_between_times_are_interpolated_too() -> None:
    heat = Heat(conditions=(Dirichlet(lambda t, x: t**3 + 0 * x),))
    r = GridField.for_problem(heat, 8)
    times = [0.0, 0.5, 1.0, 1.5]
    run = dataclasses.replace(
        _drift(4), problem=heat, representation=r, times=torch.tensor(times), states=torch.zeros(4, 6)
    )
    end = torch.tensor([[0.0]], dtype=torch.float64)
    assert float(run.at(0.7)(end)) == pytest.approx(0.343, abs=1e-12)


def test_error_numbers_are_what_they_say() -> None:
    run = _exact_states(Drift(), GridField.for_problem(Drift(), 16, order="fourier"), [0.0, 0.5])
    run = dataclasses.replace(run, states=run.states + 0.25)
    e = run.error(points=101)
    x = torch.linspace(0, 2 * math.pi, 101, dtype=torch.float64)[:, None]
    size = torch.stack([Drift().exact(t, x) for t in (0.0, 0.5)]).square().sum().sqrt()
    assert (
        e["mae"] == pytest.approx(0.25) and e["mse"] == pytest.approx(0.0625) and e["max_error"] == pytest.approx(0.25)
    )
    assert e["rel_l2"] == pytest.approx(0.25 * math.sqrt(202) / float(size))
    one = dataclasses.replace(run, states=torch.stack([run.states[0] - 0.25, run.states[1]]))
    assert one.error([0.0])["max_error"] <= 1e-12 and one.error([0.5])["mae"] == pytest.approx(0.25)
    assert one.error()["mae"] == pytest.approx(0.125)


@dataclasses.dataclass(frozen=True)
class Faint(Drift):
    size: float = 1.0

    def exact(self, t, x):
        return self.size * super().exact(t, x)


@pytest.mark.parametrize("size", [0.0, 1e-30])
def test_only_a_field_that_is_zero_has_no_relative_error(size: float) -> None:
    run = _exact_states(Faint(size=size), GridField.for_problem(Drift(), 16, order="fourier"), [0.0, 0.5])
    error = dataclasses.replace(run, states=run.states + size / 4 + 1e-40).error(points=101)
    assert math.isnan(error["rel_l2"]) if size == 0 else 0.1 < error["rel_l2"] < 1
    assert error["max_error"] == pytest.approx(size / 4 + 1e-40)


def test_a_reference_stands_in_for_an_exact_solution() -> None:
    burgers = Burgers(0.1)
    fine, coarse = (
        simulate(burgers, GridField.for_problem(burgers, n, order=6), RK4(), dt=0.002, t_end=0.05, save_every=5)
        for n in (64, 12)
    )
    assert coarse.error(reference=fine)["max_error"] == pytest.approx(coarse.error()["max_error"], rel=1e-2)
    odd = Heat(source_term=1.0)
    run = simulate(odd, GridField.for_problem(odd, 8), RK4(), dt=0.01, t_end=0.02)
    with pytest.raises(UsageError, match="Heat: no exact solution is known; pass reference=another_solution"):
        run.error()
    assert run.error(reference=run)["max_error"] == 0.0
    assert "no exact solution to compare with" in run.summary()


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (Advection(), "its problem is Advection, the solution's Heat"),
        (Heat(domain=Box((0.0,), (2.0,))), r"its domain is Box\(.*2\.0.*the solution's Box"),
    ],
)
def test_a_reference_solves_the_same_problem(problem, sentence: str) -> None:
    mine, other = (simulate(p, GridField.for_problem(p, 16), RK4(), dt=0.01, t_end=0.02) for p in (Heat(), problem))
    for ask in (mine.error, mine.errors):
        with pytest.raises(UsageError, match=f"the reference must solve the same problem: {sentence}"):
            ask(reference=other)
    with pytest.raises(UsageError, match="the reference must be a Solution; got dict"):
        mine.error(reference={})


class TwoHeats(Heat):
    """Twice the heat equation, under its name."""

    unknowns: ClassVar[dict[str, int]] = {"u": 1, "v": 1}
    name = "Heat"

    def initial(self, x):
        return torch.cat([x, x], dim=-1)


def test_a_reference_has_the_same_unknowns() -> None:
    mine, other = (simulate(p, GridField.for_problem(p, 8), RK4(), dt=0.01, t_end=0.01) for p in (Heat(), TwoHeats()))
    with pytest.raises(UsageError, match=r"its unknowns are \{'u': 1, 'v': 1\}, the solution's \{'u': 1\}"):
        mine.error(reference=other)


def test_probes() -> None:
    run = _exact_states(Waves(), GridField.for_problem(Waves(), 16, order="fourier"), [0.0, 0.1, 0.2, 0.3])
    points = [[0.25], [0.5], [1.0]]
    values = run.probe(points)
    assert values.shape == (4, 3, 2)
    torch.testing.assert_close(values[2], Waves().exact(0.2, torch.tensor(points, dtype=torch.float64)))
    assert run.probe(points, times=[0.15]).shape == (1, 3, 2)
    assert torch.equal(run.probe(torch.tensor(points)), values)


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        ([[1.5], [0.5], [-2.0]], r"2 of 3 points lie outside the domain, first \[1.5\]"),
        ([[0.5, 0.5]], r"probe needs points of shape \(n, 1\); got \(1, 2\)"),
        ([0.5], r"probe needs points of shape \(n, 1\); got \(1,\)"),
        ([[float("nan")]], "1 of 1 points lie outside"),
    ],
)
def test_impossible_probes_are_refused(points, sentence: str) -> None:
    run = _exact_states(Waves(), GridField.for_problem(Waves(), 16), [0.0, 0.1])
    with pytest.raises(UsageError, match=sentence):
        run.probe(points)


def _runs():
    heat = Heat()
    field = NeuralField.for_problem(heat, hidden=(5,))
    fits = {
        "initial_fit": {"options": GaussNewton(20, damping=1e-4, accept=math.inf)},
        "fit": GaussNewton(maxiter=3, accept=math.inf),
    }
    return {
        "grid": lambda: simulate(heat, GridField.for_problem(heat, 12), RK4(), dt=0.004, t_end=0.02, save_every=2),
        "neural field": lambda: simulate(heat, field, RK4(), dt=0.004, t_end=0.02, save_every=2, **fits),
        "two channels": lambda: simulate(Waves(), GridField.for_problem(Waves(), 12), RK4(), dt=0.01, t_end=0.04),
        "steady": lambda: solve(Poisson(domain=UNIT), GridField.for_problem(Poisson(domain=UNIT), 12)),
        "single": lambda: simulate(
            heat, GridField.for_problem(heat, 12, dtype=torch.float32), RK4(), dt=0.004, t_end=0.02
        ),
    }


@pytest.mark.parametrize("name", _runs())
def test_a_file_gives_everything_back(name: str, tmp_path) -> None:
    run = _runs()[name]()
    path = run.save(tmp_path / "deep" / "run.h5", case={"note": "ν = 0.1"})
    back = load_solution(path, run.problem)
    assert path.exists() and [p.name for p in path.parent.iterdir()] == ["run.h5"]
    assert torch.equal(back.times, run.times) and torch.equal(back.states, run.states)
    assert back.states.dtype == run.states.dtype
    assert (back.last.t, back.status, back.recipe) == (run.last.t, run.status, run.recipe)
    assert torch.equal(back.last.theta, run.last.theta)
    assert [t for t, _ in back.last.history] == [t for t, _ in run.last.history]
    for (_, one), (_, other) in zip(back.last.history, run.last.history, strict=True):
        assert torch.equal(one, other)
    assert [(i.residual, i.iterations) for i in back.infos] == [(i.residual, i.iterations) for i in run.infos]
    assert (back.setup_seconds, back.solve_seconds, back.fit_error) == (
        run.setup_seconds,
        run.solve_seconds,
        run.fit_error,
    )
    assert back.error() == run.error() and back.summary() == run.summary()
    with h5py.File(path) as file:
        assert json.loads(str(file.attrs["metadata"]))["case"] == {"note": "ν = 0.1"}


def test_a_file_of_another_problem_is_refused(tmp_path) -> None:
    path = _runs()["grid"]().save(tmp_path / "run.h5")
    with pytest.raises(DataError, match=r"run.h5 holds a solution of Heat, not of Burgers"):
        load_solution(path, Burgers())
    with pytest.raises(DataError, match=r"run.h5 holds Heat with condition on x- = Periodic, not Dirichlet"):
        load_solution(path, Heat(conditions=(Dirichlet(0.0),)))
    with pytest.raises(DataError, match=r"run.h5 holds Heat with diffusivity = 0.1, not 5.0"):
        load_solution(path, Heat(diffusivity=5.0))
    with pytest.raises(DataError, match=r"run.h5 holds Heat with domain = "):
        load_solution(path, Heat(domain=Box((0.0,), (2.0,))))


def test_damage_is_found(tmp_path) -> None:
    path = _runs()["grid"]().save(tmp_path / "run.h5")
    with h5py.File(path, "r+") as file:
        file["states"][0, 0] += 1e-12
    with pytest.raises(DataError, match="is damaged"):
        load_solution(path, Heat())
    with pytest.raises(DataError, match="there is no file"):
        load_solution(tmp_path / "nothing.h5", Heat())


def test_summary_says_what_was_done() -> None:
    run = _runs()["grid"]()
    text = run.summary()
    for part in ("Heat on GridField: 12 dofs, 96 bytes", "5 steps to t = 0.02", "every planned step", "rel_l2"):
        assert part in text


def test_summary_counts_the_steps_that_were_done(tmp_path) -> None:
    heat, poisson = Heat(), Poisson(domain=UNIT)
    grid, field = GridField.for_problem(heat, 12), NeuralField.for_problem(poisson, hidden=(6,))
    limits = {"growth_limit": 1.5, "raise_on_failure": False}
    told = {
        "1 step to t = 0.01: every planned": simulate(heat, grid, RK4(), dt=0.01, t_end=0.01),
        "no step from t = 0: the solution grew": simulate(heat, grid, RK4(), dt=100.0, t_end=200.0, **limits),
        "steady solve, 1 iteration: a fit used": solve(poisson, field, fit=GaussNewton(1), raise_on_failure=False),
        "steady solve, 2 iterations: a fit used": solve(poisson, field, fit=GaussNewton(2), raise_on_failure=False),
    }
    for line, run in told.items():
        saved = load_solution(run.save(tmp_path / "run.h5"), run.problem)
        assert run.summary().splitlines()[1].startswith(line) and saved.summary() == run.summary()
        assert saved.infos == run.infos or run.status is Status.COMPLETED


def test_pictures_are_written(tmp_path) -> None:
    run = _runs()["grid"]()
    square = Heat(profile=SineMode((1.0, 1.0), (1.0, 1.0)), domain=SQUARE, conditions=(Periodic(),), diffusivity=0.05)
    flat = simulate(square, GridField.for_problem(square, 12), RK4(), dt=0.004, t_end=0.008)
    single = run.plot(tmp_path / "one.png")
    two = flat.plot(tmp_path / "flat.png")
    both = compare({"order 2": run, "again": run}, tmp_path / "both.png")
    moving = compare({"order 2": run}, tmp_path / "both.gif")
    for path, magic in ((single, b"\x89PNG"), (two, b"\x89PNG"), (both, b"\x89PNG"), (moving, b"GIF8")):
        assert path.read_bytes()[:4] == magic and path.stat().st_size > 5000


def test_samples_hold_values_and_references() -> None:
    run = _runs()["two channels"]()
    samples = run.samples(points=21, frames=3)
    assert samples.values.shape == samples.exact.shape == (3, 21, 2)
    assert samples.times.tolist() == pytest.approx([0.0, 0.02, 0.04])
    assert float(np.abs(samples.values[0] - samples.exact[0]).max()) < 0.1
