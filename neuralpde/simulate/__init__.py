"""Solve problems: march in time, or solve a steady one."""

from neuralpde.simulate._compare import compare
from neuralpde.simulate._files import load_solution
from neuralpde.simulate._march import Progress, simulate
from neuralpde.simulate._quantities import chosen_quantity, quantity_names
from neuralpde.simulate._solution import Solution
from neuralpde.simulate._steady import solve

__all__ = [
    "Progress",
    "Solution",
    "chosen_quantity",
    "compare",
    "load_solution",
    "quantity_names",
    "simulate",
    "solve",
]
