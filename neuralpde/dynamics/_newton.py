"""Newton's method: its options, and the search along its steps."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

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
        linear_rtol: tolerance of the Krylov methods; they go below it where one solve then reaches rtol, as that of a
            linear problem does.
        maxiter: most iterations; by default 25, of bodies 100, and 300 where they touch something.

    A full step is tried first and halved as long as it leads uphill, see :func:`downhill`.

    Raises:
        UsageError: for another linear solver.
    """

    linear: str = "auto"
    rtol: float = 1e-12
    linear_rtol: float = 1e-11
    maxiter: int | None = None

    @property
    def most(self) -> int:
        """Most iterations, where the problem has no number of its own."""
        return 25 if self.maxiter is None else self.maxiter

    def __post_init__(self) -> None:
        if self.linear not in LINEAR_SOLVERS:
            raise UsageError(f"the linear solvers are {', '.join(LINEAR_SOLVERS)}; got {self.linear!r}.")


LOOSEST = 1e-2
"""Relative residual of the linear systems of first steps, at most."""


def forcing(fall: float) -> float:
    """Relative residual of a linear system that is small enough for the step of Newton's method that it is for.

    η = 0.9 (‖g‖/‖g₋‖)² of the residual and the one before keeps the order 2. No system is solved further than the next
    residual can tell, and first steps, far from the solution, take a few iterations.

    Args:
        fall: ‖g‖/‖g₋‖, 0 at the first step.

    Source: Eisenstat & Walker, Choosing the forcing terms in an inexact Newton method (1996), choice 2.
    """
    return min(LOOSEST, 0.9 * fall**2) if fall else LOOSEST


HALVINGS = 30
ARMIJO = 1e-4
"""Part of the decrease that the step promises, which it must bring."""

FLAT = 0.5
"""Slope uphill at the end of a step, over that downhill at its start, at most: about where a quadratic energy has
decreased by three eighths of what it can."""

NEAR = 1e-6
"""Relative residual below which energies no longer tell: their changes are rounding."""


@dataclass(frozen=True)
class Iterate:
    """A state of Newton's method.

    Args:
        theta: θ.
        residual: g(θ).
        norm: of g, the one that its tolerance is in.
        linear: what the linear system is made from, where it is known.
    """

    theta: Tensor
    residual: Tensor
    norm: float
    linear: Any = None


def downhill(
    evaluate: Callable[[Tensor], Iterate],
    start: Iterate,
    step: Tensor,
    scale: float,
    energetic: bool = False,
    natural: Callable[[Tensor], Tensor] | None = None,
) -> Iterate | None:
    """θ − s·step with the largest s = 1, ½, ¼, … that leads downhill; None where none does.

    Downhill is a smaller residual: ‖g(θ − s·step)‖ ≤ (1 − 1e-4 s) ‖g‖. A residual that holds second differences is
    large where a state is a little rough, and asks for tiny steps; ``natural`` measures it by J⁻¹g, the way that is
    left to go. Where g is the gradient of an energy and the step leads down it, the energy decides: its slope along the
    step must not have turned into half as steep a rise. ‖g‖ alone would lead where a saturated flux is small, far from
    the solution. A state whose g is not finite is uphill.

    Args:
        evaluate: θ → the iterate.
        start: where the step was found.
        step: Newton's, J⁻¹g.
        scale: what ‖g‖ is measured against.
        energetic: whether g is the gradient of an energy.
        natural: g → J⁻¹g with the matrix of the step.

    Source: Nocedal & Wright, Numerical Optimization (2006), chapters 3.1 and 11.2; Deuflhard, Newton Methods for
    Nonlinear Problems (2004), chapter 3.3.
    """
    fall = float(start.residual @ step)
    by_energy = energetic and fall > 0 and start.norm > NEAR * scale
    length, s = float(step.norm()), 1.0
    for _ in range(HALVINGS):
        trial = evaluate(start.theta - s * step)
        if math.isfinite(trial.norm):
            if by_energy:
                better = -float(trial.residual @ step) <= FLAT * fall
            elif natural is None or trial.norm <= 0.5 * start.norm or start.norm <= NEAR * scale:
                better = trial.norm <= (1 - ARMIJO * s) * start.norm
            else:
                better = float(natural(trial.residual).norm()) <= (1 - ARMIJO * s) * length
            if better:
                return trial
        s *= 0.5
    return None
