"""Connected parts of a grid, and the constants of those that nothing holds, or next to nothing."""

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
Ints = NDArray[np.int32]


HELD = 1e3 * float(np.finfo(np.float32).eps) ** 2
"""Σ excess over Σ weights of a part from which on a cycle in float32 finds its constants.

A constant c has the energy c² Σ excess, and what float32 rounds off it, ε c in every cell, up to ε² c² Σ weights. Where
that is as much, CG needs hundreds of iterations; ten times below this number it needs half as many again.
"""

BESIDE = 1e-2
"""Excess over the weights of a cell up to which the cycle may leave it out; more shapes what is not constant, too."""


class Constants:
    """Constants on each connected part of a grid's cells that a cycle in float32 cannot find: null vectors c of A where
    the part has no excess, and nearly so where its excess is tiny.

    M is then C r + B r, with B a cycle for A without the excess of these parts, between fields without mean, and
    C r = Σ c (cᵀr / cᵀA c), where cᵀA c = Σ excess is above rounding in float64. Parts are found and kept as runs of
    coupled cells along the last axis.

    Args:
        weights: couplings with the next cell of each axis, ``(n0, n1)`` or ``(n0, n1, n2)``; last slices wrap around.
        excess: row sums, same shape, ≥ 0.
        largest: no weight is above it.

    Attributes:
        count: number of such parts; a cell without any coupling is none.
        energies: cᵀA c of each part, ``(count,)``, 0 where c is a null vector.
        excess: row sums for B, the array that was given where they are the same.
    """

    def __init__(self, weights: list[Floats], excess: Floats, largest: float) -> None:
        row = excess.shape[-1]
        rows = [np.ascontiguousarray(weight).reshape(-1, row) for weight in weights]
        steps = tuple(int(np.prod(excess.shape[axis + 1 : -1])) for axis in range(excess.ndim - 1))
        lengths = excess.shape[:-1]
        first, last, begin = runs_of_rows(rows[-1], tuple(rows[:-1]), steps, lengths)
        root = np.arange(first.size, dtype=np.int32)
        for weight, step, length in zip(rows[:-1], steps, lengths, strict=True):
            link_rows(weight, step, length, first, last, begin, root)
        flat = np.ascontiguousarray(excess).reshape(-1)
        enough = HELD * largest * excess.ndim * excess.size  # whatever the weights
        sums = excess_of_runs(flat, rows[-1], first, last, begin, root, enough)
        held, label = sums > enough, np.empty(first.size, np.int32)
        self.cells, self.excess = excess.size, excess
        self._keep(first, last, label, int(part_numbers(root, held, label)))
        self.energies = np.zeros(self.count)
        if sums[~held].any():
            held[np.flatnonzero((root == np.arange(root.size)) & ~held)] = self._holds(weights, excess)
            energies = self.energies[~held[(root == np.arange(root.size)) & (label >= 0)]]
            self._keep(first, last, label, int(part_numbers(root, held, label)))
            self.energies = energies
            self.excess = np.where(self.labels.reshape(excess.shape) < 0, excess, 0.0)

    def _keep(self, first: Ints, last: Ints, label: Ints, count: int) -> None:
        free = label >= 0
        self.count, self._runs = count, (first[free], last[free], label[free])
        self._sizes = np.bincount(label[free], weights=(last - first)[free], minlength=count)

    def _holds(self, weights: list[Floats], excess: Floats) -> NDArray[np.bool_]:
        """Whether excess holds the constants of each part well enough for the cycle; sets their energies."""
        part = self.labels
        inside = np.flatnonzero(part >= 0)
        part, flat = part[inside], excess.reshape(-1)[inside]
        both = [weight + np.roll(weight, 1, axis) for axis, weight in enumerate(weights)]
        around = np.add.reduce(both).reshape(-1)[inside]
        energies = np.bincount(part, flat, self.count)
        total = 0.5 * np.bincount(part, around, self.count)
        large = np.bincount(part, flat > BESIDE * around, self.count) > 0
        self.energies = np.where(energies > np.finfo(np.float64).eps * total, energies, 0.0)
        return (energies > HELD * total) | large

    @property
    def labels(self) -> Ints:
        """Number of the part that each cell is in, −1 for others, flat."""
        first, last, label = self._runs
        change = np.zeros(self.cells + 1, np.int32)
        change[first] += label + 1
        change[last] -= label + 1
        return np.cumsum(change[:-1], dtype=np.int32) - 1

    def taken_out(self, r: Floats) -> tuple[Floats, NDArray[np.float64]]:
        """r without its mean on each part, flat ``(n,)``, r itself where there is none; and the constants of C r."""
        if self.count == 0:
            return r, self.energies
        sums = self._sums(r)
        found = np.divide(sums, self.energies, out=np.zeros_like(sums), where=self.energies > 0.0)
        return self._less(r.copy(), sums / self._sizes), found

    def put_in(self, z: Floats, constants: NDArray[np.float64]) -> Floats:
        """z, flat ``(n,)``, with these constants in place of its mean on each part; written into z."""
        return z if self.count == 0 else self._less(z, self._sums(z) / self._sizes - constants)

    def _sums(self, r: Floats) -> NDArray[np.float64]:
        runs, length = self._runs[0].size, self.cells // self._runs[0].size
        return np.sum(in_slabs(sums_of_parts, runs, length, r, *self._runs, self.count), axis=0)

    def _less(self, r: Floats, constants: NDArray[np.float64]) -> Floats:
        runs, length = self._runs[0].size, self.cells // self._runs[0].size
        in_slabs(subtract, runs, length, r, *self._runs, constants)
        return r


def size_of(r: Floats) -> float:
    """Σ |r|, of the order of the largest entry or above it; NaN or Inf when r holds one."""
    return float(sum(in_slabs(absolute_sum, r.size, 1, r)))
