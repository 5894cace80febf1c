"""The table of which face of a domain carries which condition."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from neuralpde.geometry._conditions import (
    Condition,
    Dirichlet,
    Flux,
    Neumann,
    Periodic,
    PointLoad,
    Pressure,
    Robin,
    sequence_of_conditions,
)
from neuralpde.geometry._domain import AXES, Box, Domain
from neuralpde.geometry._mesh_domain import MeshDomain
from neuralpde.types import UsageError

NATURAL = Flux | Robin | Neumann | Pressure
"""Conditions that stand beside supports that hold some components."""


class Boundary:
    """Which face of a domain carries which condition.

    Faces that no condition names stay free (an outflow boundary of an advection problem, for instance). A face of which
    some components are held (``Dirichlet(…, components=…)``) has these conditions in ``partial``, and in ``table`` the
    natural condition of its other components, ``Flux(0.0)`` if none is given. Names of points and edges of a mesh,
    which Dirichlet conditions alone may have, are in ``sets``.

    Args:
        domain: a box, or a mesh's domain, which has no periodic axes.
        conditions: conditions; ``"all"`` fills the faces that the others left.

    Raises:
        UsageError: if two conditions claim one face (or one component of it), or all the remaining ones, an axis is
            periodic on one face only, a name is unknown, or ``conditions`` is no sequence of conditions.
    """

    def __init__(self, domain: Domain, conditions: Sequence[Condition]) -> None:
        self.domain, self.conditions = domain, sequence_of_conditions(conditions)
        self.table: dict[str, Condition] = {}
        self.partial: dict[str, tuple[Dirichlet, ...]] = {}
        """Conditions that hold some components, by the names of their faces."""
        self.sets: dict[str, tuple[Dirichlet, ...]] = {}
        """Conditions on named points and edges."""
        self.loads = tuple(c for c in self.conditions if isinstance(c, PointLoad))
        """Loads at single places."""
        self._names: dict[tuple[str, int], str] = {}
        for condition in self.conditions:
            for name in () if self._fills(condition) else self._faces_of(condition):
                if name in domain.sets:
                    self._claim_set(name, condition)
                    continue
                for face in domain.parts_of(name):
                    self._claim(face, name, condition)
        self._fill([c for c in self.conditions if self._fills(c)])
        self._check_places()
        self.table |= {face: Flux(0.0, face) for face in self.partial if face not in self.table}
        self._check_periodic_axes()

    def _fill(self, fillers: Sequence[Condition]) -> None:
        """Give the faces that no condition names to those that claim all of these."""
        left = [f for f in self.domain.faces if f not in self.table and f not in self.partial]
        for number, one in enumerate(fillers):
            for other in fillers[:number]:
                if left and _exclude(one, other):
                    raise UsageError(
                        f"two conditions claim all remaining faces ({', '.join(left)}): {other} and {one}; keep "
                        "one of them, or name the faces of the other."
                    )
            for face in left:
                self._put(face, one)

    @staticmethod
    def _fills(condition: Condition) -> bool:
        return (condition.axes if isinstance(condition, Periodic) else condition.on) == "all"

    def _faces_of(self, condition: Condition) -> tuple[str, ...]:
        if not isinstance(condition, Periodic):
            return condition.faces
        axes = (condition.axes,) if isinstance(condition.axes, str) else tuple(condition.axes)
        return tuple(axis + side for axis in axes for side in "-+")

    def _claim(self, face: str, name: str, condition: Condition) -> None:
        for other in self.all_on(face):
            holder = self._names[face, id(other)]
            if other is condition and holder != name:
                return  # two names of one condition that overlap
            if _exclude(condition, other):
                overlap = f" (the names {holder!r} and {name!r} of the mesh overlap there)" if holder != name else ""
                raise UsageError(
                    f"face {face!r} has two conditions: {other} and {condition}{overlap}; keep one of them."
                )
        self._names[face, id(condition)] = name
        self._put(face, condition)

    def _claim_set(self, name: str, condition: Condition) -> None:
        if not isinstance(condition, Dirichlet):
            raise UsageError(
                f"{name!r} is a set of points or edges, which has no area; {condition} needs a part of the boundary: "
                f"{', '.join(self.domain.faces)}. A force at a point is a PointLoad."
            )
        for other in self.sets.get(name, ()):
            if _exclude(condition, other):
                raise UsageError(f"{name!r} has two conditions: {other} and {condition}; keep one of them.")
        self.sets[name] = (*self.sets.get(name, ()), condition)

    def _check_places(self) -> None:
        """Refuse loads that are outside."""
        for load in self.loads:
            if len(load.place) != self.domain.dim:
                raise UsageError(f"a place in {self.domain.dim}D has {self.domain.dim} numbers; got {load}.")
            x = torch.tensor([load.place], dtype=torch.float64)
            if not bool(self.domain.contains(x, 1e-6).all()):
                raise UsageError(f"{load} lies outside the domain {self.domain}.")

    def all_on(self, face: str) -> tuple[Condition, ...]:
        """All conditions of a face."""
        return (*self.partial.get(face, ()), *([self.table[face]] if face in self.table else []))

    def _put(self, face: str, condition: Condition) -> None:
        if _some(condition):
            assert isinstance(condition, Dirichlet)
            self.partial[face] = (*self.partial.get(face, ()), condition)
        else:
            self.table[face] = condition

    def _check_periodic_axes(self) -> None:
        if not isinstance(self.domain, Box):
            periodic = [c for c in self.conditions if isinstance(c, Periodic)]
            if periodic:
                raise UsageError(f"a mesh's domain has no periodic axes; got {periodic[0]}: take a Box.")
            return
        for axis in AXES[: self.domain.dim]:
            other = [f for f in (axis + "-", axis + "+") if not isinstance(self.table.get(f), Periodic)]
            if len(other) == 1:
                raise UsageError(
                    f"the axis {axis} cannot be periodic on one face only: {other[0]} has {self.table[other[0]]}; "
                    f"give both of its faces other conditions, or make both periodic."
                )

    @property
    def box(self) -> Box:
        """The domain, where it is a box.

        Raises:
            UsageError: where it is not.
        """
        if not isinstance(self.domain, Box):
            raise UsageError(f"this needs a Box; the domain is {self.domain}: use a FiniteElementField.")
        return self.domain

    def named(self, kind: type) -> dict[str, Condition]:
        """Conditions of that kind by the names of their faces."""
        return {face: self.table[face] for face in self.domain.faces if isinstance(self.table.get(face), kind)}

    @property
    def essential(self) -> tuple[tuple[str, Dirichlet], ...]:
        """Names of faces, points and edges, and the Dirichlet conditions that hold them or some components, in the
        order of the conditions: where faces meet, the last one has what they share."""
        whole = [(face, c) for face, c in self.table.items() if isinstance(c, Dirichlet)]
        some = [(name, c) for held in (self.partial, self.sets) for name, found in held.items() for c in found]
        order = {id(condition): number for number, condition in reversed(list(enumerate(self.conditions)))}
        return tuple(sorted([*whole, *some], key=lambda pair: order[id(pair[1])]))

    def held(self, name: str, channels: int) -> tuple[int, ...]:
        """Numbers of the components that are held on a face, a point or an edge."""
        found = {k for place, condition in self.essential if place == name for k in condition.held(channels)}
        return tuple(sorted(found))

    def places(self, name: str, n: int) -> Tensor:
        """At least n points on a face, or those of a named set of points or edges, ``(m, d)``."""
        if name not in self.domain.sets:
            return self.domain.face_lattice(name, n).points
        assert isinstance(self.domain, MeshDomain)
        return torch.from_numpy(self.domain.mesh.points[self.domain.sets[name].reshape(-1)])

    def on(self, axis: int, side: int) -> Condition | None:
        """The condition of a face, or None where it is free."""
        return self.table.get(AXES[axis] + "-+"[side])

    @property
    def periodic(self) -> tuple[bool, ...]:
        """Per axis: whether it is periodic."""
        return tuple(isinstance(self.on(axis, 0), Periodic) for axis in range(self.domain.dim))

    @property
    def periods(self) -> tuple[float | None, ...]:
        """Per axis: its period, or None."""
        return tuple(
            length if periodic else None for length, periodic in zip(self.domain.lengths, self.periodic, strict=True)
        )

    def faces_with(self, kind: type) -> tuple[tuple[int, int, Condition], ...]:
        """(axis, side, condition) of each face of a box whose condition is of that kind."""
        return tuple((*self.box.face(name), condition) for name, condition in self.named(kind).items())


def _some(condition: Condition) -> bool:
    return isinstance(condition, Dirichlet) and condition.components is not None


def _exclude(one: Condition, other: Condition) -> bool:
    """Whether two conditions cannot stand on one face: both hold a component, or both say what leaves through it."""
    held = [c.components for c in (one, other) if isinstance(c, Dirichlet) and c.components is not None]
    if len(held) == 2:
        return bool(set(held[0]) & set(held[1]))
    return not (held and any(isinstance(c, NATURAL) for c in (one, other)))
