"""The 3-point stencil of −d²/dx² on one uniform axis: its ends, action, eigenvalues, diagonal and matrix."""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import scipy.sparse as sp
import torch
from torch import Tensor

Kind: TypeAlias = Literal[
    "periodic",
    "dirichlet",
    "neumann",
    "neumann_cells",
    "dirichlet_cells",
    "neumann_dirichlet_cells",
    "dirichlet_neumann_cells",
    "dirichlet_neumann_faces",
    "neumann_dirichlet_faces",
]
"""What closes an axis of length L, and which points are the n unknowns.

Nodes. "periodic": x_j = j h, h = L/n. "dirichlet": the interior nodes, h = L/(n+1). "neumann": all nodes with both
ends, h = L/(n−1), and the mirrored ghost node u₋₁ = u₁.

Cells, x_j = (j+½) h, h = L/n, the wall half a cell outside. A zero slope there makes the ghost equal to the inner
value, u₋₁ = u₀; a zero value makes it u₋₁ = −u₀. "neumann_cells" and "dirichlet_cells" have the same at both ends,
"neumann_dirichlet_cells" and "dirichlet_neumann_cells" name the lower end first.

Faces normal to the axis, between a wall and a free outflow, h = L/n. "dirichlet_neumann_faces": x_j = (j+1) h, the wall
value u₋₁ = 0 at x = 0, and the slope 0 half a cell beyond the outflow face, u_n = u_{n−1}.
"neumann_dirichlet_faces" is its mirror image, x_j = j h. (Faces between two walls are "dirichlet" with n−1 unknowns.)
"""

GHOSTS: dict[Kind, tuple[tuple[float, int], tuple[float, int]]] = {
    "dirichlet": ((0.0, 0), (0.0, 0)),
    "neumann": ((1.0, 1), (1.0, 1)),
    "neumann_cells": ((1.0, 0), (1.0, 0)),
    "dirichlet_cells": ((-1.0, 0), (-1.0, 0)),
    "neumann_dirichlet_cells": ((1.0, 0), (-1.0, 0)),
    "dirichlet_neumann_cells": ((-1.0, 0), (1.0, 0)),
    "dirichlet_neumann_faces": ((0.0, 0), (1.0, 0)),
    "neumann_dirichlet_faces": ((1.0, 0), (0.0, 0)),
}
"""(c, i) at the lower and the upper end: the ghost value is c times the unknown i places inside that end."""

KINDS: tuple[Kind, ...] = ("periodic", *GHOSTS)


def minus_second_difference(u: Tensor, axis: int, kind: Kind, h: float) -> Tensor:
    """(2 u_j − u_{j−1} − u_{j+1}) / h² along ``axis``, same shape as u."""
    n = u.shape[axis]
    if kind == "periodic":
        return (2.0 * u - u.roll(1, axis) - u.roll(-1, axis)) / h**2
    (lower, i), (upper, j) = GHOSTS[kind]
    before, after = lower * u.narrow(axis, i, 1), upper * u.narrow(axis, n - 1 - j, 1)
    left = torch.cat([before, u.narrow(axis, 0, n - 1)], dim=axis)
    right = torch.cat([u.narrow(axis, 1, n - 1), after], dim=axis)
    return (2.0 * u - left - right) / h**2


def axis_eigenvalues(n: int, h: float, kind: Kind, *, spectral: bool = False) -> Tensor:
    """Eigenvalues ``(n,)`` in the order of the axis' transform: (2 − 2 cos θ_k) / h², or k² when ``spectral``.

    A wave of angle θ a node solves the stencil inside; its ends choose θ_k and the eigenvectors:

    ======================================  ======================  =====================
    kind                                    θ_k                     u_j
    ======================================  ======================  =====================
    periodic                                2πk / n                 e^{i θ_k j}
    dirichlet                               π(k+1) / (n+1)          sin θ_k (j+1)
    neumann                                 πk / (n−1)              cos θ_k j
    neumann_cells                           πk / n                  cos θ_k (j+½)
    dirichlet_cells                         π(k+1) / n              sin θ_k (j+½)
    neumann_dirichlet_cells                 π(k+½) / n              cos θ_k (j+½)
    dirichlet_neumann_cells                 π(k+½) / n              sin θ_k (j+½)
    dirichlet_neumann_faces (mirror image)  π(2k+1) / (2n+1)        sin θ_k (j+1)
    ======================================  ======================  =====================
    """
    k = torch.arange(n, dtype=torch.float64)
    if kind == "periodic":
        angle = 2.0 * math.pi * torch.fft.fftfreq(n, dtype=torch.float64)
        if spectral:
            return (angle / h) ** 2
    elif kind == "dirichlet":
        angle = math.pi * (k + 1.0) / (n + 1.0)
    elif kind == "neumann":
        angle = math.pi * k / (n - 1.0)
    elif kind.endswith("_faces"):
        angle = math.pi * (2.0 * k + 1.0) / (2.0 * n + 1.0)
    else:
        first = {"neumann_cells": 0.0, "dirichlet_cells": 1.0}.get(kind, 0.5)
        angle = math.pi * (k + first) / n
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
    else:
        (lower, i), (upper, j) = GHOSTS[kind]
        matrix[0, i] -= lower
        matrix[n - 1, n - 1 - j] -= upper
    return sp.csr_matrix(matrix) / h**2


def trapezoid_weights(n: int, kind: Kind) -> Tensor:
    """w ``(n,)``: 1, and 1/2 at the ends of a "neumann" axis. diag(w) times the stencil is symmetric."""
    w = torch.ones(n, dtype=torch.float64)
    if kind == "neumann":
        w[0] = w[-1] = 0.5
    return w
