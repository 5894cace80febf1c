"""Which unknowns of a matrix make the levels of algebraic multigrid, and which of its parts are singular."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from neuralpde.linalg.checked import checked_csr, looks_symmetric, refuse_diagonal
from neuralpde.linalg.operators import LinearOperator

_SHIFT = 1e-8

_FAR = 20
"""Powers of 2 from 1 beyond which matrices are scaled: PyAMG has thresholds that are not relative, from 1e16 on."""


@dataclass(frozen=True)
class Parts:
    """A without the unknowns that it couples to no other.

    Args:
        matrix: A on the ``m`` others, times ``scale``, its singular parts shifted.
        coupled: their numbers, ``(m,)``.
        part: of each, the number of its connected part where that is singular, or −1, ``(m,)``.
        alone: 1/a_ii of unknowns without neighbours, 0 of empty rows and of all others, ``(n,)``.
        symmetric: whether A = Aᵀ.
        scale: a power of 2 that brings the entries of A, where they are all huge or all tiny, to about 1; else 1.
    """

    matrix: sp.csr_matrix
    coupled: NDArray[np.int64]
    part: NDArray[np.int64]
    alone: NDArray[np.float64]
    symmetric: bool
    scale: float = 1.0

    @property
    def singular(self) -> bool:
        return bool((self.part >= 0).any())

    @property
    def fits_single(self) -> bool:
        """Whether float32 can hold what a cycle meets: rounding errors grow with the root of the condition number."""
        if self.singular or not self.symmetric:
            return False
        diagonal = self.matrix.diagonal()
        low, high = float(diagonal.min()), float(diagonal.max())
        return low > 1e-20 * self.scale and high < 1e20 * self.scale and high < 1e6 * low


def parts_of(A: LinearOperator, whole: bool) -> Parts:
    """The parts of A.

    Args:
        A: shape ``(n, n)``.
        whole: keep unknowns without neighbours as well: blocks and given coarse spaces hold them.

    Raises:
        UsageError: when A is not square, holds NaN, or has a diagonal that is not positive where it couples unknowns.
    """
    csr = checked_csr(A, "algebraic multigrid")
    symmetric = looks_symmetric(A, csr)
    # strong parts of a symmetric matrix are its parts, and need no copy of its transpose
    count, label = connected_components(csr, directed=symmetric, connection="strong")
    diagonal = csr.diagonal()
    several = np.bincount(label, minlength=count)[label] > 1
    coupled = np.arange(csr.shape[0]) if whole else np.flatnonzero(several)
    refuse_diagonal(diagonal, coupled, "algebraic multigrid")
    # Unknowns with no neighbour stay out of the hierarchy: thousands of masked cells would fill its levels.
    alone = np.divide(1.0, diagonal, out=np.zeros_like(diagonal), where=diagonal != 0.0)
    alone[coupled] = 0.0
    singular = _singular(csr, label, count, A.dtype) if symmetric else np.zeros(count, dtype=bool)
    part = np.where(singular[label], label, -1)[coupled]
    inner = csr[coupled][:, coupled] if coupled.size < csr.shape[0] else csr
    # Without the shift the coarsest matrix is singular up to rounding, and its inverse is noise. A smaller one
    # leaves noise as well (with 1e-10 M is symmetric to 1e-8 only); a larger one slows the longest waves.
    if (part >= 0).any():
        inner = inner + sp.diags(np.where(part >= 0, _SHIFT * diagonal[coupled], 0.0))
    scale = _scale(diagonal[coupled])
    return Parts(inner if scale == 1.0 else scale * inner, coupled, part, alone, symmetric, scale)


def _scale(diagonal: NDArray[np.float64]) -> float:
    power = int(np.frexp(diagonal.max())[1]) if diagonal.size else 0
    return math.ldexp(1.0, min(-power, 1000)) if abs(power) > _FAR else 1.0


def _singular(csr: sp.csr_matrix, label: NDArray[np.int64], count: int, dtype: torch.dtype) -> NDArray[np.bool_]:
    """For each connected part: do its rows sum to 0, to rounding in the dtype that A came in?"""
    rounding = 64.0 * torch.finfo(dtype).eps
    sums = np.asarray(csr.sum(axis=1)).ravel()
    regular = np.abs(sums) > rounding * np.asarray(abs(csr).sum(axis=1)).ravel()
    return np.bincount(label, weights=regular, minlength=count) == 0.0
