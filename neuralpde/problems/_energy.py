"""Flux and source of a problem that states an energy."""

from __future__ import annotations

from typing import Any

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
        density = problem.energy(t, x, Jet(value, slope))
        if density.shape != value.shape[:1]:
            raise UsageError(
                f"{problem.name}.energy must return a tensor of shape (n,), the density at each point; for n = "
                f"{len(value)} points it gave {tuple(density.shape)}."
            )
        return density.sum()

    (by_value, by_slope), _ = grad_and_value(total, argnums=(0, 1))(u.value, u.grad)
    return by_value, by_slope


def energy_flux(problem: Any, t: float, x: Tensor, u: Jet) -> Tensor:
    """f = −∂Ψ/∂∇u, ``(n, c, d)``."""
    return -energy_slopes(problem, t, x, u)[1]


def energy_source(problem: Any, t: float, x: Tensor, u: Jet) -> Tensor:
    """s = −∂Ψ/∂u, ``(n, c)``."""
    return -energy_slopes(problem, t, x, u)[0]
