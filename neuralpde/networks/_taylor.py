"""Forward propagation of value, gradient and second derivatives through a network, all in one stacked tensor.

Rows of a stack ``(1 + d + s, n, w)``: the value, its d first derivatives, then either one row for the Laplacian or one
row for each pair i ≤ j of the Hessian. An affine layer acts on all rows by one matrix product; an activation σ acts by
the chain rule

    ∂_i σ(z) = σ'(z) ∂_i z,
    ∂_ij σ(z) = σ'(z) ∂_ij z + σ''(z) ∂_i z ∂_j z,     Δσ(z) = σ'(z) Δz + σ''(z) |∇z|².

Forward mode needs one pass whatever d is; nested reverse mode needs one more backward pass per dimension.
The Laplacian's own row is the "forward Laplacian" of Li et al., Nature Machine Intelligence 6 (2024).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from neuralpde.fields import Jet, check_needs

Derivatives = tuple[Tensor, Tensor, Tensor]
"""σ(z), σ'(z), σ''(z)."""


@dataclass(frozen=True)
class Layout:
    """Which rows a stack has."""

    dim: int
    first: bool
    second: str  # "", "laplacian" or "hess"

    @classmethod
    def of(cls, needs: frozenset[str], dim: int) -> Layout:
        """The smallest layout that yields ``needs``."""
        check_needs(needs)
        second = "hess" if "hess" in needs else "laplacian" if "laplacian" in needs else ""
        return cls(dim, bool(second) or "grad" in needs, second)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Index pairs i ≤ j of the Hessian's rows."""
        return [(i, j) for i in range(self.dim) for j in range(i, self.dim)]


def activate(stack: Tensor, sigma: Callable[[Tensor], Derivatives], layout: Layout) -> Tensor:
    """Apply an activation to a stack by the chain rule."""
    value, first, second = sigma(stack[0])
    if not layout.first:
        return value[None]
    d = layout.dim
    grads = stack[1 : 1 + d]
    if not torch.is_grad_enabled() and layout.second != "hess":
        return _activate_in_place(stack, (value, first, second), layout)
    rows = [value[None], first * grads]
    if layout.second == "laplacian":
        rows.append((first * stack[1 + d] + second * grads.square().sum(0))[None])
    elif layout.second == "hess":
        i, j = zip(*layout.pairs, strict=True)
        rows.append(first * stack[1 + d :] + second * grads[list(i)] * grads[list(j)])
    return torch.cat(rows)


def _activate_in_place(stack: Tensor, sigma: Derivatives, layout: Layout) -> Tensor:
    """The same rule written over ``stack``, which nothing else holds: half the memory traffic, no autograd."""
    value, first, second = sigma
    d = layout.dim
    if layout.second == "laplacian":
        squares = torch.square(stack[1])
        for i in range(2, 1 + d):
            squares.addcmul_(stack[i], stack[i])
        stack[1:].mul_(first)
        stack[1 + d].addcmul_(second, squares)
    else:
        stack[1:].mul_(first)
    stack[0] = value
    return stack


def affine(stack: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """z = W h + b on every row (the bias on the value's row only)."""
    if stack.shape[0] == 1:
        return torch.nn.functional.linear(stack, weight, bias)
    out = stack @ weight.T
    if not torch.is_grad_enabled():
        out[0] += bias
        return out
    return torch.cat([out[:1] + bias, out[1:]])


def to_jet(stack: Tensor, layout: Layout) -> Jet:
    """Read a jet off the last stack ``(rows, n, c)``."""
    value = stack[0]
    if not layout.first:
        return Jet(value)
    d = layout.dim
    grad = stack[1 : 1 + d].permute(1, 2, 0)
    if layout.second == "laplacian":
        return Jet(value, grad, laplacian=stack[1 + d])
    if layout.second == "hess":
        index = torch.zeros(d, d, dtype=torch.long)
        for k, (i, j) in enumerate(layout.pairs):
            index[i, j] = index[j, i] = k
        hess = stack[1 + d :].permute(1, 2, 0)[..., index.reshape(-1)]
        return Jet(value, grad, hess=hess.reshape(*value.shape, d, d))
    return Jet(value, grad)


def tanh_derivatives(z: Tensor) -> Derivatives:
    """tanh, 1 − tanh², −2 tanh (1 − tanh²)."""
    a = torch.tanh(z)
    first = torch.addcmul(torch.ones_like(a), a, a, value=-1)
    return a, first, -2 * a * first


def sine_derivatives(z: Tensor) -> Derivatives:
    """sin, cos, −sin."""
    a = torch.sin(z)
    return a, torch.cos(z), -a
