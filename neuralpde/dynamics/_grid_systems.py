"""Linear systems (mass − γ ∂F/∂θ) δ = g of implicit stages on grids."""

from __future__ import annotations

from typing import cast

import scipy.sparse as sp
import torch
from scipy.sparse.linalg import SuperLU, splu
from torch import Tensor

from neuralpde.dynamics._linearised import Coefficients, JacobianMatrix
from neuralpde.linalg import BoxLaplacian, Kind, MatrixOperator, solve_linear
from neuralpde.problems import Problem
from neuralpde.representations import KINDS, GridField
from neuralpde.types import NonFiniteError, NotConvergedError, Status, UsageError

SYMMETRY = 1e-10
"""Largest |A − Aᵀ| against |A| that is rounding."""

SINGULAR = (
    "this steady problem fixes u only up to a constant (no face carries a Dirichlet condition): give u on one face."
)


class GridSystems:
    """Solves (mass − γ ∂F/∂θ) δ = g, and keeps what can be kept from one system to the next.

    Args:
        problem: whose F.
        representation: the grid.
        linear: ``"fast"`` (FFT/DST/DCT: order 2 or Fourier, F = a u + b Δu + data with constant a and b), ``"direct"``
            (sparse LU, kept while the matrix stays the same), ``"cg"``, ``"gmres"``, or ``"auto"``: fast where it
            applies, else direct.
        rtol: tolerance of the Krylov methods.
    """

    def __init__(self, problem: Problem, representation: GridField, linear: str, rtol: float) -> None:
        self.needs, self.representation = problem.needs, representation
        self.linear, self.rtol = linear, rtol
        self._matrix: JacobianMatrix | None = None
        self._factors: tuple[tuple[float, float], Coefficients, SuperLU] | None = None
        self._box = self._make_box() if linear in ("auto", "fast") else None
        if linear == "fast" and self._box is None:
            raise UsageError(
                "linear='fast' needs order 2 or 'fourier', one channel, and both faces of an axis of one kind; "
                "use linear='direct'."
            )

    def _make_box(self) -> BoxLaplacian | None:
        r = self.representation
        ends = [(KINDS[type(r.boundary.on(i, 0))], KINDS[type(r.boundary.on(i, 1))]) for i in range(r.dim)]
        if r.channels > 1 or r.dim > 3 or r.order == 6 or any(a != b or a == "free" for a, b in ends):
            return None
        kinds = [cast(Kind, a) for a, _ in ends]
        shape = [n - 2 if kind == "dirichlet" else n for n, kind in zip(r.grid.shape, kinds, strict=True)]
        return BoxLaplacian(shape, r.grid.spacing, kinds, spectral=r.order == "fourier", dtype=r.dtype, device=r.device)

    def solve(self, mass: float, gamma: float, parts: Coefficients, g: Tensor) -> Tensor:
        """δ, ``(p,)``.

        Raises:
            UsageError: for a singular steady problem, coefficients that ``"fast"`` cannot take, or a matrix that is not
                symmetric for ``"cg"``.
            NotConvergedError: for a singular step, or where a Krylov method fails.
            NonFiniteError: if the matrix holds NaN or Inf.
        """
        shift = None if self._box is None else _constant_diffusion(parts)
        if self._box is not None and shift is not None:
            alpha, beta = mass - gamma * shift[0], gamma * shift[1]
            if alpha == 0 and "dirichlet" not in self._box.kinds:
                raise UsageError(SINGULAR)
            return self._box.solve(g.reshape(self._box.grid), alpha, beta).reshape(-1)
        if self.linear == "fast":
            raise UsageError("linear='fast' needs F = a u + b Δu + data with constant a and b; use linear='direct'.")
        if self.linear in ("auto", "direct"):
            return self._direct(mass, gamma, parts, g)
        matrix, symmetric = self._assemble(mass, gamma, parts), self.linear == "cg"
        if symmetric:
            _refuse_asymmetric(matrix)
        operator = MatrixOperator(matrix, symmetric=symmetric, positive_definite=symmetric)
        return solve_linear(operator, g, solver=self.linear, M="jacobi", rtol=self.rtol).x.to(g.dtype)

    def _assemble(self, mass: float, gamma: float, parts: Coefficients) -> sp.csr_matrix:
        if self._matrix is None:
            self._matrix = JacobianMatrix(self.representation, self.needs)
        jacobian = self._matrix(parts)
        return mass * sp.identity(jacobian.shape[0], format="csr") - gamma * jacobian

    def _direct(self, mass: float, gamma: float, parts: Coefficients, g: Tensor) -> Tensor:
        kept = self._factors
        if (
            kept is None
            or kept[0] != (mass, gamma)
            or any(not torch.equal(parts[k], old) for k, old in kept[1].items())
        ):
            kept = ((mass, gamma), parts, _factorise(self._assemble(mass, gamma, parts), mass == 0))
            self._factors = kept
        return torch.as_tensor(kept[2].solve(g.detach().double().cpu().numpy()), dtype=g.dtype, device=g.device)


def _constant_diffusion(parts: Coefficients) -> tuple[float, float] | None:
    """(a, b) where F = a u + b Δu + data with constant a and b, else None."""
    if "hess" in parts or "laplacian" not in parts:
        return None
    if "grad" in parts and bool(parts["grad"].any()):
        return None
    a, b = parts["value"], parts["laplacian"]
    if not (bool((a == a[0]).all()) and bool((b == b[0]).all())):
        return None
    return float(a[0]), float(b[0])


def _refuse_asymmetric(matrix: sp.csr_matrix) -> None:
    """CG on such a matrix may stall, or stop at a wrong answer that its own recurrence calls converged."""
    difference, size = abs(matrix - matrix.T).max(), abs(matrix).max()
    if difference > SYMMETRY * size:
        raise UsageError(
            f"linear='cg' needs a symmetric matrix; here |A − Aᵀ| reaches {difference:.1e}, |A| {size:.1e} (first "
            "derivatives, varying coefficients, Neumann faces and order 6 at walls do that): use linear='gmres' or "
            "linear='direct'."
        )


def _factorise(matrix: sp.csr_matrix, steady: bool) -> SuperLU:
    try:
        return splu(matrix.tocsc())
    except RuntimeError as error:
        if steady:
            raise UsageError(f"the matrix of this steady problem is singular; {SINGULAR}") from error
        raise NotConvergedError(f"{Status.SINGULAR_MATRIX.sentence()}.") from error
    except ValueError as error:
        raise NonFiniteError(f"the matrix of this implicit step holds NaN or Inf: {error}.") from error
