"""Finite-difference and Fourier derivatives along one axis of a uniform grid."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

ORDERS = (2, 6)


def stencil_weights(offsets: np.ndarray, derivative: int, slope_at: float | None = None) -> np.ndarray:
    """Weights w with u^(m)(0) ≈ Σ_j w_j u(o_j) [+ w_g u'(e)], exact for polynomials of the highest degree possible.

    They solve the moment equations Σ_j w_j o_j^k [+ w_g k e^(k−1)] = m! δ_km, k = 0 … number of weights − 1.

    Args:
        offsets: positions o_j in units of the spacing.
        derivative: m.
        slope_at: position e where the first derivative is also known (a Neumann end), or None.

    Returns:
        The weights of the values, followed by w_g where a slope is used.
    """
    count = len(offsets) + (slope_at is not None)
    k = np.arange(count)[:, None]
    system = np.asarray(offsets, dtype=float)[None, :] ** k
    if slope_at is not None:
        powers = np.array([0.0 if j == 0 else j * float(slope_at) ** (j - 1) for j in range(count)])
        system = np.column_stack([system, powers])
    moments = np.zeros(count)
    moments[derivative] = math.factorial(derivative)
    return np.linalg.solve(system, moments)


@dataclass(frozen=True)
class AxisDerivative:
    """The m-th derivative along one axis of n nodes.

    Central differences of the given order inside. Near an end that is not periodic the stencil turns one-sided with the
    same order; at a Neumann end it also uses the prescribed slope. With order 2 a Neumann end takes the mirrored ghost
    node, whose local error is first order but whose solution is second order, because that keeps the operator
    symmetric in the trapezoid inner product.

    Args:
        n: number of nodes.
        spacing: distance of nodes h.
        kinds: condition at the lower and upper end: ``"periodic"``, ``"dirichlet"``, ``"neumann"`` or ``"free"``.
        order: 2 or 6, or 0 for Fourier (periodic only).
        derivative: m, 1 or 2.
    """

    n: int
    spacing: float
    kinds: tuple[str, str]
    order: int
    derivative: int

    @property
    def reach(self) -> int:
        """Half width of the central stencil."""
        return self.order // 2

    @cached_property
    def central(self) -> np.ndarray:
        """Weights of the central stencil, divided by h^m."""
        offsets = np.arange(-self.reach, self.reach + 1)
        weights = stencil_weights(offsets, self.derivative)
        # Odd or even symmetry is exact in theory; make it so in floating point, for constants to have derivative zero.
        weights = 0.5 * (weights + (-1) ** self.derivative * weights[::-1])
        weights[self.reach] = -(weights.sum() - weights[self.reach])
        return weights / self.spacing**self.derivative

    @cached_property
    def closure(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Rows near the lower and upper end: blocks ``(reach, width)`` and the factors ``(reach,)`` of their slopes."""
        lower, lower_slope = self._end_rows(self.kinds[0])
        upper, upper_slope = self._end_rows(self.kinds[1])
        sign = (-1.0) ** self.derivative  # mirror the axis: d^m/dx^m changes sign for odd m
        # the slope's factor: mirrored slope is −u', so it takes one more sign
        return lower, lower_slope, sign * upper[::-1, ::-1], -sign * upper_slope[::-1]

    def _end_rows(self, kind: str) -> tuple[np.ndarray, np.ndarray]:
        m, h = self.derivative, self.spacing
        ghost = kind == "neumann" and self.order == 2
        width = min(self.n, self.order + m)
        block, slopes = np.zeros((self.reach, width)), np.zeros(self.reach)
        for row in range(self.reach):
            if kind == "neumann" and m == 1 and row == 0:
                slopes[row] = 1.0
            elif kind == "neumann":
                count = 2 if ghost else min(self.n, width - 1)
                weights = stencil_weights(np.arange(count) - row, m, slope_at=-row)
                block[row, :count] = weights[:-1] / h**m
                slopes[row] = weights[-1] * h / h**m
            else:
                block[row] = stencil_weights(np.arange(width) - row, m) / h**m
        return block, slopes

    def __call__(self, u: Tensor, axis: int, slopes: tuple[Tensor | None, Tensor | None] = (None, None)) -> Tensor:
        """Apply along ``axis`` of an array; ``slopes`` are ∂u/∂x at the lower and upper Neumann ends."""
        v = u.movedim(axis, 0)
        if self.order == 0:
            return self._spectral(v).movedim(0, axis)
        s, n = self.reach, self.n
        if self.kinds[0] == "periodic":
            padded = torch.cat([v[n - s :], v, v[:s]])
        else:
            zeros = torch.zeros_like(v[:s])
            padded = torch.cat([zeros, v, zeros])
        out = torch.zeros_like(v)
        for k, w in enumerate(self.central):
            if w != 0.0:
                out = torch.add(out, padded[k : k + n], alpha=float(w))
        if self.kinds[0] != "periodic":
            out = torch.cat([self._end(v, 0, slopes[0]), out[s : n - s], self._end(v, 1, slopes[1])])
        return out.movedim(0, axis)

    def _end(self, v: Tensor, side: int, slope: Tensor | None) -> Tensor:
        block, factors = self.closure[2 * side], self.closure[2 * side + 1]
        width = block.shape[1]
        near = v[self.n - width :] if side else v[:width]
        rows = torch.tensordot(torch.as_tensor(block.copy(), dtype=v.dtype, device=v.device), near, dims=1)
        if slope is not None:
            scale = torch.as_tensor(factors.copy(), dtype=v.dtype, device=v.device)
            rows = rows + scale.reshape(-1, *[1] * slope.ndim) * slope
        return rows

    def _spectral(self, v: Tensor) -> Tensor:
        k = torch.arange(self.n // 2 + 1, dtype=v.dtype, device=v.device) * (2 * math.pi / (self.n * self.spacing))
        symbol = (1j * k) ** self.derivative
        if self.derivative % 2 and self.n % 2 == 0:
            symbol[-1] = 0.0  # the odd derivative of the Nyquist mode is not a real function on the grid
        hat = torch.fft.rfft(v, dim=0)
        return torch.fft.irfft(symbol.reshape(-1, *[1] * (v.ndim - 1)) * hat, n=self.n, dim=0)

    def matrix(self) -> sp.csr_matrix:
        """The homogeneous part as a sparse matrix ``(n, n)`` (dense rows for Fourier)."""
        if self.order == 0:
            return sp.csr_matrix(self(torch.eye(self.n, dtype=torch.float64), 0).numpy())
        s, n = self.reach, self.n
        rows = sp.lil_matrix((n, n))
        periodic = self.kinds[0] == "periodic"
        for row in range(n) if periodic else range(s, n - s):
            for k, w in enumerate(self.central):
                rows[row, (row + k - s) % n] += w
        if not periodic:
            lower, _, upper, _ = self.closure
            rows[:s, : lower.shape[1]] = lower
            rows[n - s :, n - upper.shape[1] :] = upper
        return rows.tocsr()
