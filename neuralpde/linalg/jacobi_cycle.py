"""V- and W-cycles with damped Jacobi sweeps: nothing but sparse products, on all threads of torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuralpde.linalg.multigrid_cycle import cast, dense_inverse
from neuralpde.linalg.sparse import product_with

POWERS, MARGIN = 12, 1.1
"""Power iterations that find the largest eigenvalue of D⁻¹A, from below, and what is added for that."""

LOWEST = 0.3
"""Share of the largest eigenvalue from which on a sweep is to damp errors; those below are for coarser levels."""

Product = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Level:
    """A, ω D⁻¹ and the way to the next level, as products with them."""

    matrix: Product
    damping: Product
    prolongation: Product
    restriction: Product


class JacobiCycle:
    """r → one cycle from x = 0, with a sweep x ← x + ω D⁻¹ (b − A x) before and after each coarse correction.

    D is the diagonal of A, or its diagonal blocks. With the eigenvalues of D⁻¹A up to λ, ω = 2/(λ + 0.3 λ) damps errors
    with eigenvalues from 0.3 λ on to 0.54 or less, the Chebyshev polynomial of degree 1 on [0.3 λ, λ], and is well
    below 2/λ, so that the cycle of a positive definite A is positive definite too. The first sweep, from zero, needs no
    product with A, so that a cycle reads A twice. Polynomials of degree 2 save a tenth of the iterations of CG and read
    A four times; sweeps of Gauss and Seidel cannot use several threads.

    Args:
        levels: of PyAMG's, finest first, of a symmetric matrix.
        cycle: ``"V"`` or ``"W"``.
        dtype: of all work, as in :class:`GaussSeidelCycle`.

    Source: Saad, Iterative Methods for Sparse Linear Systems (2003), section 12.3.2; Briggs, Henson and McCormick, A
    Multigrid Tutorial (2000), chapter 2.
    """

    def __init__(self, levels: list[Any], cycle: str, dtype: type[np.floating[Any]] = np.float64) -> None:
        self.visits = {"V": 1, "W": 2}[cycle]
        self.dtype = torch.float32 if dtype is np.float32 else torch.float64
        self.levels = [_level(level, dtype) for level in levels[:-1]]
        self._coarsest = torch.from_numpy(dense_inverse(levels[-1].A.toarray()).astype(dtype))

    def __call__(self, r: NDArray[np.float64]) -> NDArray[np.float64]:
        largest = float(np.abs(r).max(initial=0.0))
        if largest == 0.0 or not np.isfinite(largest):
            return np.zeros_like(r) if largest == 0.0 else np.full_like(r, np.nan)
        scaled = torch.from_numpy(r / largest).to(self.dtype)
        return largest * self._cycle(0, scaled).double().numpy()

    def _cycle(self, number: int, b: Tensor) -> Tensor:
        if number == len(self.levels):
            return self._coarsest @ b
        level = self.levels[number]
        x = level.damping(b)
        coarse = level.restriction(b - level.matrix(x))
        correction = self._cycle(number + 1, coarse)
        if number + 1 < len(self.levels):
            for _ in range(1, self.visits):
                left = coarse - self.levels[number + 1].matrix(correction)
                correction = correction + self._cycle(number + 1, left)
        x = x + level.prolongation(correction)
        return x + level.damping(b - level.matrix(x))


def _level(level: Any, dtype: type[np.floating[Any]]) -> Level:
    inverse, matrix = _block_inverses(level.A), product_with(cast(level.A, dtype))
    largest = MARGIN * _largest(matrix, product_with(cast(inverse, dtype)), level.A.shape[0], dtype)
    inverse.data *= 2.0 / ((1.0 + LOWEST) * largest)
    ways = (product_with(cast(level.P, dtype)), product_with(cast(level.R, dtype)))
    return Level(matrix, product_with(cast(inverse, dtype)), *ways)


def _block_inverses(a: sp.csr_matrix | sp.bsr_matrix) -> sp.csr_matrix | sp.bsr_matrix:
    """D⁻¹."""
    from pyamg.util.utils import get_block_diag

    if a.format != "bsr" or a.blocksize == (1, 1):
        return sp.diags(1.0 / a.diagonal(), format="csr")
    blocks = get_block_diag(a, blocksize=a.blocksize[0], inv_flag=True)
    count = np.arange(len(blocks) + 1, dtype=np.int32)
    return sp.bsr_matrix((blocks, count[:-1], count), shape=a.shape)


def _largest(matrix: Product, inverse: Product, size: int, dtype: type[np.floating[Any]]) -> float:
    """The largest eigenvalue of D⁻¹A, a little less."""
    x = torch.from_numpy(np.random.default_rng(0).uniform(-1.0, 1.0, size).astype(dtype))
    length = 1.0
    for _ in range(POWERS):
        x = inverse(matrix(x / x.norm()))
        length = float(x.norm())
    return length
