"""Field on a uniform grid: θ are the values at the nodes that no Dirichlet condition fixes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.fields import Field, Jet, check_needs
from neuralpde.geometry import Box, Condition, Dirichlet, Grid, Neumann, Periodic, Quadrature
from neuralpde.representations._base import Projection, Representation
from neuralpde.representations._interpolation import fourier_interpolate, interpolate
from neuralpde.representations._stencils import ORDERS, AxisDerivative
from neuralpde.types import Status, UsageError

KINDS = {Periodic: "periodic", Dirichlet: "dirichlet", Neumann: "neumann", type(None): "free"}


class GridField(Representation):
    """u at the nodes of a uniform vertex-centred grid, derivatives by stencils.

    Dirichlet nodes carry their data and are no unknowns; Neumann data enter the stencils; faces without a condition get
    one-sided stencils. Between nodes: Lagrange interpolation of order 4 (``order=2``) or 8 (``order=6``), or the
    Fourier series itself.

    Args:
        domain, conditions, channels, dtype, device: as for every representation.
        shape: nodes per axis (one number serves all).
        order: 2, 6, or ``"fourier"`` (periodic along every axis).

    Raises:
        UsageError: for another order, ``"fourier"`` on a domain that is not periodic, or too few nodes.

    Example:
        >>> GridField(Box((0.0,), (1.0,)), (Dirichlet(0.0),), shape=11).num_dofs
        9
    """

    def __init__(
        self,
        domain: Box,
        conditions: tuple[Condition, ...] = (),
        channels: int = 1,
        *,
        shape: int | Sequence[int] = 64,
        order: int | str = 2,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(domain, conditions, channels, dtype, device)
        if order not in (*ORDERS, "fourier"):
            raise UsageError(f"the orders of a grid field are 2, 6 and 'fourier'; got {order!r}.")
        if order == "fourier" and not all(self.boundary.periodic):
            raise UsageError("order='fourier' needs a domain that is periodic along every axis; use order=6 here.")
        self.order = order
        self.grid = Grid(domain, shape, self.boundary.periodic)  # type: ignore[arg-type]
        if order == 6 and min(self.grid.shape) < 9:
            raise UsageError(f"order=6 needs at least 9 nodes along each axis; got {self.grid.shape}.")
        self.nodes = self.grid.points(dtype, self.device)
        self.fixed, self.fixed_data = self._dirichlet_nodes()
        self.free = torch.nonzero(~self.fixed)[:, 0]
        self.points = self.nodes[self.free] if self.fixed.any() else self.nodes
        self.derivatives = {m: [self._axis(i, m) for i in range(self.dim)] for m in (1, 2)}

    @classmethod
    def for_problem(cls, problem: Any, shape: int | Sequence[int] = 64, **options: Any) -> GridField:
        """A grid field on a problem's domain with its conditions."""
        return cls(problem.domain, problem.conditions, problem.channels, shape=shape, **options)

    def _axis(self, i: int, m: int) -> AxisDerivative:
        ends = [self.boundary.on(i, side) for side in (0, 1)]
        for end in ends:
            if type(end) not in KINDS:
                raise UsageError(f"a grid field takes Dirichlet, Neumann and Periodic conditions; got {end}.")
        kinds = (KINDS[type(ends[0])], KINDS[type(ends[1])])
        order = 0 if self.order == "fourier" else int(self.order)
        return AxisDerivative(self.grid.shape[i], self.grid.spacing[i], kinds, order, m)

    def _dirichlet_nodes(self) -> tuple[Tensor, list[tuple[Tensor, Dirichlet]]]:
        """Mask of fixed nodes, and per Dirichlet face its node numbers and data (corners: the first face)."""
        index = torch.arange(self.nodes.shape[0], device=self.device).reshape(self.grid.shape)
        fixed = torch.zeros(self.nodes.shape[0], dtype=torch.bool, device=self.device)
        data = []
        for axis, side, condition in self.boundary.faces_with(Dirichlet):
            face = index.select(axis, -1 if side else 0).reshape(-1)
            face = face[~fixed[face]]
            fixed[face] = True
            assert isinstance(condition, Dirichlet)
            data.append((face, condition))
        return fixed, data

    @property
    def num_dofs(self) -> int:
        return self.points.shape[0] * self.channels

    def initial(self, generator: torch.Generator | None = None) -> Tensor:
        """Zeros."""
        return torch.zeros(self.num_dofs, dtype=self.dtype, device=self.device)

    def full(self, theta: Tensor, t: float) -> Tensor:
        """All nodal values with the Dirichlet data of time t, ``(*shape, c)``."""
        values = theta.reshape(-1, self.channels)
        if self.fixed_data:
            every = values.new_zeros(self.nodes.shape[0], self.channels)
            for face, condition in self.fixed_data:
                every[face] = condition.at(t, self.nodes[face], self.channels).to(every.dtype)
            values = every.index_copy(0, self.free, values)
        return values.reshape(*self.grid.shape, self.channels)

    def slopes(self, axis: int, t: float) -> tuple[Tensor | None, Tensor | None]:
        """∂u/∂x_axis prescribed at the lower and upper face (outward derivative times −1 and +1), or None."""
        out: list[Tensor | None] = []
        for side in (0, 1):
            condition = self.boundary.on(axis, side)
            if isinstance(condition, Neumann):
                index = torch.arange(self.nodes.shape[0], device=self.device).reshape(self.grid.shape)
                face = index.select(axis, -1 if side else 0)
                g = condition.at(t, self.nodes[face.reshape(-1)], self.channels).to(self.dtype)
                out.append((g if side else -g).reshape(*face.shape, self.channels))
            else:
                out.append(None)
        return out[0], out[1]

    def nodal_jet(self, full: Tensor, t: float, needs: frozenset[str]) -> dict[str, Tensor]:
        """Value and derivative arrays at all nodes; gradient and Hessian carry their axes last."""
        check_needs(needs)
        out = {"value": full}
        slopes = [self.slopes(i, t) for i in range(self.dim)] if needs - {"value"} else []
        if needs & {"grad", "hess"}:
            firsts = [self.derivatives[1][i](full, i, slopes[i]) for i in range(self.dim)]
            out["grad"] = torch.stack(firsts, dim=-1)
        if needs & {"laplacian", "hess"}:
            seconds = [self.derivatives[2][i](full, i, slopes[i]) for i in range(self.dim)]
            out["laplacian"] = torch.stack(seconds).sum(0)
        if "hess" in needs:
            mixed = {
                (i, j): self.derivatives[1][i](firsts[j], i, self._slopes_along(slopes[i], i, j))
                for i in range(self.dim)
                for j in range(i + 1, self.dim)
            }
            rows = [
                [seconds[i] if i == j else mixed[min(i, j), max(i, j)] for j in range(self.dim)]
                for i in range(self.dim)
            ]
            out["hess"] = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
        return out

    def _slopes_along(
        self, slopes: tuple[Tensor | None, Tensor | None], i: int, j: int
    ) -> tuple[Tensor | None, Tensor | None]:
        """∂/∂x_j of the slopes prescribed at the faces of axis i: the slopes of ∂u/∂x_j there."""
        kinds = ("periodic", "periodic") if self.boundary.periodic[j] else ("free", "free")
        order = 0 if self.order == "fourier" else int(self.order)
        along = AxisDerivative(self.grid.shape[j], self.grid.spacing[j], kinds, order, 1)
        lower, upper = (None if g is None else along(g, j if j < i else j - 1) for g in slopes)
        return lower, upper

    def at(self, theta: Tensor, t: float = 0.0) -> GridFieldAt:
        return GridFieldAt(self, theta, t)

    def project(
        self, target: Callable[[Tensor], Tensor], t: float = 0.0, guess: Tensor | None = None, **_: Any
    ) -> Projection:
        """Sampling at the free nodes: exact there."""
        begin = time.perf_counter()
        theta = target(self.points).to(self.dtype).reshape(-1)
        return Projection(theta.clone(), 0.0, Status.COMPLETED, 0, time.perf_counter() - begin)

    def quadrature(self, n: int | None = None) -> Quadrature:
        """All nodes, those with Dirichlet data too, with trapezoid weights (their number is fixed by the grid)."""
        return Quadrature(self.nodes, self.grid.weights(self.dtype, self.device))

    def interpolate(self, values: Tensor, x: Tensor) -> Tensor:
        """Nodal arrays ``(*shape, k)`` at points ``(n, d)``, ``(n, k)``."""
        if self.order == "fourier":
            return fourier_interpolate(values, self.grid, x)
        return interpolate(values, self.grid, x, 8 if self.order == 6 else 4)

    def matrix(self, name: str, axes: tuple[int, ...] = ()) -> sp.csr_matrix:
        """Sparse matrix of a derivative on the free nodes, one channel: ``"grad"`` with one axis, ``"laplacian"``, or
        ``"hess"`` with two axes. Boundary data are not part of it (it is the derivative of the jet by θ)."""
        if name == "laplacian":
            total = sum(self._kron({i: self.derivatives[2][i].matrix()}) for i in range(self.dim))
        elif name == "grad":
            total = self._kron({axes[0]: self.derivatives[1][axes[0]].matrix()})
        elif axes[0] == axes[1]:
            total = self._kron({axes[0]: self.derivatives[2][axes[0]].matrix()})
        else:
            total = self._kron({i: self.derivatives[1][i].matrix() for i in axes})
        free = self.free.cpu().numpy()
        return sp.csr_matrix(total)[free][:, free]

    def _kron(self, factors: dict[int, sp.csr_matrix]) -> sp.csr_matrix:
        out = sp.identity(1, format="csr")
        for i, n in enumerate(self.grid.shape):
            out = sp.kron(out, factors.get(i, sp.identity(n, format="csr")), format="csr")
        return out

    def config(self) -> dict[str, Any]:
        order = self.order if isinstance(self.order, str) else int(self.order)
        name = str(self.dtype).removeprefix("torch.")
        return {
            "kind": "grid",
            "shape": [int(n) for n in np.atleast_1d(self.grid.shape)],
            "order": order,
            "dtype": name,
        }


class GridFieldAt(Field):
    """The grid field of one θ at one time."""

    def __init__(self, representation: GridField, theta: Tensor, t: float) -> None:
        self.representation, self.t = representation, t
        self.full = representation.full(theta, t)

    def __call__(self, x: Tensor) -> Tensor:
        r = self.representation
        if x is r.points:
            return self.full.reshape(-1, r.channels)[r.free]
        return r.interpolate(self.full, x)

    def jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        r = self.representation
        arrays = r.nodal_jet(self.full, self.t, needs)
        parts = {}
        for name, array in arrays.items():
            trailing = array.shape[r.dim :]
            flat = array.reshape(*r.grid.shape, -1)
            at = flat.reshape(-1, flat.shape[-1])[r.free] if x is r.points else r.interpolate(flat, x)
            parts[name] = at.reshape(-1, *trailing)
        return Jet(**parts)
