"""Sine and cosine transforms along one axis, through ``torch.fft``: on any device, and differentiable."""

from __future__ import annotations

import math

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


def dct2(x: Tensor, axis: int = -1) -> Tensor:
    """Cosine transform of type II, X_k = 2 Σ_{j<n} x_j cos(π (j+½) k / n), by one real Fourier transform of length n.

    With v the even entries of x followed by the odd ones reversed, 2 e^{−iπk/2n} V_k = X_k − i X_{n−k}.
    Its inverse is :func:`dct3` / (2n).

    Args:
        x: real floating-point values, any shape, n ≥ 1 along ``axis``.
        axis: the axis to transform.

    Source: Makhoul, A fast cosine transform in one and two dimensions, IEEE Trans. ASSP 28 (1980), equations 6 and 15;
        definition and normalisation of ``scipy.fft.dct(x, type=2)``.

    Example:
        >>> dct2(torch.ones(2))
        tensor([4., 0.])
    """
    n = x.shape[axis]
    even, odd = _every_second(x, axis, 0), _every_second(x, axis, 1)
    v = torch.fft.rfft(torch.cat([even, odd.flip(axis)], dim=axis), dim=axis)
    w = v * _phases(n // 2 + 1, -0.5 / n, 0.0, v, axis, size=2.0)
    return torch.cat([w.real, -w.imag.narrow(axis, 1, (n - 1) // 2).flip(axis)], dim=axis)


def dct3(x: Tensor, axis: int = -1) -> Tensor:
    """Cosine transform of type III, X_k = x_0 + 2 Σ_{0<j<n} x_j cos(π j (k+½) / n): :func:`dct2` run backwards.

    Args, source: as for :func:`dct2`; definition and normalisation of ``scipy.fft.dct(x, type=3)``.

    Example:
        >>> x = dct3(dct2(torch.tensor([1.0, 2.0]))) / 4
        >>> [round(value, 4) for value in x.tolist()]
        [1.0, 2.0]
    """
    n = x.shape[axis]
    half = n // 2
    zero = torch.zeros_like(x.narrow(axis, 0, 1))
    mirrored = torch.cat([zero, -x.narrow(axis, n - half, half).flip(axis)], dim=axis)
    w = torch.complex(x.narrow(axis, 0, half + 1), mirrored)
    v = torch.fft.irfft(w * _phases(half + 1, 0.5 / n, 0.0, w, axis), n=n, dim=axis, norm="forward")
    return _interleave(v.narrow(axis, 0, n - half), v.narrow(axis, n - half, half).flip(axis), axis)


def dst2(x: Tensor, axis: int = -1) -> Tensor:
    """Sine transform of type II, X_k = 2 Σ_{j<n} x_j sin(π (j+½)(k+1) / n); its inverse is :func:`dst3` / (2n).

    sin(π (j+½)(k+1) / n) = (−1)^j cos(π (j+½)(n−1−k) / n), so it is the reversed :func:`dct2` of (−1)^j x_j.

    Args, source: as for :func:`dct2`; definition and normalisation of ``scipy.fft.dst(x, type=2)``.

    Example:
        >>> dst2(torch.tensor([1.0]))
        tensor([2.])
    """
    return dct2(_alternate(x, axis), axis).flip(axis)


def dst3(x: Tensor, axis: int = -1) -> Tensor:
    """Sine transform of type III, X_k = (−1)^k x_{n−1} + 2 Σ_{j<n−1} x_j sin(π (j+1)(k+½) / n).

    Args, source: as for :func:`dct2`; definition and normalisation of ``scipy.fft.dst(x, type=3)``.

    Example:
        >>> x = dst3(dst2(torch.tensor([1.0, 2.0]))) / 4
        >>> [round(value, 4) for value in x.tolist()]
        [1.0, 2.0]
    """
    return _alternate(dct3(x.flip(axis), axis), axis)


def dct4(x: Tensor, axis: int = -1) -> Tensor:
    """Cosine transform of type IV, X_k = 2 Σ_{j<n} x_j cos(π (j+½)(k+½) / n); its own inverse up to 1 / (2n).

    For even n one complex Fourier transform of length n/2, because with φ = π (2j+½)(2k+½) / n::

        X_{2k} − i X_{n−1−2k} = 2 Σ_{j<n/2} (x_{2j} + i x_{n−1−2j}) e^{−iφ}

    and for odd n one of length n: its real parts are X_0, X_2, … and, as X_{2n−1−k} = −X_k, minus the odd ones.

    Args:
        x: real floating-point values, any shape, n ≥ 1 along ``axis``.
        axis: the axis to transform.

    Source: Britanak, Yip and Rao, Discrete Cosine and Sine Transforms (2007), section 4.4; definition and
        normalisation of ``scipy.fft.dct(x, type=4)``.

    Example:
        >>> x = dct4(dct4(torch.tensor([1.0, 2.0]))) / 4
        >>> [round(value, 4) for value in x.tolist()]
        [1.0, 2.0]
    """
    n = x.shape[axis]
    if n % 2:
        z = torch.complex(x, torch.zeros_like(x))
        z = torch.fft.fft(z * _phases(n, -0.5 / n, -0.25 / n, z, axis, size=2.0), dim=axis)
        c = (z * _phases(n, -1.0 / n, 0.0, z, axis)).real
        return _interleave(c.narrow(axis, 0, (n + 1) // 2), -c.narrow(axis, (n + 1) // 2, n // 2).flip(axis), axis)
    z = torch.complex(_every_second(x, axis, 0), _every_second(x, axis, 1).flip(axis))
    twiddle = _phases(n // 2, -1.0 / n, -0.125 / n, z, axis)
    z = torch.fft.fft(z * (2.0 * twiddle), dim=axis) * twiddle
    return _interleave(z.real, -z.imag.flip(axis), axis)


def dst4(x: Tensor, axis: int = -1) -> Tensor:
    """Sine transform of type IV, X_k = 2 Σ_{j<n} x_j sin(π (j+½)(k+½) / n); its own inverse up to 1 / (2n).

    It is (−1)^k times the :func:`dct4` of x reversed.

    Args, source: as for :func:`dct4`; definition and normalisation of ``scipy.fft.dst(x, type=4)``.

    Example:
        >>> x = dst4(dst4(torch.tensor([1.0, 2.0]))) / 4
        >>> [round(value, 4) for value in x.tolist()]
        [1.0, 2.0]
    """
    return _alternate(dct4(x.flip(axis), axis), axis)


def dst7(x: Tensor, axis: int = -1) -> Tensor:
    """Sine transform of type VII, X_k = 2 Σ_{j<n} x_j sin(π (j+1)(2k+1) / (2n+1)); its inverse is dst6 / (2n+1).

    With m = n − k the angle is π (j+1) minus 2π (j+1) m / (2n+1), so it is the Fourier transform of length 2n+1 of the
    odd extension of (−1)^j x_j, read backwards.

    Args:
        x: real floating-point values, any shape, n ≥ 1 along ``axis``.
        axis: the axis to transform.

    Source: Britanak, Yip and Rao, Discrete Cosine and Sine Transforms (2007), section 2.3 (without its scaling).

    Example:
        >>> x = dst6(dst7(torch.tensor([1.0, 2.0]))) / 5
        >>> [round(value, 4) for value in x.tolist()]
        [1.0, 2.0]
    """
    return _odd_sines(_alternate(x, axis), axis).flip(axis)


def dst6(x: Tensor, axis: int = -1) -> Tensor:
    """Sine transform of type VI, X_k = 2 Σ_{j<n} x_j sin(π (2j+1)(k+1) / (2n+1)): the transpose of :func:`dst7`.

    Args, source: as for :func:`dst7`.

    Example:
        >>> x = dst7(dst6(torch.tensor([1.0, 2.0]))) / 5
        >>> [round(value, 4) for value in x.tolist()]
        [1.0, 2.0]
    """
    return _alternate(_odd_sines(x.flip(axis), axis), axis)


def _odd_sines(x: Tensor, axis: int) -> Tensor:
    """2 Σ_{j<n} x_j sin(2π (j+1)(k+1) / (2n+1)), its own inverse up to 1 / (2n+1)."""
    zero = torch.zeros_like(x.narrow(axis, 0, 1))
    odd = torch.cat([zero, x, -x.flip(axis)], dim=axis)
    return -torch.fft.rfft(odd, dim=axis).narrow(axis, 1, x.shape[axis]).imag


def _phases(n: int, slope: float, start: float, like: Tensor, axis: int, size: float = 1.0) -> Tensor:
    """size · e^{iπ (slope k + start)} for k < n along ``axis``, in the complex dtype of ``like``; made in float64."""
    angle = math.pi * (slope * torch.arange(n, dtype=torch.float64, device=like.device) + start)
    return _along(torch.polar(torch.full_like(angle, size), angle).to(like.dtype), like, axis)


def _alternate(x: Tensor, axis: int) -> Tensor:
    """(−1)^j x_j along ``axis``."""
    signs = torch.ones(x.shape[axis], dtype=x.dtype, device=x.device)
    signs[1::2] = -1.0
    return x * _along(signs, x, axis)


def _along(values: Tensor, like: Tensor, axis: int) -> Tensor:
    """Values ``(n,)`` shaped to broadcast along ``axis`` of ``like``."""
    shape = [1] * like.ndim
    shape[axis] = values.numel()
    return values.reshape(shape)


def _every_second(x: Tensor, axis: int, start: int) -> Tensor:
    index = [slice(None)] * x.ndim
    index[axis] = slice(start, None, 2)
    return x[tuple(index)]


def _interleave(even: Tensor, odd: Tensor, axis: int) -> Tensor:
    """even_0, odd_0, even_1, … along ``axis``; ``even`` may have one entry more."""
    axis = axis % even.ndim
    pairs = odd.shape[axis]
    mixed = torch.stack([even.narrow(axis, 0, pairs), odd], dim=axis + 1).flatten(axis, axis + 1)
    if even.shape[axis] == pairs:
        return mixed
    return torch.cat([mixed, even.narrow(axis, pairs, 1)], dim=axis)
