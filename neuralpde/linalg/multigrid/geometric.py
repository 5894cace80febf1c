"""Geometric multigrid as a preconditioner: what planes and spaces share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuralpde.linalg.locks import Lock
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.preconditioners import Preconditioner
from neuralpde.linalg.stencil_operator import StencilOperator
from neuralpde.types import UsageError

Floats = NDArray[np.floating[Any]]

SMOOTHERS = ("auto", "points", "lines")


class GeometricMultigrid(Preconditioner):
    """M ≈ A⁻¹ by one symmetric V-cycle on the grid: interpolation from the operator itself, Galerkin coarse operators.

    For A = excess + Σ w (u_i − u_j) with w ≥ 0 and excess ≥ 0 on a grid of 1, 2 or 3 axes. Walls, solids of one cell,
    narrow gaps, open and periodic sides and coefficients that jump by 1e6 are all in the weights. Conjugate gradients
    come to 1e-6 in seven to twelve iterations around smooth solids and in rooms whatever the size, in up to twenty
    between thin walls and inclusions. Random porous solids and coefficients that jump from cell to cell take more, and
    there M="amg" is better; solves change over to it by themselves where M fails or is very slow. Where A is singular
    (parts of the fluid that no open boundary holds), constants of each such part are taken out of r and of M r. M is
    linear, fixed, symmetric and positive (semi-)definite. It works in float32 and is meant inside a float64 iteration.

    Args:
        shape: cells of each axis, for a matrix that is no :class:`StencilOperator`.
        mask: boolean, of this shape, True in the cells that are unknowns of such a matrix.
        smoother: "points" (Gauss–Seidel by colours), "lines" (whole rows and columns at once, where coefficients along
            one axis are much larger than along another), or "auto", which looks at the weights.

    Raises:
        UsageError: for an unknown smoother; from ``build`` for a matrix without ``shape``, one that is not of a grid,
            or negative weights or row sums.

    Source: Dendy, Black box multigrid, J. Comput. Phys. 48 (1982); Trottenberg, Oosterlee and Schüller, Multigrid
    (2001), sections 5.3 and 7.

    Example:
        >>> A = StencilOperator.poisson((64, 64), 1 / 64, boundary="open")
        >>> from neuralpde.linalg import solve_linear
        >>> solve_linear(A, torch.ones(64 * 64), M=GeometricMultigrid(), rtol=1e-6).iterations < 10
        True
    """

    def __init__(self, *, shape: Sequence[int] | None = None, mask: Any = None, smoother: str = "auto") -> None:
        if smoother not in SMOOTHERS:
            raise UsageError(f"unknown smoother {smoother!r}: expected one of {', '.join(SMOOTHERS)}")
        if mask is not None and shape is None:
            raise UsageError("a mask needs the shape of its grid: pass shape=mask.shape with it")
        self.shape, self.mask, self.smoother = shape, mask, smoother

    def build(self, A: LinearOperator) -> MultigridOperator:
        return MultigridOperator(A, self)

    def grid_operator(self, A: LinearOperator) -> StencilOperator:
        """A as the operator of its grid.

        Raises:
            UsageError: see the class.
        """
        if isinstance(A, StencilOperator):
            return A
        if self.shape is None:
            raise UsageError(
                f"geometric multigrid needs the grid of A, and {type(A).__name__} does not know it: pass "
                f"GeometricMultigrid(shape=...), a StencilOperator, or M='amg', which needs no grid"
            )
        return StencilOperator.from_csr(A, self.shape, self.mask)


class MultigridOperator(LinearOperator):
    """r → M r; what :meth:`GeometricMultigrid.build` returns.

    Attributes:
        hierarchy: the levels: ``levels`` (grids), ``memory_bytes``, ``operator_complexity``, ``cycle_bytes``.
    """

    def __init__(self, A: LinearOperator, method: GeometricMultigrid) -> None:
        super().__init__(A.shape, symmetric=True, positive_definite=True, dtype=A.dtype, device=A.device)
        self._method = method
        self.hierarchy: Any = None
        self._one_at_a_time = Lock()  # the levels work in arrays that they keep
        self.update(A)

    def update(self, A: LinearOperator) -> None:
        """Take another A on the same grid, such as the next step's coefficients.

        Raises:
            UsageError: when its shape differs, or as :class:`GeometricMultigrid` does.
        """
        if A.shape != self.shape:
            raise UsageError(f"an update needs A of shape {self.shape}, got {A.shape}: build again")
        grid = self._method.grid_operator(A)
        weights, excess = _without_flat_axes(grid)
        unit, mask = _power_of_two(_largest(weights, excess)), self._method.mask
        with self._one_at_a_time:
            self._unit = unit
            self._prepare(weights, excess)
        self._cells = None if A.shape == grid.shape else np.flatnonzero(np.asarray(mask).reshape(-1))

    def _prepare(self, weights: list[Floats], excess: Floats) -> None:
        from neuralpde.linalg.multigrid._components import Constants

        self.grid = excess.shape
        self._there: list[Any] = []
        self._constants = Constants(weights, excess, self._unit)
        excess = self._constants.excess
        if self.hierarchy is None:
            self.hierarchy = _hierarchy_of(self.grid)(weights, excess, self._method, 1.0 / self._unit)
        else:
            self.hierarchy.update(weights, excess, 1.0 / self._unit)

    def matvec(self, x: Tensor) -> Tensor:
        if x.ndim == 2:
            columns = [self.matvec(column) for column in x.unbind(1)]
            return torch.stack(columns, dim=1) if columns else x.clone()
        if self.device.type != "cpu" and self._cells is None:
            there = self._device_cycle()
            if there is not None:
                return there(x.detach().to(self.device), self.grid)  # type: ignore[no-any-return]
        r = x.detach().to("cpu").contiguous().numpy()
        if self._cells is None:
            z = self._cycle(r)
        else:
            wide = np.zeros(math.prod(self.grid), r.dtype)
            wide[self._cells] = r
            z = self._cycle(wide)[self._cells]
        return torch.from_numpy(z).to(self.device)

    def _device_cycle(self) -> Any:
        """The same cycle on the device of A, made when first asked for; ``None`` where it has no form there."""
        if not self._there:
            from neuralpde.linalg.multigrid._torch_cycle import device_cycle

            made = device_cycle(self.hierarchy, self._constants, self._unit, self.device)
            self._there = [made]
        return self._there[0]

    def _cycle(self, r: Floats) -> Floats:
        from neuralpde.linalg.multigrid._components import size_of

        size = size_of(r)
        if size == 0.0 or not math.isfinite(size):
            return np.full_like(r, 0.0 if size == 0.0 else np.nan)
        scale = _power_of_two(size)
        r, constants = self._constants.taken_out(r)
        with self._one_at_a_time:
            z = self.hierarchy(r.reshape(self.grid), 1.0 / scale, scale / self._unit)
        return self._constants.put_in(z.reshape(-1), constants)


def _hierarchy_of(grid: tuple[int, ...]) -> Any:
    """The class of the levels; imported here because it loads compiled loops."""
    if len(grid) == 2:
        from neuralpde.linalg.multigrid._plane_hierarchy import PlaneHierarchy

        return PlaneHierarchy
    from neuralpde.linalg.multigrid._space_hierarchy import SpaceHierarchy

    return SpaceHierarchy


def _without_flat_axes(A: StencilOperator) -> tuple[list[Floats], Floats]:
    """Weights and row sums of at least two axes, those of length 1 left out: their cells couple with themselves."""
    kept = [axis for axis, cells in enumerate(A.grid) if cells != 1]
    grid = tuple(A.grid[axis] for axis in kept)
    grid = (1,) * (2 - len(grid)) + grid
    weights = [A.weights[axis].detach().cpu().numpy().reshape(grid) for axis in kept]
    weights = [np.zeros(grid)] * (2 - len(weights)) + weights
    return weights, A.excess.detach().cpu().numpy().reshape(grid)


def _largest(weights: list[Floats], excess: Floats) -> float:
    """The largest weight or row sum; an error for negative ones."""
    from neuralpde.linalg.multigrid._extent import extent

    largest = 0.0
    for number, part in enumerate((*weights, excess)):
        low, high, _ = extent(part)
        if low < 0.0:
            cell = tuple(int(i) for i in np.unravel_index(int(part.argmin()), part.shape))
            name = f"weights of axis {number}" if number < len(weights) else "excess"
            raise UsageError(
                f"geometric multigrid needs an M-matrix, with weights and row sums ≥ 0, but the {name} at cell {cell} "
                f"is {low:.3g}: pass −A and −b if all signs are turned round, or use M='amg'"
            )
        largest = max(largest, high)
    return largest


def _power_of_two(size: float) -> float:
    """A power of two near a size: products with it are exact."""
    return 2.0 ** math.frexp(size)[1] if size > 0.0 else 1.0
