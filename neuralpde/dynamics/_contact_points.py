"""Contact at points: for fields whose boundary no finite number of points holds."""

from __future__ import annotations

import torch
from torch import Tensor

from neuralpde.dynamics._contact_barrier import barrier
from neuralpde.dynamics._contact_solids import single_bodies, solid_jet
from neuralpde.problems import Contact
from neuralpde.types import UsageError


class PointContact:
    """k b(φ(x)) per area at places x of a displaced body: nothing is promised between the points.

    A smooth field may dip into an obstacle between two points by about h²/8 times the difference of the curvatures of
    body and obstacle, h the distance of the points; a d̂ of that size or more keeps it out.

    Args:
        contact: with an obstacle.
        distance: d̂ in m, where the contact says none.
        stiffness: k in Pa, where the contact says none.

    Raises:
        UsageError: for contact between bodies.
    """

    def __init__(self, contact: Contact, distance: float, stiffness: float) -> None:
        if not isinstance(contact, Contact):
            raise UsageError("contact at points is with obstacles; contact between bodies takes finite elements.")
        self.contact, self.bodies = contact, single_bodies(contact.obstacle)
        self.distance = contact.distance or distance
        self.stiffness = contact.stiffness or stiffness

    def gap(self, t: float, places: Tensor) -> Tensor:
        """Signed distances of points ``(n, d)`` from the obstacle, ``(n,)``."""
        x = places - self.contact.shift(t, places)
        return torch.stack([body.distance(x) for body in self.bodies]).amin(0)

    def energy(self, t: float, places: Tensor) -> Tensor:
        """k b in J/m² at points, ``(n,)``; infinite inside of the obstacle."""
        x = places - self.contact.shift(t, places)
        return self.stiffness * torch.stack([barrier(b.distance(x), self.distance)[0] for b in self.bodies]).sum(0)

    def jet(self, t: float, places: Tensor, projected: bool = True) -> tuple[Tensor, Tensor, Tensor]:
        """k b ``(n,)``, its gradient ``(n, d)`` and its Hessian ``(n, d, d)`` by the places.

        Args:
            t: time.
            places: X + u, ``(n, d)``.
            projected: keep the part b″ n nᵀ alone, which is positive semi-definite. Of obstacles that are convex that
                is the nearest such matrix.
        """
        n, d = places.shape
        x = places - self.contact.shift(t, places)
        value, slope, curvature = x.new_zeros(n), x.new_zeros(n, d), x.new_zeros(n, d, d)
        for body in self.bodies:
            phi, normal, second = solid_jet(body, x)
            b, first, bend = barrier(phi, self.distance)
            value, slope = value + b, slope + first[:, None] * normal
            curvature = curvature + bend[:, None, None] * normal[:, :, None] * normal[:, None]
            if second is not None and not projected:
                curvature = curvature + first[:, None, None] * second
        return self.stiffness * value, self.stiffness * slope, self.stiffness * curvature
