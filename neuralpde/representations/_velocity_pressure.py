"""Velocity and pressure of an incompressible flow as two plain networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch

from neuralpde.geometry import AXES, Boundary, Box, Condition, Periodic
from neuralpde.representations._flow_networks import FlowNetworks
from neuralpde.representations._neural_field import NeuralField
from neuralpde.representations._velocity_walls import VelocityWalls
from neuralpde.types import UsageError


class NeuralVelocityPressure(FlowNetworks):
    """A velocity of d channels and a pressure, each a network of x; the velocity's divergence is kept small by
    projection, not by construction.

    Args:
        domain, conditions, dtype, device: as for every representation, in 2D or 3D; walls are held exactly, see
            :class:`VelocityWalls`. Where their velocities differ in a corner (a lid) nothing is marched.
        hidden, pressure_hidden: widths of the hidden layers of the velocity and of the pressure.
        activation, features, steepness, harmonics, seed: of both networks, see :class:`NeuralField`; by default
            harmonic features on a periodic box, centred ones of steepness 6 between walls.

    Raises:
        UsageError: for a domain that is neither 2D nor 3D, or an open end.

    Source: INSR, Chen et al., ICML 2023, arXiv 2210.00124, keeps velocity and pressure so.

    Example:
        >>> box = Box((0.0, 0.0), (1.0, 1.0))
        >>> NeuralVelocityPressure(box, (Periodic(),), hidden=(8, 8), pressure_hidden=(4,)).num_dofs
        203
    """

    kind: ClassVar[str] = "neural_velocity_pressure"

    def __init__(
        self,
        domain: Box,
        conditions: tuple[Condition, ...] = (),
        *,
        hidden: Sequence[int] = (20, 20),
        pressure_hidden: Sequence[int] = (16, 16),
        activation: str = "tanh",
        features: str | None = None,
        steepness: float | None = None,
        harmonics: int = 2,
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> None:
        if domain.dim not in (2, 3):
            raise UsageError(f"a flow lives in 2D or 3D; got a {domain.dim}D box.")
        boundary = Boundary(domain, conditions)
        self.walls = VelocityWalls(boundary)
        shared: dict[str, Any] = {
            "activation": activation,
            "features": features or ("harmonic" if all(boundary.periodic) else "centred"),
            "steepness": 6.0 if steepness is None else steepness,
            "harmonics": harmonics,
            "seed": seed,
            "dtype": dtype,
            "device": device,
        }
        self.velocity = NeuralField(domain, conditions, domain.dim, hidden=hidden, **shared)
        self.velocity.hard = self.walls
        axes = tuple(Periodic(AXES[i]) for i, p in enumerate(boundary.periodic) if p)
        self.pressure = NeuralField(domain, axes, 1, hidden=pressure_hidden, **shared)
        super().__init__(velocity=self.velocity, pressure=self.pressure)
