"""Cells that a solid cuts: areas, links and wall friction of a staggered grid."""

from __future__ import annotations

import torch
from torch import Tensor

from neuralpde.geometry import Outflow, Solid
from neuralpde.linalg import StencilOperator
from neuralpde.representations._face_velocity import FaceVelocity
from neuralpde.representations._sections import lattice_distance, periodic_distance, section
from neuralpde.representations._staggered import difference, ends, pad

_CLOSEST = 0.1
"""Shortest distance, in cells, over which a velocity difference counts: shorter ones only make the matrix stiff."""


class CutCells:
    """Finite volumes around the faces of a staggered grid with a solid in it.

    A face has an open fraction A (0: u is 0 there, all solid). Volumes are V = A h₁…h_d, so that the pressure acts by
    its plain difference and D A G is symmetric. Two neighbouring velocities exchange momentum through the open part w
    of the surface between their volumes, over the distance d of the middles of their open parts; the wall takes
    R u = |N| u/δ, with N the wall's area in the volume (what the open surfaces leave of a closed one) and δ the
    distance of the middle of the open part from the wall:

        A (Δ_h u) = Σ_links w (u′ − u)/(h d) − R u.

    Without the solid it is the 5- (7-) point Laplacian; on a wall between two layers of cells, the usual staircase.

    Args:
        velocity: the faces, with their open fractions.
        solid: the body.

    Source: after Cheny & Botella, The LS-STAG method, JCP 229 (2010), with links in place of their stresses.
    """

    def __init__(self, velocity: FaceVelocity, solid: Solid) -> None:
        self.velocity, self.solid = velocity, solid
        self.distance = periodic_distance(solid, velocity.boundary.periods, velocity.spacing)
        self.areas = velocity.open
        self.live = [area > 0 for area in self.areas]
        self.inverse = [torch.where(area > 0, 1 / area, torch.zeros_like(area)) for area in self.areas]
        self.links: list[list[Tensor]] = []
        """Per component and axis w/(h d) between neighbours, ends included: one more than faces."""
        self.friction: list[Tensor] = []
        """Per component R on all faces."""
        for i in range(velocity.dim):
            links, friction = self._component(i)
            self.links.append(links)
            self.friction.append(friction)

    def _component(self, i: int) -> tuple[list[Tensor], Tensor]:
        v = self.velocity
        axes = [v.axis(i, a) for a in range(v.dim)]
        links, walls = list[Tensor](), torch.zeros_like(self.areas[i])
        for a, h in enumerate(v.spacing):
            between = torch.cat([axes[a] - 0.5 * h, axes[a][-1:] + 0.5 * h])
            here = [*axes[:a], between, *axes[a + 1 :]]
            width = section(self.distance, here, a, v.spacing)[0]
            walls += difference(width, a, h).square()
            # where the wall runs between two velocities they do not see each other, however open the surface is
            seen = lattice_distance(self.distance, here) > 0
            links.append(torch.where(seen, width / (h * self._apart(i, a)), torch.zeros_like(width)))
        middle = self._middle(i)
        nearest = torch.maximum(middle, _CLOSEST * min(v.spacing) * self.areas[i])
        friction = torch.where(self.live[i], walls.sqrt() / nearest.clamp(min=1e-300), torch.zeros_like(walls))
        return links, friction

    def _middle(self, i: int) -> Tensor:
        """Distance of the middles of the open parts from the wall."""
        v = self.velocity
        mesh = torch.meshgrid(*[v.axis(i, a) for a in range(v.dim)], indexing="ij")
        shifted = [c + v.offsets[i][a] if a in v.offsets[i] else c for a, c in enumerate(mesh)]
        x = torch.stack([c.reshape(-1) for c in shifted], dim=-1)
        return self.distance(x).reshape(mesh[0].shape)

    def _apart(self, i: int, a: int) -> Tensor:
        """Distances d of neighbours along axis a, ends included."""
        v, h = self.velocity, self.velocity.spacing[a]
        periodic = v.boundary.periodic[a]
        if a != i:
            offset = v.offsets[i][a]
            lower, upper = ends(offset, a)
            wide = pad(offset, a, None, None) if periodic else pad(offset, a, -lower, -upper)
            return (h + difference(wide, a, 1.0)).clamp(min=_CLOSEST * h)
        # along its own axis a component next to a closed face sees the wall, not that face
        middle = self._middle(i)
        wide = pad(middle, a, None, None) if periodic else pad(middle, a, *ends(middle, a))
        alive = self.live[i]
        living = pad(alive, a, None, None) if periodic else pad(alive, a, *ends(alive, a))
        n = wide.shape[a] - 1
        one, two = wide.narrow(a, 0, n), wide.narrow(a, 1, n)
        mixed = living.narrow(a, 0, n) != living.narrow(a, 1, n)
        fluid, wall = torch.maximum(one, two).clamp(min=0), torch.minimum(one, two).clamp(max=0)
        share = (fluid / (fluid - wall).clamp(min=1e-300)).clamp(min=0.5)
        return torch.where(mixed, share * h, torch.full_like(share, h))

    def exchange(self, u: Tensor, i: int, t: float) -> Tensor:
        """Momentum that flows into the volumes from their neighbours, Σ w (u′ − u)/(h d), without the wall's part."""
        v, total = self.velocity, torch.zeros_like(u)
        for a, link in enumerate(self.links[i]):
            axis = a - v.dim
            total = total + difference(link * difference(v.padded(u, i, a, t), axis, 1.0), axis, 1.0)
        return total

    def laplacian(self, u: Tensor, i: int, t: float) -> Tensor:
        """Δ_h u on all faces of component i; 0 on closed ones."""
        return (self.exchange(u, i, t) - self.friction[i] * u) * self.inverse[i]

    def wall(self, p: Tensor) -> list[Tensor]:
        """Per component Σ_cells p (A₊ − A₋)/h: what the pressure does to the fluid at the wall, ``(…)``."""
        out = []
        for i, h in enumerate(self.velocity.spacing):
            area = self.areas[i]
            wide = torch.cat([area, area.narrow(i, 0, 1)], dim=i) if self.velocity.boundary.periodic[i] else area
            out.append((p * difference(wide, i, h)).flatten(-self.velocity.dim).sum(-1))
        return out

    def viscous_operator(self, i: int) -> StencilOperator:
        """−A Δ_h on all faces of component i with boundary data 0, on the CPU."""
        v = self.velocity
        odd = [
            [a != i and not isinstance(v.boundary.on(a, s), Outflow) and v.mirrored(i, a, s) for s in (0, 1)]
            for a in range(v.dim)
        ]
        return link_operator(self.links[i], v.boundary.periodic, odd, self.friction[i])

    def pressure_operator(self) -> StencilOperator:
        """−D A G in the cells, on the CPU: open fractions are its weights, open ends its row sums; rows of closed cells
        are empty."""
        v, weights, odd = self.velocity, list[Tensor](), list[list[bool]]()
        for a, (area, h) in enumerate(zip(self.areas, v.spacing, strict=True)):
            weight = area / h**2
            odd.append([isinstance(v.boundary.on(a, s), Outflow) for s in (0, 1)])
            if v.boundary.periodic[a]:
                weight = torch.cat([weight, weight.narrow(a, 0, 1)], dim=a)
            weights.append(weight)
        return link_operator(weights, v.boundary.periodic, odd)


def link_operator(
    links: list[Tensor], periodic: tuple[bool, ...], odd: list[list[bool]], excess: Tensor | None = None
) -> StencilOperator:
    """The weighted graph Laplacian u → Σ links (u − u′) + excess u, on the CPU.

    Args:
        links: per axis the weights between neighbours, one more along that axis than unknowns (ends included).
        periodic: per axis; then the first link is the last one.
        odd: per axis and side whether the value beyond the end is −u (else u, and the link does nothing).
        excess: further row sums, of the shape of the grid.
    """
    shape = [n - (a == 0) for a, n in enumerate(links[0].shape)]
    total = torch.zeros(shape, dtype=torch.float64) if excess is None else excess.to("cpu", torch.float64, copy=True)
    weights = list[Tensor]()
    for a, link in enumerate(links):
        wide = link.to("cpu", torch.float64)
        weight = wide.narrow(a, 1, shape[a]).clone()
        if not periodic[a]:
            weight.select(a, -1).zero_()
            for side in (0, -1):
                total.select(a, side).add_(2 * odd[a][side] * wide.select(a, side))
        weights.append(weight)
    return StencilOperator(weights, total)
