"""Velocity and pressure of an incompressible flow as two networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch

from neuralpde.geometry import AXES, Boundary, Box, Condition, Periodic
from neuralpde.representations._flow_networks import FlowNetworks
from neuralpde.representations._neural_field import NeuralField
from neuralpde.representations._stream_function import StreamFunctionField


class NeuralFlow(FlowNetworks):
    """A velocity that is free of divergence by construction, and a pressure.

    Args:
        domain, conditions, dtype, device: as for :class:`StreamFunctionField`.
        hidden, pressure_hidden: widths of the hidden layers of the velocity's potential and of the pressure.
        activation, features, steepness, harmonics, seed: of both networks, see :class:`NeuralField`; by default
            harmonic features on a periodic box, centred ones of steepness 6 between walls.

    Example:
        >>> NeuralFlow(Box((0.0, 0.0), (1.0, 1.0)), (Periodic(),), hidden=(8, 8), pressure_hidden=(4,)).num_dofs
        196
    """

    kind: ClassVar[str] = "neural_flow"

    def __init__(
        self,
        domain: Box,
        conditions: tuple[Condition, ...] = (),
        *,
        hidden: Sequence[int] = (16, 16),
        pressure_hidden: Sequence[int] = (10, 10),
        activation: str = "tanh",
        features: str | None = None,
        steepness: float | None = None,
        harmonics: int = 2,
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
        device: torch.device | str = "cpu",
    ) -> None:
        # what served best where it was tried: waves on the torus, learned centres between walls
        around = all(Boundary(domain, conditions).periodic)
        shared: dict[str, Any] = {
            "activation": activation,
            "features": features or ("harmonic" if around else "centred"),
            "steepness": 6.0 if steepness is None else steepness,
            "harmonics": harmonics,
            "seed": seed,
        }
        kinds: dict[str, Any] = {"dtype": dtype, "device": device}
        self.velocity = StreamFunctionField(domain, conditions, hidden=hidden, **kinds, **shared)
        axes = tuple(Periodic(AXES[i]) for i, p in enumerate(self.velocity.boundary.periodic) if p)
        self.pressure = NeuralField(domain, axes, 1, hidden=pressure_hidden, **kinds, **shared)
        super().__init__(velocity=self.velocity, pressure=self.pressure)
