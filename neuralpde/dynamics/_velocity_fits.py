"""Fits of a plain velocity: to values, to what flows bring, and to what diffusion leaves."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from neuralpde.dynamics._function_space import FunctionSpaceDynamics, row_jacobian
from neuralpde.dynamics._solenoidal import Momentum
from neuralpde.dynamics._terms import field_of
from neuralpde.fields import Field, FunctionField
from neuralpde.geometry import FreeSlip, Quadrature, face_lattice
from neuralpde.integrators import Blend, Stage, State
from neuralpde.optimize import GaussNewton
from neuralpde.problems import IncompressibleFlow, follow_flow
from neuralpde.representations import NeuralField

Target = Callable[[Tensor], Tensor]
"""Points ``(n, d)`` → a velocity ``(n, d)``."""


class VelocityFits(FunctionSpaceDynamics):
    """θ = argmin Σ_q w_q |u_θ − γ ν Δu_θ − y|² (x_q), with no regard to the divergence.

    In a viscous flow rows ∂u_τ/∂n = 0 on free-slip walls join the fit: u·n = 0 is exact there, this is not.

    Args:
        flow: the flow.
        velocity: its network.
        fit, points: as for :class:`FunctionSpaceDynamics`.
    """

    def __init__(
        self, flow: IncompressibleFlow, velocity: NeuralField, fit: GaussNewton | None = None, points: int | None = None
    ) -> None:
        super().__init__(Momentum(flow), velocity, fit, points)  # type: ignore[arg-type]
        self.viscosity = flow.viscosity
        self.slipping = self._slipping() if flow.viscosity else []

    def _slipping(self) -> list[tuple[Quadrature, int]]:
        r = self.representation
        count = max(2, round(self.quadrature.points.shape[0] ** (1 - 1 / r.dim)))
        faces = r.boundary.faces_with(FreeSlip)
        return [(face_lattice(r.domain, axis, side, count, r.dtype), axis) for axis, side, _ in faces]

    def at(self, base: State | Blend) -> Field:
        """The velocity of a state of this network, or of a blend."""
        return field_of(self.representation, base)

    def to(self, target: Target, t: float, starts: list[Tensor], gamma: float = 0.0) -> Stage:
        """u − γ ν Δu fitted to a target, with the boundary data of time t, from the best of some starts."""
        r, beta = self.representation, gamma * self.viscosity

        def values(theta: Tensor, x: Tensor) -> Tensor:
            return r.at(theta, t)(x)

        def damped(theta: Tensor, x: Tensor) -> Tensor:
            u = r.at(theta, t).jet(x, frozenset({"value", "laplacian"}))
            return u.value - beta * u.laplacian

        return self._solve(damped, target, t, starts, damped) if beta else self._solve(values, target, t, starts, None)

    def advected(self, base: State | Blend, dt: float, carrier: State | Blend | None) -> Target:
        """What a flow brings over dt; feet of paths that leave the box are moved back to its walls."""
        u = self._inside(self.at(base))
        wind = None if carrier is None else self._inside(self.at(carrier))

        def target(x: Tensor) -> Tensor:
            with torch.no_grad():
                return follow_flow(base.t, u, x, dt, wind)

        return target

    def _inside(self, field: Field) -> Field:
        r = self.representation
        if all(r.boundary.periodic):
            return field
        low, high = (
            torch.tensor(corner, dtype=r.dtype, device=r.device) for corner in (r.domain.lower, r.domain.upper)
        )
        around = torch.tensor(r.boundary.periodic, device=r.device)
        return FunctionField(lambda x: field(torch.where(around, x, x.clamp(low, high))))

    def diffused(self, base: State | Blend, gamma: float) -> Target:
        """u + γ ν Δu of a state or a blend."""

        def target(x: Tensor) -> Tensor:
            with torch.no_grad():
                u = self.at(base).jet(x, frozenset({"value", "laplacian"}))
            return u.value + gamma * self.viscosity * u.laplacian

        return target

    def _wall_residual(self, theta: Tensor, t: float) -> list[Tensor]:
        rows = super()._wall_residual(theta, t)
        for quadrature, axis in self.slipping:
            for c in self._along(axis):
                slope = self._bend(theta, quadrature.points, axis)[:, c]
                rows.append(self._wall_scale(quadrature)[:, 0] * slope)
        return rows

    def _wall_jacobian(self, theta: Tensor, t: float) -> list[Tensor]:
        blocks = super()._wall_jacobian(theta, t)
        for quadrature, axis in self.slipping:
            for c in self._along(axis):
                slopes = row_jacobian(lambda th, x, a=axis: self._bend(th, x, a), theta, quadrature.points, c)  # type: ignore[misc]
                blocks.append(self._wall_scale(quadrature) * slopes)
        return blocks

    def _along(self, axis: int) -> list[int]:
        return [c for c in range(self.representation.dim) if c != axis]

    def _bend(self, theta: Tensor, x: Tensor, axis: int) -> Tensor:
        """∂u/∂x_axis times the box's length along it, ``(n, d)``."""
        jet = self.representation.at(theta).jet(x, frozenset({"grad"}))
        return self.representation.domain.lengths[axis] * jet.grad[..., axis]
