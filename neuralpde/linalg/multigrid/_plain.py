"""Multigrid as textbooks have it, in plain torch: what the room's own is measured against."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.preconditioners import Preconditioner
from neuralpde.linalg.stencil_operator import StencilOperator
from neuralpde.types import UsageError

COARSEST = 300
"""Most cells of a coarsest grid, whose pseudo-inverse is a dense matrix."""

DAMPING = {1: 2.0 / 3.0, 2: 4.0 / 5.0, 3: 6.0 / 7.0}
"""Of Jacobi's method, the best smoothing factor of the plain Laplacian in 1, 2 and 3 dimensions."""


class PlainMultigrid(Preconditioner):
    """M ≈ A⁻¹ by one V(1,1)-cycle: cells joined in pairs along each axis, bilinear (trilinear) interpolation, its
    transpose as restriction, coarse operators discretised anew, one sweep of damped Jacobi before and after.

    A coarse face has the mean of the weights of the fine faces it covers, times its area and over its distance. An open
    side keeps p = 0 at its face; reaction is summed. Interpolation leaves out solid cells. Nothing else knows about
    solids or coefficients, which is why walls and jumps cost it iterations that :class:`GeometricMultigrid` saves.
    M is linear, fixed and symmetric, in float32.

    Raises:
        UsageError: from ``build``, for an operator that is no :class:`StencilOperator`.

    Source: Trottenberg, Oosterlee and Schüller, Multigrid (2001), sections 2.4 and 2.8; for cells Wesseling, An
    Introduction to Multigrid Methods (1992), chapter 5.

    Example:
        >>> from neuralpde.linalg import solve_linear
        >>> A = StencilOperator.poisson((64, 64), 1 / 64, boundary="open")
        >>> solve_linear(A, torch.ones(64 * 64), M=PlainMultigrid(), rtol=1e-6).iterations < 12
        True
    """

    def build(self, A: LinearOperator) -> LinearOperator:
        if not isinstance(A, StencilOperator):
            raise UsageError(
                f"plain multigrid needs a StencilOperator, got {type(A).__name__}: StencilOperator.from_csr(A, shape) "
                "finds one in a matrix"
            )
        return PlainCycle(A)


class PlainCycle(LinearOperator):
    """r → M r, what :meth:`PlainMultigrid.build` returns; ``levels`` holds the grids."""

    def __init__(self, A: StencilOperator) -> None:
        super().__init__(A.shape, symmetric=True, dtype=torch.float32, device=A.device)
        level = _finest(A)
        self.all = [level]
        while math.prod(level.grid) > COARSEST and max(level.grid) > 2:
            level = level.coarser()
            self.all.append(level)
        self.levels = tuple(level.grid for level in self.all)
        self._inverse = _pseudo_inverse(level)
        for level in self.all:
            level.shorten()

    def matvec(self, x: Tensor) -> Tensor:
        if x.ndim == 2:
            columns = [self.matvec(column) for column in x.unbind(1)]
            return torch.stack(columns, dim=1) if columns else x.clone()
        return self._cycle(0, x.float().reshape(self.levels[0])).reshape(-1).to(x.dtype)

    def _cycle(self, number: int, r: Tensor) -> Tensor:
        level = self.all[number]
        if number == len(self.all) - 1:
            return (self._inverse @ r.reshape(-1)).reshape(level.grid)
        z = level.relaxation * r
        coarse = self._cycle(number + 1, level.restricted(r - level.apply(z)))
        z += level.interpolated(coarse)
        return z.add_(level.relaxation * (r - level.apply(z)))


@dataclass
class _Level:
    """One grid.

    Attributes:
        weights: of faces, as in :class:`StencilOperator`.
        opening, reaction: row sums from open sides, and all others.
        fluid: 1.0 in cells that have faces.
        isolated: row sums of the others.
        around: which axes are periodic.
        relaxation: damping over the diagonal, and 1/excess in isolated cells.
        halved: axes along which the next grid joins cells in pairs.
        share, coarse_fluid: factors of the interpolation, which make its weights sum to 1 beside solids.
    """

    weights: list[Tensor]
    opening: Tensor
    reaction: Tensor
    fluid: Tensor
    isolated: Tensor

    def __post_init__(self) -> None:
        self.grid = tuple(self.reaction.shape)
        self.around = [bool(w.select(axis, -1).any()) for axis, w in enumerate(self.weights)]
        self.excess = self.opening + self.reaction + self.isolated
        diagonal = self.excess + sum(w + w.roll(1, axis) for axis, w in enumerate(self.weights) if w.shape[axis] > 1)
        damping = torch.where(self.fluid > 0, DAMPING[len(self.grid)], 1.0)
        self.relaxation = torch.where(diagonal > 0, damping / diagonal.clamp(min=1e-300), 0.0)
        self.halved = [axis for axis, n in enumerate(self.grid) if n > 2]

    def apply(self, u: Tensor) -> Tensor:
        y = self.excess * u
        for axis, w in enumerate(self.weights):
            n = u.shape[axis]
            flux = (u.narrow(axis, 1, n - 1) - u.narrow(axis, 0, n - 1)).mul_(w.narrow(axis, 0, n - 1))
            y.narrow(axis, 0, n - 1).sub_(flux)
            y.narrow(axis, 1, n - 1).add_(flux)
            if self.around[axis]:
                flux = (u.narrow(axis, 0, 1) - u.narrow(axis, n - 1, 1)).mul_(w.narrow(axis, n - 1, 1))
                y.narrow(axis, n - 1, 1).sub_(flux)
                y.narrow(axis, 0, 1).add_(flux)
        return y

    def coarser(self) -> _Level:
        weights = []
        for axis, w in enumerate(self.weights):
            others = [a for a in self.halved if a != axis]
            if axis in self.halved:
                w = 0.5 * _even(w, axis, self.around[axis]).unflatten(axis, (-1, 2)).select(axis + 1, 1)
            weights.append(_summed(w, others))
        fluid = (_summed(self.fluid, self.halved) > 0).to(self.fluid.dtype)
        opening, reaction = _summed(0.5 * self.opening, self.halved), _summed(self.reaction, self.halved)
        made = _Level(weights, opening, reaction, fluid, torch.zeros_like(fluid))
        self.coarse_fluid = fluid
        total = self._spread(fluid)
        self.share = torch.where(total > 0, self.fluid / total.clamp(min=1e-300), 0.0)
        for axis in self.halved:
            self._halve_at_open_sides(axis)
        return made

    def _halve_at_open_sides(self, axis: int) -> None:
        """p = 0 half a cell outside: 3/4 of the own coarse cell and 1/4 of its mirror image, −1 times as large."""
        for end in (0, self.grid[axis] - 1):
            held = self.opening.select(axis, end) > 0
            inner = held[tuple(slice(1, -1) if n > 2 else slice(None) for n in held.shape)]  # edges belong to two sides
            if bool(inner.any()):
                self.share.select(axis, end).mul_(torch.where(held, 0.5, 1.0))

    def interpolated(self, coarse: Tensor) -> Tensor:
        return self._spread(coarse * self.coarse_fluid).mul_(self.share)

    def restricted(self, r: Tensor) -> Tensor:
        r = r * self.share
        for axis in reversed(self.halved):
            r = _gathered(_even(r, axis, False), axis, self.around[axis])
        return r.mul_(self.coarse_fluid)

    def _spread(self, coarse: Tensor) -> Tensor:
        for axis in self.halved:
            coarse = _doubled(coarse, axis, self.around[axis]).narrow(axis, 0, self.grid[axis])
        return coarse

    def shorten(self) -> None:
        """To float32."""
        self.weights = [w.float() for w in self.weights]
        for name in ("excess", "relaxation", "share", "coarse_fluid"):
            if hasattr(self, name):
                setattr(self, name, getattr(self, name).float())


def _finest(A: StencilOperator) -> _Level:
    """The level of A. A row sum at a side of the box, beyond the smallest of all, is an open side's."""
    weights, excess = [w.detach() for w in A.weights], A.excess.detach()
    fluid = torch.zeros_like(excess)
    for axis, w in enumerate(weights):
        if w.shape[axis] > 1:
            fluid += (w != 0).to(w.dtype) + (w.roll(1, axis) != 0)
    fluid = (fluid > 0).to(excess.dtype)
    inside = torch.ones_like(excess)
    for axis, n in enumerate(A.grid):
        inside.narrow(axis, 0, 1).zero_()
        inside.narrow(axis, n - 1, 1).zero_()
    held = excess * fluid
    least = held[fluid > 0].min() if bool(fluid.any()) else held.new_zeros(())
    reaction = torch.where(inside > 0, held, torch.minimum(held, least))
    return _Level(weights, held - reaction, reaction, fluid, excess * (1.0 - fluid))


def _pseudo_inverse(level: _Level) -> Tensor:
    """Of a small grid, float32; constants of parts that nothing holds are in its null space."""
    n = math.prod(level.grid)
    columns = torch.eye(n, dtype=torch.float64, device=level.excess.device)
    matrix = torch.stack([level.apply(column.reshape(level.grid)).reshape(-1) for column in columns], dim=1)
    return torch.linalg.pinv(matrix, rtol=1e-10, hermitian=True).float()


def _even(field: Tensor, axis: int, around: bool) -> Tensor:
    """A slice of zeros more where the axis is odd; on a periodic axis the last face moves to the end."""
    if field.shape[axis] % 2 == 0:
        return field
    last = field.narrow(axis, field.shape[axis] - 1, 1)
    if not around:
        return torch.cat([field, torch.zeros_like(last)], dim=axis)
    return torch.cat([field.narrow(axis, 0, field.shape[axis] - 1), torch.zeros_like(last), last], dim=axis)


def _summed(field: Tensor, axes: Sequence[int]) -> Tensor:
    """Sums over pairs along axes."""
    for axis in axes:
        field = _even(field, axis, False).unflatten(axis, (-1, 2)).sum(axis + 1)
    return field


def _doubled(coarse: Tensor, axis: int, around: bool) -> Tensor:
    """Linear interpolation between the centres of cells: 3/4 of the own coarse cell and 1/4 of the nearest other."""
    n = coarse.shape[axis]
    fine = (0.75 * coarse).unsqueeze(axis + 1).repeat_interleave(2, axis + 1)
    low, high = fine.select(axis + 1, 0), fine.select(axis + 1, 1)
    low.narrow(axis, 1, n - 1).add_(coarse.narrow(axis, 0, n - 1), alpha=0.25)
    high.narrow(axis, 0, n - 1).add_(coarse.narrow(axis, 1, n - 1), alpha=0.25)
    if around:
        low.narrow(axis, 0, 1).add_(coarse.narrow(axis, n - 1, 1), alpha=0.25)
        high.narrow(axis, n - 1, 1).add_(coarse.narrow(axis, 0, 1), alpha=0.25)
    return fine.flatten(axis, axis + 1)


def _gathered(fine: Tensor, axis: int, around: bool) -> Tensor:
    """The transpose of :func:`_doubled`."""
    low, high = fine.unflatten(axis, (-1, 2)).unbind(axis + 1)
    n = low.shape[axis]
    coarse = (low + high).mul_(0.75)
    coarse.narrow(axis, 0, n - 1).add_(low.narrow(axis, 1, n - 1), alpha=0.25)
    coarse.narrow(axis, 1, n - 1).add_(high.narrow(axis, 0, n - 1), alpha=0.25)
    if around:
        coarse.narrow(axis, n - 1, 1).add_(low.narrow(axis, 0, 1), alpha=0.25)
        coarse.narrow(axis, 0, 1).add_(high.narrow(axis, n - 1, 1), alpha=0.25)
    return coarse
