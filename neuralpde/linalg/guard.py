"""A preconditioner in use: applied, watched, and able to say why it should be dropped."""

from __future__ import annotations

import difflib
from typing import Any

import torch
from torch import Tensor

from neuralpde.linalg.algebraic_multigrid import AlgebraicMultigrid, MultigridCycle
from neuralpde.linalg.chebyshev import Chebyshev, ChebyshevOperator
from neuralpde.linalg.direct_preconditioner import Direct, FactorOperator
from neuralpde.linalg.incomplete_cholesky import IncompleteCholesky
from neuralpde.linalg.matrix import as_operator
from neuralpde.linalg.multigrid.geometric import GeometricMultigrid, MultigridOperator
from neuralpde.linalg.operators import CallableOperator, LinearOperator
from neuralpde.linalg.preconditioners import Identity, Jacobi, Preconditioner
from neuralpde.linalg.ssor import SSOR
from neuralpde.linalg.transposed import TransposedOperator
from neuralpde.linalg.triangular import TriangularOperator
from neuralpde.linalg.vectors import copied, is_finite
from neuralpde.types import UsageError

_NAMED: dict[str, type[Preconditioner]] = {
    "identity": Identity,
    "jacobi": Jacobi,
    "ssor": SSOR,
    "chebyshev": Chebyshev,
    "ic": IncompleteCholesky,
    "amg": AlgebraicMultigrid,
    "direct": Direct,
    "multigrid": GeometricMultigrid,
}

_OURS = (ChebyshevOperator, FactorOperator, MultigridCycle, MultigridOperator, TriangularOperator)
"""Operators that some of them build, and users pass on."""

PATIENCE = 75
"""Iterations with geometric multigrid that cost as much as setting up algebraic multigrid."""


def named(name: str) -> type[Preconditioner]:
    """The class of a preconditioner by its name.

    Raises:
        UsageError: for an unknown name.
    """
    if name not in _NAMED:
        nearest = difflib.get_close_matches(str(name).lower(), _NAMED, n=1, cutoff=0.0)[0]
        raise UsageError(f"unknown preconditioner {name!r}: did you mean {nearest!r}? Known: {', '.join(_NAMED)}")
    return _NAMED[name]


def _first_line(error: Exception) -> str:
    """The class of an error and how its message begins: some tell their whole history."""
    return f"{type(error).__name__}: {error}".split("\n", 1)[0]


class Given(Preconditioner):
    """A finished operator M ≈ A⁻¹ that the user passed in.

    It may be a network, so it counts as variable unless it claims to be symmetric positive definite.
    """

    def __init__(self, operator: LinearOperator, name: str) -> None:
        self.variable = not (operator.positive_definite and operator.symmetric)
        self.operator = operator
        self.name = name

    def build(self, A: LinearOperator) -> LinearOperator:
        return self.operator


class Guard:
    """Applies one preconditioner and catches what a user's or a learned one can do wrong.

    Args:
        preconditioner: what to build.
        A: the operator it is built for.

    Attributes:
        classical: one of ours, linear and fixed, built or as it was given: slow progress is A's fault.
        variable: a user's function, or a preconditioner that says so: on trial until it has shown what it can do.
        fault: why it cannot be used (any more); empty while all is well.
        refusal: what its build raised where it cannot serve such an A, or lacks a package.
        patience: iterations after which one that is usually fast, and is not here, gives way; ``None`` for no limit.
    """

    def __init__(self, preconditioner: Preconditioner, A: LinearOperator) -> None:
        self.preconditioner = preconditioner
        self.patience = PATIENCE if isinstance(preconditioner, GeometricMultigrid) else None
        self.name = getattr(preconditioner, "name", type(preconditioner).__name__)
        self.classical = isinstance(preconditioner, tuple(_NAMED.values()))
        self.variable = preconditioner.variable
        self._build(A)

    def _build(self, A: LinearOperator) -> None:
        self.fault = ""
        self.refusal: UsageError | ImportError | None = None
        self._first: tuple[Tensor, Tensor] | None = None
        self._operator: LinearOperator | None = None
        # The one broad except of this room, here, in update and in apply: the code may be a user's or a trained
        # network, and whatever it raises, the solve goes on without it and the result says so.
        try:
            operator = self.preconditioner.build(A)
            if not isinstance(operator, LinearOperator):
                raise TypeError(f"build returned {type(operator).__name__}, expected a LinearOperator")
            self._operator = operator
            self.classical = self.classical or isinstance(operator, _OURS)
        except Exception as error:
            self.fault = f"its build raised {_first_line(error)}"
            self.refusal = error if isinstance(error, UsageError | ImportError) else None

    def apply(self, r: Tensor, *, look: bool = True) -> Tensor | None:
        """M r, shape ``(n,)``, float32 or float64; ``None`` when it failed, and then :attr:`fault` says how.

        Args:
            r: shape ``(n,)``.
            look: for NaN and Inf. Without, the caller asks :meth:`finds_fault` when a sum over z is not finite.
        """
        if self._operator is None:
            return None
        try:
            given = r.to(self._operator.dtype)
            # A user's function may write into what it gets.
            z = self._operator.matvec(copied(r, r.dtype) if self.variable and given is r else given)
            self.fault = _fault_of_form(z, r)
            if self.fault or (look and self.finds_fault(z)):
                return None
            if self.variable and self._first is None:
                self._first = (copied(r, r.dtype), copied(z, z.dtype))
            return z.to(r.device) if z.dtype in (torch.float32, torch.float64) else z.to(r)
        except Exception as error:
            self.fault = f"it raised {_first_line(error)}"
            return None

    def forget(self) -> None:
        """A new solve begins."""
        self._first = None

    def changed(self) -> bool:
        """Whether it answers the first r of this solve by another direction now, 60 degrees off or more."""
        if self._first is None:
            return False
        r, z = self._first
        again = self.apply(r)
        if again is None:
            return True
        before, now = z.to(torch.float64), again.to(torch.float64)
        return float(torch.dot(before, now)) < 0.5 * float(before.norm() * now.norm())

    def update(self, A: LinearOperator) -> None:
        """Take the entries of another A of the same shape: by the preconditioner's own ``update``, else built anew."""
        update = getattr(self._operator, "update", None)
        if update is not None:
            try:
                update(A)
                return
            except Exception as error:
                self.fault = f"its update raised {_first_line(error)}"
        self._build(A)

    def transposed(self, A: LinearOperator) -> Preconditioner:
        """A preconditioner for Aᵀ: the transpose of this one where it has one, else its recipe.

        Args:
            A: the operator that this one was built for.
        """
        operator = self._operator
        if operator is None or not (operator.symmetric or type(operator).rmatvec is not LinearOperator.rmatvec):
            return self.preconditioner
        return Given(operator if operator.symmetric else TransposedOperator(operator), f"transpose of {self.name}")

    def finds_fault(self, z: Tensor) -> bool:
        """Whether z = M r holds NaN or Inf, which then is the :attr:`fault`."""
        if not is_finite(z):
            self.fault = "it returned NaN or Inf"
        return bool(self.fault)


def _fault_of_form(z: Tensor, r: Tensor) -> str:
    if z.shape != r.shape:
        return f"it returned shape {tuple(z.shape)}, expected {tuple(r.shape)}"
    return "it returned complex numbers" if z.is_complex() else ""


class Guards:
    """M, then what replaces it when it fails: Jacobi, then the identity. Each is built when its turn comes, and kept.
    Algebraic multigrid stands between geometric multigrid and Jacobi.

    Args:
        M: the first choice.
        A: what to build them for.
    """

    def __init__(self, M: Preconditioner, A: LinearOperator) -> None:
        self._A = A
        self._recipes = [M]
        if isinstance(M, GeometricMultigrid):
            self._recipes.append(AlgebraicMultigrid())
        if not isinstance(M, Identity | Jacobi):
            self._recipes.append(Jacobi())
        if not isinstance(M, Identity):
            self._recipes.append(Identity())
        self._built: dict[int, Guard] = {}

    def __len__(self) -> int:
        return len(self._recipes)

    def __getitem__(self, place: int) -> Guard:
        if place not in self._built:
            self._built[place] = Guard(self._recipes[place], self._A)
        return self._built[place]

    def update(self, A: LinearOperator) -> None:
        """The first choice takes another A of the same shape; the others are built for it when their turn comes."""
        self._A = A
        self._built = {0: self[0]}
        self[0].update(A)


def as_preconditioner(M: Any, A: LinearOperator) -> Preconditioner:
    """What a caller may pass as ``M``, as a :class:`Preconditioner`.

    Args:
        M: ``None``, "jacobi", "identity", "amg", a Preconditioner, an operator or matrix of the shape of A, or a
            function of one vector.
        A: the operator to precondition.

    Raises:
        UsageError: for an unknown name, or a matrix whose shape is not that of A.
    """
    if M is None:
        return Identity()
    if isinstance(M, Preconditioner):
        return M
    if isinstance(M, type):
        raise UsageError(f"M is the class {M.__name__}: pass an object of it, such as {M.__name__}()")
    if isinstance(M, str):
        return named(M)()
    name = type(M).__name__
    if callable(M) and not hasattr(M, "shape"):
        return Given(CallableOperator(A.shape, M, dtype=A.dtype, device=A.device), name)
    operator = as_operator(M)
    if operator.shape != A.shape:
        raise UsageError(f"M has shape {operator.shape}, but A has shape {A.shape}: M approximates the inverse of A")
    return Given(operator, name)
