"""Time integrators: written once, on the verbs of a dynamics."""

from collections.abc import Callable

from neuralpde.integrators._base import Blend, Decay, Dynamics, Integrator, Stage, State, StepInfo, Terms
from neuralpde.integrators._bdf import BDF2, SDIRK2
from neuralpde.integrators._newmark import Newmark
from neuralpde.integrators._pressure_correction import IncrementalPressureCorrection
from neuralpde.integrators._runge_kutta import (
    RK4,
    SDIRK4,
    Euler,
    Heun,
    ImplicitEuler,
    ImplicitMidpoint,
    Midpoint,
    RungeKutta,
    Tableau,
)
from neuralpde.integrators._splitting import AdvectionReflection, LieSplitting

INTEGRATORS: dict[str, Callable[[], Integrator]] = {
    "euler": Euler,
    "midpoint": Midpoint,
    "heun": Heun,
    "rk4": RK4,
    "implicit_euler": ImplicitEuler,
    "implicit_midpoint": ImplicitMidpoint,
    "sdirk4": SDIRK4,
    "bdf2": BDF2,
    "newmark": Newmark,
    "lie_splitting": LieSplitting,
    "advection_reflection": AdvectionReflection,
    "incremental_pressure_correction": IncrementalPressureCorrection,
}
"""Integrators by their names in a case file."""

__all__ = [
    "BDF2",
    "INTEGRATORS",
    "RK4",
    "SDIRK2",
    "SDIRK4",
    "AdvectionReflection",
    "Blend",
    "Decay",
    "Dynamics",
    "Euler",
    "Heun",
    "ImplicitEuler",
    "ImplicitMidpoint",
    "IncrementalPressureCorrection",
    "Integrator",
    "LieSplitting",
    "Midpoint",
    "Newmark",
    "RungeKutta",
    "Stage",
    "State",
    "StepInfo",
    "Tableau",
    "Terms",
]
