"""Whether the velocities on the faces of a box let as much in as out."""

from __future__ import annotations

from functools import lru_cache

from neuralpde.geometry import Boundary, Box, Dirichlet, Quadrature, gauss_lattice
from neuralpde.types import UsageError

POINTS = {2: (48, 64), 3: (24**2, 32**2)}
"""Points of the two rules on a face; data that are not smooth are told by their difference."""

LARGEST = 1e-4
"""Surplus over the largest speed and the surface of the box that is taken for none: fits leave more divergence."""


class WallBalance:
    """∫ u·n over the faces of a closed box is zero, without which no pressure makes ∇·u = 0.

    Args:
        boundary: Dirichlet velocities; nothing crosses the other faces.
    """

    def __init__(self, boundary: Boundary) -> None:
        self.domain = boundary.domain
        self.data = [(a, s, c) for a, s, c in boundary.faces_with(Dirichlet) if isinstance(c, Dirichlet)]
        self.varied = any(callable(c.value) for _, _, c in self.data)

    def surplus(self, t: float) -> float:
        """What flows out more than in at a time; 0 where that is no more than the error of the quadrature."""
        if not self.data:
            return 0.0
        coarse, fine = (self._net(t, n) for n in POINTS[self.domain.dim])
        unsure = 10 * abs(fine[0] - coarse[0])
        return fine[0] if abs(fine[0]) > max(unsure, LARGEST * fine[1]) else 0.0

    def holds(self, t: float) -> bool:
        """Whether data that may change are balanced at a time; NaN is left to others."""
        return not self.varied or not self.surplus(t)

    def check(self, t: float = 0.0) -> None:
        """Refuse velocities that do not balance at a time.

        Raises:
            UsageError: with the surplus.
        """
        net = self.surplus(t)
        if net:
            way, other = ("out of", "into") if net > 0 else ("into", "out of")
            raise UsageError(
                f"the boundary velocities push {abs(net):.3g} more {way} this closed domain than {other} it; balance "
                "them, or open a face with Outflow on a MacGrid."
            )

    def _net(self, t: float, n: int) -> tuple[float, float]:
        """∫ u·n, and the largest speed times the area of the faces."""
        net, speed, area = 0.0, 0.0, 0.0
        for axis, side, condition in self.data:
            face = _face(self.domain, axis, side, n)
            values = condition.at(t, face.points, self.domain.dim)
            through = float(face.weights @ values[:, axis].to(face.weights))
            net += through if side else -through
            speed, area = max(speed, float(values.abs().max())), area + float(face.weights.sum())
        return net, speed * area


@lru_cache(maxsize=64)
def _face(domain: Box, axis: int, side: int, n: int) -> Quadrature:
    """About n Gauss points on a face, alike along its axes."""
    others = [i for i in range(domain.dim) if i != axis]
    unit = gauss_lattice(Box((0.0,) * len(others), (1.0,) * len(others)), n, [False] * len(others))
    points = unit.points.new_full((len(unit.points), domain.dim), float(side))
    points[:, others] = unit.points
    size = domain.volume / domain.lengths[axis]
    return Quadrature(domain.from_unit(points), unit.weights * size)
