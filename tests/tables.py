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
from problem_rows import FLOWS, PROBLEMS, SQUARE, UNIT, ProblemRow, has
from problem_rows import Hill as Hill
from problem_rows import hill_slope as hill_slope
from problem_rows import moving_walls as moving_walls
from torch import Tensor
from user_equations import CIRCLE as CIRCLE
from user_equations import Drift as Drift
from user_equations import Forced as Forced
from user_equations import GrowingWave as GrowingWave
from user_equations import Spin as Spin
from user_equations import Waves as Waves

from neuralpde.fields import Jet
from neuralpde.geometry import Box, Condition, Dirichlet, Neumann, Periodic
from neuralpde.integrators import (
    BDF2,
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
    Newmark,
)
from neuralpde.optimize import GaussNewton
from neuralpde.problems import LidDrivenCavity, Problem
from neuralpde.representations import (
    GridField,
    MacGrid,
    NeuralField,
    NeuralFlow,
    NeuralVelocityPressure,
    Representation,
    SpectralGrid,
)


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
    IntegratorRow("bdf2", BDF2, 2, "implicit"),
    IntegratorRow("lie_splitting", LieSplitting, 1, "splitting"),
)
MOTION_INTEGRATORS = (IntegratorRow("newmark", Newmark, 2, "motion"),)
"""Methods of second order in time: for bodies in motion only."""

FLOW_INTEGRATORS = (
    IntegratorRow("advection_reflection", AdvectionReflection, 2, "flow"),
    IntegratorRow("incremental_pressure_correction", IncrementalPressureCorrection, 2, "flow"),
)
"""Methods that need a constraint: for incompressible flow only."""

WHOLE = tuple(row for row in INTEGRATORS if row.family != "splitting")
"""Methods that take the right-hand side as a whole."""

RUNGE_KUTTA = tuple(row for row in WHOLE if row.name != "bdf2")


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
    if galerkin and has(problem, Neumann):
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
