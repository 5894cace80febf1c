"""Sparse matrices from element matrices, on a pattern that is found once."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

CHUNK = 1 << 14
"""Elements whose pairs of nodes are looked at together: what that takes stays in the cache."""

Ints = NDArray[np.int32]


class SparsePattern:
    """Where the entries of element matrices go in a global sparse matrix of c × c blocks.

    Every node of an element is coupled to every other. The places of all entries are found once; a matrix is then one
    scatter-add, the same to the last bit whenever it is made, and into however many parts its elements are cut.

    Args:
        dofs: global numbers of the nodes of every element, ``(e, k)``; negative ones are left out of the matrix.
        size: number of nodes N.
        channels: c, unknowns at each node.
    """

    def __init__(self, dofs: Tensor, size: int, channels: int = 1) -> None:
        self.dofs, self.size, self.channels = dofs, size, channels

    @cached_property
    def _numbers(self) -> Ints:
        return self.dofs.cpu().numpy().astype(np.int32)

    @cached_property
    def _found(self) -> tuple[Ints, Ints, Tensor]:
        """Row pointers, columns, and the place of every entry ``(e, k k)`` (behind the last one what is left out)."""
        n = self.size
        # elements in the order of their nodes share edges with those next to them
        order = np.argsort(self._numbers.min(1, initial=n), kind="stable")
        numbers = self._numbers[order]
        edges, local, owners = _edges(numbers, n)
        low, high = np.divmod(edges, n)
        below, above = np.bincount(high, minlength=n), np.bincount(low, minlength=n)
        pointers = np.concatenate([[0], np.cumsum(below + above + 1)])
        middle = pointers[:-1] + below
        # edges are sorted by (low, high): those of a row follow each other
        up = middle[low] + 1 + np.arange(len(edges)) - (np.cumsum(above) - above)[low]
        by_high = np.argsort(high, kind="stable")
        down = np.empty(len(edges), dtype=np.int64)
        down[by_high] = pointers[high[by_high]] + np.arange(len(edges)) - (np.cumsum(below) - below)[high[by_high]]
        columns = np.empty(pointers[-1], dtype=np.int32)
        columns[middle], columns[up], columns[down] = np.arange(n), high, low
        outside = np.int32(pointers[-1])
        both = [np.append(a, outside).astype(np.int32) for a in (up, down, middle)]
        places = _places(numbers, local, owners, order, both)
        return pointers.astype(np.int32), columns, torch.from_numpy(places).to(self.dofs.device)

    def zeros(self, dtype: torch.dtype) -> Tensor:
        """Entries of a matrix to add to, ``(c c, entries + 1)``; the last one takes what is left out."""
        pointers, _, places = self._found
        return torch.zeros(self.channels**2, int(pointers[-1]) + 1, dtype=dtype, device=places.device)

    def add(self, entries: Tensor, blocks: Tensor, elements: slice | Tensor) -> None:
        """Add element matrices ``(c, c, e, k k)`` of some elements."""
        places = self._found[2][elements].reshape(-1)
        for entry, block in zip(entries, blocks.detach().reshape(len(entries), -1), strict=True):
            if entry.is_cuda:  # index_add_ would add in any order there
                entry.index_put_((places.long(),), block, accumulate=True)
            else:
                entry.index_add_(0, places, block)

    def finished(self, entries: Tensor) -> sp.csr_matrix | sp.bsr_matrix:
        """The matrix ``(N c, N c)`` of entries: compressed rows, of c × c blocks where c > 1."""
        return self.of_blocks(np.ascontiguousarray(entries[:, :-1].cpu().numpy().T))

    def of_blocks(self, blocks: NDArray[np.floating[Any]]) -> sp.csr_matrix | sp.bsr_matrix:
        """The matrix of its blocks ``(entries, c c)``."""
        pointers, columns, _ = self._found
        c, n = self.channels, self.size * self.channels
        if c == 1:
            return sp.csr_matrix((blocks[:, 0], columns.copy(), pointers.copy()), shape=(n, n))
        return sp.bsr_matrix((blocks.reshape(-1, c, c), columns.copy(), pointers.copy()), shape=(n, n))

    def matrix(self, elements: Tensor) -> sp.csr_matrix:
        """Σ of element matrices ``(e, k c, k c)``, channels running fastest."""
        e, c, k = len(elements), self.channels, self.dofs.shape[1]
        entries = self.zeros(elements.dtype)
        self.add(entries, elements.reshape(e, k, c, k, c).permute(2, 4, 0, 1, 3).reshape(c, c, e, k * k), slice(None))
        return self.finished(entries).tocsr()


def _edges(numbers: Ints, n: int) -> tuple[NDArray[np.int64], Ints, list[NDArray[np.int64]]]:
    """Pairs (low, high) of nodes that share an element as sorted numbers low·n + high; the number of every pair of
    every element ``(e, k (k − 1)/2)`` among those of its chunk; and per chunk what these are among all pairs."""
    i, j = np.triu_indices(numbers.shape[1], 1)
    local = np.empty((len(numbers), len(i)), dtype=np.int32)
    own = []
    for start in range(0, len(numbers), CHUNK):
        part = numbers[start : start + CHUNK].astype(np.int64)
        a, b = part[:, i], part[:, j]
        keys = np.minimum(a, b) * n + np.maximum(a, b)
        keys[(a < 0) | (b < 0)] = n * n  # behind all others
        found, inverse = np.unique(keys, return_inverse=True)
        local[start : start + CHUNK] = inverse.reshape(keys.shape)
        own.append(found)
    if not own:
        return np.zeros(0, dtype=np.int64), local, []
    edges, inverse = np.unique(np.concatenate(own), return_inverse=True)
    edges = edges[edges < n * n]
    owners = np.split(inverse.reshape(-1), np.cumsum([len(found) for found in own])[:-1])
    return edges, local, owners


def _places(
    numbers: Ints, local: Ints, own: list[NDArray[np.int64]], order: NDArray[np.int64], found: list[Ints]
) -> Ints:
    """Place of every entry of every element, ``(e, k k)``; ``found`` holds those of edges upwards and downwards and of
    the diagonal, and at their ends that of what is left out. Row r of the numbers is of the element order[r]."""
    up, down, middle = found
    k = numbers.shape[1]
    i, j = np.triu_indices(k, 1)
    places = np.empty((len(numbers), k * k), dtype=np.int32)
    for number, edges in enumerate(own):
        part = slice(number * CHUNK, (number + 1) * CHUNK)
        nodes, edge = numbers[part], np.minimum(edges, len(up) - 1)[local[part]]
        rising = nodes[:, i] < nodes[:, j]
        high, low = up[edge], down[edge]
        out = np.empty((len(nodes), k * k), dtype=np.int32)
        out[:, i * k + j] = np.where(rising, high, low)
        out[:, j * k + i] = np.where(rising, low, high)
        out[:, :: k + 1] = middle[nodes]  # −1 is the last: what is left out
        places[order[part]] = out
    return places


def scatter(dofs: Tensor, elements: Tensor, size: int) -> Tensor:
    """Σ of element vectors ``(e, k, …)`` into ``(size, …)``."""
    out = elements.new_zeros(size, *elements.shape[2:])
    add(out, dofs, elements)
    return out


def add(total: Tensor, dofs: Tensor, elements: Tensor) -> None:
    """Add element vectors ``(e, k, …)`` to ``(size, …)``, always in the same order."""
    index, rows = dofs.reshape(-1), elements.reshape(-1, *elements.shape[2:])
    if total.is_cuda:
        total.index_put_((index,), rows, accumulate=True)
    elif total.numel() == len(total):
        total.view(-1).index_add_(0, index, rows.reshape(-1))
    else:
        total.index_add_(0, index, rows)
