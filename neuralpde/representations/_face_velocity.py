"""Velocity on the faces of the cells of a box: component i at the faces normal to axis i."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from neuralpde.fields import Field, Jet
from neuralpde.geometry import Bodies, Box, Condition, Dirichlet, Grid, Neumann, Outflow, Quadrature, Solid
from neuralpde.representations._base import Projection, Representation
from neuralpde.representations._boundary_flux import BoundaryFlux
from neuralpde.representations._cubic import CubicAxis, Stencil, cubic
from neuralpde.representations._difference_jet import difference_jet
from neuralpde.representations._past_walls import continued_velocity
from neuralpde.representations._sections import periodic_distance, section
from neuralpde.representations._staggered import ends, inside, pad
from neuralpde.representations._thin_solids import severed
from neuralpde.types import Status, UsageError

_SLIVER = 1e-3
"""Faces less open than this are closed: they carry nothing and only make matrices stiff."""


class FaceVelocity(Representation):
    """u_i at the midpoints of the cell faces normal to axis i (Harlow and Welch's staggered grid, MAC).

    With N_i cells along axis i a component has N_i faces along its own axis where that is periodic, N_i + 1 otherwise;
    faces on walls and inflows carry their data and are no unknowns, those of an outflow are. θ holds the free faces,
    component after component, the last axis running fastest.

    Beyond a wall a tangential component continues as 2g − u (g the wall's velocity), beyond a wall without friction and
    an outflow as u: what differences see. Between the faces: cubic interpolation, for which g is a value on the wall.

    Args:
        domain, conditions, dtype, device: as for every representation; the conditions of a velocity.
        shape: cells per axis (one number serves all).
        solid: a body at rest. Faces have an open fraction; the velocity is 0 on closed ones, which stay in θ. Walls
            thinner than a cell close the faces beside them, see :func:`severed`.

    Raises:
        UsageError: for fewer than four cells along an axis, faces without a condition, :class:`Neumann` conditions,
            or a body that fills the domain, or cuts no face.

    Source: Harlow & Welch, Physics of Fluids 8 (1965).
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
        super().__init__(domain, conditions, domain.dim, dtype, device)
        periodic = self.boundary.periodic
        asked = (shape,) if isinstance(shape, int) else tuple(shape)
        if any(isinstance(n, int) and n < 4 for n in asked):  # before Grid, which counts nodes and speaks of those
            raise UsageError(f"a staggered grid needs at least 4 cells along each axis; got {shape}.")
        self.cells = Grid(domain, shape, (True,) * domain.dim).shape  # type: ignore[arg-type]  # n cells, spacing L/n
        self.spacing = tuple(length / n for length, n in zip(domain.lengths, self.cells, strict=True))
        for face in domain.faces:
            condition = self.boundary.on(*domain.face(face))
            if condition is None or isinstance(condition, Neumann):
                raise UsageError(
                    f"a staggered grid needs Dirichlet, FreeSlip, Outflow or Periodic on every face; {face} has "
                    f"{condition}."
                )
        d = domain.dim
        self.shapes = [tuple(n + (a == i and not periodic[a]) for a, n in enumerate(self.cells)) for i in range(d)]
        """Per component the faces along each axis, fixed ones included."""
        self.free = [self._free(i) for i in range(d)]
        self.sizes = [
            math.prod(len(range(*s.indices(n))) for s, n in zip(f, full, strict=True))
            for f, full in zip(self.free, self.shapes, strict=True)
        ]
        self.lattices = [[CubicAxis(n, periodic[a], a != i) for a, n in enumerate(self.cells)] for i in range(d)]
        """Per component and axis where the values of :meth:`continued` stand."""
        self.points = [self._points(i) for i in range(d)]
        """Per component the midpoints of its free faces, ``(n_i, d)``."""
        self.solid = solid
        self.flux = BoundaryFlux(self)
        self.open: list[Tensor] = []
        """With a solid: per component the open fractions A of all faces."""
        self.offsets: list[dict[int, Tensor]] = []
        """With a solid: per component and other axis the middle of the open part less that of the face."""
        if solid is not None:
            self._cut(solid)

    def _cut(self, solid: Solid) -> None:
        if solid.dim not in (None, self.dim):
            raise UsageError(f"the solid is {solid.dim}D, the domain {self.dim}D.")
        self.open, self.offsets = self._sections(solid)
        if not any(bool((area > 0).any()) for area in self.open):
            raise UsageError("the solid fills the whole domain.")
        for part in _bodies(solid):
            areas = self.open if part is solid else self._sections(part)[0]
            if not any(bool((area < 1).any()) for area in areas):
                raise UsageError(
                    f"{part} cuts no face of the grid: it lies outside the domain {self.domain}, or is smaller than a "
                    f"cell of {' × '.join(f'{h:.3g}' for h in self.spacing)}; move it, use more cells, or leave it out."
                )

    def _sections(self, solid: Solid) -> tuple[list[Tensor], list[dict[int, Tensor]]]:
        """Open fractions of all faces, and the middles of their open parts."""
        distance = periodic_distance(solid, self.boundary.periods, self.spacing)
        centres = [self.axis((a + 1) % self.dim, a) for a in range(self.dim)]
        areas, middles = list[Tensor](), list[dict[int, Tensor]]()
        for i in range(self.dim):
            axes = [self.axis(i, a) for a in range(self.dim)]
            area, offsets = section(distance, axes, i, self.spacing)
            closed = (area < _SLIVER) | severed(distance, centres, i, axes, offsets, self.spacing)
            areas.append(area.masked_fill(closed, 0.0))
            middles.append({a: offset.masked_fill(closed, 0.0) for a, offset in offsets.items()})
        return areas, middles

    def _free(self, i: int) -> tuple[slice, ...]:
        """Which faces of component i are unknowns."""
        out = [slice(None)] * self.dim
        if not self.boundary.periodic[i]:
            lower = 0 if isinstance(self.boundary.on(i, 0), Outflow) else 1
            out[i] = slice(lower, self.shapes[i][i] - (0 if isinstance(self.boundary.on(i, 1), Outflow) else 1))
        return tuple(out)

    def axis(self, i: int, a: int) -> Tensor:
        """Coordinates of component i's faces along axis a."""
        shift = 0.0 if a == i else 0.5
        return (
            self.domain.lower[a]
            + (torch.arange(self.shapes[i][a], dtype=self.dtype, device=self.device) + shift) * (self.spacing[a])
        )

    def _points(self, i: int) -> Tensor:
        axes = [self.axis(i, a)[self.free[i][a]] for a in range(self.dim)]
        return torch.stack([c.reshape(-1) for c in torch.meshgrid(*axes, indexing="ij")], dim=-1)

    @property
    def num_dofs(self) -> int:
        return sum(self.sizes)

    def initial(self, generator: torch.Generator | None = None) -> Tensor:
        """Zeros."""
        return torch.zeros(self.num_dofs, dtype=self.dtype, device=self.device)

    def unpack(self, theta: Tensor) -> list[Tensor]:
        """Free faces of θ ``(…, p)`` as arrays, one per component."""
        shapes = [
            tuple(len(range(*s.indices(n))) for s, n in zip(f, full, strict=True))
            for f, full in zip(self.free, self.shapes, strict=True)
        ]
        parts = theta.split(self.sizes, dim=-1)
        return [part.reshape(*theta.shape[:-1], *shape) for part, shape in zip(parts, shapes, strict=True)]

    def pack(self, faces: Sequence[Tensor]) -> Tensor:
        """θ from arrays of all faces."""
        batch = faces[0].shape[: faces[0].ndim - self.dim]
        return torch.cat(
            [inside(u, free).reshape(*batch, -1) for u, free in zip(faces, self.free, strict=True)], dim=-1
        )

    def spread(self, values: Sequence[Tensor]) -> list[Tensor]:
        """Arrays of all faces from those of the free ones, zero on the others."""
        batch = values[0].shape[: values[0].ndim - self.dim]
        out = [values[i].new_zeros(*batch, *shape) for i, shape in enumerate(self.shapes)]
        for u, free, part in zip(out, self.free, values, strict=True):
            inside(u, free).copy_(part)
        return out

    def faces(self, theta: Tensor, t: float) -> list[Tensor]:
        """All faces, with the boundary data of time t, one array ``(…, *shape_i)`` per component."""
        out = []
        for i, u in enumerate(self.unpack(theta)):
            axis = i - self.dim
            if not self.boundary.periodic[i]:
                walls = [self._normal(i, side, t, u) for side in (0, 1)]
                u = torch.cat([w for w in (walls[0], u, walls[1]) if w is not None], dim=axis)
            out.append(u * (self.open[i] > 0) if self.open else u)
        return out

    def _normal(self, i: int, side: int, t: float, u: Tensor) -> Tensor | None:
        """The normal velocity on a boundary face, one layer; None where it is an unknown."""
        condition = self.boundary.on(i, side)
        if isinstance(condition, Outflow):
            return None
        layer = u.narrow(i - self.dim, 0, 1)
        if isinstance(condition, Dirichlet):
            g, share = self.data(condition, i, i, side, t).to(u), self.flux.share(t)
            if share:
                g = g - share * g.abs() if side else g + share * g.abs()
            return g.expand_as(layer)
        return torch.zeros_like(layer)

    def data(self, condition: Dirichlet, i: int, a: int, side: int, t: float, wide: Sequence[int] = ()) -> Tensor:
        """Component i of a Dirichlet velocity on the face of axis a: a number, or one layer of values; along the axes
        ``wide`` with the face's own ends."""
        value = condition.value
        if not callable(value):
            return torch.as_tensor(float(value[i] if isinstance(value, Sequence) else value))
        axes = [self.axis(i, b) for b in range(self.dim)]
        for b in wide:
            low, high = (axes[b].new_full((1,), end[b]) for end in (self.domain.lower, self.domain.upper))
            axes[b] = torch.cat([low, axes[b], high])
        axes[a] = axes[a].new_full((1,), self.domain.upper[a] if side else self.domain.lower[a])
        x = torch.stack([c.reshape(-1) for c in torch.meshgrid(*axes, indexing="ij")], dim=-1)
        return condition.at(t, x, self.dim)[:, i].reshape([len(axis) for axis in axes])

    def without_closed(self, theta: Tensor) -> Tensor:
        """θ with zeros on the faces that a solid closes."""
        return theta * (self.pack(self.open) > 0) if self.open else theta

    def mirrored(self, i: int, a: int, side: int) -> bool:
        """Whether component i goes on as 2g − u beyond a face of axis a."""
        return a != i and isinstance(self.boundary.on(a, side), Dirichlet)

    def padded(self, u: Tensor, i: int, a: int, t: float) -> Tensor:
        """All faces of component i with a ghost layer at both ends of axis a."""
        axis = a - self.dim
        if self.boundary.periodic[a]:
            return pad(u, axis, None, None)
        ghosts = []
        for side, inner in enumerate(ends(u, axis)):
            condition = self.boundary.on(a, side)
            # along its own axis a component ends on the boundary itself: it goes on as it is (zero slope)
            if isinstance(condition, Dirichlet) and self.mirrored(i, a, side):
                inner = 2 * self.data(condition, i, a, side, t).to(u) - inner
            ghosts.append(inner)
        return pad(u, axis, ghosts[0], ghosts[1])

    def continued(self, faces: Sequence[Tensor], t: float, straight: bool = False) -> list[Tensor]:
        """All faces with what cubic interpolation needs beyond the ends, one array per component.

        Linear in faces and boundary data: what is interpolated of a sum of fields is the sum of these arrays.

        Args:
            faces: of :meth:`faces`, ``(…, *shape_i)``.
            t: time of the boundary data.
            straight: continue as 2g − u like the difference operators, for fields that are carried along. A cubic
                through the wall's value swings too far inside where a layer is thinner than a cell, and step by step
                that adds up (cavity of 32² cells, Re 1000, t = 4: error 0.36 instead of 0.24; Re 100: 0.027, 0.029).
        """
        return continued_velocity(self, faces, t, straight)

    def component(
        self, i: int, values: Tensor, stencils: Sequence[Sequence[Stencil]], start: Tensor | int = 0
    ) -> Tensor:
        """u_i at points by :func:`cubic`, ``(n,)``, from its flat array of :meth:`continued` and :meth:`stencils`."""
        chosen = [stencils[a][a != i] for a in range(self.dim)]
        return cubic(values, [lattice.size for lattice in self.lattices[i]], chosen, start)

    def stencils(self, s: Sequence[Tensor]) -> list[tuple[Stencil, Stencil]]:
        """Per axis the stencils of values at the ends of cells and in their midpoints, at positions in cells from the
        lower end, each ``(n,)``."""
        return [
            (self.lattices[a][a].stencil(s[a]), self.lattices[(a + 1) % self.dim][a].stencil(s[a]))
            for a in range(self.dim)
        ]

    def positions(self, x: Tensor) -> list[Tensor]:
        """Points ``(…, d)`` counted in cells from the lower end, per axis."""
        return [(x[..., a] - self.domain.lower[a]) / h for a, h in enumerate(self.spacing)]

    def at(self, theta: Tensor, t: float = 0.0) -> FaceVelocityAt:
        return FaceVelocityAt(self, theta, t)

    def project(
        self, target: Callable[[Tensor], Tensor], t: float = 0.0, guess: Tensor | None = None, **_: Any
    ) -> Projection:
        """Sampling at the free faces: exact there. Closed faces get 0."""
        begin = time.perf_counter()
        theta = self.without_closed(torch.cat([target(x)[:, i].to(self.dtype) for i, x in enumerate(self.points)]))
        return Projection(theta, 0.0, Status.COMPLETED, 0, time.perf_counter() - begin)

    def quadrature(self, n: int | None = None) -> Quadrature:
        """Midpoints of the cells."""
        axes = [
            low + (torch.arange(m, dtype=self.dtype, device=self.device) + 0.5) * h
            for low, m, h in zip(self.domain.lower, self.cells, self.spacing, strict=True)
        ]
        x = torch.stack([c.reshape(-1) for c in torch.meshgrid(*axes, indexing="ij")], dim=-1)
        return Quadrature(x, x.new_full((x.shape[0],), math.prod(self.spacing)))

    def config(self) -> dict[str, Any]:
        dtype = str(self.dtype).removeprefix("torch.")
        return {"kind": "face_velocity", "shape": [int(n) for n in self.cells], "dtype": dtype}


class FaceVelocityAt(Field):
    """The velocity of one θ at one time."""

    def __init__(self, representation: FaceVelocity, theta: Tensor, t: float) -> None:
        self.representation = representation
        self.values = [u.reshape(-1) for u in representation.continued(representation.faces(theta, t), t)]

    def __call__(self, x: Tensor) -> Tensor:
        r = self.representation
        stencils = r.stencils(r.positions(x))
        return torch.stack([r.component(i, u, stencils) for i, u in enumerate(self.values)], dim=-1)

    def jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        r = self.representation
        return difference_jet(self, x, needs, r.spacing, r.domain, r.boundary.periodic)


def _bodies(solid: Solid) -> list[Solid]:
    """The bodies that a solid is made of, each by itself."""
    return [body for part in solid.parts for body in _bodies(part)] if isinstance(solid, Bodies) else [solid]
