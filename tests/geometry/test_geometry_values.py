"""Values of conditions: what people give, and sentences about what does not serve."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from neuralpde.geometry import Dirichlet, Flux, Neumann, PointLoad, Pressure, Robin
from neuralpde.problems import traction
from neuralpde.types import UsageError

X = torch.rand(4, 2, dtype=torch.float64)
VALUED: list[Callable[..., object]] = [
    Dirichlet,
    Neumann,
    Flux,
    Robin,
    traction,
    lambda value, on="x-": PointLoad(value, place=(0.5, 0.5)),
]


def _robin(value: object, on: str = "x-") -> Robin:
    return Robin(1.0, value, on)  # type: ignore[arg-type]


VALUED[3] = _robin


@pytest.mark.parametrize("make", VALUED)
@pytest.mark.parametrize("given", [[1.0, 2.0], np.array([1, 2]), torch.tensor([1.0, 2.0]), (np.float64(1), 2)])
def test_lists_arrays_and_tensors_are_numbers(make: Callable[..., Dirichlet], given: object) -> None:
    condition = make(given)
    assert isinstance(condition.value, tuple)
    assert hash(condition) == hash(make((1.0, 2.0)))
    assert condition.at(0.0, X, 2).abs().tolist() == [[1.0, 2.0]] * 4


@pytest.mark.parametrize("make", [*VALUED, Pressure])
@pytest.mark.parametrize("given", [None, "0", True, float("nan"), float("inf"), (0.0, float("nan")), (), {}, (None,)])
def test_what_is_no_value_is_refused(make: Callable[..., object], given: object) -> None:
    with pytest.raises(UsageError, match=r"the value of a? ?\w+ is a finite number, one for each component"):
        make(given, on="x-")


def test_a_tensor_keeps_its_gradient() -> None:
    for make in (lambda p: (0.0, p), lambda p: torch.stack([0 * p, p])):
        p = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
        (2 * Dirichlet(make(p)).at(0.0, X, 2)).sum().backward()
        assert p.grad is not None and float(p.grad) == 8.0


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (lambda t, x: torch.zeros(len(x), 3), r"must return a tensor \(4, 2\), .*; it returned \(4, 3\)\.$"),
        (lambda t, x: torch.zeros(2), r"returned \(2,\); add \.expand\(len\(x\), -1\) for the same row everywhere"),
        (lambda t, x: torch.zeros(3, 2), r"it returned \(3, 2\)"),
        (lambda t, x: 0.1 * t, r"it returned the number 0.0; for one number everywhere: torch.full_like"),
        (lambda t, x: x.numpy(), r"it returned a NumPy array \(4, 2\) \(torch.from_numpy"),
        (lambda t, x: (0.0, 1.0), "it returned a tuple"),
    ],
)
@pytest.mark.parametrize("make", VALUED[:5])
def test_functions_return_a_row_for_each_point(make: Callable[..., Dirichlet], value: object, sentence: str) -> None:
    condition = make(value, on="left")
    with pytest.raises(UsageError, match=rf"^the .* on left as a function of 4 points .*{sentence}"):
        condition.at(0.0, X, 2)


def test_a_column_is_that_of_all_components() -> None:
    for value in (lambda t, x: x[:, 0], lambda t, x: x[:, :1]):
        assert torch.equal(traction(value, "x-").at(0.0, X, 2), -X[:, :1].expand(-1, 2))
        assert Pressure(value, "x-").at(0.0, X, 2).shape == (4, 1)
    with pytest.raises(UsageError, match=r"the pressure on x- .* must return a tensor \(4, 1\)"):
        Pressure(lambda t, x: x, "x-").at(0.0, X, 2)


def test_functions_take_time_and_points() -> None:
    with pytest.raises(UsageError, match=r"takes the time and points, .*; the one given takes \(x\)"):
        Dirichlet(lambda x: x, "x-")  # type: ignore[arg-type, misc]


@pytest.mark.parametrize("on", [None, 3, ("x-", 1)])
def test_names_of_faces(on: object) -> None:
    with pytest.raises(UsageError, match="on= of a Flux names faces"):
        _ = Flux(0.0, on=on).faces  # type: ignore[arg-type]
