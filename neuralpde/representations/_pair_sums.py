"""Symmetric matrices of finite elements whose rows sum to zero: from pairs of different nodes alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import combinations_with_replacement

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.representations._assembly import CHUNK, SparsePattern, _edges

BLOCKS = 1 << 12
"""Blocks that are gathered together."""


class PairSums:
    """K_ij = Kᵀ_ji with Σ_j K_ij = 0 over all nodes j, from the element blocks K_ij with i < j.

    Basis functions sum to one, so that ∫ ∇φ_i S ∇φ_j with S symmetric is such a matrix. Its diagonal blocks are then
    minus the sums of the others in their rows, those of nodes that are held among them, and of the k² blocks of an
    element k (k − 1)/2 are made and added up: a third on linear tetrahedra.

    Args:
        pattern: of the matrix, on the free nodes.
        dofs: numbers among all nodes of the nodes of every element, ``(e, k)``.
        size: of all nodes.
    """

    def __init__(self, pattern: SparsePattern, dofs: Tensor, size: int) -> None:
        self.pattern, self.dofs, self.size = pattern, dofs, size

    @cached_property
    def _pairs(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Nodes low and high of every edge, and per pair of every element ``(k (k − 1)/2, e)`` its edge, its place in
        rows of blocks beside their transposes, and that of its own transpose."""
        numbers = self.dofs.cpu().numpy().astype(np.int32)
        i, j = np.triu_indices(numbers.shape[1], 1)
        edges, local, owners = _edges(numbers, self.size)
        found = np.empty_like(local)
        for number, own in enumerate(owners):
            part = slice(number * CHUNK, (number + 1) * CHUNK)
            found[part] = own[local[part]]
        falling = (numbers[:, i] > numbers[:, j]).astype(np.int32) * np.int32(len(edges))
        rows = [found, found + falling, found + np.int32(len(edges)) - falling]
        low, high = (torch.from_numpy(part) for part in np.divmod(edges, self.size))
        edge, placed, crossed = (torch.from_numpy(np.ascontiguousarray(row.T)) for row in rows)
        return low, high, edge, placed, crossed

    @cached_property
    def _sources(self) -> tuple[Tensor, Tensor, Tensor]:
        """For every block of the matrix the place of its entry in :meth:`zeros`: on, right of, and left of a block's
        own diagonal."""
        pointers, _, places = self.pattern._found
        low, _, edge, placed, _ = self._pairs
        m, k = len(low), self.dofs.shape[1]
        i, j = (torch.from_numpy(a) for a in np.triu_indices(k, 1))
        up, down, middle = places[:, i * k + j], places[:, j * k + i], places[:, :: k + 1]
        found = []
        for straight in (edge, placed, self._pairs[4]):
            across = edge if straight is edge else 2 * edge + m - straight
            out = torch.empty(int(pointers[-1]) + 1, dtype=torch.int32)
            out[up.long()], out[down.long()] = straight.T, across.T
            out[middle.long()] = (2 * m + self.dofs).int()
            found.append(out[:-1])
        return found[0], found[1], found[2]

    @cached_property
    def _buffers(self) -> dict[torch.dtype, Tensor]:
        """Sums by their type: pages that are asked of the system again and again would cost as much as the sums."""
        return {}

    def zeros(self, dtype: torch.dtype) -> Tensor:
        """Entries to add to, ``(c (c + 1)/2, 2 m + N)``: per place (a, b), a ≤ b, in a block those of m edges, of
        their transposes, and of N diagonal blocks. Valid until the next call."""
        c = self.pattern.channels
        if dtype not in self._buffers:
            self._buffers[dtype] = torch.empty(c * (c + 1) // 2, 2 * len(self._pairs[0]) + self.size, dtype=dtype)
        return self._buffers[dtype].zero_()

    def add(self, sums: Tensor, blocks: Tensor, elements: Tensor) -> None:
        """Add the blocks ``(c, c, k (k − 1)/2, e)`` of elements that follow each other."""
        part_of = slice(int(elements[0]), int(elements[-1]) + 1)
        edge, placed, crossed = (part[:, part_of].reshape(-1) for part in self._pairs[2:])
        for row, (a, b) in zip(sums, self._places(), strict=True):
            if a == b:
                row.index_add_(0, edge, blocks[a, a].reshape(-1))
            else:
                row.index_add_(0, placed, blocks[a, b].reshape(-1))
                row.index_add_(0, crossed, blocks[b, a].reshape(-1))

    def _places(self) -> Iterator[tuple[int, int]]:
        """Places in the upper triangle of a block."""
        return combinations_with_replacement(range(self.pattern.channels), 2)

    def finished(self, sums: Tensor) -> sp.csr_matrix | sp.bsr_matrix:
        """The matrix of the pattern."""
        low, high = self._pairs[:2]
        c, m = self.pattern.channels, len(low)
        for row, (a, b) in zip(sums, self._places(), strict=True):
            whole = -row[:m] if a == b else -0.5 * (row[:m] + row[m : 2 * m])
            row[2 * m :].index_add_(0, low, whole).index_add_(0, high, whole)
        return self.pattern.of_blocks(self._gathered(sums, c).numpy())

    def _gathered(self, sums: Tensor, c: int) -> Tensor:
        """All blocks, ``(n, c c)``, some at a time: rows that are in the cache become columns at little cost."""
        n = len(self._sources[0])
        out, rows = sums.new_empty(n, c * c), sums.new_empty(c * c, BLOCKS)
        for start in range(0, n, BLOCKS):
            part = slice(start, start + BLOCKS)
            on, right, left = (source[part] for source in self._sources)
            for row, (a, b) in zip(sums, self._places(), strict=True):
                torch.index_select(row, 0, on if a == b else right, out=rows[a * c + b, : len(on)])
                if a != b:
                    torch.index_select(row, 0, left, out=rows[b * c + a, : len(on)])
            out[part] = rows[:, : len(on)].T
        return out
