"""SciPy's Krylov solvers with this package's preconditioners, and its solvers in SciPy's place."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator as ScipyOperator

from neuralpde.linalg import LinearSolution, Preconditioner
from neuralpde.linalg.columns import side_by_side
from neuralpde.linalg.guard import named
from neuralpde.linalg.inputs import as_tolerance
from neuralpde.linalg.prepare import prepare
from neuralpde.linalg.sentences import raise_failed
from neuralpde.plugins._cells import BY_GRID, Mask, Shape, as_kinds, cells_of
from neuralpde.plugins._matrix import entries, refuse_fixed, scaled, signs
from neuralpde.plugins._reduced import reduced, solved_as_given
from neuralpde.types import UsageError

Floats = NDArray[np.float64]


def as_preconditioner(
    A: Any, kind: str = "multigrid", shape: Shape = None, mask: Mask = None, **options: Any
) -> ScipyPreconditioner:
    """M ≈ A⁻¹ for the ``M=`` of ``scipy.sparse.linalg.cg``, ``minres``, ``bicgstab`` and ``gmres``.

    Args:
        A: SciPy sparse matrix or array of any format, or a dense NumPy array, ``(n, n)``, of integers or real floats.
            It is copied, and may change afterwards. Positive or negative definite (a Laplacian with −4 on its
            diagonal): M has the sign of A, and SciPy's CG works with both. Pure Neumann problems may be singular, with
            constants as null space: M then acts between fields whose mean on each connected part is 0. Solid cells may
            stand as rows of the identity or as empty rows.
        kind: "multigrid" (geometric; for 5- and 7-point stencils on a grid, by far the fastest there), "amg" (algebraic
            multigrid, for meshes), "ic" (incomplete Cholesky), "ssor", "chebyshev", "jacobi", "direct", "identity".
        shape: cells of each axis of the grid, in the order of ``field.shape`` of an array whose ``field.ravel()`` is a
            vector of A (the last axis is numbered first). For "multigrid" only.
        mask: True in the cells that are unknowns, of that shape, where A has rows for these alone, in the order of
            ``field[mask]``. For "multigrid" only.
        options: of the preconditioner's class, such as ``near_nullspace`` of
            :class:`~neuralpde.linalg.AlgebraicMultigrid`.

    Returns:
        A linear operator, symmetric and definite where A is; ``M.update(A)`` follows a matrix that changes.

    Raises:
        UsageError: for a matrix, shape or option that does not suit; the sentence says what does.

    Example:
        >>> from scipy.sparse.linalg import cg
        >>> line = sp.diags([1.0, -2.0, 1.0], [-1, 0, 1], shape=(64, 64))
        >>> A = sp.kronsum(line, line)
        >>> M = as_preconditioner(A, shape=(64, 64))
        >>> x, info = cg(A, np.ones(64 * 64), rtol=1e-8, M=M)
        >>> info, bool(np.linalg.norm(A @ x - 1.0) < 1e-6)
        (0, True)
    """
    return ScipyPreconditioner(A, kind, shape, mask, options)


class ScipyPreconditioner(ScipyOperator):
    """r → M r on NumPy vectors; what :func:`as_preconditioner` returns.

    Attributes:
        kind: of preconditioner.
    """

    def __init__(self, A: Any, kind: str, shape: Shape, mask: Mask, options: dict[str, Any]) -> None:
        self.kind = kind
        self._preconditioner = _made(kind, options)
        csr = entries(A)
        self._cells = cells_of(csr, kind, shape, mask)
        super().__init__(np.dtype(np.float64), csr.shape)
        self._build(csr)

    def update(self, A: Any) -> ScipyPreconditioner:
        """Follow a matrix that changes, as with moving bodies or time steps, on the same grid and of the same size.

        Returns:
            This object, so that ``M=M.update(A)`` may stand in a call of SciPy's.

        Raises:
            UsageError: for a matrix of another size, or one that does not suit; M then stays what it was.
        """
        csr = entries(A)
        if csr.shape != self.shape:
            raise UsageError(
                f"this preconditioner is for matrices of shape {self.shape}, got {csr.shape}: make another"
            )
        self._build(csr, self._operator)
        return self

    def _build(self, csr: sp.csr_matrix, known: Any = None) -> None:
        if self.kind in BY_GRID:
            refuse_fixed(csr)
        new = signs(csr)
        with as_kinds():
            A = self._cells.operator(scaled(csr, new))
            if hasattr(known, "update"):  # keeps what does not depend on coefficients
                known.update(A)
            else:
                self._operator = self._preconditioner.build(A)
        self._signs = new  # last: what was refused leaves M as it was

    def _matvec(self, r: NDArray[Any]) -> NDArray[Any]:
        return self._applied(r, self._operator.matvec)

    def _rmatvec(self, r: NDArray[Any]) -> NDArray[Any]:
        return self._applied(r, self._operator.rmatvec)

    def _applied(self, r: NDArray[Any], action: Any) -> NDArray[Any]:
        if np.iscomplexobj(r):  # M is real, and SciPy's solvers take a complex b for a real A
            return self._applied(r.real, action) + 1j * self._applied(r.imag, action)
        # signs and A commute: entries join unknowns of one sign only
        return self._cells.gather(action(self._cells.spread(self._signs * r.reshape(-1))))


class Solver:
    """A x = b for one matrix and many right-hand sides, as in the time steps of a simulation: set up once.

    It stands where a script has ``scipy.sparse.linalg.splu(A)`` or calls ``cg(A, b)`` in a loop, and takes what
    :func:`as_preconditioner` takes, and rows that fix an unknown while its column is still in use, as well.

    Args:
        A, shape, mask: as in :func:`as_preconditioner`.
        kind: of preconditioner: "multigrid" by default where ``shape`` is given, else "amg".
        solver: of :func:`~neuralpde.linalg.solve_linear`: by default "cg" for symmetric A, else "gmres".
        options: of the preconditioner.

    Attributes:
        solution: what the last solve reports: status, iterations, true residual, seconds.

    Raises:
        UsageError: see :func:`as_preconditioner`.

    Example:
        >>> line = sp.diags([1.0, -2.0, 1.0], [-1, 0, 1], shape=(64, 64))
        >>> solver = Solver(sp.kronsum(line, line), shape=(64, 64))
        >>> p = solver.solve(np.ones(64 * 64))
        >>> p = solver.solve(np.arange(64.0 * 64.0), x0=p, rtol=1e-6)
        >>> solver.solution.residual < 1e-6
        True
    """

    def __init__(
        self,
        A: Any,
        shape: Shape = None,
        kind: str | None = None,
        mask: Mask = None,
        solver: str | None = None,
        **options: Any,
    ) -> None:
        kind = kind or ("amg" if shape is None else "multigrid")
        preconditioner = _made(kind, options)
        csr = entries(A)
        self.shape = csr.shape
        self._cells = cells_of(csr, kind, shape, mask)
        self._system = reduced(csr, self._cells)
        solver = solver or ("cg" if self._system.operator.symmetric else "gmres")
        self._prepared = prepare(self._system.operator, solver=solver, M=preconditioner)
        self._refuse_unsuited()
        self.solution: LinearSolution | None = None

    def update(self, A: Any) -> Solver:
        """Follow a matrix that changes, on the same grid and of the same size.

        Raises:
            UsageError: for a matrix of another size, or one that does not suit; the solver then stays what it was.
        """
        csr = entries(A)
        if csr.shape != self.shape:
            raise UsageError(f"this solver is for matrices of shape {self.shape}, got {csr.shape}: make another")
        system = reduced(csr, self._cells)
        try:
            self._prepared.update(system.operator)
            self._refuse_unsuited()
        except BaseException:  # an interrupt, too, must not leave the signs of one matrix with the entries of another
            self._prepared.update(self._system.operator)
            raise
        self._system = system
        return self

    def solve(
        self, b: Any, x0: Any = None, rtol: float = 1e-8, atol: float = 0.0, maxiter: int | None = None
    ) -> Floats:
        """x with ‖b − A x‖ ≤ max(rtol ‖b‖, atol), by the residual computed from x.

        Args:
            b: right-hand side ``(n,)``, or some of them side by side ``(n, k)``.
            x0: first guess, such as the pressure of the step before.
            rtol, atol: tolerances.
            maxiter: most iterations.

        Returns:
            x, of the shape of b.

        Raises:
            UsageError: for a b or x0 of another size.
            NotConvergedError: where SciPy's ``info`` would be above 0. The exception holds the ``result``.
        """
        b = self._vector("b", b)
        x0 = None if x0 is None else self._vector("x0", x0)
        rtol, atol = as_tolerance("rtol", rtol), as_tolerance("atol", atol)
        system = self._system
        if system.is_given:
            self.solution = self._prepared.solve(system.right(b), x0=x0, rtol=rtol, atol=atol, maxiter=maxiter)
            return self._cells.gather(self.solution.x)
        columns = b.reshape(len(b), -1).T
        starts = [None] * len(columns) if x0 is None else x0.reshape(len(b), -1).T
        pairs = zip(columns, starts, strict=True)
        found = [
            solved_as_given((self._prepared, self._cells, self._system), column, start, (rtol, atol, maxiter))
            for column, start in pairs
        ]
        self.solution = found[0] if b.ndim == 1 else side_by_side(found, self._cells.spread(b))
        raise_failed(self._prepared.method, self._prepared.A, self.solution)
        return self._cells.gather(self.solution.x)

    def _refuse_unsuited(self) -> None:
        """A solve would go on with Jacobi and note it; who asks for a kind by name is told at once."""
        fault = self._prepared.ready().guards[0].fault
        with as_kinds():
            if fault:
                raise UsageError(f"this kind of preconditioner does not suit A: {fault.split(': ', 1)[-1]}")

    def _vector(self, name: str, values: Any) -> Floats:
        values = values.toarray() if sp.issparse(values) else values
        if np.iscomplexobj(values):
            raise UsageError(f"{name} holds complex numbers, but A is real: solve for the real and imaginary part")
        vector = np.array(values, dtype=np.float64)  # a copy
        if vector.ndim not in (1, 2) or len(vector) != self.shape[0]:
            raise UsageError(
                f"{name} has shape {vector.shape}, but A has shape {self.shape}: give {name}.ravel(), "
                "a vector of the unknowns in the order of the rows of A"
            )
        return vector


def solve(
    A: Any,
    b: Any,
    shape: Shape = None,
    kind: str | None = None,
    mask: Mask = None,
    solver: str | None = None,
    *,
    x0: Any = None,
    rtol: float = 1e-8,
    atol: float = 0.0,
    maxiter: int | None = None,
    **options: Any,
) -> Floats:
    """x with A x = b, in place of ``scipy.sparse.linalg.spsolve(A, b)`` or ``cg(A, b)``.

    It returns x alone, as ``spsolve`` does, and not ``(x, info)`` as ``cg``: an ``info`` that nobody looks at leads to
    wrong answers, so what did not converge raises. For many right-hand sides set up a :class:`Solver` once.

    Args:
        A, shape, kind, mask, solver, options: see :class:`Solver`.
        b, x0, rtol, atol, maxiter: see :meth:`Solver.solve`.

    Raises:
        UsageError, NotConvergedError: see there.

    Example:
        >>> A = sp.diags([-1.0, 2.0, -1.0], [-1, 0, 1], shape=(100, 100))
        >>> x = solve(A, np.ones(100))
        >>> bool(np.linalg.norm(A @ x - 1.0) < 1e-7)
        True
    """
    return Solver(A, shape, kind, mask, solver, **options).solve(b, x0, rtol, atol, maxiter)


def _made(kind: str, options: dict[str, Any]) -> Preconditioner:
    """A preconditioner by its name.

    Raises:
        UsageError: for an unknown name or option.
    """
    make = named(kind)
    takes = [name for name in inspect.signature(make).parameters if name not in ("shape", "mask")]
    unknown = [name for name in options if name not in takes]
    if unknown:
        hint = "; SciPy's tol is rtol of a solve" if "tol" in unknown else ""
        raise UsageError(
            f"kind={kind!r} does not take the options {', '.join(unknown)}: it takes {', '.join(takes) or 'none'}{hint}"
        )
    return make(**options)
