"""Algebraic multigrid by PyAMG as a preconditioner: coarse levels from the entries of A, no grid needed."""

from __future__ import annotations

import difflib
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuralpde.linalg.jacobi_cycle import JacobiCycle
from neuralpde.linalg.matrix import as_tensor
from neuralpde.linalg.multigrid_cycle import GaussSeidelCycle
from neuralpde.linalg.multigrid_parts import Parts, parts_of
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.preconditioners import Preconditioner
from neuralpde.types import UsageError

METHODS = ("ruge_stuben", "smoothed_aggregation")

_LARGEST_COARSE = 100

Levels = list[Any]
"""Of PyAMG's, finest first: matrices A, and but for the coarsest prolongations P and restrictions R."""


class AlgebraicMultigrid(Preconditioner):
    """M ≈ A⁻¹ by one cycle, with a sweep before each coarse correction and one after it.

    For symmetric A with positive diagonal M is symmetric positive definite, as conjugate gradients need; for other A it
    serves GMRES. When A has the constant in its null space (pure Neumann problems; each connected part of the unknowns
    is looked at by itself) M acts between fields without mean: CG from x0 = 0 then gives the solution of mean zero,
    provided that the mean of b is zero on each such part. Unknowns that A couples to no other (cells masked out by rows
    of the identity, or by empty rows) are divided by their diagonal, or set to 0.

    Building costs as much as some ten iterations: keep the operator that ``build`` returns and pass it as ``M`` to many
    solves with the same A, or with one that is close, or tell it of new entries by its ``update(A)``. It works in
    float64 on the CPU, whatever the device of A.

    Args:
        method: "ruge_stuben" for scalar equations with a 3-, 5- or 7-point stencil, also with coefficients that jump by
            orders of magnitude; "smoothed_aggregation" for systems (elasticity) and wide stencils, with less memory.
        near_nullspace: B, shape ``(n, modes)``, for smoothed aggregation: fields that A nearly sends to 0, such as the
            rigid motions of elasticity; the constant by default.
        theta: strength threshold: entries with |a_ij| ≥ theta max |a_ik| (Ruge–Stüben), or ≥ theta √(a_ii a_jj),
            make coarse levels. Good values: 0.25 and 0.05, the defaults.
        block: unknowns of a node, which follow each other: smoothed aggregation keeps them together, and smooths them
            together.
        cycle: "V", or "W", which visits coarse levels twice: with smoothed aggregation in 2D it saves a third of the
            iterations for a tenth of the work.
        prolongation: P, a sparse matrix ``(n, m)`` to the unknowns from those of a coarser space that is known, such as
            linear elements for quadratic ones. The method then makes the levels below PᵀAP, and ``near_nullspace`` is
            about its unknowns, ``(m, modes)``. Finite elements of degree 2 need half the iterations with it.
        smoother: "gauss_seidel", sweeps forwards before and backwards after coarse corrections; or "jacobi" for
            symmetric A (others get the former), sweeps with half of the work and with the threads of torch: a tenth to
            a quarter more iterations where unknowns come in blocks, each in half of the time.
        single: cycle in float32 where A allows it (it is regular, and its diagonal neither tiny, huge nor wide). The
            iterations stay as many, and each reads half the memory.

    Raises:
        UsageError: for an unknown method or cycle; from ``build`` when A is not square, holds NaN, has a diagonal entry
            that is not positive where A couples unknowns, or near_nullspace or P has another number of rows.

    Source: Ruge and Stüben, Algebraic multigrid (1987); Vaněk, Mandel and Brezina, Algebraic multigrid by smoothed
    aggregation, Computing 56 (1996); Bell, Olson, Schroder and Southworth, PyAMG, JOSS 8 (2023).

    Example:
        >>> from neuralpde.linalg import MatrixOperator
        >>> A = MatrixOperator([[2.0, -1.0], [-1.0, 2.0]])
        >>> M = AlgebraicMultigrid().build(A)
        >>> [round(value, 4) for value in (M @ torch.tensor([1.0, 1.0])).tolist()], M.levels
        ([1.0, 1.0], (2,))
    """

    def __init__(
        self,
        method: str = "ruge_stuben",
        *,
        near_nullspace: Tensor | None = None,
        theta: float | None = None,
        block: int = 1,
        cycle: str = "V",
        prolongation: sp.csr_matrix | None = None,
        single: bool = False,
        smoother: str = "gauss_seidel",
    ) -> None:
        if method not in METHODS:
            nearest = difflib.get_close_matches(str(method), METHODS, n=1, cutoff=0.0)[0]
            raise UsageError(f"unknown method {method!r}: did you mean {nearest!r}? Known: {', '.join(METHODS)}")
        if near_nullspace is not None and method != "smoothed_aggregation":
            raise UsageError("near_nullspace is used by method='smoothed_aggregation' only")
        if theta is not None and not 0.0 <= theta < 1.0:
            raise UsageError(f"theta must be in [0, 1), got {theta}")
        self.method = method
        self.near_nullspace = near_nullspace
        if cycle not in ("V", "W"):
            raise UsageError(f"the cycles are 'V' and 'W'; got {cycle!r}.")
        if smoother not in ("gauss_seidel", "jacobi"):
            raise UsageError(f"the smoothers are 'gauss_seidel' and 'jacobi'; got {smoother!r}.")
        if block > 1 and method != "smoothed_aggregation":
            raise UsageError("block is used by method='smoothed_aggregation' only")
        self.theta, self.block, self.cycle, self.prolongation = theta, block, cycle, prolongation
        self.single, self.smoother = single, smoother

    def build(self, A: LinearOperator) -> MultigridCycle:
        modes, parts = self._modes(A), self.parts(A)
        if modes is not None and self.prolongation is None:
            modes = modes[parts.coupled]
        made = self._hierarchy(parts.matrix, parts.symmetric, modes) if parts.coupled.size else None
        return MultigridCycle(self, A, parts, [] if made is None else made.levels)

    def parts(self, A: LinearOperator) -> Parts:
        """What of A the levels are made of."""
        return parts_of(A, self.prolongation is not None or self.block > 1)

    def coarsened(self, parts: Parts, levels: Levels) -> None:
        """Make the matrices of all levels from that of the finest, by prolongations that are there."""
        matrix = levels[0].A = self._short(parts.matrix)
        for level, below in pairwise(levels):
            matrix = below.A = level.R @ (matrix @ level.P)

    def cycles(self, parts: Parts, levels: Levels) -> GaussSeidelCycle | JacobiCycle | None:
        """The cycle on such levels."""
        if not levels:
            return None
        single = self.single and parts.fits_single
        made = JacobiCycle if self.smoother == "jacobi" and parts.symmetric else GaussSeidelCycle
        return made(levels, self.cycle, np.float32 if single else np.float64)

    def _modes(self, A: LinearOperator) -> NDArray[np.float64] | None:
        rows = A.shape[0] if self.prolongation is None else self.prolongation.shape[1]
        if self.prolongation is not None and self.prolongation.shape[0] != A.shape[0]:
            raise UsageError(f"prolongation has shape {self.prolongation.shape}, expected ({A.shape[0]}, m)")
        if self.near_nullspace is None:
            return None
        modes = as_tensor(self.near_nullspace)
        if modes.ndim != 2 or modes.shape[0] != rows:
            raise UsageError(f"near_nullspace has shape {tuple(modes.shape)}, expected ({rows}, modes)")
        return modes.detach().cpu().to(torch.float64).numpy()

    def _hierarchy(self, csr: sp.csr_matrix, symmetric: bool, modes: NDArray[np.float64] | None) -> Any:
        fine = self._short(csr)
        if self.prolongation is None:
            return self._levels(fine, symmetric, modes)
        from pyamg.multilevel import MultilevelSolver

        p = sp.csr_matrix(self.prolongation)
        made = self._levels(self._short(p.T @ (csr @ p)), symmetric, modes)
        top = MultilevelSolver.Level()
        top.A, top.P, top.R = fine, self._short(p), self._short(p.T)
        made.levels.insert(0, top)
        return made

    def _short(self, matrix: sp.spmatrix) -> sp.csr_matrix | sp.bsr_matrix:
        """With 32-bit indices, which are all that PyAMG takes, in blocks where there are some."""
        csr = sp.csr_matrix(matrix)
        csr.sort_indices()
        csr.indices, csr.indptr = csr.indices.astype(np.int32), csr.indptr.astype(np.int32)
        whole = self.block > 1 and all(size % self.block == 0 for size in csr.shape)
        if not whole:
            return csr
        blocks = csr.tobsr((self.block, self.block))
        blocks.has_canonical_format = True  # or SciPy looks for duplicates in a loop over rows in Python
        return blocks

    def _levels(self, matrix: sp.spmatrix, symmetric: bool, modes: NDArray[np.float64] | None) -> Any:
        import pyamg  # here and not above, because importing it takes longer than most solves

        both = {"presmoother": None, "postsmoother": None, "max_coarse": _LARGEST_COARSE}  # the cycle is our own
        if self.method == "ruge_stuben":
            # The second pass gives any two strongly coupled fine points a coarse neighbour in common. With jumps of 1e4
            # it saves half to nine tenths of the iterations, for 20 % more entries.
            strength = ("classical", {"theta": 0.25 if self.theta is None else self.theta})
            splitting = ("RS", {"second_pass": True})
            return pyamg.ruge_stuben_solver(matrix, strength=strength, CF=splitting, **both)
        strength = ("symmetric", {"theta": 0.05 if self.theta is None else self.theta})
        kind = "symmetric" if symmetric else "nonsymmetric"
        # Row sums bound the spectral radius of D⁻¹A as well as PyAMG's estimate of it, which costs most of the rest.
        smooth = ("jacobi", {"omega": 4 / 3, "weighting": "local"})
        options = {"B": modes, "symmetry": kind, "strength": strength, "smooth": smooth, "improve_candidates": None}
        return pyamg.smoothed_aggregation_solver(matrix, **options, **both)


class MultigridCycle(LinearOperator):
    """r → M r, one cycle; what :meth:`AlgebraicMultigrid.build` returns.

    Attributes:
        levels: unknowns on each level, finest first.
        operator_complexity: entries of the matrices of all levels, divided by those of the finest.
    """

    def __init__(self, maker: AlgebraicMultigrid, A: LinearOperator, parts: Parts, hierarchy: Levels) -> None:
        # Definite on the fields without mean, where A itself is, when parts are singular.
        definite = parts.symmetric and bool((parts.alone >= 0.0).all())
        super().__init__(A.shape, symmetric=parts.symmetric, positive_definite=definite, device=A.device)
        self._maker, self._hierarchy = maker, hierarchy
        self.levels: tuple[int, ...] = tuple(int(level.A.shape[0]) for level in hierarchy)
        self._set(parts)

    def _set(self, parts: Parts) -> None:
        self._cycle = self._maker.cycles(parts, self._hierarchy)
        entries = [level.A.nnz for level in self._hierarchy]
        self.operator_complexity = sum(entries) / max(entries[0], 1) if entries else 1.0
        self._coupled, self._alone = parts.coupled, parts.alone
        self._scale = parts.scale
        self._all_coupled = parts.coupled.size == self.shape[0]
        self._parts, self._part = np.unique(parts.part, return_inverse=True)
        self._sizes = np.bincount(self._part, minlength=self._parts.size)
        for level in self._hierarchy:
            level.A = None  # the cycle has its own

    def update(self, A: LinearOperator) -> None:
        """Serve another matrix with the same unknowns, whose entries are others: prolongations stay, the matrices of
        coarse levels are made again.

        That takes a third to two thirds of the time of building, and iterations stay about as many while strong
        couplings stay where they are.

        Raises:
            UsageError: when A has another shape, or other unknowns that it couples to none, or is refused by ``build``;
                M then stays what it was.
        """
        if A.shape != self.shape:
            raise UsageError(f"this multigrid is for matrices of shape {self.shape}, got {A.shape}: build another one")
        parts = self._maker.parts(A)
        if not np.array_equal(parts.coupled, self._coupled):
            raise UsageError(
                "the matrix has other unknowns without neighbours than the one before: build another multigrid"
            )
        self._symmetric = parts.symmetric
        self._positive_definite = parts.symmetric and bool((parts.alone >= 0.0).all())
        if self._hierarchy:
            self._maker.coarsened(parts, self._hierarchy)
        self._set(parts)

    def matvec(self, x: Tensor) -> Tensor:
        if x.ndim == 2:
            columns = [self.matvec(column) for column in x.unbind(1)]
            return torch.stack(columns, dim=1) if columns else x.clone()
        r = x.detach().cpu().to(torch.float64).numpy()
        if self._cycle is None:
            z = self._alone * r
        elif self._all_coupled:
            z = self._corrected(r)
        else:
            z = self._alone * r
            z[self._coupled] = self._corrected(r[self._coupled])
        return torch.from_numpy(np.ascontiguousarray(z)).to(x)

    def _corrected(self, r: NDArray[np.float64]) -> NDArray[np.float64]:
        """One cycle on the unknowns with neighbours."""
        assert self._cycle is not None
        z = self._without_means(self._cycle(self._without_means(r)))
        return z if self._scale == 1.0 else self._scale * z

    def _without_means(self, r: NDArray[np.float64]) -> NDArray[np.float64]:
        """r minus its mean on each singular part."""
        if self._parts[-1] < 0:
            return r
        if self._parts.size == 1:
            return r - r.mean()
        means = np.bincount(self._part, weights=r, minlength=self._parts.size) / self._sizes
        means[self._parts < 0] = 0.0
        return r - means[self._part]
