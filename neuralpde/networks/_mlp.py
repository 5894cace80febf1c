"""Fully connected networks with forward-mode jets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from operator import index

import torch
from torch import Tensor, nn

from neuralpde.fields import Jet
from neuralpde.networks._first_layers import FirstLayer
from neuralpde.networks._taylor import (
    Activation,
    Layer,
    Layout,
    Stack,
    activate,
    affine,
    as_logistic,
    fast_logistic,
    fill,
    join,
    logistic_derivatives,
    sine_derivatives,
    tanh_derivatives,
    to_jet,
)
from neuralpde.types import UsageError

# Points at a time where no gradient is recorded. On a CPU the derivatives of a 64-wide network then stay in the cores'
# caches, twice as fast in 10D as all points at once (`neuralpde bench jets`). Multiples of 256 are slower, with two
# threads by a quarter, as the rows of round numbers share cache lines' places. Elsewhere the limit only bounds memory.
CHUNK_CPU, CHUNK_DEVICE = 1100, 65536

ACTIVATIONS = {"tanh": tanh_derivatives, "sine": sine_derivatives}


def hidden_widths(hidden: object) -> list[int]:
    """The widths of hidden layers, checked.

    Raises:
        UsageError: unless ``hidden`` is a sequence of positive whole numbers.
    """
    try:
        widths = [index(width) for width in hidden]  # type: ignore[attr-defined]
    except TypeError:
        raise UsageError(
            f"hidden must be the widths of the hidden layers, for instance (16,) or (16, 16); got {hidden!r}."
        ) from None
    if any(width < 1 for width in widths):
        raise UsageError(f"hidden needs at least one positive width; got {tuple(widths)}.")
    return widths


class MLP(nn.Module):
    """u(x) = W_L σ(… σ(W_1 h(x) + b_1) …) + b_L with first layer h.

    Args:
        first: how points enter (:class:`CentredLayer`, :class:`HarmonicFeatures`, :class:`Coordinates`, …).
        hidden: widths of the hidden layers after the first one.
        channels: number of outputs c.
        activation: ``"tanh"`` or ``"sine"`` (SIREN).
        omega: SIREN's frequency factor ω in sin(ω z), ignored for tanh (30 in the papers).
        generator: source of the random start.

    Raises:
        UsageError: for an unknown activation, or widths that are not positive whole numbers.

    Shapes: points ``(n, d)`` → values ``(n, c)``.

    Source: SIREN is Sitzmann et al., NeurIPS 2020, whose starting weights are used: U(−1/n, 1/n) in the first layer and
    U(−√(6/n)/ω, √(6/n)/ω) in the others; tanh layers start from N(0, 1/n).
    """

    def __init__(
        self,
        first: FirstLayer,
        hidden: Sequence[int],
        channels: int = 1,
        activation: str = "tanh",
        omega: float = 30.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise UsageError(f"the activations are {', '.join(ACTIVATIONS)}; got {activation!r}.")
        self.first, self.activation = first, activation
        self.omega = omega if activation == "sine" else 1.0
        widths = [first.width, *hidden_widths(hidden), channels]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for k, (fan_in, fan_out) in enumerate(pairwise(widths)):
            draw = torch.rand if activation == "sine" else torch.randn
            weight = draw(fan_out, fan_in, generator=generator, dtype=torch.get_default_dtype())
            if activation == "sine":
                bound = 1 / fan_in if k == 0 else math.sqrt(6 / fan_in) / omega
                weight = (2 * weight - 1) * bound
            else:
                weight = weight / math.sqrt(fan_in)
            self.weights.append(nn.Parameter(weight))
            self.biases.append(nn.Parameter(torch.zeros(fan_out, dtype=weight.dtype)))

    @property
    def channels(self) -> int:
        """Number of outputs c."""
        return self.biases[-1].shape[0]

    @property
    def periods(self) -> tuple[float | None, ...]:
        """Per axis the period that the network has by construction, or None."""
        return self.first.periods

    def _layers(self) -> tuple[list[Layer], Activation]:
        """Weights, biases and activation in the form that is fastest to evaluate."""
        layers = list(zip(self.weights, self.biases, strict=True))
        if self.activation == "tanh" and fast_logistic(layers[0][0]):
            return as_logistic(layers), logistic_derivatives
        if self.omega != 1.0:
            layers = [*((self.omega * weight, self.omega * bias) for weight, bias in layers[:-1]), layers[-1]]
        return layers, ACTIVATIONS[self.activation]

    def _stack(self, x: Tensor, layout: Layout) -> Stack:
        """The network's outputs as a stack, chunk by chunk where no gradient is recorded."""
        layers, sigma = self._layers()

        def through(points: Tensor) -> Stack:
            stack = self.first.stack(points, layout)
            for layer in layers[:-1]:
                stack = activate(affine(stack, *layer), sigma, layout)
            return affine(stack, *layers[-1])

        chunk = CHUNK_CPU if x.device.type == "cpu" else CHUNK_DEVICE
        if torch.is_grad_enabled() or x.shape[0] <= chunk:
            return through(x)
        return join([fill(through(part), layout) for part in x.split(chunk)])

    def jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        """Value and derivatives in one forward pass."""
        layout = Layout.of(needs, x.shape[1])
        return to_jet(self._stack(x, layout), layout)

    def forward(self, x: Tensor, needs: frozenset[str] | None = None) -> Tensor | Jet:
        """Values ``(n, c)``; with ``needs``, the jet."""
        if needs is None:
            return self._stack(x, Layout(x.shape[1], False, "")).value.T.contiguous()
        return self.jet(x, needs)
