"""Constants of connected components that a matrix annihilates, and what they forbid a right-hand side to hold."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from neuralpde.linalg._stencil_matrix import face_matrix
from neuralpde.linalg.matrix import MatrixOperator
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.stencil_operator import StencilOperator

_ROUNDED = 32.0


class NullConstants:
    """The components c of A whose constant 1_c has Aᵀ 1_c = 0 to rounding, as those of pure Neumann problems have.

    Then no A x has a mean on c, and what b has there no x can reach. Components are found among stored entries and on
    grids; of a function all unknowns are taken for one.

    Args:
        labels: number of the component of each unknown, ``(n,)``; −1 where 1_c is none.
        held: mean of Aᵀ 1_c on each component, ``(components,)``: not always quite zero.

    Example:
        >>> A = MatrixOperator([[1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
        >>> null = null_constants(A, (lambda: 3.0, lambda: False))
        >>> null.means(torch.tensor([1.0, 3.0, 5.0], dtype=torch.float64)).tolist()
        [2.0, 2.0, 0.0]
    """

    def __init__(self, labels: Tensor, held: Tensor) -> None:
        self.held = held
        self._place = labels + 1
        self._counts = torch.bincount(self._place, minlength=len(held) + 1).to(torch.float64).clamp(min=1.0)

    def means(self, b: Tensor, largest: float = 0.0) -> Tensor:
        """The mean of b ``(n,)`` on each component, ``(n,)`` again; 0 elsewhere.

        Args:
            largest: means m count where m / ``held``, the constant that A takes to them, is larger than this.
        """
        sums = torch.zeros_like(self._counts).index_add_(0, self._place, b)
        means = sums / self._counts
        means[1:] *= (self.held == 0.0) | (means[1:].abs() > largest * self.held.abs())
        means[0] = 0.0
        return means[self._place]


def null_constants(A: LinearOperator, facts: tuple[Callable[[], float], Callable[[], bool]]) -> NullConstants | None:
    """Those of A ``(n, n)``, or ``None`` where there are none.

    Args:
        A: the operator.
        facts: functions that measure ‖A‖ and whether A ≠ Aᵀ, called where no entries tell.

    Raises:
        UsageError: when A is not symmetric and has no transpose.
    """
    sums, sizes = _column_sums(A, *facts)
    small = sums.abs() <= _ROUNDED * torch.finfo(torch.float64).eps * sizes
    if not bool(small.any()):
        return None
    count, found = _components(A)
    labels = torch.from_numpy(found).to(A.device, torch.int64)
    held = torch.zeros(count, dtype=torch.bool, device=A.device)
    held[labels[~small]] = True
    numbers = torch.where(held, -1, (~held).cumsum(0) - 1)
    labels = numbers[labels]
    free = int((~held).sum())
    if free == 0:
        return None
    null = NullConstants(labels, torch.zeros(free, dtype=torch.float64, device=A.device))
    null.held = torch.zeros_like(null._counts).index_add_(0, null._place, sums)[1:] / null._counts[1:]
    return null


def _column_sums(A: LinearOperator, norm: Callable[[], float], asymmetric: Callable[[], bool]) -> tuple[Tensor, Tensor]:
    """Aᵀ 1, and the size of what was added up for each entry."""
    if isinstance(A, StencilOperator):
        return A.excess.detach().reshape(-1), A.diagonal().detach().abs() * 2.0
    if isinstance(A, MatrixOperator) and not A.is_sparse:
        matrix = A.matrix.detach()
        return matrix.sum(dim=0, dtype=torch.float64), matrix.abs().sum(dim=0, dtype=torch.float64)
    if isinstance(A, MatrixOperator):
        csr = A.to_csr()
        sums, sizes = (torch.from_numpy(m.T @ np.ones(m.shape[0])).to(A.device) for m in (csr, abs(csr)))
        return sums, sizes
    ones = torch.ones(A.shape[0], dtype=torch.float64, device=A.device)
    sums = (A.rmatvec(ones) if not A.symmetric and asymmetric() else A.matvec(ones)).to(torch.float64)
    return sums, norm() * ones


def _components(A: LinearOperator) -> tuple[int, np.ndarray]:
    if not isinstance(A, StencilOperator | MatrixOperator):
        return 1, np.zeros(A.shape[0], dtype=np.int32)
    count, labels = connected_components(_graph(A), directed=False)
    return count, labels


def _graph(A: StencilOperator | MatrixOperator) -> sp.spmatrix:
    if isinstance(A, MatrixOperator):
        csr = A.to_csr()
        if not csr.data.all():  # a stored zero would join what it does not
            csr = csr.copy()
            csr.eliminate_zeros()
        return csr
    return face_matrix([weight.detach().cpu().numpy() for weight in A.weights], A.excess.detach().cpu().numpy())
