"""θ-derivatives point by point, and third derivatives, of networks with every first layer."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.func import functional_call, grad, jvp, vmap

from neuralpde.fields import Jet
from neuralpde.networks import (
    MLP,
    CentredLayer,
    Coordinates,
    FirstLayer,
    FourierFeatures,
    HarmonicFeatures,
    MirroredLayer,
    Tape,
)

LOW, HIGH = (0.0, -1.0), (2.0, 0.5)
AROUND = (2.0, None)
NEEDS = frozenset({"grad", "hess", "bend"})


def made(first: FirstLayer, activation: str = "tanh") -> MLP:
    network = MLP(first, (5, 4), 2, activation, omega=3.0, generator=torch.Generator().manual_seed(2))
    return network.to(torch.float64)


def layers() -> list[SimpleNamespace]:
    draw = torch.Generator().manual_seed(1)
    centred = CentredLayer(LOW, HIGH, 6, AROUND, 6.0, draw)
    plain = CentredLayer(LOW, HIGH, 6, (None, None), 6.0, draw)
    return [
        SimpleNamespace(name="centred", network=made(centred)),
        SimpleNamespace(name="sine", network=made(plain, "sine")),
        SimpleNamespace(name="harmonic", network=made(HarmonicFeatures(LOW, HIGH, AROUND))),
        SimpleNamespace(name="fourier", network=made(FourierFeatures(LOW, HIGH, 6, 2.0, draw))),
        SimpleNamespace(name="coordinates", network=made(Coordinates(LOW, HIGH))),
        SimpleNamespace(name="mirrored", network=made(MirroredLayer(plain, LOW, HIGH, ((True, True), (False, True))))),
    ]


def points(n: int = 7) -> Tensor:
    s = torch.rand(n, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    return torch.tensor(LOW) + s * (torch.tensor(HIGH) - torch.tensor(LOW))


def numbers(jet: Jet) -> Tensor:
    """Something nonlinear in every part of a jet, ``(n,)``."""
    mixed = jet.value[:, 0] * jet.grad[:, 1, 0] + jet.hess[:, 0, 0, 1] * jet.value[:, 1]
    return mixed + jet.bend[:, 1, 1] * jet.grad[:, 0, 1] + jet.laplacian[:, 0]


@pytest.mark.parametrize("case", layers(), ids=lambda case: case.name)
def test_the_gradient_of_the_laplacian(case: SimpleNamespace) -> None:
    x, network = points(), case.network
    for recorded in (False, True):  # in place, and not
        with torch.set_grad_enabled(recorded):
            bend = network.jet(x, NEEDS).bend.detach()
        for j in range(2):
            along = torch.zeros_like(x)
            along[:, j] = 1.0
            wanted = jvp(lambda p: network.jet(p, frozenset({"laplacian"})).laplacian, (x,), (along,))[1]
            torch.testing.assert_close(bend[..., j], wanted.detach(), rtol=1e-11, atol=1e-11 * float(bend.abs().max()))


@pytest.mark.parametrize("case", layers(), ids=lambda case: case.name)
def test_gradients_of_numbers_made_from_jets(case: SimpleNamespace) -> None:
    x, network = points(), case.network
    weights = {name: weight.detach() for name, weight in network.named_parameters()}
    tape = Tape(network, weights)
    with torch.enable_grad():
        found = tape.gradients(numbers(tape.jet(x, NEEDS)))

    def one(given: dict[str, Tensor], point: Tensor) -> Tensor:
        return numbers(functional_call(network, given, (point[None], NEEDS)))[0]

    rows = vmap(grad(one), in_dims=(None, 0))(weights, x)
    wanted = torch.cat([rows[name].reshape(len(x), -1) for name in weights], dim=1)
    assert found.shape == (len(x), sum(weight.numel() for weight in weights.values()))
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10 * float(wanted.abs().max()))
