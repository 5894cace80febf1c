"""The fast direct solver for α u − β Δu on a uniform box: one transform, one division, one transform back."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.linalg.matrix import real_dtype
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.sine_cosine import dct1, dct2, dct3, dct4, dst1, dst2, dst3, dst6, dst7
from neuralpde.linalg.stencil import (
    KINDS,
    Kind,
    axis_eigenvalues,
    axis_matrix,
    minus_second_difference,
    trapezoid_weights,
)
from neuralpde.types import UsageError

Transform: TypeAlias = Callable[[Tensor, int], Tensor]

_TRANSFORMS: dict[Kind, tuple[Transform, Transform, Callable[[int], int]]] = {
    "dirichlet": (dst1, dst1, lambda n: 2 * (n + 1)),
    "neumann": (dct1, dct1, lambda n: 2 * (n - 1)),
    "neumann_cells": (dct2, dct3, lambda n: 2 * n),
    "dirichlet_cells": (dst2, dst3, lambda n: 2 * n),
    "neumann_dirichlet_cells": (dct4, dct4, lambda n: 2 * n),
    "dirichlet_neumann_faces": (dst7, dst6, lambda n: 2 * n + 1),
    # Mirror images turn the axis around, and need not care for the signs of their eigenvectors.
    "dirichlet_neumann_cells": (lambda u, i: dct4(u.flip(i), i), lambda u, i: dct4(u, i).flip(i), lambda n: 2 * n),
    "neumann_dirichlet_faces": (lambda u, i: dst7(u.flip(i), i), lambda u, i: dst6(u, i).flip(i), lambda n: 2 * n + 1),
}
"""Transform into the eigenvectors of an axis, back, and what both together multiply by."""


class BoxLaplacian(LinearOperator):
    """A u = α u − β Δ_h u on the nodes of a uniform box, with its exact inverse in O(n log n).

    Every axis is periodic (n nodes, h = L/n), Dirichlet (interior nodes, h = L/(n+1)) or Neumann (all nodes, both ends
    included, h = L/(n−1)), or has its unknowns at the cell centres or normal faces of a staggered grid, see
    :data:`~neuralpde.linalg.stencil.Kind`. Fourier, sine and cosine transforms diagonalise the 3-point stencil, with
    eigenvalues λ_k = (2 − 2 cos θ_k) / h² that add up over the axes. Boundary values are zero: move others to the
    right-hand side.

    Args:
        grid: unknowns along each axis, 1 to 3 axes.
        spacing: h along each axis, or one number for all.
        kinds: a :data:`~neuralpde.linalg.stencil.Kind` for each axis, or one word for all: "periodic", "dirichlet",
            "neumann" (nodes); "neumann_cells", "dirichlet_cells", "neumann_dirichlet_cells", "dirichlet_neumann_cells"
            (cell centres); "dirichlet_neumann_faces", "neumann_dirichlet_faces" (faces from a wall to an outflow).
        alpha, beta: coefficients; (0, 1) is Poisson, (1, Δt·diffusivity) an implicit heat step.
        spectral: use the exact k² on periodic axes instead of the stencil.
        dtype, device: of the operator.

    As an operator it acts on flat vectors, last axis fastest. With a "neumann" axis A is not symmetric, but
    diag(:meth:`weights`) A always is; every other kind is symmetric by itself.

    Raises:
        UsageError: for sizes, spacings or kinds that make no box.

    Source: Swarztrauber, The methods of cyclic reduction, Fourier analysis and the FACR algorithm for the discrete
    solution of Poisson's equation on a rectangle, SIAM Review 19 (1977).

    Example:
        >>> box = BoxLaplacian((3,), 0.25, "dirichlet")
        >>> box.solve(torch.ones(3, dtype=torch.float64))
        tensor([0.0938, 0.1250, 0.0938], dtype=torch.float64)
        >>> pressure = BoxLaplacian((4, 4), 0.25, ("dirichlet_neumann_cells", "neumann_cells"))
        >>> pressure.symmetric, pressure.positive_definite
        (True, True)
    """

    def __init__(
        self,
        grid: Sequence[int],
        spacing: float | Sequence[float],
        kinds: Kind | Sequence[Kind],
        alpha: float = 0.0,
        beta: float = 1.0,
        *,
        spectral: bool = False,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> None:
        self.grid = tuple(int(n) for n in grid)
        self.dim = len(self.grid)
        self.spacing: tuple[float, ...] = _one_each(spacing, self.dim)
        self.kinds: tuple[Kind, ...] = _one_each(kinds, self.dim)
        _check_box(self.grid, self.spacing, self.kinds)
        self.alpha, self.beta, self.spectral = float(alpha), float(beta), spectral
        closed = any("dirichlet" in kind for kind in self.kinds)
        # Two Neumann nodes are both ends, so that the weights are equal and A is symmetric after all.
        symmetric = all(n == 2 for n, kind in zip(self.grid, self.kinds, strict=True) if kind == "neumann")
        super().__init__(
            (math.prod(self.grid), math.prod(self.grid)),
            symmetric=symmetric,
            positive_definite=symmetric and beta >= 0.0 and alpha >= 0.0 and (alpha > 0.0 or (closed and beta > 0.0)),
            dtype=dtype,
            device=device,
        )
        self._periodic = tuple(i - self.dim for i, kind in enumerate(self.kinds) if kind == "periodic")
        values = self._axis_eigenvalues()
        if self._periodic:  # a real Fourier transform keeps half of the last axis it transforms
            last = self._periodic[-1]
            values[last] = values[last][: self.grid[last] // 2 + 1]
        self._eigenvalues = _outer_sum(values).to(self.device, dtype)

    def apply(self, u: Tensor) -> Tensor:
        """α u − β Δ_h u for u of shape ``(…, *grid)``."""
        laplace = torch.zeros_like(u)
        for axis, kind, h in self._axes():
            if kind == "periodic" and self.spectral:
                n = u.shape[axis]
                square = axis_eigenvalues(n, h, kind, spectral=True)[: n // 2 + 1].to(u)
                square = square.reshape([-1] + [1] * (-axis - 1))
                laplace = laplace + torch.fft.irfft(square * torch.fft.rfft(u, dim=axis), n=n, dim=axis)
            else:
                laplace = laplace + minus_second_difference(u, axis, kind, h)
        return self.alpha * u + self.beta * laplace

    def solve(self, rhs: Tensor, alpha: float | Tensor | None = None, beta: float | Tensor | None = None) -> Tensor:
        """u with α u − β Δ_h u = rhs; differentiable in rhs, α and β.

        When α = 0 and no axis has a Dirichlet end the constant is in the null space: it is taken out of rhs (in the
        trapezoid inner product) and u has mean zero. :meth:`incompatibility` says how much was taken out.

        Args:
            rhs: shape ``(…, *grid)``; integers become float64.
            alpha, beta: numbers or 0-d tensors; the operator's own by default.

        Raises:
            UsageError: when rhs does not end in the grid's shape, or is complex.
        """
        return self.divide(rhs, self.symbol(alpha, beta))

    def symbol(self, alpha: float | Tensor | None = None, beta: float | Tensor | None = None) -> Tensor:
        """α + β Σ λ, the eigenvalues in the layout of the transforms (halved along the last periodic axis)."""
        alpha = self.alpha if alpha is None else alpha
        beta = self.beta if beta is None else beta
        return alpha + beta * self._eigenvalues

    def divide(self, rhs: Tensor, symbol: Tensor) -> Tensor:
        """T⁻¹ (T rhs / symbol) with T the transform of this box; modes where the symbol is 0 are set to 0."""
        rhs = self._checked(rhs)
        zero = symbol == 0
        inverse = torch.where(zero, 0.0, 1.0 / torch.where(zero, 1.0, symbol)).to(rhs.dtype)
        inverse = inverse / self._normalisation()
        u = self._real_transforms(rhs)
        if self._periodic:
            sizes = [rhs.shape[axis] for axis in self._periodic]
            u = torch.fft.irfftn(torch.fft.rfftn(u, dim=self._periodic) * inverse, s=sizes, dim=self._periodic)
        else:
            u = u * inverse
        return self._real_transforms(u, back=True)

    def incompatibility(
        self, rhs: Tensor, alpha: float | Tensor | None = None, beta: float | Tensor | None = None
    ) -> Tensor:
        """|mean(rhs)| / rms(rhs) over the grid, shape ``(…)``: 0 when −Δu = rhs can be solved, 1 for a constant.

        Means are trapezoid means. It is 0 for every rhs when the operator with these α and β is not singular.
        """
        rhs = self._checked(rhs)
        axes = tuple(range(-self.dim, 0))
        w = (self.weights() / self.weights().sum()).to(rhs)
        mean, square = (w * rhs).sum(axes), (w * rhs.square()).sum(axes)
        singular = bool((self.symbol(alpha, beta) == 0).any())
        ratio = torch.where(square > 0, mean.abs() / square.sqrt(), torch.zeros_like(mean))
        return ratio if singular else torch.zeros_like(ratio)

    def weights(self) -> Tensor:
        """Trapezoid weights in units of a cell, shape ``grid``: 1, halved at each end of a "neumann" axis."""
        # Sums of logarithms, so that one outer sum serves here and for the eigenvalues; powers of two stay exact.
        logarithms = [trapezoid_weights(n, kind).log2() for n, kind in zip(self.grid, self.kinds, strict=True)]
        return _outer_sum(logarithms).exp2().to(self.device, self.dtype)

    def matvec(self, x: Tensor) -> Tensor:
        if x.ndim == 2:
            return self.apply(x.T.reshape(-1, *self.grid)).reshape(x.shape[1], -1).T
        return self.apply(x.reshape(self.grid)).reshape(-1)

    def rmatvec(self, x: Tensor) -> Tensor:
        # W A is symmetric, so Aᵀ = W A W⁻¹.
        w = self.weights().reshape(-1).to(x)
        w = w if x.ndim == 1 else w[:, None]
        return w * self.matvec(x / w)

    def diagonal(self) -> Tensor:
        # Constant along a periodic axis, also of the spectral operator: the mean of the eigenvalues (trace / n).
        diagonals = [
            axis_eigenvalues(n, h, kind, spectral=self.spectral).mean().expand(n)
            if kind == "periodic"
            else torch.from_numpy(axis_matrix(n, h, kind).diagonal())
            for n, h, kind in zip(self.grid, self.spacing, self.kinds, strict=True)
        ]
        return (self.alpha + self.beta * _outer_sum(diagonals)).reshape(-1).to(self.device, self.dtype)

    def to_csr(self) -> sp.csr_matrix:
        if self.spectral and self._periodic:
            return super().to_csr()
        laplace = sp.csr_matrix((1, 1))
        for n, h, kind in zip(self.grid, self.spacing, self.kinds, strict=True):
            laplace = sp.kronsum(axis_matrix(n, h, kind), laplace, format="csr")
        return sp.csr_matrix(self.alpha * sp.identity(self.shape[0]) + self.beta * laplace)

    def _axes(self) -> list[tuple[int, Kind, float]]:
        """(axis counted from the end, kind, h), because leading axes of an array are batches."""
        return list(zip(range(-self.dim, 0), self.kinds, self.spacing, strict=True))

    def _axis_eigenvalues(self) -> list[Tensor]:
        return [axis_eigenvalues(self.grid[i], h, kind, spectral=self.spectral) for i, kind, h in self._axes()]

    def _real_transforms(self, u: Tensor, *, back: bool = False) -> Tensor:
        for axis, kind, _ in self._axes():
            if kind != "periodic":
                forth, backward, _ = _TRANSFORMS[kind]
                u = (backward if back else forth)(u, axis)
        return u

    def _normalisation(self) -> float:
        """What the sine and cosine transforms forth and back multiply by."""
        axes = [(n, kind) for n, kind in zip(self.grid, self.kinds, strict=True) if kind != "periodic"]
        return math.prod(_TRANSFORMS[kind][2](n) for n, kind in axes)

    def _checked(self, values: Tensor) -> Tensor:
        if tuple(values.shape[-self.dim :]) != self.grid:
            raise UsageError(f"values have shape {tuple(values.shape)}, expected (..., {str(self.grid)[1:]}")
        return values.to(real_dtype(values.dtype))


def _outer_sum(values: Sequence[Tensor]) -> Tensor:
    """values[0][i] + values[1][j] + …, shape ``(i, j, …)``."""
    total = values[0]
    for more in values[1:]:
        total = total[..., None] + more
    return total


def _one_each(value: object, dim: int) -> tuple[Any, ...]:
    """A value for each axis from one for all or a sequence."""
    return (value,) * dim if isinstance(value, str | int | float) else tuple(value)  # type: ignore[arg-type, var-annotated]


def _check_box(grid: tuple[int, ...], spacing: tuple[float, ...], kinds: tuple[Kind, ...]) -> None:
    if not 1 <= len(grid) <= 3:
        raise UsageError(f"a box has 1 to 3 axes, got grid {grid}")
    if len(spacing) != len(grid) or len(kinds) != len(grid):
        raise UsageError(f"grid {grid} needs one spacing and one kind per axis, got {spacing} and {kinds}")
    for n, h, kind in zip(grid, spacing, kinds, strict=True):
        if kind not in KINDS:
            nearest = difflib.get_close_matches(str(kind), KINDS, n=1, cutoff=0.0)[0]
            raise UsageError(f"unknown kind {kind!r}: did you mean {nearest!r}? Known: {', '.join(KINDS)}")
        if not (math.isfinite(h) and h > 0.0):
            raise UsageError(f"spacing must be positive, got {h}")
        if n < (2 if kind == "neumann" else 1):
            raise UsageError(f"a {kind} axis needs at least {2 if kind == 'neumann' else 1} nodes, got {n}")
