"""Incompressible flow on a Fourier grid: the pseudo-spectral method."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from neuralpde.dynamics._padded_transform import PaddedTransform
from neuralpde.integrators import Blend, Dynamics, Stage, State, Terms
from neuralpde.problems import IncompressibleFlow, follow_flow
from neuralpde.representations import SpectralGrid
from neuralpde.types import Status, UsageError

PARTS = (None, "advection", "diffusion", "pressure")


class SpectralDynamics(Dynamics):
    """û_t = −P (ik · (u u)^) − ν|k|² û with the projection P = 1 − k kᵀ/|k|², advection free of aliasing.

    A slope is a tensor of Fourier coefficients ``(…, d, *half)``; that of the whole equation is u_t itself. Stages are
    projected exactly, so every Runge–Kutta method keeps its order, and diffusion is solved exactly. Products are made
    of the modes of a band and cut to it, without aliasing: without viscosity the slope keeps the energy. Explicit
    stages live in that band; projections and flows keep all modes. The semi-Lagrangian flow interpolates by Fourier
    series, O(N²) for N nodes: for small grids.

    An explicit stage takes d inverse transforms and d(d+1)/2 − 1 forward ones: one diagonal entry of u u is a pressure
    (Basdevant, J. Comput. Phys. 50 (1983)), and the coefficients of a stage are remembered with its values.

    Args:
        problem: the flow.
        representation: the grid. States of shape ``(b, p)`` are b cases that march together.
        dealias: ``"truncate"``: the band is |k_a| < N_a/3 and products are made at the nodes (the 2/3 rule, the
            fastest); ``"pad"``: the band is |k_a| < N_a/2 and products are made on a grid of 3/2 the nodes per axis
            (more modes in the same memory).

    Raises:
        UsageError: for another ``dealias``.

    Source: Orszag, J. Atmos. Sci. 28 (1971), for the 2/3 rule; Canuto et al., Spectral Methods (2006), ch. 3.
    """

    explicit_only = True
    constrained = True
    passive = True

    def __init__(self, problem: IncompressibleFlow, representation: SpectralGrid, dealias: str = "truncate") -> None:
        if dealias not in ("truncate", "pad"):
            raise UsageError(f"dealias is 'truncate' or 'pad'; got {dealias!r}.")
        self.problem, self.representation = problem, representation
        self.padded = PaddedTransform(representation) if dealias == "pad" else None
        self.parts = problem.terms()
        d = representation.dim
        self._pairs = [(i, j) for i in range(d) for j in range(i, d)]
        band = representation.resolved if self.padded is None else self.padded.band
        self._band = band.to(representation.dtype)
        self._factor = -1j * self._band  # cuts to the band, and is the −i of −∂_j = −i k_j
        self._damping = -problem.viscosity * representation.square
        self._known: list[tuple[Tensor, int, Tensor, Tensor]] = []

    def slope(self, t: float, theta: Tensor, part: str | None = None) -> Tensor:
        """Coefficients of u_t; or of the term ``"advection"``, ``"diffusion"`` or ``"pressure"``, not projected."""
        r = self.representation
        if part not in PARTS:
            raise UsageError(f"the terms of {self.problem.name} are advection, diffusion and pressure; got {part!r}.")
        if part == "pressure":
            return r.k * (self._factor * r.transform(r.arrays(theta, "pressure")))
        u, values = self._resolved(theta)
        if part == "diffusion":
            return self._damping * u
        if part == "advection":
            return self._advection(values)
        slope = self._projected_advection(values)
        return torch.addcmul(slope, self._damping, u) if self.problem.viscosity else slope

    def _advection(self, values: Tensor) -> Tensor:
        """−∂_j(u_i u_j)."""
        u = values.unbind(-1 - self.representation.dim)
        return self._divergence({(i, j): u[i] * u[j] for i, j in self._pairs})

    def _projected_advection(self, values: Tensor) -> Tensor:
        """P of −∂_j(u_i u_j − u_d² δ_ij): a gradient more or less, so one product less."""
        u = values.unbind(-1 - self.representation.dim)
        last = u[-1].square()
        stress = {(i, j): u[i] * u[j] - last if i == j else u[i] * u[j] for i, j in self._pairs[:-1]}
        return self.representation.solenoidal(self._divergence(stress))[0]

    def _divergence(self, stress: dict[tuple[int, int], Tensor]) -> Tensor:
        """−∂_j of a symmetric tensor cut to the band, coefficients from nodal values; what is not there is zero."""
        r, axis = self.representation, -1 - self.representation.dim
        products = torch.stack(list(stress.values()), dim=axis)
        hats = self._factor * (r.transform(products) if self.padded is None else self.padded.coefficients(products))
        parts = dict(zip(stress, hats.unbind(axis), strict=True))
        rows = []
        for i in range(r.dim):
            known = [(j, parts[pair]) for j in range(r.dim) if (pair := (min(i, j), max(i, j))) in parts]
            row = r.k[known[0][0]] * known[0][1]
            for j, hat in known[1:]:
                row = torch.addcmul(row, r.k[j], hat)
            rows.append(row)
        return torch.stack(rows, dim=axis)

    def explicit(self, base: State, terms: Terms, t: float, guess: Tensor | None = None) -> Stage:
        r = self.representation
        u = self._resolved(base.theta)[0]
        for c, slope in terms:
            u = torch.add(u, slope, alpha=c) if c else u
        u = r.solenoidal(u)[0]  # in the band, as the base and all slopes are
        values = r.nodal(u)
        theta = r.theta(values, r.arrays(base.theta, "pressure"))
        self._remember(theta, u, values if self.padded is None else self.padded.values(u))
        return _finite(theta)

    def implicit(
        self, base: State, terms: Terms, gamma: float, t: float, guess: Tensor | None = None, part: str | None = None
    ) -> Stage:
        if part != "diffusion":
            raise UsageError(
                "a Fourier grid takes implicit stages of the diffusion only; use IncrementalPressureCorrection, "
                "AdvectionReflection or RK4."
            )
        u = self._coefficients(base.theta)
        for c, slope in terms:
            u = u + c * slope
        return self._stage(u / (1 - gamma * self._damping), base.theta)

    def flow(
        self,
        part: int,
        base: State | Blend,
        dt: float,
        guess: Tensor | None = None,
        carrier: State | Blend | None = None,
    ) -> Stage:
        """Semi-Lagrangian advection, or diffusion, û e^{−ν|k|²dt}; not projected."""
        r, theta = self.representation, _blended(base)
        if self.parts[part].name == "diffusion":
            return self._stage(self._coefficients(theta) * torch.exp(dt * self._damping), theta)
        parts = r.split(theta)
        # a Fourier series is linear in θ: a blend is one field, interpolated once
        carried = parts["velocity"]
        wind = carried if carrier is None else r.split(_blended(carrier))["velocity"]
        cases = zip(*(u.reshape(-1, u.shape[-1]) for u in (carried, wind)), strict=True)
        moved = [follow_flow(base.t, r.velocity.at(u), r.velocity.points, dt, r.velocity.at(w)) for u, w in cases]
        return _finite(r.join({"velocity": torch.stack(moved).reshape(carried.shape), "pressure": parts["pressure"]}))

    @property
    def flows(self) -> tuple[bool, ...]:
        return (True,) * len(self.parts)

    def constrain(self, state: State, dt: float, increment: bool = False) -> Stage:
        """u − ∇q, and q/dt as the pressure (added to the state's own where ``increment``)."""
        r = self.representation
        u, q = r.solenoidal(self._coefficients(state.theta))
        pressure = r.arrays(state.theta, "pressure")
        if dt:
            force = r.nodal(q / dt).unsqueeze(-1 - r.dim)
            pressure = pressure + force if increment else force
        return _finite(r.theta(r.nodal(u), pressure))

    def complete(self, t: float, theta: Tensor) -> Tensor:
        """θ with the pressure that belongs to its velocity: −Δp = ∂_i∂_j(u_i u_j), of mean zero."""
        r = self.representation
        p = r.solenoidal(self._advection(self._resolved(theta)[1]))[1]
        return r.theta(r.arrays(theta, "velocity"), r.nodal(p).unsqueeze(-1 - r.dim))

    def energy(self, theta: Tensor) -> Tensor:
        """Kinetic energy ½ ∫ |u|², ``(…)``."""
        velocity = self.representation.split(theta)["velocity"]
        return 0.5 * math.prod(self.representation.grid.spacing) * velocity.square().sum(-1)

    def _coefficients(self, theta: Tensor) -> Tensor:
        r = self.representation
        return r.transform(r.arrays(theta, "velocity"))

    def _resolved(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Coefficients of the velocity cut to the band, and its values where products are made.

        Those of the last stages are at hand.
        """
        for known, version, u, values in self._known:
            if known is theta and version == theta._version:  # nobody wrote into it since
                self._remember(theta, u, values)
                return u, values
        u = self._band * self._coefficients(theta)
        values = self.representation.nodal(u) if self.padded is None else self.padded.values(u)
        self._remember(theta, u, values)
        return u, values

    def _remember(self, theta: Tensor, u: Tensor, values: Tensor) -> None:
        # two: the base of a step and its newest stage
        others = [entry for entry in self._known if entry[0] is not theta]
        self._known = [*others[-1:], (theta, theta._version, u, values)]

    def _stage(self, u: Tensor, theta: Tensor) -> Stage:
        r = self.representation
        return _finite(r.theta(r.nodal(u), r.arrays(theta, "pressure")))


def _blended(base: State | Blend) -> Tensor:
    if isinstance(base, State):
        return base.theta
    return sum((c * state.theta for c, state in base.parts[1:]), base.parts[0][0] * base.parts[0][1].theta)


def _finite(theta: Tensor) -> Stage:
    # a sum is finite where all values are, and is one pass over them
    return Stage(theta, Status.COMPLETED if math.isfinite(float(theta.detach().sum())) else Status.NON_FINITE)
