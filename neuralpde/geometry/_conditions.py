"""Boundary conditions, and the table of which face carries which."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from neuralpde.geometry._domain import AXES, Box, Domain
from neuralpde.types import UsageError

BoundaryValue: TypeAlias = float | tuple[float, ...] | Callable[[float, Tensor], Tensor]
"""A number, one number per channel, or a function of time and points ``(n, d)`` that returns ``(n, c)``."""


class _OnFaces:
    """What every condition on named faces shares."""

    on: str | Sequence[str]

    @property
    def faces(self) -> tuple[str, ...]:
        """Names of the faces, or ``("all",)``."""
        return (self.on,) if isinstance(self.on, str) else tuple(self.on)


class _Valued(_OnFaces):
    """What Dirichlet, Neumann, Flux and Robin share: a value on some faces."""

    value: BoundaryValue

    def at(self, t: float, x: Tensor, channels: int = 1) -> Tensor:
        """The prescribed value at points ``(n, d)`` and time t, ``(n, c)``."""
        if callable(self.value):
            out = self.value(t, x)
            return out if out.ndim == 2 else out[:, None]
        if isinstance(self.value, Sequence):
            if len(self.value) != channels:
                raise UsageError(f"{self} gives {len(self.value)} value(s); the unknown has {channels} component(s).")
            return x.new_tensor(self.value).expand(x.shape[0], channels)
        return torch.full((x.shape[0], channels), float(self.value), dtype=x.dtype, device=x.device)


@dataclass(frozen=True)
class Dirichlet(_Valued):
    """u = value on the named faces (``"all"``: every face that has no other condition). Essential: held exactly.

    For a velocity it is a wall at rest (0, no slip), a moving wall or an inflow.
    """

    value: BoundaryValue = 0.0
    on: str | Sequence[str] = "all"


@dataclass(frozen=True)
class Neumann(_Valued):
    """∂u/∂n = value with the outward normal n on the named faces. Natural: grids build it into their stencils, neural
    fields take it as least-squares rows."""

    value: BoundaryValue = 0.0
    on: str | Sequence[str] = "all"


@dataclass(frozen=True)
class Flux(_Valued):
    """n·f = value with the outward normal n and the flux f of the problem's conservation form on the named faces: what
    leaves the domain through a unit of area. Natural: finite elements build it into the weak form, neural fields take
    it as least-squares rows. Of diffusion, f = −κ∇u."""

    value: BoundaryValue = 0.0
    on: str | Sequence[str] = "all"


@dataclass(frozen=True)
class Robin(_Valued):
    """n·f = coefficient (u − value) on the named faces: exchange with a surrounding of that value (convective cooling).

    Args:
        coefficient: α ≥ 0; a number.
        value: of the surrounding.
        on: names of faces.

    Raises:
        UsageError: for a coefficient below 0, or none: the boundary would feed itself.
    """

    coefficient: float = 1.0
    value: BoundaryValue = 0.0
    on: str | Sequence[str] = "all"

    def __post_init__(self) -> None:
        if not (isinstance(self.coefficient, int | float) and 0 <= self.coefficient < math.inf):
            raise UsageError(f"the coefficient of Robin is a number, 0 or more; got {self.coefficient}.")


@dataclass(frozen=True)
class FreeSlip(_OnFaces):
    """A wall without friction: u·n = 0 and ∂(u·τ)/∂n = 0 on the named faces. For velocities."""

    on: str | Sequence[str] = "all"


@dataclass(frozen=True)
class Outflow(_OnFaces):
    """An open end: p = 0 and ∂u/∂n = 0 on the named faces. For velocities."""

    on: str | Sequence[str] = "all"


@dataclass(frozen=True)
class Periodic:
    """u(x + L e_i) = u(x) along the named axes (``"x"``, ``("x", "y")``, or ``"all"``). Essential: held exactly."""

    axes: str | Sequence[str] = "all"


Condition: TypeAlias = Dirichlet | Neumann | Flux | Robin | Periodic | FreeSlip | Outflow


def _sequence_of_conditions(conditions: object) -> tuple[Condition, ...]:
    wanted = "conditions must be a tuple of Dirichlet, Neumann, Flux, Robin, Periodic, FreeSlip and Outflow conditions"
    if isinstance(conditions, Condition):
        raise UsageError(f"{wanted}, for instance ({type(conditions).__name__}(...),); got {conditions} alone.")
    if isinstance(conditions, str) or not isinstance(conditions, Iterable):
        raise UsageError(f"{wanted}; got {conditions!r}.")
    out = tuple(conditions)
    for condition in out:
        if not isinstance(condition, Condition):
            raise UsageError(f"{wanted}; it holds {condition!r}.")
    return out


class Boundary:
    """Which face of a domain carries which condition.

    Faces that no condition names stay free (an outflow boundary of an advection problem, for instance).

    Args:
        domain: a box, or a mesh's domain, which has no periodic axes.
        conditions: conditions; ``"all"`` fills the faces that the others left.

    Raises:
        UsageError: if two conditions claim one face, or all the remaining ones, an axis is periodic on one face only, a
            name is unknown, or ``conditions`` is no sequence of conditions.
    """

    def __init__(self, domain: Domain, conditions: Sequence[Condition]) -> None:
        self.domain, self.conditions = domain, _sequence_of_conditions(conditions)
        self.table: dict[str, Condition] = {}
        self._names: dict[str, str] = {}
        explicit = [c for c in self.conditions if not self._fills(c)]
        for condition in explicit:
            for name in self._faces_of(condition):
                for face in domain.parts_of(name):
                    self._claim(face, name, condition)
        fillers, left = [c for c in self.conditions if self._fills(c)], [f for f in domain.faces if f not in self.table]
        if left and len(fillers) > 1:
            raise UsageError(
                f"two conditions claim all remaining faces ({', '.join(left)}): {fillers[0]} and {fillers[1]}; keep "
                "one of them, or name the faces of the other."
            )
        self.table |= {face: condition for condition in fillers for face in left}
        self._check_periodic_axes()

    @staticmethod
    def _fills(condition: Condition) -> bool:
        return (condition.axes if isinstance(condition, Periodic) else condition.on) == "all"

    def _faces_of(self, condition: Condition) -> tuple[str, ...]:
        if not isinstance(condition, Periodic):
            return condition.faces
        axes = (condition.axes,) if isinstance(condition.axes, str) else tuple(condition.axes)
        return tuple(axis + side for axis in axes for side in "-+")

    def _claim(self, face: str, name: str, condition: Condition) -> None:
        holder, other = self._names.get(face, name), self.table.get(face)
        if other is condition and holder != name:
            return  # two names of one condition that overlap
        if other is not None:
            overlap = f" (the names {holder!r} and {name!r} of the mesh overlap there)" if holder != name else ""
            raise UsageError(f"face {face!r} has two conditions: {other} and {condition}{overlap}; keep one of them.")
        self.table[face], self._names[face] = condition, name

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
