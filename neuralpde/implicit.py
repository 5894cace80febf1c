"""Gradients through roots, minimisers and fixed points, by the implicit function theorem."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from neuralpde.types import UsageError


def root(x: Tensor, residual: Callable[[Tensor], Tensor], adjoint: Callable[[Tensor], Tensor]) -> Tensor:
    """x with R(x, p) = 0 as a function of every tensor p that R reads and that requires a gradient.

    R(x(p), p) = 0 gives ∂x/∂p = −(∂R/∂x)⁻¹ ∂R/∂p. Of a scalar J the gradient is one solve with the transposed matrix::

        (∂R/∂x)ᵀ λ = ∂J/∂x,    dJ/dp = ∂J/∂p − λᵀ ∂R/∂p

    How x was found does not matter, and none of it is kept: R is evaluated once now and once in the backward pass, and
    between the two only x and R are stored. A minimiser of Π is the root of its gradient, R = ∇Π, a fixed point of g
    that of R = x − g(x).

    Args:
        x: ``(n,)`` with R(x, p) = 0, as closely as gradients are wanted: their relative error is about that of x.
        residual: x → R ``(n,)``, of torch functions of x and p; called twice, it must come to the same.
        adjoint: v ↦ λ of (∂R/∂x)ᵀ λ = v, ``(n,)``; called in each backward pass. It may factorise the first time.

    Returns:
        x, with the gradient.

    Raises:
        UsageError: for a residual of another shape; from a backward pass for second derivatives, which it has not.

    Source: Griewank & Walther, Evaluating Derivatives (2008), chapter 15; Blondel et al., NeurIPS 2022.

    Example: the square root.
        >>> p = torch.tensor([4.0], requires_grad=True)
        >>> x = root(torch.tensor([2.0]), lambda x: x**2 - p, lambda v: v / 4.0)
        >>> x.backward()
        >>> float(p.grad)
        0.25
    """
    x = x.detach()
    if not torch.is_grad_enabled():
        return x
    found = checkpoint(residual, x, use_reentrant=False, preserve_rng_state=False)
    if found.shape != x.shape:
        raise UsageError(
            f"a residual has as many equations as unknowns; x has shape {tuple(x.shape)}, R {tuple(found.shape)}."
        )
    return x if not found.requires_grad else _Root.apply(found, x, adjoint)


class _Root(torch.autograd.Function):
    """(R, x) ↦ x, whose pull-back to R is v ↦ −λ."""

    @staticmethod
    def forward(ctx: Any, found: Tensor, x: Tensor, adjoint: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.adjoint = adjoint
        ctx.save_for_backward(found)
        return x.clone()

    @staticmethod
    def backward(ctx: Any, v: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (found,) = ctx.saved_tensors
        return _Once.apply(v, found, ctx.adjoint), None, None


class _Once(torch.autograd.Function):
    """v ↦ −λ, which cannot be differentiated.

    Torch's ``once_differentiable`` cuts the graph instead: a gradient that has other terms is then short of this one,
    and nobody is told. λ depends on v and, by the matrix and x, on all that R reads.
    """

    @staticmethod
    def forward(ctx: Any, v: Tensor, found: Tensor, adjoint: Callable[[Tensor], Tensor]) -> Tensor:
        return -adjoint(v)

    @staticmethod
    def backward(ctx: Any, _: Tensor) -> tuple[None, None, None]:  # type: ignore[override]
        raise UsageError(
            "second derivatives through an implicit solve are not available, as its gradient is found by an adjoint "
            "solve: take first derivatives, and finite differences of these"
        )
