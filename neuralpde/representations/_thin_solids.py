"""Bodies that a lattice hardly sees: walls thinner than a cell, and bodies that cut no face."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor

from neuralpde.representations._sections import Distance, lattice_distance

_SAMPLES, _ROUNDS = 9, 7
"""Points of a line at which the body is looked for, and how often again around the one that is nearest to it."""

_THIN = 0.45
"""A body without a point this many cells deep, within a cell of where it is met, is thinner than a cell there."""


def severed(
    distance: Distance,
    centres: Sequence[Tensor],
    i: int,
    axes: Sequence[Tensor],
    offsets: dict[int, Tensor],
    spacing: Sequence[float],
) -> Tensor:
    """Faces between cells whose fluid is on two sides of a wall thinner than a cell, a bool array.

    Every cell stands for its point of a lattice of 3ᵈ that is farthest from the body. A face joins two cells where a
    line from the one point by the middle of the face's open part to the other meets no body; where it meets a thin one
    the face is to be closed, else fluid would pass through the wall: no face lies in it. So the wall stands on faces,
    half a cell from where it is, and nothing leaks. Lines may graze bodies of more than a cell, which change nothing.

    Args:
        distance: signed distance, positive in the fluid.
        centres: coordinates of the cells' midpoints along each axis.
        i: the axis that the faces are normal to.
        axes: coordinates of the faces' midpoints along each axis.
        offsets: per other axis the middle of the open part less that of the face.
        spacing: lengths of the cells.
    """
    here = _points(axes)
    for a, offset in offsets.items():
        here[..., a] += offset
    shape, h = here.shape[:-1], here.new_tensor(spacing)
    reference, depth = _references(distance, centres, spacing)
    count = reference.shape[i]
    face = torch.arange(shape[i], device=here.device)
    sides = [(face - 1) % count, face % count]
    near = distance(here.reshape(-1, here.shape[-1])).abs().reshape(shape) < 1.5 * float(h.norm())
    if shape[i] > count:  # beyond faces on the boundary there is no cell
        near.select(i, 0).fill_(False)
        near.select(i, count).fill_(False)
    for side in sides:
        near &= depth.index_select(i, side) > 0
    out = torch.zeros(shape, dtype=torch.bool, device=here.device)
    if not bool(near.any()):
        return out
    middle, hit = here[near], torch.zeros(int(near.sum()), dtype=torch.bool, device=here.device)
    for side, sign in zip(sides, (-0.5, 0.5), strict=True):
        end = reference.index_select(i, side)[near]  # relative to the midpoint of its cell
        centre = _points(axes)[near]
        centre[:, i] += sign * spacing[i]
        lowest, where = _lowest(distance, middle, centre + end)
        hit |= (lowest < 0) & _is_thin(distance, where, h)
    out[near] = hit
    return out


def _points(axes: Sequence[Tensor]) -> Tensor:
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)


def _references(distance: Distance, centres: Sequence[Tensor], spacing: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Per cell the place, from its midpoint, of the lattice's point that is farthest from the body; and how far."""
    best = torch.full([len(c) for c in centres], -torch.inf, dtype=centres[0].dtype, device=centres[0].device)
    place = best.new_zeros(*best.shape, len(centres))
    for steps in itertools.product((0.0, -1 / 3, 1 / 3), repeat=len(centres)):
        shift = [s * h for s, h in zip(steps, spacing, strict=True)]
        found = lattice_distance(distance, [c + s for c, s in zip(centres, shift, strict=True)])
        better = found > best
        best = torch.where(better, found, best)
        place[better] = place.new_tensor(shift)
    return place, best


def _lowest(distance: Distance, one: Tensor, two: Tensor) -> tuple[Tensor, Tensor]:
    """The smallest distance on lines between points ``(n, d)``, and where it is."""
    start, length = torch.zeros_like(one[:, :1]), 1.0
    for _ in range(_ROUNDS):
        shares = start + length * torch.linspace(0, 1, _SAMPLES, dtype=one.dtype, device=one.device)
        x = one[:, None] + shares[..., None] * (two - one)[:, None]
        found = distance(x.reshape(-1, x.shape[-1])).reshape(shares.shape)
        value, k = found.min(dim=1)
        best = shares.gather(1, k[:, None])
        length *= 2 / (_SAMPLES - 1)
        start = (best - length / 2).clamp(0, 1 - length)
    return value, one + best * (two - one)


def _is_thin(distance: Distance, x: Tensor, h: Tensor) -> Tensor:
    """Whether no point within about a cell of x is deep inside the body."""
    steps = [x.new_tensor(s) for s in itertools.product((-0.75, -0.375, 0.0, 0.375, 0.75), repeat=x.shape[1])]
    deepest = torch.stack([distance(x + s * h) for s in steps]).amin(dim=0)
    return deepest > -_THIN * float(h.min())
