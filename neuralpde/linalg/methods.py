"""The table of solvers: their recurrences and what these need."""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass

from neuralpde.linalg.bicgstab import bicgstab
from neuralpde.linalg.cg import cg
from neuralpde.linalg.cycle import Kernel
from neuralpde.linalg.direct import direct
from neuralpde.linalg.fcg import fcg
from neuralpde.linalg.gmres import gmres
from neuralpde.linalg.minres import minres
from neuralpde.linalg.operators import LinearOperator
from neuralpde.linalg.scaled import NEAR_ONE, in_range
from neuralpde.types import UsageError


@dataclass(frozen=True)
class Method:
    """A solver by name.

    Attributes:
        symmetric: it needs A = Aᵀ.
        energy: it lowers the A-norm of the error, so that ‖r‖ may grow on the way.
        wide: it runs in float64 even where A is float32: the rounding errors of MINRES grow with the square of the
            condition number (Sleijpen, van der Vorst & Modersitzki, SIAM J. Matrix Anal. Appl. 22, 2000).
    """

    name: str
    symmetric: bool = False
    energy: bool = False
    wide: bool = False

    def kernel(self, A: LinearOperator, restart: int, directions: int) -> Kernel:
        """The recurrence, for A; "direct" makes its factors here."""
        if self.name == "direct":
            return direct(A)
        if self.name in ("gmres", "fgmres"):
            return in_range(functools.partial(gmres, restart=restart), A)
        if self.name == "fcg":
            return functools.partial(fcg, directions=directions)
        if self.name == "minres":
            return in_range(minres, A, NEAR_ONE)
        return cg if self.name == "cg" else in_range(bicgstab, A)


_METHODS = {
    method.name: method
    for method in (
        Method("cg", symmetric=True, energy=True),
        Method("fcg", symmetric=True, energy=True),
        Method("minres", symmetric=True, wide=True),
        Method("gmres"),
        Method("fgmres"),
        Method("bicgstab"),
        Method("direct"),
    )
}
SOLVERS = tuple(_METHODS)
"""Names of all solvers."""


def method_named(solver: str) -> Method:
    """A solver by its name.

    Raises:
        UsageError: for an unknown name; the sentence says which one is nearest.
    """
    if not isinstance(solver, str) or solver not in _METHODS:
        nearest = difflib.get_close_matches(str(solver).lower(), SOLVERS, n=1, cutoff=0.0)[0]
        raise UsageError(f"unknown solver {solver!r}: did you mean {nearest!r}? Known: {', '.join(SOLVERS)}")
    return _METHODS[solver]
