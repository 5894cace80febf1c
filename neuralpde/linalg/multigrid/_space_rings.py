"""Periodic axes whose length does not halve often enough: rings made longer."""

from __future__ import annotations

import math

import numpy as np

from neuralpde.linalg.multigrid._space_layout import Floats, Triple

SHORT = 16
"""Cells per axis of the coarsest grid, about."""


class Rings:
    """The grid that the levels work on: periodic axes have planes added where they close.

    A ring must be halved as often as the other axes are. The j added planes lie between the last and the first plane:
    their links in series couple these as strongly as before, (j + 1) w each, and along the planes they are coupled as
    both of these are. With residuals 0 in the added planes, and corrections there forgotten, M stays symmetric and
    positive definite.

    Args:
        weights, excess: of the given grid.
    """

    def __init__(self, weights: list[Floats], excess: Floats) -> None:
        self.given: Triple = excess.shape
        closed = [bool(np.take(w, -1, axis).any()) for axis, w in enumerate(weights)]
        self.periodic = closed[0], closed[1], closed[2]
        halvings = max(0, math.ceil(math.log2(max(self.given) / SHORT)))
        # axes that couple strongly are halved more often, once for each factor of 4
        means = [float(w.mean()) for w in weights if w.any()] if any(closed) else []
        halvings += math.ceil(0.5 * math.log2(max(means) / min(means))) if means else 0
        lengths = (_length(n, halvings) if ring else n for n, ring in zip(self.given, closed, strict=True))
        first, second, third = lengths
        self.grid: Triple = (first, second, third)

    def extended(self, weights: list[Floats], excess: Floats) -> tuple[list[Floats], Floats]:
        """Weights and row sums of the longer grid."""
        for axis, (n, longer) in enumerate(zip(self.given, self.grid, strict=True)):
            extra = longer - n
            if extra:
                weights = [_longer(w, axis, extra, a == axis) for a, w in enumerate(weights)]
                planes = list(excess.shape)
                planes[axis] = extra
                excess = np.concatenate([excess, np.zeros(planes)], axis)
        return weights, excess

    def out_of(self, z: Floats) -> Floats:
        """The part of an array that belongs to the given grid. What is right of it stays zero in right-hand sides."""
        n0, n1, n2 = self.given
        return z[:n0, :n1, :n2]


def _length(n: int, halvings: int) -> int:
    """The least length ≥ n that halves that often, or down to two cells."""
    if n <= 2:
        return n
    step = 2**halvings
    return -(-n // step) * step if n >= 4 * step else 2 ** math.ceil(math.log2(n))


def _longer(w: Floats, axis: int, extra: int, along: bool) -> Floats:
    ends = np.take(w, [-1], axis)
    if along:
        links = np.repeat(ends * (extra + 1.0), extra + 1, axis)
        return np.concatenate([np.delete(w, -1, axis), links], axis)
    return np.concatenate([w, np.repeat(np.minimum(ends, np.take(w, [0], axis)), extra, axis)], axis)
