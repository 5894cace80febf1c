"""Boundary conditions: what is prescribed, and on which faces."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from neuralpde.geometry._domain import AXES
from neuralpde.geometry._values import BoundaryValue as BoundaryValue
from neuralpde.geometry._values import at_points, is_number, plain_numbers, prescribed
from neuralpde.types import UsageError


class _OnFaces:
    """What every condition on named faces shares."""

    on: str | Sequence[str]

    @property
    def faces(self) -> tuple[str, ...]:
        """Names of the faces, or ``("all",)``.

        Raises:
            UsageError: for what is no name, nor several of them.
        """
        names = (self.on,) if isinstance(self.on, str) else self.on
        if not isinstance(names, Iterable) or not all(isinstance(name, str) for name in names):
            raise UsageError(f"on= of a {type(self).__name__} names faces, such as 'left'; got {self.on!r}.")
        return tuple(names)


class _Valued(_OnFaces):
    """What Dirichlet, Neumann, Flux and Robin share: a value on some faces."""

    value: BoundaryValue
    _called = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", prescribed(self.value, type(self).__name__))

    @property
    def label(self) -> str:
        """How sentences call it, such as ``"the Dirichlet value on left"``."""
        return f"{self._called or f'the {type(self).__name__} value'} on {', '.join(self.faces)}"

    def at(self, t: float, x: Tensor, channels: int = 1) -> Tensor:
        """The prescribed value at points ``(n, d)`` and time t, ``(n, c)``; a function's column is that of all c.

        Raises:
            UsageError: for a value of another shape.
        """
        if callable(self.value):
            return at_points(self.value(t, x), x, (1, channels), self.label).expand(-1, channels)
        if isinstance(self.value, Sequence):
            if len(self.value) != channels:
                raise UsageError(f"{self} gives {len(self.value)} value(s); the unknown has {channels} component(s).")
            return x.new_tensor(self.value).expand(x.shape[0], channels)
        return torch.full((x.shape[0], channels), float(self.value), dtype=x.dtype, device=x.device)


@dataclass(frozen=True)
class Dirichlet(_Valued):
    """u = value on the named faces (``"all"``: every face that has no other condition). Essential: held exactly.

    For a velocity it is a wall at rest (0, no slip), a moving wall or an inflow. With ``components`` some components of
    u are held and the others are left: a roller that stands on a floor is ``Dirichlet(0.0, "floor", components="y")``.
    Several conditions may hold different components of one face, and one natural condition (a traction) may stand
    beside them; what it says of a component that is held is carried by the support.

    Args:
        value: a number for every component that is held, one number for each of them, or a function of t and points
            ``(n, d)`` that gives ``(n, k)`` for the k components that are held (or all c of them).
        on: names of faces.
        components: letters of the components that are held, such as ``"x"`` or ``"xz"``; None holds all.

    Raises:
        UsageError: for letters that name no component, or one twice.
    """

    value: BoundaryValue = 0.0
    on: str | Sequence[str] = "all"
    components: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        letters = self.components
        if letters is None:
            return
        if not isinstance(letters, str) or not letters or set(letters) - set(AXES) or len(set(letters)) < len(letters):
            raise UsageError(
                "components names what a Dirichlet condition holds by letters, such as 'x' or 'xy', each one once; got "
                f"{letters!r}."
            )

    def __repr__(self) -> str:
        some = f", components={self.components!r}" if self.components is not None else ""
        return f"Dirichlet(value={self.value!r}, on={self.on!r}{some})"

    def held(self, channels: int) -> tuple[int, ...]:
        """Numbers of the components that are held, of an unknown with c of them.

        Raises:
            UsageError: for a letter beyond them.
        """
        if self.components is None:
            return tuple(range(channels))
        beyond = [letter for letter in self.components if AXES.index(letter) >= channels]
        if beyond:
            raise UsageError(
                f"{self} holds a component {beyond[0]!r}; the unknown has {', '.join(AXES[:channels])} alone."
            )
        return tuple(AXES.index(letter) for letter in self.components)

    def at(self, t: float, x: Tensor, channels: int = 1) -> Tensor:
        """The prescribed value at points ``(n, d)`` and time t, ``(n, c)``; 0 in components that are not held.

        Raises:
            UsageError: for a value with too few or too many numbers.
        """
        if self.components is None:
            return super().at(t, x, channels)
        columns = self.held(channels)
        if callable(self.value):
            given = at_points(self.value(t, x), x, (1, channels, len(columns)), f"{self.label} ({self.components})")
        else:
            if isinstance(self.value, Sequence) and len(self.value) != len(columns):
                raise UsageError(
                    f"{self} holds {len(columns)} component(s) and gives {len(self.value)} value(s): give one number "
                    "for each component that is held."
                )
            given = super().at(t, x, len(columns))
        if given.shape[-1] == channels:
            given = given[:, list(columns)]
        return given.new_zeros(len(x), channels).index_copy(
            1, torch.tensor(columns, device=given.device), given.expand(-1, len(columns)).contiguous()
        )

    def of_component(self, k: int, channels: int) -> BoundaryValue:
        """The value that holds component k of c: a number, or a function of t and points that gives ``(n, 1)``."""
        if callable(self.value):
            return lambda t, x: self.at(t, x, channels).expand(-1, channels)[:, k : k + 1]
        anywhere = torch.zeros(1, 1, dtype=torch.float64)
        return float(self.at(0.0, anywhere, channels)[0, k])


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
    _called = "the flux (or traction)"


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
        super().__post_init__()
        if not (isinstance(self.coefficient, int | float) and 0 <= self.coefficient < math.inf):
            raise UsageError(f"the coefficient of Robin is a number, 0 or more; got {self.coefficient}.")


@dataclass(frozen=True)
class Pressure(_Valued):
    """σ·n = −p n on the named faces: what presses on a solid from outside, in N/m². Natural; n·f = p n of its flux −σ.

    Args:
        value: p, a number, or a function of t and points ``(n, d)`` that gives ``(n, 1)``; below 0 it pulls.
        on: names of faces.
        follower: whether it acts on the deformed boundary, with its normals and its area, as that of a gas does. Then
            it has no energy in general, and only large deformations know it.
    """

    value: BoundaryValue = 0.0
    on: str | Sequence[str] = "all"
    follower: bool = False
    _called = "the pressure"

    def at(self, t: float, x: Tensor, channels: int = 1) -> Tensor:
        """p at points ``(n, d)`` and time t, ``(n, 1)``: one number however many components the unknown has."""
        return super().at(t, x, 1)

    def flux(self, t: float, x: Tensor, normals: Tensor) -> Tensor:
        """p n, ``(n, d)``, at points with outward normals ``(n, d)``.

        With cof(F) N in place of unit normals N of the undeformed boundary (Nanson's formula) it is that of a follower,
        for a unit of undeformed area.
        """
        return self.at(t, x) * normals


@dataclass(frozen=True)
class PointLoad(_Valued):
    """A load at one place: value · δ(x − place) in the source of a conservation form. A force in N on a solid (in 2D in
    N per metre of thickness), or a source of heat in W. Finite elements take it, exactly.

    It is no condition of a face. The exact field has no bound there in 2D and 3D: its peak grows as elements shrink,
    and only away from the place does it converge.

    Args:
        value: one number for each component, or a function of t and points that gives ``(n, c)``.
        place: d numbers, inside the domain or on its boundary.

    Raises:
        UsageError: for a place that is no list of numbers.
    """

    value: BoundaryValue = 0.0
    place: Sequence[float] = ()
    on = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        numbers = plain_numbers(self.place)
        if not isinstance(numbers, tuple) or not numbers or not all(map(is_number, numbers)):
            raise UsageError(
                f"the place of a PointLoad is one number for each axis, such as (2.0, 0.5); got {self.place}."
            )
        object.__setattr__(self, "place", tuple(float(v) for v in numbers))

    @property
    def label(self) -> str:
        """How sentences call it."""
        return f"the load at {self.place}"


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


Condition: TypeAlias = Dirichlet | Neumann | Flux | Robin | Pressure | Periodic | FreeSlip | Outflow | PointLoad


def sequence_of_conditions(conditions: object) -> tuple[Condition, ...]:
    wanted = (
        "conditions must be a tuple of Dirichlet, Neumann, Flux, Robin, Pressure, Periodic, FreeSlip and Outflow "
        "conditions, and of PointLoads"
    )
    if isinstance(conditions, Condition):
        raise UsageError(f"{wanted}, for instance ({type(conditions).__name__}(...),); got {conditions} alone.")
    if isinstance(conditions, str) or not isinstance(conditions, Iterable):
        raise UsageError(f"{wanted}; got {conditions!r}.")
    out = tuple(conditions)
    for condition in out:
        if not isinstance(condition, Condition):
            raise UsageError(f"{wanted}; it holds {condition!r}.")
    return out
