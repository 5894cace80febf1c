"""Linear systems: operators, preconditioners, Krylov and direct solvers, the fast solver on boxes."""

from neuralpde.linalg.algebra import ProductOperator, ScaledOperator, SumOperator
from neuralpde.linalg.algebraic_multigrid import AlgebraicMultigrid, MultigridCycle
from neuralpde.linalg.chebyshev import Chebyshev
from neuralpde.linalg.direct_preconditioner import Direct
from neuralpde.linalg.fast import BoxLaplacian
from neuralpde.linalg.fast_box import FastBox
from neuralpde.linalg.incomplete_cholesky import IncompleteCholesky
from neuralpde.linalg.matrix import MatrixOperator, as_operator
from neuralpde.linalg.multigrid._plain import PlainMultigrid
from neuralpde.linalg.multigrid.geometric import GeometricMultigrid, MultigridOperator
from neuralpde.linalg.operators import CallableOperator, LinearOperator
from neuralpde.linalg.preconditioners import DiagonalOperator, Identity, IdentityOperator, Jacobi, Preconditioner
from neuralpde.linalg.prepare import PreparedSolver, prepare
from neuralpde.linalg.rigid_motions import rigid_motions
from neuralpde.linalg.sine_cosine import dct1, dct2, dct3, dct4, dst1, dst2, dst3, dst4, dst6, dst7
from neuralpde.linalg.solution import LinearSolution
from neuralpde.linalg.solve import solve_linear
from neuralpde.linalg.sparse import SparseOperator
from neuralpde.linalg.ssor import SSOR
from neuralpde.linalg.stencil import Kind
from neuralpde.linalg.stencil_operator import StencilOperator
from neuralpde.linalg.symmetric import eigenpairs, positive_part
from neuralpde.linalg.symmetric_lu import positive_definite, symmetric_lu
from neuralpde.linalg.transposed import TransposedOperator

__all__ = [
    "SSOR",
    "AlgebraicMultigrid",
    "BoxLaplacian",
    "CallableOperator",
    "Chebyshev",
    "DiagonalOperator",
    "Direct",
    "FastBox",
    "GeometricMultigrid",
    "Identity",
    "IdentityOperator",
    "IncompleteCholesky",
    "Jacobi",
    "Kind",
    "LinearOperator",
    "LinearSolution",
    "MatrixOperator",
    "MultigridCycle",
    "MultigridOperator",
    "PlainMultigrid",
    "Preconditioner",
    "PreparedSolver",
    "ProductOperator",
    "ScaledOperator",
    "SparseOperator",
    "StencilOperator",
    "SumOperator",
    "TransposedOperator",
    "as_operator",
    "dct1",
    "dct2",
    "dct3",
    "dct4",
    "dst1",
    "dst2",
    "dst3",
    "dst4",
    "dst6",
    "dst7",
    "eigenpairs",
    "positive_definite",
    "positive_part",
    "prepare",
    "rigid_motions",
    "solve_linear",
    "symmetric_lu",
]
