"""How much of every face of a lattice a solid leaves open."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from neuralpde.geometry import Solid

_LINES = 4
"""Lines across a face in 3D; each is cut exactly where the distance, linear between its points, vanishes."""

Distance = Callable[[Tensor], Tensor]


def periodic_distance(solid: Solid, periods: Sequence[float | None], spacing: Sequence[float]) -> Distance:
    """Signed distance from a solid and its periodic images; within 1e-9 of a spacing it is 0, so that a wall that lies
    on faces lies on all of them whatever the rounding."""
    shifts = list(itertools.product(*[(0.0,) if length is None else (0.0, -length, length) for length in periods]))
    nothing = 1e-9 * min(spacing)

    def distance(x: Tensor) -> Tensor:
        found = torch.stack([solid.distance(x + x.new_tensor(shift)) for shift in shifts]).amin(dim=0)
        return torch.where(found.abs() <= nothing, torch.zeros_like(found), found)

    return distance


def lattice_distance(distance: Distance, axes: Sequence[Tensor]) -> Tensor:
    """Distances at the points of a lattice, an array with the axes' lengths."""
    x = torch.stack([c.reshape(-1) for c in torch.meshgrid(*axes, indexing="ij")], dim=-1)
    return distance(x).reshape([len(axis) for axis in axes])


def section(
    distance: Distance, axes: Sequence[Tensor], normal: int, spacing: Sequence[float]
) -> tuple[Tensor, dict[int, Tensor]]:
    """Open fraction of faces, and where the middle of their open part is.

    Args:
        distance: signed distance, positive in the fluid.
        axes: coordinates of the faces' midpoints along each axis.
        normal: the axis that the faces are normal to.
        spacing: lengths of the cells; faces extend over h along every other axis.

    Returns:
        Fractions in [0, 1], an array with the axes' lengths; and per other axis the open part's middle less the
        face's (0 where nothing is open).
    """
    across = [a for a in range(len(axes)) if a != normal]
    total = torch.zeros([len(axis) for axis in axes], dtype=axes[0].dtype, device=axes[0].device)
    moments = {a: torch.zeros_like(total) for a in across}
    for cut, share in _shares(distance, axes, across, spacing).items():
        others = [a for a in across if a != cut]
        lines = [(k + 0.5) / _LINES - 0.5 for k in range(_LINES)] if others else [0.0]
        weight = share / len(lines)
        for line in lines:
            shifted = list(axes)
            for other in others:
                shifted[other] = axes[other] + line * spacing[other]
            fraction, middle = _line(distance, shifted, cut, spacing[cut])
            total += weight * fraction
            moments[cut] += weight * fraction * middle
            for other in others:
                moments[other] += weight * fraction * line * spacing[other]
    size = torch.where(total > 0, total, torch.ones_like(total))
    return total, {a: moment / size for a, moment in moments.items()}


def _shares(
    distance: Distance, axes: Sequence[Tensor], across: list[int], spacing: Sequence[float]
) -> dict[int, Tensor | float]:
    """Per direction in the face how much its lines count. In 3D by the square of the distance's slope: lines along the
    wall are open or closed as a whole and tell little of where it is, lines through it tell all."""
    if len(across) == 1:
        return {across[0]: 1.0}
    slopes = {}
    for a in across:
        shifted = [lattice_distance(distance, _moved(axes, a, s * spacing[a])) for s in (-0.5, 0.5)]
        slopes[a] = ((shifted[1] - shifted[0]) / spacing[a]).square()
    total = torch.stack(list(slopes.values())).sum(0)
    return {a: torch.where(total > 1e-12, slope / total, 1 / len(across)) for a, slope in slopes.items()}


def _moved(axes: Sequence[Tensor], a: int, step: float) -> list[Tensor]:
    return [*axes[:a], axes[a] + step, *axes[a + 1 :]]


def _line(distance: Distance, axes: Sequence[Tensor], cut: int, h: float) -> tuple[Tensor, Tensor]:
    """Open fraction of lines of length h along ``cut``, and its middle less the line's."""
    ends = [lattice_distance(distance, _moved(axes, cut, s * h)) for s in (-0.5, 0.0, 0.5)]
    halves = []
    for a, b, start in ((ends[0], ends[1], -0.5), (ends[1], ends[2], 0.0)):
        size = torch.where((a > 0) & (b > 0), 1.0, (a.clamp(min=0) + b.clamp(min=0)) / (a.abs() + b.abs()))
        size = size.nan_to_num(0.0)  # both ends on the wall: closed
        middle = torch.where(a > 0, start + 0.25 * size, start + 0.5 - 0.25 * size)
        halves.append((0.5 * size, middle))
    total = halves[0][0] + halves[1][0]
    moment = sum(size * middle for size, middle in halves)
    return total, h * moment / torch.where(total > 0, total, torch.ones_like(total))
