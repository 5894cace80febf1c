"""Flows around solids on staggered grids: linear systems of cut cells, and the force on the body."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu
from torch import Tensor

from neuralpde.linalg import AlgebraicMultigrid, Jacobi, MatrixOperator, solve_linear
from neuralpde.representations import MacGrid
from neuralpde.types import raise_for

if TYPE_CHECKING:
    from neuralpde.dynamics._mac import MacDynamics

_RTOL, _ACCEPTED = 1e-13, 1e-10
"""What solves aim at, and the relative residual that will do where rounding does not let them get there."""

_DIRECT_CELLS = 400_000
"""Largest 2D grid whose pressure matrix is factorised: there a substitution costs less than two V-cycles. In 3D factors
fill in too much."""


class CutPoisson:
    """−D A G p = b in the cells that the solid leaves open; p = 0 in the others.

    Factorised once by sparse LU in 2D, else conjugate gradients with algebraic multigrid built once. Where a pool of
    cells has no open end b's mean over it is left out (see :class:`Balance`), and p has mean 0 there.

    Args:
        grid: with a solid.
    """

    def __init__(self, grid: MacGrid) -> None:
        assert grid.cut is not None
        self.grid = grid
        matrix = grid.cut.pressure_matrix()
        self.open = np.flatnonzero(matrix.diagonal() > 0)
        matrix = sp.csr_matrix(matrix[self.open][:, self.open])
        count, self.pool = connected_components(matrix, directed=False)
        loss = np.bincount(self.pool, np.asarray(matrix.sum(axis=1)).ravel(), count)
        self.floating = loss <= 1e-10 * np.bincount(self.pool, matrix.diagonal(), count)
        self.sizes = np.bincount(self.pool, minlength=count)
        self._direct = self._factors(matrix) if grid.dim == 2 and matrix.shape[0] <= _DIRECT_CELLS else None
        self.matrix = MatrixOperator(matrix, symmetric=True, positive_definite=True)
        self.cycle = None if self._direct else AlgebraicMultigrid().build(self.matrix)

    def _factors(self, matrix: sp.csr_matrix) -> Callable[[np.ndarray], np.ndarray]:
        """LU factors; each floating pool is held at its first cell, which changes its solution by a constant."""
        first = np.unique(self.pool, return_index=True)[1][self.floating]
        held = np.zeros(matrix.shape[0])
        held[first] = matrix.diagonal()[first]
        options = {"SymmetricMode": True}
        factors = splu((matrix + sp.diags(held)).tocsc(), "MMD_AT_PLUS_A", 0.0, options=options)
        return factors.solve  # type: ignore[no-any-return]

    def pools(self) -> Tensor:
        """Per cell the number of its pool of connected cells where that has no open end, else −1, ``(cells,)``. Cells
        open to the boundary only are pools of their own: what flows into them through the boundary cannot flow on."""
        label = np.full(math.prod(self.grid.cells), -1)
        number = np.where(self.floating, np.cumsum(self.floating) - 1, -1)
        label[self.open] = number[self.pool]
        closed = self.grid.pressure.closed
        assert closed is not None
        alone = ~closed.cpu().numpy().reshape(-1)
        alone[self.open] = False
        label[alone] = int(self.floating.sum()) + np.arange(int(alone.sum()))
        return torch.from_numpy(label)

    def _centred(self, b: np.ndarray) -> np.ndarray:
        """b less its mean over each floating pool."""
        if not self.floating.any():
            return b
        means = np.bincount(self.pool, b, self.sizes.size) / self.sizes * self.floating
        return b - means[self.pool]

    def solve(self, b: Tensor) -> Tensor:
        """p ``(…, *cells)`` of b ``(…, *cells)``."""
        d = self.grid.dim
        rows = b.detach().cpu().double().reshape(-1, math.prod(b.shape[b.ndim - d :])).numpy()
        out = np.zeros_like(rows)
        for row, p in zip(rows, out, strict=True):
            p[self.open] = self._centred(self._solve(self._centred(row[self.open])))
        return torch.from_numpy(out).to(b).reshape(b.shape)

    def _solve(self, b: np.ndarray) -> np.ndarray:
        if not np.isfinite(b).all():
            return np.full_like(b, np.nan)  # the step reports it
        if self._direct is not None:
            return self._direct(b)
        return _iterated(self.matrix, b, self.cycle)


class CutDiffusion:
    """(A − β A Δ_h) u = A f for one component on its open free faces, by conjugate gradients with Jacobi.

    Args:
        grid: with a solid.
        i: the component.
    """

    def __init__(self, grid: MacGrid, i: int) -> None:
        assert grid.cut is not None
        v = grid.velocity
        free = torch.zeros(v.shapes[i], dtype=torch.bool)
        free[v.free[i]] = True
        chosen = np.flatnonzero((free & grid.cut.live[i].cpu()).reshape(-1).numpy())
        self.viscous = sp.csr_matrix(grid.cut.viscous_matrix(i)[chosen][:, chosen])
        self.area = grid.cut.areas[i].cpu().reshape(-1).numpy()[chosen]
        self.live = grid.cut.live[i][v.free[i]].reshape(-1).cpu().numpy()
        self._kept: tuple[float, MatrixOperator] | None = None

    def _matrix(self, beta: float) -> MatrixOperator:
        """A + β K, kept for the next step."""
        if self._kept is None or self._kept[0] != beta:
            matrix = sp.diags(self.area) + beta * self.viscous
            self._kept = (beta, MatrixOperator(matrix, symmetric=True, positive_definite=True))
        return self._kept[1]

    def solve(self, f: Tensor, beta: float) -> Tensor:
        """u ``(…, n_i)`` of f ``(…, n_i)`` on all free faces; 0 on closed ones."""
        rows = f.detach().cpu().double().reshape(-1, f.shape[-1]).numpy()
        out = np.zeros_like(rows)
        matrix = self._matrix(beta)
        for row, u in zip(rows, out, strict=True):
            b = row[self.live]
            u[self.live] = _iterated(matrix, self.area * b, Jacobi(), b) if np.isfinite(b).all() else np.nan
        return torch.from_numpy(out).to(f).reshape(f.shape)


def _iterated(matrix: MatrixOperator, b: np.ndarray, M: Any, guess: np.ndarray | None = None) -> np.ndarray:
    """A⁻¹ b by conjugate gradients.

    Raises:
        NotConvergedError: where the residual stays above 1e-10 of b.
    """
    solution = solve_linear(matrix, b, M=M, x0=guess, rtol=_RTOL, raise_on_failure=False)
    if not solution.residual <= _ACCEPTED:
        raise_for(solution.status, f"the linear system of a flow with a solid (n = {b.size})", solution)
    return solution.x.numpy()


def body_force(dynamics: MacDynamics, t: float, theta: Tensor) -> Tensor:
    """What the fluid does to the solid, pressure and friction, ``(…, d)``: force per density (and per depth in 2D).

    The exact balance of momentum of the discrete equations: what the open volumes lose and no neighbour gains,

        F_i = h₁…h_d ( −Σ_cells p (A₊ − A₋)/h + Σ_faces ν R u + Σ_closed faces (inflow of momentum) ),

    the last the little that fluxes through cut surfaces carry into closed volumes.

    Args:
        dynamics: of a flow with a solid.
        t: time.
        theta: state ``(…, p)`` with its own pressure: as steps of IncrementalPressureCorrection leave it (the pressure
            is that of the middle of the step), or after ``dynamics.complete``.
    """
    r, nu = dynamics.representation, dynamics.problem.viscosity
    cut = r.cut
    assert cut is not None
    u, volume = dynamics.faces(theta, t), math.prod(r.spacing)
    pressure = cut.wall(r.pressure.array(r.split(theta)["pressure"]))
    carried = r.outflow_of_momentum(u, t)
    out = []
    for i in range(r.dim):
        lost = (nu * cut.exchange(u[i], i, t) - carried[i]) * ~cut.live[i]
        rubbed = nu * cut.friction[i] * u[i]
        out.append(volume * ((lost + rubbed).flatten(-r.dim).sum(-1) - pressure[i]))
    return torch.stack(out, dim=-1)
