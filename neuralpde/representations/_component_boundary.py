"""Dirichlet data on single components, held by every field: a factor and a lift for each component."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from neuralpde.fields import Jet, constant_jet
from neuralpde.geometry import Boundary, BoundaryValue, Condition, Dirichlet, Flux, MeshDomain, Periodic
from neuralpde.representations._hard_boundary import HardBoundary
from neuralpde.representations._mesh_boundary import MeshBoundary
from neuralpde.representations._velocity_walls import WallComponent, beside


class ComponentBoundary:
    """u_k = lift_k + φ_k N_k, where φ_k = 0 and lift_k = g on the faces that hold component k.

    On a roller the component along its normal is exact, and the others are the network's own. Components that are held
    on the same faces share their factor. Corner functions, which serve all components alike, there are none.

    Args:
        boundary: table of faces and conditions.
        channels: number of values c.
    """

    def __init__(self, boundary: Boundary, channels: int) -> None:
        self.dim, domain = boundary.domain.dim, boundary.domain
        values: dict[tuple[int, int], BoundaryValue] = {}
        self.parts = list[HardBoundary | MeshBoundary]()
        for k in range(channels):
            alone = Boundary(domain, _of_component(boundary, k, channels, values))
            self.parts.append(
                MeshBoundary(alone, 1, corners=False) if isinstance(domain, MeshDomain) else WallComponent(alone, 1)
            )
        held = [frozenset(part.data) for part in self.parts]
        self._leaders = [held.index(faces) for faces in held]
        """For each component the first one with the same factor."""
        self.active = any(part.active for part in self.parts)
        numbers = [part.constant for part in self.parts if part.active]
        self.constant = numbers[0] if all(number is not None for number in numbers) else None
        """A number where all data are numbers, which stay the same in time."""

    def factor(self, x: Tensor) -> Tensor:
        """φ at points ``(n, d)``, ``(n, c)``."""
        return self.factor_jet(x, frozenset({"value"})).value

    def factor_jet(self, x: Tensor, needs: frozenset[str]) -> Jet:
        """φ and its derivatives."""
        made = {k: self._factor(self.parts[k], x, needs) for k in set(self._leaders)}
        return beside([made[k] for k in self._leaders])

    def lift(self, t: float, x: Tensor) -> Tensor:
        """The data, extended, ``(n, c)``."""
        zero = torch.zeros_like(x[:, :1])
        return torch.cat([part.lift(t, x) if part.active else zero for part in self.parts], dim=1)

    def lift_jet(self, t: float, x: Tensor, needs: frozenset[str]) -> Jet:
        """The lift and its derivatives."""
        nothing = partial(constant_jet, torch.zeros_like(x[:, :1]), self.dim, needs | {"value"})
        return beside([part.lift_jet(t, x, needs) if part.active else nothing() for part in self.parts])

    def _factor(self, part: HardBoundary | MeshBoundary, x: Tensor, needs: frozenset[str]) -> Jet:
        every = needs | {"value", "grad", "laplacian"}  # as factors give them
        if not part.active:
            return constant_jet(torch.ones_like(x[:, :1]), self.dim, every)
        return Jet(value=part.factor(x)) if needs <= {"value"} else part.factor_jet(x, needs)


def _of_component(
    boundary: Boundary, k: int, channels: int, values: dict[tuple[int, int], BoundaryValue]
) -> tuple[Condition, ...]:
    """What one component is held to. Faces of one condition keep one value, by which a lift knows that they join."""
    out: list[Condition] = [c for c in boundary.conditions if isinstance(c, Periodic)]
    for face, condition in boundary.essential:
        if k in condition.held(channels):
            key = (id(condition), k)
            if key not in values:
                values[key] = condition.of_component(k, channels)
            out.append(Dirichlet(values[key], face))
    free = [face for face in boundary.table if not any(isinstance(c, Dirichlet) and c.on == face for c in out)]
    free = [face for face in free if not isinstance(boundary.table[face], Periodic)]
    return (*out, *(Flux(0.0, face) for face in free))
