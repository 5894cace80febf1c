"""The table of problems with exact solutions; a new problem is one row here."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from user_equations import SQUARE, UNIT, Drift, Forced, GrowingWave, Spin, Waves

from neuralpde.geometry import Box, Condition, Dirichlet, Neumann, Periodic
from neuralpde.problems import (
    Advection,
    AdvectionDiffusion,
    AllenCahn,
    AllenCahnFront,
    AllenCahnWave,
    BeltramiFlow,
    BoundaryLayer,
    Burgers,
    CylinderChannel,
    DoubleShearLayer,
    Elasticity,
    EulerFlow,
    FisherWave,
    Heat,
    LidDrivenCavity,
    LinearDecay,
    LinearElasticity,
    Logistic,
    MovingGaussian,
    NavierStokes,
    NeoHookean,
    Poisson,
    Problem,
    ReactionDiffusion,
    Rotation,
    Schnakenberg,
    SineMode,
    SineSpeed,
    TaylorGreen,
    VortexPair,
    WalshFlow,
)


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


def bend(x: Tensor) -> Tensor:
    """A displacement of the unit square."""
    return torch.stack([torch.sin(x.sum(1)), x[:, 0] ** 2 * x[:, 1]], dim=1)


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
    states_flux: bool = False

    @property
    def flows(self) -> bool:
        """Whether every term has a flow, or a flux with which it is stepped."""
        return all(term.flow is not None or term.flux is not None for term in self.make().terms())

    @property
    def fully_periodic(self) -> bool:
        return all(isinstance(c, Periodic) and c.axes == "all" for c in self.make().conditions)


def has(row: ProblemRow, kind: type) -> bool:
    return any(isinstance(c, kind) for c in row.make().conditions)


COSINE = SineMode(wavenumbers=(0.5,), phase=math.pi / 2)

PLAIN = (
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
    ProblemRow("advection", lambda: Advection(profile=SineMode((4.0,)))),
    ProblemRow("advection of a bump", Advection, (0.5, 3.0), width=0.05, tolerance=1e-8),
    ProblemRow(
        "advection, variable speed",
        lambda: Advection(speed=SineSpeed(), profile=SineMode((4.0,))),
        (0.5, 2.0),
        tolerance=1e-8,
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
    ProblemRow(
        "linear elasticity",
        lambda: LinearElasticity(young=2.0, solution=bend, conditions=(Dirichlet(lambda t, x: bend(x)),)),
        states_flux=True,
    ),
    ProblemRow(
        "elasticity",
        lambda: Elasticity(
            NeoHookean(2.0, 0.3, form="stable"),
            solution=lambda x: 0.11 * bend(x),
            conditions=(Dirichlet(lambda t, x: 0.11 * bend(x)),),
        ),
        states_flux=True,
    ),
    ProblemRow("forced", Forced),
    ProblemRow("forced, moving walls", lambda: Forced(conditions=(Dirichlet(moving_walls),))),
    ProblemRow("drift", Drift),
    ProblemRow("waves", Waves, states_flux=True),
    ProblemRow("spin", Spin),
    ProblemRow("spin 2D", lambda: Spin(domain=SQUARE)),
    ProblemRow("growing wave", GrowingWave),
)

TURNING = MovingGaussian((0.2, 0.1), 0.2, diffusivity=0.02, rotation=1.0)
FISHER, ALLEN_CAHN = FisherWave(0.01, 4.0, centre=0.3), AllenCahnWave(0.01, 4.0, 0.3)
FRONT, LAYER = AllenCahnFront(0.02, 1.0, 0.5), BoundaryLayer(1.0, 0.2)


def on_faces(solution: Callable[..., Tensor]) -> tuple[Condition, ...]:
    """A solution of (t, x) as Dirichlet data."""
    return (Dirichlet(solution),)


def swirl(x: Tensor) -> Tensor:
    """A velocity with a divergence."""
    return torch.stack([0.5 + x[:, 0] * x[:, 1], torch.cos(x[:, 0])], dim=-1)


def breathing(t: float, x: Tensor) -> Tensor:
    """cos(2t) sin(x + 2y) + x y, a manufactured solution."""
    return math.cos(2 * t) * torch.sin(x[:, :1] + 2 * x[:, 1:]) + x.prod(-1, keepdim=True)


def pair_of_species(t: float, x: Tensor) -> Tensor:
    """Two manufactured concentrations."""
    return torch.cat([1 + 0.3 * math.sin(t) * torch.cos(3 * x), 0.8 + 0.2 * torch.sin(2 * x + t)], dim=-1)


def graded(x: Tensor) -> Tensor:
    """A diffusivity that varies."""
    return 0.5 + 0.2 * torch.sin(x.sum(-1, keepdim=True))


TRANSPORT = (
    ProblemRow("advection–diffusion", AdvectionDiffusion, states_flux=True),
    ProblemRow(
        "advection–diffusion 2D, turning",
        lambda: AdvectionDiffusion(
            Rotation(),
            0.02,
            0.0,
            solution=TURNING,
            domain=Box((-1.0, -1.0), (1.0, 1.0)),
            conditions=on_faces(TURNING),
        ),
        tolerance=1e-8,
        states_flux=True,
    ),
    ProblemRow(
        "advection–diffusion 2D, manufactured",
        lambda: AdvectionDiffusion(swirl, graded, solution=breathing, domain=SQUARE, conditions=on_faces(breathing)),
        tolerance=1e-8,
        states_flux=True,
    ),
    ProblemRow(
        "boundary layer",
        lambda: AdvectionDiffusion(
            1.0, 0.2, 0.0, solution=LAYER, conditions=(Dirichlet(0.0, "x-"), Dirichlet(1.0, "x+")), steady=True
        ),
        states_flux=True,
    ),
    ProblemRow(
        "Fisher's wave",
        lambda: ReactionDiffusion(Logistic(4.0), 0.01, 0.0, solution=FISHER, conditions=on_faces(FISHER)),
        states_flux=True,
    ),
    ProblemRow(
        "Allen and Cahn's wave",
        lambda: ReactionDiffusion(AllenCahn(4.0), 0.01, 0.0, solution=ALLEN_CAHN, conditions=on_faces(ALLEN_CAHN)),
        width=0.05,
        states_flux=True,
    ),
    ProblemRow(
        "Allen and Cahn's front",
        lambda: ReactionDiffusion(
            AllenCahn(),
            0.02,
            0.0,
            profile=lambda x: 2 * x - 1,
            solution=FRONT,
            conditions=(Dirichlet(lambda t, x: FRONT(x)),),
            steady=True,
        ),
        states_flux=True,
    ),
    ProblemRow(
        "decay",
        lambda: ReactionDiffusion(LinearDecay(0.5), profile=SineMode(), conditions=(Periodic(),)),
        states_flux=True,
    ),
    ProblemRow(
        "Schnakenberg, manufactured",
        lambda: ReactionDiffusion(
            Schnakenberg(), (0.01, 0.1), solution=pair_of_species, conditions=on_faces(pair_of_species)
        ),
        tolerance=1e-8,
        states_flux=True,
    ),
    ProblemRow(
        "heat, manufactured",
        lambda: Heat(graded, solution=breathing, domain=SQUARE, conditions=on_faces(breathing)),
        tolerance=1e-8,
        states_flux=True,
    ),
    ProblemRow(
        "poisson, graded",
        lambda: Poisson(
            diffusivity=graded, solution=Hill(), domain=SQUARE, conditions=(Dirichlet(lambda t, x: Hill()(x)),)
        ),
        states_flux=True,
    ),
)
PROBLEMS = (*PLAIN, *TRANSPORT)

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
