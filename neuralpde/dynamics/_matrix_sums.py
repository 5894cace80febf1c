"""Jacobians of weak forms as sums of element matrices."""

from __future__ import annotations

import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.dynamics._moduli_rows import pair_blocks, pulled_back
from neuralpde.problems import Moduli
from neuralpde.representations import ElementMatrices, FiniteElementField, Parts, Tables


class MatrixSums:
    """A sparse matrix on a field's unknowns that element matrices are added to.

    Moduli are symmetric, and basis functions sum to one: the matrix of their gradients on the free unknowns is added
    up from pairs of nodes alone, see :class:`neuralpde.representations.PairSums`.

    Args:
        field: the finite elements.
        whole: between all unknowns, and not the free ones alone.
        dtype: of the matrix.
    """

    def __init__(self, field: FiniteElementField, whole: bool, dtype: torch.dtype) -> None:
        self.pattern, self.dtype = field.pattern if whole else field.free_pattern, dtype
        # index_add_ would add in any order on another device
        self.pairs = None if whole or field.device.type != "cpu" else field.free_pairs
        self._entries: Tensor | None = None
        self._pair_entries: Tensor | None = None
        self._made: dict[object, ElementMatrices] = {}

    def _matrices(self, key: object, table: Tables) -> ElementMatrices:
        """What the pieces under a key share."""
        if key not in self._made:
            self._made[key] = ElementMatrices(table.values[0], table.slopes[0])
        return self._made[key]

    @property
    def entries(self) -> Tensor:
        """Sums on the pattern."""
        if self._entries is None:
            self._entries = self.pattern.zeros(self.dtype)
        return self._entries

    def add_moduli(self, key: object, table: Tables, moduli: Moduli) -> None:
        """Add −∫ ∇φ_i A ∇φ_j."""
        made = self._matrices(key, table)
        if self.pairs is None:
            self.pattern.add(self.entries, made.of_rows(pulled_back(moduli, table)), table.elements)
            return
        if self._pair_entries is None:
            self._pair_entries = self.pairs.zeros(self.dtype)
        self.pairs.add(self._pair_entries, pair_blocks(moduli, table, made), table.elements)

    def add_parts(self, key: object, table: Tables, parts: Parts) -> None:
        """Add ∫ (φ_i, ∇φ_i)ᵀ S (φ_j, ∇φ_j) of the parts of S."""
        if parts:
            matrices = self._matrices(key, table)(parts, table.weights, table.inverse)
            self.pattern.add(self.entries, matrices, table.elements)

    def finished(self) -> sp.csr_matrix | sp.bsr_matrix:
        """The matrix."""
        if self.pairs is None or self._pair_entries is None:
            return self.pattern.finished(self.entries)
        matrix = self.pairs.finished(self._pair_entries)
        return matrix if self._entries is None else matrix + self.pattern.finished(self._entries)
