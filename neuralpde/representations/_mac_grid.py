"""The staggered (MAC) grid of incompressible flow, with its discrete operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from neuralpde.geometry import Box, Condition, Outflow, Solid
from neuralpde.representations._cell_field import CellField
from neuralpde.representations._cut_cells import CutCells
from neuralpde.representations._face_velocity import FaceVelocity
from neuralpde.representations._product import Product
from neuralpde.representations._staggered import average, difference


class MacGrid(Product):
    """Velocity on the faces of N_1 × … × N_d cells, pressure in their midpoints.

    Divergence D and gradient G are each other's negative adjoints in the inner products of cells and of faces, so the
    projection u − G (D G)⁻¹ D u is orthogonal: it never adds kinetic energy. Everything takes arrays ``(…, *shape)``;
    leading dimensions are cases of a batch.

    Args:
        domain, conditions, dtype, device: as for :class:`FaceVelocity`.
        shape: cells per axis (one number serves all).
        solid: a body at rest inside the domain; see :class:`CutCells`.

    Source: Harlow & Welch, Physics of Fluids 8 (1965); the advective form is theirs too and conserves energy.

    Example:
        >>> from neuralpde.geometry import Dirichlet
        >>> MacGrid(Box((0.0, 0.0), (1.0, 1.0)), (Dirichlet(0.0),), shape=8).num_dofs
        176
    """

    def __init__(
        self,
        domain: Box,
        conditions: tuple[Condition, ...] = (),
        *,
        shape: int | Sequence[int] = 64,
        solid: Solid | None = None,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> None:
        self.velocity = FaceVelocity(domain, conditions, shape=shape, solid=solid, dtype=dtype, device=device)
        self.solid, self.cut = solid, None if solid is None else CutCells(self.velocity, solid)
        closed = None if self.cut is None else self._closed_cells()
        self.pressure = CellField(domain, conditions, shape=shape, closed=closed, dtype=dtype, device=device)
        super().__init__(velocity=self.velocity, pressure=self.pressure)
        self.cells, self.spacing = self.velocity.cells, self.velocity.spacing

    @classmethod
    def for_problem(cls, problem: Any, shape: int | Sequence[int] = 64, **options: Any) -> MacGrid:
        """A staggered grid on a flow's domain with its conditions and its solid."""
        return cls(problem.domain, problem.conditions, shape=shape, solid=problem.solid, **options)

    def _closed_cells(self) -> Tensor:
        """Cells all of whose faces are closed, a bool array."""
        out = torch.ones(self.velocity.cells, dtype=torch.bool, device=self.velocity.device)
        for i, n in enumerate(self.velocity.cells):
            area = self.velocity.open[i]
            upper = area.roll(-1, i) if self.velocity.boundary.periodic[i] else area.narrow(i, 1, n)
            out &= (area.narrow(i, 0, n) == 0) & (upper == 0)
        return out

    @property
    def pressure_fixed(self) -> bool:
        """Whether an open face fixes the pressure's level."""
        return bool(self.boundary.faces_with(Outflow))

    def divergence(self, faces: Sequence[Tensor]) -> Tensor:
        """D u in the cells, ``(…, *cells)``, from all faces; with a solid D A u."""
        total: Tensor | None = None
        if self.cut is not None:
            faces = [area * u for area, u in zip(self.cut.areas, faces, strict=True)]
        for i, (u, h) in enumerate(zip(faces, self.spacing, strict=True)):
            axis = i - self.dim
            if self.boundary.periodic[i]:
                u = torch.cat([u, u.narrow(axis, 0, 1)], dim=axis)
            part = difference(u, axis, h)
            total = part if total is None else total + part
        assert total is not None
        return total

    def gradient(self, p: Tensor) -> list[Tensor]:
        """G p on all faces, one array per component; at walls the data hold the velocity and G p is 0.
        It is 0 on closed faces."""
        out = []
        for i, h in enumerate(self.spacing):
            axis = i - self.dim
            slope = difference(self.pressure.padded(p, i), axis, h)
            slope = slope.narrow(axis, 0, self.cells[i]) if self.boundary.periodic[i] else slope
            out.append(slope if self.cut is None else slope * self.cut.live[i])
        return out

    def laplacian(self, u: Tensor, i: int, t: float) -> Tensor:
        """Δ_h u_i on all faces of component i by the 3-point stencil along every axis; with a solid see
        :class:`CutCells`."""
        if self.cut is not None:
            return self.cut.laplacian(u, i, t)
        total = torch.zeros_like(u)
        for a, h in enumerate(self.spacing):
            axis = a - self.dim
            wide = self.velocity.padded(u, i, a, t)
            total = total + difference(difference(wide, axis, h), axis, h)
        return total

    def advection(self, faces: Sequence[Tensor], t: float) -> list[Tensor]:
        """Σ_a ∂_a(u_a u_i) on all faces of every component i, fluxes of averaged velocities."""
        out = self.outflow_of_momentum(faces, t)
        return out if self.cut is None else [o * w for o, w in zip(out, self.cut.inverse, strict=True)]

    def outflow_of_momentum(self, faces: Sequence[Tensor], t: float) -> list[Tensor]:
        """The same times the open fractions: sums of fluxes, closed faces included.

        What carries is A u, whose averages are free of divergence around every face where D A u = 0: fluxes of averages
        then keep Σ A u² as they do without a solid.
        """
        carriers = faces if self.cut is None else [a * u for a, u in zip(self.cut.areas, faces, strict=True)]
        return [self._advected(faces, carriers, i, t) for i in range(self.dim)]

    def _advected(self, faces: Sequence[Tensor], carriers: Sequence[Tensor], i: int, t: float) -> Tensor:
        total = torch.zeros_like(faces[i])
        for a, h in enumerate(self.spacing):
            axis = a - self.dim
            carried = average(self.velocity.padded(faces[i], i, a, t), axis)
            if a == i:
                # in the midpoints of the cells
                flux = carried * (
                    carried if self.cut is None else average(self.velocity.padded(carriers[i], i, i, t), axis)
                )
            else:
                # u_a where the edges are: between two faces of component i along a, two faces of a along i
                carrier = average(self.velocity.padded(carriers[a], a, i, t), i - self.dim)
                flux = carried * self._on_edges(carrier, a, i)
            total = total + difference(flux, axis, h)
        return total

    def _on_edges(self, carrier: Tensor, a: int, i: int) -> Tensor:
        """Averages of u_a along i as the fluxes of component i along a need them.

        Padding and averaging gives one more value than cells along i: N_i + 1 edges. A periodic component i has N_i
        faces along i (the last edge is the first); a periodic axis a has N_a faces of u_a and N_a + 1 edges.
        """
        if self.boundary.periodic[i]:
            carrier = carrier.narrow(i - self.dim, 0, self.cells[i])
        if self.boundary.periodic[a]:
            axis = a - self.dim
            carrier = torch.cat([carrier, carrier.narrow(axis, 0, 1)], dim=axis)
        return carrier

    def config(self) -> dict[str, Any]:
        return {**self.velocity.config(), "kind": "mac_grid"}
