"""The energy whose minimum is a static state, or an implicit stage, of a body on a neural field."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from scipy.linalg.blas import dsyrk
from torch import Tensor

from neuralpde.dynamics._field_damping import Drag
from neuralpde.dynamics._field_energy import NEEDS, FieldEnergy, Group
from neuralpde.dynamics._field_moment import Moment
from neuralpde.fields import Jet
from neuralpde.optimize import Energy

RIDGE = 1e-12
"""Least eigenvalue of their scaled Hessian that is taken for one."""

SHARES = (1.0, 0.5, 0.1)
"""Of a step in the output layer that are tried."""


class StageEnergy(Energy):
    """E(θ) = Π(t, u_θ) + ½ ∫ m |u_θ − y|² dx, and damping: a static state's, or an implicit stage's.

    Its metric is Jᵀ (∂²Ψ/∂(u, ∇u)²)₊ J with J = ∂(u, ∇u)/∂θ, at points drawn anew each time.

    Args:
        body: Π.
        when: time and factor of loads.
        mass: m at the points inside, ``(n,)``, or None in statics.
        target: y there, ``(n, c)``.
        drag: what damping adds.
        seed: of the points of metrics.
        floor: what a change of E is small against where the parts of E are nothing themselves: a body in free flight.
    """

    def __init__(
        self,
        body: FieldEnergy,
        when: Moment,
        mass: Tensor | None = None,
        target: Tensor | None = None,
        drag: Drag | None = None,
        seed: int = 0,
        floor: float = 0.0,
    ) -> None:
        self.floor = floor
        self.body, self.when, self.mass, self.target, self.drag = body, when, mass, target, drag
        self.generator = torch.Generator().manual_seed(seed)
        self._size: tuple[Tensor, float] | None = None

    def _density(self, group: Group, u: Jet) -> Tensor:
        out = group.density(self.when, group.points, u)
        if self.mass is None or group.rows is None:
            return out
        assert self.target is not None
        out = out + 0.5 * self.mass[group.rows] * (u.value - self.target[group.rows]).square().sum(-1)
        return out if self.drag is None else out + self.drag.density(group.rows, u)

    def _sums(self, theta: Tensor) -> Iterator[Tensor]:
        field = self.body.field(theta, self.when)
        for group in (*self.body.inside, *self.body.edges):
            yield group.weights @ self._density(group, field.jet(group.x, NEEDS))

    def value(self, theta: Tensor) -> float:
        with torch.no_grad():
            return float(torch.stack(list(self._sums(theta))).sum())

    def gradient(self, theta: Tensor) -> Tensor:
        moving, total = theta.detach().requires_grad_(), torch.zeros_like(theta)
        with torch.enable_grad():
            for part in self._sums(moving):  # a group at a time: bounds the memory
                total += torch.autograd.grad(part, moving)[0]
        return total

    def size(self, theta: Tensor) -> float:
        """∫ |Ψ| + ∮ |…|, of the latest θ, and what is given beside it."""
        if self._size is None or self._size[0] is not theta:
            self._size = (theta, self.floor + float(sum(self._sizes(theta))))
        return self._size[1]

    def _sizes(self, theta: Tensor) -> Iterator[Tensor]:
        field = self.body.field(theta, self.when)
        with torch.no_grad():
            for group in (*self.body.inside, *self.body.edges):
                yield group.weights @ self._density(group, field.jet(group.x, NEEDS)).abs()

    def metric(self, theta: Tensor, rows: float) -> Tensor:
        return self._gram(theta, rows, len(theta))

    def settled(self, theta: Tensor) -> Tensor:
        """θ after a step of Newton's method in the output layer's weights, as far as E falls.

        In them the field is linear: of a linear body it leads to the best ones. A nearly incompressible field that
        moves its hidden weights changes its volume at second order, which costs as much as the whole step gains; the
        output layer takes that back.
        """
        outer, value = self.body.representation.outer.to(theta.device), self.value(theta)
        lower = self._gram(theta, math.inf, len(outer))
        size = lower.diagonal().sqrt().clamp_min(1e-300)
        scaled = lower / size[:, None] / size
        scaled.diagonal().add_(RIDGE)
        factor, failed = torch.linalg.cholesky_ex(scaled)
        if int(failed) or not math.isfinite(value):
            return theta
        step = -torch.cholesky_solve((self.gradient(theta)[outer] / size)[:, None], factor)[:, 0] / size
        for share in SHARES:
            trial = theta.index_add(0, outer, share * step)
            if self.value(trial) <= value:
                return trial
        return theta

    def _gram(self, theta: Tensor, rows: float, count: int) -> Tensor:
        """The metric of all weights, or of those of the output layer, from so many rows for each of them."""
        total = theta.new_zeros(count, count)
        groups = self._drawn(rows * count)
        whole = sum(float(group.weights.sum()) for group in self.body.inside)
        scale = whole / sum(float(group.weights.sum()) for group in groups)
        for group, factor in [*((g, scale) for g in groups), *((g, 1.0) for g in self.body.edges)]:
            self._add(total, theta, group, factor)
        return total

    def _drawn(self, rows: float) -> list[Group]:
        """As many groups as give that many rows."""
        inside = self.body.inside
        floats = self.body.representation.channels * self.body.representation.dim
        count = rows / (floats * len(inside[0].x))
        count = len(inside) if count >= len(inside) else max(1, round(count))
        return [inside[k] for k in torch.randperm(len(inside), generator=self.generator)[:count]]

    def _add(self, total: Tensor, theta: Tensor, group: Group, factor: float) -> None:
        """A group's share of the metric, on and below the diagonal."""
        tape = self.body.representation.taped(theta, self.when.t)
        with torch.enable_grad():
            jet = tape.jet(group.x, NEEDS)
            flat = torch.cat([jet.value, jet.grad.flatten(1)], dim=1)
        bend = self._bend(group, self._now(group, jet))
        used = torch.nonzero(bend.abs().amax((0, 1)) > 0)[:, 0]
        if not len(used):
            return
        size, axes = torch.linalg.eigh(bend[:, used][:, :, used])
        # rows of the square root of ∂²Ψ: each is a number of its point, whose derivative by θ is a row of the metric's
        roots = (factor * group.weights[:, None] * size.clamp_min(0)).sqrt()[:, None] * axes
        with torch.enable_grad():
            numbers = torch.einsum("nm,nmk->kn", flat[:, used], roots).unbind()
        by_weights = tape.gradients if len(total) == len(theta) else tape.outer_gradients
        add_gram(total, torch.cat([by_weights(row).detach() for row in numbers]))

    def _now(self, group: Group, jet: Jet) -> Jet:
        """The jet with the factor of supports."""
        hard, when = self.body.representation.hard, self.when
        value, grad = jet.value.detach(), jet.grad.detach()
        if when.factor != 1.0 and hard.active:
            lift = hard.lift_jet(when.t, group.x, NEEDS)
            value, grad = value - (1 - when.factor) * lift.value, grad - (1 - when.factor) * lift.grad
        return Jet(value, grad)

    def _bend(self, group: Group, jet: Jet) -> Tensor:
        """∂²Ψ/∂(u, ∇u)² at the points, ``(n, m, m)`` with m = c (1 + d)."""
        (n, c), d = jet.value.shape, jet.grad.shape[-1]
        with torch.enable_grad():
            flat = torch.cat([jet.value, jet.grad.flatten(1)], dim=1).requires_grad_()
            u = Jet(flat[:, :c], flat[:, c:].reshape(n, c, d))
            slope = torch.autograd.grad(self._density(group, u).sum(), flat, create_graph=True)[0]
            if not slope.requires_grad:
                return flat.new_zeros(n, flat.shape[1], flat.shape[1])
            rows = [
                torch.autograd.grad(column.sum(), flat, retain_graph=True, allow_unused=True)[0]
                for column in slope.unbind(1)
            ]
        zero = torch.zeros_like(flat)
        bend = torch.stack([zero if row is None else row.detach() for row in rows], dim=1)
        return 0.5 * (bend + bend.mT)


def add_gram(total: Tensor, rows: Tensor) -> None:
    """total + RᵀR on and below the diagonal; on a CPU in half of a product's time.

    Args:
        total: ``(p, p)``.
        rows: R, ``(n, p)``.
    """
    if rows.device.type == "cpu" and rows.dtype == torch.float64:
        # the transpose of a C-ordered array is Fortran's, and above its diagonal is below ours
        dsyrk(1.0, rows.numpy().T, beta=1.0, c=total.numpy().T, overwrite_c=1)
        return
    total.addmm_(rows.mT, rows)
