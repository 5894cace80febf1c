"""Contact of a neural field at points of its boundary."""

from __future__ import annotations

from torch import Tensor

from neuralpde.dynamics._contact_barrier import barrier
from neuralpde.dynamics._contact_parts import NEAR, body_size, rigidity
from neuralpde.dynamics._field_energy import Density, Moment
from neuralpde.fields import Jet
from neuralpde.geometry import Quadrature
from neuralpde.problems import Contact, Problem
from neuralpde.types import UsageError


def contact_densities(problem: Problem) -> list[tuple[str, Density]]:
    """k b(g(x + u)) on every part of the boundary that may touch something, by their names.

    g is the obstacle's signed distance at the quadrature points of the boundary, and there alone: between them nothing
    keeps a field out, and a step that leads through an obstacle is refused only where a point ends inside of it.

    Raises:
        UsageError: for contact between bodies, and friction.
    """
    out = list[tuple[str, Density]]()
    for contact in getattr(problem, "contact", ()) or ():
        if not isinstance(contact, Contact) or contact.friction:
            what = "friction" if isinstance(contact, Contact) else "contact between bodies"
            raise UsageError(f"{what} is that of finite elements: a neural field takes Contact(obstacle) without it.")
        density = _barrier_of(problem, contact)
        names = problem.domain.faces if "all" in contact_names(contact) else contact_names(contact)
        out += [(part, density) for name in names for part in problem.domain.parts_of(name)]  # type: ignore[attr-defined]
    return out


def contact_names(contact: Contact) -> tuple[str, ...]:
    """Names of the parts of the boundary that may touch."""
    return (contact.on,) if isinstance(contact.on, str) else tuple(contact.on)


def _barrier_of(problem: Problem, contact: Contact) -> Density:
    distance = contact.distance or NEAR * body_size(problem)
    stiffness = contact.stiffness or rigidity(problem)

    def density(when: Moment, points: Quadrature, u: Jet) -> Tensor:
        x = points.points
        gap = contact.obstacle.distance(x + u.value[:, : x.shape[1]] - contact.shift(when.t, x))
        return stiffness * barrier(gap.reshape(-1), distance)[0]

    return density
