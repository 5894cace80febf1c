"""Equations with their initial, boundary and exact data."""

from neuralpde.problems._base import Problem, Term, check_problem
from neuralpde.problems._coefficients import coefficient
from neuralpde.problems._exact_fits import exact_fits
from neuralpde.problems._poisson import Poisson, ProductOfSines
from neuralpde.problems._transport import Advection, Burgers, GaussianBump, Heat, SineMode, SineSpeed

PROBLEMS: dict[str, type[Problem]] = {
    "advection": Advection,
    "burgers": Burgers,
    "heat": Heat,
    "poisson": Poisson,
}
"""Problems by their names in a case file."""

__all__ = [
    "PROBLEMS",
    "Advection",
    "Burgers",
    "GaussianBump",
    "Heat",
    "Poisson",
    "Problem",
    "ProductOfSines",
    "SineMode",
    "SineSpeed",
    "Term",
    "check_problem",
    "coefficient",
    "exact_fits",
]
