"""The flow past a cylinder in a channel, on which flow solvers are compared."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from neuralpde.geometry import Box, Condition, Dirichlet, Disc, Outflow
from neuralpde.problems._flow import IncompressibleFlow, OwnConditions
from neuralpde.types import UsageError


@dataclass(frozen=True)
class CylinderChannel(IncompressibleFlow):
    """A cylinder, slightly below the middle of a channel with a parabolic inflow: u = 4 U y (H − y)/H².

    Coefficients refer to the mean inflow Ū = 2U/3 and the diameter D: c_D = 2 F_x/(Ū² D), c_L = 2 F_y/(Ū² D),
    Strouhal = D f/Ū, Re = Ū D/ν. With the defaults it is the benchmark of Schäfer and Turek: speed 0.3 is their steady
    2D-1 (Re 20: c_D 5.5795, c_L 0.0106, Δp 0.11752), speed 1.5 their periodic 2D-2 (Re 100: largest c_D 3.22–3.24,
    largest c_L 0.99–1.01, Strouhal 0.295–0.305, Δp 2.46–2.50 half a period after the largest c_L).

    Args:
        viscosity: ν, m²/s.
        speed: U, the largest inflow velocity, m/s.
        domain: the channel, m; its walls are y− and y+.
        solid: the cylinder.

    Raises:
        UsageError: for a cylinder that does not lie in the channel, or anything but 2D.

    Source: Schäfer & Turek, Benchmark computations of laminar flow around a cylinder, Notes Numer. Fluid Mech. 52
    (1996); the four digits of 2D-1 from Nabh, Heidelberg (1998).
    """

    viscosity: float = 1e-3
    speed: float = 0.3
    domain: Box = field(default_factory=lambda: Box((0.0, 0.0), (2.2, 0.41)))
    conditions: tuple[Condition, ...] = OwnConditions()
    solid: Disc = field(default_factory=lambda: Disc((0.2, 0.2), 0.05), kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.domain.dim != 2:
            raise UsageError(f"{self.name} is a flow in 2D; got a {self.domain.dim}D box.")
        if not isinstance(self.solid, Disc):
            raise UsageError(f"the cylinder of {self.name} must be a Disc; got {self.solid!r}: use NavierStokes.")
        centre, radius = self.solid.centre, self.solid.radius
        if not all(
            a + radius < c < b - radius for a, c, b in zip(self.domain.lower, centre, self.domain.upper, strict=True)
        ):
            raise UsageError(f"the cylinder must lie inside the channel {self.domain}; got {self.solid}.")
        own = OwnConditions((Dirichlet(lambda t, x: self.inflow(x), "x-"), Outflow("x+"), Dirichlet(0.0)))
        own.refuse_others(self.conditions, self.name)
        object.__setattr__(self, "conditions", own)

    def inflow(self, x: Tensor) -> Tensor:
        """The parabola at the height of points ``(n, 2)``, ``(n, 2)``."""
        y, height = x[:, 1] - self.domain.lower[1], self.domain.lengths[1]
        u = 4 * self.speed * y * (height - y) / height**2
        return torch.stack([u, torch.zeros_like(u)], dim=-1)

    def initial_velocity(self, x: Tensor) -> Tensor:
        """The parabola everywhere; a grid's projection leads it around the cylinder."""
        return self.inflow(x)

    @property
    def mean_speed(self) -> float:
        """Ū."""
        return 2 * self.speed / 3

    @property
    def diameter(self) -> float:
        """D."""
        return 2 * self.solid.radius

    @property
    def reynolds(self) -> float:
        """Ū D/ν."""
        return self.mean_speed * self.diameter / self.viscosity

    @property
    def front_and_back(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The points of the surface between which Δp is measured."""
        (x, y), r = self.solid.centre, self.solid.radius
        return (x - r, y), (x + r, y)

    def coefficients(self, force: Tensor) -> Tensor:
        """(c_D, c_L) of forces ``(…, 2)``."""
        return 2 * force / (self.mean_speed**2 * self.diameter)

    def strouhal(self, frequency: float) -> float:
        """D f/Ū."""
        return self.diameter * frequency / self.mean_speed
