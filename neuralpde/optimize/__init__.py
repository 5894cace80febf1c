"""Minimisers of nonlinear least squares."""

from neuralpde.optimize._first_order import Adam, adam
from neuralpde.optimize._least_squares import GaussNewton, least_squares
from neuralpde.optimize._result import LeastSquaresSolution

__all__ = ["Adam", "GaussNewton", "LeastSquaresSolution", "adam", "least_squares"]
