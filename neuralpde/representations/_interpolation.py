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

    Points of a lattice share their coordinates, so that axis by axis only the different ones are summed for.

    Returns:
        ``(n, c)``; cost O(n N), of a lattice O(n N_1).
    """
    axes = tuple(range(grid.domain.dim))
    out = torch.fft.fftn(values, dim=axes) / math.prod(grid.shape)
    lines = [x[:, i].detach().unique(return_inverse=True) for i in axes]
    # scattered points, whose lattice would be far larger; sorting them knows no derivative by x
    if x.requires_grad or math.prod(len(line) for line, _ in lines) > 4 * len(x):
        for i in reversed(axes):
            wave = _waves(grid, i, x[:, i])
            out = torch.einsum("nk,...kc->...nc", wave, out) if i == axes[-1] else _contract(wave, out, i)
        return out.real
    for i in axes:
        out = torch.tensordot(out, _waves(grid, i, lines[i][0]), dims=([i], [1])).movedim(-1, i)
    return out.real[tuple(place for _, place in lines)]


def _waves(grid: Grid, axis: int, s: Tensor) -> Tensor:
    """e^{iks} of every wave number of an axis at coordinates ``(n,)``, ``(n, N)``."""
    n = grid.shape[axis]
    k = torch.fft.fftfreq(n, 1 / n, dtype=s.dtype, device=s.device)
    phase = (s - grid.domain.lower[axis])[:, None] * k * (2 * math.pi / grid.domain.lengths[axis])
    wave = torch.complex(torch.cos(phase), torch.sin(phase))
    if n % 2 == 0:
        # the Nyquist mode stands for a cosine: half of e^{ikx} and half of e^{−ikx}
        wave = torch.cat([wave[:, : n // 2], wave[:, n // 2 : n // 2 + 1].real + 0j, wave[:, n // 2 + 1 :]], dim=1)
    return wave


def _contract(wave: Tensor, out: Tensor, axis: int) -> Tensor:
    """Sum over one more axis, point by point: ``(…, k, n, c)`` with ``(n, k)`` → ``(…, n, c)``."""
    moved = out.movedim(axis, -1)  # (..., n, c, k)
    return (moved * wave[:, None, :]).sum(-1)
