"""First layers: how points enter a network. Each makes the first stack of derivatives from coordinates."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, nn

from neuralpde.networks._taylor import Layout, Stack, activate, beside, fill, tanh_derivatives
from neuralpde.types import UsageError

Parts: TypeAlias = dict[str, Tensor]
"""Derivatives at each point by the names of weights."""


def _vector(numbers: Sequence[float]) -> Tensor:
    return torch.tensor(list(numbers), dtype=torch.get_default_dtype())


def _positive(name: str, number: float, good: str) -> None:
    if not (isinstance(number, int | float) and 0 < number < math.inf):
        raise UsageError(f"the {name} must be a positive number ({good}); got {number!r}.")


class FirstLayer(nn.Module, ABC):
    """Maps points ``(n, d)`` to a :class:`Stack` of ``width`` features with their derivatives."""

    width: int
    periods: tuple[float | None, ...]

    def forward(self, x: Tensor, layout: Layout) -> Stack:
        """:meth:`stack`, by which ``torch.func.functional_call`` binds other weights."""
        return self.stack(x, layout)

    @abstractmethod
    def stack(self, x: Tensor, layout: Layout) -> Stack:
        """Features ``(width, n)`` and their derivatives, in memory that nothing else holds."""

    def pulled(self, weights: Mapping[str, Tensor], x: Tensor, layout: Layout, pull: Tensor) -> Parts | None:
        """Derivatives by the weights of Σ_k pull_k · h_k at each point, ``(n, …)`` by their names, h the features and
        their first derivatives; None where they are left to automatic differentiation.

        Args:
            weights: the layer's, by name.
            x: points ``(n, d)``.
            layout: of the stack.
            pull: ``(width, k, n)``.
        """
        return None


def _separable_stack(parts: Sequence[tuple[Tensor, ...]], layout: Layout) -> Stack:
    """Stack of z = Σ_i f_i(x_i) from per-axis (f_i, f_i', f_i'', f_i'''), each ``(w, n)``: the Hessian is diagonal."""
    value = torch.stack([part[0] for part in parts]).sum(0)
    if not layout.first:
        return Stack(value)
    first = torch.stack([part[1] for part in parts], dim=1)
    seconds = [part[2] for part in parts]
    if layout.second == "laplacian":
        return Stack(value, first, torch.stack(seconds).sum(0)[:, None])
    if layout.second == "hess":
        rows = [seconds[i] if i == j else torch.zeros_like(value) for i, j in layout.pairs]
        thirds = [parts[i][3] if i == j else torch.zeros_like(value) for i, j in layout.twice] if layout.third else []
        return Stack(value, first, torch.stack(rows, dim=1), torch.stack(thirds, dim=1) if thirds else None)
    return Stack(value, first)


class Coordinates(FirstLayer):
    """The coordinates scaled to [−1, 1], no weights: s_i = (2 x_i − a_i − b_i) / (b_i − a_i).

    Args:
        lower, upper: corners a, b of the box.
    """

    lower: Tensor
    scale: Tensor

    def __init__(self, lower: Sequence[float], upper: Sequence[float]) -> None:
        super().__init__()
        self.width = len(lower)
        self.periods = (None,) * self.width
        self.register_buffer("lower", _vector(lower))
        self.register_buffer("scale", 2 / (_vector(upper) - _vector(lower)))

    def stack(self, x: Tensor, layout: Layout) -> Stack:
        value = ((x - self.lower) * self.scale - 1).T
        return Stack(value, torch.diag_embed(self.scale)[..., None] if layout.first else None)


class CentredLayer(FirstLayer):
    """h_j = tanh(Σ_i a_ji s_i(x_i − c_ji) + b_j) with learned slopes a, centres c and biases b.

    s_i(r) = cos(2πr/L_i) along an axis of period L_i, which makes the network periodic by construction, and s_i(r) = r
    along any other. A shift of the field is then a shift of the centres, which conditions a least-squares step far
    better than w x + b does, where a shift moves every bias by its own w.

    Args:
        lower, upper: corners of the box; centres start evenly spread over it (low-discrepancy in d > 1).
        width: number of features.
        periods: per axis its period or None.
        steepness: size of the argument's slope times the axis length; about the number of features of the field that
            should be told apart along an axis (5–30 for localised ones).
        generator: source of the random start.
        inside: tells which points ``(n, d)`` lie in a domain of another shape; centres start there.

    Raises:
        UsageError: for a steepness that is not positive.

    Source: the periodic embedding of TENG (Chen et al., ICML 2024) written with centres instead of phases.
    """

    def __init__(
        self,
        lower: Sequence[float],
        upper: Sequence[float],
        width: int,
        periods: Sequence[float | None],
        steepness: float = 12.0,
        generator: torch.Generator | None = None,
        inside: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        # At slope 0 every feature is the same constant, and gradients with respect to the centres vanish for good.
        _positive("steepness", steepness, "5 to 30 is good")
        self.width, self.periods = width, tuple(periods)
        dim = len(self.periods)
        low, length = _vector(lower), _vector(upper) - _vector(lower)
        shift = torch.rand(dim, generator=generator, dtype=low.dtype)
        # Additive recurrence with the generalised golden ratio: even spread in any dimension, for any width.
        ratio = 2.0
        for _ in range(40):
            ratio = (1 + ratio) ** (1 / (dim + 1))
        alpha = torch.tensor([ratio ** -(i + 1) for i in range(dim)], dtype=low.dtype)
        unit = (shift + torch.arange(width, dtype=low.dtype)[:, None] * alpha) % 1
        if dim == 1:
            unit = (shift + torch.arange(width, dtype=low.dtype)[:, None] / width) % 1
        if inside is not None:
            unit = _inside(unit, shift, alpha, low, length, inside)
        size = 0.5 + torch.rand(width, dim, generator=generator, dtype=low.dtype)
        sign = torch.where(torch.rand(width, dim, generator=generator, dtype=low.dtype) < 0.5, -1.0, 1.0)
        periodic = torch.tensor([p is not None for p in self.periods])
        # cos has its steepest slope 2π/L where a plain coordinate has slope 1.
        unit_slope = torch.where(periodic, torch.ones(()), 1.0 / length)
        sign = torch.where(periodic, torch.ones(()), sign)
        self.slope = nn.Parameter(steepness * size * sign * unit_slope / math.sqrt(dim))
        self.centre = nn.Parameter(low + unit * length)
        spread = torch.rand(width, generator=generator, dtype=low.dtype)
        # A bias of about −slope puts the two fronts of a cosine ridge near its crest: localised bumps to start from.
        self.bias = nn.Parameter(-0.9 * spread * (steepness / math.sqrt(dim)) * float(periodic.any()))

    def stack(self, x: Tensor, layout: Layout) -> Stack:
        parts = []
        for i, period in enumerate(self.periods):
            a, r = self.slope[:, i, None], x[:, i] - self.centre[:, i, None]
            if period is None:
                zero = torch.zeros_like(r)
                parts.append((a * r, a + zero, zero, zero))
            else:
                omega = 2 * math.pi / period
                cosine = a * torch.cos(omega * r)
                first = -omega * a * torch.sin(omega * r) if layout.first else cosine
                parts.append((cosine, first, -(omega**2) * cosine if layout.second else cosine, -(omega**2) * first))
        stack = _separable_stack(parts, layout)
        return activate(stack._replace(value=stack.value + self.bias[:, None]), tanh_derivatives, layout)

    def pulled(self, weights: Mapping[str, Tensor], x: Tensor, layout: Layout, pull: Tensor) -> Parts | None:
        """In closed form for values and gradients of layers that are not periodic: with z = Σ a_i (x_i − c_i) + b,
        pull v of tanh z and g_i of its slopes, q = v tanh' + Σ g_i a_i tanh'' is that of z."""
        if layout.second or any(self.periods):
            return None
        slope, centre = weights["slope"], weights["centre"]
        away = x[:, None] - centre
        _, first, second = tanh_derivatives((away * slope).sum(-1) + weights["bias"], 2)
        q = pull[:, 0].T * first
        if not layout.first:
            return {"slope": q[..., None] * away, "centre": -q[..., None] * slope, "bias": q}
        g = pull[:, 1:].permute(2, 0, 1)
        q = q + (g * slope).sum(-1) * second
        return {"slope": q[..., None] * away + g * first[..., None], "centre": -q[..., None] * slope, "bias": q}


def _inside(
    unit: Tensor, shift: Tensor, alpha: Tensor, low: Tensor, length: Tensor, inside: Callable[[Tensor], Tensor]
) -> Tensor:
    """As many points of the same recurrence, those that lie in the domain; as they are where it fills too little."""
    width, found = unit.shape[0], unit[:0]
    for block in range(64):
        k = torch.arange(block * width, (block + 1) * width, dtype=low.dtype)[:, None]
        more = (shift + k * alpha) % 1
        found = torch.cat([found, more[inside(low + more * length)]])
        if found.shape[0] >= width:
            return found[:width]
    return torch.cat([found, unit])[:width]


class HarmonicFeatures(FirstLayer):
    """Fixed cosines and sines cos(2πkx_i/L_i), sin(2πkx_i/L_i), k = 1 … harmonics, along periodic axes; other axes
    enter as scaled coordinates. Periodic by construction, no weights.

    Args:
        lower, upper: corners of the box.
        periods: per axis its period or None.
        harmonics: number of harmonics per periodic axis.
    """

    frequency: Tensor
    shift: Tensor

    def __init__(
        self, lower: Sequence[float], upper: Sequence[float], periods: Sequence[float | None], harmonics: int = 2
    ) -> None:
        super().__init__()
        self.periods = tuple(periods)
        rows, shifts = [], []
        for i, period in enumerate(self.periods):
            unit = torch.zeros(len(self.periods))
            unit[i] = 1.0
            if period is None:
                continue
            for k in range(1, harmonics + 1):
                rows += [2 * math.pi * k / period * unit] * 2
                shifts += [0.5 * math.pi, 0.0]  # cos z = sin(z + π/2)
        self.plain = [i for i, period in enumerate(self.periods) if period is None]
        self.coordinates = Coordinates([lower[i] for i in self.plain], [upper[i] for i in self.plain])
        self.register_buffer("frequency", torch.stack(rows) if rows else torch.zeros(0, len(self.periods)))
        self.register_buffer("shift", torch.tensor(shifts))
        self.width = len(shifts) + len(self.plain)

    def stack(self, x: Tensor, layout: Layout) -> Stack:
        waves = _waves(x, self.frequency, self.shift, layout)
        if not self.plain:
            return waves
        inner = self.coordinates.stack(x[:, self.plain], layout)
        if inner.first is not None:  # from the plain axes' own derivatives to those along all axes
            place = torch.eye(layout.dim, dtype=x.dtype, device=x.device)[self.plain]
            inner = Stack(inner.value, (inner.first[..., 0] @ place)[..., None])
        return beside(waves, fill(inner, layout))


class FourierFeatures(FirstLayer):
    """Fixed random waves cos(Bx), sin(Bx) with rows of B drawn from N(0, scale²), for fields with fine detail.

    Not periodic: use :class:`HarmonicFeatures` or :class:`CentredLayer` for that. B is frozen; it counts as dofs.

    Raises:
        UsageError: for an odd width, or a scale that is not positive.

    Source: Tancik et al., NeurIPS 2020.
    """

    frequency: Tensor
    shift: Tensor

    def __init__(
        self,
        lower: Sequence[float],
        upper: Sequence[float],
        width: int,
        scale: float = 6.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if width % 2:
            raise UsageError(f"random Fourier features come in pairs: the width must be even; got {width}.")
        _positive("steepness (scale of Fourier features)", scale, "1 to 10 is good")
        self.width, self.periods = width, (None,) * len(lower)
        length = _vector(upper) - _vector(lower)
        draw = torch.randn(width // 2, len(lower), generator=generator, dtype=length.dtype) * scale / length
        self.register_buffer("frequency", draw.repeat(2, 1))
        half = torch.full((width // 2,), 0.5 * math.pi)
        self.register_buffer("shift", torch.cat([half, torch.zeros_like(half)]))

    def stack(self, x: Tensor, layout: Layout) -> Stack:
        return _waves(x, self.frequency, self.shift, layout)


def _waves(x: Tensor, frequency: Tensor, shift: Tensor, layout: Layout) -> Stack:
    """Stack of sin(Bx + shift)."""
    phase = torch.addmm(shift[:, None], frequency, x.T)
    value = torch.sin(phase)
    if not layout.first:
        return Stack(value)
    first = torch.cos(phase)[:, None] * frequency[:, :, None]
    if layout.second == "laplacian":
        return Stack(value, first, (-value * frequency.square().sum(-1, keepdim=True))[:, None])
    if layout.second == "hess":
        rows, columns = map(list, zip(*layout.pairs, strict=True))
        second = -value[:, None] * (frequency[:, rows] * frequency[:, columns])[..., None]
        third = None
        if layout.third:
            rows = [i for i, _ in layout.twice]
            third = -first[:, [j for _, j in layout.twice]] * frequency[:, rows].square()[..., None]
        return Stack(value, first, second, third)
    return Stack(value, first)
