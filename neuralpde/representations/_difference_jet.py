"""Derivatives of an interpolated field by differences over the grid's own spacing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from neuralpde.fields import Jet, check_needs
from neuralpde.geometry import Box
from neuralpde.types import UsageError


def difference_jet(
    u: Callable[[Tensor], Tensor],
    x: Tensor,
    needs: frozenset[str],
    spacing: Sequence[float],
    domain: Box,
    periodic: Sequence[bool],
) -> Jet:
    """Value, gradient and Laplacian from the parabola through u(c − h e_i), u(c), u(c + h e_i), axis by axis.

    c is the point itself, moved inwards where the stencil would leave the box. The gradient is of second order; it is
    smooth, where an interpolant's own derivatives have kinks.

    Args:
        u: ``(n, d)`` → ``(n, c)``.
        x: points, ``(n, d)``.
        needs: names of the derivatives.
        spacing: h per axis.
        domain: the box.
        periodic: per axis; u continues beyond a periodic face.

    Raises:
        UsageError: for a Hessian.
    """
    check_needs(needs)
    if "hess" in needs:
        raise UsageError("a staggered grid gives value, gradient and Laplacian, no Hessian; use a GridField.")
    value = u(x)
    if not needs - {"value"}:
        return Jet(value)
    first, second = [], []
    for i, h in enumerate(spacing):
        centre = x.clone()
        if not periodic[i]:
            centre[:, i] = centre[:, i].clamp(domain.lower[i] + h, domain.upper[i] - h)
        step = torch.zeros_like(x)
        step[:, i] = h
        before, after = u(centre - step), u(centre + step)
        bend = (before - 2 * (value if periodic[i] else u(centre)) + after) / h**2
        first.append((after - before) / (2 * h) + (x - centre)[:, i : i + 1] * bend)
        second.append(bend)
    return Jet(value, torch.stack(first, dim=-1), torch.stack(second).sum(0))
