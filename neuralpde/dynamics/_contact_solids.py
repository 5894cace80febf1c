"""Signed distances of solids with their derivatives."""

from __future__ import annotations

import torch
from torch import Tensor

from neuralpde.geometry import Bodies, Disc, HalfSpace, LevelSet, Solid
from neuralpde.types import UsageError


def single_bodies(solid: Solid) -> tuple[Solid, ...]:
    """The bodies of a union one by one: each has a distance with a gradient of its own.

    Raises:
        UsageError: for a level set, which is a distance at its surface alone.
    """
    if isinstance(solid, Bodies):
        return tuple(body for part in solid.parts for body in single_bodies(part))
    if isinstance(solid, LevelSet):
        raise UsageError(
            "a LevelSet is a distance at its surface alone, and contact needs one everywhere: state the obstacle as a "
            "SignedDistance, whose slope is at most 1."
        )
    return (solid,)


def solid_jet(solid: Solid, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """φ ``(n,)``, ∇φ ``(n, d)`` and ∇∇φ ``(n, d, d)`` (None where it is zero) at points ``(n, d)``.

    In closed form of half-spaces and discs, by differentiation of others. Where a distance has an edge, the second
    derivatives on it are taken as zero.
    """
    d = x.shape[1]
    if isinstance(solid, HalfSpace):
        return solid.distance(x), x.new_tensor(solid.normal).expand(len(x), -1), None
    if isinstance(solid, Disc):
        away = x - x.new_tensor(solid.centre)
        length = away.norm(dim=-1)
        normal = away / length.clamp(min=1e-300)[:, None]
        across = torch.eye(d, dtype=x.dtype) - normal[:, :, None] * normal[:, None]
        return length - solid.radius, normal, across / length.clamp(min=1e-300)[:, None, None]
    with torch.enable_grad():
        points = x.detach().requires_grad_()
        value = solid.distance(points)
        (slope,) = torch.autograd.grad(value.sum(), points, create_graph=True)
        rows = [_row(slope[:, a], points) for a in range(d)]
    return value.detach(), slope.detach(), torch.stack(rows, 1).nan_to_num(0.0, 0.0, 0.0)


def _row(slope: Tensor, points: Tensor) -> Tensor:
    """∂/∂x of one component of a gradient; zero where it is constant."""
    if not slope.requires_grad:
        return torch.zeros_like(points)
    (found,) = torch.autograd.grad(slope.sum(), points, retain_graph=True, allow_unused=True)
    return torch.zeros_like(points) if found is None else found
