"""The last look at a residual that is near the rounding errors of A x."""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuralpde.linalg.matrix import MatrixOperator
from neuralpde.linalg.refinement import FLOOR, Refinement, System
from neuralpde.linalg.vectors import norm
from neuralpde.types import Status

_COUNTS = 1e-3
"""Rounding error of a residual, relative to it, from which on it is computed again."""


def prove(system: System, state: Refinement, b: Tensor, target: float) -> None:
    """Compute r = b − A x again with compensated sums where rounding errors may be a part of it, and judge by that.

    In float64 b − A x is off by about ε ‖A‖ ‖x‖. Where x is long, as that of a matrix near a singular one, this is of
    the order of the residual itself, and either side of the tolerance may be luck. Only matrices with entries can tell.

    Args:
        system, state: of the solve that ended.
        b: right-hand side ``(n,)``.
        target: ‖r‖ to come to.

    Source: Ogita, Rump and Oishi, Accurate sum and dot product, SIAM J. Sci. Comput. 26 (2005), algorithm Dot2.
    """
    A = system.A
    if not isinstance(A, MatrixOperator) or not 0.0 < state.size < math.inf:
        return
    entries = A.matrix.values() if A.is_sparse else A.matrix
    if not rounding_counts(entries.numel() / max(A.shape[0], 1), system.facts.largest, norm(state.x), state.size):
        return
    r = _compensated(A, state.x, b)
    size = norm(r)
    if not math.isfinite(size):  # splitting numbers near overflow overflows
        return
    state.history[-1] = size / norm(b)
    state.r, state.size = r, size
    if state.status.ok and size > target:
        state.status, state.notes = Status.STAGNATED, (*state.notes, FLOOR)
    elif state.status in (Status.STAGNATED, Status.MAXITER) and size <= target:
        state.status, state.notes = Status.CONVERGED_RTOL, tuple(note for note in state.notes if note != FLOOR)


def rounding_counts(row: float, largest: float, length: float, size: float) -> bool:
    """Whether rounding errors are a part of ‖b − A x‖ = ``size``; ``row`` entries a row up to ``largest``, ‖x‖ =
    ``length``."""
    return torch.finfo(torch.float64).eps * row * largest * length > _COUNTS * size


def compensated(csr: sp.csr_matrix, x: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """b − A x of compressed sparse rows, with the rounding errors of products and sums carried along."""
    from neuralpde.linalg import _residual_loops

    return np.asarray(_residual_loops.of_rows(csr.indptr, csr.indices, csr.data, x, b))


def _compensated(A: MatrixOperator, x: Tensor, b: Tensor) -> Tensor:
    from neuralpde.linalg import _residual_loops

    given, right = (v.detach().cpu().contiguous().numpy() for v in (x, b))
    if A.is_sparse:
        r = compensated(A.to_csr(), given, right)
    else:
        r = _residual_loops.of_entries(A.matrix.detach().cpu().numpy(), given, right)
    return torch.from_numpy(r).to(b.device)
