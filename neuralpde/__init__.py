"""Neural and classical solvers for partial differential equations whose parts fit together.

A Problem says what is true. A Representation keeps a field u in a vector of numbers θ. An Integrator moves θ through
time. linalg solves every linear system that any of them meets.
"""

from neuralpde.geometry import Box, Dirichlet, Neumann, Periodic
from neuralpde.integrators import RK4, SDIRK4, Euler, Heun, ImplicitEuler, ImplicitMidpoint, LieSplitting, Midpoint
from neuralpde.problems import Advection, Burgers, Heat, Poisson, Problem
from neuralpde.representations import GridField, NeuralField
from neuralpde.simulate import Solution, compare, load_solution, simulate, solve

__version__ = "0.1.0"

__all__ = [
    "RK4",
    "SDIRK4",
    "Advection",
    "Box",
    "Burgers",
    "Dirichlet",
    "Euler",
    "GridField",
    "Heat",
    "Heun",
    "ImplicitEuler",
    "ImplicitMidpoint",
    "LieSplitting",
    "Midpoint",
    "Neumann",
    "NeuralField",
    "Periodic",
    "Poisson",
    "Problem",
    "Solution",
    "compare",
    "load_solution",
    "simulate",
    "solve",
]
