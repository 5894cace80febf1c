"""Domains: for now axis-parallel boxes in any number of dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from neuralpde.types import UsageError

AXES = "xyzwvutsrq"


@dataclass(frozen=True)
class Box:
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
    def dim(self) -> int:
        """Number of space dimensions d."""
        return len(self.lower)

    @property
    def lengths(self) -> tuple[float, ...]:
        """Side lengths upper − lower."""
        return tuple(b - a for a, b in zip(self.lower, self.upper, strict=True))

    @property
    def volume(self) -> float:
        """Product of the side lengths (length in 1D, area in 2D)."""
        out = 1.0
        for length in self.lengths:
            out *= length
        return out

    @property
    def faces(self) -> tuple[str, ...]:
        """Names of the 2d faces: ``("x-", "x+", "y-", …)``."""
        return tuple(axis + side for axis in AXES[: self.dim] for side in "-+")

    def face(self, name: str) -> tuple[int, int]:
        """Axis number and side (0 lower, 1 upper) of a face's name.

        Raises:
            UsageError: if the box has no face of that name.
        """
        if name not in self.faces:
            raise UsageError(f"this box has the faces {', '.join(self.faces)}; there is no face {name!r}.")
        return AXES.index(name[0]), "-+".index(name[1])

    def contains(self, x: Tensor, tolerance: float = 1e-12) -> Tensor:
        """Whether each point ``(n, d)`` lies in the closed box, ``(n,)`` of bool."""
        lower, upper = x.new_tensor(self.lower), x.new_tensor(self.upper)
        slack = tolerance * (upper - lower)
        return ((x >= lower - slack) & (x <= upper + slack)).all(dim=-1)

    def from_unit(self, s: Tensor) -> Tensor:
        """Map points ``(n, d)`` of the unit cube onto the box."""
        lower, lengths = s.new_tensor(self.lower), torch.as_tensor(self.lengths, dtype=s.dtype, device=s.device)
        return lower + s * lengths
