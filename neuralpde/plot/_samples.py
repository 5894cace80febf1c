"""What every picture is made from: a field sampled on a lattice, or at a mesh's triangles, at several times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from neuralpde.geometry import Solid
from neuralpde.plot._section import Body
from neuralpde.plot._triangulation import Triangulation
from neuralpde.types import UsageError


@dataclass(frozen=True, eq=False)
class Samples:
    """A field u(x, t) sampled at several times, on a lattice or at the points of a triangulation.

    NaN and Inf among the values are allowed (points outside the domain, a run that blew up) and stay blank.

    Args:
        name: what made the field, for instance ``"neural field, 337 dofs"``.
        axes: d strictly increasing arrays of node coordinates, d = 1 or 2, each with two nodes or more. With a
            triangulation, d = 2 or 3, they span the box around it, and on a plane are the lattice of the velocity.
        times: strictly increasing, shape ``(k,)``; k = 1 for a steady field.
        values: shape ``(k, *lattice, c)``, where ``lattice`` holds the lengths of ``axes``; or ``(k, n, c)`` at the n
            points of the triangulation.
        exact: reference values of the same shape, where one is known.
        labels: one per channel; the default becomes u₁, u₂, … when c > 1.
        title: what the field is, for instance ``"Advection"``.
        velocity: of a flow on a plane, shape ``(k, *lattice, 2)``; pictures show it as streamlines over the values,
            for instance the vorticity. Where the values are NaN they show a solid.
        known_as: what ``exact`` is called in legends: ``"exact"``, or ``"reference"`` where it is computed.
        triangulation: of a domain that is no box; in space a :class:`Body`.
        displacement: u of the points of the triangulation, ``(k, n, d)``, where a body moves: pictures show it at
            x + s u.
        magnification: s.
        outlined: whether the body at rest is seen as a thin line behind it.
        solids: t → bodies that it meets, as signed distances.

    Raises:
        UsageError: for d = 3, for shapes that disagree, for coordinates or times that do not increase, for a velocity
            on a line, for displacements without a triangulation.

    Example:
        >>> x = np.linspace(0.0, 1.0, 5)
        >>> Samples("grid", (x,), np.array([0.0]), np.sin(x)[None, :, None]).channels
        1
    """

    name: str
    axes: tuple[np.ndarray, ...]
    times: np.ndarray
    values: np.ndarray
    exact: np.ndarray | None = None
    labels: tuple[str, ...] = ("u",)
    title: str = ""
    velocity: np.ndarray | None = None
    known_as: str = "exact"
    triangulation: Triangulation | None = None
    displacement: np.ndarray | None = None
    magnification: float = 1.0
    outlined: bool = False
    solids: Callable[[float], Sequence[Solid]] | None = None

    def __post_init__(self) -> None:
        axes = tuple(_increasing(f"axes[{j}]", axis) for j, axis in enumerate(self.axes))
        _check_dimension(axes, self.triangulation)
        times = _increasing("times", self.times)
        values = real_array("values", self.values)
        lattice = tuple(len(axis) for axis in axes)
        nodes = lattice if self.triangulation is None else (len(self.triangulation.points),)
        if values.ndim != len(nodes) + 2 or values.shape[:-1] != (len(times), *nodes) or values.shape[-1] < 1:
            expected = ", ".join(str(n) for n in (len(times), *nodes))
            where = f"a lattice of {lattice} nodes" if self.triangulation is None else f"{nodes[0]} points"
            raise UsageError(
                f"values of {self.name!r} have shape {values.shape}, but {len(times)} time(s) and {where} need "
                f"({expected}, c): times first, channels last"
            )
        exact = None if self.exact is None else real_array("exact", self.exact)
        if exact is not None and exact.shape != values.shape:
            raise UsageError(
                f"exact of {self.name!r} has shape {exact.shape}, values have {values.shape}: make them equal"
            )
        velocity = None if self.velocity is None else real_array("velocity", self.velocity)
        if velocity is not None and (len(axes) != 2 or velocity.shape != (len(times), *lattice, 2)):
            raise UsageError(
                f"velocity of {self.name!r} has shape {velocity.shape}: streamlines need a field on a plane and a "
                f"velocity of shape (k, n_x, n_y, 2), like the values, whose lattice is {(len(times), *lattice)}"
            )
        moved = None if self.displacement is None else real_array("displacement", self.displacement)
        if moved is not None and (self.triangulation is None or moved.shape != (len(times), *nodes, len(axes))):
            raise UsageError(
                f"displacement of {self.name!r} has shape {moved.shape}: it needs a triangulation, and one vector for "
                f"each of its points, ({len(times)}, {nodes[0]}, {len(axes)})"
            )
        fields = {"axes": axes, "times": times, "values": values, "exact": exact, "velocity": velocity}
        fields["displacement"] = moved
        for field, value in {**fields, "labels": _labels(self.labels, values.shape[-1])}.items():
            object.__setattr__(self, field, value)

    @property
    def dim(self) -> int:
        """Space dimension d."""
        return len(self.axes)

    @property
    def channels(self) -> int:
        """Number of channels c."""
        return self.values.shape[-1]

    @property
    def caption(self) -> str:
        """What the field is, and how large displacements are drawn where not as they are."""
        if self.displacement is None or self.magnification == 1:
            return self.title
        return ", ".join(part for part in (self.title, f"displacements × {self.magnification:g}") if part)

    def placed(self, when: int) -> np.ndarray:
        """The points of the triangulation at the time of that number, ``(n, d)``."""
        if self.triangulation is None:
            raise UsageError(f"{self.name!r} lies on a lattice, which stays where it is")
        rest = self.triangulation.points
        return rest if self.displacement is None else rest + self.magnification * self.displacement[when]

    @cached_property
    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest coordinates of what is drawn, at all times, ``(d,)`` each."""
        ends = [(axis[0], axis[-1]) for axis in self.axes]
        low, high = np.array(ends).T
        if self.displacement is None:
            return low, high
        points = np.concatenate([self.placed(k) for k in range(len(self.times))])
        if not self.outlined:
            return points.min(0), points.max(0)
        return np.minimum(low, points.min(0)), np.maximum(high, points.max(0))

    @property
    def peaked(self) -> bool:
        """Whether it may peak at few points: a flow's vorticity or pressure on a lattice, what one sees of a body."""
        return (self.velocity is not None and self.triangulation is None) or self.displacement is not None

    def error(self) -> np.ndarray | None:
        """|u − exact|, shape ``(k, *lattice, c)``; None where no reference is known."""
        if self.exact is None:
            return None
        with np.errstate(all="ignore"):
            return np.abs(self.values - self.exact)


def check_alike(samples: Sequence[Samples]) -> None:
    """Refuse an empty list, and methods whose fields cannot stand side by side.

    Raises:
        UsageError: when the list is empty, or dimensions or channels differ. Lattices, meshes and times may differ.
    """
    if not samples:
        raise UsageError("the list of samples is empty: pass at least one")
    first = samples[0]
    for other in samples[1:]:
        if (other.dim, other.channels) != (first.dim, first.channels):
            raise UsageError(
                f"{first.name!r} has d = {first.dim}, c = {first.channels}, but {other.name!r} has d = {other.dim}, "
                f"c = {other.channels}: compare fields of the same problem"
            )


def _check_dimension(axes: Sequence[np.ndarray], shown: Triangulation | None) -> None:
    if shown is not None and (len(axes) != shown.points.shape[1] or (len(axes) == 3) != isinstance(shown, Body)):
        raise UsageError(
            f"a triangulation of points {shown.points.shape} needs as many axes as they have coordinates, here there "
            f"are {len(axes)}; in space it is a Body"
        )
    if shown is None and len(axes) not in (1, 2):
        raise UsageError(
            f"a picture shows a field over 1 or 2 space dimensions, these samples have {len(axes)} axes: sample the "
            "field on a line or on a plane and plot that, or export the whole field to .pvd for ParaView"
        )
    for j, axis in enumerate(axes):
        if len(axis) < 2:
            raise UsageError(f"axes[{j}] has one node: a picture needs at least two")


def real_array(what: str, array: Any) -> np.ndarray:
    """``array`` as float64 NumPy array; ``what`` names it in the error."""
    try:
        given = np.asarray(array)
        if given.dtype.kind not in "fiub":
            raise TypeError
        return given.astype(np.float64, copy=False)
    except (TypeError, ValueError):
        raise UsageError(f"{what} must be an array of real numbers (on the CPU, without gradient)") from None


def _increasing(what: str, array: Any) -> np.ndarray:
    numbers = real_array(what, array)
    if numbers.ndim != 1 or len(numbers) == 0:
        raise UsageError(f"{what} must have shape (n,) with n ≥ 1, got {numbers.shape}")
    if not (np.all(np.isfinite(numbers)) and np.all(np.diff(numbers) > 0)):
        raise UsageError(f"{what} must be finite and strictly increasing: sort them and drop duplicates")
    return numbers


def _labels(labels: Sequence[str], channels: int) -> tuple[str, ...]:
    if tuple(labels) == ("u",) and channels > 1:
        return tuple("u" + str(j + 1).translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")) for j in range(channels))
    if len(labels) != channels:
        raise UsageError(f"{len(labels)} label(s) {tuple(labels)} for {channels} channel(s): give one per channel")
    return tuple(labels)
