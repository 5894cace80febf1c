"""Sine and cosine transforms along one axis, through ``torch.fft``: on any device, and differentiable."""

from __future__ import annotations

import torch
from torch import Tensor

from neuralpde.types import UsageError


def dst1(x: Tensor, axis: int = -1) -> Tensor:
    """Sine transform of type I, X_k = 2 Σ_{j<n} x_j sin(π (j+1)(k+1) / (n+1)); its own inverse up to 1 / (2 (n+1)).

    It is minus the imaginary part of the Fourier transform of the odd extension (0, x, 0, −x reversed).

    Args:
        x: real values, any shape, n ≥ 1 along ``axis``.
        axis: the axis to transform.

    Source: the definition and normalisation are those of ``scipy.fft.dst(x, type=1)``.

    Example:
        >>> dst1(torch.tensor([1.0]))
        tensor([2.])
    """
    n = x.shape[axis]
    zero = torch.zeros_like(x.narrow(axis, 0, 1))
    odd = torch.cat([zero, x, zero, -x.flip(axis)], dim=axis)
    return -torch.fft.rfft(odd, dim=axis).narrow(axis, 1, n).imag


def dct1(x: Tensor, axis: int = -1) -> Tensor:
    """Cosine transform of type I, X_k = x_0 + (−1)^k x_{n−1} + 2 Σ_{0<j<n−1} x_j cos(π j k / (n−1)).

    It is its own inverse up to 1 / (2 (n−1)), and the Fourier transform of the even extension (x, interior reversed).

    Args:
        x: real values, any shape, n ≥ 2 along ``axis``.
        axis: the axis to transform.

    Raises:
        UsageError: for n < 2, which has no interior spacing.

    Source: the definition and normalisation are those of ``scipy.fft.dct(x, type=1)``.

    Example:
        >>> dct1(torch.tensor([1.0, 1.0, 1.0]))
        tensor([4., 0., 0.])
    """
    n = x.shape[axis]
    if n < 2:
        raise UsageError(f"a cosine transform of type I needs at least 2 values, got {n}")
    even = torch.cat([x, x.narrow(axis, 1, n - 2).flip(axis)], dim=axis)
    return torch.fft.rfft(even, dim=axis).real
