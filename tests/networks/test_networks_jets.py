"""Jets of every first layer and activation against automatic differentiation and central differences."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, jacfwd, vmap

from neuralpde.fields import Jet, autodiff_jet
from neuralpde.networks import (
    MLP,
    CentredLayer,
    Coordinates,
    FirstLayer,
    FourierFeatures,
    HarmonicFeatures,
    MirroredLayer,
    _mlp,
)
from neuralpde.types import UsageError

LOWER, UPPER = [0.0, -1.0, 0.5], [2.0, 1.0, 2.0]
FIRST = (
    *("coordinates", "centred", "centred periodic", "centred mixed", "harmonic", "harmonic mixed", "fourier"),
    *("mirrored", "mirrored ends"),
)
NEEDS = ({"value"}, {"grad"}, {"laplacian"}, {"hess"}, {"value", "grad", "laplacian", "hess"})


@pytest.fixture(autouse=True)
def _float64() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def _periods(which: str, dim: int) -> list[float | None]:
    lengths = [b - a for a, b in zip(LOWER[:dim], UPPER[:dim], strict=True)]
    if which == "none":
        return [None] * dim
    return [None if which == "mixed" and i == 0 else length for i, length in enumerate(lengths)]


def _first(name: str, dim: int) -> FirstLayer:
    lower, upper, seed = LOWER[:dim], UPPER[:dim], torch.Generator().manual_seed(3)
    kind, _, which = name.partition(" ")
    if kind == "coordinates":
        return Coordinates(lower, upper)
    if kind == "mirrored":
        inner = CentredLayer(lower, upper, 9, [None] * dim, steepness=4.0, generator=seed)
        ends = ((True, True), (True, False), (False, True)) if which == "ends" else ((False, True), (False, False))
        return MirroredLayer(inner, lower, upper, (ends * 2)[:dim])
    if kind == "fourier":
        return FourierFeatures(lower, upper, 8, scale=2.0, generator=seed)
    if kind == "harmonic":
        return HarmonicFeatures(lower, upper, _periods(which, dim))
    return CentredLayer(lower, upper, 9, _periods(which or "none", dim), steepness=4.0, generator=seed)


def _net(name: str, activation: str = "tanh", dim: int = 2, hidden: tuple[int, ...] = (10, 7)) -> MLP:
    net = MLP(_first(name, dim), hidden, 2, activation, omega=3.0, generator=torch.Generator().manual_seed(1))
    for bias in net.biases:
        torch.nn.init.normal_(bias, std=0.3, generator=torch.Generator().manual_seed(2))
    return net


def _points(dim: int, n: int = 5) -> Tensor:
    low, high = torch.tensor(LOWER[:dim]), torch.tensor(UPPER[:dim])
    return low + (high - low) * torch.rand(n, dim, generator=torch.Generator().manual_seed(4))


def _same(jet: Jet, reference: Jet, rtol: float) -> None:
    for name, part in jet.parts().items():
        expected = reference.parts()[name]
        assert part.shape == expected.shape, name
        scale = expected.abs().max().item() if expected.numel() else 0.0
        assert (part - expected).abs().max().item() <= rtol * max(scale, 1e-3), name


def test_a_mirrored_network_is_even_about_its_mirrors() -> None:
    """No slope across a face that mirrors, and one across a face that does not."""
    net, x = _net("mirrored ends", dim=3), _points(3, 9)
    for axis, ends in enumerate(net.first.mirrors):
        for side, mirror in enumerate(ends):
            face = x.clone()
            face[:, axis] = (UPPER if side else LOWER)[axis]
            slope = net.jet(face, frozenset({"grad"})).grad[..., axis].abs().max()
            assert float(slope) <= 1e-13 if mirror else float(slope) > 0.05


@pytest.mark.parametrize("dim", [1, 3])
@pytest.mark.parametrize("activation", ["tanh", "sine"])
@pytest.mark.parametrize("first", FIRST)
def test_every_jet_equals_autodiff_with_and_without_gradients(first: str, activation: str, dim: int) -> None:
    net, x = _net(first, activation, dim), _points(dim)
    reference = autodiff_jet(net, x, frozenset({"grad", "hess"}))
    for needs in map(frozenset, NEEDS):
        recorded = net.jet(x, needs)
        assert needs <= recorded.parts().keys()
        _same(recorded, reference, 1e-11)
        with torch.no_grad():
            _same(net.jet(x, needs), reference, 1e-11)  # written in place


@pytest.mark.parametrize("activation", ["tanh", "sine"])
@pytest.mark.parametrize("first", FIRST)
def test_jets_equal_central_differences(first: str, activation: str) -> None:
    net, x, h = _net(first, activation), _points(2), 1e-4
    with torch.no_grad():
        jet = net.jet(x, frozenset({"grad", "laplacian"}))
        steps = [h * unit for unit in torch.eye(2)]
        slopes = [(net(x + s) - net(x - s)) / (2 * h) for s in steps]
        bends = [(net(x + s) - 2 * net(x) + net(x - s)) / h**2 for s in steps]
    assert torch.allclose(jet.grad, torch.stack(slopes, dim=-1), rtol=1e-5, atol=1e-5)
    assert torch.allclose(jet.laplacian, torch.stack(bends).sum(0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("first", FIRST)
def test_a_network_without_hidden_layers(first: str) -> None:
    net, x = _net(first, hidden=()), _points(2)
    reference = autodiff_jet(net, x, frozenset({"grad", "hess"}))
    for needs in ({"grad", "laplacian"}, {"hess"}):
        _same(net.jet(x, frozenset(needs)), reference, 1e-11)


@pytest.mark.parametrize("hidden", [(), (10, 7)])
@pytest.mark.parametrize("first", FIRST)
def test_chunks_change_nothing(first: str, hidden: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = _net(first, hidden=hidden), _points(2, 11)
    needs = frozenset({"value", "grad", "laplacian"})
    with torch.no_grad():
        whole, values = net.jet(x, needs), net(x)
        monkeypatch.setattr(_mlp, "CHUNK_CPU", 4)
        _same(net.jet(x, needs), whole, 1e-14)
        _same(net.jet(x, frozenset({"hess"})), autodiff_jet(net, x, frozenset({"hess"})), 1e-11)
        assert torch.allclose(net(x), values, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("needs", NEEDS)
def test_no_points_give_an_empty_jet(needs: set[str]) -> None:
    for recorded in (True, False):
        with torch.set_grad_enabled(recorded):
            jet = _net("coordinates").jet(torch.zeros(0, 2), frozenset(needs))
        assert all(part.shape[:2] == (0, 2) for part in jet.parts().values())


@pytest.mark.parametrize("first", ["centred periodic", "harmonic"])
def test_periodic_networks_are_periodic_to_rounding(first: str) -> None:
    net, x = _net(first), _points(2)
    period = torch.tensor(net.periods)
    needs = frozenset({"value", "grad", "laplacian"})
    _same(net.jet(x + period, needs), net.jet(x, needs), 1e-12)
    _same(net.jet(x - 3 * period, needs), net.jet(x, needs), 1e-12)


def test_periods_are_told_axis_by_axis() -> None:
    assert _net("centred mixed").periods == (None, 2.0)
    assert _net("coordinates").periods == _net("fourier").periods == (None, None)


@pytest.mark.parametrize("first", FIRST)
def test_gradient_through_a_jet_equals_differences_in_the_weights(first: str) -> None:
    net, x = _net(first), _points(2)
    weights = {name: p.detach() for name, p in net.named_parameters()}

    def residual(p: dict[str, Tensor], point: Tensor) -> Tensor:
        jet = functional_call(net, p, (point[None], frozenset({"grad", "laplacian"})))
        return (jet.laplacian + jet.value * jet.grad.sum(-1)).square().sum()

    slopes = vmap(grad(residual), in_dims=(None, 0))(weights, x)
    seed, h = torch.Generator().manual_seed(5), 1e-5
    along = {name: torch.randn(p.shape, generator=seed) for name, p in weights.items()}
    ends = [{name: p + s * along[name] for name, p in weights.items()} for s in (h, -h)]
    high, low = (torch.stack([residual(end, point) for point in x]) for end in ends)
    directional = sum((slopes[name].flatten(1) @ along[name].flatten()) for name in weights)
    assert torch.allclose(directional, (high - low) / (2 * h), rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("error:There is a performance drop")
@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("n", [1, 3])
def test_transforms_without_recorded_gradients(first: str, n: int) -> None:
    net, x, needs = _net(first), _points(2, 4 * n), frozenset({"grad", "laplacian"})
    expected = net.jet(x, needs)
    with torch.no_grad():
        batched = vmap(lambda part: net.jet(part, needs).laplacian)(x.reshape(4, n, 2))
        slope = vmap(jacfwd(lambda p: net(p[None])[0]))(x)
        reverse = vmap(grad(lambda p: net.jet(p[None], needs).value[0, 0]))(x)
    assert torch.allclose(batched.flatten(0, 1), expected.laplacian, rtol=1e-11, atol=1e-11)
    assert torch.allclose(slope, expected.grad, rtol=1e-11, atol=1e-11)
    assert torch.allclose(reverse, expected.grad[:, 0], rtol=1e-11, atol=1e-11)


def test_points_and_weights_stay_as_they_were() -> None:
    for first in FIRST:
        net, x = _net(first), _points(2)
        before = [t.clone() for t in (x, *net.state_dict().values())]
        with torch.no_grad():
            net.jet(x, frozenset({"laplacian"}))
            net.jet(x, frozenset({"hess"}))
        assert all(torch.equal(a, b) for a, b in zip(before, (x, *net.state_dict().values()), strict=True))


@pytest.mark.parametrize("activation", ["tanh", "sine"])
def test_large_arguments_saturate_without_nan(activation: str) -> None:
    net = _net("coordinates", activation)
    with torch.no_grad():
        jet = net.jet(torch.tensor([[1e6, -1e6], [0.0, 0.0]]), frozenset({"laplacian", "grad"}))
    assert all(torch.isfinite(part).all() for part in jet.parts().values())


@pytest.mark.parametrize("first", ["coordinates", "centred periodic"])
def test_recorded_and_in_place_paths_agree_to_rounding(first: str) -> None:
    """One calls tanh, the other the logistic function with rescaled layers."""
    net, x, needs = _net(first, hidden=(32, 32, 32)), _points(2, 50), frozenset({"value", "grad", "hess"})
    recorded, values = net.jet(x, needs), net(x)
    with torch.no_grad():
        _same(net.jet(x, needs), recorded, 1e-13)
        assert torch.allclose(net(x), values, rtol=1e-14, atol=1e-14)


def test_float32_stays_float32() -> None:
    jet = _net("harmonic mixed").float().jet(_points(2).float(), frozenset({"hess"}))
    assert all(part.dtype == torch.float32 for part in jet.parts().values())


def test_wrong_names_are_refused_with_the_right_ones() -> None:
    with pytest.raises(UsageError, match=r"tanh, sine; got 'relu'"):
        MLP(_first("coordinates", 2), [4], activation="relu")
    with pytest.raises(UsageError, match=r"value, grad, laplacian, hess.*curl"):
        _net("coordinates").jet(_points(2), frozenset({"curl"}))
    with pytest.raises(UsageError, match=r"must be even; got 7"):
        FourierFeatures([0.0], [1.0], 7)
