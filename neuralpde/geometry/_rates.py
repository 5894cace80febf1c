"""How boundary data move: ∂/∂t of prescribed values, and the conditions of a velocity that they make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.func import jvp

from neuralpde.geometry._conditions import BoundaryValue, Condition, Dirichlet

STEP = 1e-3
"""Share of the time in which data change over which differences of them are taken."""

AGREE = 1e-5
"""Relative difference of a derivative and a difference of it that are of the same function: (STEP)² and rounding."""


@dataclass(frozen=True)
class ValueRate:
    """∂g/∂t of a prescribed value g(t, x), as a value itself.

    The derivative comes from forward-mode differentiation where g takes a tensor t and lets it through, which is
    known by a difference of g: ``math.sin(t)`` or ``float(t)`` loses t, and then a difference of order 4 is taken. Near
    t = 0, before which data may have no values, both look forwards, as they do where a ramp begins.

    Args:
        value: g, a function of t and points ``(n, d)``.
        scale: time in which g changes, in seconds: a period, or some time steps.

    Source: Fornberg, Math. Comput. 51 (1988), for the differences.

    Example:
        >>> ValueRate(lambda t, x: t**2 * x)(3.0, torch.ones(1, 1, dtype=torch.float64))
        tensor([[6.]], dtype=torch.float64)
    """

    value: Callable[[float, Tensor], Tensor]
    scale: float = 1.0

    def __call__(self, t: float, x: Tensor) -> Tensor:
        step = STEP * self.scale
        ahead = t < 2 * step
        difference = self._difference(t, x, step, ahead)
        exact = self._exact(t, x)
        if exact is None or exact.shape != difference.shape:
            return difference
        size = AGREE * max(map(_largest, (difference, exact)))
        near = [difference] if ahead else [difference, *self._one_sided(t, x, step)]
        return exact if any(_largest(exact - other) <= size for other in near) else difference

    def _exact(self, t: float, x: Tensor) -> Tensor | None:
        """By forward-mode differentiation; None where g takes no tensor for t."""
        time = torch.tensor(float(t), dtype=torch.float64, device=x.device)
        try:
            return jvp(lambda s: self.value(s, x), (time,), (torch.ones_like(time),))[1].to(x.dtype)  # type: ignore[arg-type]
        except Exception:  # what a user's function may raise there has no bounds
            return None

    def _difference(self, t: float, x: Tensor, step: float, ahead: bool) -> Tensor:
        if ahead:
            weights = {0: -25 / 12, 1: 4.0, 2: -3.0, 3: 4 / 3, 4: -1 / 4}
        else:
            weights = {-2: 1 / 12, -1: -2 / 3, 1: 2 / 3, 2: -1 / 12}
        return torch.stack([w / step * self.value(t + k * step, x).double() for k, w in weights.items()]).sum(0).to(x)

    def _one_sided(self, t: float, x: Tensor, step: float) -> tuple[Tensor, Tensor]:
        """Differences of order 2 backwards and forwards, which may differ where a ramp begins or ends."""
        here = self.value(t, x)
        one, two = (
            (4 * self.value(t + s * step, x) - 3 * here - self.value(t + 2 * s * step, x)) / (2 * s * step)
            for s in (-1, 1)
        )
        return one, two


def _largest(values: Tensor) -> float:
    return float(values.detach().abs().max())


def rate_of(value: BoundaryValue, scale: float = 1.0) -> BoundaryValue:
    """∂/∂t of a prescribed value: 0 of numbers, :class:`ValueRate` of a function.

    Args:
        value: as conditions have it.
        scale: time in which it changes, in seconds.
    """
    if callable(value):
        return ValueRate(value, scale)
    return (0.0,) * len(value) if isinstance(value, Sequence) else 0.0


def rate_conditions(conditions: Sequence[Condition], scale: float = 1.0) -> tuple[Condition, ...]:
    """The conditions of u_t, of those of u: what holds u at g holds u_t at ∂g/∂t; natural conditions hold nothing.

    Args:
        conditions: of u.
        scale: time in which data change, in seconds.
    """
    return tuple(replace(c, value=rate_of(c.value, scale)) if isinstance(c, Dirichlet) else c for c in conditions)
