"""Displacements, velocities and accelerations of a moving body at the nodes of its velocity."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from scipy.sparse.linalg import SuperLU
from torch import Tensor

from neuralpde.dynamics._finite_element_systems import FiniteElementSystems, Iteration
from neuralpde.dynamics._newton import Newton
from neuralpde.dynamics._potential_space import PotentialSpace
from neuralpde.geometry import MeshDomain, rate_conditions
from neuralpde.integrators import State
from neuralpde.problems import Problem
from neuralpde.representations import FiniteElementField, Motion


class NodalMotion:
    """What a motion is at the nodes ``(N, d)`` of its velocity, with what its supports prescribe there.

    Args:
        problem: of the body; gives ρ.
        representation: of its motion.
        space: gives displacements and forces at the nodes.
    """

    def __init__(self, problem: Problem, representation: Motion, space: PotentialSpace) -> None:
        assert isinstance(representation.velocity, FiniteElementField)
        self.representation, self.space, self.velocity = representation, space, representation.velocity
        self.mass = self.velocity.mass(problem.mass_density)
        self.systems = FiniteElementSystems(problem.name, representation.dim, Newton())
        self._fields = [_held_by(self.velocity, problem, order) for order in range(3)]
        self._held: dict[int, tuple[float, Tensor]] = {}

    def split(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """θ of the displacement, and of the velocity."""
        parts = self.representation.split(theta)
        return parts["displacement"], parts["velocity"]

    def join(self, displacement: Tensor, velocity: Tensor) -> Tensor:
        """θ of both."""
        return self.representation.join({"displacement": displacement, "velocity": velocity})

    def velocities(self, t: float, v: Tensor) -> Tensor:
        """Nodal velocities of θ_v."""
        return self.held(t, 1) + self.velocity.extended(v)

    def nodal(self, state: State) -> tuple[Tensor, Tensor]:
        """Displacements and velocities of a state."""
        u, v = self.split(state.theta)
        return self.space.nodal(state.t, u), self.velocities(state.t, v)

    def held(self, t: float, order: int) -> Tensor:
        """The time derivative of the supports' displacements, of an order from 0 to 2; 0 where nothing is held."""
        if self._held.get(order, (None,))[0] != t:
            field = self._fields[order]
            self._held[order] = (t, field.values(field.initial(), t))
        return self._held[order][1]

    def free_or(self, free: Tensor, held: Tensor) -> Tensor:
        """Nodal values that are free, with those that supports hold."""
        return torch.where(self.velocity.fixed, held, free)

    def weighed(self, values: Tensor) -> Tensor:
        """M v of nodal values."""
        product = self.mass @ values.reshape(-1).cpu().numpy()
        return torch.as_tensor(product, dtype=values.dtype, device=values.device).reshape(values.shape)

    def kinetic(self, t: float, v: Tensor) -> float:
        """½ ∫ ρ v·v."""
        velocity = self.velocities(t, v)
        return 0.5 * float((velocity * self.weighed(velocity)).sum())

    @cached_property
    def _factors(self) -> SuperLU | Iteration:
        free = self.velocity.free_dofs
        return self.systems.factors(self.mass[free][:, free])

    def solved(self, g: Tensor) -> Tensor:
        """M⁻¹ g of the free unknowns' g, ``(p,)``."""
        return self.systems.solve(self._factors, g)

    def _solved(self, g: Tensor) -> Tensor:
        """M⁻¹ g on the free unknowns, of g at all nodes."""
        return self.solved(self.velocity.free_part(g))

    def acceleration(self, t: float, u: Tensor, velocity: Tensor) -> Tensor:
        """a with M a = −∂Π/∂u − C v at what is free, and that of the supports."""
        held = self.held(t, 2)
        return held + self.velocity.extended(self._solved(self.space.force(t, u, velocity) - self.weighed(held)))

    def placed(self, t: float, z: Tensor) -> Tensor:
        """θ_v of the velocity that has the momentum of nodal values z, M v = M z, while supports move as they do."""
        found = self.velocity.free_part(z)
        beside = z - self.velocity.values(found, t)
        return found + self._solved(self.weighed(beside)) if bool(beside.any()) else found


def _held_by(velocity: FiniteElementField, problem: Problem, order: int) -> FiniteElementField:
    """Elements that hold a time derivative of the displacement's data."""
    conditions = problem.conditions
    for _ in range(order):
        conditions = rate_conditions(conditions)
    kind: dict[str, Any] = {"degree": velocity.degree, "dtype": velocity.dtype, "device": velocity.device}
    assert isinstance(velocity.domain, MeshDomain)
    return FiniteElementField(velocity.domain, conditions, velocity.channels, **kind)
