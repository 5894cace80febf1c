"""Connected parts of a grid, and the constants of those that nothing holds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuralpde.linalg.jit import compiled

Floats = NDArray[np.floating[Any]]


class Constants:
    """The null space of a grid's operator: constants on each connected part without excess.

    Args:
        weights: couplings with the next cell of each axis, ``(n0, n1)`` or ``(n0, n1, n2)``; last slices wrap around.
        excess: row sums, same shape.

    Attributes:
        count: number of such parts; a cell without any coupling is none.
    """

    def __init__(self, weights: list[Floats], excess: Floats) -> None:
        root = np.arange(excess.size, dtype=np.int32)
        linked = np.zeros(excess.size, dtype=np.bool_)
        for axis, weight in enumerate(weights):
            _unite(_three_axes(weight, axis), root, linked)
        label = np.empty(excess.size, dtype=np.int32)
        self.count = int(_number_parts(root, linked, excess.reshape(-1), label))
        self._label = label
        self._sizes = np.bincount(label + 1, minlength=self.count + 1)[1:].astype(np.float64)

    def remove(self, r: Floats) -> Floats:
        """r without its mean on each part, flat ``(n,)``; r itself where there is none."""
        if self.count == 0:
            return r
        out = np.empty_like(r)
        _without_means(r, self._label, self._sizes, out)
        return out


def _three_axes(weight: Floats, axis: int) -> Floats:
    """A view (before, along, after) around one axis."""
    shape = weight.shape
    before, after = int(np.prod(shape[:axis])), int(np.prod(shape[axis + 1 :]))
    return weight.reshape(before, shape[axis], after)


@compiled
def _root(root, i):  # type: ignore[no-untyped-def]
    while root[i] != i:
        root[i] = root[root[i]]
        i = root[i]
    return i


@compiled
def _unite(weight, root, linked):  # type: ignore[no-untyped-def]
    before, along, after = weight.shape
    for a in range(before):
        for k in range(along):
            for c in range(after):
                if weight[a, k, c] == 0.0:
                    continue
                i, j = (a * along + k) * after + c, (a * along + (k + 1) % along) * after + c
                linked[i], linked[j] = True, True
                if root[i] == root[j]:
                    continue
                p, q = _root(root, i), _root(root, j)
                if p < q:
                    root[q] = p
                elif q < p:
                    root[p] = q


@compiled
def _number_parts(root, linked, excess, label):  # type: ignore[no-untyped-def]
    """Number the parts without excess from 0; −1 elsewhere."""
    held = np.zeros(root.size, dtype=np.bool_)
    for i in range(root.size):
        if excess[i] != 0.0:
            held[_root(root, i)] = True
    count = 0
    for i in range(root.size):
        label[i] = -1
        p = _root(root, i)  # the first cell of its part, numbered before
        if linked[i] and not held[p]:
            if p == i:
                label[i] = count
                count += 1
            else:
                label[i] = label[p]
    return count


@compiled
def _without_means(r, label, sizes, out):  # type: ignore[no-untyped-def]
    means = np.zeros(sizes.size)
    for i in range(r.size):
        if label[i] >= 0:
            means[label[i]] += r[i]
    means /= sizes
    for i in range(r.size):
        out[i] = r[i] - means[label[i]] if label[i] >= 0 else r[i]


def size_of(r: Floats) -> float:
    """Σ |r|, of the order of the largest entry or above it; NaN or Inf when r holds one."""
    return float(_absolute_sum(r))


@compiled
def _absolute_sum(r):  # type: ignore[no-untyped-def]
    total = 0.0
    for i in range(r.size):
        total += abs(r[i])
    return total
