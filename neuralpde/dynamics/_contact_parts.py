"""The contact potentials of a problem on finite elements."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np
import torch

from neuralpde.dynamics._contact import ContactPotential
from neuralpde.dynamics._contact_curves import CurveCornerGaps, CurveDiscGaps, CurvePairGaps
from neuralpde.dynamics._contact_gaps import CoveredGaps, DiscGaps, Gaps, PointGaps
from neuralpde.dynamics._contact_outlines import BodyOutlines
from neuralpde.dynamics._contact_pairs import CornerGaps, PairGaps
from neuralpde.dynamics._contact_solids import single_bodies
from neuralpde.dynamics._contact_surface import ContactSurface
from neuralpde.dynamics._friction import FrictionPotential
from neuralpde.dynamics._potentials import Potential
from neuralpde.dynamics._static_friction import StaticFriction
from neuralpde.fields import Jet
from neuralpde.geometry import Disc, HalfSpace, MeshDomain, Solid
from neuralpde.problems import BodyContact, Contact, Problem
from neuralpde.representations import FiniteElementField
from neuralpde.types import UsageError

NEAR = 1e-3
"""Default d̂ as a share of the diagonal of the body's box, and slip speed as a share of it per second."""

WHOLE = 0.2
"""Share of a facet's weight that belongs to its point nearest to a disc; its nodes have the rest. Any share above zero
keeps the whole facet out; a large one makes the sum a poorer quadrature of the pressure."""

AROUND = 8
"""Chords along a curved edge beside a disc: it stays away by a 64th of its bend more than it has to."""

CHORDS = 4
"""Most chords along a curved edge of bodies that touch each other."""

SMOOTH = 0.1
"""ε of a curve's distance from its chord, over d̂."""

PIECES = {2: 32, 3: 12}
"""Most pieces along a facet that are covered by balls, by dimension."""


def contact_potentials(problem: Problem, representation: FiniteElementField) -> list[Potential]:
    """What the contacts of a problem add to its potential energy, friction included.

    Args:
        problem: with a field ``contact``, a tuple of :class:`Contact` and :class:`BodyContact`.
        representation: of the displacement.

    Raises:
        UsageError: for unknown names of the boundary, obstacles of another dimension, or contacts between bodies in 3D.
    """
    contacts = tuple(getattr(problem, "contact", ()) or ())
    out: list[Potential] = []
    for number, contact in enumerate(contacts, 1):
        if not isinstance(contact, Contact | BodyContact):
            raise UsageError(
                f"a contact is Contact(obstacle) or BodyContact(), for instance Contact(HalfSpace((0, 0), (0, 1))); "
                f"got {contact!r}."
            )
        name = "contact" if len(contacts) == 1 else f"contact {number}"
        out += _of_contact(problem, representation, contact, name)
    return out


def _of_contact(problem: Problem, r: FiniteElementField, contact: Contact | BodyContact, name: str) -> list[Potential]:
    size = body_size(problem)
    distance = contact.distance or NEAR * size
    facets = _facets(r, contact)
    outlines = None
    if isinstance(contact, BodyContact):
        surface, gaps, outlines = _among(r, facets, distance)
        groups = [(surface, gaps)]
    else:
        groups = [_against(r, facets, body, distance) for body in single_bodies(_fitting(contact.obstacle, r.dim))]
    stiffness = contact.stiffness or rigidity(problem)
    out: list[Potential] = []
    for number, (surface, gaps) in enumerate(groups, 1):
        called = name if len(groups) == 1 else f"{name} with body {number}"
        made = ContactPotential(contact, surface, gaps, r.free_dofs, distance, stiffness, called, outlines)
        out.append(made)
        if contact.friction > 0:
            rub = called.replace("contact", "friction")
            kind = StaticFriction if problem.time_order == 0 else FrictionPotential
            out.append(kind(made, contact.friction, contact.slip_speed or NEAR * size, rub))
    return out


def body_size(problem: Problem) -> float:
    """The diagonal of the box around a body in m."""
    return math.dist(problem.domain.lower, problem.domain.upper)


def rigidity(problem: Problem) -> float:
    """2μ of a body at rest in Pa: its largest at a few points, from the slope of the stress where nothing is strained.

    A pressure p then holds a gap with 3 (1 − g/d̂)² ≈ p/2μ.
    """
    d = problem.domain.dim
    x = problem.domain.some_points(8)

    def stress(grad: torch.Tensor) -> torch.Tensor:
        return -problem.flux(0.0, x, Jet(torch.zeros(len(x), problem.evolving, dtype=x.dtype), grad))

    rest, pull = torch.zeros(len(x), d, d, dtype=x.dtype), torch.zeros(len(x), d, d, dtype=x.dtype)
    pull[:, 0, 0] = 1e-6
    slope = (stress(pull) - stress(rest)).detach() / 1e-6
    return float((slope[:, 0, 0] - slope[:, 1, 1]).max())


def _facets(r: FiniteElementField, contact: Contact | BodyContact) -> np.ndarray:
    domain = r.domain
    assert isinstance(domain, MeshDomain)
    names = [contact.on] if isinstance(contact.on, str) else list(contact.on)
    parts = domain.faces if names == ["all"] else [part for name in names for part in domain.parts_of(name)]
    return np.concatenate([domain.sides[part] for part in dict.fromkeys(parts)])


def _fitting(obstacle: Solid, dim: int) -> Solid:
    if obstacle.dim not in (None, dim):
        raise UsageError(f"the body lives in {dim}D and its obstacle in {obstacle.dim}D: {obstacle}.")
    return obstacle


def _among(
    r: FiniteElementField, facets: np.ndarray, distance: float
) -> tuple[ContactSurface, list[Gaps], BodyOutlines]:
    """The boundary of bodies in 2D in pieces, their gaps from each other, and their whole outlines."""
    if r.dim != 2:
        raise UsageError(
            f"contact between bodies is in 2D; got a mesh of {r.mesh.kind} elements in {r.dim}D. Obstacles, "
            "Contact(obstacle), are met in 3D too."
        )
    whole = ContactSurface(r, facets)
    if whole.degree == 1:
        return whole, [PairGaps(whole), CornerGaps(whole)], BodyOutlines(r)
    ends = whole.start[whole.patches.control[:, [0, -1]]]
    shortest = float((ends[:, 1] - ends[:, 0]).norm(dim=-1).min())
    # a point that is nearer than d̂ to a piece beside its own would be pushed away at rest
    pieces = min(CHORDS, max(1, int(0.5 * shortest / distance)))
    surface = ContactSurface(r, facets, pieces)
    smooth = SMOOTH * distance
    return surface, [CurvePairGaps(surface, smooth), CurveCornerGaps(surface, smooth)], BodyOutlines(r, pieces)


def _against(r: FiniteElementField, facets: np.ndarray, solid: Solid, distance: float) -> tuple[Any, list[Gaps]]:
    """The boundary in pieces and its gaps from one body."""
    whole = ContactSurface(r, facets)
    shape, degree = whole.shape, whole.degree
    if isinstance(solid, HalfSpace):
        surface = ContactSurface(r, facets, degree) if degree > 1 else whole
        numbers = torch.arange(len(surface.start))[:, None]
        return surface, [PointGaps(solid, numbers, surface.point_weights)]
    if isinstance(solid, Disc) and (shape == "line" or degree == 1):
        surface = ContactSurface(r, facets, AROUND) if degree > 1 else whole
        return surface, _around(solid, surface, SMOOTH * distance)
    x = whole.start[whole.patches.control]
    radius = float((x - x.mean(1, keepdim=True)).norm(dim=-1).max())
    surface = ContactSurface(r, facets, min(PIECES[r.dim], max(1, math.ceil(4 * radius / distance))))
    return surface, [CoveredGaps(solid, surface.patches.control, surface.patches.weights.sum(1))]


def _around(disc: Disc, surface: ContactSurface, smooth: float) -> list[Gaps]:
    """Gaps from a disc or ball: of corners, as a quadrature of the pressure, and of whole edges or facets."""
    shape = surface.shape
    control, area = surface.patches.control, surface.patches.weights.sum(1)
    corners = control[:, [0, -1]] if shape == "line" else control
    shares = torch.zeros(len(surface.start), dtype=torch.float64)
    shares.index_add_(0, corners.T.flatten(), (area / corners.shape[1]).repeat(corners.shape[1]))
    at = torch.nonzero(shares)[:, 0]
    points = PointGaps(disc, at[:, None], (1 - WHOLE) * shares[at])
    if surface.degree > 1:
        return [points, CurveDiscGaps(surface, smooth, disc, WHOLE * area)]
    if shape != "quad":
        return [points, DiscGaps(disc, control, WHOLE * area)]
    # a bilinear facet lies in the tetrahedron of its corners
    faces = torch.cat([control[:, list(face)] for face in combinations(range(4), 3)])
    return [points, DiscGaps(disc, faces, WHOLE / 4 * area.repeat(4))]
