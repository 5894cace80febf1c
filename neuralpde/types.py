"""Words that every room shares: statuses with remedies, exceptions, tensor aliases.

Imports nothing of ours, so that every floor may import it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, TypeAlias

from torch import Tensor

Theta: TypeAlias = Tensor
"""State vector θ of a representation, shape ``(p,)``."""

Points: TypeAlias = Tensor
"""Points of the domain, shape ``(n, d)``."""

Values: TypeAlias = Tensor
"""Values of a field at points, shape ``(n, c)``."""

ScalarOrField: TypeAlias = float | Tensor | Callable[..., Tensor]
"""A number, or a function of points ``(n, d)`` that returns ``(n, 1)`` or ``(n,)``."""


class Status(Enum):
    """How a solve, step, projection or fit ended; ``remedy`` says what to do about a bad one.

    The codes of linear solves follow PETSc's ``KSPConvergedReason``.
    """

    CONVERGED_RTOL = ("relative tolerance reached", "")
    CONVERGED_ATOL = ("absolute tolerance reached", "")
    COMPLETED = ("every planned step was done", "")
    STEADY = ("the field came to rest", "")
    STAGNATED = (
        "no step reduces the misfit any further",
        "the representation may be too small for this field: use more degrees of freedom, or a smaller time step",
    )
    MAXITER = (
        "the iteration limit was reached before the tolerance",
        "raise maxiter, loosen rtol, or use a stronger preconditioner or a smaller time step",
    )
    UNFINISHED_FIT = (
        "a fit used its iterations before it came close",
        "give it more (maxiter of fit, in flows also of pressure_fit; of the first fit, in initial_fit), "
        "use more degrees of freedom or, in a march, a smaller time step; a start that does not fit its walls takes "
        "many iterations",
    )
    BREAKDOWN = ("the Krylov recurrence broke down", "use another solver, for instance solver='gmres'")
    INDEFINITE_MATRIX = (
        "the matrix is not positive definite (pᵀAp ≤ 0)",
        "CG needs a symmetric positive definite A: use solver='minres' where A is symmetric, else solver='gmres'",
    )
    INDEFINITE_PRECONDITIONER = (
        "the preconditioner is not positive definite (rᵀM r ≤ 0)",
        "use M='jacobi', or a solver that allows an indefinite M",
    )
    NONSYMMETRIC_MATRIX = (
        "the matrix is not symmetric",
        "CG and MINRES need A = Aᵀ: use solver='gmres' or 'bicgstab'",
    )
    INCOMPATIBLE = (
        "the matrix is singular and the right-hand side is not in its range",
        "no x solves it, and this one comes closest: take the null space's part out of b, or check the boundary "
        "conditions",
    )
    SINGULAR_MATRIX = (
        "the matrix of an implicit step is singular",
        "use a smaller time step, or another integrator",
    )
    UPHILL = (
        "no step of Newton's method reduces the residual",
        "start closer to the solution (guess=, the load raised in steps, a smaller time step); beyond a fold there is "
        "none",
    )
    BLOCKED = (
        "the supports leave the body no place to start from: they lead it into an obstacle or turn elements inside out",
        "move no support where an obstacle is; take smaller load steps or time steps, in which less has to give way",
    )
    UNCARRIED = (
        "no equilibrium was found beyond that load, in steps that were made ever shorter",
        "the body may buckle, snap through or give way there: give it a small flaw or a small load aside, start close "
        "to the state that is looked for (guess=), or simulate its motion with damping; a soft body that is deformed "
        "very far may want newton=Newton(maxiter=300)",
    )
    INVERTED = (
        "Newton's method turned elements inside out, and did not come back",
        "raise the load in smaller steps; beyond a limit load there is no equilibrium: St. Venant–Kirchhoff's material "
        "gives way under strong compression, NeoHookean does not",
    )
    UNSETTLED = (
        "no equilibrium was found with what follows the body, a pressure on its deformed boundary or friction",
        "take smaller load steps (load_steps=LoadSteps(first=0.1)); beyond a limit load, or where a body has to slide, "
        "there is none: simulate its motion, with damping",
    )
    UNSOLVED_STAGE = (
        "the equation of an implicit stage was not solved",
        "use a smaller time step, or an integrator without implicit stages of the whole equation",
    )
    NON_FINITE = (
        "NaN or Inf appeared",
        "check the data for NaN; an explicit step may be unstable: use a smaller time step or an implicit integrator",
    )
    UNSTABLE = (
        "the solution grew beyond all bounds",
        "an explicit step may be unstable: use a smaller time step or an implicit integrator; "
        "if the solution does grow so far, raise growth_limit",
    )
    UNBALANCED = (
        "the boundary velocities push more into a closed domain than out of it, or less",
        "open a face with Outflow, or balance them at all times",
    )
    PRECONDITIONER_FAILED = ("the preconditioner raised or returned NaN", "solve with M=None to see whether A is sound")
    INTERRUPTED = ("stopped on request", "go on from the saved run with --restart")

    def __init__(self, meaning: str, remedy: str) -> None:
        self.meaning = meaning
        self.remedy = remedy

    @property
    def blew_up(self) -> bool:
        """True where numbers are no longer finite, or on their way there."""
        return self in (Status.NON_FINITE, Status.UNSTABLE)

    @property
    def ok(self) -> bool:
        """True for the codes that mean success."""
        return self in (Status.CONVERGED_RTOL, Status.CONVERGED_ATOL, Status.COMPLETED, Status.STEADY)

    def sentence(self) -> str:
        """Meaning and remedy as one sentence."""
        return f"{self.meaning}; {self.remedy}" if self.remedy else self.meaning


class NeuralPDEError(Exception):
    """Root of the package's exceptions; ``result`` is the result object that carries the evidence, if there is one."""

    def __init__(self, message: str, result: Any = None) -> None:
        super().__init__(message)
        self.result = result


class UsageError(NeuralPDEError, ValueError):
    """What was asked for cannot be done as asked: wrong name, type, range or combination."""


class DataError(NeuralPDEError):
    """A file is missing, damaged or not of the expected kind."""


class NotConvergedError(NeuralPDEError):
    """An iteration ended without reaching its tolerance."""


class NonFiniteError(NotConvergedError):
    """NaN or Inf appeared in a state or a residual, or a solution grew beyond all bounds."""


def raise_for(status: Status, what: str, result: Any = None) -> None:
    """Raise the exception that belongs to a bad ``status``; do nothing for a good one.

    Raises:
        NonFiniteError: for :attr:`Status.NON_FINITE` and :attr:`Status.UNSTABLE`.
        NotConvergedError: for every other bad status.
    """
    if status.ok:
        return
    kind = NonFiniteError if status.blew_up else NotConvergedError
    raise kind(f"{what}: {status.sentence()}.", result)
