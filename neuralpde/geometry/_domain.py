"""Domains: what every one of them answers, and axis-parallel boxes in any number of dimensions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neuralpde.types import UsageError

if TYPE_CHECKING:
    from neuralpde.geometry._quadrature import Quadrature

AXES = "xyzwvutsrq"

STRIDES = (0.7548776662466927, 0.5698402909980532, 0.4142135623730951)
"""Irrational steps along each axis."""


class Domain(ABC):
    """Where an equation lives: a :class:`Box`, or a :class:`MeshDomain` for every other shape.

    ``lower`` and ``upper`` are the corners of the smallest box around it.
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]
    volume: float
    """Length in 1D, area in 2D, volume in 3D."""
    faces: tuple[str, ...]
    """Names of the parts of the boundary."""
    sets: Mapping[str, Any] = MappingProxyType({})
    """Points and edges that have names."""

    @property
    def dim(self) -> int:
        """Number of space dimensions d."""
        return len(self.lower)

    @property
    def lengths(self) -> tuple[float, ...]:
        """Side lengths of the smallest box around it."""
        return tuple(b - a for a, b in zip(self.lower, self.upper, strict=True))

    @abstractmethod
    def face_lattice(self, name: str, n: int, dtype: torch.dtype = torch.float64) -> Quadrature:
        """At least n points on one part of the boundary, with weights and outward normals."""

    @abstractmethod
    def lattice(self, n: int, dtype: torch.dtype = torch.float64, device: torch.device | None = None) -> Quadrature:
        """At least n points that cover the inside evenly, with weights."""

    @abstractmethod
    def spread(self, n: int, dtype: torch.dtype = torch.float64, device: torch.device | None = None) -> Quadrature:
        """At least n points inside, evenly spread, with weights: what a least-squares fit wants."""

    @abstractmethod
    def random_points(
        self, n: int, generator: torch.Generator | None = None, dtype: torch.dtype = torch.float64
    ) -> Quadrature:
        """n independent uniform points with equal weights (Monte Carlo)."""

    @abstractmethod
    def some_points(self, n: int) -> Tensor:
        """n points inside, always the same ones, ``(n, d)``, to try functions at."""

    @abstractmethod
    def contains(self, x: Tensor, tolerance: float = 1e-12) -> Tensor:
        """Whether each point ``(n, d)`` lies in the closed domain, ``(n,)`` of bool."""

    def parts_of(self, name: str) -> tuple[str, ...]:
        """The faces that a name in a condition stands for."""
        self.check_face(name)
        return (name,)

    def check_face(self, name: str) -> None:
        """Refuse a name that no part of the boundary has.

        Raises:
            UsageError: with the names that there are.
        """
        if name not in self.faces:
            raise UsageError(f"this domain has the faces {', '.join(self.faces)}; there is no face {name!r}.")


@dataclass(frozen=True)
class Box(Domain):
    """Box Π_i [lower_i, upper_i], in the units of the problem (SI unless it says non-dimensional).

    Its 2d faces are named by axis and side: ``"x-"`` is the face of smallest x, ``"y+"`` that of largest y.

    Args:
        lower: smallest coordinates, one per dimension; a number stands for an interval's left end.
        upper: largest coordinates.

    Raises:
        UsageError: if the corners have different lengths, or a side has no positive length.

    Example:
        >>> Box((-2.0,), (2.0,)).lengths
        (4.0,)
    """

    lower: tuple[float, ...]
    upper: tuple[float, ...]

    def __post_init__(self) -> None:
        for name in ("lower", "upper"):
            corner = getattr(self, name)
            corner = tuple(float(c) for c in corner) if isinstance(corner, Sequence) else (float(corner),)
            object.__setattr__(self, name, corner)
        if len(self.lower) != len(self.upper):
            raise UsageError(
                f"a box needs as many lower as upper coordinates; got {len(self.lower)} and {len(self.upper)}."
            )
        if not 1 <= self.dim <= len(AXES):
            raise UsageError(f"a box has 1 to {len(AXES)} dimensions; got {self.dim}.")
        for axis, a, b in zip(AXES, self.lower, self.upper, strict=False):
            if not a < b:
                raise UsageError(f"the box needs lower < upper along {axis}; got {a:g} and {b:g}.")

    @property
    def volume(self) -> float:  # type: ignore[override]
        """Product of the side lengths (length in 1D, area in 2D)."""
        out = 1.0
        for length in self.lengths:
            out *= length
        return out

    @property
    def faces(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the 2d faces: ``("x-", "x+", "y-", …)``."""
        return tuple(axis + side for axis in AXES[: self.dim] for side in "-+")

    def face(self, name: str) -> tuple[int, int]:
        """Axis number and side (0 lower, 1 upper) of a face's name.

        Raises:
            UsageError: if the box has no face of that name.
        """
        self.check_face(name)
        return AXES.index(name[0]), "-+".index(name[1])

    def check_face(self, name: str) -> None:
        if name not in self.faces:
            raise UsageError(f"this box has the faces {', '.join(self.faces)}; there is no face {name!r}.")

    def face_lattice(self, name: str, n: int, dtype: torch.dtype = torch.float64) -> Quadrature:
        """Midpoints of a lattice on one face, see :func:`face_lattice`."""
        from neuralpde.geometry._quadrature import face_lattice

        return face_lattice(self, *self.face(name), n, dtype)

    def lattice(self, n: int, dtype: torch.dtype = torch.float64, device: torch.device | None = None) -> Quadrature:
        """Midpoints of cells, see :func:`lattice`."""
        from neuralpde.geometry._quadrature import lattice

        return lattice(self, n, dtype, device)

    def spread(self, n: int, dtype: torch.dtype = torch.float64, device: torch.device | None = None) -> Quadrature:
        """The same lattice."""
        return self.lattice(n, dtype, device)

    def random_points(
        self, n: int, generator: torch.Generator | None = None, dtype: torch.dtype = torch.float64
    ) -> Quadrature:
        """See :func:`random_points`."""
        from neuralpde.geometry._quadrature import random_points

        return random_points(self, n, generator, dtype)

    def some_points(self, n: int) -> Tensor:
        """Points by irrational steps along each axis: none is a zero of a sine that fits the domain."""
        unit = [[(k * STRIDES[i % 3]) % 1.0 for i in range(self.dim)] for k in range(1, n + 1)]
        return self.from_unit(torch.tensor(unit, dtype=torch.float64))

    def contains(self, x: Tensor, tolerance: float = 1e-12) -> Tensor:
        """Whether each point ``(n, d)`` lies in the closed box, ``(n,)`` of bool."""
        lower, upper = x.new_tensor(self.lower), x.new_tensor(self.upper)
        slack = tolerance * (upper - lower)
        return ((x >= lower - slack) & (x <= upper + slack)).all(dim=-1)

    def from_unit(self, s: Tensor) -> Tensor:
        """Map points ``(n, d)`` of the unit cube onto the box."""
        lower, lengths = s.new_tensor(self.lower), torch.as_tensor(self.lengths, dtype=s.dtype, device=s.device)
        return lower + s * lengths
