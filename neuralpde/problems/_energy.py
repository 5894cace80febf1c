"""Flux and source of a problem that states an energy."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.func import grad_and_value

from neuralpde.fields import Jet
from neuralpde.types import UsageError


def energy_slopes(problem: Any, t: float, x: Tensor, u: Jet) -> tuple[Tensor, Tensor]:
    """∂Ψ/∂u ``(n, c)`` and ∂Ψ/∂∇u ``(n, c, d)`` of the density Ψ(t, x, u, ∇u), which acts point by point.

    They can be differentiated again: their derivatives are the Hessian of Ψ.

    Raises:
        UsageError: for a density of another shape than ``(n,)``.
    """

    def total(value: Tensor, slope: Tensor) -> Tensor:
        return _density(problem, t, x, Jet(value, slope)).sum()

    (by_value, by_slope), _ = grad_and_value(total, argnums=(0, 1))(u.value, u.grad)
    return by_value, by_slope


def _density(problem: Any, t: float, x: Tensor, u: Jet) -> Tensor:
    density = problem.energy(t, x, u)
    if density.shape != u.value.shape[:1]:
        raise UsageError(
            f"{problem.name}.energy must return a tensor of shape (n,), the density at each point; for n = "
            f"{len(u.value)} points it gave {tuple(density.shape)}."
        )
    return density


def energy_flux(problem: Any, t: float, x: Tensor, u: Jet) -> Tensor:
    """f = −∂Ψ/∂∇u, ``(n, c, d)``."""
    return -energy_slopes(problem, t, x, u)[1]


def energy_source(problem: Any, t: float, x: Tensor, u: Jet) -> Tensor:
    """s = −∂Ψ/∂u, ``(n, c)``."""
    return -energy_slopes(problem, t, x, u)[0]


def densities(problem: Any, t: float, x: Tensor, u: Jet) -> tuple[Tensor, Tensor]:
    """Source ``(n, c)`` and flux ``(n, c, d)`` of a problem, of an energy from one derivative of it."""
    made = type(problem)
    if not (made.flux is energy_flux and made.source is energy_source):
        return problem.source(t, x, u), problem.flux(t, x, u)
    again = torch.is_grad_enabled() and (u.value.requires_grad or u.grad.requires_grad)
    with torch.enable_grad():
        parts = [part if part.requires_grad else part.detach().requires_grad_() for part in (u.value, u.grad)]
        total = _density(problem, t, x, Jet(*parts)).sum()
        if not total.requires_grad:  # of a density that depends on x alone
            return torch.zeros_like(u.value), torch.zeros_like(u.grad)
        found = torch.autograd.grad(total, parts, create_graph=again, allow_unused=True)
    source, flux = (torch.zeros_like(p) if f is None else -f for p, f in zip(parts, found, strict=True))
    return source, flux
