"""Preconditioners and factors that serve the matrices of several steps of Newton's method."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from scipy.sparse.linalg import SuperLU

from neuralpde.linalg import CallableOperator, LinearOperator, Preconditioner, positive_definite

SLOWER = 1.6
"""Iterations per digit, over those with a new preconditioner, up to which an old one is kept: building one takes about
as long as two solves to the tolerance of a step."""

SPARE = 3
"""Iterations that a solve may take more in any case."""

PATIENCE = 8
"""Iterations with old factors from which on new ones pay: they take as long as some sixteen of them."""


class KeptPreconditioner:
    """M of a matrix that changes little by little: made for one of them, and again where CG has become slow.

    Args:
        make: the preconditioner of the problem.
    """

    def __init__(self, make: Callable[[], Preconditioner]) -> None:
        self.make = make
        self.latest: LinearOperator | None = None
        self._new, self._rate = True, math.inf

    def build(self, A: LinearOperator) -> LinearOperator:
        """M of an earlier matrix of the same size, or a new one."""
        if self.latest is None or self.latest.shape != A.shape:
            self.latest, self._new = self.make().build(A), True
        return self.latest

    def drop(self) -> bool:
        """Forget M; whether it had been made for an earlier matrix."""
        old = self.latest is not None and not self._new
        self.latest = None
        return old

    def note(self, iterations: int, rtol: float) -> None:
        """What a solve took: M is made again for the next matrix where that was slow."""
        digits = max(1.0, -math.log10(max(rtol, 1e-16)))
        if self._new:
            self._new, self._rate = False, iterations / digits
        elif iterations > SLOWER * self._rate * digits + SPARE:
            self.latest = None


class KeptFactors:
    """LU factors of one positive definite matrix, which precondition CG with the next ones.

    With factors of A₀ CG for A takes as many iterations as A₀⁻¹A asks for, which is near the identity while a body has
    moved little; each costs a twentieth of new factors.
    """

    def __init__(self) -> None:
        self.operator: LinearOperator | None = None

    def keep(self, factors: SuperLU) -> None:
        """Keep the factors of a symmetric matrix, where it is positive definite."""
        self.operator = None
        if positive_definite(factors):
            self.operator = CallableOperator(
                factors.shape,
                lambda r: torch.from_numpy(factors.solve(r.numpy())),
                symmetric=True,
                positive_definite=True,
            )

    def serve(self, shape: tuple[int, ...]) -> bool:
        """Whether there are factors for a matrix of that shape."""
        return self.operator is not None and self.operator.shape == shape

    def note(self, iterations: int) -> None:
        """What a solve took: the next matrix gets factors of its own where that was long."""
        if iterations > PATIENCE:
            self.operator = None
