"""Incompressible flow on a velocity and a pressure that are two plain networks."""

from __future__ import annotations

import torch
from torch import Tensor

from neuralpde.dynamics._pressure_fits import PressureFits
from neuralpde.dynamics._terms import chosen_rhs
from neuralpde.dynamics._velocity_fits import VelocityFits
from neuralpde.dynamics._wall_balance import WallBalance
from neuralpde.fields import Field, Jet
from neuralpde.geometry import Periodic
from neuralpde.integrators import Blend, Dynamics, Stage, State, Terms
from neuralpde.optimize import GaussNewton
from neuralpde.problems import IncompressibleFlow
from neuralpde.representations import NeuralVelocityPressure
from neuralpde.types import Status, UsageError

PRESSURE = GaussNewton(maxiter=20, stall=5e-2, damping=1e-4, atol=1e-5)
"""A pressure starts from the last one; the very first, from random weights, takes five times as many iterations."""

EMPTY = 1e-12
"""Velocity gradients below this are none: of a fluid at rest."""

LEAST = 1e-2
"""Share of what there is (|∇u|², accelerations on walls over the box's length) below which a source of pressure has no
size of its own: that of plug and shear flows is a rounding."""


class VelocityPressureDynamics(Dynamics):
    """Every verb is a least-squares fit: of the velocity to a target, of a pressure to Poisson's equation.

        advection    u ≈ uⁿ at the feet of the fluid's paths (semi-Lagrangian)
        diffusion    u − ½ dt ν Δu ≈ uⁿ + ½ dt ν Δuⁿ (Crank and Nicolson)
        projection   Δq ≈ ∇·u*, ∂q/∂n = 0 on walls, then u ≈ u* − ∇q; q/dt is the pressure
        explicit     Δp ≈ (∇·u_base + Σ c_j ∇·F_j)/c, c = Σ c_j, then u ≈ u_base + Σ c_j F_j − c ∇p

    The divergence of a slope is known in closed form, ∇·(−u·∇u + νΔu) = −Σ_ij ∂_i u_j ∂_j u_i where ∇·u = 0, and what
    divergence the base has left goes into the next pressure: it does not add up over the steps. The residual of a
    pressure fit is the divergence that it leaves, as a share of the velocity's gradient (both root mean square), or of
    the velocity over the box's length where that is larger, as in a plug flow.

    The errors of a splitting's fits, three or more of a velocity in a step, add up from step to step, and a reflection
    doubles them; of a Runge–Kutta step only the last stage's does, as slopes of the others enter times dt. So take RK4
    where dt is limited by nothing else, and tight tolerances with splittings.

    Args:
        problem: the flow.
        representation: velocity and pressure.
        fit: options of the velocity's fits.
        points: number of quadrature points of the velocity (default 3p/d).
        pressure_fit: options of the pressure's fits; tolerances are shares of the velocity's gradient.
        pressure_points: number of quadrature points of the pressure (default 3p).

    Raises:
        UsageError: for boundary velocities that push more in than out, or less. Such that do so later end the march.

    Source: INSR, Chen et al., ICML 2023, for the three fits of a step; Guermond, Minev & Shen, CMAME 195 (2006), for
    projection methods.
    """

    explicit_only = True
    constrained = True

    def __init__(
        self,
        problem: IncompressibleFlow,
        representation: NeuralVelocityPressure,
        fit: GaussNewton | None = None,
        points: int | None = None,
        pressure_fit: GaussNewton = PRESSURE,
        pressure_points: int | None = None,
    ) -> None:
        self.problem, self.representation = problem, representation
        self.parts = problem.terms()
        r = representation
        self.balance = WallBalance(r.boundary)
        self.balance.check()
        self.velocity = VelocityFits(problem, r.velocity, fit, points)
        self.length = r.domain.volume ** (1 / r.dim)
        walls = [r.domain.face(name) for name, c in r.boundary.table.items() if not isinstance(c, Periodic)]
        self.pressure = PressureFits(r.pressure, walls, pressure_fit, pressure_points)

    @property
    def flows(self) -> tuple[bool, ...]:
        return (True,) * len(self.parts)

    def check_march(self) -> None:
        if self.representation.walls.jumps:
            raise UsageError(
                "a wall that slides past walls at rest, or an inflow beside them, makes the velocity jump in its "
                "corners, which no network follows; march on a MacGrid (a NeuralFlow solves for the steady flow past "
                "such a wall in 2D)."
            )

    def slope(self, t: float, theta: Tensor, part: str | None = None) -> FlowSlope:
        """F, or the part of it by name, as a function of points; with its divergence."""
        parts = self.representation.split(theta)
        if part == "pressure":
            return FlowSlope(t, self.representation.pressure.at(parts["pressure"]), None, "pressure")
        rhs = chosen_rhs(self.velocity.problem, part)
        return FlowSlope(t, self.representation.velocity.at(parts["velocity"], t), rhs, part)

    def explicit(self, base: State, terms: Terms, t: float, guess: Tensor | None = None) -> Stage:
        before, c = self._moved(base), sum(c for c, _ in terms)
        if not c:
            raise UsageError("an explicit stage over no time has no pressure; use a Runge–Kutta method with c_i > 0.")
        if not self.balance.holds(t):
            return Stage(base.theta, Status.UNBALANCED)
        parts, starts = self._split(base), self._starts(base, guess)
        source = self._divergence(before) + sum(a * slope.divergence(self.pressure.points) for a, slope in terms)
        u = self.velocity.at(before)

        def free(x: Tensor) -> Tensor:
            with torch.no_grad():
                return u(x) + sum(a * slope(x) for a, slope in terms)

        walls = [
            (free(w.points) - self._held(parts["velocity"], t, w.points))[:, a] / c for a, w in self.pressure.walls
        ]
        fitted = self.pressure.solve(source / c, walls, starts["pressure"], self._size(before) / c)
        p = self.representation.pressure.at(fitted.theta)
        moved = self.velocity.to(lambda x: free(x) - c * _gradient(p, x), t, starts["velocity"])
        return self._stage(moved, fitted)

    def implicit(
        self, base: State, terms: Terms, gamma: float, t: float, guess: Tensor | None = None, part: str | None = None
    ) -> Stage:
        if part != "diffusion":
            raise UsageError(
                "velocity and pressure networks take implicit stages of the diffusion only; use "
                "IncrementalPressureCorrection, AdvectionReflection or RK4."
            )
        u = self.velocity.at(self._moved(base))

        def target(x: Tensor) -> Tensor:
            with torch.no_grad():
                return u(x) + sum(a * slope(x) for a, slope in terms)

        moved = self.velocity.to(target, t, self._starts(base, guess)["velocity"], gamma)
        return self._with_pressure(moved, base)

    def flow(
        self,
        part: int,
        base: State | Blend,
        dt: float,
        guess: Tensor | None = None,
        carrier: State | Blend | None = None,
    ) -> Stage:
        """Semi-Lagrangian advection, or diffusion by Crank and Nicolson; not projected."""
        moving, t = self._moved(base), base.t + dt
        starts = self._starts(base, guess)["velocity"]
        if self.parts[part].name == "diffusion":
            return self._with_pressure(
                self.velocity.to(self.velocity.diffused(moving, 0.5 * dt), t, starts, 0.5 * dt), base
            )
        wind = None if carrier is None else self._moved(carrier)
        return self._with_pressure(self.velocity.to(self.velocity.advected(moving, dt, wind), t, starts), base)

    def constrain(self, state: State, dt: float, increment: bool = False) -> Stage:
        """u* − ∇q with Δq = ∇·u*, and q/dt as the pressure (added to the state's own where ``increment``).

        A correction that is smaller than the pressure in θ (after a reflection) is sought as a change of that pressure,
        as an increment is: the network then stays a pressure, and the next fit starts from one. What is saved and shown
        is completed in any case. Where no time has passed there is no force: the pressure is then the one that belongs
        to the velocity, and a velocity whose divergence is as small as that of a fit stays as it is.
        """
        if not self.balance.holds(state.t):
            return Stage(state.theta, Status.UNBALANCED)
        before, parts = self._moved(state), self._split(state)
        source, size = self._divergence(before), self._size(before)
        if not dt and float(source.square().mean().sqrt()) <= self.pressure.options.accept * size:
            return Stage(self._completed(state.t, state.theta, first=True))
        c = dt or 1.0
        old = self.representation.pressure.at(parts["pressure"])
        known = _bend(old, self.pressure.points)
        beside = bool(dt) and (increment or float(source.norm()) < float((source - c * known).norm()))
        walls = [torch.zeros_like(w.points[:, 0]) for _, w in self.pressure.walls]
        wanted = source / c
        if beside:
            wanted = wanted + known
            walls = [_gradient(old, w.points)[:, axis] for axis, w in self.pressure.walls]
        fitted = self.pressure.solve(wanted, walls, [parts["pressure"]], size / c, first=not dt)
        q, u = self.representation.pressure.at(fitted.theta), self.velocity.at(before)

        def target(x: Tensor) -> Tensor:
            with torch.no_grad():
                force = _gradient(q, x) - _gradient(old, x) if beside else _gradient(q, x)
                return u(x) - c * force

        stage = self._stage(self.velocity.to(target, state.t, [parts["velocity"]]), fitted)
        if dt:
            return stage
        theta = self._completed(state.t, stage.theta, first=True)
        return Stage(theta, stage.status, stage.residual, stage.iterations)

    def complete(self, t: float, theta: Tensor) -> Tensor:
        """θ with the pressure that belongs to its velocity: Δp = −Σ_ij ∂_i u_j ∂_j u_i and, on walls with the velocity
        g, ∂p/∂n = n·(−∂g/∂t − u·∇u + ν Δu)."""
        return self._completed(t, theta)

    def _completed(self, t: float, theta: Tensor, first: bool = False) -> Tensor:
        parts = self.representation.split(theta)
        slope = self.slope(t, theta)
        source = slope.divergence(self.pressure.points)
        rates = [self.representation.walls.rate(t, w.points) for _, w in self.pressure.walls]
        walls = [(slope(w.points) - g)[:, a] for g, (a, w) in zip(rates, self.pressure.walls, strict=True)]
        pushed = [float(slopes.square().mean().sqrt()) / self.length for slopes in walls]
        around = max(self._size(State(t, parts["velocity"])) ** 2, *pushed, 0.0)
        unit = max(float(source.square().mean().sqrt()), LEAST * around, EMPTY)
        fitted = self.pressure.solve(source, walls, [parts["pressure"]], unit, first)
        return self.representation.join({"velocity": parts["velocity"], "pressure": fitted.theta})

    def _split(self, base: State | Blend) -> dict[str, Tensor]:
        return self.representation.split(base.theta if isinstance(base, State) else base.parts[0][1].theta)

    def _moved(self, base: State | Blend) -> State | Blend:
        """The same of the velocity alone."""
        if isinstance(base, State):
            return State(base.t, self._split(base)["velocity"])
        return Blend(base.t, tuple((c, State(s.t, self._split(s)["velocity"])) for c, s in base.parts))

    def _starts(self, base: State | Blend, guess: Tensor | None) -> dict[str, list[Tensor]]:
        own = self._split(base)
        guesses = {} if guess is None else self.representation.split(guess)
        return {name: [guesses[name], own[name]] if guesses else [own[name]] for name in own}

    def _held(self, velocity: Tensor, t: float, x: Tensor) -> Tensor:
        """The velocity on walls at time t: there it is that of the data, whatever the weights are."""
        with torch.no_grad():
            return self.representation.velocity.at(velocity, t)(x)

    def _divergence(self, before: State | Blend) -> Tensor:
        return self._jet(before).grad.diagonal(dim1=-2, dim2=-1).sum(-1)

    def _size(self, before: State | Blend) -> float:
        """Root mean square of |∇u|, or of |u| over the box's length; of a fluid at rest a rounding."""
        jet = self._jet(before)
        speed = jet.value.square().sum(-1).mean().sqrt()
        return max(float(jet.grad.square().sum((-2, -1)).mean().sqrt()), float(speed) / self.length, EMPTY)

    def _jet(self, before: State | Blend) -> Jet:
        with torch.no_grad():
            return self.velocity.at(before).jet(self.pressure.points, frozenset({"value", "grad"}))

    def _with_pressure(self, moved: Stage, base: State | Blend) -> Stage:
        theta = self.representation.join({"velocity": moved.theta, "pressure": self._split(base)["pressure"]})
        return Stage(theta, moved.status, moved.residual, moved.iterations)

    def _stage(self, moved: Stage, fitted: Stage) -> Stage:
        theta = self.representation.join({"velocity": moved.theta, "pressure": fitted.theta})
        bad = next((s.status for s in (fitted, moved) if not s.status.ok), moved.status)
        return Stage(theta, bad, max(moved.residual, fitted.residual), moved.iterations + fitted.iterations)


class FlowSlope:
    """A term of a flow as a function of points, and its divergence in closed form.

    Args:
        t: time.
        field: the velocity, or the pressure where ``part`` is that.
        rhs: the term, point by point.
        part: its name; None for all but the pressure.
    """

    def __init__(self, t: float, field: Field, rhs: object, part: str | None) -> None:
        self.t, self.field, self.rhs, self.part = t, field, rhs, part

    def __call__(self, x: Tensor) -> Tensor:
        if self.part == "pressure":
            return -_gradient(self.field, x)
        with torch.no_grad():
            return self.rhs(self.t, x, self.field.jet(x, frozenset({"value", "grad", "laplacian"})))  # type: ignore[operator]

    def divergence(self, x: Tensor) -> Tensor:
        """∇·F at points, ``(n,)``, of a velocity without divergence."""
        if self.part == "pressure":
            return -_bend(self.field, x)
        if self.part == "diffusion":
            return torch.zeros_like(x[:, 0])
        with torch.no_grad():
            gradient = self.field.jet(x, frozenset({"value", "grad"})).grad
        return -torch.einsum("nij,nji->n", gradient, gradient)


def _gradient(p: Field, x: Tensor) -> Tensor:
    with torch.no_grad():
        return p.jet(x, frozenset({"grad"})).grad[:, 0]


def _bend(p: Field, x: Tensor) -> Tensor:
    with torch.no_grad():
        return p.jet(x, frozenset({"laplacian"})).laplacian[:, 0]
