"""What an elastic body's dynamics asks of a representation of its displacement."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from neuralpde.integrators import Stage


@dataclass(frozen=True)
class Inertia:
    """What an implicit stage adds to the potential: mass/2 |u − target|²_ρ, and damping by its velocity.

    Args:
        mass: 1/s²; 1/γ² of a stage u − γ v = …, v − γ a = ….
        target: nodal displacements where the body would be without forces, ``(N, d)``.
        rate, origin: the velocity that belongs to a displacement u is rate · (u − origin), ``(N, d)``.
    """

    mass: float
    target: Tensor
    rate: float
    origin: Tensor


class PotentialSpace(ABC):
    """Displacements u_θ of a body, of which the potential energy Π(t, u) = elastic + loads + contact is minimised.

    Nodal values ``(N, d)`` are those at the nodes of the velocity's finite elements.
    """

    parts: tuple[Any, ...] = ()
    """What Π is the sum of: contacts and friction among it have a factor ``share``."""

    @abstractmethod
    def minimise(self, t: float, guess: Tensor, inertia: Inertia | None = None, last: Tensor | None = None) -> Stage:
        """θ that minimises Π(t, u_θ), plus ½ mass |u_θ − target|²_ρ and the damping's share where there is inertia.

        Args:
            t: time of loads and supports.
            guess: θ to start from; its supports are moved.
            inertia: None in statics.
            last: nodal displacements of the state before, ``(N, d)``, from which no step may lead through an obstacle.
        """

    @abstractmethod
    def force(self, t: float, theta: Tensor, velocity: Tensor) -> Tensor:
        """−∂Π/∂u − C v at the nodes, ``(N, d)``, in N: tested by the velocity's basis functions, reactions included."""

    @abstractmethod
    def nodal(self, t: float, theta: Tensor) -> Tensor:
        """The displacement at the nodes, ``(N, d)``."""

    @abstractmethod
    def place(self, t: float, nodal: Tensor, guess: Tensor) -> Stage:
        """θ whose displacement is nearest to nodal values ``(N, d)``: what an explicit stage needs."""

    @abstractmethod
    def energies(self, t: float, theta: Tensor) -> dict[str, float]:
        """Potential energies by name: ``"elastic"``, ``"external"``, ``"contact"``, …"""

    def lag(self, t: float, theta: Tensor, velocity: Tensor) -> None:  # noqa: B027 (most freeze nothing)
        """Freeze what is taken from the state at the beginning of a step: friction."""

    def damp(self, t: float, values: Tensor) -> None:  # noqa: B027 (not all damp)
        """Take the damping matrix C = α M + β K from nodal displacements ``(N, d)``."""

    def damping_power(self, velocity: Tensor) -> float:
        """v·C v of nodal velocities ``(N, d)``, in W."""
        return 0.0

    def follow(self, t: float, values: Tensor) -> None:  # noqa: B027 (most have none)
        """Take the pressures that follow the body from nodal displacements ``(N, d)``."""

    def rubbed(self, t: float, values: Tensor) -> float:
        """What friction has taken since the step began, in J."""
        return 0.0

    def driven(self, before: tuple[float, Tensor], after: tuple[float, Tensor]) -> float:
        """Work of loads that change in time and of obstacles that move, between two times with their nodal
        displacements, in J; see :class:`StepWork`."""
        return 0.0

    def outputs(self, t: float, theta: Tensor) -> dict[str, float]:
        """What is recorded beside energies, by name: forces and gaps of contacts."""
        return {}
