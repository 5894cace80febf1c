"""Dirichlet data on the faces of a box, held exactly: a factor that vanishes there and a lift that carries the data."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from neuralpde.fields import Jet, PointMemory, autodiff_jet, constant_jet
from neuralpde.geometry import Boundary, Dirichlet

KEPT = 8
"""Sets of points of which derivatives of lifts are remembered: those of a stage's fit and of its walls."""


class HardBoundary:
    """u = lift + φ N with φ = 0 and lift = g on the Dirichlet faces.

    φ(x) = Π_i φ_i(x_i) with s_i = (x_i − a_i)/L_i and φ_i = s_i, 1 − s_i or 4 s_i (1 − s_i) where the lower, the upper
    or both faces of axis i are Dirichlet, 1 otherwise. The lift is the transfinite interpolation of the data,
    1 − Π_i (1 − P_i) with P_i u = (1 − s_i) u|_lower + s_i u|_upper: it uses boundary data only.

    Source: Gordon & Hall, Numer. Math. 21 (1973), for the lift.

    Args:
        boundary: table of faces and conditions.
        channels: number of values c.
    """

    def __init__(self, boundary: Boundary, channels: int) -> None:
        self.domain, self.channels = boundary.box, channels
        self.data = {(axis, side): c for axis, side, c in boundary.faces_with(Dirichlet) if isinstance(c, Dirichlet)}
        self.active, self._memory = bool(self.data), PointMemory(KEPT)
        values = [c.value for c in self.data.values()]
        first = values[0] if values else 0.0
        same = not callable(first) and all(not callable(v) and v == first for v in values)
        self.constant = float(first) if same and isinstance(first, int | float) else None

    def _sides(self, axis: int) -> tuple[bool, bool]:
        return (axis, 0) in self.data, (axis, 1) in self.data

    def _unit(self, x: Tensor, axis: int) -> Tensor:
        return (x[:, axis] - self.domain.lower[axis]) / self.domain.lengths[axis]

    def _axis_factor(self, x: Tensor, axis: int) -> tuple[Tensor, Tensor, Tensor]:
        """φ_i and its first two derivatives, each ``(n,)``."""
        s, length = self._unit(x, axis), self.domain.lengths[axis]
        one, zero = torch.ones_like(s), torch.zeros_like(s)
        lower, upper = self._sides(axis)
        if lower and upper:
            return 4 * s * (1 - s), 4 * (1 - 2 * s) / length, -8 * one / length**2
        if lower:
            return s, one / length, zero
        if upper:
            return 1 - s, -one / length, zero
        return one, zero, zero

    def factor(self, x: Tensor) -> Tensor:
        """φ at points ``(n, d)``, ``(n, 1)``."""
        out = torch.ones_like(x[:, 0])
        for axis in range(self.domain.dim):
            if any(self._sides(axis)):
                out = out * self._axis_factor(x, axis)[0]
        return out[:, None]

    def factor_jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        """φ and its derivatives as a jet with one channel."""
        d = self.domain.dim
        parts = [self._axis_factor(x, axis) for axis in range(d)]

        def chosen(orders: list[int]) -> Tensor:
            out = torch.ones_like(x[:, 0])
            for axis, order in enumerate(orders):
                out = out * parts[axis][order]
            return out

        def unit(*axes: int) -> list[int]:
            return [axes.count(i) for i in range(d)]

        value = chosen([0] * d)[:, None]
        grad = torch.stack([chosen(unit(i)) for i in range(d)], dim=-1)[:, None, :]
        laplacian = torch.stack([chosen(unit(i, i)) for i in range(d)]).sum(0)[:, None]
        if "hess" not in needs:
            return Jet(value, grad, laplacian)
        rows = [torch.stack([chosen(unit(i, j)) for j in range(d)], dim=-1) for i in range(d)]
        return Jet(value, grad, laplacian, torch.stack(rows, dim=-2)[:, None])

    def lift(self, t: float, x: Tensor) -> Tensor:
        """Transfinite interpolation of the Dirichlet data, ``(n, c)``."""
        if self.constant is not None:
            return torch.full((x.shape[0], self.channels), self.constant, dtype=x.dtype, device=x.device)
        axes = sorted({axis for axis, _ in self.data})
        total = torch.zeros(x.shape[0], self.channels, dtype=x.dtype, device=x.device)
        choices = [[None, *[side for side in (0, 1) if (axis, side) in self.data]] for axis in axes]
        for sides in product(*choices):
            picked = [(axis, side) for axis, side in zip(axes, sides, strict=True) if side is not None]
            if not picked:
                continue
            # (−1)^(k+1) Π weights · g at the point moved onto the picked faces
            weight = torch.full_like(x[:, 0], -1.0 if len(picked) % 2 == 0 else 1.0)
            columns = list(x.unbind(1))
            for axis, side in picked:
                if all(self._sides(axis)):
                    s = self._unit(x, axis)
                    weight = weight * (s if side else 1 - s)
                end = self.domain.upper[axis] if side else self.domain.lower[axis]
                columns[axis] = torch.full_like(x[:, 0], end)
            moved = torch.stack(columns, dim=1)
            total = total + weight[:, None] * self.data[picked[0]].at(t, moved, self.channels)
        return total

    def lift_jet(self, t: float, x: Tensor, needs: frozenset[str]) -> Jet:
        """The lift and its derivatives."""
        if self.constant is not None:
            return constant_jet(self.lift(t, x), self.domain.dim, needs)
        # slow, and asked for again and again by a fit; by the lift's values it is known whether the data have changed
        return self._memory(lambda p: autodiff_jet(lambda q: self.lift(t, q), p, needs), x, t, needs, self.lift(t, x))
