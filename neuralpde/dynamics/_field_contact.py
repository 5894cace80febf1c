"""Contact of a neural field at points of its boundary."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from neuralpde.dynamics._contact_parts import NEAR, body_size, rigidity
from neuralpde.dynamics._contact_points import PointContact
from neuralpde.dynamics._contact_solids import single_bodies
from neuralpde.dynamics._field_boundary import BoundaryEnergy, RubEnergy, TouchEnergy
from neuralpde.problems import Contact, Problem
from neuralpde.types import UsageError


def contact_energies(problem: Problem) -> list[tuple[str, BoundaryEnergy]]:
    """k b(g(x + u)) and friction on every part of the boundary that may touch something, by their names.

    g is the obstacle's signed distance at the quadrature points of the boundary, and there alone: between them nothing
    keeps a field out, and a step that leads through an obstacle is refused only where a point ends inside of it.

    Raises:
        UsageError: for contact between bodies.
    """
    contacts = tuple(getattr(problem, "contact", ()) or ())
    out = list[tuple[str, BoundaryEnergy]]()
    for number, contact in enumerate(contacts, 1):
        if not isinstance(contact, Contact):
            raise UsageError(
                "contact between bodies is that of finite elements: a neural field takes Contact(obstacle)."
            )
        name = "contact" if len(contacts) == 1 else f"contact {number}"
        names = problem.domain.faces if "all" in contact_names(contact) else contact_names(contact)
        parts = [part for given in names for part in problem.domain.parts_of(given)]  # type: ignore[attr-defined]
        out += [(part, energy) for part in dict.fromkeys(parts) for energy in _energies(problem, contact, name)]
    return out


def contact_names(contact: Contact) -> tuple[str, ...]:
    """Names of the parts of the boundary that may touch."""
    return (contact.on,) if isinstance(contact.on, str) else tuple(contact.on)


def _energies(problem: Problem, contact: Contact, name: str) -> Iterator[BoundaryEnergy]:
    """On one part, of every body of the obstacle."""
    near, bodies = NEAR * body_size(problem), single_bodies(contact.obstacle)
    for number, body in enumerate(bodies, 1):
        called = name if len(bodies) == 1 else f"{name} with body {number}"
        points = PointContact(replace(contact, obstacle=body), near, rigidity(problem))
        yield TouchEnergy(points, called)
        if contact.friction > 0:
            rub = called.replace("contact", "friction")
            yield RubEnergy(points, contact.friction, contact.slip_speed or near, problem.time_order == 0, rub)
