"""First layers made even about faces of the box."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from neuralpde.networks._first_layers import FirstLayer
from neuralpde.networks._taylor import Layout, Stack, fill


class MirroredLayer(FirstLayer):
    """Another first layer that reads y = g(x) in place of x: every feature is even about the faces that mirror.

    g maps an axis of the box onto itself, with g' = 0 at mirrors: s ↦ (1 − cos πs)/2 with one at either end,
    1 − cos(πs/2) or sin(πs/2) with one below or above. A smooth function that is even about both ends of an axis is a
    smooth function of cos πs, so nothing else is given up.

    Args:
        inner: the other layer.
        lower, upper: corners of the box.
        mirrors: per axis whether its lower and its upper face mirror.
    """

    lower: Tensor
    length: Tensor

    def __init__(
        self,
        inner: FirstLayer,
        lower: Sequence[float],
        upper: Sequence[float],
        mirrors: Sequence[tuple[bool, bool]],
    ) -> None:
        super().__init__()
        self.inner, self.mirrors = inner, tuple(mirrors)
        self.width, self.periods = inner.width, inner.periods
        low, high = (torch.tensor(list(corner), dtype=torch.get_default_dtype()) for corner in (lower, upper))
        self.register_buffer("lower", low)
        self.register_buffer("length", high - low)

    def _map(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """g, g', g'' and g''' of every coordinate, ``(n, d)`` each."""
        s = (x - self.lower) / self.length
        rows = [_fold(s[:, i], ends) for i, ends in enumerate(self.mirrors)]
        value, first, second, third = (torch.stack(part, dim=-1) for part in zip(*rows, strict=True))
        return self.lower + self.length * value, first, second / self.length, third / self.length.square()

    def stack(self, x: Tensor, layout: Layout) -> Stack:
        y, slope, bend, twist = self._map(x)
        if not layout.first:
            return self.inner.stack(y, layout)
        full = Layout(layout.dim, True, "hess" if layout.second else "", layout.third)
        inner = fill(self.inner.stack(y, full), full)
        assert inner.first is not None
        first = inner.first * slope.T
        if inner.second is None:
            return Stack(inner.value, first)
        rows = []
        for k, (i, j) in enumerate(full.pairs):
            row = inner.second[:, k] * (slope[:, i] * slope[:, j])
            rows.append(row + inner.first[:, i] * bend[:, i] if i == j else row)
        if layout.second == "laplacian":
            rows = [torch.stack([row for row, (i, j) in zip(rows, full.pairs, strict=True) if i == j]).sum(0)]
        third = self._thirds(inner, full, slope, bend, twist) if layout.third else None
        return Stack(inner.value, first, torch.stack(rows, dim=1), third)

    def _thirds(self, inner: Stack, layout: Layout, slope: Tensor, bend: Tensor, twist: Tensor) -> Tensor:
        """∂_iij of h(g(x)), ``(w, d², n)``."""
        assert inner.first is not None and inner.second is not None and inner.third is not None
        rows = []
        for k, (i, j) in enumerate(layout.twice):
            across = inner.second[:, layout.place(i, j)] * slope[:, j]
            row = inner.third[:, k] * (slope[:, i].square() * slope[:, j]) + across * bend[:, i]
            rows.append(row + 2 * across * bend[:, i] + inner.first[:, i] * twist[:, i] if i == j else row)
        return torch.stack(rows, dim=1)


def _fold(s: Tensor, ends: tuple[bool, bool]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """g, g', g'', g''' on the unit interval."""
    if not any(ends):
        return s, torch.ones_like(s), torch.zeros_like(s), torch.zeros_like(s)
    w = math.pi if all(ends) else 0.5 * math.pi
    sine, cosine = torch.sin(w * s), torch.cos(w * s)
    if all(ends):
        return 0.5 * (1 - cosine), 0.5 * w * sine, 0.5 * w**2 * cosine, -0.5 * w**3 * sine
    if ends[0]:
        return 1 - cosine, w * sine, w**2 * cosine, -(w**3) * sine
    return sine, w * cosine, -(w**2) * sine, -(w**3) * cosine
