"""Where parts of a boundary meet, and hold different values there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import torch
from torch import Tensor

from neuralpde.geometry._boundary import Boundary
from neuralpde.geometry._mesh_domain import MeshDomain

SAME = 1e-6
"""Difference of data that agree, as a share of the largest of them: functions may compute in single precision."""


@dataclass(frozen=True)
class Meeting:
    """Two parts of a boundary that hold one component at different values where they meet.

    Args:
        first, second: their names, in the order of their conditions.
        component: its number.
        place: the first such point, d numbers.
        values: what each of them says there.
        t: the time.
    """

    first: str
    second: str
    component: int
    place: tuple[float, ...]
    values: tuple[float, float]
    t: float


def contradictions(
    boundary: Boundary,
    channels: int,
    times: Sequence[float] = (0.0,),
    like: Tensor | None = None,
    rounding: float = 0.0,
) -> Iterator[Meeting]:
    """Dirichlet data that differ where parts of the boundary meet, one for each pair of parts and component.

    Args:
        boundary: of a mesh, or of a box with few dimensions.
        channels: number of values c.
        times: at which data are looked at.
        like: a tensor of the kind and place in which they are asked; by default double precision.
        rounding: a difference that is none, in the units of the data.
    """
    points, held = _places(boundary)
    x = torch.from_numpy(points).to(torch.zeros((), dtype=torch.float64) if like is None else like)
    pairs = list(enumerate(boundary.essential))
    data: dict[tuple[int, float], Tensor] = {}
    for (i, (first, one)), (j, (second, other)) in combinations(pairs, 2):
        components = sorted(set(one.held(channels)) & set(other.held(channels)))
        shared = np.intersect1d(held[first], held[second])
        if one is other or not components or not len(shared):
            continue
        for k, t in product(components, times):
            for number, condition, name in ((i, one, first), (j, other, second)):
                if (number, t) not in data:
                    data[number, t] = condition.at(t, x[held[name]], channels).detach().double().cpu()
            found = [data[i, t][np.searchsorted(held[first], shared), k]]
            found.append(data[j, t][np.searchsorted(held[second], shared), k])
            size = max(float(data[number, t].abs().max()) for number in (i, j))
            apart = torch.nonzero((found[0] - found[1]).abs() > max(SAME * size, rounding))
            if len(apart):
                worst = int(apart[0, 0])
                place = tuple(points[shared[worst]].tolist())
                yield Meeting(first, second, k, place, (float(found[0][worst]), float(found[1][worst])), t)
                break


def _places(boundary: Boundary) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Points, and the sorted numbers of those of every part that is held: a mesh's own; of a box its corners and the
    middles of its edges and faces."""
    domain, names = boundary.domain, {name for name, _ in boundary.essential}
    if isinstance(domain, MeshDomain):
        mesh, sets = domain.mesh, domain.sets
        return mesh.points, {
            name: np.unique(sets[name] if name in sets else mesh.facet_nodes(domain.sides[name])) for name in names
        }
    unit = np.array(list(product((0.0, 0.5, 1.0), repeat=domain.dim)))
    on = {name: boundary.box.face(name) for name in names}
    held = {name: np.flatnonzero(unit[:, axis] == side) for name, (axis, side) in on.items()}
    return np.asarray(domain.lower) + unit * np.asarray(domain.lengths), held
