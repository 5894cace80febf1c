"""Gaps between points and edges of bodies in 2D."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from neuralpde.dynamics._contact_gaps import Gaps
from neuralpde.dynamics._contact_nearest import Foot, GapJet, distance_jet, foot_on_segment
from neuralpde.dynamics._contact_surface import ContactSurface


class PairGaps(Gaps):
    """Distances of points of the boundary from its straight edges, each point with its nearby edges.

    Every point looks at every edge that it does not belong to, with half of its weight: the other half is that of the
    edge's own points looking back. Where two edges meet, both see a point beyond their corner; so what the corner alone
    would give is taken off (:class:`CornerGaps`), and every point counts once.

    Args:
        surface: of straight edges.

    Source: Li et al., Convergent incremental potential contact, arXiv 2307.15908, section 4.
    """

    def __init__(self, surface: ContactSurface) -> None:
        super().__init__(torch.zeros(0, 3, dtype=torch.int64), torch.zeros(0, dtype=torch.float64))
        self.edges, self.points = surface.patches.control, 0.5 * surface.point_weights

    def near(self, places: Tensor, reach: float) -> tuple[Tensor, Tensor]:
        a, b = places[self.edges[:, 0]], places[self.edges[:, 1]]
        half = 0.5 * float((b - a).norm(dim=-1).max())
        point, edge = near_pairs(places, (a + b) / 2, half + reach)
        apart = (self.edges[edge] != point[:, None]).all(1)
        point, edge = point[apart], edge[apart]
        control = torch.cat([point[:, None], self.edges[edge]], 1)
        chosen = self.gap(places[control]) < reach
        return control[chosen], self.points[point[chosen]]

    def _foot(self, x: Tensor) -> Foot:
        foot = foot_on_segment(x[:, 1], x[:, 2], x[:, 0])
        one = torch.ones_like(foot.shares[:, :1])
        return Foot(torch.cat([one, -foot.shares], 1), torch.cat([0 * one[..., None], -foot.slopes], 1))

    def gap(self, x: Tensor) -> Tensor:
        return torch.einsum("nm,nmd->nd", self._foot(x).shares, x).norm(dim=-1)

    def jet(self, x: Tensor) -> GapJet:
        return distance_jet(x, self._foot(x))

    def speed(self, step: Tensor) -> Tensor:
        return relative_speed(step)

    def crossing(self, places: Tensor) -> Tensor:
        return crossing_edges(self.edges, places)


class CornerGaps(Gaps):
    """Distances of points from the corners between edges, with the weights that :class:`PairGaps` counts twice.

    Args:
        surface: of straight edges.
    """

    def __init__(self, surface: ContactSurface) -> None:
        super().__init__(torch.zeros(0, 2, dtype=torch.int64), torch.zeros(0, dtype=torch.float64))
        self.points = 0.5 * surface.point_weights
        edges = surface.patches.control
        self.meeting = torch.bincount(edges.flatten(), minlength=len(surface.start))
        both = torch.cat([edges, edges.flip(1)])
        self.keys = torch.sort(both[:, 0] * len(surface.start) + both[:, 1]).values

    def near(self, places: Tensor, reach: float) -> tuple[Tensor, Tensor]:
        point, corner = near_pairs(places, places, reach)
        apart = point != corner
        point, corner = point[apart], corner[apart]
        neighbours = torch.isin(point * len(places) + corner, self.keys)
        extra = self.meeting[corner] - neighbours.long() - 1
        control = torch.stack([point, corner], 1)[extra != 0]
        weights = -(extra * self.points[point])[extra != 0]
        return control, weights

    def gap(self, x: Tensor) -> Tensor:
        return (x[:, 0] - x[:, 1]).norm(dim=-1)

    def jet(self, x: Tensor) -> GapJet:
        shares = x.new_tensor([1.0, -1.0]).expand(len(x), -1)
        return distance_jet(x, Foot(shares, x.new_zeros(len(x), 2, 0)))

    def speed(self, step: Tensor) -> Tensor:
        return relative_speed(step)


def crossing_edges(edges: Tensor, places: Tensor) -> Tensor:
    """Middles of straight edges ``(n, 2)`` between places ``(N, 2)`` that cut others, ``(k, 2)``."""
    a, b = places[edges[:, 0]], places[edges[:, 1]]
    middle = (a + b) / 2
    i, j = near_pairs(middle, middle, float((b - a).norm(dim=-1).max()))
    strangers = (edges[i][:, :, None] != edges[j][:, None]).all(2).all(1) & (i < j)
    i, j = i[strangers], j[strangers]
    # edges of one straight line are on both sides of each other for rounding: they have to overlap too
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    overlap = ((low[i] <= high[j]) & (low[j] <= high[i])).all(1)
    left = [_side(a[i], b[i], a[j]), _side(a[i], b[i], b[j]), _side(a[j], b[j], a[i]), _side(a[j], b[j], b[i])]
    return middle[i[overlap & (left[0] * left[1] <= 0) & (left[2] * left[3] <= 0)]]


def relative_speed(step: Tensor) -> Tensor:
    """Of a point against the others: what they share does not count."""
    own = step - step.mean(1, keepdim=True)
    return own[:, 0].norm(dim=-1) + own[:, 1:].norm(dim=-1).amax(-1)


def near_pairs(a: Tensor, b: Tensor, reach: float) -> tuple[Tensor, Tensor]:
    """Numbers of points of a and b ``(n, 2)`` that are nearer than ``reach``."""
    found = cKDTree(a.numpy()).query_ball_tree(cKDTree(b.numpy()), reach)
    first = np.repeat(np.arange(len(found)), [len(f) for f in found])
    return torch.from_numpy(first), torch.tensor([j for row in found for j in row], dtype=torch.int64)


def _side(a: Tensor, b: Tensor, p: Tensor) -> Tensor:
    """Twice the signed area of triangles a b p."""
    u, v = b - a, p - a
    return u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
