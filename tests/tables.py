"""The tables that drive the tests: integrators, representations, problems, and which of them work together.

A new integrator, representation or problem is one row here; the tests of every room then run on it, and the support
table of the docs is made from :func:`support_table`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from neuralpde.fields import Jet
from neuralpde.geometry import Box, Condition, Dirichlet, Neumann, Periodic
from neuralpde.integrators import (
    RK4,
    SDIRK4,
    AdvectionReflection,
    Euler,
    Heun,
    ImplicitEuler,
    ImplicitMidpoint,
    IncrementalPressureCorrection,
    Integrator,
    LieSplitting,
    Midpoint,
)
from neuralpde.optimize import GaussNewton
from neuralpde.problems import (
    Advection,
    BeltramiFlow,
    Burgers,
    CylinderChannel,
    DoubleShearLayer,
    EulerFlow,
    Heat,
    LidDrivenCavity,
    NavierStokes,
    Poisson,
    Problem,
    SineMode,
    SineSpeed,
    TaylorGreen,
    Term,
    VortexPair,
    WalshFlow,
)
from neuralpde.representations import (
    GridField,
    MacGrid,
    NeuralField,
    NeuralFlow,
    NeuralVelocityPressure,
    Representation,
    SpectralGrid,
)

UNIT = Box((0.0,), (1.0,))
SQUARE = Box((0.0, 0.0), (1.0, 1.0))
CIRCLE = Box((0.0,), (2 * math.pi,))


def orders(errors: Sequence[float], ratio: float = 2.0) -> list[float]:
    """Observed order of each pair of neighbouring levels, refined by ``ratio``."""
    return [math.log(a / b) / math.log(ratio) for a, b in pairwise(errors)]


def points_in(domain: Box, n: int = 7, seed: int = 3) -> Tensor:
    """n random points of a box, ``(n, d)``."""
    generator = torch.Generator().manual_seed(seed)
    return domain.from_unit(torch.rand(n, domain.dim, generator=generator, dtype=torch.float64))


# ---------------------------------------------------------------------------------------------- integrators


@dataclass(frozen=True)
class IntegratorRow:
    """An integrator, its nominal order in dt, and what it asks of a dynamics."""

    name: str
    make: Callable[[], Integrator]
    order: int
    family: str  # explicit | implicit | splitting


INTEGRATORS = (
    IntegratorRow("euler", Euler, 1, "explicit"),
    IntegratorRow("midpoint", Midpoint, 2, "explicit"),
    IntegratorRow("heun", Heun, 2, "explicit"),
    IntegratorRow("rk4", RK4, 4, "explicit"),
    IntegratorRow("implicit_euler", ImplicitEuler, 1, "implicit"),
    IntegratorRow("implicit_midpoint", ImplicitMidpoint, 2, "implicit"),
    IntegratorRow("sdirk4", SDIRK4, 4, "implicit"),
    IntegratorRow("lie_splitting", LieSplitting, 1, "splitting"),
)
FLOW_INTEGRATORS = (
    IntegratorRow("advection_reflection", AdvectionReflection, 2, "flow"),
    IntegratorRow("incremental_pressure_correction", IncrementalPressureCorrection, 2, "flow"),
)
"""Methods that need a constraint: for incompressible flow only."""

RUNGE_KUTTA = tuple(row for row in INTEGRATORS if row.family != "splitting")


# ------------------------------------------------------------------------- equations that a user might write


@dataclass(frozen=True)
class Forced(Problem):
    """u_t + u u_x = ν u_xx + s(t, x) with s made so that u = 1 + ½ sin(x − t): nonlinear, and F depends on t."""

    viscosity: float = 0.1
    domain: Box = CIRCLE
    conditions: tuple[Condition, ...] = (Periodic(),)
    needs = frozenset({"grad", "laplacian"})

    def rhs(self, t, x, u):
        sine, cosine = 0.5 * torch.sin(x - t), 0.5 * torch.cos(x - t)
        forcing = sine * cosine + self.viscosity * sine
        return self.viscosity * u.laplacian - u.value * u.grad[..., 0] + forcing

    def initial(self, x):
        return self.exact(0.0, x)

    def exact(self, t, x):
        return 1 + 0.5 * torch.sin(x - t)


@dataclass(frozen=True)
class Drift(Problem):
    """u_t = ν u_xx − (1 + cos 3t) u_x: every stage stays in the span of sin and cos, which a tiny network fits."""

    viscosity: float = 0.2
    domain: Box = CIRCLE
    conditions: tuple[Condition, ...] = (Periodic(),)
    needs = frozenset({"grad", "laplacian"})

    def rhs(self, t, x, u):
        return self.viscosity * u.laplacian - (1 + math.cos(3 * t)) * u.grad[..., 0]

    def initial(self, x):
        return self.exact(0.0, x)

    def exact(self, t, x):
        return math.exp(-self.viscosity * t) * torch.sin(x - t - math.sin(3 * t) / 3)


@dataclass(frozen=True)
class Waves(Problem):
    """p_t + ∇·v = 0, v_t + ∂p = 0 in 1D, stated by its flux alone: two channels, rhs from the flux."""

    domain: Box = UNIT
    conditions: tuple[Condition, ...] = (Periodic(),)
    unknowns = {"pressure": 1, "velocity": 1}  # noqa: RUF012 (as users write it)
    needs = frozenset({"grad", "hess"})

    def flux(self, t, x, u):
        return u.value.flip(-1)[..., None]

    def initial(self, x):
        return self.exact(0.0, x)

    def exact(self, t, x):
        right, left = torch.sin(2 * math.pi * (x - t)), 0.5 * torch.cos(2 * math.pi * (x + t))
        return torch.cat([right + left, right - left], dim=-1)


@dataclass(frozen=True)
class Spin(Problem):
    """u_t = κ Δu + R u with R a rotation at rate ω: two diffusing channels that turn into each other."""

    diffusivity: float = 0.05
    rate: float = 2.0
    domain: Box = UNIT
    conditions: tuple[Condition, ...] = (Dirichlet(0.0),)
    unknowns = {"velocity": 2}  # noqa: RUF012
    needs = frozenset({"laplacian"})

    def rhs(self, t, x, u):
        turned = torch.stack([-u.value[:, 1], u.value[:, 0]], dim=-1)
        return self.diffusivity * u.laplacian + self.rate * turned

    def initial(self, x):
        return self.exact(0.0, x)

    def exact(self, t, x):
        shape = torch.sin(math.pi * x).prod(-1, keepdim=True)
        decay = math.exp(-self.diffusivity * x.shape[1] * math.pi**2 * t)
        angle = self.rate * t
        return decay * shape * x.new_tensor([[math.cos(angle), math.sin(angle)]])


@dataclass(frozen=True)
class GrowingWave(Problem):
    """u_t + a u_x = cos(x) u, split into advection and growth, whose flows do not commute."""

    speed: float = 1.0
    domain: Box = CIRCLE
    conditions: tuple[Condition, ...] = (Periodic(),)
    needs = frozenset({"grad"})

    def rhs(self, t, x, u):
        return -self.speed * u.grad[..., 0] + torch.cos(x) * u.value

    def initial(self, x):
        return self.exact(0.0, x)

    def exact(self, t, x):
        foot = x - self.speed * t
        return (2 + torch.sin(foot)) * torch.exp((torch.sin(x) - torch.sin(foot)) / self.speed)

    def terms(self):
        return (
            Term("advection", lambda t, x, u: -self.speed * u.grad[..., 0], lambda t, u, x, dt: u(x - self.speed * dt)),
            Term(
                "growth",
                lambda t, x, u: torch.cos(x) * u.value,
                lambda t, u, x, dt: torch.exp(dt * torch.cos(x)) * u(x),
            ),
        )


# ------------------------------------------------------------------------------------------------- problems


def inflow(t: float, x: Tensor) -> Tensor:
    """sin 3(x − t), the data of the advection problem with an inflow face."""
    return torch.sin(3 * (x - t))


def moving_walls(t: float, x: Tensor) -> Tensor:
    """The exact solution of :class:`Forced`, as Dirichlet data that move in time."""
    return Forced().exact(t, x)


def flow_field(x: Tensor) -> Tensor:
    """A smooth velocity in 2D, periodic on the unit square."""
    a, b = 2 * math.pi * x[:, 0], 2 * math.pi * x[:, 1]
    return torch.stack([0.5 + 0.2 * torch.sin(b), 0.3 + 0.2 * torch.cos(a)], dim=-1)


@dataclass(frozen=True)
class Hill:
    """sin(x) (1 + y) and its Laplacian: not zero on the boundary, slopes that vary along the faces."""

    def __call__(self, x: Tensor) -> Tensor:
        return torch.sin(2 * x[:, :1]) * (1 + x[:, 1:].prod(-1, keepdim=True)) if x.shape[1] > 1 else torch.sin(2 * x)

    def laplacian(self, x: Tensor) -> Tensor:
        return -4 * self(x)


def hill_slope(axis: int, sign: float) -> Callable[[float, Tensor], Tensor]:
    """Outward derivative of :class:`Hill` on a face."""

    def slope(t: float, x: Tensor) -> Tensor:
        rest = 1 + x[:, 1:] if x.shape[1] > 1 else 1.0
        return sign * (2 * torch.cos(2 * x[:, :1]) * rest if axis == 0 else torch.sin(2 * x[:, :1]))

    return slope


@dataclass(frozen=True)
class ProblemRow:
    """A problem with an exact solution, and what the tests need to know of it.

    ``times`` are where the residual is looked at, ``width`` is the smallest length of its solution, in x and in t
    (differences take steps of a fraction of it), and ``tolerance`` bounds the residual.
    """

    name: str
    make: Callable[[], Problem]
    times: tuple[float, ...] = (0.3, 0.7)
    width: float = 0.1
    tolerance: float = 1e-9
    flows: bool = False
    states_flux: bool = False

    @property
    def fully_periodic(self) -> bool:
        return all(isinstance(c, Periodic) and c.axes == "all" for c in self.make().conditions)


def _has(row: ProblemRow, kind: type) -> bool:
    return any(isinstance(c, kind) for c in row.make().conditions)


COSINE = SineMode(wavenumbers=(0.5,), phase=math.pi / 2)

PROBLEMS = (
    ProblemRow("heat", Heat, states_flux=True),
    ProblemRow(
        "heat with walls",
        lambda: Heat(profile=SineMode(wavenumbers=(0.5,)), conditions=(Dirichlet(0.0),)),
        states_flux=True,
    ),
    ProblemRow("heat insulated", lambda: Heat(profile=COSINE, conditions=(Neumann(0.0),)), states_flux=True),
    ProblemRow(
        "heat 2D",
        lambda: Heat(
            profile=SineMode((1.0, 1.0), (1.0, 0.5)), domain=SQUARE, conditions=(Periodic("x"), Dirichlet(0.0))
        ),
        states_flux=True,
    ),
    ProblemRow("advection", lambda: Advection(profile=SineMode((4.0,))), flows=True),
    ProblemRow("advection of a bump", Advection, (0.5, 3.0), width=0.05, tolerance=1e-8, flows=True),
    ProblemRow(
        "advection, variable speed",
        lambda: Advection(speed=SineSpeed(), profile=SineMode((4.0,))),
        (0.5, 2.0),
        tolerance=1e-8,
        flows=True,
    ),
    ProblemRow(
        "advection with inflow",
        lambda: Advection(
            speed=1.0,
            profile=lambda x: torch.sin(3 * x),
            domain=UNIT,
            conditions=(Dirichlet(inflow, "x-"),),
        ),
    ),
    ProblemRow(
        "advection 2D",
        lambda: Advection(
            speed=flow_field, profile=SineMode((1.0, 1.0), (1.0, 1.0)), domain=SQUARE, conditions=(Periodic(),)
        ),
        width=0.05,
        tolerance=1e-8,
        flows=True,
    ),
    ProblemRow("burgers", lambda: Burgers(viscosity=0.1), states_flux=True, tolerance=1e-8),
    ProblemRow("burgers, steep", Burgers, (0.1, 0.6), width=0.01, tolerance=1e-7, states_flux=True),
    ProblemRow("poisson 1D", lambda: Poisson(domain=UNIT), states_flux=True),
    ProblemRow("poisson 2D", Poisson, states_flux=True),
    ProblemRow(
        "poisson 2D, mixed",
        lambda: Poisson(
            solution=Hill(),
            domain=SQUARE,
            conditions=(
                Dirichlet(lambda t, x: Hill()(x), ("x-", "y+")),
                Neumann(hill_slope(0, 1.0), "x+"),
                Neumann(hill_slope(1, -1.0), "y-"),
            ),
        ),
        states_flux=True,
    ),
    ProblemRow("forced", Forced),
    ProblemRow("forced, moving walls", lambda: Forced(conditions=(Dirichlet(moving_walls),))),
    ProblemRow("drift", Drift),
    ProblemRow("waves", Waves, states_flux=True),
    ProblemRow("spin", Spin),
    ProblemRow("spin 2D", lambda: Spin(domain=SQUARE)),
    ProblemRow("growing wave", GrowingWave, flows=True),
)

FLOWS = (
    ProblemRow("Taylor–Green", TaylorGreen),
    ProblemRow("Taylor–Green, decaying", lambda: TaylorGreen(viscosity=0.05)),
    ProblemRow("Walsh flow", WalshFlow),
    ProblemRow("Walsh flow without viscosity", lambda: WalshFlow(viscosity=0.0, waves=25, seed=3)),
    ProblemRow("Beltrami flow", BeltramiFlow),
    ProblemRow("Navier–Stokes", NavierStokes),
    ProblemRow("Euler", EulerFlow),
    ProblemRow("vortex pair", VortexPair),
    ProblemRow("double shear layer", DoubleShearLayer),
    ProblemRow("lid-driven cavity", LidDrivenCavity),
    ProblemRow("cylinder in a channel", CylinderChannel),
)
"""Incompressible flows; they live on representations of their own."""


# ------------------------------------------------------------------------------------------ representations


@dataclass(frozen=True)
class RepresentationRow:
    """A representation: how to make it, and how well a small one keeps a smooth field and its derivatives.

    ``order`` is the order of its derivatives in the spacing (None: they are those of the field itself), ``periodic``
    how it takes periodic axes: ``any``, ``all`` (only domains periodic along every axis) or ``none``.
    """

    name: str
    kind: type[Representation]
    options: dict[str, Any]
    periodic: str = "any"
    order: int | None = None
    method: str = "auto"
    fit: float = 0.0  # largest error of the fit of a smooth target
    derivative: float = 1e-9  # largest relative error of the jet

    def make(self, domain: Box, conditions: tuple[Condition, ...], channels: int = 1, **changes: Any) -> Representation:
        return self.kind(domain, conditions, channels, **(self.options | changes))  # type: ignore[call-arg]

    def for_problem(self, problem: Problem, **changes: Any) -> Representation:
        return self.make(problem.domain, problem.conditions, problem.channels, **changes)

    @property
    def is_grid(self) -> bool:
        return self.kind is GridField


REPRESENTATIONS = (
    RepresentationRow("grid, order 2", GridField, {"shape": 25, "order": 2}, order=2, derivative=0.2),
    RepresentationRow("grid, order 6", GridField, {"shape": 25, "order": 6}, order=6, derivative=2e-3),
    RepresentationRow("grid, Fourier", GridField, {"shape": 24, "order": "fourier"}, "all", derivative=1e-9),
    RepresentationRow("neural field, centred", NeuralField, {"hidden": (10,), "steepness": 5.0}, fit=2e-2),
    RepresentationRow(
        "neural field, harmonic", NeuralField, {"hidden": (10,), "features": "harmonic", "harmonics": 1}, fit=2e-2
    ),
    RepresentationRow(
        "neural field, Fourier features",
        NeuralField,
        {"hidden": (12, 6), "features": "fourier", "steepness": 3.0},
        "none",
        fit=2e-2,
    ),
    RepresentationRow(
        "neural field, SIREN",
        NeuralField,
        {"hidden": (8, 8), "features": "coordinates", "activation": "sine"},
        "none",
        fit=0.15,  # ω = 30 starts from fast waves: forty iterations leave 5 % of a slow field
    ),
)
GRIDS = tuple(row for row in REPRESENTATIONS if row.is_grid)
NEURAL_FIELDS = tuple(row for row in REPRESENTATIONS if not row.is_grid)


@dataclass(frozen=True)
class Setting:
    """A box with conditions, and a smooth field (t, x) → u that satisfies them."""

    name: str
    domain: Box
    conditions: tuple[Condition, ...]
    target: Callable[[float, Tensor], Tensor]
    channels: int = 1

    @property
    def periodic(self) -> str:
        flags = {isinstance(c, Periodic) for c in self.conditions} or {False}
        return "some" if len(flags) == 2 else "all" if True in flags else "none"


def _wave(t: float, x: Tensor) -> Tensor:
    return torch.sin(2 * math.pi * x[:, :1] + t) + 0.3


def _slanted(t: float, x: Tensor) -> Tensor:
    return torch.exp(0.5 * x[:, :1]) * (1 + t)


def _saddle(t: float, x: Tensor) -> Tensor:
    return (1 + t) * torch.sin(x[:, :1] + 0.5) * (1 + x[:, 1:] ** 2)


def _striped(t: float, x: Tensor) -> Tensor:
    return torch.sin(2 * math.pi * x[:, :1]) * x[:, 1:] * (1 - x[:, 1:]) + (1 + t) * x[:, 1:]


def _pair(t: float, x: Tensor) -> Tensor:
    return torch.cat([_saddle(t, x), 0.5 - _saddle(t, x) ** 2], dim=-1)


def _pair_wave(t: float, x: Tensor) -> Tensor:
    return torch.cat([_wave(t, x), torch.cos(2 * math.pi * x[:, :1])], dim=-1)


SETTINGS = (
    Setting("1D periodic", UNIT, (Periodic(),), _wave),
    Setting("1D free", UNIT, (), _slanted),
    Setting("1D moving walls", UNIT, (Dirichlet(_slanted),), _slanted),
    Setting(
        "1D wall and slope",
        UNIT,
        (Dirichlet(_slanted, "x-"), Neumann(lambda t, x: 0.5 * _slanted(t, x), "x+")),
        _slanted,
    ),
    Setting("2D moving walls", SQUARE, (Dirichlet(_saddle),), _saddle),
    Setting("2D one wall", SQUARE, (Dirichlet(_saddle, "y+"),), _saddle),
    Setting(
        "2D periodic strip",
        SQUARE,
        (Periodic("x"), Dirichlet(0.0, "y-"), Dirichlet(lambda t, x: 1 + t + 0 * x[:, :1], "y+")),
        _striped,
    ),
    Setting("2D two channels", SQUARE, (Dirichlet(_pair),), _pair, channels=2),
    Setting("1D periodic, two channels", UNIT, (Periodic(),), _pair_wave, channels=2),
)

CONTRACT = tuple(
    (row, setting)
    for row in REPRESENTATIONS
    for setting in SETTINGS
    if row.periodic == "any" or row.periodic == setting.periodic
)
"""Every representation in every setting that it takes."""


# ------------------------------------------------------------------------------------------------- support

FAMILIES = ("explicit", "implicit", "splitting", "steady")
FLOW_FAMILIES = ("explicit", "implicit", "splitting", "reflection", "correction", "steady")
FOR_FAMILY: dict[str, Callable[[], Integrator]] = {
    "explicit": RK4,
    "implicit": ImplicitMidpoint,
    "splitting": LieSplitting,
    "reflection": AdvectionReflection,
    "correction": IncrementalPressureCorrection,
}

SUPPORT_REPRESENTATIONS = (
    *GRIDS,
    RepresentationRow("neural field", NeuralField, {"hidden": (6,), "steepness": 5.0}, fit=0.5),
    RepresentationRow(
        "neural field, Galerkin", NeuralField, {"hidden": (6,), "steepness": 5.0}, method="galerkin", fit=0.5
    ),
)
# quick fits of tiny fields: how close they come is not looked at where these are used
QUICK = GaussNewton(maxiter=4, damping=1e-6, accept=math.inf)
START = GaussNewton(maxiter=40, damping=1e-4, stall=0.0, accept=math.inf)


def refusal(problem: ProblemRow, representation: RepresentationRow, family: str) -> str | None:
    """The sentence (a part of it) with which a combination is refused, or None where it works."""
    steady, galerkin = problem.make().time_order == 0, representation.method == "galerkin"
    if representation.periodic == "all" and not problem.fully_periodic:
        return "order='fourier' needs a domain that is periodic along every axis; use order=6"
    if steady != (family == "steady"):
        return "is steady: use solve" if steady else "moves in time: use simulate"
    if galerkin and any(callable(c.value) for c in problem.make().conditions if isinstance(c, Dirichlet)):
        return "Galerkin stepping holds constant Dirichlet data only; use method='function_space'"
    if galerkin and _has(problem, Neumann):
        return "Galerkin stepping knows no Neumann conditions; use method='function_space'"
    if galerkin and family == "implicit":
        return "is explicit and ImplicitMidpoint() has implicit stages; use RK4, or method='function_space'"
    if family == "splitting" and (galerkin or not problem.flows):
        return "LieSplitting needs a flow for every term of the problem; use RK4 or ImplicitMidpoint"
    return None


FLOW_REPRESENTATIONS = (
    RepresentationRow("staggered grid", MacGrid, {"shape": 12}),
    RepresentationRow("Fourier grid", SpectralGrid, {"shape": 12}, "all"),
    RepresentationRow("neural flow", NeuralFlow, {"hidden": (6,)}, "all", fit=0.5),
    RepresentationRow(
        "velocity and pressure networks", NeuralVelocityPressure, {"hidden": (6,), "pressure_hidden": (4,)}, fit=0.5
    ),
)


def flow_refusal(problem: ProblemRow, representation: RepresentationRow, family: str) -> str | None:
    """The same for a flow on a representation of flows."""
    flow, kind = problem.make(), representation.kind
    if kind is SpectralGrid and not problem.fully_periodic:
        return "SpectralGrid needs a domain that is periodic along every axis"
    if kind is NeuralVelocityPressure and flow.solid is not None:  # type: ignore[attr-defined]
        return "use a MacGrid"
    if kind is NeuralFlow and flow.solid is not None:  # type: ignore[attr-defined]
        return "or a MacGrid"
    if kind in (NeuralFlow, NeuralVelocityPressure) and isinstance(flow, LidDrivenCavity) and family != "steady":
        return "makes the velocity jump in its corners"
    if family == "steady":
        if kind in (SpectralGrid, NeuralVelocityPressure):
            return "moves in time: use simulate"
        if not flow.viscosity:  # type: ignore[attr-defined]
            return "without viscosity has many steady flows"
        if flow.solid is not None:  # type: ignore[attr-defined]
            return "steady flows are solved for without solids"
        if kind is MacGrid and flow.domain.dim == 3:
            return "steady flows are solved for in 2D"
        return "nothing holds the velocity along the periodic axis" if problem.fully_periodic else None
    if family == "implicit" and kind not in (MacGrid, NeuralFlow):
        return "has implicit stages; use RK4, or IncrementalPressureCorrection on a grid"
    if kind is NeuralFlow and family in ("splitting", "reflection"):
        return f"{'LieSplitting' if family == 'splitting' else 'AdvectionReflection'} needs a flow for every term"
    return None


def flow_support_table() -> list[tuple[str, str, str, str]]:
    """:func:`support_table` of the flows."""
    return [
        (p.name, r.name, family, flow_refusal(p, r, family) or "works")
        for p in FLOWS
        for r in FLOW_REPRESENTATIONS
        for family in FLOW_FAMILIES
    ]


def support_table() -> list[tuple[str, str, str, str]]:
    """(problem, representation, family of integrators, "works" or the sentence of the refusal), every combination."""
    return [
        (p.name, r.name, family, refusal(p, r, family) or "works")
        for p in PROBLEMS
        for r in SUPPORT_REPRESENTATIONS
        for family in FAMILIES
        if not (r.method == "galerkin" and family == "steady")  # a way to march, so `solve` has no such option
    ]


def random_jet(n: int, channels: int, dim: int, seed: int = 5) -> Jet:
    """A jet of random numbers whose Laplacian is the trace of its Hessian."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return Jet(draw(n, channels), draw(n, channels, dim), hess=draw(n, channels, dim, dim))
