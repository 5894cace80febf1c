"""A file is only read as what it was saved from: functions, profiles and values of conditions count."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from neuralpde import RK4, Advection, Box, Dirichlet, GridField, Heat, Neumann, simulate
from neuralpde.io import load_arrays, save_arrays
from neuralpde.problems import GaussianBump, NavierStokes, Problem, SineMode
from neuralpde.simulate import load_solution
from neuralpde.simulate._problem_data import first_difference, problem_data
from neuralpde.types import DataError


def wave(t: float, x: Tensor) -> Tensor:
    return math.sin(3 * t) + x


def flat(value: Any) -> Heat:
    return Heat(conditions=(Dirichlet(value),))


@dataclass(frozen=True)
class Weighted(Heat):
    weights: Any = (1.0, 2.0)


PAIRS: dict[str, tuple[Callable[[], Problem], Callable[[], Problem], str]] = {
    "another mode": (
        Heat,
        lambda: Heat(profile=SineMode((1.0,), (3.0,))),
        r"profile = SineMode\(lengths=\(1.0,\), wavenumbers=\(1.0,\), phase=0.0\), not SineMode\(.*\(3.0,\)",
    ),
    "another class": (Heat, lambda: Heat(profile=GaussianBump()), r"profile = SineMode.*, not GaussianBump\(centre"),
    "no period": (Advection, lambda: Advection(profile=GaussianBump(period=None)), r".*period=4\.0.*period=None"),
    "value": (lambda: flat(1.0), lambda: flat(0.0), "value on x- = 1.0, not 0.0"),
    "slope": (
        lambda: Heat(conditions=(Neumann(1.0),)),
        lambda: Heat(conditions=(Neumann(2.0),)),
        "value on x- = 1.0, not 2.0",
    ),
    "value in time": (lambda: flat(wave), lambda: flat(lambda t, x: math.cos(3 * t) + x), "value on x- = a function"),
    "function": (
        lambda: Heat(diffusivity=lambda x: 0.1 + 0.05 * x),
        lambda: Heat(diffusivity=lambda x: 0.1 + 0.06 * x),
        r"diffusivity = a function with values 0\.\d+, .*, not a function with values",
    ),
    "number for function": (
        lambda: Heat(diffusivity=lambda x: 0.1 + 0 * x),
        Heat,
        "diffusivity = a function.*, not 0.1",
    ),
    "tuple": (Weighted, lambda: Weighted(weights=(1.0, 3.0)), r"weights = \(1.0, 2.0\), not \(1.0, 3.0\)"),
    "tensor": (
        lambda: Weighted(weights=torch.tensor([1.0, 2.0])),
        lambda: Weighted(weights=torch.tensor([1.0, 2.5])),
        "weights = a tensor with values 1, 2, …",
    ),
}


def saved(problem: Problem, path: Path) -> Path:
    grid = GridField.for_problem(problem, 12)
    return simulate(problem, grid, RK4(), dt=1e-4, t_end=2e-4).save(path / "run.h5")


@pytest.mark.parametrize("name", PAIRS)
def test_another_problem_of_the_class_is_refused(name: str, tmp_path: Path) -> None:
    make, other, message = PAIRS[name]
    path = saved(make(), tmp_path)
    with pytest.raises(DataError, match=f"run.h5 holds .* with {message}"):
        load_solution(path, other())
    back = load_solution(path, make())  # built anew: another function in memory, the same values
    assert back.last.t == 2e-4


def test_what_cannot_be_told_is_not_compared() -> None:
    def fussy(x: Tensor) -> Tensor:
        raise RuntimeError("not today")

    domain = Box((0.0, 0.0), (1.0, 1.0))
    one, other = (problem_data(NavierStokes(velocity=v, domain=domain)) for v in (fussy, torch.zeros_like))
    assert first_difference(json.loads(json.dumps(one)), other) is None
    assert first_difference(json.loads(json.dumps(other)), one) is None


def test_functions_agree_but_for_rounding_and_leave_the_generator_alone() -> None:
    before = torch.random.get_rng_state()
    one = problem_data(Heat(profile=lambda x: torch.sin(x) + 0 * torch.rand(1)))
    assert torch.equal(before, torch.random.get_rng_state())
    other = problem_data(Heat(profile=lambda x: torch.sin(x) * (1 + 1e-9)))
    assert first_difference(one, other) is None


def test_older_files_know_fewer_names_and_are_still_read(tmp_path: Path) -> None:
    heat = Heat(conditions=(Dirichlet(0.0),))
    path = saved(heat, tmp_path)
    arrays, meta = load_arrays(path)
    meta["data"] = {k: meta["data"][k] for k in ("domain", "conditions", "diffusivity", "source_term")}
    save_arrays(path, arrays, meta)
    assert load_solution(path, heat).last.t == 2e-4
    with pytest.raises(DataError, match=r"with diffusivity = 0\.1, not 0\.2"):
        load_solution(path, Heat(diffusivity=0.2, conditions=(Dirichlet(0.0),)))
