"""The operator of a grid: cells joined by weighted faces, as a pressure or diffusion equation has them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.linalg._stencil_action import (
    Arrays,
    compiled_action,
    in_bytes,
    sliced_action,
    stencil_diagonal,
    wants_gradient,
)
from neuralpde.linalg._stencil_poisson import poisson_parts
from neuralpde.linalg._stencil_recovery import recovered_parts
from neuralpde.linalg.algebra import diagonal_entries, number
from neuralpde.linalg.matrix import as_tensor, real_dtype
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.vectors import SMALLEST, empty, is_finite, smallest
from neuralpde.types import UsageError


class StencilOperator(LinearOperator):
    """The weighted graph Laplacian of a grid plus a diagonal, matrix-free.

    (A u)_i = excess_i u_i + Σ_{faces f = (i, j)} w_f (u_i − u_j)

    Written with differences and row sums, not with a diagonal: a sum of weights of 1e6 and 1 forgets the 1 in float32.
    A cell all of whose faces have weight 0 is isolated, such as one inside a solid; its row is ``excess`` alone.

    Args:
        weights: one array an axis, each of the shape of the grid (1, 2 or 3 axes, C order, last axis fastest).
            ``weights[a][i]`` couples cell i with its next neighbour along axis a. The last slice along a couples the
            last cells with the first ones on a periodic axis; it is 0 elsewhere.
        excess: row sums, of the shape of the grid; ``None`` is 0. Open boundaries and reaction add to it.

    Attributes:
        grid: number of cells of each axis.
        weights, excess: float64 tensors of the shape of the grid. Float64 arrays are taken without a copy, and what is
            found out about them (``nonnegative``, ``positive_definite``, casts) is kept: they must not change. Make
            another operator for other coefficients, or pass ``weight.copy()``.

    The operator takes x of shape ``(n,)`` or ``(n, k)``, n = prod(grid), in float32 or float64, and answers in that
    type. On the CPU without gradients it is one compiled pass over the grid; otherwise shifted slices of torch,
    differentiable with respect to x, ``weights`` and ``excess``.

    Raises:
        UsageError: when shapes do not fit, or for entries that are complex, NaN or Inf.

    Example:
        >>> A = StencilOperator([torch.tensor([1.0, 1.0, 0.0])], torch.tensor([1.0, 0.0, 0.0]))  # one open end
        >>> A.to_csr().toarray()
        array([[ 2., -1.,  0.],
               [-1.,  2., -1.],
               [ 0., -1.,  1.]])
    """

    def __init__(self, weights: Sequence[Any], excess: Any = None) -> None:
        axes = tuple(_field(f"weights[{axis}]", weight) for axis, weight in enumerate(weights))
        if not 1 <= len(axes) <= 3:
            raise UsageError(f"a grid has 1, 2 or 3 axes, each with its weights; got weights of {len(axes)} axes")
        grid = tuple(axes[0].shape)
        row_sums = torch.zeros_like(axes[0]) if excess is None else _field("excess", excess)
        for name, part in [*((f"weights[{axis}]", weight) for axis, weight in enumerate(axes)), ("excess", row_sums)]:
            if tuple(part.shape) != grid or len(grid) != len(axes):
                raise UsageError(
                    f"{name} has shape {tuple(part.shape)}; with weights of {len(axes)} axes each array must have the "
                    f"shape of the grid, {len(axes)} axes long, here that of weights[0], {grid}"
                )
            if part.device != axes[0].device:
                raise UsageError(f"{name} is on {part.device}, but weights[0] is on {axes[0].device}: move one of them")
        n = math.prod(grid)
        super().__init__((n, n), symmetric=True, dtype=torch.float64, device=axes[0].device)
        self.grid = grid
        self.weights = axes
        self.excess = row_sums
        self._arrays: dict[torch.dtype, tuple[list[np.ndarray], np.ndarray]] = {}
        self._kept: dict[torch.dtype, Arrays] = {}

    def matvec(self, x: Tensor) -> Tensor:
        x = x if x.dtype in (torch.float32, torch.float64) else x.double()
        if not self._is_compiled(x):
            weights, excess = [weight.to(x.dtype) for weight in self.weights], self.excess.to(x.dtype)
            return sliced_action(weights, excess, x.reshape(*self.grid, *x.shape[1:])).reshape(x.shape)
        rows = x.detach()[None] if x.ndim == 1 else x.detach().T
        y = empty(rows, x.dtype)
        for row, out in zip(rows, y, strict=True):
            self._act(row, out)
        return y[0] if x.ndim == 1 else y.T

    def matvec_dot(self, x: Tensor, out: Tensor | None = None) -> tuple[Tensor, float]:
        """A x and x · A x in one pass.

        Args:
            x: shape ``(n,)``; the sum is taken in its type within a row of the grid, in float64 over the rows.
            out: contiguous, like x, but not x itself: where A x is written. Fresh memory costs as much as the product.

        Raises:
            UsageError: when x is no vector of n numbers, or ``out`` cannot hold the answer.
        """
        if tuple(x.shape) != (self.shape[1],):
            raise UsageError(f"operator of shape {self.shape} needs a vector x here, got shape {tuple(x.shape)}")
        if out is not None and (out.shape != x.shape or out.dtype is not x.dtype or not out.is_contiguous()):
            raise UsageError(f"out must be contiguous, {x.dtype} of shape {tuple(x.shape)}, like x")
        if not self._is_compiled(x) or x.dtype not in (torch.float32, torch.float64):
            y = self.matvec(x)
            y = y if out is None else out.copy_(y)
            return y, float(x.detach().to(y.dtype) @ y.detach())
        y = empty(x, x.dtype) if out is None else out
        return y, self._act(x.detach(), y)

    def diagonal(self) -> Tensor:
        return stencil_diagonal(self.weights, self.excess).reshape(-1).clone()

    def to_csr(self) -> sp.csr_matrix:
        """A as a CSR matrix with sorted columns; zeros are not stored."""
        from neuralpde.linalg._stencil_matrix import stencil_matrix

        weights, excess = self._cast(torch.float64)
        return stencil_matrix(weights, excess)

    @cached_property
    def nonnegative(self) -> bool:
        """Whether all weights and row sums are ≥ 0: A is then an M-matrix, positive semi-definite at least."""
        parts = [part.detach() for part in (*self.weights, self.excess) if part.numel()]
        return all(smallest(part) >= 0.0 for part in parts)

    @cached_property
    def _definite(self) -> bool:
        from neuralpde.linalg._stencil_matrix import every_component_is_held

        return self.nonnegative and every_component_is_held(*self._cast(torch.float64))

    @property
    def positive_definite(self) -> bool:
        """Whether A is an M-matrix with a positive row sum in each component; looked up when first asked for."""
        return self._definite

    def to(self, device: torch.device | str) -> StencilOperator:
        """The same operator on another device."""
        return StencilOperator([weight.to(device) for weight in self.weights], self.excess.to(device))

    def merged(self, other: LinearOperator) -> StencilOperator | None:
        """A sum with an operator on the same grid, or with a diagonal, as of mass / Δt, stays one on the grid."""
        if isinstance(other, StencilOperator) and other.grid == self.grid and other.device == self.device:
            weights = [mine + theirs for mine, theirs in zip(self.weights, other.weights, strict=True)]
            return StencilOperator(weights, self.excess + other.excess)
        entries = diagonal_entries(other)
        if entries is not None and entries.numel() == self.shape[0] and entries.device == self.device:
            return StencilOperator(self.weights, self.excess + entries.reshape(self.grid))
        return None

    def __mul__(self, factor: Any) -> LinearOperator:
        value = number(factor)
        if value is None:
            return super().__mul__(factor)
        return StencilOperator([value * weight for weight in self.weights], value * self.excess)

    @classmethod
    def poisson(
        cls,
        grid: Sequence[int],
        spacing: float | Sequence[float] = 1.0,
        *,
        mask: Any = None,
        coefficient: Any = 1.0,
        boundary: Any = "wall",
        reaction: Any = 0.0,
    ) -> StencilOperator:
        """c p − div(k grad p) in the cells of a uniform grid, by finite volumes: the pressure system of a MAC grid.

        (A p)_i = c_i p_i + Σ_{faces f = (i, j)} k_f (p_i − p_j) / h_f²

        Args:
            grid: cells of each axis.
            spacing: h, one length, or one for each axis.
            mask: boolean, of the shape of the grid, True where p is unknown (the fluid). No flux enters other cells,
                whose rows are those of the identity. ``None``: all are unknown.
            coefficient: k. A number, one for each cell (a face has the harmonic mean of both sides, which keeps the
                flux right where k jumps), or a tuple of arrays of faces, one for each axis a, one longer than the grid
                along a: 1/ρ on the velocity faces of a MAC grid, times their open fractions where cells are cut.
            boundary: "wall" (no flux), "open" (p = 0 on the side's faces, half a cell from the centres) or "periodic"
                for all sides, or for each axis one of them or a pair (low, high).
            reaction: c ≥ 0, a number or one for each cell; 1/(k Δt) makes implicit diffusion.

        Raises:
            UsageError: for shapes, words or numbers that make no such system.

        Source: Harlow and Welch, Phys. Fluids 8 (1965), the discrete pressure equation.

        Example:
            >>> A = StencilOperator.poisson((2, 2), 0.5, boundary=("wall", ("wall", "open")))
            >>> A.to_csr().toarray()
            array([[ 8., -4., -4.,  0.],
                   [-4., 16.,  0., -4.],
                   [-4.,  0.,  8., -4.],
                   [ 0., -4., -4., 16.]])
        """
        return cls(*poisson_parts(grid, spacing, mask, coefficient, boundary, reaction))

    @classmethod
    def from_csr(cls, A: Any, shape: Sequence[int], mask: Any = None) -> StencilOperator:
        """The grid form of a matrix that couples neighbours of a grid, as scripts with ``scipy.sparse`` build it.

        Every entry off the diagonal becomes the weight of a face, w = −A_ij, and every row sum the excess, where sums
        that are 0 to rounding count as 0. Both signs are recovered; −4 on the diagonal gives negative weights. An entry
        that couples the two ends of an axis is a periodic face; on an axis of length 2 it is the plain one.

        Args:
            A: symmetric, ``(n, n)``: SciPy sparse matrix in any format, with duplicates and zeros as they come, dense
                matrix, or operator with ``to_csr``.
            shape: cells of each axis; unknowns are numbered with the last axis fastest.
            mask: boolean, of this shape, True in the cells that are unknowns of A. Then A has ``mask.sum()`` rows, and
                the operator found has all cells of the grid, the others with rows of the identity.

        Raises:
            UsageError: when A is no such matrix; the sentence says which rows are not, by their cells.

        Example:
            >>> A = sp.diags([[-1.0] * 3, [2.0] * 4, [-1.0] * 3], [-1, 0, 1])
            >>> StencilOperator.from_csr(A, (4,)).excess
            tensor([1., 0., 0., 1.], dtype=torch.float64)
        """
        return cls(*recovered_parts(A, shape, mask))

    @property
    def follows_gradients(self) -> bool:
        """Whether derivatives with respect to weights or row sums are wanted."""
        return torch.is_grad_enabled() and any(part.requires_grad for part in (*self.weights, self.excess))

    def _is_compiled(self, x: Tensor) -> bool:
        on_cpu = x.device.type == "cpu" and self.device.type == "cpu"
        return on_cpu and not self.follows_gradients and not wants_gradient(x)

    def _act(self, x: Tensor, out: Tensor) -> float:
        u, y = (part.numpy().reshape(self.grid) for part in (x.contiguous(), out))
        return compiled_action(self._parts(x.dtype), u, y)

    def _parts(self, dtype: torch.dtype) -> Arrays:
        """Weights and row sums as products with x of ``dtype`` read them, kept: as bytes where these say the same."""
        if dtype not in self._kept:
            weights, excess = self._cast(dtype)
            arrays = [*weights, excess]
            small = in_bytes(arrays) if dtype is torch.float64 and excess.size >= SMALLEST else None
            self._kept[dtype] = small or (arrays, (1.0,) * len(arrays))
        return self._kept[dtype]

    def _cast(self, dtype: torch.dtype) -> tuple[list[np.ndarray], np.ndarray]:
        """Weights and row sums as contiguous arrays of ``dtype``, kept."""
        if dtype not in self._arrays:
            parts = [part.detach().cpu().to(dtype).contiguous().numpy() for part in (*self.weights, self.excess)]
            self._arrays[dtype] = (parts[:-1], parts[-1])
        return self._arrays[dtype]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(grid={self.grid}, device='{self.device}')"


def _field(name: str, values: Any) -> Tensor:
    tensor = as_tensor(values)
    real_dtype(tensor.dtype)  # refuses complex numbers
    tensor = tensor.to(torch.float64)
    if not is_finite(tensor):
        bad = int((~torch.isfinite(tensor)).sum())
        raise UsageError(
            f"{name} holds {bad} NaN or Inf among {tensor.numel()} entries; weights and row sums are finite"
        )
    return tensor
