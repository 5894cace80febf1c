"""The 3-point stencil of −d²/dx² on one uniform axis: its action, eigenvalues, diagonal and matrix."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import scipy.sparse as sp
import torch
from torch import Tensor

Kind: TypeAlias = Literal["periodic", "dirichlet", "neumann"]
"""What closes an axis of length L, and which nodes are unknowns.

"periodic": n nodes, h = L/n. "dirichlet": the n interior nodes, h = L/(n+1). "neumann": all n nodes with both ends,
h = L/(n−1), and the mirrored ghost node u₋₁ = u₁.
"""

KINDS: tuple[Kind, ...] = ("periodic", "dirichlet", "neumann")


def minus_second_difference(u: Tensor, axis: int, kind: Kind, h: float) -> Tensor:
    """(2 u_j − u_{j−1} − u_{j+1}) / h² along ``axis``, same shape as u."""
    n = u.shape[axis]
    if kind == "periodic":
        return (2.0 * u - u.roll(1, axis) - u.roll(-1, axis)) / h**2
    if kind == "dirichlet":
        before = after = torch.zeros_like(u.narrow(axis, 0, 1))
    else:
        before, after = u.narrow(axis, 1, 1), u.narrow(axis, n - 2, 1)
    left = torch.cat([before, u.narrow(axis, 0, n - 1)], dim=axis)
    right = torch.cat([u.narrow(axis, 1, n - 1), after], dim=axis)
    return (2.0 * u - left - right) / h**2


def axis_eigenvalues(n: int, h: float, kind: Kind, *, spectral: bool = False) -> Tensor:
    """Eigenvalues ``(n,)`` in the order of the axis' transform: (2 − 2 cos θ_k) / h², or k² when ``spectral``.

    θ_k is 2πk/n (periodic), π(k+1)/(n+1) (Dirichlet) or πk/(n−1) (Neumann).
    """
    k = torch.arange(n, dtype=torch.float64)
    if kind == "periodic":
        angle = 2.0 * math.pi * torch.fft.fftfreq(n, dtype=torch.float64)
        if spectral:
            return (angle / h) ** 2
    elif kind == "dirichlet":
        angle = math.pi * (k + 1.0) / (n + 1.0)
    else:
        angle = math.pi * k / (n - 1.0)
    # 4 sin²(θ/2) is 2 − 2 cos θ without cancellation, and exactly 0 at θ = 0.
    return (2.0 * torch.sin(angle / 2.0) / h) ** 2


def axis_matrix(n: int, h: float, kind: Kind) -> sp.csr_matrix:
    """The stencil as a matrix ``(n, n)``."""
    matrix = sp.lil_matrix((n, n))
    matrix.setdiag(2.0)
    if n > 1:
        matrix.setdiag(-1.0, 1)
        matrix.setdiag(-1.0, -1)
    if kind == "periodic":
        matrix[0, n - 1] -= 1.0
        matrix[n - 1, 0] -= 1.0
    elif kind == "neumann":
        matrix[0, 1] = -2.0
        matrix[n - 1, n - 2] = -2.0
    return sp.csr_matrix(matrix) / h**2


def trapezoid_weights(n: int, kind: Kind) -> Tensor:
    """w ``(n,)``: 1, and 1/2 at the ends of a Neumann axis. diag(w) times the stencil is symmetric."""
    w = torch.ones(n, dtype=torch.float64)
    if kind == "neumann":
        w[0] = w[-1] = 0.5
    return w
