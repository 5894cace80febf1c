"""Linear systems: operators, preconditioners, Krylov and direct solvers, the fast solver on boxes."""

from neuralpde.linalg.fast import BoxLaplacian
from neuralpde.linalg.fast_box import FastBox
from neuralpde.linalg.matrix import MatrixOperator, as_operator
from neuralpde.linalg.operators import CallableOperator, LinearOperator
from neuralpde.linalg.preconditioners import DiagonalOperator, Identity, IdentityOperator, Jacobi, Preconditioner
from neuralpde.linalg.sine_cosine import dct1, dst1
from neuralpde.linalg.solve import LinearSolution, solve_linear
from neuralpde.linalg.stencil import Kind

__all__ = [
    "BoxLaplacian",
    "CallableOperator",
    "DiagonalOperator",
    "FastBox",
    "Identity",
    "IdentityOperator",
    "Jacobi",
    "Kind",
    "LinearOperator",
    "LinearSolution",
    "MatrixOperator",
    "Preconditioner",
    "as_operator",
    "dct1",
    "dst1",
    "solve_linear",
]
