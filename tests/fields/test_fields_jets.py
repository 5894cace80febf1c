"""Jets: what they hold, their product rule, and automatic differentiation of plain functions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from neuralpde.fields import NEEDS, FunctionField, Jet, autodiff_jet, check_needs, constant_jet
from neuralpde.types import UsageError

ALL = frozenset(NEEDS)
SEED = 7


def _points(n: int = 6) -> Tensor:
    return torch.rand(n, 2, generator=torch.Generator().manual_seed(SEED), dtype=torch.float64)


def _vector(x: Tensor) -> Tensor:
    a, b = x[:, 0], x[:, 1]
    return torch.stack([torch.sin(2 * a) * b, a**3 + a * b**2], dim=-1)


def _scalar(x: Tensor) -> Tensor:
    return torch.exp(x[:, :1] * x[:, 1:]) + x[:, :1]


def _same(jet: Jet, reference: Jet) -> None:
    assert jet.parts().keys() == reference.parts().keys()
    for name, part in jet.parts().items():
        torch.testing.assert_close(part, reference.parts()[name], rtol=1e-12, atol=1e-12)


def test_derivatives_by_hand() -> None:
    x = _points()
    a, b = x[:, 0], x[:, 1]
    jet = autodiff_jet(_vector, x, ALL)
    zero = torch.zeros_like(a)
    slope = [
        torch.stack([2 * torch.cos(2 * a) * b, torch.sin(2 * a)], -1),
        torch.stack([3 * a**2 + b**2, 2 * a * b], -1),
    ]
    first = torch.stack([-4 * torch.sin(2 * a) * b, 2 * torch.cos(2 * a), 2 * torch.cos(2 * a), zero], -1)
    second = torch.stack([6 * a, 2 * b, 2 * b, 2 * a], -1)
    hess = torch.stack([first, second], dim=1).reshape(-1, 2, 2, 2)
    laplacian = torch.stack([-4 * torch.sin(2 * a) * b, 8 * a], -1)
    _same(jet, Jet(_vector(x), torch.stack(slope, dim=1), laplacian, hess))


@pytest.mark.parametrize("needs", [{"value"}, {"grad"}, {"laplacian"}, {"hess"}, ALL])
def test_a_jet_holds_what_was_asked_for(needs: set[str]) -> None:
    jet = FunctionField(_vector).jet(_points(), frozenset(needs))
    assert needs <= jet.parts().keys()
    shapes = {"value": (6, 2), "grad": (6, 2, 2), "laplacian": (6, 2), "hess": (6, 2, 2, 2)}
    assert all(part.shape == shapes[name] for name, part in jet.parts().items())


@pytest.mark.parametrize("part", ["grad", "laplacian", "hess"])
def test_a_missing_part_says_what_to_declare(part: str) -> None:
    jet = Jet(torch.zeros(3, 1))
    with pytest.raises(UsageError, match=rf"no '{part}'.*`needs`.*frozenset\(\{{'value', '{part}'\}}\)"):
        getattr(jet, part)


def test_unknown_needs_are_refused() -> None:
    with pytest.raises(UsageError, match=r"value, grad, laplacian, hess.*asks for curl, div"):
        check_needs(frozenset({"div", "curl", "grad"}))
    with pytest.raises(UsageError):
        autodiff_jet(_vector, _points(), frozenset({"third"}))


def test_the_laplacian_follows_from_the_hessian() -> None:
    hess = torch.arange(8.0).reshape(1, 2, 2, 2)
    assert Jet(torch.zeros(1, 2), hess=hess).laplacian.tolist() == [[3.0, 11.0]]


@pytest.mark.parametrize("needs", [{"value"}, {"grad"}, {"grad", "laplacian"}, {"grad", "hess"}, ALL])
def test_leibniz_product(needs: set[str]) -> None:
    x, asked = _points(), frozenset(needs)
    product = autodiff_jet(_vector, x, asked).times(autodiff_jet(_scalar, x, asked))
    _same(product, autodiff_jet(lambda p: _scalar(p) * _vector(p), x, asked))


def test_sum_keeps_the_parts_that_both_have() -> None:
    x = _points()
    left, right = autodiff_jet(_vector, x, ALL), autodiff_jet(_vector, x, frozenset({"grad"}))
    _same(left + right, autodiff_jet(lambda p: 2 * _vector(p), x, frozenset({"grad"})))


@pytest.mark.parametrize("needs", [{"value"}, {"grad"}, {"grad", "laplacian"}, ALL])
def test_a_constant_has_no_derivatives(needs: set[str]) -> None:
    value = torch.full((6, 2), 3.0, dtype=torch.float64)
    jet = constant_jet(value, 2, frozenset(needs))
    assert needs <= jet.parts().keys()
    _same(jet, autodiff_jet(lambda p: 0 * p + 3.0, _points(), frozenset(jet.parts())))
