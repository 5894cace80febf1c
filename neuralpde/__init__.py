"""Neural and classical solvers for partial differential equations whose parts fit together.

A Problem says what is true. A Representation keeps a field u in a vector of numbers θ. An Integrator moves θ through
time. linalg solves every linear system that any of them meets.
"""

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuralpde.geometry import (
        Block,
        Box,
        Dirichlet,
        Disc,
        Flux,
        HalfSpace,
        MeshDomain,
        Neumann,
        Periodic,
        PointLoad,
        Pressure,
        Robin,
        SignedDistance,
        read_mesh,
        with_points,
    )
    from neuralpde.integrators import (
        BDF2,
        RK4,
        SDIRK4,
        Euler,
        Heun,
        ImplicitEuler,
        ImplicitMidpoint,
        LieSplitting,
        Midpoint,
        Newmark,
    )
    from neuralpde.problems import (
        ARAP,
        Advection,
        AdvectionDiffusion,
        BodyContact,
        Burgers,
        ByPart,
        Contact,
        Elasticity,
        Heat,
        LinearElasticity,
        MooneyRivlin,
        NeoHookean,
        Poisson,
        Problem,
        Rayleigh,
        ReactionDiffusion,
        SaintVenantKirchhoff,
        traction,
    )
    from neuralpde.representations import FiniteElementField, GridField, NeuralField
    from neuralpde.simulate import Solution, compare, load_solution, simulate, solve

__version__ = "0.1.0"

__all__ = [
    "ARAP",
    "BDF2",
    "RK4",
    "SDIRK4",
    "Advection",
    "AdvectionDiffusion",
    "Block",
    "BodyContact",
    "Box",
    "Burgers",
    "ByPart",
    "Contact",
    "Dirichlet",
    "Disc",
    "Elasticity",
    "Euler",
    "FiniteElementField",
    "Flux",
    "GridField",
    "HalfSpace",
    "Heat",
    "Heun",
    "ImplicitEuler",
    "ImplicitMidpoint",
    "LieSplitting",
    "LinearElasticity",
    "MeshDomain",
    "Midpoint",
    "MooneyRivlin",
    "NeoHookean",
    "Neumann",
    "NeuralField",
    "Newmark",
    "Periodic",
    "PointLoad",
    "Poisson",
    "Pressure",
    "Problem",
    "Rayleigh",
    "ReactionDiffusion",
    "Robin",
    "SaintVenantKirchhoff",
    "SignedDistance",
    "Solution",
    "compare",
    "load_solution",
    "read_mesh",
    "simulate",
    "solve",
    "traction",
    "with_points",
]

_ROOMS = ("geometry", "integrators", "problems", "representations", "simulate")
"""Rooms of the public names: imported on first use, as torch takes seconds and `neuralpde --help` needs none of it."""


class _Package(ModuleType):
    """This module, whose public names and rooms appear when they are asked for."""

    def __getattr__(self, name: str) -> Any:
        if name in __all__:
            rooms = (importlib.import_module(f"{__name__}.{room}") for room in _ROOMS)
            value = next(getattr(room, name) for room in rooms if hasattr(room, name))
        elif not name.startswith("_") and importlib.util.find_spec(f"{__name__}.{name}") is not None:
            value = importlib.import_module(f"{__name__}.{name}")
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        setattr(self, name, value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        # `simulate` is a room and the function in it; importing the room must not hide the function
        if name == "simulate" and isinstance(value, ModuleType):
            value = value.simulate
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Package
