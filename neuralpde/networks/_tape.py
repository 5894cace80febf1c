"""Derivatives of what is computed from a network's jets, point by point, with respect to its weights."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.func import functional_call, grad, vmap

from neuralpde.fields import Jet
from neuralpde.networks._mlp import ACTIVATIONS, MLP
from neuralpde.networks._taylor import Layout, Stack, activate, affine, fill, to_jet


class Tape:
    """One pass of a network over all points, and ∂r_i/∂θ of numbers r_i that depend on their own points' jets.

    The cotangents of all affine layers follow from one backward pass for the sum of all r_i, as no point knows of any
    other; the gradient of a weight matrix at one point is then the product of its layer's cotangents and inputs there,
    Σ_k c_k h_kᵀ over value and derivatives k. A backward pass point by point (``vmap(grad(…))``) does the same
    arithmetic in small pieces, five times as slow.

    Args:
        network: the network.
        weights: its parameters by name.

    Source: Goodfellow, Efficient per-example gradient computations, arXiv 1510.01799, here with derivatives.
    """

    def __init__(self, network: MLP, weights: Mapping[str, Tensor]) -> None:
        self.network, self.weights = network, {name: weight.detach() for name, weight in weights.items()}
        self.inputs: list[Tensor] = []
        self.outputs: list[Tensor] = []

    def jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        """The network's jet, through which gradients are recorded; once for a tape."""
        self.x, self.layout = x, Layout.of(needs, x.shape[1])
        network, count = self.network, len(self.network.biases)
        sigma, omega = ACTIVATIONS[network.activation], network.omega
        with torch.enable_grad():
            with torch.no_grad():
                stack = fill(self._first(self._inner, x), self.layout)
            self.start = _joined(stack).requires_grad_()
            stack = _parted(self.start, self.layout)
            for k in range(count):
                weight, bias = self.weights[f"weights.{k}"], self.weights[f"biases.{k}"]
                factor = omega if k < count - 1 else 1.0
                self.inputs.append(_joined(stack).detach() * factor)
                self.outputs.append(_joined(affine(stack, factor * weight, factor * bias)))
                stack = _parted(self.outputs[-1], self.layout)
                if k < count - 1:
                    stack = fill(activate(stack, sigma, self.layout), self.layout)
            return to_jet(stack, self.layout)

    @property
    def _inner(self) -> dict[str, Tensor]:
        return {name[6:]: weight for name, weight in self.weights.items() if name.startswith("first.")}

    def _first(self, inner: Mapping[str, Tensor], x: Tensor) -> Stack:
        return functional_call(self.network.first, dict(inner), (x, self.layout))

    def gradients(self, numbers: Tensor) -> Tensor:
        """∂r_i/∂θ, ``(n, p)``, of r ``(n,)`` computed from the jet, in the order of the network's parameters."""
        n = numbers.shape[0]
        wanted = [self.start, *self.outputs]
        # a jet's parts that the numbers do not need have no gradient
        pull = [torch.ones_like(numbers)]
        found = torch.autograd.grad([numbers], wanted, pull, retain_graph=True, allow_unused=True)
        start, *cotangents = [torch.zeros_like(w) if f is None else f for f, w in zip(found, wanted, strict=True)]
        parts = self._first_gradients(start)
        for k, (cotangent, entry) in enumerate(zip(cotangents, self.inputs, strict=True)):
            factor = self.network.omega if k < len(cotangents) - 1 else 1.0
            parts[f"weights.{k}"] = torch.bmm(cotangent.permute(2, 0, 1), entry.permute(2, 1, 0))
            parts[f"biases.{k}"] = factor * cotangent[:, 0].T
        return torch.cat([parts[name].reshape(n, -1) for name in self.weights], dim=1)

    def outer_gradients(self, numbers: Tensor) -> Tensor:
        """The columns of :meth:`gradients` of the output layer's weights, then its biases, without the other layers."""
        pull = [torch.ones_like(numbers)]
        (found,) = torch.autograd.grad([numbers], [self.outputs[-1]], pull, retain_graph=True, materialize_grads=True)
        rows = torch.bmm(found.permute(2, 0, 1), self.inputs[-1].permute(2, 1, 0))
        return torch.cat([rows.flatten(1), found[:, 0].T], dim=1)

    def _first_gradients(self, cotangent: Tensor) -> dict[str, Tensor]:
        inner = self._inner
        if not inner:
            return {}
        known = self.network.first.pulled(inner, self.x, self.layout, cotangent)
        if known is not None:
            return {f"first.{name}": row for name, row in known.items()}

        def pulled(weights: dict[str, Tensor], point: Tensor, pull: Tensor) -> Tensor:
            return (pull * _joined(fill(self._first(weights, point[None]), self.layout))[..., 0]).sum()

        rows = vmap(grad(pulled), in_dims=(None, 0, 2))(inner, self.x, cotangent)
        return {f"first.{name}": row for name, row in rows.items()}


def _joined(stack: Stack) -> Tensor:
    """Value and derivatives of a filled stack as rows, ``(w, k, n)``."""
    return torch.cat([stack.value[:, None], *(part for part in stack[1:] if part is not None)], dim=1)


def _parted(rows: Tensor, layout: Layout) -> Stack:
    sizes = [1, layout.dim if layout.first else 0, layout.seconds, layout.dim**2 if layout.third else 0]
    value, *rest = rows.split(sizes, dim=1)
    return Stack(value[:, 0], *(part if part.shape[1] else None for part in rest))
