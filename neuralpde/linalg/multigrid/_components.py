"""Connected parts of a grid, and the constants of those that nothing holds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpde.linalg.jit import in_slabs
from neuralpde.linalg.multigrid._component_runs import (
    absolute_sum,
    excess_of_runs,
    link_rows,
    part_numbers,
    runs_of_rows,
    subtract,
    sums_of_parts,
)

Floats = NDArray[np.floating[Any]]


class Constants:
    """The null space of a grid's operator: constants on each connected part without excess.

    Parts are found and kept as runs of coupled cells along the last axis.

    Args:
        weights: couplings with the next cell of each axis, ``(n0, n1)`` or ``(n0, n1, n2)``; last slices wrap around.
        excess: row sums, same shape.

    Attributes:
        count: number of such parts; a cell without any coupling is none.
    """

    def __init__(self, weights: list[Floats], excess: Floats) -> None:
        row = excess.shape[-1]
        rows = [np.ascontiguousarray(weight).reshape(-1, row) for weight in weights]
        steps = tuple(int(np.prod(excess.shape[axis + 1 : -1])) for axis in range(excess.ndim - 1))
        lengths = excess.shape[:-1]
        first, last, begin = runs_of_rows(rows[-1], tuple(rows[:-1]), steps, lengths)
        root = np.arange(first.size, dtype=np.int32)
        for weight, step, length in zip(rows[:-1], steps, lengths, strict=True):
            link_rows(weight, step, length, first, last, begin, root)
        held = excess_of_runs(np.ascontiguousarray(excess).reshape(-1), rows[-1], first, last, begin, root)
        label = np.empty(first.size, np.int32)
        self.count, self.cells = int(part_numbers(root, held, label)), excess.size
        free = label >= 0
        self._runs = first[free], last[free], label[free]
        self._sizes = np.bincount(label[free], weights=(last - first)[free], minlength=self.count)

    @property
    def labels(self) -> NDArray[np.int32]:
        """Number of the part that each cell is in, −1 for others, flat."""
        out = np.full(self.cells, -1, np.int32)
        for first, last, label in zip(*self._runs, strict=True):
            out[first:last] = label
        return out

    def remove(self, r: Floats, out: Floats | None = None) -> Floats:
        """r without its mean on each part, flat ``(n,)``, in ``out``, which may be r; r itself where there is none."""
        if self.count == 0:
            return r
        runs, length = self._runs[0].size, self.cells // self._runs[0].size
        means = np.sum(in_slabs(sums_of_parts, runs, length, r, *self._runs, self.count), axis=0) / self._sizes
        if out is not r:
            out = r.copy()
        in_slabs(subtract, runs, length, out, *self._runs, means)
        return out


def size_of(r: Floats) -> float:
    """Σ |r|, of the order of the largest entry or above it; NaN or Inf when r holds one."""
    return float(sum(in_slabs(absolute_sum, r.size, 1, r)))
