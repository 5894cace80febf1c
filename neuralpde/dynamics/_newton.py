"""Options of Newton's method."""

from __future__ import annotations

from dataclasses import dataclass

from neuralpde.types import UsageError

LINEAR_SOLVERS = ("auto", "fast", "direct", "cg", "gmres")


@dataclass(frozen=True)
class Newton:
    """Newton's method of implicit stages and steady problems on grids and finite elements.

    Args:
        linear: how its linear systems are solved: ``"direct"`` (sparse LU, kept while the matrix stays the same),
            ``"cg"`` (symmetric positive definite matrices) or ``"gmres"`` (both with Jacobi on grids, with algebraic
            multigrid on finite elements), ``"fast"`` (FFT/DST/DCT, on grids only; see :class:`GridSystems`), or
            ``"auto"``: on grids fast where it applies, else LU; on finite elements LU for small systems, else CG where
            the matrix is symmetric, else GMRES.
        rtol: stop when the residual is below rtol times the largest term of the equation.
        linear_rtol: tolerance of the Krylov methods.
        maxiter: most iterations.

    Raises:
        UsageError: for another linear solver.
    """

    linear: str = "auto"
    rtol: float = 1e-12
    linear_rtol: float = 1e-11
    maxiter: int = 25

    def __post_init__(self) -> None:
        if self.linear not in LINEAR_SOLVERS:
            raise UsageError(f"the linear solvers are {', '.join(LINEAR_SOLVERS)}; got {self.linear!r}.")
