"""Rows of least-squares problems that are made from a field's jets, and their derivatives by θ."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.func import grad, vmap

from neuralpde.dynamics._wall_rows import NEEDS, WallRows
from neuralpde.fields import Jet
from neuralpde.geometry import MeshDomain
from neuralpde.representations import NeuralField

CHUNK = 512
"""Points at a time in Jacobians by reverse mode: bounds their memory."""

Rows = Callable[[Tensor, Tensor], Tensor]
"""(θ, points ``(n, d)``) → residual values ``(n, c)``, each row a function of its own point."""

Form = Callable[[Tensor, Jet], Tensor]
"""(points ``(n, d)``, jet there) → residual values ``(n, c)``."""


class FormRows:
    """Rows made from a field's jets at one time, with their derivatives by θ."""

    def __init__(self, representation: NeuralField, form: Form, needs: frozenset[str], t: float) -> None:
        self.representation, self.form, self.needs, self.t = representation, form, needs, t
        # on a mesh what belongs to the boundary is kept for whole sets of points
        self.taped = isinstance(representation.domain, MeshDomain)

    def __call__(self, theta: Tensor, x: Tensor) -> Tensor:
        return self.form(x, self.representation.at(theta, self.t).jet(x, self.needs))

    def jacobian(self, theta: Tensor, x: Tensor) -> list[Tensor]:
        """Per channel ∂rows/∂θ, ``(n, p)``, from one recorded pass."""
        field = self.representation.taped(theta, self.t)
        with torch.enable_grad():
            rows = self.form(x, field.jet(x, self.needs)).unbind(1)
        return [field.gradients(row).detach() for row in rows]


def box_wall_jacobian(r: NeuralField, wall: WallRows, theta: Tensor, t: float) -> list[Tensor]:
    """Per channel ∂rows/∂θ at the points of a wall of a box; the normals go along with the points."""
    x, normals = wall.quadrature.points, wall.quadrature.normals
    assert normals is not None
    both = torch.cat([x, normals], dim=1)

    def rows(th: Tensor, p: Tensor) -> Tensor:
        x, n = p[:, : r.dim], p[:, r.dim :]
        return wall.values(t, x, r.at(th, t).jet(x, NEEDS), n)

    return [row_jacobian(rows, theta, both, a) for a in range(r.channels)]


def row_jacobian(rows: Rows, theta: Tensor, x: Tensor, channel: int) -> Tensor:
    """∂rows_channel(x_i)/∂θ, ``(n, p)``, by reverse mode at each point."""
    with torch.enable_grad():
        return vmap(grad(lambda th, p: rows(th, p[None])[0, channel]), in_dims=(None, 0), chunk_size=CHUNK)(theta, x)
