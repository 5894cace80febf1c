"""Values of a grid function between its nodes: local Lagrange polynomials, or the Fourier series itself."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neuralpde.geometry import Grid


def _lagrange(position: Tensor, width: int) -> Tensor:
    """Weights ``(n, width)`` of nodes 0 … width − 1 for the polynomial through them at ``position``."""
    nodes = torch.arange(width, dtype=position.dtype, device=position.device)
    difference = position[:, None] - nodes
    columns = []
    for j in range(width):
        others = [k for k in range(width) if k != j]
        scale = math.prod(j - k for k in others)
        columns.append(difference[:, others].prod(dim=1) / scale)
    return torch.stack(columns, dim=1)


def interpolate(values: Tensor, grid: Grid, x: Tensor, width: int) -> Tensor:
    """Tensor-product Lagrange interpolation on the ``width`` nearest nodes per axis (order of accuracy: width).

    Args:
        values: nodal values ``(*shape, c)``.
        grid: their grid.
        x: points ``(n, d)``; along axes that are not periodic they are clamped to the box.

    Returns:
        ``(n, c)``.
    """
    indices, weights = [], []
    for i, (nodes, h, periodic) in enumerate(zip(grid.shape, grid.spacing, grid.periodic, strict=True)):
        w = min(width, nodes)
        s = (x[:, i] - grid.domain.lower[i]) / h
        if not periodic:
            s = s.clamp(0, nodes - 1)
        base = torch.floor(s) - (w // 2 - 1)
        if not periodic:
            base = base.clamp(0, nodes - w)
        weights.append(_lagrange(s - base, w))
        index = base.long()[:, None] + torch.arange(w, device=x.device)
        indices.append(index % nodes if periodic else index)
    d = len(indices)
    spread = [index.reshape(-1, *[1] * i, index.shape[1], *[1] * (d - 1 - i)) for i, index in enumerate(indices)]
    out = values[tuple(spread)]
    for weight in reversed(weights):
        shape = (weight.shape[0], *[1] * (out.ndim - 3), weight.shape[1], 1)
        out = (out * weight.reshape(shape)).sum(dim=-2)
    return out


def fourier_interpolate(values: Tensor, grid: Grid, x: Tensor) -> Tensor:
    """The trigonometric interpolant at points: exact for band-limited fields.

    Args:
        values: nodal values ``(*shape, c)`` on a grid that is periodic along every axis.
        grid: their grid.
        x: points ``(n, d)``.

    Returns:
        ``(n, c)``; cost O(n N).
    """
    d = grid.domain.dim
    hat = torch.fft.fftn(values, dim=tuple(range(d))) / math.prod(grid.shape)
    out = hat
    for i in reversed(range(d)):
        n = grid.shape[i]
        k = torch.fft.fftfreq(n, 1 / n, dtype=x.dtype, device=x.device)
        phase = (x[:, i] - grid.domain.lower[i])[:, None] * k * (2 * math.pi / grid.domain.lengths[i])
        wave = torch.complex(torch.cos(phase), torch.sin(phase))
        if n % 2 == 0:
            # the Nyquist mode stands for a cosine: half of e^{ikx} and half of e^{−ikx}
            wave = torch.cat([wave[:, : n // 2], wave[:, n // 2 : n // 2 + 1].real + 0j, wave[:, n // 2 + 1 :]], dim=1)
        # out is (*shape[:i + 1], c) at first, (*shape[:i + 1], n, c) after the last axis went
        out = torch.einsum("nk,...kc->...nc", wave, out) if i == d - 1 else _contract(wave, out, i)
    return out.real


def _contract(wave: Tensor, out: Tensor, axis: int) -> Tensor:
    """Sum over one more axis, point by point: ``(…, k, n, c)`` with ``(n, k)`` → ``(…, n, c)``."""
    moved = out.movedim(axis, -1)  # (..., n, c, k)
    return (moved * wave[:, None, :]).sum(-1)
