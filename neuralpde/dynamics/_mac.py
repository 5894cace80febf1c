"""Incompressible flow on a staggered grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from neuralpde.dynamics._mac_balance import Balance
from neuralpde.dynamics._mac_implicit import ImplicitStage
from neuralpde.dynamics._mac_solids import CutDiffusion, CutPoisson, body_force
from neuralpde.dynamics._mac_steady import steady_flow
from neuralpde.dynamics._semi_lagrangian import advected
from neuralpde.geometry import Condition, Dirichlet, Outflow
from neuralpde.integrators import Blend, Dynamics, Stage, State, Terms
from neuralpde.linalg import BoxLaplacian, Kind
from neuralpde.problems import IncompressibleFlow
from neuralpde.representations import MacGrid
from neuralpde.types import Status, UsageError

RATE_STEP = 1e-3
"""Time over which boundary data are differentiated where the fluid rests."""

CENTRAL = ((-2, 1 / 12), (-1, -8 / 12), (1, 8 / 12), (2, -1 / 12))
FORWARD = ((0, -11 / 6), (1, 3.0), (2, -1.5), (3, 1 / 3))
"""(steps away, weight) of first derivatives."""


class MacDynamics(Dynamics):
    """u_t = −∇·(u u) + ν Δ_h u − G p with D u = 0 on the faces of a staggered grid.

    A slope is a tensor of the free faces. An explicit stage of slopes is projected, u = u* − G q with D G q = D u*, so
    every Runge–Kutta method is a projected one, of its full order (half-explicit: Hairer, Lubich & Roche 1989); its
    pressure is q over the step. Pressures and implicit diffusion are solved by FFT, DCT and DST, with a solid by sparse
    factors or multigrid; implicit stages by Newton's method, see :class:`ImplicitStage`. Advection conserves
    energy but for the time step; its flow is semi-Lagrangian with cubic interpolation. Small cut cells make the
    friction at a solid stiff for explicit methods: take IncrementalPressureCorrection or an implicit one there.

    Args:
        problem: the flow.
        representation: the grid. States of shape ``(b, p)`` are b cases that march together.

    Raises:
        UsageError: where at t = 0 as much does not flow out as in, or the grid has another solid than the problem.
    """

    constrained = True
    settles = True

    def __init__(self, problem: IncompressibleFlow, representation: MacGrid) -> None:
        self.problem, self.representation = problem, representation
        self.parts = problem.terms()
        r = representation
        if r.solid != problem.solid:
            raise UsageError(
                f"the grid is made for the solid {r.solid}, the problem has {problem.solid}; build it with "
                "MacGrid.for_problem(problem)."
            )
        self.poisson: BoxLaplacian | CutPoisson
        self.diffusion: Sequence[BoxLaplacian | CutDiffusion]
        if r.cut is None:
            self.poisson = BoxLaplacian(r.cells, r.spacing, self._cell_kinds(), dtype=r.dtype, device=r.device)
            self.diffusion = [self._component(i) for i in range(r.dim)]
        else:
            self.poisson = CutPoisson(r)
            self.diffusion = [CutDiffusion(r, i) for i in range(r.dim)]
        self.balance = Balance(r, self.poisson)
        self.balance.check()
        walls = r.boundary.table.values()
        self.moving = any(isinstance(c, Dirichlet) and callable(c.value) for c in walls)
        """Whether boundary data may change in time."""

    def _cell_kinds(self) -> list[Kind]:
        return [self._kind(a, lambda c: not isinstance(c, Outflow)) for a in range(self.representation.dim)]

    def _kind(self, a: int, even: object) -> Kind:
        """Kind of a cell-centred axis; ``even`` tells which conditions continue evenly."""
        boundary = self.representation.boundary
        if boundary.periodic[a]:
            return "periodic"
        ends = ["neumann" if even(boundary.on(a, side)) else "dirichlet" for side in (0, 1)]  # type: ignore[operator]
        return cast(Kind, f"{ends[0]}_cells" if ends[0] == ends[1] else f"{ends[0]}_{ends[1]}_cells")

    def _component(self, i: int) -> BoxLaplacian:
        """−Δ_h of component i on its free faces, boundary data zero."""
        r, kinds = self.representation, list[Kind]()
        for a in range(r.dim):
            if a != i or r.boundary.periodic[a]:
                kinds.append(self._kind(a, lambda c: not isinstance(c, Dirichlet)))
                continue
            ends = ["neumann" if isinstance(r.boundary.on(a, s), Outflow) else "dirichlet" for s in (0, 1)]
            mixed = f"{ends[0]}_{ends[1]}_faces"
            kinds.append(
                cast(Kind, mixed if ends[0] != ends[1] else "neumann_cells" if ends[0] == "neumann" else ends[0])
            )
        free = [len(range(*s.indices(n))) for s, n in zip(r.velocity.free[i], r.velocity.shapes[i], strict=True)]
        return BoxLaplacian(free, r.spacing, kinds, dtype=r.dtype, device=r.device)

    def faces(self, theta: Tensor, t: float) -> list[Tensor]:
        """All faces of a state."""
        r = self.representation
        return r.velocity.faces(r.split(theta)["velocity"], t)

    def slope(self, t: float, theta: Tensor, part: str | None = None) -> Tensor:
        """−∇·(u u) + ν Δ_h u at the free faces, without the pressure; or one of ``"advection"``, ``"diffusion"``,
        ``"pressure"``."""
        r, problem = self.representation, self.problem
        if part not in (None, "advection", "diffusion", "pressure"):
            raise UsageError(f"the terms of {problem.name} are advection, diffusion and pressure; got {part!r}.")
        if part == "pressure":
            return -r.velocity.pack(r.gradient(r.pressure.array(r.split(theta)["pressure"])))
        u = self.faces(theta, t)
        out = [torch.zeros_like(c) for c in u]
        if part != "diffusion":
            out = [-a for a in r.advection(u, t)]
        if part != "advection" and problem.viscosity:
            out = [o + problem.viscosity * r.laplacian(c, i, t) for i, (o, c) in enumerate(zip(out, u, strict=True))]
        return r.velocity.pack(out)

    def explicit(self, base: State, terms: Terms, t: float, guess: Tensor | None = None) -> Stage:
        length = sum(c for c, _ in terms)
        return self.constrain(State(t, self._sum(base, terms)), length)

    def implicit(
        self, base: State, terms: Terms, gamma: float, t: float, guess: Tensor | None = None, part: str | None = None
    ) -> Stage:
        target = self._sum(base, terms)
        if part == "diffusion":
            return self._diffuse(target, gamma, t)
        if part is not None:
            raise UsageError(f"a staggered grid takes implicit stages of the whole and of the diffusion; got {part!r}.")
        return ImplicitStage(self, target, gamma, t).solve(base.theta if guess is None else guess)

    def flow(
        self,
        part: int,
        base: State | Blend,
        dt: float,
        guess: Tensor | None = None,
        carrier: State | Blend | None = None,
    ) -> Stage:
        """Semi-Lagrangian advection, or diffusion by Crank and Nicolson; not projected."""
        r, t = self.representation, base.t + dt
        if self.parts[part].name == "diffusion":
            theta = self._blended(base)
            half = self.slope(base.t, theta, "diffusion")
            return self._diffuse(self._sum(State(base.t, theta), ((0.5 * dt, half),)), 0.5 * dt, t)
        field = self._continued(base)
        moved = advected(r.velocity, field, field if carrier is None else self._continued(carrier), dt)
        velocity = r.velocity.without_closed(moved)
        return _finite(r.join({"velocity": velocity, "pressure": r.split(self._blended(base))["pressure"]}))

    @property
    def flows(self) -> tuple[bool, ...]:
        return (True,) * len(self.parts)

    def constrain(self, state: State, dt: float, increment: bool = False) -> Stage:
        """u − G q with −D G q = −D u, and q/dt as the pressure (added to the state's own where ``increment``).

        ``UNBALANCED`` where the boundary data of the state's time leave a divergence that no pressure removes."""
        r = self.representation
        parts = r.split(state.theta)
        u = r.velocity.faces(parts["velocity"], state.t)
        surplus = r.divergence(u)
        q = self.poisson.solve(-surplus)
        velocity = parts["velocity"] - r.velocity.pack(r.gradient(q))
        pressure = q.flatten(-r.dim) / dt if dt else parts["pressure"]
        if increment and dt:
            pressure = parts["pressure"] + pressure
        stage = _finite(r.join({"velocity": velocity, "pressure": pressure}))
        if stage.status.ok and not self.balance.holds(u, surplus):
            return Stage(stage.theta, Status.UNBALANCED)
        return stage

    def complete(self, t: float, theta: Tensor) -> Tensor:
        """θ with the pressure that belongs to its velocity, D G p = D F: F = −∇·(u u) + ν Δ_h u on the free faces, the
        rate at which the data change on those of the boundary."""
        r = self.representation
        parts = r.split(theta)
        slopes = r.velocity.spread(r.velocity.unpack(self.slope(t, theta)))
        if self.moving:
            slopes = [a + b for a, b in zip(slopes, self._rates(t, self.faces(theta, t)), strict=True)]
        p = self.poisson.solve(-r.divergence(slopes))
        return r.join({"velocity": parts["velocity"], "pressure": p.flatten(-r.dim)})

    def _rates(self, t: float, faces: list[Tensor]) -> list[Tensor]:
        """∂_t of the data on the boundary's faces, zero on the free ones, by differences over a tenth of the time that
        the fluid takes through a cell; at the start forward ones, as data may begin there."""
        velocity = self.representation.velocity
        speed = max(float(u.abs().max()) for u in faces)
        h = 0.1 * min(self.representation.spacing) / speed if speed else RATE_STEP
        weights = CENTRAL if t >= 2 * h else FORWARD
        rest = velocity.initial()
        near = [(c / h, velocity.faces(rest, t + k * h)) for k, c in weights]
        return [sum((c * u[i] for c, u in near[1:]), near[0][0] * near[0][1][i]) for i in range(velocity.dim)]

    def steady(self, guess: Tensor) -> Stage:
        """The flow that no longer moves; see :func:`steady_flow`."""
        if self.representation.cut is not None:
            raise UsageError(
                f"steady flows are solved for without solids; march {self.problem.name} until it no longer moves: "
                "simulate(problem, representation, IncrementalPressureCorrection(), dt=, t_end=, until_steady=1e-6)."
            )
        return steady_flow(self, guess)

    def energy(self, theta: Tensor) -> Tensor:
        """Kinetic energy ½ Σ |u|² over the free faces times the cell's (open) volume, ``(…)``."""
        return 0.5 * self.work(theta, self.representation.split(theta)["velocity"])

    def work(self, theta: Tensor, slope: Tensor) -> Tensor:
        """Σ u F over the free faces times the cell's (open) volume, ``(…)``."""
        r = self.representation
        velocity = r.split(theta)["velocity"]
        if r.cut is not None:
            velocity = velocity * r.velocity.pack(r.cut.areas)
        return math.prod(r.spacing) * torch.einsum("...i,...i->...", velocity, slope)

    @property
    def passive(self) -> bool:  # type: ignore[override]
        """Whether all walls are at rest and no face is open."""
        return all(_at_rest(condition) for condition in self.representation.boundary.table.values())

    def force(self, t: float, theta: Tensor) -> Tensor:
        """The force on the solid, ``(…, d)``; see :func:`body_force`.

        Raises:
            UsageError: where there is none.
        """
        if self.representation.cut is None:
            raise UsageError(f"{self.problem.name} has no solid, on which a force could act.")
        return body_force(self, t, theta)

    def _continued(self, base: State | Blend) -> list[Tensor]:
        """What is interpolated of a velocity, with the boundary data of each state's own time."""
        velocity = self.representation.velocity
        parts = ((1.0, base),) if isinstance(base, State) else base.parts
        arrays = [velocity.continued(self.faces(state.theta, state.t), state.t, straight=True) for _, state in parts]
        return [
            sum((c * u for (c, _), u in zip(parts[1:], same[1:], strict=True)), parts[0][0] * same[0])
            for same in zip(*arrays, strict=True)
        ]

    def _blended(self, base: State | Blend) -> Tensor:
        if isinstance(base, State):
            return base.theta
        return sum((c * state.theta for c, state in base.parts[1:]), base.parts[0][0] * base.parts[0][1].theta)

    def _sum(self, base: State, terms: Sequence[tuple[float, Tensor]]) -> Tensor:
        r = self.representation
        parts = r.split(base.theta)
        velocity = parts["velocity"]
        for c, slope in terms:
            velocity = velocity + c * slope
        return r.join({"velocity": velocity, "pressure": parts["pressure"]})

    def _diffuse(self, theta: Tensor, gamma: float, t: float) -> Stage:
        """(1 − γ ν Δ_h) u = u_θ with the boundary data of time t, component by component."""
        r, beta = self.representation, gamma * self.problem.viscosity
        if beta == 0:
            return Stage(theta)
        parts = r.split(theta)
        nothing = r.velocity.faces(torch.zeros_like(parts["velocity"]), t)
        data = r.velocity.unpack(r.velocity.pack([r.laplacian(u, i, t) for i, u in enumerate(nothing)]))
        pushed = parts["velocity"] + beta * torch.cat([g.flatten(-r.dim) for g in data], dim=-1)
        velocity = self.undiffused(pushed, gamma)
        return _finite(r.join({"velocity": velocity, "pressure": parts["pressure"]}))

    def undiffused(self, velocity: Tensor, gamma: float) -> Tensor:
        """(1 − γ ν Δ_h)⁻¹ of free faces ``(…, n)`` with boundary data 0, component by component."""
        r, beta = self.representation, gamma * self.problem.viscosity
        if beta == 0:
            return velocity
        out = []
        for u, box in zip(r.velocity.unpack(velocity), self.diffusion, strict=True):
            if isinstance(box, CutDiffusion):
                out.append(box.solve(u.flatten(-r.dim), beta))
            else:
                out.append(box.solve(u, 1.0, beta).flatten(-r.dim))
        return torch.cat(out, dim=-1)

    def projected(self, velocity: Tensor) -> Tensor:
        """P of free faces ``(…, n)`` with boundary data 0."""
        r = self.representation
        q = self.poisson.solve(-r.divergence(r.velocity.spread(r.velocity.unpack(velocity))))
        return velocity - r.velocity.pack(r.gradient(q))


def _at_rest(condition: Condition) -> bool:
    """Whether fluid can gain no energy there; of functions of time nothing is known beforehand."""
    if not isinstance(condition, Dirichlet):
        return not isinstance(condition, Outflow)
    value = condition.value
    return not callable(value) and not any(value if isinstance(value, Sequence) else (value,))


def _finite(theta: Tensor) -> Stage:
    finite = bool(torch.isfinite(theta).all())
    return Stage(theta, Status.COMPLETED if finite else Status.NON_FINITE)
