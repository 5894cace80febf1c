"""Pressures of neural fields: Poisson's equation as a least-squares fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from neuralpde.dynamics._function_space import row_jacobian, stage_of
from neuralpde.geometry import face_lattice
from neuralpde.integrators import Stage
from neuralpde.optimize import GaussNewton, least_squares
from neuralpde.representations import NeuralField
from neuralpde.types import NonFiniteError, Status

Rows = Callable[[Tensor], Tensor]
"""θ → residual or Jacobian."""

WALL = 3.0
"""Weight of the rows of ∂p/∂n beside those of Δp, in units of the box's size."""


class PressureFits:
    """θ = argmin Σ_q (Δp_θ − f)²(x_q) + wall rows (∂p_θ/∂n − h)² + the square of p's mean.

    The residual is zero at the solution, so a fit knows when it is done. min Σ_q |w − ∇p|² needs first derivatives only
    and no rows on walls, but its residual stays of the size of w, and on a lattice a network finds gradients that look
    like a velocity without divergence: what it found was useless (errors of order one where this form leaves 1e-4).

    The pressure is linear in its last layer: a fit begins with the best last layer for the hidden ones at hand, which
    is an exact linear solve. From random weights this saves a third of the iterations, and a splitting, which asks for
    pressures and for small corrections in turn, keeps its hidden layers.

    Args:
        pressure: its network, free on walls.
        options: of the fits.
        points: number of quadrature points (3p by default).
    """

    def __init__(
        self, pressure: NeuralField, faces: Sequence[tuple[int, int]], options: GaussNewton, points: int | None
    ):
        self.field, self.options = pressure, options
        self.points = pressure.quadrature(points).points
        self.outer = _last_layer(pressure)
        count = max(2, round(self.points.shape[0] ** (1 - 1 / pressure.dim)))
        self.walls = [(axis, face_lattice(pressure.domain, axis, side, count, pressure.dtype)) for axis, side in faces]
        length = pressure.domain.volume ** (1 / pressure.dim)
        self.level, self.wall_unit = 1 / length**2, WALL / length  # rows of one unit

    def solve(
        self, source: Tensor, slopes: Sequence[Tensor], starts: Sequence[Tensor], unit: float, first: bool = False
    ) -> Stage:
        """p of zero mean with Δp = f and ∂p/∂n = h on the walls.

        Args:
            source: f at ``points``, ``(n,)``.
            slopes: h at each wall's points.
            starts: weights to start from; the best is taken.
            unit: of f, in which residuals are told and compared with the options' tolerances.
            first: the start is random, and the fit takes five times as many iterations as the options say.
        """
        wanted = torch.cat([f.reshape(-1) for f in (source, source.new_zeros(1), *slopes)])
        scale = self._scale() / unit

        def residual(theta: Tensor) -> Tensor:
            return scale * (self._rows(theta) - wanted)

        def jacobian(theta: Tensor) -> Tensor:
            return scale[:, None] * self._jacobian(theta)

        if not bool(torch.isfinite(wanted).all()):
            return Stage(starts[0], Status.NON_FINITE, math.nan)
        with torch.no_grad():
            linear = [self._best_outer(theta, residual, jacobian) for theta in starts]
            start = min(linear, key=lambda theta: float(residual(theta).norm()))
        try:
            many = replace(self.options, maxiter=5 * self.options.maxiter, stall=0.0)
            fit = least_squares(residual, start, many if first else self.options, jacobian=jacobian)
        except NonFiniteError:
            return Stage(start, Status.NON_FINITE, math.nan)
        return stage_of(fit, self.options.accept)

    def _rows(self, theta: Tensor) -> Tensor:
        """Δp at the points, the mean of p, ∂p/∂x_axis on the walls."""
        p = self.field.at(theta)
        jet = p.jet(self.points, frozenset({"value", "laplacian"}))
        walls = [p.jet(wall.points, frozenset({"grad"})).grad[:, 0, axis] for axis, wall in self.walls]
        return torch.cat([jet.laplacian[:, 0], jet.value.mean()[None], *walls])

    def _scale(self) -> Tensor:
        n, one = self.points.shape[0], self.points.new_ones(1)
        walls = [one.expand(len(w.points)) * (self.wall_unit / math.sqrt(len(w.points))) for _, w in self.walls]
        return torch.cat([one.expand(n) / math.sqrt(n), self.level * one, *walls])

    def _jacobian(self, theta: Tensor) -> Tensor:
        def bend(weights: Tensor, x: Tensor) -> Tensor:
            return self.field.at(weights).jet(x, frozenset({"laplacian"})).laplacian

        def slope(weights: Tensor, x: Tensor) -> Tensor:
            return self.field.at(weights).jet(x, frozenset({"grad"})).grad[:, 0]

        mean = self.field.jacobian(theta, self.points).mean(0, keepdim=True)
        walls = [row_jacobian(slope, theta, wall.points, axis) for axis, wall in self.walls]
        return torch.cat([row_jacobian(bend, theta, self.points, 0), mean, *walls])

    def _best_outer(self, theta: Tensor, residual: Rows, jacobian: Rows) -> Tensor:
        """The same hidden layers with the last layer that minimises the residual, an ordinary least-squares problem;
        θ itself where rounding makes that no better."""
        j = jacobian(theta)[:, self.outer]
        change = torch.linalg.lstsq(j, -residual(theta)[:, None], rcond=1e-12, driver="gelsd").solution[:, 0]
        best = theta.clone()
        best[self.outer] += change
        return best if float(residual(best).norm()) < float(residual(theta).norm()) else theta


def _last_layer(field: NeuralField) -> Tensor:
    """Where θ holds the weights and biases of the output layer."""
    last = {"weights": "", "biases": ""}
    for name in field.names:  # in order, so the last one of each wins
        last = {key: name if name.startswith(key) else kept for key, kept in last.items()}
    starts = torch.tensor([0, *field.sizes]).cumsum(0)
    places = dict(zip(field.names, starts.tolist(), strict=False))
    sizes = dict(zip(field.names, field.sizes, strict=True))
    return torch.cat([places[name] + torch.arange(sizes[name]) for name in last.values()])
