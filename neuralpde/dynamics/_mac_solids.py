"""Flows around solids on staggered grids: linear systems of cut cells, and the force on the body."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from neuralpde.linalg import Direct, GeometricMultigrid, PreparedSolver, StencilOperator, prepare
from neuralpde.representations import MacGrid
from neuralpde.types import raise_for

if TYPE_CHECKING:
    from neuralpde.dynamics._mac import MacDynamics

_RTOL, _ACCEPTED = 1e-13, 1e-10
"""What solves aim at, and the relative residual that will do where rounding does not let them get there."""

_FACTORS_RTOL = 1e-11
"""What solves by factors aim at: one substitution leaves less, and a second one would take as long again."""

_DIRECT_CELLS = {2: 300_000, 3: 33_000}
"""Most open cells whose pressure matrix is factorised: up to there a substitution costs less than conjugate gradients
with multigrid, and the factors fit into 200 MB."""


class CutPoisson:
    """−D A G p = b in the cells that the solid leaves open; p = 0 in the others.

    Factorised once by sparse LU on small grids, else solved by conjugate gradients with geometric multigrid. Where a
    pool of cells has no open end b's mean over it is left out (see :class:`Balance`), and p has mean 0 there.

    Args:
        grid: with a solid.
    """

    def __init__(self, grid: MacGrid) -> None:
        assert grid.cut is not None
        self.grid = grid
        operator = grid.cut.pressure_operator()
        self.open = np.flatnonzero(operator.diagonal().numpy() > 0)
        rows = operator.to_csr()
        count, self.pool = connected_components(rows[self.open][:, self.open], directed=False)
        excess = operator.excess.numpy().reshape(-1)[self.open]
        loss, diagonal = (np.bincount(self.pool, part, count) for part in (excess, rows.diagonal()[self.open]))
        self.floating = loss <= 1e-10 * diagonal
        self.sizes = np.bincount(self.pool, minlength=count)
        direct = len(self.open) <= _DIRECT_CELLS[grid.dim]
        self.operator = self._regular(operator, held=direct)
        self.prepared = prepare(self.operator, M=Direct(limit=rows.shape[0]) if direct else GeometricMultigrid())
        self._rtol = _FACTORS_RTOL if direct else _RTOL

    def _regular(self, operator: StencilOperator, held: bool) -> StencilOperator:
        """With a diagonal in closed cells; where ``held`` each floating pool is fixed at its first cell,
        which changes its solution by a constant, else nothing holds it at all."""
        diagonal = operator.diagonal().numpy()
        excess = np.full_like(diagonal, diagonal.max())
        excess[self.open] = np.where(self.floating[self.pool], 0.0, operator.excess.numpy().reshape(-1)[self.open])
        if held:
            first = self.open[np.unique(self.pool, return_index=True)[1][self.floating]]
            excess[first] = diagonal[first]
        return StencilOperator(operator.weights, excess.reshape(operator.grid))

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
        """b of the open cells less its mean over each floating pool, in all cells; 0 in closed ones."""
        out, inside = np.zeros_like(b), b[self.open]
        if self.floating.any():
            means = np.bincount(self.pool, inside, self.sizes.size) / self.sizes * self.floating
            inside = inside - means[self.pool]
        out[self.open] = inside
        return out

    def solve(self, b: Tensor) -> Tensor:
        """p ``(…, *cells)`` of b ``(…, *cells)``."""
        rows = b.detach().cpu().double().reshape(-1, self.operator.shape[0]).numpy()
        out = np.empty_like(rows)
        for row, p in zip(rows, out, strict=True):
            p[:] = self._centred(_solved(self.prepared, self._centred(row), rtol=self._rtol))
        return torch.from_numpy(out).to(b).reshape(b.shape)


class CutDiffusion:
    """(A − β A Δ_h) u = A f for one component on its open free faces, by conjugate gradients.

    Args:
        grid: with a solid.
        i: the component.
    """

    def __init__(self, grid: MacGrid, i: int) -> None:
        assert grid.cut is not None
        v = grid.velocity
        free = torch.zeros(v.shapes[i], dtype=torch.bool)
        free[v.free[i]] = True
        live = grid.cut.live[i].cpu()
        self.free = torch.nonzero(free.reshape(-1))[:, 0].numpy()
        self.closed = ~live[v.free[i]].reshape(-1).numpy()
        self.viscous = restricted(grid.cut.viscous_operator(i), free & live)
        self.mass = torch.where(free & live, grid.cut.areas[i].cpu().double(), 1.0).reshape(-1)
        self._prepared: PreparedSolver | None = None
        self._beta = math.nan

    def _solver(self, beta: float) -> PreparedSolver:
        """Of A + β K, kept for the next step."""
        if self._prepared is None:
            self._prepared = prepare(self._operator(beta), M="jacobi")
        elif self._beta != beta:
            self._prepared.update(self._operator(beta))
        self._beta = beta
        return self._prepared

    def _operator(self, beta: float) -> StencilOperator:
        k = self.viscous
        return StencilOperator([beta * w for w in k.weights], beta * k.excess + self.mass.reshape(k.grid))

    def solve(self, f: Tensor, beta: float) -> Tensor:
        """u ``(…, n_i)`` of f ``(…, n_i)`` on all free faces; 0 on closed ones."""
        rows = f.detach().cpu().double().reshape(-1, f.shape[-1]).numpy()
        out, solver, mass = np.zeros_like(rows), self._solver(beta), self.mass.numpy()
        for row, u in zip(rows, out, strict=True):
            guess = np.zeros(len(mass))
            guess[self.free] = np.where(self.closed, 0.0, row)
            u[:] = _solved(solver, mass * guess, guess)[self.free]
        return torch.from_numpy(out).to(f).reshape(f.shape)


def restricted(operator: StencilOperator, kept: Tensor) -> StencilOperator:
    """The rows and columns of the cells that are ``kept``: u = 0 in the others, whose rows become empty.

    What coupled a cell with one of those now adds to its row sum.

    Args:
        operator: of a grid.
        kept: boolean, of the shape of the grid.
    """
    excess, weights = operator.excess.clone(), list[Tensor]()
    for axis, weight in enumerate(operator.weights):
        beyond = kept.roll(-1, axis)
        excess += torch.where(kept & ~beyond, weight, 0.0) + torch.where(beyond & ~kept, weight, 0.0).roll(1, axis)
        weights.append(torch.where(kept & beyond, weight, 0.0))
    return StencilOperator(weights, torch.where(kept, excess, 0.0))


def _solved(solver: PreparedSolver, b: np.ndarray, guess: np.ndarray | None = None, rtol: float = _RTOL) -> np.ndarray:
    """A⁻¹ b, ``(n,)``; NaN where b is not finite, which the step reports.

    Raises:
        NotConvergedError: where the residual stays above 1e-10 of b.
    """
    if not np.isfinite(b).all():
        return np.full_like(b, np.nan)
    solution = solver.solve(b, x0=guess, rtol=rtol, raise_on_failure=False)
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
