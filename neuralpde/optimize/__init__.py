"""Minimisers of nonlinear least squares, and of energies."""

from neuralpde.optimize._first_order import Adam, adam
from neuralpde.optimize._least_squares import GaussNewton, least_squares
from neuralpde.optimize._natural_gradient import Energy, EnergySolution, NaturalGradient, natural_gradient
from neuralpde.optimize._result import LeastSquaresSolution

__all__ = [
    "Adam",
    "Energy",
    "EnergySolution",
    "GaussNewton",
    "LeastSquaresSolution",
    "NaturalGradient",
    "adam",
    "least_squares",
    "natural_gradient",
]
