"""One pressure equation: a grid operator and the divergence that it has to take away."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from neuralpde.linalg import StencilOperator
from neuralpde.systems._medium import Medium
from neuralpde.systems._velocity import Faces, divergence, with_walls


@dataclass(frozen=True, eq=False)
class PressureSystem:
    """A p = b with A = −∇·(1/ρ)∇ on the cells of a uniform grid and b = −∇·u, in units of a cell.

    u − (1/ρ)∇p has no divergence. Where a piece of fluid is closed A is singular, and b sums to zero over the piece.

    Attributes:
        operator: A, of n = prod(grid) rows; those of solids are empty.
        rhs: b, shape ``(n,)``, float64, 0 in solids. The first guess is 0.
        name: what it is, in words.
        family: of its geometry.
        seed: which member of the family.
        frame: which picture of a motion.

    Example:
        >>> from neuralpde.systems import pressure_system
        >>> system = pressure_system("circles", (16, 16), seed=3)
        >>> system.operator.shape, system.name
        ((256, 256), 'circles 16x16, seed 3')
    """

    operator: StencilOperator
    rhs: Tensor
    name: str
    family: str
    seed: int
    frame: int = 0

    @property
    def grid(self) -> tuple[int, ...]:
        """Cells along each axis."""
        return self.operator.grid

    def unknown(self) -> np.ndarray:
        """True in cells whose row of A is not empty, shape ``(n,)``."""
        return np.asarray(self.operator.diagonal().cpu().numpy() != 0)

    def matrix(self) -> tuple[sp.csr_matrix, np.ndarray]:
        """A and b of the unknown cells alone, in C order, as other people's solvers want them."""
        unknown = np.flatnonzero(self.unknown())
        return self.operator.to_csr()[unknown][:, unknown], self.rhs.numpy()[unknown]


def right_hand_side(medium: Medium, velocity: Faces) -> np.ndarray:
    """b = −∇·u in fluid cells with a way out, shape ``grid``, once u obeys the walls.

    Over each closed piece of fluid what rounding leaves of the sum is taken out.
    """
    b = np.where(medium.fluid, -divergence(with_walls(velocity, medium)), 0.0)
    free = medium.excess()
    for axis, weight in enumerate(medium.weights()):
        free += weight + np.roll(weight, 1, axis)
    b[free == 0] = 0.0
    labels, closed = medium.components()
    if closed.any():
        count = np.maximum(np.bincount(labels[free > 0], minlength=closed.size), 1)
        mean = np.where(closed, np.bincount(labels.ravel(), b.ravel(), closed.size) / count, 0.0)
        b -= np.where(free > 0, mean[labels], 0.0)
    return b


def assembled(medium: Medium, velocity: Faces, family: str, seed: int, frame: int, remark: str = "") -> PressureSystem:
    """The system of a medium through which fluid was about to flow with that velocity."""
    operator = StencilOperator(
        tuple(torch.from_numpy(weight) for weight in medium.weights()), torch.from_numpy(medium.excess())
    )
    size = "x".join(map(str, medium.grid))
    name = f"{family} {size}{remark}, seed {seed}" + (f", frame {frame}" if frame else "")
    rhs = torch.from_numpy(right_hand_side(medium, velocity).ravel())
    return PressureSystem(operator, rhs, name, family, seed, frame)
