"""What fluid flows through: solids, what they do, densities, and the sides of the box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from neuralpde.types import UsageError

Sides = tuple[tuple[str, str], ...]
"""For each axis what stands at its low and high end: "wall", "open" or "periodic"."""

KINDS = ("wall", "open", "periodic")


def sides_of(given: str | Sequence[Sequence[str]], dim: int) -> Sides:
    """Sides from one word for all of them, or a pair of words for each axis.

    Raises:
        UsageError: for other words, the wrong number of pairs, or an axis that is periodic at one end only.

    Example:
        >>> sides_of((("wall", "open"), ("wall", "wall")), 2)
        (('wall', 'open'), ('wall', 'wall'))
    """
    pairs = ((given, given),) * dim if isinstance(given, str) else tuple((str(low), str(high)) for low, high in given)
    if len(pairs) != dim or any(word not in KINDS for pair in pairs for word in pair):
        raise UsageError(f"sides: expected a pair of {', '.join(KINDS)} for each of {dim} axes, got {given!r}")
    if any((low == "periodic") != (high == "periodic") for low, high in pairs):
        raise UsageError(f"sides: an axis is periodic at both ends or at none, got {given!r}")
    return pairs


@dataclass(frozen=True)
class Medium:
    """Cells of a uniform grid.

    Attributes:
        solid: True in cells without fluid, shape ``grid``.
        sides: what stands around the box.
        motion: velocity of the solids, ``(d, *grid)``, read in solid cells alone; ``None`` where they rest.
        mobility: 1/ρ of the cells along each axis, d arrays of shape ``grid`` > 0; ``None`` for 1 everywhere.
    """

    solid: np.ndarray
    sides: Sides
    motion: np.ndarray | None = None
    mobility: tuple[np.ndarray, ...] | None = None

    @property
    def grid(self) -> tuple[int, ...]:
        """Cells along each axis."""
        return self.solid.shape

    @property
    def fluid(self) -> np.ndarray:
        """True in cells with fluid."""
        return ~self.solid

    def weights(self) -> tuple[np.ndarray, ...]:
        """w of the face between each cell and its next neighbour along each axis, in units of a cell.

        It is the harmonic mean of 1/ρ on both sides, 0 at solids. The last slice belongs to a periodic axis.
        """
        found = []
        for axis in range(self.solid.ndim):
            beta = np.where(self.fluid, 1.0 if self.mobility is None else self.mobility[axis], 0.0)
            after = np.roll(beta, -1, axis)
            total = beta + after
            # where one of both is solid the product is 0
            face = np.divide(2.0 * beta * after, total, out=np.zeros_like(beta), where=total > 0)
            if self.sides[axis][0] != "periodic":
                np.moveaxis(face, axis, 0)[-1] = 0.0
            if self.solid.shape[axis] == 1:
                face[:] = 0.0
            found.append(face)
        return tuple(found)

    def excess(self) -> np.ndarray:
        """What open sides add to the diagonal: p = 0 at the face, half a cell away, is 2/ρ."""
        total = np.zeros(self.grid)
        for axis, pair in enumerate(self.sides):
            beta = np.where(self.fluid, 1.0 if self.mobility is None else self.mobility[axis], 0.0)
            for end, kind in zip((0, -1), pair, strict=True):
                if kind == "open":
                    np.moveaxis(total, axis, 0)[end] += 2.0 * np.moveaxis(beta, axis, 0)[end]
        return total

    def components(self) -> tuple[np.ndarray, np.ndarray]:
        """Pieces of fluid that no face connects.

        Returns:
            The number of each cell's piece, from 1, and 0 in solids; and for each number whether the piece is closed:
            none of its cells is at an open side (entry 0 is False).
        """
        labels, count = ndimage.label(self.fluid)
        labels = self._joined_around(labels, count)
        closed = np.ones(int(labels.max()) + 1, dtype=bool)
        for axis, pair in enumerate(self.sides):
            for end, kind in zip((0, -1), pair, strict=True):
                if kind == "open":
                    closed[np.moveaxis(labels, axis, 0)[end]] = False
        closed[0] = False
        return labels, closed

    def _joined_around(self, labels: np.ndarray, count: int) -> np.ndarray:
        """The same labels where pieces meet across periodic sides."""
        pairs = []
        for axis, pair in enumerate(self.sides):
            if pair[0] == "periodic":
                ends = np.moveaxis(labels, axis, 0)[[-1, 0]].reshape(2, -1)
                pairs.append(ends[:, (ends > 0).all(0)])
        if not pairs:
            return labels
        low, high = np.concatenate(pairs, axis=1)
        graph = coo_array((np.ones(low.size), (low, high)), shape=(count + 1, count + 1))
        names = connected_components(graph, directed=False)[1]
        return np.asarray(names[labels])  # node 0, the solids, stands alone and comes first

    def without_pockets(self) -> Medium:
        """The same with pieces of fluid that reach no open side filled, where another piece reaches one."""
        labels, closed = self.components()
        if not (~closed[1:]).any():
            return self
        return Medium(self.solid | closed[labels], self.sides, self.motion, self.mobility)
